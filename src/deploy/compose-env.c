/* SPDX-License-Identifier: Apache-2.0 */
#include "deploy/compose-env.h"

#include <string.h>

#include "base/fs.h"
#include "base/text.h"
#include "deploy/compose-interpolate.h"

extern char **environ;

void compose_env_init(struct compose_env *env, const char *const *environment)
{
    env->values = json_object();
    char **all = environment ? (char **)environment : environ;
    for (size_t i = 0; all && all[i]; i++) {
        size_t len = strcspn(all[i], "=");
        if (!len || !all[i][len])
            continue; /* Windows has "=C:=…" */
        dr_auto_free char *name = dr_strndup(all[i], len);
        compose_env_set(env, name, all[i] + len + 1, true);
    }
}

void compose_env_copy(struct compose_env *env, const struct compose_env *from)
{
    env->values = json_copy(from->values);
}

void compose_env_release(struct compose_env *env)
{
    json_decref(env->values);
    env->values = NULL;
}

const char *compose_env_get(const struct compose_env *env, const char *name)
{
    return json_string_value(json_object_get(env->values, name));
}

void compose_env_set(struct compose_env *env, const char *name, const char *value,
                     bool replace)
{
    /* what is no UTF-8 cannot go into a spec, but may stand in an environment */
    if (replace || !json_object_get(env->values, name))
        json_object_set_new_nocheck(env->values, name, json_string_nocheck(value));
}

/* --- dotenv --- */

struct dotenv {
    const struct compose_dotenv *how;
    const char *p;
    unsigned line;
    size_t count;             /* of variables */
    struct compose_env inner; /* what the lines before this one say */
    char ***pairs;
    struct dr_error *err;
};

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\v' || c == '\f';
}

#define VARIABLES_MAX 10000

static int bad(struct dotenv *d, unsigned line, const char *what, const char *name)
{
    dr_auto_free char *file = dr_escape(d->how->name, 300);
    dr_auto_free char *safe = dr_escape(name, 60);
    return dr_fail(d->err, DR_ERR_CONFIG, "%s:%u: %s%s%s%s", file, line, what,
                   *safe ? " '" : "", safe, *safe ? "'" : "");
}

static const char *get(void *state, const char *name)
{
    const struct dotenv *d = state;
    const char *value = compose_env_get(d->how->outer, name);
    return value ? value : compose_env_get(&d->inner, name);
}

static void add(struct dotenv *d, const char *name, const char *value)
{
    dr_auto_free char *pair = dr_printf("%s=%s", name, value);
    dr_strv_add(d->pairs, pair);
    compose_env_set(&d->inner, name, value, true);
}

static int expand(struct dotenv *d, unsigned line, const char *text, char **ret)
{
    const struct compose_interpolation how = {get, NULL, d};
    dr_auto_error struct dr_error found = DR_ERROR_INIT;
    if (compose_interpolate(&how, text, COMPOSE_ENV_FILE_MAX, ret, &found) == 0)
        return 0;
    dr_auto_free char *why = dr_strdup(found.text);
    return bad(d, line, why, "");
}

/* In '…' only the quote can be escaped; in "…" also n, r, t, the backslash and '$',
 * which becomes the "$$" that expand() undoes. */
static char *unescape(const char *from, size_t len, char quote)
{
    char *text = dr_alloc(len + 1), *to = text;
    for (const char *p = from; p < from + len; p++) {
        if (*p != '\\' || p + 1 == from + len || (quote == '\'' && p[1] != '\'')) {
            *to++ = *p;
            continue;
        }
        static const char names[] = "nrt\\\"'", meant[] = "\n\r\t\\\"'";
        const char *known = strchr(names, *++p);
        if (known) {
            *to++ = meant[known - names];
        } else {
            *to++ = *p == '$' ? '$' : '\\';
            *to++ = *p;
        }
    }
    return text;
}

static int quoted(struct dotenv *d, const char *name)
{
    char quote = *d->p++;
    unsigned line = d->line;
    const char *start = d->p;
    for (; *d->p && *d->p != quote; d->p++) {
        if (*d->p == '\\' && d->p[1] && (quote == '"' || d->p[1] == '\''))
            d->p++;
        d->line += *d->p == '\n';
    }
    if (!*d->p)
        return bad(d, line, "the quote is not closed in the value of", name);
    dr_auto_free char *text = unescape(start, (size_t)(d->p - start), quote);
    d->p++;
    while (is_blank(*d->p))
        d->p++;
    if (*d->p && *d->p != '\n' && *d->p != '#')
        return bad(d, d->line, "there is something behind the quoted value of", name);
    d->p += strcspn(d->p, "\n");
    if (quote == '\'') {
        add(d, name, text);
        return 0;
    }
    dr_auto_free char *value = NULL;
    if (expand(d, line, text, &value) < 0)
        return -1;
    add(d, name, value);
    return 0;
}

static int unquoted(struct dotenv *d, const char *name)
{
    size_t line_len = strcspn(d->p, "\n"), len = 0;
    /* a comment begins behind a blank: "#fff" is a colour */
    while (len < line_len &&
           (d->how->raw || d->p[len] != '#' || !is_blank((d->p + len)[-1])))
        len++;
    while (len && is_blank(d->p[len - 1]))
        len--;
    dr_auto_free char *text = dr_strndup(d->p, len), *value = NULL;
    d->p += line_len;
    if (!d->how->raw && expand(d, d->line, text, &value) < 0)
        return -1;
    add(d, name, value ? value : text);
    return 0;
}

/* p is at the first byte of a line that is not blank. */
static int statement(struct dotenv *d)
{
    if (strncmp(d->p, "export", 6) == 0 && is_blank(d->p[6]))
        for (d->p += 6; is_blank(*d->p);)
            d->p++;
    size_t len = strcspn(d->p, d->how->raw ? "=\n" : "=:\n"), end = len;
    while (end && is_blank(d->p[end - 1]))
        end--;
    dr_auto_free char *name = dr_strndup(d->p, end);
    if (++d->count > VARIABLES_MAX)
        return bad(d, d->line, "there are more than 10000 variables", "");
    if (!*name)
        return bad(d, d->line, "there is no name before the value", "");
    if (strpbrk(name, " \t\r\v\f\"'$") || !dr_json_is_text(name))
        return bad(d, d->line, "this is no name of a variable:", name);
    d->p += len;
    if (*d->p != '=' && *d->p != ':') {
        const char *value = compose_env_get(d->how->outer, name);
        if (value)
            add(d, name, value);
        return 0;
    }
    d->p++;
    while (is_blank(*d->p))
        d->p++;
    return !d->how->raw && (*d->p == '"' || *d->p == '\'') ? quoted(d, name)
                                                           : unquoted(d, name);
}

int compose_dotenv_parse(const struct compose_dotenv *how, const char *text, size_t len,
                         char ***ret_pairs, struct dr_error *err)
{
    if (len >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0) {
        text += 3; /* the byte order mark that Windows' editors put there */
        len -= 3;
    }
    dr_auto_free char *copy = dr_strndup(text, len);
    struct dotenv d = {.how = how, .p = copy, .line = 1, .pairs = ret_pairs, .err = err};
    if (strlen(copy) != len)
        return bad(&d, 1, "the file has NUL bytes", "");
    d.inner.values = json_object();
    int rc = 0;
    while (rc == 0 && *d.p) {
        while (is_blank(*d.p))
            d.p++;
        if (*d.p == '\n') {
            d.p++;
            d.line++;
        } else if (*d.p == '#') {
            d.p += strcspn(d.p, "\n");
        } else if (*d.p) {
            rc = statement(&d);
        }
    }
    compose_env_release(&d.inner);
    return rc;
}

int compose_dotenv_read(const struct compose_dotenv *how, const char *path,
                        char ***ret_pairs, struct dr_error *err)
{
    dr_auto_buf struct dr_buf buf = DR_BUF_INIT(COMPOSE_ENV_FILE_MAX);
    if (dr_file_read(AT_FDCWD, path, &buf, err) < 0)
        return -1;
    return compose_dotenv_parse(how, buf.data ? buf.data : "", buf.len, ret_pairs, err);
}
