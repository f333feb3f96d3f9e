/* SPDX-License-Identifier: Apache-2.0 */
/* From libyaml's events to a tree, within limits. */
#include <string.h>
#include <yaml.h>

#include "base/text.h"
#include "deploy/value.h"

#define ANCHORS_MAX 1000

struct anchor {
    char *name;
    struct deploy_value *value; /* borrowed: a part of the tree that is there already */
    size_t values;              /* in it */
};

struct loader {
    yaml_parser_t parser;
    const char *name;
    size_t values; /* so far */
    struct anchor *anchors;
    size_t anchor_count;
    struct dr_error *err;
};

static int fail(struct loader *l, const yaml_mark_t *mark, const char *text)
{
    dr_auto_free char *file = dr_escape(l->name, 300);
    return dr_fail(l->err, DR_ERR_CONFIG, "%s:%zu:%zu: %s", file, mark->line + 1,
                   mark->column + 1, text);
}

/* BEFORE 'NAME' BEHIND */
static int fail_name(struct loader *l, const struct deploy_where *where,
                     const char *before, const char *name, const char *behind)
{
    dr_auto_free char *safe = dr_escape(name, 100);
    dr_auto_free char *file = dr_escape(l->name, 300);
    return dr_fail(l->err, DR_ERR_CONFIG, "%s:%u:%u: %s'%s'%s", file, where->line,
                   where->column, before, safe, behind);
}

static struct deploy_where place(const struct loader *l, const yaml_mark_t *mark)
{
    return (struct deploy_where){l->name, (uint32_t)mark->line + 1,
                                 (uint32_t)mark->column + 1};
}

static int next(struct loader *l, yaml_event_t *ret)
{
    if (yaml_parser_parse(&l->parser, ret))
        return 0;
    const yaml_mark_t *mark =
        l->parser.error == YAML_READER_ERROR ? &l->parser.mark : &l->parser.problem_mark;
    return fail(l, mark, l->parser.problem ? l->parser.problem : "this is no YAML");
}

static int count(struct loader *l, const yaml_mark_t *mark, size_t more)
{
    l->values += more;
    return l->values <= DEPLOY_VALUES_MAX
               ? 0
               : fail(l, mark,
                      "there are more values than a deployment can have "
                      "(aliases count each time)");
}

static int remember(struct loader *l, const yaml_mark_t *mark, const yaml_char_t *name,
                    struct deploy_value *value, size_t values)
{
    if (!name)
        return 0;
    for (size_t i = 0; i < l->anchor_count; i++)
        if (strcmp(l->anchors[i].name, (const char *)name) == 0) {
            l->anchors[i].value = value;
            l->anchors[i].values = values;
            return 0;
        }
    if (l->anchor_count == ANCHORS_MAX)
        return fail(l, mark, "there are more than 1000 anchors");
    l->anchors = dr_realloc(l->anchors, (l->anchor_count + 1) * sizeof *l->anchors);
    l->anchors[l->anchor_count++] =
        (struct anchor){dr_strdup((const char *)name), value, values};
    return 0;
}

static struct deploy_value *scalar(struct loader *l, const yaml_event_t *event)
{
    const char *text = (const char *)event->data.scalar.value;
    bool plain = event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
    bool null = plain && (!*text || strcmp(text, "~") == 0 || strcmp(text, "null") == 0);
    if (event->data.scalar.length > DEPLOY_SCALAR_MAX) {
        fail(l, &event->start_mark, "this text is too long: at most 256 KiB");
        return NULL;
    }
    /* a long text counts for several values: aliases copy it */
    if (count(l, &event->start_mark, event->data.scalar.length / 64) < 0)
        return NULL;
    if (strlen(text) != event->data.scalar.length) {
        fail(l, &event->start_mark, "a text cannot hold a NUL");
        return NULL;
    }
    struct deploy_where where = place(l, &event->start_mark);
    struct deploy_value *value =
        deploy_value_new(null ? DEPLOY_NULL : DEPLOY_SCALAR, null ? NULL : text, &where);
    value->quoted = !plain;
    return value;
}

static struct deploy_value *alias(struct loader *l, const yaml_event_t *event)
{
    const char *name = (const char *)event->data.alias.anchor;
    struct deploy_where where = place(l, &event->start_mark);
    for (size_t i = 0; i < l->anchor_count; i++) {
        if (strcmp(l->anchors[i].name, name) != 0)
            continue;
        if (!l->anchors[i].value) {
            fail_name(l, &where, "the value of ", name, " would hold itself");
            return NULL;
        }
        if (count(l, &event->start_mark, l->anchors[i].values) < 0)
            return NULL;
        return deploy_value_copy(l->anchors[i].value);
    }
    fail_name(l, &where, "there is no anchor ", name, " before this");
    return NULL;
}

/* "<<": the members of one mapping, or of several: those that come first win, and the
 * mapping's own win over all. */
static int put_in(struct loader *l, struct deploy_value *map,
                  const struct deploy_value *from)
{
    static const char what[] = " takes mappings (an alias of one, or a list of them)";
    if (from->type == DEPLOY_LIST) {
        for (size_t i = 0; i < from->count; i++)
            if (from->items[i]->type != DEPLOY_MAP)
                return fail_name(l, &from->items[i]->where, "", "<<", what);
            else if (put_in(l, map, from->items[i]) < 0)
                return -1;
        return 0;
    }
    if (from->type != DEPLOY_MAP)
        return fail_name(l, &from->where, "", "<<", what);
    for (size_t i = 0; i < from->count; i++)
        if (!deploy_value_get(map, from->keys[i]))
            deploy_value_set(map, from->keys[i], &from->key_where[i],
                             deploy_value_copy(from->items[i]));
    return 0;
}

struct key_at {
    const char *key;
    const struct deploy_where *where;
};

static int by_key(const void *a, const void *b)
{
    const struct key_at *x = a, *y = b;
    int order = strcmp(x->key, y->key);
    if (order)
        return order;
    if (x->where->line != y->where->line)
        return x->where->line < y->where->line ? -1 : 1;
    return x->where->column < y->where->column ? -1 : 1;
}

/* By sorting: a mapping may have many members. */
static int check_twice(struct loader *l, const struct deploy_value *map)
{
    if (map->count < 2)
        return 0;
    dr_auto_free struct key_at *all = dr_alloc(map->count * sizeof *all);
    for (size_t i = 0; i < map->count; i++)
        all[i] = (struct key_at){map->keys[i], &map->key_where[i]};
    qsort(all, map->count, sizeof *all, by_key);
    for (size_t i = 1; i < map->count; i++)
        if (strcmp(all[i - 1].key, all[i].key) == 0)
            return fail_name(l, all[i].where, "", all[i].key, " is there a second time");
    return 0;
}

static struct deploy_value *node(struct loader *l, yaml_event_t *event, unsigned depth);

/* The children up to the end event. */
static int children(struct loader *l, struct deploy_value *parent, unsigned depth)
{
    bool map = parent->type == DEPLOY_MAP;
    struct deploy_value *merge = NULL;
    int rc = -1;
    for (;;) {
        yaml_event_t event;
        dr_auto_free char *key = NULL;
        if (next(l, &event) < 0)
            break;
        if (event.type == YAML_MAPPING_END_EVENT ||
            event.type == YAML_SEQUENCE_END_EVENT) {
            yaml_event_delete(&event);
            rc = 0;
            break;
        }
        struct deploy_where where = place(l, &event.start_mark);
        if (map) {
            bool word =
                event.type == YAML_SCALAR_EVENT &&
                event.data.scalar.length <= DEPLOY_SCALAR_MAX &&
                strlen((char *)event.data.scalar.value) == event.data.scalar.length;
            if (word)
                key = dr_strdup((char *)event.data.scalar.value);
            else
                fail(l, &event.start_mark, "a key must be a word");
            yaml_event_delete(&event);
            if (!word || next(l, &event) < 0)
                break;
        }
        struct deploy_value *child = node(l, &event, depth + 1);
        yaml_event_delete(&event);
        if (!child)
            break;
        if (!map) {
            deploy_value_append(parent, child);
        } else if (strcmp(key, "<<") == 0 && !merge) {
            merge = child;
        } else {
            /* as deploy_value_set, which would look for the key each time */
            dr_auto_free char *unique = DR_TAKE(key);
            deploy_value_append(parent, child);
            parent->keys[parent->count - 1] = DR_TAKE(unique);
            parent->key_where[parent->count - 1] = where;
        }
    }
    if (rc == 0 && map)
        rc = check_twice(l, parent);
    if (rc == 0 && merge)
        rc = put_in(l, parent, merge);
    deploy_value_free(merge);
    return rc;
}

static struct deploy_value *node(struct loader *l, yaml_event_t *event, unsigned depth)
{
    const yaml_char_t *anchor = NULL, *tag = NULL;
    struct deploy_value *value = NULL;
    struct deploy_where where = place(l, &event->start_mark);
    if (depth > DEPLOY_DEPTH_MAX) {
        fail(l, &event->start_mark, "this is nested too deep");
        return NULL;
    }
    if (count(l, &event->start_mark, 1) < 0)
        return NULL;
    size_t before = l->values - 1;
    switch (event->type) {
    case YAML_ALIAS_EVENT:
        return alias(l, event);
    case YAML_SCALAR_EVENT:
        anchor = event->data.scalar.anchor;
        tag = event->data.scalar.tag;
        value = scalar(l, event);
        break;
    case YAML_SEQUENCE_START_EVENT:
    case YAML_MAPPING_START_EVENT: {
        bool map = event->type == YAML_MAPPING_START_EVENT;
        anchor =
            map ? event->data.mapping_start.anchor : event->data.sequence_start.anchor;
        tag = map ? event->data.mapping_start.tag : event->data.sequence_start.tag;
        value = deploy_value_new(map ? DEPLOY_MAP : DEPLOY_LIST, NULL, &where);
        /* an alias inside it would hold itself */
        if (remember(l, &event->start_mark, anchor, NULL, 0) < 0 ||
            children(l, value, depth) < 0) {
            deploy_value_free(value);
            return NULL;
        }
        break;
    }
    default:
        fail(l, &event->start_mark, "this is no YAML");
        return NULL;
    }
    if (!value)
        return NULL;
    value->tag = dr_strdup((const char *)tag);
    if (remember(l, &event->start_mark, anchor, value, l->values - before) < 0) {
        deploy_value_free(value);
        return NULL;
    }
    return value;
}

/* The stream's start, one document or none, the stream's end. */
static int document(struct loader *l, struct deploy_value **ret)
{
    yaml_event_t event;
    int rc = 0;
    for (bool done = false; rc == 0 && !done; yaml_event_delete(&event)) {
        if (next(l, &event) < 0)
            return -1;
        switch (event.type) {
        case YAML_STREAM_END_EVENT:
            done = true;
            break;
        case YAML_STREAM_START_EVENT:
        case YAML_DOCUMENT_END_EVENT:
            break;
        case YAML_DOCUMENT_START_EVENT:
            if (*ret)
                rc = fail(l, &event.start_mark, "a second document");
            break;
        default:
            *ret = node(l, &event, 0);
            rc = *ret ? 0 : -1;
        }
    }
    return rc;
}

int deploy_value_load(const char *name, const char *text, size_t len,
                      struct deploy_value **ret, struct dr_error *err)
{
    struct loader l = {.name = name, .err = err};
    deploy_auto_value struct deploy_value *root = NULL;
    if (len > DEPLOY_FILE_MAX) {
        yaml_mark_t start = {0};
        return fail(&l, &start, "the file is too large: at most 4 MiB");
    }
    if (!yaml_parser_initialize(&l.parser))
        abort(); /* no memory */
    yaml_parser_set_input_string(&l.parser, (const unsigned char *)text, len);
    int rc = document(&l, &root);
    yaml_parser_delete(&l.parser);
    for (size_t i = 0; i < l.anchor_count; i++)
        free(l.anchors[i].name);
    free(l.anchors);
    if (rc == 0)
        *ret = DR_TAKE(root);
    return rc;
}
