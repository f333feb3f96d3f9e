/* SPDX-License-Identifier: Apache-2.0 */
/* Several files are one: maps are merged, sequences appended, with exceptions. */
#include "deploy/compose-merge.h"

#include <string.h>

#include "base/json.h"
#include "base/winpath.h"

static bool has_tag(const struct deploy_value *value, const char *tag)
{
    return value->tag && strcmp(value->tag, tag) == 0;
}

/* --- by which key two items of a list are the same thing; owned, NULL: by none --- */

static const char *member(const struct deploy_value *map, const char *key,
                          const char *otherwise)
{
    const struct deploy_value *value = deploy_value_get(map, key);
    return value && value->type == DEPLOY_SCALAR ? value->text : otherwise;
}

static char *word_key(const struct deploy_value *item)
{
    return item->type == DEPLOY_SCALAR ? dr_strdup(item->text) : NULL;
}

static char *port_key(const struct deploy_value *item)
{
    if (item->type == DEPLOY_MAP)
        return dr_printf("%s|%s|%s/%s", member(item, "host_ip", ""),
                         member(item, "published", ""), member(item, "target", ""),
                         member(item, "protocol", "tcp"));
    if (item->type != DEPLOY_SCALAR)
        return NULL;
    dr_auto_free char *text = dr_strdup(item->text);
    char *protocol = strchr(text, '/');
    if (protocol)
        *protocol++ = '\0';
    char *target = strrchr(text, ':');
    if (!target)
        return dr_printf("||%s/%s", text, protocol ? protocol : "tcp");
    *target++ = '\0';
    char *published = strrchr(text, ':');
    if (published)
        *published++ = '\0';
    return dr_printf("%s|%s|%s/%s", published ? text : "", published ? published : text,
                     target, protocol ? protocol : "tcp");
}

/* SOURCE:TARGET:OPTIONS, or TARGET alone */
static char *target_key(const struct deploy_value *item)
{
    if (item->type == DEPLOY_MAP)
        return dr_strdup(member(item, "target", NULL));
    if (item->type != DEPLOY_SCALAR)
        return NULL;
    size_t windows = dr_winpath_source_len(item->text);
    size_t first = windows ? windows : strcspn(item->text, ":");
    if (!item->text[first])
        return dr_strdup(item->text);
    const char *target = item->text + first + 1;
    return dr_strndup(target, strcspn(target, ":"));
}

static char *tmpfs_key(const struct deploy_value *item)
{
    return item->type == DEPLOY_SCALAR ? dr_strndup(item->text, strcspn(item->text, ":"))
                                       : NULL;
}

static char *file_key(const struct deploy_value *item, const char *directory)
{
    const char *source =
        item->type == DEPLOY_SCALAR ? item->text : member(item, "source", "");
    const char *target = item->type == DEPLOY_MAP ? member(item, "target", NULL) : NULL;
    if (!target)
        return dr_printf("%s/%s", directory, source);
    /* of a secret it may be a name in the usual directory */
    return *target == '/' ? dr_strdup(target) : dr_printf("%s/%s", directory, target);
}

static char *config_key(const struct deploy_value *item)
{
    return file_key(item, "");
}

static char *secret_key(const struct deploy_value *item)
{
    return file_key(item, "/run/secrets");
}

static char *env_file_key(const struct deploy_value *item)
{
    return item->type == DEPLOY_MAP ? dr_strdup(member(item, "path", NULL))
                                    : word_key(item);
}

/* --- the exceptions --- */

enum how {
    REPLACE, /* the whole value */
    KEYED,   /* a list: items with the same key replace */
    NULLS,   /* a map whose empty values mean something */
    DRIVER   /* a map, replaced when another driver is named */
};

#define SERVICE "services/*"

static const struct rule {
    const char *path;
    enum how how;
    char *(*key)(const struct deploy_value *item);
} rules[] = {
    {SERVICE "/command", REPLACE, NULL},
    {SERVICE "/entrypoint", REPLACE, NULL},
    {SERVICE "/healthcheck/test", REPLACE, NULL},
    {SERVICE "/environment", NULLS, NULL},
    {SERVICE "/labels", NULLS, NULL},
    {SERVICE "/annotations", NULLS, NULL},
    {SERVICE "/logging", DRIVER, NULL},
    {SERVICE "/ports", KEYED, port_key},
    {SERVICE "/volumes", KEYED, target_key},
    {SERVICE "/devices", KEYED, target_key},
    {SERVICE "/tmpfs", KEYED, tmpfs_key},
    {SERVICE "/configs", KEYED, config_key},
    {SERVICE "/secrets", KEYED, secret_key},
    {SERVICE "/env_file", KEYED, env_file_key},
};

static const struct rule *rule_of(const char *path)
{
    static const struct rule words = {NULL, KEYED, word_key};
    for (size_t i = 0; i < DR_COUNT(rules); i++)
        if (strcmp(rules[i].path, path) == 0)
            return &rules[i];
    return &words;
}

/* base becomes over, which is freed. Where there is nothing of its own, base's place. */
static void replace(struct deploy_value *base, struct deploy_value *over)
{
    struct deploy_value old = *base;
    *base = *over;
    *over = old;
    deploy_value_free(over);
}

static void merge(struct deploy_value *base, struct deploy_value *over, const char *path);

static void append(struct deploy_value *base, struct deploy_value *over,
                   const struct rule *rule)
{
    dr_auto_json json_t *index = json_object();
    for (size_t i = 0; i < base->count; i++) {
        dr_auto_free char *key = rule->key ? rule->key(base->items[i]) : NULL;
        if (key)
            json_object_set_new_nocheck(index, key, json_integer((json_int_t)i));
    }
    for (size_t i = 0; i < over->count; i++) {
        struct deploy_value *item = DR_TAKE(over->items[i]);
        dr_auto_free char *key = rule->key ? rule->key(item) : NULL;
        json_t *at = key ? json_object_get(index, key) : NULL;
        if (at)
            replace(base->items[json_integer_value(at)], item);
        else
            deploy_value_append(base, item); /* twice in over: compose_unique() */
    }
}

static void merge_maps(struct deploy_value *base, struct deploy_value *over,
                       const char *path, bool nulls)
{
    dr_auto_json json_t *index = json_object();
    for (size_t i = 0; i < base->count; i++)
        json_object_set_new_nocheck(index, base->keys[i], json_integer((json_int_t)i));
    for (size_t i = 0; i < over->count; i++) {
        struct deploy_value *item = DR_TAKE(over->items[i]);
        json_t *at = json_object_get(index, over->keys[i]);
        if (!at) {
            deploy_value_append(base, item);
            base->keys[base->count - 1] = DR_TAKE(over->keys[i]);
            base->key_where[base->count - 1] = over->key_where[i];
            continue;
        }
        size_t old = (size_t)json_integer_value(at);
        bool says_nothing = item->type == DEPLOY_NULL && !nulls && !item->tag;
        if (!says_nothing)
            base->key_where[old] = over->key_where[i];
        const char *key = strcmp(path, "services") == 0 ? "*" : over->keys[i];
        /* deeper than any rule */
        dr_auto_free char *below = strlen(path) > 100
                                       ? dr_strdup(path)
                                       : dr_printf("%s%s%s", path, *path ? "/" : "", key);
        if (says_nothing)
            deploy_value_free(item);
        else
            merge(base->items[old], item, below);
    }
}

static bool same_driver(const struct deploy_value *base, const struct deploy_value *over)
{
    const char *before = member(base, "driver", NULL),
               *now = member(over, "driver", NULL);
    return !before || !now || strcmp(before, now) == 0;
}

/* over is freed. */
static void merge(struct deploy_value *base, struct deploy_value *over, const char *path)
{
    const struct rule *rule = rule_of(path);
    if (has_tag(over, "!override")) {
        free(over->tag);
        over->tag = NULL;
        replace(base, over);
    } else if (over->tag || base->tag || base->type != over->type ||
               rule->how == REPLACE || over->type == DEPLOY_SCALAR ||
               over->type == DEPLOY_NULL ||
               (rule->how == DRIVER && !same_driver(base, over))) {
        /* !reset stays as a tag, until what comes behind is merged */
        replace(base, over);
    } else {
        if (over->type == DEPLOY_LIST)
            append(base, over, rule);
        else
            merge_maps(base, over, path, rule->how == NULLS);
        deploy_value_free(over);
    }
}

void compose_merge_service(struct deploy_value *base, struct deploy_value *over)
{
    merge(base, over, SERVICE);
}

void compose_merge(struct deploy_value *base, struct deploy_value *over)
{
    merge(base, over, "");
}

/* The last one of those with the same key, at the place of the first. */
static void unique(struct deploy_value *list,
                   char *(*key_of)(const struct deploy_value *))
{
    dr_auto_json json_t *index = json_object();
    size_t kept = 0;
    for (size_t i = 0; i < list->count; i++) {
        struct deploy_value *item = list->items[i];
        dr_auto_free char *key = key_of(item);
        json_t *at = key ? json_object_get(index, key) : NULL;
        if (at) {
            replace(list->items[json_integer_value(at)], item);
            continue;
        }
        if (key)
            json_object_set_new_nocheck(index, key, json_integer((json_int_t)kept));
        list->items[kept++] = item;
    }
    list->count = kept;
}

void compose_unique(struct deploy_value *root)
{
    const struct deploy_value *services = deploy_value_get(root, "services");
    static const char *const fields[] = {"ports",   "volumes", "devices",
                                         "configs", "secrets", "expose"};
    for (size_t i = 0; services && services->type == DEPLOY_MAP && i < services->count;
         i++)
        for (size_t j = 0; j < DR_COUNT(fields); j++) {
            struct deploy_value *list = deploy_value_get(services->items[i], fields[j]);
            dr_auto_free char *path = dr_printf(SERVICE "/%s", fields[j]);
            if (list && list->type == DEPLOY_LIST)
                unique(list, rule_of(path)->key);
        }
}

void compose_sweep(struct deploy_value *value)
{
    size_t kept = 0;
    deploy_index_release(&value->index);
    for (size_t i = 0; i < value->count; i++) {
        struct deploy_value *item = value->items[i];
        if (has_tag(item, "!reset")) {
            deploy_value_free(item);
            if (value->keys)
                free(value->keys[i]);
            continue;
        }
        compose_sweep(item);
        value->items[kept] = item;
        if (value->keys) {
            value->keys[kept] = value->keys[i];
            value->key_where[kept] = value->key_where[i];
        }
        kept++;
    }
    value->count = kept;
}

size_t compose_count(const struct deploy_value *value)
{
    size_t count = 1 + (value->text ? strlen(value->text) / 64 : 0);
    for (size_t i = 0; i < value->count; i++)
        count += compose_count(value->items[i]);
    return count;
}
