/* SPDX-License-Identifier: Apache-2.0 */
/* Networks of containers. */
#include "host/target.h"

static json_t *subnets_json(const struct dray_network_options *options)
{
    json_t *list = json_array();
    for (size_t i = 0; i < options->subnet_count; i++) {
        json_t *one = json_object();
        dr_json_set_str(one, "subnet", options->subnets[i].subnet);
        dr_json_set_str(one, "gateway", options->subnets[i].gateway);
        dr_json_set_str(one, "range", options->subnets[i].range);
        json_array_append_new(list, one);
    }
    return list;
}

int dray_network_create(struct dray_target *target, const char *name,
                        const struct dray_network_options *options,
                        const struct dray_call *call, char **ret_id,
                        struct dray_error **ret_err)
{
    static const struct dray_network_options defaults = DRAY_INIT(defaults);
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    dr_auto_json json_t *reply = NULL;
    struct limits limits = limits_of(call, DEFAULT_TIMEOUT_MS);
    const struct dray_network_options *o = options ? options : &defaults;
    json_t *request = request_named("network.create", "name", name);
    dr_json_set(request, "subnets", subnets_json(o));
    dr_json_set_bool(request, "internal", o->internal);
    dr_json_set_bool(request, "ipv6", o->ipv6);
    dr_json_set_int(request, "mtu", o->mtu);
    dr_json_set(request, "labels", dr_json_from_strv(o->labels));
    int rc = request_call(target, request, &limits, &reply, &err);
    if (rc == 0 && ret_id)
        *ret_id = dr_strdup(dr_json_str(reply, "id"));
    return api_end(rc, &err, ret_err);
}

int dray_network_list(struct dray_target *target, const struct dray_call *call,
                      char **ret_json, struct dray_error **ret_err)
{
    return api_list(target, request_new("network.list"), call, ret_json, ret_err);
}

int dray_network_inspect(struct dray_target *target, const char *network,
                         const struct dray_call *call, char **ret_json,
                         struct dray_error **ret_err)
{
    return api_json(target, request_named("network.inspect", "name", network), call,
                    ret_json, ret_err);
}

int dray_network_remove(struct dray_target *target, const char *network, bool force,
                        const struct dray_call *call, struct dray_error **ret_err)
{
    json_t *request = request_named("network.remove", "name", network);
    dr_json_set_bool(request, "force", force);
    return api_call(target, request, call, DEFAULT_TIMEOUT_MS, ret_err);
}

int dray_network_prune(struct dray_target *target, char *const *filters,
                       const struct dray_call *call, char **ret_json,
                       struct dray_error **ret_err)
{
    json_t *request = request_new("network.prune");
    dr_json_set(request, "filters", dr_json_from_strv(filters));
    return api_json(target, request, call, ret_json, ret_err);
}

static json_t *of_container(const char *op, const char *network, const char *container)
{
    json_t *request = request_named(op, "network", network);
    dr_json_set_str(request, "container", container);
    return request;
}

int dray_network_connect(struct dray_target *target, const char *network,
                         const char *container,
                         const struct dray_connect_options *options,
                         const struct dray_call *call, struct dray_error **ret_err)
{
    json_t *request = of_container("network.connect", network, container);
    if (options) {
        dr_json_set_str(request, "ip", options->ip);
        dr_json_set_str(request, "ip6", options->ip6);
        dr_json_set_str(request, "mac", options->mac_address);
        dr_json_set(request, "aliases", dr_json_from_strv(options->aliases));
    }
    return api_call(target, request, call, DEFAULT_TIMEOUT_MS, ret_err);
}

int dray_network_disconnect(struct dray_target *target, const char *network,
                            const char *container, const struct dray_call *call,
                            struct dray_error **ret_err)
{
    return api_call(target, of_container("network.disconnect", network, container), call,
                    DEFAULT_TIMEOUT_MS, ret_err);
}

int dray_record_ip(struct dray_target *target, const char *container, const char *ip,
                   const struct dray_call *call, struct dray_error **ret_err)
{
    json_t *request = request_named("network.record", "name", container);
    dr_json_set_str(request, "ip", ip ? ip : "");
    return api_call(target, request, call, DEFAULT_TIMEOUT_MS, ret_err);
}

int dray_record_gateway(struct dray_target *target, const char *container,
                        const char *gateway, const struct dray_call *call,
                        struct dray_error **ret_err)
{
    json_t *request = request_named("network.record", "name", container);
    dr_json_set_str(request, "gateway", gateway ? gateway : "");
    return api_call(target, request, call, DEFAULT_TIMEOUT_MS, ret_err);
}
