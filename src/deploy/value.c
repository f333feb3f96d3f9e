/* SPDX-License-Identifier: Apache-2.0 */
#include "deploy/value.h"

#include <string.h>

#include "base/text.h"

struct deploy_value *deploy_value_new(enum deploy_type type, const char *text,
                                      const struct deploy_where *where)
{
    struct deploy_value *value = dr_alloc(sizeof *value);
    value->type = type;
    value->text = dr_strdup(text);
    if (where)
        value->where = *where;
    return value;
}

void deploy_value_free(struct deploy_value *value)
{
    if (!value)
        return;
    for (size_t i = 0; i < value->count; i++) {
        deploy_value_free(value->items[i]);
        if (value->keys)
            free(value->keys[i]);
    }
    free(value->items);
    free(value->keys);
    free(value->key_where);
    deploy_index_release(&value->index);
    free(value->text);
    free(value->tag);
    free(value);
}

void deploy_cleanup_value(struct deploy_value **value)
{
    deploy_value_free(*value);
}

/* Room for one more child: arrays double when the count is a power of two. */
static void grow(struct deploy_value *value)
{
    if (value->count & (value->count - 1))
        return;
    size_t room = value->count ? 2 * value->count : 1;
    value->items = dr_realloc(value->items, room * sizeof *value->items);
    if (value->type != DEPLOY_MAP)
        return;
    value->keys = dr_realloc(value->keys, room * sizeof *value->keys);
    value->key_where = dr_realloc(value->key_where, room * sizeof *value->key_where);
}

void deploy_value_append(struct deploy_value *list, struct deploy_value *child)
{
    grow(list);
    list->items[list->count++] = child;
}

static void append_member(struct deploy_value *map, const char *key,
                          const struct deploy_where *where, struct deploy_value *child)
{
    grow(map);
    map->keys[map->count] = dr_strdup(key);
    map->key_where[map->count] = where ? *where : child->where;
    map->items[map->count++] = child;
}

static const char *key_at(const void *map, size_t at)
{
    return ((const struct deploy_value *)map)->keys[at];
}

static size_t find(const struct deploy_value *map, const char *key)
{
    /* what is learnt about it changes nothing of it */
    struct deploy_index *index = (struct deploy_index *)&map->index;
    return deploy_index_find(index, key, map->count, key_at, map);
}

struct deploy_value *deploy_value_get(const struct deploy_value *value, const char *key)
{
    if (!value || value->type != DEPLOY_MAP)
        return NULL;
    size_t i = find(value, key);
    return i < value->count ? value->items[i] : NULL;
}

void deploy_value_set(struct deploy_value *map, const char *key,
                      const struct deploy_where *key_where, struct deploy_value *child)
{
    size_t i = find(map, key);
    if (i == map->count) {
        append_member(map, key, key_where, child);
        return;
    }
    deploy_value_free(map->items[i]);
    map->items[i] = child;
    map->key_where[i] = key_where ? *key_where : child->where;
}

void deploy_value_remove(struct deploy_value *map, const char *key)
{
    size_t i = find(map, key);
    if (i == map->count)
        return;
    deploy_index_release(&map->index);
    deploy_value_free(map->items[i]);
    free(map->keys[i]);
    /* the arrays keep their size: grow() allocates anew at the next power of two, and
     * realloc does not mind that there is more already */
    size_t behind = --map->count - i;
    memmove(map->items + i, map->items + i + 1, behind * sizeof *map->items);
    memmove(map->keys + i, map->keys + i + 1, behind * sizeof *map->keys);
    memmove(map->key_where + i, map->key_where + i + 1, behind * sizeof *map->key_where);
}

struct deploy_value *deploy_value_copy(const struct deploy_value *value)
{
    struct deploy_value *copy = deploy_value_new(value->type, value->text, &value->where);
    copy->quoted = value->quoted;
    copy->tag = dr_strdup(value->tag);
    for (size_t i = 0; i < value->count; i++)
        if (value->type == DEPLOY_MAP)
            append_member(copy, value->keys[i], &value->key_where[i],
                          deploy_value_copy(value->items[i]));
        else
            deploy_value_append(copy, deploy_value_copy(value->items[i]));
    return copy;
}
