/* SPDX-License-Identifier: Apache-2.0 */
/* Volumes, and what takes up the disk over there. */
#include "host/target.h"

int dray_volume_create(struct dray_target *target, const char *name, char *const *labels,
                       const struct dray_call *call, char **ret_name,
                       struct dray_error **ret_err)
{
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    dr_auto_json json_t *reply = NULL;
    struct limits limits = limits_of(call, DEFAULT_TIMEOUT_MS);
    json_t *request = request_new("volume.create");
    dr_json_set_str(request, "name", name);
    dr_json_set(request, "labels", dr_json_from_strv(labels));
    int rc = request_call(target, request, &limits, &reply, &err);
    if (rc == 0 && ret_name)
        *ret_name = dr_strdup(dr_json_str(reply, "name"));
    return api_end(rc, &err, ret_err);
}

int dray_volume_list(struct dray_target *target, const struct dray_call *call,
                     char **ret_json, struct dray_error **ret_err)
{
    return api_list(target, request_new("volume.list"), call, ret_json, ret_err);
}

int dray_volume_inspect(struct dray_target *target, const char *name,
                        const struct dray_call *call, char **ret_json,
                        struct dray_error **ret_err)
{
    return api_json(target, request_named("volume.inspect", "name", name), call, ret_json,
                    ret_err);
}

int dray_volume_remove(struct dray_target *target, const char *name, bool force,
                       const struct dray_call *call, struct dray_error **ret_err)
{
    json_t *request = request_named("volume.remove", "name", name);
    dr_json_set_bool(request, "force", force);
    return api_call(target, request, call, DEFAULT_TIMEOUT_MS, ret_err);
}

int dray_volume_prune(struct dray_target *target, bool all, char *const *filters,
                      const struct dray_call *call, char **ret_json,
                      struct dray_error **ret_err)
{
    json_t *request = request_new("volume.prune");
    dr_json_set_bool(request, "all", all);
    dr_json_set(request, "filters", dr_json_from_strv(filters));
    return api_json(target, request, call, ret_json, ret_err);
}

int dray_disk_usage(struct dray_target *target, const struct dray_call *call,
                    char **ret_json, struct dray_error **ret_err)
{
    return api_json(target, request_new("system.df"), call, ret_json, ret_err);
}
