/* SPDX-License-Identifier: Apache-2.0 */
/* One form for what Compose files may write in several. */
#include <string.h>

#include "base/json.h"
#include "base/text.h"
#include "deploy/compose-merge.h"

static void clear(struct deploy_value *value, enum deploy_type type)
{
    for (size_t i = 0; i < value->count; i++) {
        deploy_value_free(value->items[i]);
        if (value->keys)
            free(value->keys[i]);
    }
    deploy_index_release(&value->index);
    free(value->items);
    free(value->keys);
    free(value->key_where);
    free(value->text);
    value->items = NULL;
    value->keys = NULL;
    value->key_where = NULL;
    value->text = NULL;
    value->count = 0;
    value->type = type;
}

/* The new children instead of the old ones; the place and the tag stay. */
static void become(struct deploy_value *value, struct deploy_value *other)
{
    clear(value, other->type);
    value->items = DR_TAKE(other->items);
    value->keys = DR_TAKE(other->keys);
    value->key_where = DR_TAKE(other->key_where);
    value->count = other->count;
    other->count = 0;
    deploy_value_free(other);
}

/* One more member, or the one there is, by an index of the keys: a list may be long. */
static void put(struct deploy_value *map, json_t *index, const char *key,
                const struct deploy_where *where, struct deploy_value *child)
{
    json_t *at = json_object_get(index, key);
    if (at) {
        size_t i = (size_t)json_integer_value(at);
        deploy_value_free(map->items[i]);
        map->items[i] = child;
        map->key_where[i] = *where;
        return;
    }
    json_object_set_new_nocheck(index, key, json_integer((json_int_t)map->count));
    deploy_value_append(map, child);
    map->keys[map->count - 1] = dr_strdup(key);
    map->key_where[map->count - 1] = *where;
}

/* ["K=V", "K"] → {K: V, K: }; the last one wins. */
static void pairs(struct deploy_value *value, struct deploy_problems *problems)
{
    if (value->type != DEPLOY_LIST)
        return;
    struct deploy_value *map = deploy_value_new(DEPLOY_MAP, NULL, &value->where);
    dr_auto_json json_t *index = json_object();
    for (size_t i = 0; i < value->count; i++) {
        const struct deploy_value *item = value->items[i];
        const char *text = item->text;
        if (item->type != DEPLOY_SCALAR || !*text || *text == '=') {
            deploy_problem(problems, &item->where, "expected NAME=VALUE");
            continue;
        }
        size_t len = strcspn(text, "=");
        dr_auto_free char *key = dr_strndup(text, len);
        struct deploy_value *child =
            deploy_value_new(text[len] ? DEPLOY_SCALAR : DEPLOY_NULL,
                             text[len] ? text + len + 1 : NULL, &item->where);
        child->quoted = true;
        put(map, index, key, &item->where, child);
    }
    become(value, map);
}

/* [NAME] → {NAME: what it means} */
static void named(struct deploy_value *value, struct deploy_problems *problems,
                  struct deploy_value *(*meaning)(const struct deploy_where *where))
{
    if (value->type != DEPLOY_LIST)
        return;
    struct deploy_value *map = deploy_value_new(DEPLOY_MAP, NULL, &value->where);
    dr_auto_json json_t *index = json_object();
    for (size_t i = 0; i < value->count; i++) {
        const struct deploy_value *item = value->items[i];
        if (item->type != DEPLOY_SCALAR)
            deploy_problem(problems, &item->where, "expected a name");
        else
            put(map, index, item->text, &item->where, meaning(&item->where));
    }
    become(value, map);
}

static struct deploy_value *nothing(const struct deploy_where *where)
{
    return deploy_value_new(DEPLOY_NULL, NULL, where);
}

static void networks(struct deploy_value *value, struct deploy_problems *problems)
{
    named(value, problems, nothing);
}

/* The short form says both, and so wins over what a file before said. */
static struct deploy_value *started(const struct deploy_where *where)
{
    struct deploy_value *map = deploy_value_new(DEPLOY_MAP, NULL, where);
    deploy_value_set(map, "condition", where,
                     deploy_value_new(DEPLOY_SCALAR, "service_started", where));
    deploy_value_set(map, "required", where,
                     deploy_value_new(DEPLOY_SCALAR, "true", where));
    return map;
}

static void depends(struct deploy_value *value, struct deploy_problems *problems)
{
    named(value, problems, started);
}

/* WORD → [WORD] */
static void words(struct deploy_value *value, struct deploy_problems *problems)
{
    if (value->type != DEPLOY_SCALAR)
        return;
    struct deploy_value *list = deploy_value_new(DEPLOY_LIST, NULL, &value->where);
    deploy_value_append(list,
                        deploy_value_new(DEPLOY_SCALAR, value->text, &value->where));
    become(value, list);
}

static void host(struct deploy_value *list, const char *name,
                 const struct deploy_value *address)
{
    dr_auto_free char *text = dr_printf("%s:%s", name, address->text);
    deploy_value_append(list, deploy_value_new(DEPLOY_SCALAR, text, &address->where));
}

/* {NAME: ADDRESS, NAME: [ADDRESS]} → ["NAME:ADDRESS"] */
static void hosts(struct deploy_value *value, struct deploy_problems *problems)
{
    if (value->type != DEPLOY_MAP)
        return;
    struct deploy_value *list = deploy_value_new(DEPLOY_LIST, NULL, &value->where);
    for (size_t i = 0; i < value->count; i++) {
        const struct deploy_value *item = value->items[i];
        size_t count = item->type == DEPLOY_LIST ? item->count : 1;
        for (size_t j = 0; j < count; j++) {
            const struct deploy_value *one =
                item->type == DEPLOY_LIST ? item->items[j] : item;
            if (one->type == DEPLOY_SCALAR)
                host(list, value->keys[i], one);
            else
                deploy_problem(problems, &one->where, "expected an address");
        }
    }
    become(value, list);
}

/* Where which of them is, and what has "x-" members of its own. "*": any name. */
static const struct shape {
    const char *path;
    void (*change)(struct deploy_value *value, struct deploy_problems *problems);
    bool extensible;
} shapes[] = {
    {"", NULL, true},
    {"services/*", NULL, true},
    {"services/*/annotations", pairs},
    {"services/*/build", NULL, true},
    {"services/*/depends_on", depends},
    {"services/*/depends_on/*", NULL, true},
    {"services/*/deploy", NULL, true},
    {"services/*/deploy/labels", pairs},
    {"services/*/deploy/placement", NULL, true},
    {"services/*/deploy/resources", NULL, true},
    {"services/*/deploy/resources/limits", NULL, true},
    {"services/*/deploy/resources/reservations", NULL, true},
    {"services/*/deploy/restart_policy", NULL, true},
    {"services/*/deploy/rollback_config", NULL, true},
    {"services/*/deploy/update_config", NULL, true},
    {"services/*/dns", words},
    {"services/*/dns_search", words},
    {"services/*/env_file", words},
    {"services/*/environment", pairs},
    {"services/*/extends", NULL, true},
    {"services/*/extra_hosts", hosts},
    {"services/*/healthcheck", NULL, true},
    {"services/*/label_file", words},
    {"services/*/labels", pairs},
    {"services/*/logging", NULL, true},
    {"services/*/networks", networks},
    {"services/*/networks/*", NULL, true},
    {"services/*/sysctls", pairs},
    {"services/*/tmpfs", words},
    {"networks/*", NULL, true},
    {"networks/*/ipam", NULL, true},
    {"networks/*/labels", pairs},
    {"volumes/*", NULL, true},
    {"volumes/*/labels", pairs},
    {"configs/*", NULL, true},
    {"configs/*/labels", pairs},
    {"secrets/*", NULL, true},
    {"secrets/*/labels", pairs},
};

static bool tag_known(const char *tag)
{
    return !tag || strncmp(tag, "tag:yaml.org,2002:", 18) == 0 || strcmp(tag, "!") == 0 ||
           strcmp(tag, "!reset") == 0 || strcmp(tag, "!override") == 0;
}

static void drop_extensions(struct deploy_value *map)
{
    size_t kept = 0;
    deploy_index_release(&map->index); /* what is kept moves */
    for (size_t i = 0; i < map->count; i++) {
        if (strncmp(map->keys[i], "x-", 2) == 0) {
            free(map->keys[i]);
            deploy_value_free(map->items[i]);
            continue;
        }
        map->keys[kept] = map->keys[i];
        map->key_where[kept] = map->key_where[i];
        map->items[kept++] = map->items[i];
    }
    map->count = kept;
}

/* Items of these lists are maps with extensions too: ports, volumes, ipam.config … */
static bool extensible_items(const char *path)
{
    return strncmp(path, "services/*/", 11) == 0 ||
           strncmp(path, "networks/*/ipam", 15) == 0;
}

static void normalise(struct deploy_value *value, const char *path,
                      struct deploy_problems *problems)
{
    if (!tag_known(value->tag)) {
        dr_auto_free char *safe = dr_escape(value->tag, 60);
        deploy_problem(problems, &value->where,
                       "the tag %s means nothing here; there are !reset and !override",
                       safe);
    }
    for (size_t i = 0; i < DR_COUNT(shapes); i++) {
        if (strcmp(shapes[i].path, path) != 0)
            continue;
        if (shapes[i].change)
            shapes[i].change(value, problems);
        if (shapes[i].extensible && value->type == DEPLOY_MAP)
            drop_extensions(value);
    }
    if (value->type == DEPLOY_LIST) {
        for (size_t i = 0; i < value->count; i++) {
            if (value->items[i]->type == DEPLOY_MAP && extensible_items(path))
                drop_extensions(value->items[i]);
            normalise(value->items[i], "-", problems);
        }
        return;
    }
    for (size_t i = 0; i < value->count; i++) {
        const char *key = value->keys[i];
        static const char *const named[] = {"services",
                                            "networks",
                                            "volumes",
                                            "configs",
                                            "secrets",
                                            "services/*/networks",
                                            "services/*/depends_on"};
        for (size_t j = 0; j < DR_COUNT(named); j++)
            if (strcmp(named[j], path) == 0)
                key = "*";
        /* deeper than any shape: only tags are looked at */
        dr_auto_free char *below = strcmp(path, "-") == 0 || strlen(path) > 100
                                       ? dr_strdup("-")
                                       : dr_printf("%s%s%s", path, *path ? "/" : "", key);
        normalise(value->items[i], below, problems);
    }
}

void compose_normalise(struct deploy_value *root, struct deploy_problems *problems)
{
    normalise(root, "", problems);
}
