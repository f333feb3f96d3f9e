/* SPDX-License-Identifier: Apache-2.0 */
/* C13 to C23: a container's life. */
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "host/pull.h"
#include "host/requests.h"
#include "host/target.h"
#include "spec/table.h"

/* stop waits that long for a container whose own timeout is not known here. */
#define STOP_TIMEOUT_MS (60 * 60 * 1000LL)

int spec_check(const struct dray_spec *spec, struct dr_error *err)
{
    if (!spec->container->image || !*spec->container->image)
        return dr_fail(err, DR_ERR_INVALID, "the spec has no image");
    dr_auto_free char *image = spec_image_name(spec->container->image, err);
    if (!image)
        return dr_wrap(err, "image");
    return spec_container_check(spec->container, err);
}

int spec_request(const struct dray_spec *spec, const char *op, json_t **ret_request,
                 struct dr_error *err)
{
    if (spec_check(spec, err) < 0)
        return -1;
    *ret_request = request_new(op);
    dr_json_set(*ret_request, "spec", spec_container_to_json(spec->container));
    return 0;
}

void created_reply(const json_t *reply, char ret_id[DRAY_ID_SIZE], char **ret_warnings)
{
    const char *id = dr_json_str(reply, "id");
    if (ret_id)
        snprintf(ret_id, DRAY_ID_SIZE, "%s", id ? id : "");
    if (ret_warnings) {
        json_t *warnings = dr_json_array(reply, "warnings");
        *ret_warnings = warnings ? dr_json_text(warnings) : dr_strdup("[]");
    }
}

int dray_container_create(struct dray_target *target, const struct dray_spec *spec,
                          const struct dray_call *call, char ret_id[DRAY_ID_SIZE],
                          char **ret_warnings, struct dray_error **ret_err)
{
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    dr_auto_json json_t *reply = NULL;
    json_t *request;
    struct limits limits = limits_of(call, DEFAULT_TIMEOUT_MS);
    int rc = spec_request(spec, "container.create", &request, &err);
    if (rc == 0)
        rc = request_call(target, request, &limits, &reply, &err);
    if (rc == 0)
        created_reply(reply, ret_id, ret_warnings);
    return api_end(rc, &err, ret_err);
}

/* Requests that name a container and get nothing back. */
static int on_container(struct dray_target *target, const char *op, const char *container,
                        const struct dray_call *call, struct dray_error **ret_err)
{
    return api_call(target, request_for(op, container), call, DEFAULT_TIMEOUT_MS,
                    ret_err);
}

int dray_container_start(struct dray_target *target, const char *container,
                         const struct dray_call *call, struct dray_error **ret_err)
{
    return on_container(target, "container.start", container, call, ret_err);
}

int dray_container_pause(struct dray_target *target, const char *container,
                         const struct dray_call *call, struct dray_error **ret_err)
{
    return on_container(target, "container.pause", container, call, ret_err);
}

int dray_container_unpause(struct dray_target *target, const char *container,
                           const struct dray_call *call, struct dray_error **ret_err)
{
    return on_container(target, "container.unpause", container, call, ret_err);
}

static int stop_like(struct dray_target *target, const char *op, const char *container,
                     const char *signal, int64_t timeout_s, const struct dray_call *call,
                     struct dray_error **ret_err)
{
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    int number = 0;
    if (signal && spec_signal_parse(signal, &number, &err) < 0)
        return api_end(-1, &err, ret_err);
    json_t *request = request_for(op, container);
    int64_t wait_ms = STOP_TIMEOUT_MS;
    if (number)
        dr_json_set_int(request, "signal", number);
    if (timeout_s >= 0) {
        dr_json_set_int(request, "timeout_s", timeout_s);
        wait_ms = timeout_s < INT64_MAX / 2000 ? timeout_s * 1000 : INT64_MAX / 2;
    }
    return api_call(target, request, call, DEFAULT_TIMEOUT_MS + wait_ms, ret_err);
}

int dray_container_stop(struct dray_target *target, const char *container,
                        int64_t timeout_s, const struct dray_call *call,
                        struct dray_error **ret_err)
{
    return stop_like(target, "container.stop", container, NULL, timeout_s, call, ret_err);
}

int dray_container_restart(struct dray_target *target, const char *container,
                           int64_t timeout_s, const struct dray_call *call,
                           struct dray_error **ret_err)
{
    return stop_like(target, "container.restart", container, NULL, timeout_s, call,
                     ret_err);
}

int dray_container_stop_by(struct dray_target *target, const char *container,
                           const char *signal, int64_t timeout_s,
                           const struct dray_call *call, struct dray_error **ret_err)
{
    return stop_like(target, "container.stop", container, signal, timeout_s, call,
                     ret_err);
}

int dray_container_restart_by(struct dray_target *target, const char *container,
                              const char *signal, int64_t timeout_s,
                              const struct dray_call *call, struct dray_error **ret_err)
{
    return stop_like(target, "container.restart", container, signal, timeout_s, call,
                     ret_err);
}

int dray_container_kill(struct dray_target *target, const char *container,
                        const char *signal, const struct dray_call *call,
                        struct dray_error **ret_err)
{
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    int number;
    if (spec_signal_parse(signal ? signal : "SIGKILL", &number, &err) < 0)
        return api_end(-1, &err, ret_err);
    json_t *request = request_for("container.kill", container);
    dr_json_set_int(request, "signal", number);
    return api_call(target, request, call, DEFAULT_TIMEOUT_MS, ret_err);
}

int dray_container_remove(struct dray_target *target, const char *container, bool force,
                          bool volumes, const struct dray_call *call,
                          struct dray_error **ret_err)
{
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    struct limits limits = limits_of(call, DEFAULT_TIMEOUT_MS);
    json_t *request = request_for("container.remove", container);
    dr_json_set_bool(request, "force", force);
    dr_json_set_bool(request, "volumes", volumes);
    int rc = request_call(target, request, &limits, NULL, &err);
    if (rc < 0 && err.kind == DR_ERR_NOT_FOUND) /* C19: there is nothing to do */
        rc = 0;
    return api_end(rc, &err, ret_err);
}

int dray_container_rename(struct dray_target *target, const char *container,
                          const char *name, const struct dray_call *call,
                          struct dray_error **ret_err)
{
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    if (spec_name_check(name ? name : "", &err) < 0)
        return api_end(-1, &err, ret_err);
    json_t *request = request_for("container.rename", container);
    dr_json_set_str(request, "name", name);
    return api_call(target, request, call, DEFAULT_TIMEOUT_MS, ret_err);
}

/* --- update: the spec's own fields, those that can change --- */

static int add_change(json_t *request, struct spec_container *parsed, const char *field,
                      const char *value, struct dr_error *err)
{
    const struct {
        const char *field, *member;
        const int64_t *value;
    } changes[] = {{"memory", "memory_bytes", &parsed->memory_bytes},
                   {"cpus", "nano_cpus", &parsed->nano_cpus},
                   {"cpu_shares", "cpu_shares", &parsed->cpu_shares},
                   {"pids_limit", "pids_limit", &parsed->pids_limit},
                   {"restart", "restart_max", &parsed->restart_max}};
    for (size_t i = 0; i < DR_COUNT(changes); i++) {
        if (strcmp(changes[i].field, field) != 0)
            continue;
        if (spec_field(parsed, field, false, value, err) < 0)
            return -1;
        dr_json_set_int(request, changes[i].member, *changes[i].value);
        if (strcmp(field, "restart") == 0)
            dr_json_set_str(request, "restart", parsed->restart);
        return 0;
    }
    return dr_fail(
        err, DR_ERR_INVALID,
        "'%s' cannot be changed: only memory, cpus, cpu_shares, pids_limit and "
        "restart can",
        field);
}

int dray_container_update(struct dray_target *target, const char *container,
                          const char *const *fields, const struct dray_call *call,
                          struct dray_error **ret_err)
{
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    dr_auto_json json_t *request = request_for("container.update", container);
    spec_auto_container struct spec_container *parsed = spec_container_new();
    for (; fields && fields[0]; fields += 2)
        if (add_change(request, parsed, fields[0], fields[1], &err) < 0)
            return api_end(-1, &err, ret_err);
    return api_call(target, json_incref(request), call, DEFAULT_TIMEOUT_MS, ret_err);
}

/* --- what one asks of it --- */

int dray_container_wait(struct dray_target *target, const char *container,
                        const struct dray_call *call, bool *ret_known, int *ret_code,
                        struct dray_error **ret_err)
{
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    dr_auto_json json_t *reply = NULL;
    struct limits limits = limits_of(call, NO_TIMEOUT);
    int rc = request_call(target, request_for("container.wait", container), &limits,
                          &reply, &err);
    if (rc == 0) {
        bool known = json_is_integer(json_object_get(reply, "exit_code"));
        if (ret_known)
            *ret_known = known;
        if (ret_code)
            *ret_code = known ? (int)dr_json_int(reply, "exit_code", 0) : -1;
    }
    return api_end(rc, &err, ret_err);
}

int dray_container_inspect(struct dray_target *target, const char *container,
                           const struct dray_call *call, char **ret_json,
                           struct dray_error **ret_err)
{
    return api_json(target, request_for("container.inspect", container), call, ret_json,
                    ret_err);
}

int dray_container_inspect_sized(struct dray_target *target, const char *container,
                                 const struct dray_call *call, char **ret_json,
                                 struct dray_error **ret_err)
{
    json_t *request = request_for("container.inspect", container);
    dr_json_set_bool(request, "size", true);
    return api_json(target, request, call, ret_json, ret_err);
}

static const char *some(const char *text)
{
    return text && *text ? text : NULL;
}

/* Docker's inspect has one address at the top and one per network. */
static const char *address_in(const json_t *inspect)
{
    json_t *settings = dr_json_object(inspect, "NetworkSettings"), *network;
    const char *ip = some(dr_json_str(settings, "IPAddress")), *name;
    json_object_foreach (dr_json_object(settings, "Networks"), name, network) {
        if (!ip)
            ip = some(dr_json_str(network, "IPAddress"));
        if (!ip)
            ip = some(dr_json_str(network, "GlobalIPv6Address"));
    }
    return ip;
}

int dray_container_ip(struct dray_target *target, const char *container,
                      const struct dray_call *call, char **ret_ip,
                      struct dray_error **ret_err)
{
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    dr_auto_json json_t *reply = NULL;
    struct limits limits = limits_of(call, DEFAULT_TIMEOUT_MS);
    int rc = request_call(target, request_for("container.inspect", container), &limits,
                          &reply, &err);
    if (rc == 0) {
        bool running = dr_json_bool(dr_json_object(reply, "State"), "Running");
        *ret_ip = dr_strdup(running ? address_in(reply) : NULL);
    }
    return api_end(rc, &err, ret_err);
}

int dray_container_prune(struct dray_target *target, char *const *filters,
                         const struct dray_call *call, char **ret_json,
                         struct dray_error **ret_err)
{
    json_t *request = request_new("container.prune");
    dr_json_set(request, "filters", dr_json_from_strv(filters));
    return api_json(target, request, call, ret_json, ret_err);
}

int dray_container_top(struct dray_target *target, const char *container,
                       const char *columns, const struct dray_call *call, char **ret_json,
                       struct dray_error **ret_err)
{
    json_t *request = request_for("container.top", container);
    dr_json_set_str(request, "columns", columns);
    return api_json(target, request, call, ret_json, ret_err);
}
