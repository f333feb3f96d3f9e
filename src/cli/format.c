/* SPDX-License-Identifier: Apache-2.0 */
/*
 * --format: the small part of Go's text/template that people use with Docker. What is not
 * here ({{range}}, {{if}} …) is refused by name; `--format json` and jq do the rest.
 */
#include <ctype.h>
#include <string.h>

#include "base/text.h"
#include "cli/cli.h"

#define ACTION_MAX 1024 /* bytes between braces */

struct scanner {
    const char *at;     /* in the action's text */
    const char *action; /* its begin, for errors */
    const json_t *data; /* NULL: check only */
};

static const char *const functions[] = {"json", "index", "len", "join", "upper", "lower"};

static int fail_at(const struct scanner *s, struct dr_error *err, const char *why)
{
    dr_auto_free char *safe = dr_escape(s->action, 80);
    return dr_fail(err, DR_ERR_INVALID, "--format: {{%s}}: %s", safe, why);
}

static void skip_blanks(struct scanner *s)
{
    while (isspace((unsigned char)*s->at))
        s->at++;
}

/* Values as Go prints them; text of the image or guest is escaped. */
static int add_value(const json_t *value, struct dr_buf *buf, struct dr_error *err)
{
    if (json_is_string(value)) {
        dr_auto_free char *safe = dr_escape(json_string_value(value), 0);
        return dr_buf_add(buf, safe, strlen(safe), err);
    }
    if (json_is_integer(value))
        return dr_buf_addf(buf, err, "%lld", (long long)json_integer_value(value));
    if (json_is_real(value))
        return dr_buf_addf(buf, err, "%g", json_real_value(value));
    if (json_is_boolean(value))
        return dr_buf_addf(buf, err, "%s", json_is_true(value) ? "true" : "false");
    if (!json_is_array(value) && !json_is_object(value))
        return dr_buf_addf(buf, err, "<no value>");
    bool array = json_is_array(value), first = true;
    if (dr_buf_addf(buf, err, "%s", array ? "[" : "map[") < 0)
        return -1;
    for (size_t i = 0; array && i < json_array_size(value); i++, first = false)
        if (dr_buf_addf(buf, err, "%s", first ? "" : " ") < 0 ||
            add_value(json_array_get(value, i), buf, err) < 0)
            return -1;
    const char *key;
    json_t *member;
    if (!array) {
        json_object_foreach ((json_t *)value, key, member) {
            dr_auto_free char *safe = dr_escape(key, 0);
            if (dr_buf_addf(buf, err, "%s%s:", first ? "" : " ", safe) < 0 ||
                add_value(member, buf, err) < 0)
                return -1;
            first = false;
        }
    }
    return dr_buf_add(buf, "]", 1, err);
}

/* JSON as it goes to a terminal: jansson escapes controls, but not DEL and C1. */
static int add_json(const json_t *value, struct dr_buf *buf, struct dr_error *err)
{
    char *text = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY | JSON_ENSURE_ASCII);
    dr_auto_free char *safe = dr_escape(text, 0);
    free(text);
    return dr_buf_add(buf, safe, strlen(safe), err);
}

/* What could have been meant by a member that is not there. */
static int no_member(const struct scanner *s, const json_t *object, const char *name,
                     struct dr_error *err)
{
    char list[300] = "";
    const char *key;
    json_t *member;
    json_object_foreach ((json_t *)object, key, member) {
        size_t used = strlen(list);
        if (used + strlen(key) + 8 > sizeof(list)) {
            snprintf(list + used, sizeof(list) - used, ", …");
            break;
        }
        snprintf(list + used, sizeof(list) - used, "%s%s", used ? ", " : "", key);
    }
    dr_auto_free char *why =
        dr_printf("there is no \"%s\"%s%s", name, *list ? "; there is " : " in it", list);
    return fail_at(s, err, why);
}

/* ".", ".A", ".A.B". *ret stays NULL when only checking. */
static int parse_path(struct scanner *s, const json_t **ret, struct dr_error *err)
{
    const json_t *value = s->data;
    skip_blanks(s);
    if (*s->at != '.')
        return fail_at(s, err, "a path like .State.Status is expected");
    while (*s->at == '.') {
        const char *name = ++s->at;
        while (isalnum((unsigned char)*s->at) || *s->at == '_')
            s->at++;
        dr_auto_free char *key = dr_strndup(name, (size_t)(s->at - name));
        if (!*key && *s->at == '.')
            return fail_at(s, err, "two dots follow one another");
        if (!*key)
            break; /* "." is everything */
        if (!s->data)
            continue;
        const json_t *member = json_object_get(value, key);
        if (!member)
            return no_member(s, value, key, err);
        value = member;
    }
    *ret = value;
    return 0;
}

/* "text" or `text`; owned */
static char *parse_string(struct scanner *s, struct dr_error *err)
{
    skip_blanks(s);
    char quote = *s->at;
    if (quote != '"' && quote != '`') {
        fail_at(s, err, "a text in quotes is expected");
        return NULL;
    }
    char *out = dr_alloc(strlen(s->at) + 1), *p = out;
    for (s->at++; *s->at && *s->at != quote; s->at++) {
        if (quote == '"' && *s->at == '\\' && s->at[1]) {
            s->at++;
            *p++ = *s->at == 'n' ? '\n' : *s->at == 't' ? '\t' : *s->at;
        } else {
            *p++ = *s->at;
        }
    }
    *p = '\0';
    if (*s->at != quote) {
        free(out);
        fail_at(s, err, "the closing quote is missing");
        return NULL;
    }
    s->at++;
    return out;
}

static int do_index(struct scanner *s, struct dr_buf *buf, struct dr_error *err)
{
    const json_t *value = NULL;
    if (parse_path(s, &value, err) < 0)
        return -1;
    skip_blanks(s);
    if (isdigit((unsigned char)*s->at)) {
        size_t index = strtoul(s->at, (char **)&s->at, 10);
        if (!s->data)
            return 0;
        if (index >= json_array_size(value))
            return fail_at(s, err, "there are not so many elements");
        return add_value(json_array_get(value, index), buf, err);
    }
    dr_auto_free char *key = parse_string(s, err);
    if (!key)
        return -1;
    const json_t *member = json_object_get(value, key);
    /* Go's index of a missing key is the empty value */
    return member && s->data ? add_value(member, buf, err) : 0;
}

static int do_join(struct scanner *s, struct dr_buf *buf, struct dr_error *err)
{
    const json_t *value = NULL;
    if (parse_path(s, &value, err) < 0)
        return -1;
    dr_auto_free char *between = parse_string(s, err);
    if (!between)
        return -1;
    for (size_t i = 0; i < json_array_size(value); i++)
        if ((i && dr_buf_add(buf, between, strlen(between), err) < 0) ||
            add_value(json_array_get(value, i), buf, err) < 0)
            return -1;
    return 0;
}

static int do_len(const json_t *value, struct dr_buf *buf, struct dr_error *err)
{
    size_t len = json_is_object(value)  ? json_object_size(value)
                 : json_is_array(value) ? json_array_size(value)
                                        : json_string_length(value);
    return dr_buf_addf(buf, err, "%zu", len);
}

static int do_case(const json_t *value, bool upper, struct dr_buf *buf,
                   struct dr_error *err)
{
    size_t begin = buf->len;
    if (add_value(value, buf, err) < 0)
        return -1;
    for (size_t i = begin; i < buf->len; i++) {
        unsigned char c = (unsigned char)buf->data[i];
        if (c < 0x80) /* no locale: ASCII only */
            buf->data[i] = (char)(upper ? toupper(c) : tolower(c));
    }
    return 0;
}

static int do_function(struct scanner *s, const char *name, struct dr_buf *buf,
                       struct dr_error *err)
{
    const json_t *value = NULL;
    if (strcmp(name, "index") == 0)
        return do_index(s, buf, err);
    if (strcmp(name, "join") == 0)
        return do_join(s, buf, err);
    if (parse_path(s, &value, err) < 0)
        return -1;
    if (!s->data)
        return 0;
    if (strcmp(name, "json") == 0)
        return add_json(value, buf, err);
    if (strcmp(name, "len") == 0)
        return do_len(value, buf, err);
    return do_case(value, strcmp(name, "upper") == 0, buf, err);
}

static int do_action(struct scanner *s, struct dr_buf *buf, struct dr_error *err)
{
    int rc;
    skip_blanks(s);
    if (*s->at == '"' || *s->at == '`') {
        dr_auto_free char *text = parse_string(s, err);
        rc = text ? dr_buf_add(buf, text, strlen(text), err) : -1;
    } else if (isalpha((unsigned char)*s->at)) {
        size_t len = strspn(s->at, "abcdefghijklmnopqrstuvwxyz");
        dr_auto_free char *name = dr_strndup(s->at, len);
        bool known = false;
        for (size_t i = 0; i < DR_COUNT(functions); i++)
            known = known || strcmp(functions[i], name) == 0;
        if (!known)
            return fail_at(
                s, err,
                "it is not supported; paths, json, index, len, join, upper and "
                "lower are");
        s->at += len;
        rc = do_function(s, name, buf, err);
    } else {
        const json_t *value = NULL;
        rc = parse_path(s, &value, err);
        if (rc == 0 && s->data)
            rc = add_value(value, buf, err);
    }
    if (rc < 0)
        return -1;
    skip_blanks(s);
    return *s->at ? fail_at(s, err,
                            "it goes on where it should end; pipes and arguments "
                            "are not supported")
                  : 0;
}

/* Literal text, in which \t and \n are what they are in Docker's formats. */
static int add_literal(const char *text, size_t len, struct dr_buf *buf,
                       struct dr_error *err)
{
    for (size_t i = 0; i < len; i++) {
        char c = text[i];
        if (c == '\\' && i + 1 < len && (text[i + 1] == 't' || text[i + 1] == 'n'))
            c = text[++i] == 't' ? '\t' : '\n';
        if (dr_buf_add(buf, &c, 1, err) < 0)
            return -1;
    }
    return 0;
}

int cli_format(const char *format, const json_t *data, struct dr_buf *buf,
               struct dr_error *err)
{
    bool trim = false;
    while (*format) {
        const char *open = strstr(format, "{{");
        size_t literal = open ? (size_t)(open - format) : strlen(format);
        size_t skip = trim ? strspn(format, " \t\n\r") : 0;
        skip = skip > literal ? literal : skip;
        size_t keep = literal - skip;
        bool trim_left = open && open[2] == '-' && isspace((unsigned char)open[3]);
        while (trim_left && keep && isspace((unsigned char)format[skip + keep - 1]))
            keep--;
        if (add_literal(format + skip, keep, buf, err) < 0)
            return -1;
        if (!open)
            return 0;
        const char *begin = open + (trim_left ? 3 : 2);
        const char *close = strstr(begin, "}}");
        if (!close || close - begin > ACTION_MAX)
            return dr_fail(err, DR_ERR_INVALID, "--format: {{ without its }}");
        trim =
            close - begin >= 2 && close[-1] == '-' && isspace((unsigned char)close[-2]);
        dr_auto_free char *action = dr_strndup(begin, (size_t)(close - begin) - trim);
        struct scanner s = {.at = action, .action = action, .data = data};
        if (do_action(&s, buf, err) < 0)
            return -1;
        format = close + 2;
    }
    return 0;
}

int cli_format_check(const char *format, struct dr_error *err)
{
    dr_auto_buf struct dr_buf buf = DR_BUF_INIT(1u << 20);
    if (!format || strcmp(format, "json") == 0 || strcmp(format, "table") == 0)
        return 0;
    if (strncmp(format, "table ", 6) == 0)
        format += 6;
    return cli_format(format, NULL, &buf, err);
}
