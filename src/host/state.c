/* SPDX-License-Identifier: Apache-2.0 */
/* C20: the helper's summary of a container, as structs. */
#include <stdio.h>
#include <string.h>

#include "host/target.h"

static const struct {
    const char *status, *name;
} phases[] = {
    [DRAY_PENDING] = {"creating", "pending"},
    [DRAY_INITIALIZING] = {"created", "initializing"},
    [DRAY_RUNNING] = {"running", "running"},
    [DRAY_PAUSED] = {"paused", "paused"},
    [DRAY_STOPPING] = {"stopping", "stopping"},
    [DRAY_EXITED] = {"exited", "exited"},
    [DRAY_FAILED] = {"dead", "failed"},
    [DRAY_RESTARTING] = {"restarting", "restarting"},
    [DRAY_SCHEDULED] = {"scheduled", "scheduled"},
};

const char *dray_phase_name(enum dray_phase phase)
{
    return (unsigned)phase < DR_COUNT(phases) ? phases[phase].name : "failed";
}

static enum dray_phase phase_of(const char *status)
{
    for (size_t i = 0; i < DR_COUNT(phases); i++)
        if (strcmp(phases[i].status, status) == 0)
            return (enum dray_phase)i;
    return DRAY_FAILED;
}

static enum dray_health health_of(const char *health)
{
    static const char *const words[] = {[DRAY_HEALTH_NONE] = "none",
                                        [DRAY_HEALTH_STARTING] = "starting",
                                        [DRAY_HEALTHY] = "healthy",
                                        [DRAY_UNHEALTHY] = "unhealthy"};
    for (size_t i = 0; health && i < DR_COUNT(words); i++)
        if (strcmp(words[i], health) == 0)
            return (enum dray_health)i;
    return DRAY_HEALTH_NONE;
}

static void state_of(const json_t *summary, struct dray_state *ret)
{
    const char *status = dr_json_str(summary, "status");
    const char *reason = dr_json_str(summary, "error");
    *ret = (struct dray_state){
        .phase = phase_of(status ? status : ""),
        .health = health_of(dr_json_str(summary, "health")),
        .oom_killed = dr_json_bool(summary, "oom_killed"),
        .pid = dr_json_int(summary, "pid", 0),
        .restart_count = dr_json_int(summary, "restart_count", 0),
        .created_ns = dr_json_int(summary, "created_ns", 0),
        .started_ns = dr_json_int(summary, "started_ns", 0),
        .finished_ns = dr_json_int(summary, "finished_ns", 0),
        .next_run_ns = dr_json_int(summary, "next_run_ns", 0),
        .run_count = dr_json_int(summary, "run_count", 0),
        .failed_count = dr_json_int(summary, "failed_count", 0),
    };
    /* null from its start on: a code from before is no code of the state it is in */
    ret->exit_known =
        json_is_integer(json_object_get(summary, "exit_code")) && ret->finished_ns != 0;
    ret->exit_code = ret->exit_known ? (int)dr_json_int(summary, "exit_code", 0) : 0;
    if (reason && *reason)
        snprintf(ret->reason, sizeof ret->reason, "%s", reason);
    else if (ret->phase == DRAY_FAILED)
        snprintf(ret->reason, sizeof ret->reason, "its state is %s",
                 status ? status : "not known");
}

int dray_container_state(struct dray_target *target, const char *container,
                         const struct dray_call *call, struct dray_state *ret_state,
                         struct dray_error **ret_err)
{
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    dr_auto_json json_t *summary = NULL;
    struct limits limits = limits_of(call, DEFAULT_TIMEOUT_MS);
    int rc = request_call(target, request_for("container.state", container), &limits,
                          &summary, &err);
    if (rc == 0)
        state_of(summary, ret_state);
    return api_end(rc, &err, ret_err);
}

int dray_container_pid(struct dray_target *target, const char *container,
                       const struct dray_call *call, int64_t *ret_pid,
                       struct dray_error **ret_err)
{
    struct dray_state state;
    if (dray_container_state(target, container, call, &state, ret_err) < 0)
        return -1;
    *ret_pid = state.pid;
    return 0;
}

/* --- lists --- */

/* Everything that the items point to. */
struct list_memory {
    json_t *items;
    char **texts; /* two per item: labels and all of it */
};

static const char *or_empty(const char *text)
{
    return text ? text : "";
}

static void item_of(const json_t *summary, char **texts, struct dray_container *ret)
{
    json_t *labels = dr_json_object(summary, "labels");
    texts[0] = labels ? dr_json_text(labels) : dr_strdup("{}");
    texts[1] = dr_json_text(summary);
    *ret = (struct dray_container){
        .id = or_empty(dr_json_str(summary, "id")),
        .name = or_empty(dr_json_str(summary, "name")),
        .image = or_empty(dr_json_str(summary, "image")),
        .image_id = or_empty(dr_json_str(summary, "image_id")),
        .command = or_empty(dr_json_str(summary, "command")),
        .service = dr_json_str(summary, "service"),
        .deployment = dr_json_str(summary, "deployment"),
        .replica = (uint32_t)dr_json_int(summary, "replica", 0),
        .network = or_empty(dr_json_str(summary, "network")),
        .labels = texts[0],
        .json = texts[1],
    };
    state_of(summary, &ret->state);
}

int dray_container_list(struct dray_target *target, bool all,
                        const struct dray_call *call,
                        struct dray_container_list *ret_list, struct dray_error **ret_err)
{
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    struct limits limits = limits_of(call, DEFAULT_TIMEOUT_MS);
    json_t *request = request_new("container.list"), *items;
    dr_json_set_bool(request, "all", all);
    if (request_list(target, request, &limits, &items, &err) < 0)
        return api_end(-1, &err, ret_err);
    struct list_memory *memory = dr_alloc(sizeof *memory);
    size_t count = json_array_size(items);
    memory->items = items;
    memory->texts = dr_alloc((2 * count + 1) * sizeof *memory->texts);
    *ret_list = (struct dray_container_list){
        .count = count,
        .items = dr_alloc((count + 1) * sizeof *ret_list->items),
        .internal = memory,
    };
    for (size_t i = 0; i < count; i++)
        item_of(json_array_get(items, i), memory->texts + 2 * i, &ret_list->items[i]);
    return 0;
}

void dray_container_list_free(struct dray_container_list *list)
{
    struct list_memory *memory = list ? list->internal : NULL;
    if (!memory)
        return;
    json_decref(memory->items);
    dr_strv_free(memory->texts);
    free(memory);
    free(list->items);
    *list = (struct dray_container_list){0};
}
