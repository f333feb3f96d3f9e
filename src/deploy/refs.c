/* SPDX-License-Identifier: Apache-2.0 */
#include "deploy/refs.h"

#include <string.h>

#include "base/fs.h"
#include "base/text.h"

#define SECRETS_MAX (1u << 20)
#define VALUE_MAX (1u << 20)
#define NAME_BYTES "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_"

static int secret_line(const char *line, char ***list, struct dr_error *err)
{
    line += strspn(line, " \t");
    if (!*line || *line == '#')
        return 0;
    size_t len = strspn(line, NAME_BYTES);
    if (len == 0 || line[len] != '=' || (*line >= '0' && *line <= '9'))
        return dr_fail(err, DR_ERR_CONFIG, "expected NAME=VALUE");
    if (!dr_json_is_text(line))
        return dr_fail(err, DR_ERR_CONFIG, "it is not valid UTF-8");
    dr_strv_add(list, line);
    return 0;
}

int deploy_secrets_read(const char *path, char ***ret, struct dr_error *err)
{
    dr_auto_buf struct dr_buf buf = DR_BUF_INIT(SECRETS_MAX);
    dr_auto_strv char **list = NULL;
    if (dr_file_read(AT_FDCWD, path, &buf, err) < 0)
        return dr_wrap(err, "secrets file");
    size_t number = 0;
    for (char *line = buf.data, *end = line + buf.len; line < end;) {
        char *stop = memchr(line, '\n', (size_t)(end - line));
        size_t len = stop ? (size_t)(stop - line) : (size_t)(end - line);
        dr_auto_free char *copy = dr_strndup(line, len);
        if (len > 0 && copy[len - 1] == '\r')
            copy[len - 1] = '\0';
        number++;
        if (memchr(line, '\0', len))
            return dr_fail(err, DR_ERR_CONFIG, "%s:%zu: a NUL byte", path, number);
        if (secret_line(copy, &list, err) < 0)
            return dr_wrap(err, "%s:%zu", path, number);
        line += len + 1;
    }
    *ret = DR_TAKE(list);
    return 0;
}

static const char *secret(char *const *secrets, const char *name)
{
    size_t len = strlen(name);
    for (; secrets && *secrets; secrets++)
        if (strncmp(*secrets, name, len) == 0 && (*secrets)[len] == '=')
            return *secrets + len + 1;
    return NULL;
}

static int missing(const struct deploy_sources *sources, const char *name, bool is_secret,
                   struct dr_error *err)
{
    if (!is_secret)
        return dr_fail(err, DR_ERR_CONFIG, "$E:%s: the environment has no %s", name,
                       name);
    if (!sources->secrets_file)
        return dr_fail(err, DR_ERR_CONFIG, "$S:%s: no secrets file is given", name);
    dr_auto_free char *file = dr_escape(sources->secrets_file, 200);
    return dr_fail(err, DR_ERR_CONFIG, "$S:%s: there is no %s in %s", name, name, file);
}

/* How many dollar signs a text begins with, when "E:" or "S:" is behind them; else 0. */
static size_t dollars_of_a_reference(const char *text)
{
    size_t n = strspn(text, "$");
    return n > 0 && (text[n] == 'E' || text[n] == 'S') && text[n + 1] == ':' ? n : 0;
}

/* How long the text is up to the next dollar signs that mean something. */
static size_t plain_len(const char *text, size_t *ret_dollars)
{
    size_t n = 0;
    *ret_dollars = 0;
    while (text[n] && !(*ret_dollars = dollars_of_a_reference(text + n)))
        n += text[n] == '$' ? strspn(text + n, "$") : 1;
    return n;
}

/* "NAME" or "{NAME}" at text; *ret_name is owned. How long it is; 0: there is none. */
static size_t name_at(const char *text, char **ret_name)
{
    size_t brace = *text == '{', len = strspn(text + brace, NAME_BYTES);
    if (len == 0 || (brace && text[1 + len] != '}'))
        return 0;
    *ret_name = dr_strndup(text + brace, len);
    return len + 2 * brace;
}

struct expansion {
    struct dr_buf value, written;
    struct dr_buf literal; /* of the written text, since the last secret: not escaped */
};

/* Dollar signs that a reference follows are doubled too. */
static int end_literal(struct expansion *x, bool secret_follows, struct dr_error *err)
{
    if (!x->literal.len)
        return 0;
    dr_auto_free char *escaped = deploy_refs_escape(x->literal.data);
    if (dr_buf_add(&x->written, escaped, strlen(escaped), err) < 0)
        return -1;
    for (size_t i = x->literal.len; secret_follows && i > 0; i--)
        if (x->literal.data[i - 1] != '$')
            break;
        else if (dr_buf_add(&x->written, "$", 1, err) < 0)
            return -1;
    dr_buf_reset(&x->literal);
    return 0;
}

static int add_literal(struct expansion *x, const char *text, size_t len,
                       struct dr_error *err)
{
    return dr_buf_add(&x->value, text, len, err) < 0 ||
                   dr_buf_add(&x->literal, text, len, err) < 0
               ? -1
               : 0;
}

static int add_secret(struct expansion *x, const char *name, const char *value,
                      struct dr_error *err)
{
    return dr_buf_add(&x->value, value, strlen(value), err) < 0 ||
                   end_literal(x, true, err) < 0 ||
                   dr_buf_addf(&x->written, err, "$S:{%s}", name) < 0
               ? -1
               : 0;
}

static int expand(struct expansion *x, const struct deploy_sources *sources,
                  char *const *secrets, const char *text, struct dr_error *err)
{
    for (size_t n;;) {
        size_t len = plain_len(text, &n);
        if (add_literal(x, text, len, err) < 0)
            return -1;
        text += len;
        if (!n)
            return 0;
        for (size_t i = 0; i < n / 2; i++)
            if (add_literal(x, "$", 1, err) < 0)
                return -1;
        text += n;
        if (n % 2 == 0) { /* as it stands: no reference */
            if (add_literal(x, text, 2, err) < 0)
                return -1;
            text += 2;
            continue;
        }
        bool is_secret = *text == 'S';
        dr_auto_free char *name = NULL;
        size_t name_len = name_at(text + 2, &name);
        if (!name_len)
            return dr_fail(err, DR_ERR_CONFIG,
                           "$%c: needs a name behind it; '$%c:' itself is $$%c:", *text,
                           *text, *text);
        const char *found =
            is_secret ? secret(secrets, name) : deploy_environment(sources, name);
        if (!found)
            return missing(sources, name, is_secret, err);
        if (!dr_json_is_text(found))
            return dr_fail(err, DR_ERR_CONFIG, "$%c:%s: its value is not valid UTF-8",
                           *text, name);
        if (is_secret ? add_secret(x, name, found, err) < 0
                      : add_literal(x, found, strlen(found), err) < 0)
            return -1;
        text += 2 + name_len;
    }
}

int deploy_refs_expand(const struct deploy_sources *sources, char *const *secrets,
                       const char *text, char **ret_value, char **ret_written,
                       struct dr_error *err)
{
    size_t dollars;
    if (!text[plain_len(text, &dollars)]) { /* nearly all of them */
        *ret_value = dr_strdup(text);
        *ret_written = dr_strdup(text);
        return 0;
    }
    struct expansion x = {DR_BUF_INIT(VALUE_MAX), DR_BUF_INIT(2 * VALUE_MAX),
                          DR_BUF_INIT(VALUE_MAX)};
    int rc = expand(&x, sources, secrets, text, err);
    if (rc == 0)
        rc = end_literal(&x, false, err);
    if (rc == 0) {
        *ret_value = dr_buf_take(&x.value);
        *ret_written = dr_buf_take(&x.written);
    }
    dr_buf_release(&x.value);
    dr_buf_release(&x.written);
    dr_buf_release(&x.literal);
    return rc;
}

char *deploy_refs_escape(const char *text)
{
    size_t len = strlen(text);
    char *escaped = dr_alloc(2 * len + 1), *to = escaped;
    while (*text) {
        size_t n = dollars_of_a_reference(text);
        size_t copied = n ? n : *text == '$' ? strspn(text, "$") : 1;
        for (size_t i = 0; i < copied; i++) {
            *to++ = *text;
            if (n)
                *to++ = '$';
            text++;
        }
    }
    return escaped;
}
