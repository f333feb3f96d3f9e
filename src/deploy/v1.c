/* SPDX-License-Identifier: Apache-2.0 */
/* Reading a tree by the table: forms, unknown names, and who takes what. */
#include "deploy/v1.h"

#include <stdarg.h>
#include <string.h>

#include "base/buf.h"
#include "base/nearest.h"
#include "base/text.h"
#include "deploy/refs.h"
#include "spec/table.h"

#define PATH_MAX_BYTES 300

/* --- problems --- */

static void add_path(struct dr_buf *buf, const struct v1_step *step)
{
    dr_auto_error struct dr_error err = DR_ERROR_INIT; /* a longer path is cut */
    if (!step)
        return;
    add_path(buf, step->up);
    dr_auto_free char *safe = dr_escape(step->name ? step->name : "", 80);
    if (step->name)
        dr_buf_addf(buf, &err, "%s%s", buf->len ? "." : "", safe);
    else
        dr_buf_addf(buf, &err, "[%zu]", step->index);
}

void v1_problem(struct v1 *r, const struct deploy_where *where, const char *fmt, ...)
{
    dr_auto_buf struct dr_buf path = DR_BUF_INIT(PATH_MAX_BYTES);
    if (deploy_problems_full(r->problems)) {
        deploy_problem(r->problems, where, "more");
        return;
    }
    va_list ap;
    va_start(ap, fmt);
    dr_auto_free char *text = dr_vprintf(fmt, ap);
    va_end(ap);
    add_path(&path, r->step);
    deploy_problem(r->problems, where, "%s%s%s", path.len ? path.data : "",
                   path.len ? ": " : "", text);
}

void v1_problem_error(struct v1 *r, const struct deploy_where *where,
                      struct dr_error *found)
{
    v1_problem(r, where, "%s", found->text);
    dr_error_release(found);
}

static const char *next_field(void *state)
{
    const struct v1_field **field = state;
    while ((*field)->name && (*field)->refused)
        (*field)++;
    return (*field)->name ? (*field)++->name : NULL;
}

static void unknown(struct v1 *r, const struct v1_field *members, const char *key,
                    const struct deploy_where *where)
{
    dr_auto_free char *safe = dr_escape(key, 80);
    const struct v1_field *field = members;
    const char *near =
        deploy_problems_full(r->problems) ? NULL : dr_nearest(key, next_field, &field);
    v1_problem(r, where, "there is no field '%s'%s%s%s", safe,
               near ? "; did you mean '" : "", near ? near : "", near ? "'?" : "");
}

/* --- forms --- */

static char *choices_text(const struct v1_field *f)
{
    char *text = NULL;
    for (size_t i = 0; f->choices[i]; i++) {
        const char *between = i == 0 ? "" : f->choices[i + 1] ? ", " : " or ";
        char *more = dr_printf("%s%s%s", text ? text : "", between, f->choices[i]);
        free(text);
        text = more;
    }
    return text;
}

static char *members_text(const struct v1_field *members)
{
    char *text = NULL;
    for (const struct v1_field *m = members; m->name; m++) {
        if (m->refused)
            continue;
        char *more = dr_printf("%s%s%s", text ? text : "", text ? ", " : "", m->name);
        free(text);
        text = more;
    }
    return text;
}

static char *scalar_text(const struct v1_field *f)
{
    switch (f->scalar) {
    case V1_NO_SCALAR:
        return NULL;
    case V1_TEXT:
    case V1_WORD:
        return dr_strdup("a text");
    case V1_BOOL:
        return dr_strdup("true or false, without quotes");
    case V1_NUMBER:
        return dr_printf("a number from %lld to %lld", (long long)f->min,
                         (long long)f->max);
    case V1_SIZE:
        return dr_strdup("a size, such as 512Mi or 2Gi");
    case V1_DURATION:
        return dr_strdup("a duration, such as 10s or 1m30s");
    case V1_CPU:
        return dr_strdup("a number of CPUs, such as 0.5 or 500m");
    case V1_CHOICE:
        return choices_text(f);
    }
    return NULL;
}

static char *expected_text(const struct v1_field *f)
{
    dr_auto_free char *scalar = scalar_text(f);
    dr_auto_free char *members = f->members ? members_text(f->members) : NULL;
    dr_auto_free char *map = members     ? dr_printf("a mapping of %s", members)
                             : f->values ? dr_strdup("a mapping")
                                         : NULL;
    const char *list = f->items ? "a list" : NULL;
    const char *parts[3] = {""};
    size_t n = 0;
    if (scalar)
        parts[n++] = scalar;
    if (list)
        parts[n++] = list;
    if (map)
        parts[n++] = map;
    return n == 1   ? dr_strdup(parts[0])
           : n == 2 ? dr_printf("%s, or %s", parts[0], parts[1])
                    : dr_printf("%s, %s, or %s", parts[0], parts[1], parts[2]);
}

static void expected(struct v1 *r, const struct v1_field *f, const struct deploy_value *v)
{
    static const char *const forms[] = {"nothing", NULL, "a list", "a mapping"};
    dr_auto_free char *what = expected_text(f);
    if (v->type != DEPLOY_SCALAR) {
        v1_problem(r, &v->where, "expected %s; this is %s", what, forms[v->type]);
        return;
    }
    dr_auto_free char *safe = dr_escape(v->text, 100);
    v1_problem(r, &v->where, "'%s': expected %s%s", safe, what,
               f->scalar == V1_TEXT ? " (in quotes, if it is meant as one)" : "");
}

static bool is_bool(const struct deploy_value *v)
{
    return !v->quoted && (strcmp(v->text, "true") == 0 || strcmp(v->text, "false") == 0);
}

/* Those that are written with a unit. */
static bool unit_fits(enum v1_scalar kind, const char *text)
{
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    dr_auto_free char *cpus = NULL;
    int64_t n;
    return (kind == V1_SIZE       ? dr_size_parse(text, &n, &err)
            : kind == V1_DURATION ? dr_duration_parse(text, &n, &err)
                                  : v1_cpu_parse(text, &cpus, &err)) == 0;
}

static bool scalar_fits(const struct v1_field *f, const struct deploy_value *v)
{
    int64_t n;
    switch (f->scalar) {
    case V1_NO_SCALAR:
        return false;
    case V1_WORD:
        return true;
    case V1_TEXT:
        return !is_bool(v);
    case V1_BOOL:
        return is_bool(v);
    case V1_NUMBER:
        return !v->quoted && dr_int_parse(v->text, f->min, f->max, &n);
    case V1_SIZE:
    case V1_DURATION:
    case V1_CPU:
        return unit_fits(f->scalar, v->text);
    case V1_CHOICE:
        for (size_t i = 0; f->choices[i]; i++)
            if (strcmp(f->choices[i], v->text) == 0)
                return true;
        return false;
    }
    return false;
}

/* --- reading --- */

/* Where a field goes that is a field of the spec too. */
static void to_spec(struct v1 *r, const struct v1_field *f, const struct deploy_value *v)
{
    if (v->type == DEPLOY_SCALAR) {
        v1_set(r, f->spec, f->add, v->text, &v->where);
        return;
    }
    for (size_t i = 0; i < v->count; i++) {
        const struct deploy_value *item = v->items[i];
        if (item->type != DEPLOY_SCALAR)
            continue;
        dr_auto_free char *pair =
            v->type == DEPLOY_MAP ? dr_printf("%s=%s", v->keys[i], item->text) : NULL;
        struct v1_step step = {r->step, v->type == DEPLOY_MAP ? v->keys[i] : NULL, i};
        r->step = &step;
        v1_set(r, f->spec, true, pair ? pair : item->text, &item->where);
        r->step = step.up;
    }
}

static void read_at(struct v1 *r, const char *name, size_t index,
                    const struct v1_field *f, const struct deploy_value *v)
{
    struct v1_step step = {r->step, name, index};
    r->step = &step;
    v1_read(r, f, v);
    r->step = step.up;
}

static const struct v1_field *find(const struct v1_field *members, const char *name)
{
    for (; members->name; members++)
        if (strcmp(members->name, name) == 0)
            return members;
    return NULL;
}

/* In the table's order, whatever the file's: what comes first is known to what follows.
 */
static void read_members(struct v1 *r, const struct v1_field *f,
                         const struct deploy_value *v)
{
    for (const struct v1_field *m = f->members; m->name; m++) {
        const struct deploy_value *value = deploy_value_get(v, m->name);
        if (value)
            read_at(r, m->name, 0, m, value);
        else if (m->required)
            v1_problem(r, &v->where, "'%s' is missing", m->name);
    }
    for (size_t i = 0; i < v->count; i++)
        if (!find(f->members, v->keys[i]) &&
            !(f == &v1_file && strncmp(v->keys[i], "x-", 2) == 0))
            unknown(r, f->members, v->keys[i], &v->key_where[i]);
}

static bool few_enough(struct v1 *r, const struct v1_field *f,
                       const struct deploy_value *v)
{
    size_t most = f->most ? f->most : V1_ITEMS_MAX;
    if (v->count <= most)
        return true;
    v1_problem(r, &v->where, "there are %zu of them; at most %zu can be", v->count, most);
    return false;
}

bool v1_may_be_nothing(const struct v1_field *f)
{
    for (const struct v1_field *m = f->members; m && m->name; m++)
        if (m->required)
            return false;
    return f->nothing || f->items || f->members || f->values;
}

/* Whether it has one of the field's forms; its parts are read. */
static bool read_parts(struct v1 *r, const struct v1_field *f,
                       const struct deploy_value *v)
{
    switch (v->type) {
    case DEPLOY_NULL:
        return v1_may_be_nothing(f);
    case DEPLOY_SCALAR:
        return scalar_fits(f, v);
    case DEPLOY_LIST:
        if (!f->items)
            return false;
        for (size_t i = 0; few_enough(r, f, v) && i < v->count; i++)
            read_at(r, NULL, i, f->items, v->items[i]);
        return true;
    case DEPLOY_MAP:
        if (f->members)
            read_members(r, f, v);
        else if (f->values)
            for (size_t i = 0; few_enough(r, f, v) && i < v->count; i++)
                read_at(r, v->keys[i], 0, f->values, v->items[i]);
        return f->members || f->values;
    }
    return false;
}

void v1_read(struct v1 *r, const struct v1_field *f, const struct deploy_value *v)
{
    if (f->refused) {
        v1_problem(r, &v->where, "this is understood, but %s", f->refused);
        return;
    }
    if (v->tag && strncmp(v->tag, "tag:yaml.org,2002:", 18) != 0) {
        dr_auto_free char *tag = dr_escape(v->tag, 60);
        v1_problem(r, &v->where, "the tag '%s' means nothing here", tag);
        return;
    }
    size_t before = r->problems->count + r->problems->more;
    if (f->begin)
        f->begin(r, v);
    if (!read_parts(r, f, v)) {
        expected(r, f, v);
        return;
    }
    if (before != r->problems->count + r->problems->more)
        return; /* who takes it need not look again */
    if (f->spec && (v->type == DEPLOY_SCALAR || v->type == DEPLOY_LIST ||
                    (v->type == DEPLOY_MAP && f->values)))
        to_spec(r, f, v);
    if (f->take)
        f->take(r, v);
}

/* --- for those who take --- */

void v1_set(struct v1 *r, const char *field, bool add, const char *value,
            const struct deploy_where *where)
{
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    if (spec_field(r->service->spec, field, add, value, &err) == 0)
        return;
    /* here it has another name, which the path ends with */
    size_t len = strlen(field);
    bool named =
        strncmp(err.text, field, len) == 0 && strncmp(err.text + len, ": ", 2) == 0;
    v1_problem(r, where, "%s", err.text + (named ? len + 2 : 0));
}

const char *v1_text(const struct deploy_value *map, const char *key)
{
    const struct deploy_value *value = deploy_value_get(map, key);
    return value && value->type == DEPLOY_SCALAR ? value->text : NULL;
}

bool v1_true(const struct deploy_value *map, const char *key)
{
    const char *text = v1_text(map, key);
    return text && strcmp(text, "true") == 0;
}

/* --- a file --- */

static int read_file(struct v1 *r, const struct deploy_value *root, struct dr_error *err)
{
    const struct deploy_sources *sources = r->in->sources;
    if (sources->secrets_file &&
        deploy_secrets_read(sources->secrets_file, &r->secrets, err) < 0)
        return -1;
    const struct deploy_value *name = deploy_value_get(root, "deployment");
    r->model->name = sources->name ? dr_strdup(sources->name)
                     : name && name->type == DEPLOY_SCALAR
                         ? dr_strdup(name->text)
                         : deploy_directory_name(r->in->directory);
    if (!r->model->name) {
        deploy_problem(r->problems, &root->where,
                       "'deployment' is missing: it is the name of the whole");
        r->model->name = dr_strdup("unnamed");
    }
    r->networks = deploy_value_get(root, "networks");
    r->volumes = deploy_value_get(root, "volumes");
    v1_read(r, &v1_file, root);
    return 0;
}

int deploy_v1_read(const struct deploy_input *input, struct deploy_model *model,
                   struct dr_error *err)
{
    struct v1 r = {.in = input, .problems = input->problems, .model = model};
    if (input->count > 1) {
        struct deploy_where where = {model->file_names[1], 1, 1};
        deploy_problem(
            input->problems, &where,
            "several files make one deployment only when all are Compose files");
        return 0;
    }
    int rc = read_file(&r, input->roots[0], err);
    dr_strv_free(r.secrets);
    return rc;
}
