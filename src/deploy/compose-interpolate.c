/* SPDX-License-Identifier: Apache-2.0 */
#include "deploy/compose-interpolate.h"

#include <string.h>

#include "base/buf.h"
#include "base/text.h"

/* Of defaults in defaults. */
#define NESTED_MAX 32

struct reader {
    const struct compose_interpolation *how;
    const char *p;
    struct dr_buf *out;
    unsigned nested;
    struct dr_error *err;
};

static bool starts_name(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static size_t name_len(const char *p)
{
    size_t len = 0;
    if (!starts_name(*p))
        return 0;
    while (starts_name(p[len]) || (p[len] >= '0' && p[len] <= '9'))
        len++;
    return len;
}

static int bad_form(struct reader *r, const char *at)
{
    dr_auto_free char *near = dr_escape(at, 30);
    return dr_fail(r->err, DR_ERR_CONFIG,
                   "'%s': behind '$' comes NAME, {NAME}, or one of {NAME:-DEFAULT}, "
                   "{NAME-DEFAULT}, {NAME:?ERROR}, {NAME?ERROR}, {NAME:+OTHER}, "
                   "{NAME+OTHER}; a '$' of its own is written '$$'",
                   near);
}

static int put(struct reader *r, const char *text, size_t len)
{
    return r->out ? dr_buf_add(r->out, text, len, r->err) : 0;
}

static int words(struct reader *r, bool braced);

/* What is behind the op, up to its brace; thrown away unless wanted. */
static int alternative(struct reader *r, bool wanted)
{
    struct dr_buf *out = r->out;
    if (!wanted)
        r->out = NULL;
    int rc = words(r, true);
    r->out = out;
    return rc;
}

static int missing(struct reader *r, const char *name)
{
    dr_auto_buf struct dr_buf why = DR_BUF_INIT(DR_ERROR_TEXT_MAX);
    struct dr_buf *out = r->out;
    r->out = &why;
    int rc = words(r, true);
    r->out = out;
    if (rc < 0)
        return -1;
    dr_auto_free char *safe = dr_escape(why.len ? why.data : "", 400);
    return dr_fail(r->err, DR_ERR_CONFIG, "the variable %s must be set%s%s", name,
                   *safe ? ": " : "", safe);
}

static const char *value_of(struct reader *r, const char *name)
{
    return r->how->get(r->how->state, name);
}

/* p is behind the opening brace. */
static int braced_variable(struct reader *r)
{
    const char *start = r->p - 2;
    size_t len = name_len(r->p);
    if (!len)
        return bad_form(r, start);
    dr_auto_free char *name = dr_strndup(r->p, len);
    r->p += len;
    bool colon = *r->p == ':';
    char op = r->p[colon];
    if (!colon && op == '}') {
        op = 0;
    } else if (!op || !strchr("-?+", op)) {
        return bad_form(r, start);
    }
    if (++r->nested > NESTED_MAX)
        return dr_fail(r->err, DR_ERR_CONFIG, "variables are nested too deep");
    if (op)
        r->p += colon + 1;
    /* nothing is asked for in a branch that is not taken: its variables may be unset */
    const char *value = r->out ? value_of(r, name) : "";
    bool has = value && (!colon || *value);
    dr_auto_free char *kept = dr_strdup(value);
    int rc = 0;
    if (op == '+') {
        rc = alternative(r, has);
    } else {
        if (has && kept)
            rc = put(r, kept, strlen(kept));
        else if (!op && r->out && r->how->unset)
            r->how->unset(r->how->state, name);
        if (rc == 0 && op == '?' && !has && r->out)
            rc = missing(r, name);
        else if (rc == 0 && op)
            rc = alternative(r, !has);
    }
    if (rc < 0)
        return -1;
    if (*r->p != '}')
        return bad_form(r, start);
    r->p++;
    r->nested--;
    return 0;
}

static int plain_variable(struct reader *r, size_t len)
{
    dr_auto_free char *name = dr_strndup(r->p, len);
    r->p += len;
    if (!r->out)
        return 0;
    const char *value = value_of(r, name);
    if (value)
        return put(r, value, strlen(value));
    if (r->how->unset)
        r->how->unset(r->how->state, name);
    return 0;
}

/* To the end, or, in braces, to the '}' that closes them: others close a variable in
 * there, also one that "$$" makes a text of. */
static int words(struct reader *r, bool braced)
{
    unsigned texts = 0;
    while (*r->p && !(braced && *r->p == '}' && !texts)) {
        size_t len = strcspn(r->p, braced ? "$}" : "$");
        if (!len && *r->p == '}') {
            len = 1;
            texts--;
        }
        if (len) {
            if (put(r, r->p, len) < 0)
                return -1;
            r->p += len;
            continue;
        }
        r->p++; /* the '$' */
        size_t name = name_len(r->p);
        int rc;
        if (*r->p == '$') {
            r->p++;
            texts += braced && *r->p == '{';
            rc = put(r, "$", 1);
        } else if (*r->p == '{') {
            r->p++;
            rc = braced_variable(r);
        } else {
            rc = name ? plain_variable(r, name) : bad_form(r, r->p - 1);
        }
        if (rc < 0)
            return -1;
    }
    return 0;
}

int compose_interpolate(const struct compose_interpolation *how, const char *text,
                        size_t max, char **ret, struct dr_error *err)
{
    dr_auto_buf struct dr_buf out = DR_BUF_INIT(max);
    struct reader r = {.how = how, .p = text, .out = &out, .err = err};
    if (words(&r, false) < 0)
        return -1;
    *ret = dr_buf_take(&out);
    return 0;
}

/* --- trees --- */

#define WARNED_MAX 100 /* variables */

struct walk {
    const struct compose_env *env;
    struct deploy_problems *problems;
    char ***warnings;
    json_t *warned;
    const struct deploy_where *where;
    size_t left;
};

static const char *get(void *state, const char *name)
{
    const struct walk *w = state;
    return compose_env_get(w->env, name);
}

static void unset(void *state, const char *name)
{
    struct walk *w = state;
    if (json_object_get(w->warned, name) || json_object_size(w->warned) == WARNED_MAX)
        return;
    json_object_set_new(w->warned, name, json_true());
    dr_auto_free char *file = dr_escape(w->where->file, 300);
    dr_auto_free char *text =
        dr_printf("%s:%u:%u: the variable %s is not set: nothing is put in for it", file,
                  w->where->line, w->where->column, name);
    dr_strv_add(w->warnings, text);
}

static void one(struct walk *w, struct deploy_value *value)
{
    if (!value->text || !strchr(value->text, '$'))
        return;
    const struct compose_interpolation how = {get, unset, w};
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    char *text;
    w->where = &value->where;
    size_t max = w->left < DEPLOY_SCALAR_MAX ? w->left : DEPLOY_SCALAR_MAX;
    if (compose_interpolate(&how, value->text, max, &text, &err) < 0) {
        if (err.kind == DR_ERR_CONFIG)
            deploy_problem_error(w->problems, &value->where, &err);
        else
            deploy_problem(w->problems, &value->where,
                           "with its variables this text is too long");
        /* half a text is no error of its own: nothing, but not as if nobody had said
         * anything */
        free(value->text);
        value->text = NULL;
        value->type = DEPLOY_NULL;
        value->quoted = true;
        return;
    }
    w->left -= strlen(text);
    free(value->text);
    value->text = text;
}

static void walk(struct walk *w, struct deploy_value *value)
{
    one(w, value);
    for (size_t i = 0; i < value->count; i++)
        walk(w, value->items[i]);
}

void compose_interpolate_tree(struct deploy_value *tree, const struct compose_env *env,
                              struct deploy_problems *problems, char ***warnings)
{
    dr_auto_json json_t *warned = json_object();
    struct walk w = {.env = env,
                     .problems = problems,
                     .warnings = warnings,
                     .warned = warned,
                     .left = COMPOSE_INTERPOLATED_MAX};
    walk(&w, tree);
}
