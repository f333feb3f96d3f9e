/* SPDX-License-Identifier: Apache-2.0 */
/* The cache of blobs, for people (C10). */
#include "host/cache.h"

#include "base/json.h"
#include "host/target.h"

#define MAX_BYTES (10ll << 30)
/* Parts of blobs that nobody came back for. */
#define PARTIAL_AGE_S (7 * 24 * 3600)

void cache_tidy(struct store *store)
{
    struct store_usage freed;
    dr_auto_error struct dr_error ignored = DR_ERROR_INIT;
    store_prune(store, MAX_BYTES, PARTIAL_AGE_S, &freed, &ignored);
}

int dray_cache_usage(const char *dir, char **ret_json, struct dray_error **ret_err)
{
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    struct store *store;
    struct store_usage usage;
    if (store_open(dir, &store, &err) < 0)
        return api_end(-1, &err, ret_err);
    int rc = store_usage(store, &usage, &err);
    if (rc == 0) {
        dr_auto_json json_t *json = json_object();
        dr_json_set_str(json, "dir", store_dir(store));
        dr_json_set_int(json, "blobs", (int64_t)usage.blobs);
        dr_json_set_int(json, "bytes", usage.bytes);
        dr_json_set_int(json, "partials", (int64_t)usage.partials);
        dr_json_set_int(json, "partial_bytes", usage.partial_bytes);
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
