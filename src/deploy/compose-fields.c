/* SPDX-License-Identifier: Apache-2.0 */
/* Forms of values, and the tables that say which members a map may have. */
#include <string.h>

#include "base/nearest.h"
#include "base/text.h"
#include "deploy/compose-internal.h"
#include "spec/table.h"

#define WARNINGS_MAX 200
#define ITEMS_MAX 10000 /* of one list: vectors are searched for their end each time */

void compose_warn(struct compose *c, const struct deploy_where *where, const char *fmt,
                  ...)
{
    if (dr_strv_len(c->model->warnings) >= WARNINGS_MAX)
        return;
    va_list ap;
    va_start(ap, fmt);
    dr_auto_free char *text = dr_vprintf(fmt, ap);
    va_end(ap);
    dr_auto_free char *file = dr_escape(where->file, 300), *safe = dr_escape(text, 600),
                      *line = dr_printf("%s:%u:%u: %s", file, where->line, where->column,
                                        safe);
    dr_strv_add(&c->model->warnings, line);
}

bool compose_is(struct compose *c, const struct deploy_value *value,
                enum deploy_type type, const char *what)
{
    if (value->type == type)
        return true;
    deploy_problem(c->problems, &value->where, "expected %s", what);
    return false;
}

const char *compose_text(struct compose *c, const struct deploy_value *value)
{
    return compose_is(c, value, DEPLOY_SCALAR, "a text") ? value->text : NULL;
}

bool compose_bool(struct compose *c, const struct deploy_value *value, bool *ret)
{
    static const char *const yes[] = {"true", "yes", "on", "y", "1"}, *const no[] = {
                                                                          "false", "no",
                                                                          "off", "n",
                                                                          "0"};
    if (value->type == DEPLOY_SCALAR)
        for (size_t i = 0; i < DR_COUNT(yes); i++)
            if (strcasecmp(value->text, yes[i]) == 0 ||
                strcasecmp(value->text, no[i]) == 0) {
                *ret = strcasecmp(value->text, yes[i]) == 0;
                return true;
            }
    deploy_problem(c->problems, &value->where, "expected true or false");
    return false;
}

bool compose_int(struct compose *c, const struct deploy_value *value, int64_t min,
                 int64_t max, int64_t *ret)
{
    if (value->type == DEPLOY_SCALAR && dr_int_parse(value->text, min, max, ret))
        return true;
    deploy_problem(c->problems, &value->where, "expected a number from %lld to %lld",
                   (long long)min, (long long)max);
    return false;
}

void compose_set(struct compose_service *s, const struct deploy_where *where,
                 const char *field, bool add, const char *value)
{
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    if (spec_field(s->spec, field, add, value, &err) == 0)
        return;
    /* the field's name is the spec's, not the file's, and the place says it anyway */
    size_t len = strlen(field);
    const char *text = strncmp(err.text, field, len) == 0 && err.text[len] == ':'
                           ? err.text + len + 2
                           : err.text;
    deploy_problem(s->c->problems, where, "%s", text);
}

bool compose_few(struct compose *c, const struct deploy_value *value)
{
    if (value->count <= ITEMS_MAX)
        return true;
    deploy_problem(c->problems, &value->where, "more than %d values", ITEMS_MAX);
    return false;
}

static void add_all(struct compose_service *s, const struct compose_field *field,
                    const struct deploy_value *value)
{
    if (!compose_is(s->c, value, DEPLOY_LIST, "a list") || !compose_few(s->c, value))
        return;
    for (size_t i = 0; i < value->count; i++) {
        const char *text = compose_text(s->c, value->items[i]);
        if (text)
            compose_set(s, &value->items[i]->where, field->field, true, text);
    }
}

static void add_pairs(struct compose_service *s, const struct compose_field *field,
                      const struct deploy_value *value)
{
    if (!compose_is(s->c, value, DEPLOY_MAP, "NAME: VALUE, or a list of NAME=VALUE") ||
        !compose_few(s->c, value))
        return;
    for (size_t i = 0; i < value->count; i++) {
        const struct deploy_value *item = value->items[i];
        if (item->type != DEPLOY_SCALAR && item->type != DEPLOY_NULL) {
            deploy_problem(s->c->problems, &item->where, "expected a text");
            continue;
        }
        dr_auto_free char *pair =
            dr_printf("%s=%s", value->keys[i], item->text ? item->text : "");
        compose_set(s, &value->key_where[i], field->field, true, pair);
    }
}

static void one(struct compose_service *s, const struct compose_field *field,
                const struct deploy_value *value, const struct deploy_where *key)
{
    struct compose *c = s->c;
    bool flag;
    if (field->kind == COMPOSE_NOTED) {
        compose_warn(c, key, "%s: %s", field->name, field->why);
        return;
    }
    if (field->kind == COMPOSE_REFUSED) {
        deploy_problem(c->problems, key, "%s: %s", field->name, field->why);
        return;
    }
    if (value->type == DEPLOY_NULL && field->kind != COMPOSE_NULL)
        return;
    switch (field->kind) {
    case COMPOSE_SET:
        if (compose_text(c, value))
            compose_set(s, &value->where, field->field, false, value->text);
        break;
    case COMPOSE_FLAG:
        if (compose_bool(c, value, &flag))
            compose_set(s, &value->where, field->field, false, flag ? "true" : "false");
        break;
    case COMPOSE_ADD:
        add_all(s, field, value);
        break;
    case COMPOSE_PAIRS:
        add_pairs(s, field, value);
        break;
    case COMPOSE_READ:
    case COMPOSE_NULL:
        field->read(s, value);
        break;
    case COMPOSE_ELSEWHERE:
    case COMPOSE_NOTED:
    case COMPOSE_REFUSED:
        break;
    }
}

static const char *next_name(void *state)
{
    const struct compose_field **field = state;
    return (*field)->name ? (*field)++->name : NULL;
}

static void unknown(struct compose *c, const char *key, const struct deploy_where *where,
                    const struct compose_field *table, const char *of)
{
    const struct compose_field *names = table;
    const char *near = dr_nearest(key, next_name, &names);
    dr_auto_free char *safe = dr_escape(key, 60);
    deploy_problem(c->problems, where, "%s has no field '%s'%s%s%s", of, safe,
                   near ? "; did you mean '" : "", near ? near : "", near ? "'?" : "");
}

void compose_fields(struct compose_service *s, const struct deploy_value *map,
                    const struct compose_field *table, const char *of)
{
    if (!compose_is(s->c, map, DEPLOY_MAP, "a mapping"))
        return;
    for (size_t i = 0; i < map->count; i++) {
        const struct compose_field *field = table;
        while (field->name && strcmp(field->name, map->keys[i]) != 0)
            field++;
        if (field->name)
            one(s, field, map->items[i], &map->key_where[i]);
        else
            unknown(s->c, map->keys[i], &map->key_where[i], table, of);
    }
}
