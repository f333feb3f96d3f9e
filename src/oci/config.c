/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/config.h"

#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "oci/load.h"
#include "oci/manifest.h"

#define HISTORY_MAX 4096

void oci_config_release(struct oci_config *config)
{
    char **texts[] = {&config->created, &config->author,      &config->user,
                      &config->workdir, &config->stop_signal, &config->healthcheck};
    for (size_t i = 0; i < DR_COUNT(texts); i++)
        free(*texts[i]);
    char ***vectors[] = {&config->entrypoint, &config->cmd,     &config->env,
                         &config->shell,      &config->volumes, &config->ports};
    for (size_t i = 0; i < DR_COUNT(vectors); i++)
        dr_strv_free(*vectors[i]);
    for (size_t i = 0; i < config->n_labels; i++) {
        free(config->labels[i].key);
        free(config->labels[i].value);
    }
    free(config->labels);
    for (size_t i = 0; i < config->n_history; i++) {
        free(config->history[i].created);
        free(config->history[i].created_by);
        free(config->history[i].author);
        free(config->history[i].comment);
    }
    free(config->history);
    free(config->diff_ids);
    *config = (struct oci_config){0};
}

static int wrong_type(struct dr_error *err, const char *key, const char *should)
{
    return dr_fail(err, DR_ERR_FORMAT, "the image config's '%s' is not %s", key, should);
}

/* The readers below take a missing member and null as "not given", refuse another type.
 */
static int get_text(const json_t *object, const char *key, char **ret,
                    struct dr_error *err)
{
    json_t *value = json_object_get(object, key);
    if (!value || json_is_null(value))
        return 0;
    if (!json_is_string(value))
        return wrong_type(err, key, "a string");
    if (json_string_length(value) > 0)
        *ret = dr_strdup(json_string_value(value));
    return 0;
}

static int get_texts(const json_t *object, const char *key, char ***ret,
                     struct dr_error *err)
{
    json_t *value = json_object_get(object, key), *item;
    size_t i;
    if (!value || json_is_null(value))
        return 0;
    if (!json_is_array(value))
        return wrong_type(err, key, "an array");
    json_array_foreach (value, i, item)
        if (!json_is_string(item))
            return wrong_type(err, key, "an array of strings");
    *ret = dr_json_strv(value);
    return 0;
}

static int compare_texts(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* The keys of an object ("Volumes": {"/data": {}}). */
static int get_keys(const json_t *object, const char *key, char ***ret,
                    struct dr_error *err)
{
    json_t *value = json_object_get(object, key);
    if (!value || json_is_null(value))
        return 0;
    if (!json_is_object(value))
        return wrong_type(err, key, "an object");
    char **keys = dr_alloc((json_object_size(value) + 1) * sizeof *keys);
    size_t n = 0;
    const char *name;
    json_t *unused;
    json_object_foreach ((json_t *)value, name, unused)
        keys[n++] = dr_strdup(name);
    qsort(keys, n, sizeof *keys, compare_texts);
    *ret = keys;
    return 0;
}

static int compare_labels(const void *a, const void *b)
{
    return strcmp(((const struct oci_label *)a)->key, ((const struct oci_label *)b)->key);
}

static int get_labels(const json_t *object, struct oci_config *config,
                      struct dr_error *err)
{
    json_t *labels = json_object_get(object, "Labels"), *value;
    if (!labels || json_is_null(labels))
        return 0;
    if (!json_is_object(labels))
        return wrong_type(err, "Labels", "an object");
    config->labels = dr_alloc((json_object_size(labels) + 1) * sizeof *config->labels);
    const char *key;
    json_object_foreach (labels, key, value) {
        if (!json_is_string(value))
            return wrong_type(err, "Labels", "an object of strings");
        config->labels[config->n_labels++] = (struct oci_label){
            .key = dr_strdup(key), .value = dr_strdup(json_string_value(value))};
    }
    qsort(config->labels, config->n_labels, sizeof *config->labels, compare_labels);
    return 0;
}

/* "NAME=value"; a name without "=" is kept (Docker does), an empty name is not. */
static int check_env(char *const *env, struct dr_error *err)
{
    for (; env && *env; env++)
        if (!**env || **env == '=') {
            dr_auto_free char *safe = dr_escape(*env, 60);
            return dr_fail(err, DR_ERR_FORMAT,
                           "the image config's Env has '%s', which has no name", safe);
        }
    return 0;
}

static int get_run_config(const json_t *doc, struct oci_config *config,
                          struct dr_error *err)
{
    json_t *run = json_object_get(doc, "config");
    if (!run || json_is_null(run))
        return 0;
    if (!json_is_object(run))
        return wrong_type(err, "config", "an object");
    if (get_text(run, "User", &config->user, err) < 0 ||
        get_text(run, "WorkingDir", &config->workdir, err) < 0 ||
        get_text(run, "StopSignal", &config->stop_signal, err) < 0 ||
        get_texts(run, "Entrypoint", &config->entrypoint, err) < 0 ||
        get_texts(run, "Cmd", &config->cmd, err) < 0 ||
        get_texts(run, "Env", &config->env, err) < 0 ||
        get_texts(run, "Shell", &config->shell, err) < 0 ||
        get_keys(run, "Volumes", &config->volumes, err) < 0 ||
        get_keys(run, "ExposedPorts", &config->ports, err) < 0 ||
        get_labels(run, config, err) < 0)
        return -1;
    json_t *health = json_object_get(run, "Healthcheck");
    if (health && !json_is_null(health)) {
        if (!json_is_object(health))
            return wrong_type(err, "Healthcheck", "an object");
        config->healthcheck = dr_json_text(health);
    }
    return check_env(config->env, err);
}

static int get_rootfs(const json_t *doc, struct oci_config *config, struct dr_error *err)
{
    json_t *rootfs = json_object_get(doc, "rootfs");
    json_t *ids = json_object_get(rootfs, "diff_ids"), *id;
    if (!json_is_object(rootfs))
        return wrong_type(err, "rootfs", "an object");
    const char *type = dr_json_str(rootfs, "type");
    if (!type || strcmp(type, "layers") != 0)
        return wrong_type(err, "rootfs.type", "'layers'");
    if (!ids || json_is_null(ids))
        return 0; /* an image without layers: moby writes null */
    if (!json_is_array(ids))
        return wrong_type(err, "rootfs.diff_ids", "an array");
    if (json_array_size(ids) > OCI_LAYERS_MAX)
        return dr_fail(err, DR_ERR_UNSUPPORTED,
                       "the image config has %zu diff ids, at most %d can be used",
                       json_array_size(ids), OCI_LAYERS_MAX);
    config->diff_ids = dr_alloc((json_array_size(ids) + 1) * sizeof *config->diff_ids);
    size_t i;
    json_array_foreach (ids, i, id) {
        if (!json_is_string(id))
            return wrong_type(err, "rootfs.diff_ids", "an array of strings");
        if (oci_digest_parse(json_string_value(id), json_string_length(id),
                             &config->diff_ids[i], err) < 0)
            return dr_wrap(err, "the image config's diff id %zu", i + 1);
        config->n_diff_ids++;
    }
    return 0;
}

static int get_history(const json_t *doc, struct oci_config *config, struct dr_error *err)
{
    json_t *history = json_object_get(doc, "history"), *entry;
    size_t i;
    if (!history || json_is_null(history))
        return 0;
    if (!json_is_array(history) || json_array_size(history) > HISTORY_MAX)
        return wrong_type(err, "history", "an array of at most 4096 entries");
    config->history = dr_alloc((json_array_size(history) + 1) * sizeof *config->history);
    json_array_foreach (history, i, entry) {
        if (!json_is_object(entry))
            return wrong_type(err, "history", "an array of objects");
        struct oci_history *h = &config->history[config->n_history++];
        h->empty_layer = dr_json_bool(entry, "empty_layer");
        if (get_text(entry, "created", &h->created, err) < 0 ||
            get_text(entry, "created_by", &h->created_by, err) < 0 ||
            get_text(entry, "author", &h->author, err) < 0 ||
            get_text(entry, "comment", &h->comment, err) < 0)
            return dr_wrap(err, "history entry %zu", i + 1);
    }
    return 0;
}

int oci_config_parse(const char *text, size_t len, struct oci_config *ret_config,
                     struct dr_error *err)
{
    dr_auto_json json_t *doc = oci_json_load("the image config", text, len, err);
    if (!doc)
        return -1;
    if (!json_is_object(doc))
        return dr_fail(err, DR_ERR_FORMAT, "the image config is not a JSON object");
    dr_auto_config struct oci_config config = {0};
    dr_auto_free char *os = NULL, *arch = NULL, *variant = NULL;
    if (get_text(doc, "os", &os, err) < 0 ||
        get_text(doc, "architecture", &arch, err) < 0 ||
        get_text(doc, "variant", &variant, err) < 0 ||
        get_text(doc, "created", &config.created, err) < 0 ||
        get_text(doc, "author", &config.author, err) < 0 ||
        get_run_config(doc, &config, err) < 0 || get_rootfs(doc, &config, err) < 0 ||
        get_history(doc, &config, err) < 0)
        return -1;
    oci_platform_set(&config.platform, os, arch, variant);
    *ret_config = config;
    config = (struct oci_config){0};
    return 0;
}

const char *oci_config_label(const struct oci_config *config, const char *key)
{
    for (size_t i = 0; i < config->n_labels; i++)
        if (strcmp(config->labels[i].key, key) == 0)
            return config->labels[i].value;
    return NULL;
}
