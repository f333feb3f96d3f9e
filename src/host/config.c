/* SPDX-License-Identifier: Apache-2.0 */
#include "host/config.h"

#include <errno.h>
#include <string.h>

#include "base/fs.h"
#include "base/json.h"
#include "base/nearest.h"
#include "base/text.h"
#include "base/yamldoc.h"
#include "host/cache.h"
#include "transport/address.h"

#define FILE_MAX (1u << 20)

#define AT(member) offsetof(struct config_target, member)
const struct config_key config_keys[] = {
    {"url", AT(url), CONFIG_TEXT},
    {"command", AT(url), CONFIG_WORDS},
    {"user", AT(user), CONFIG_TEXT},
    {"runtime", AT(runtime), CONFIG_TEXT},
    {"root", AT(root), CONFIG_PATH},
    {"run_root", AT(run_root), CONFIG_PATH},
    {"bundle_root", AT(bundle_root), CONFIG_PATH},
    {"log_root", AT(log_root), CONFIG_PATH},
    {"distro_dir", AT(distro_dir), CONFIG_TEXT},
    {"network_fallback", AT(network_fallback), CONFIG_FALLBACK},
    {"connect_timeout", AT(connect_timeout_ms), CONFIG_TIME},
    {"line_timeout", AT(line_timeout_ms), CONFIG_TIME},
    {0}};

void config_target_release(struct config_target *t)
{
    char *all[] = {t->name,     t->url,     t->root, t->run_root,   t->bundle_root,
                   t->log_root, t->runtime, t->user, t->distro_dir, t->network_fallback};
    for (size_t i = 0; i < DR_COUNT(all); i++)
        free(all[i]);
    *t = (struct config_target){0};
}

void config_release(struct config *config)
{
    for (size_t i = 0; i < config->count; i++)
        config_target_release(&config->targets[i]);
    free(config->targets);
    free(config->current);
    free(config->cache_limit);
    free(config->path);
    *config = (struct config){0};
}

char *config_path(void)
{
    const char *base = getenv("XDG_CONFIG_HOME"), *home = getenv("HOME");
    if (base && dr_path_is_absolute(base))
        return dr_printf("%s/dray/config.yaml", base);
    return home && *home ? dr_printf("%s/.config/dray/config.yaml", home) : NULL;
}

/* --- what the file says --- */

static const char *next_key(void *state)
{
    const struct config_key **at = state;
    return (*at)->name ? (*at)++->name : NULL;
}

static const char *next_top(void *state)
{
    static const char *const all[] = {"cache_limit", "target", "targets", NULL};
    size_t *at = state;
    return all[*at] ? all[(*at)++] : NULL;
}

static int unknown(struct dr_yaml *yaml, const yaml_node_t *key, const char *near,
                   struct dr_error *err)
{
    dr_auto_free char *safe = dr_escape(dr_yaml_text(key), 100);
    return dr_yaml_fail(yaml, key, err, "unknown key '%s'%s%s%s", safe,
                        near ? " (did you mean " : "", near ? near : "",
                        near ? "?)" : "");
}

static int take_words(struct dr_yaml *yaml, const yaml_node_t *node, char **ret_url,
                      struct dr_error *err)
{
    dr_auto_strv char **words = NULL;
    if (node->type != YAML_SEQUENCE_NODE)
        return dr_yaml_fail(yaml, node, err,
                            "command is a list of words: [limactl, shell, default]");
    for (const int *i = node->data.sequence.items.start;
         i < node->data.sequence.items.top; i++) {
        const char *word = dr_yaml_text(dr_yaml_node(yaml, *i));
        if (!word || !*word)
            return dr_yaml_fail(yaml, dr_yaml_node(yaml, *i), err,
                                "a word of command must be a text, and not empty");
        dr_strv_add(&words, word);
    }
    if (!words)
        return dr_yaml_fail(yaml, node, err, "command has no words");
    *ret_url = transport_address_of_words(words);
    return 0;
}

static int take_value(struct dr_yaml *yaml, const yaml_node_t *node,
                      const struct config_key *key, struct config_target *t,
                      struct dr_error *err)
{
    void *slot = (char *)t + key->at;
    const char *text = dr_yaml_text(node);
    dr_auto_error struct dr_error why = DR_ERROR_INIT;
    if (key->form == CONFIG_WORDS) {
        if (t->url)
            return dr_yaml_fail(yaml, node, err,
                                "there is a url and a command; one is "
                                "enough");
        return take_words(yaml, node, slot, err);
    }
    if (!text || dr_yaml_is_null(node))
        return dr_yaml_fail(yaml, node, err, "%s must be a text", key->name);
    if (key->form == CONFIG_TIME) {
        int64_t ns;
        if (dr_duration_parse(text, &ns, &why) < 0 || ns < 1000000)
            return dr_yaml_fail(yaml, node, err, "%s must be a time, as 10s", key->name);
        *(int64_t *)slot = ns / 1000000;
        return 0;
    }
    if (key->form == CONFIG_FALLBACK && !config_fallback_ok(text))
        return dr_yaml_fail(yaml, node, err, "%s must be host or fail", key->name);
    if (key->form == CONFIG_PATH && *text != '/')
        return dr_yaml_fail(yaml, node, err, "%s '%s' is not an absolute path", key->name,
                            text);
    if (*(char **)slot)
        return dr_yaml_fail(yaml, node, err,
                            "there is a url and a command; one is enough");
    *(char **)slot = dr_strdup(text);
    if (strcmp(key->name, "url") != 0)
        return 0;
    dr_auto_address struct transport_address address;
    if (transport_address_parse(text, &address, &why) < 0)
        return dr_yaml_fail(yaml, node, err, "%s", why.text);
    return 0;
}

bool config_fallback_ok(const char *text)
{
    return strcmp(text, "host") == 0 || strcmp(text, "fail") == 0;
}

bool config_name_ok(const char *name)
{
    static const char letters[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-";
    return *name && !strchr("_.-", *name) && strspn(name, letters) == strlen(name) &&
           strlen(name) <= 64 && strcmp(name, "local") != 0;
}

static int take_target(struct dr_yaml *yaml, const yaml_node_pair_t *pair,
                       struct config *config, struct dr_error *err)
{
    const yaml_node_t *key = dr_yaml_node(yaml, pair->key),
                      *node = dr_yaml_node(yaml, pair->value);
    if (!config_name_ok(dr_yaml_text(key))) {
        dr_auto_free char *safe = dr_escape(dr_yaml_text(key), 100);
        return dr_yaml_fail(yaml, key, err,
                            "'%s' cannot be the name of a target: it is letters, digits, "
                            "_, . and -, and not local",
                            safe);
    }
    if (node->type != YAML_MAPPING_NODE)
        return dr_yaml_fail(yaml, node, err,
                            "a target has keys: url or command, and settings");
    config->targets =
        dr_realloc(config->targets, (config->count + 1) * sizeof *config->targets);
    struct config_target *t = &config->targets[config->count++];
    *t = (struct config_target){.name = dr_strdup(dr_yaml_text(key))};
    for (const yaml_node_pair_t *p = node->data.mapping.pairs.start;
         p < node->data.mapping.pairs.top; p++) {
        const yaml_node_t *member = dr_yaml_node(yaml, p->key);
        const char *name = dr_yaml_text(member);
        const struct config_key *k = config_keys;
        while (k->name && strcmp(k->name, name) != 0)
            k++;
        if (!k->name) {
            const struct config_key *at = config_keys;
            return unknown(yaml, member, dr_nearest(name, next_key, &at), err);
        }
        if (take_value(yaml, dr_yaml_node(yaml, p->value), k, t, err) < 0)
            return -1;
    }
    if (!t->url)
        return dr_yaml_fail(yaml, node, err, "target %s has neither url nor command",
                            t->name);
    return 0;
}

static int take_targets(struct dr_yaml *yaml, const yaml_node_t *node,
                        struct config *config, struct dr_error *err)
{
    if (dr_yaml_is_null(node))
        return 0;
    if (node->type != YAML_MAPPING_NODE)
        return dr_yaml_fail(yaml, node, err, "targets has the names of targets as keys");
    for (const yaml_node_pair_t *p = node->data.mapping.pairs.start;
         p < node->data.mapping.pairs.top; p++)
        if (take_target(yaml, p, config, err) < 0)
            return -1;
    return 0;
}

static const struct config_target *find(const struct config *config, const char *name)
{
    for (size_t i = 0; i < config->count; i++)
        if (strcmp(config->targets[i].name, name) == 0)
            return &config->targets[i];
    return NULL;
}

struct names {
    const struct config *config;
    size_t at;
};

static const char *next_name(void *state)
{
    struct names *n = state;
    return n->at < n->config->count ? n->config->targets[n->at++].name : NULL;
}

static int take_all(struct dr_yaml *yaml, struct config *config, struct dr_error *err)
{
    yaml_node_t *root = dr_yaml_root(yaml);
    if (!root || dr_yaml_is_null(root))
        return 0;
    if (root->type != YAML_MAPPING_NODE)
        return dr_yaml_fail(yaml, root, err,
                            "the file has keys: cache_limit, target, targets");
    for (const yaml_node_pair_t *p = root->data.mapping.pairs.start;
         p < root->data.mapping.pairs.top; p++) {
        const yaml_node_t *key = dr_yaml_node(yaml, p->key),
                          *value = dr_yaml_node(yaml, p->value);
        const char *name = dr_yaml_text(key);
        size_t at = 0;
        if (strcmp(name, "targets") == 0) {
            if (take_targets(yaml, value, config, err) < 0)
                return -1;
        } else if (strcmp(name, "target") == 0) {
            if (!dr_yaml_text(value))
                return dr_yaml_fail(yaml, value, err, "target is the name of one");
            if (!dr_yaml_is_null(value))
                config->current = dr_strdup(dr_yaml_text(value));
        } else if (strcmp(name, "cache_limit") == 0) {
            const char *text = dr_yaml_text(value);
            int64_t unused;
            if (!text || cache_limit_parse(text, &unused) < 0)
                return dr_yaml_fail(yaml, value, err,
                                    "cache_limit must be a size, as 20g, or none");
            config->cache_limit = dr_strdup(text);
        } else {
            return unknown(yaml, key, dr_nearest(name, next_top, &at), err);
        }
    }
    yaml_node_t *current = dr_yaml_get(yaml, root, "target");
    if (config->current && strcmp(config->current, "local") != 0 &&
        !transport_address_is(config->current) && !find(config, config->current)) {
        struct names names = {config, 0};
        const char *near = dr_nearest(config->current, next_name, &names);
        dr_auto_free char *safe = dr_escape(config->current, 100);
        return dr_yaml_fail(yaml, current, err, "no target is called '%s'%s%s%s", safe,
                            near ? " (did you mean " : "", near ? near : "",
                            near ? "?)" : "");
    }
    return 0;
}

int config_parse(const char *path, const char *text, size_t len, struct config *ret,
                 struct dr_error *err)
{
    struct config config = {.path = dr_strdup(path)};
    dr_auto_yaml struct dr_yaml yaml = {.loaded = false};
    if (dr_yaml_load(path, text, len, &yaml, err) < 0 ||
        take_all(&yaml, &config, err) < 0) {
        config_release(&config);
        return -1;
    }
    *ret = config;
    return 0;
}

int config_read(struct config *ret, struct dr_error *err)
{
    dr_auto_free char *path = config_path();
    dr_auto_buf struct dr_buf text = DR_BUF_INIT(FILE_MAX);
    dr_auto_error struct dr_error why = DR_ERROR_INIT;
    if (path && dr_file_read(AT_FDCWD, path, &text, &why) < 0 &&
        why.kind != DR_ERR_NOT_FOUND && why.code != ENOTDIR) {
        dr_error_move(err, &why);
        err->kind = DR_ERR_CONFIG;
        return -1;
    }
    return config_parse(path ? path : "config.yaml", text.data ? text.data : "", text.len,
                        ret, err);
}

/* --- which one is meant --- */

static void move_target(struct config *config, const struct config_target *t,
                        struct config_target *ret)
{
    struct config_target *own = &config->targets[t - config->targets];
    *ret = *own;
    *own = (struct config_target){0};
}

int config_resolve(const char *target, struct config_target *ret, struct dr_error *err)
{
    *ret = (struct config_target){0};
    if (!target || strcmp(target, "local") == 0 || transport_address_is(target)) {
        ret->url = dr_strdup(target);
        return 0;
    }
    dr_auto_user_config struct config config = {0};
    if (config_read(&config, err) < 0)
        return -1;
    const struct config_target *found = find(&config, target);
    if (found) {
        move_target(&config, found, ret);
        return 0;
    }
    struct names names = {&config, 0};
    const char *near = dr_nearest(target, next_name, &names);
    dr_auto_free char *safe = dr_escape(target, 100);
    if (near)
        return dr_fail(err, DR_ERR_CONFIG, "no target is called '%s'; did you mean %s?",
                       safe, near);
    return dr_fail(err, DR_ERR_CONFIG,
                   "no target is called '%s'; `dray target ls` lists them, `dray target "
                   "add` makes one",
                   safe);
}
