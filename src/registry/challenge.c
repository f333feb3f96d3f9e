/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/challenge.h"

#include <string.h>
#include <strings.h>

struct reader {
    const char *start, *p;
};

static bool is_tchar(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           (c && strchr("!#$%&'*+-.^_`|~", c));
}

static void skip_blanks(struct reader *r)
{
    r->p += strspn(r->p, " \t");
}

static size_t token_len(const char *p)
{
    size_t n = 0;
    while (is_tchar(p[n]))
        n++;
    return n;
}

static int bad(const struct reader *r, struct dr_error *err)
{
    return dr_fail(err, DR_ERR_FORMAT,
                   "the registry's WWW-Authenticate header is malformed at offset %zu",
                   (size_t)(r->p - r->start));
}

/* token or quoted-string, unquoted; owned. NULL when it is neither. */
static char *read_value(struct reader *r)
{
    if (*r->p != '"') {
        size_t n = token_len(r->p);
        char *value = n ? dr_strndup(r->p, n) : NULL;
        r->p += n;
        return value;
    }
    const char *p = r->p + 1;
    char *value = dr_alloc(strlen(p) + 1);
    for (size_t n = 0; *p; p++) {
        if (*p == '"') {
            r->p = p + 1;
            return value;
        }
        if (*p == '\\' && p[1])
            p++;
        if ((unsigned char)*p < 0x20 || *p == 0x7f)
            break; /* a line break in here would be a header of its own later */
        value[n++] = *p;
    }
    free(value);
    return NULL;
}

/* Does a token and "=" (with blanks around) and a value start here? What else may follow
 * a comma is the scheme of the next challenge. */
static bool at_param(const char *p)
{
    size_t n = token_len(p);
    if (n == 0)
        return false;
    p += n;
    p += strspn(p, " \t");
    return *p == '=';
}

static int read_param(struct reader *r, struct challenge *c, struct dr_error *err)
{
    size_t n = token_len(r->p);
    const char *name = r->p;
    r->p += n;
    skip_blanks(r);
    r->p++; /* '=', at_param saw it */
    skip_blanks(r);
    char *value = read_value(r);
    if (!value)
        return bad(r, err);
    struct {
        const char *name;
        char **to;
    } known[] = {{"realm", &c->realm}, {"service", &c->service}, {"scope", &c->scope}};
    for (size_t i = 0; i < DR_COUNT(known); i++)
        if (strlen(known[i].name) == n && strncasecmp(known[i].name, name, n) == 0) {
            if (*known[i].to) {
                free(value);
                r->p = name;
                return bad(r, err);
            }
            *known[i].to = value;
            return 0;
        }
    free(value);
    return 0;
}

/* token68: letters, digits, -._~+/ and '=' at its end; then a comma or the end. */
static bool skip_token68(struct reader *r)
{
    const char *p = r->p;
    while (is_tchar(*p) || *p == '/')
        p++;
    p += strspn(p, "=");
    p += strspn(p, " \t");
    if (p == r->p || (*p && *p != ','))
        return false;
    r->p = p;
    return true;
}

/* One challenge behind its scheme: parameters separated by commas, up to the comma behind
 * which another scheme stands. */
static int read_params(struct reader *r, struct challenge *c, struct dr_error *err)
{
    for (;;) {
        if (read_param(r, c, err) < 0)
            return -1;
        skip_blanks(r);
        if (!*r->p)
            return 0;
        if (*r->p != ',')
            return bad(r, err);
        struct reader ahead = *r;
        ahead.p += strspn(ahead.p, ", \t");
        if (!at_param(ahead.p))
            return 0;
        *r = ahead;
    }
}

int challenge_parse(const char *header, struct challenge *ret_challenge,
                    struct dr_error *err)
{
    struct reader r = {header, header};
    dr_auto_challenge struct challenge result = {0};
    if (strlen(header) > CHALLENGE_HEADER_MAX)
        return dr_fail(err, DR_ERR_FORMAT,
                       "the registry's WWW-Authenticate header is longer than %d bytes",
                       CHALLENGE_HEADER_MAX);
    for (;;) {
        r.p += strspn(r.p, ", \t"); /* empty list elements are legal */
        if (!*r.p)
            break;
        size_t n = token_len(r.p);
        if (n == 0)
            return bad(&r, err);
        bool bearer = n == 6 && strncasecmp(r.p, "Bearer", n) == 0;
        bool basic = n == 5 && strncasecmp(r.p, "Basic", n) == 0;
        r.p += n;
        dr_auto_challenge struct challenge one = {0};
        if (*r.p && *r.p != ',' && *r.p != ' ' && *r.p != '\t')
            return bad(&r, err);
        skip_blanks(&r);
        if (at_param(r.p) && !skip_token68(&r)) {
            if (read_params(&r, &one, err) < 0)
                return -1;
        } else if (*r.p && *r.p != ',' && !skip_token68(&r)) {
            return bad(&r, err);
        }
        result.basic = result.basic || basic;
        if (bearer && one.realm && !result.bearer) {
            result.bearer = true;
            result.realm = DR_TAKE(one.realm);
            result.service = DR_TAKE(one.service);
            result.scope = DR_TAKE(one.scope);
        }
    }
    *ret_challenge = result;
    result = (struct challenge){0};
    return 0;
}

void challenge_release(struct challenge *challenge)
{
    free(challenge->realm);
    free(challenge->service);
    free(challenge->scope);
    *challenge = (struct challenge){0};
}
