/* SPDX-License-Identifier: Apache-2.0 */
/* The cache of blobs, for people (C10). */
#include "host/cache.h"

#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/text.h"
#include "host/config.h"
#include "host/target.h"

#define DEFAULT_BYTES (10ll << 30)
/* Parts of blobs that nobody came back for. */
#define PARTIAL_AGE_S (7 * 24 * 3600)

int cache_limit_parse(const char *text, int64_t *ret_bytes)
{
    dr_auto_error struct dr_error ignored = DR_ERROR_INIT;
    if (strcmp(text, "none") == 0) {
        *ret_bytes = CACHE_NO_LIMIT;
        return 0;
    }
    return dr_size_parse(text, ret_bytes, &ignored);
}

int cache_limit(const char *asked, int64_t *ret_bytes, struct dr_error *err)
{
    const char *set = getenv("DRAY_CACHE_LIMIT"), *text = asked ? asked : set;
    dr_auto_user_config struct config config = {0};
    if (text && *text) {
        if (cache_limit_parse(text, ret_bytes) == 0)
            return 0;
        dr_auto_free char *safe = dr_escape(text, 60);
        return dr_fail(err, asked ? DR_ERR_INVALID : DR_ERR_CONFIG,
                       "%s '%s' is neither a size, as 20g, nor none",
                       asked ? "the cache's limit" : "DRAY_CACHE_LIMIT", safe);
    }
    if (config_read(&config, err) < 0)
        return -1;
    *ret_bytes = DEFAULT_BYTES;
    if (config.cache_limit)
        cache_limit_parse(config.cache_limit, ret_bytes);
    return 0;
}

void cache_tidy(struct store *store, int64_t limit_bytes)
{
    struct store_usage freed;
    dr_auto_error struct dr_error ignored = DR_ERROR_INIT;
    store_prune(store, limit_bytes, PARTIAL_AGE_S, &freed, &ignored);
}

int dray_cache_usage(const char *dir, char **ret_json, struct dray_error **ret_err)
{
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    struct store *store;
    struct store_usage usage;
    int64_t limit;
    if (cache_limit(NULL, &limit, &err) < 0 || store_open(dir, &store, &err) < 0)
        return api_end(-1, &err, ret_err);
    int rc = store_usage(store, &usage, &err);
    if (rc == 0) {
        dr_auto_json json_t *json = json_object();
        dr_json_set_str(json, "dir", store_dir(store));
        dr_json_set_int(json, "blobs", (int64_t)usage.blobs);
        dr_json_set_int(json, "bytes", usage.bytes);
        dr_json_set_int(json, "partials", (int64_t)usage.partials);
        dr_json_set_int(json, "partial_bytes", usage.partial_bytes);
        dr_json_set(json, "limit",
                    limit == CACHE_NO_LIMIT ? json_null() : json_integer(limit));
        *ret_json = dr_json_text(json);
    }
    store_close(store);
    return api_end(rc, &err, ret_err);
}

static int add_item(void *arg, const struct store_item *item)
{
    json_t *row = json_object();
    dr_json_set_str(row, "digest", item->digest.text);
    dr_json_set_int(row, "size", item->size);
    dr_json_set_int(row, "used_ns", item->used_s * 1000000000);
    dr_json_set_bool(row, "partial", item->partial);
    json_array_append_new(arg, row);
    return 0;
}

int dray_cache_list(const char *dir, char **ret_json, struct dray_error **ret_err)
{
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    dr_auto_json json_t *rows = json_array();
    struct store *store;
    if (store_open(dir, &store, &err) < 0)
        return api_end(-1, &err, ret_err);
    int rc = store_list(store, add_item, rows, &err);
    if (rc == 0)
        *ret_json = dr_json_text(rows);
    store_close(store);
    return api_end(rc, &err, ret_err);
}

int dray_cache_prune(const char *dir, int64_t max_bytes, char **ret_json,
                     struct dray_error **ret_err)
{
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    struct store *store;
    struct store_usage freed;
    if (max_bytes < 0) {
        dr_fail(&err, DR_ERR_INVALID, "a cache of %lld bytes", (long long)max_bytes);
        return api_end(-1, &err, ret_err);
    }
    if (store_open(dir, &store, &err) < 0)
        return api_end(-1, &err, ret_err);
    int rc = store_prune(store, max_bytes, 0, &freed, &err);
    if (rc == 0 && ret_json) {
        dr_auto_json json_t *json = json_object();
        dr_json_set_int(json, "blobs", (int64_t)(freed.blobs + freed.partials));
        dr_json_set_int(json, "space_reclaimed", freed.bytes + freed.partial_bytes);
        *ret_json = dr_json_text(json);
    }
    store_close(store);
    return api_end(rc, &err, ret_err);
}
