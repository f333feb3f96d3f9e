/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Waiting for a container by what happens over there. The events are asked for from the
 * container's own beginning on, by the target's clock, so none of them can be missed
 * between a look and the request.
 */
#include <string.h>

#include "base/text.h"

#include "base/text.h"
#include "host/deploy-run.h"
#include "host/stream.h"

#define EVENT_MAX (1u << 20)

enum verdict { NOT_YET, IT_IS, NEVER };

static const char *text_of(const json_t *summary, const char *key)
{
    return dr_json_str(summary, key) ?: "";
}

static enum verdict ended(const json_t *s, struct dr_error *err)
{
    const json_t *code = json_object_get(s, "exit_code");
    if (json_is_integer(code))
        dr_fail(err, DR_ERR_CONFLICT, "it ended with %lld%s",
                (long long)json_integer_value(code),
                dr_json_bool(s, "oom_killed") ? " for lack of memory" : "");
    else
        dr_fail(err, DR_ERR_CONFLICT, "it has ended");
    return NEVER;
}

static enum verdict judge(const json_t *s, enum deploy_until until, struct dr_error *err)
{
    const char *status = text_of(s, "status"), *health = text_of(s, "health");
    bool running = strcmp(status, "running") == 0;
    if (strcmp(status, "exited") == 0) {
        if (until == DEPLOY_UNTIL_COMPLETED && dr_json_int(s, "exit_code", -1) == 0)
            return IT_IS;
        return ended(s, err);
    }
    if (strcmp(status, "dead") == 0) {
        dr_fail(err, DR_ERR_CONFLICT, "it is torn: %s", text_of(s, "error"));
        return NEVER;
    }
    if (until == DEPLOY_UNTIL_READY && strcmp(status, "scheduled") == 0)
        return IT_IS; /* a cron, whose time will come */
    if (until == DEPLOY_UNTIL_COMPLETED || !running)
        return NOT_YET;
    if (strcmp(health, "healthy") == 0 || (until == DEPLOY_UNTIL_READY && !*health))
        return IT_IS;
    if (!*health)
        dr_fail(err, DR_ERR_CONFLICT,
                "it has no health check: depend on `started`, or give it one");
    else if (strcmp(health, "unhealthy") == 0)
        dr_fail(err, DR_ERR_CONFLICT, "it is unhealthy");
    else
        return NOT_YET;
    return NEVER;
}

static int look(struct dray_target *target, const char *container,
                const struct limits *limits, json_t **ret, struct dr_error *err)
{
    return request_call(target, request_for("container.state", container), limits, ret,
                        err);
}

static int open_events(struct dray_target *target, const json_t *summary,
                       const struct limits *limits, struct dray_stream **ret,
                       struct dr_error *err)
{
    static const char *const kinds[] = {"event=health_status", "event=die", "event=start",
                                        "event=destroy"};
    dr_auto_free char *mine = dr_printf("container=%s", text_of(summary, "id"));
    json_t *request = request_new("system.events"), *filters = json_array();
    int64_t since = dr_json_int(summary, "started_ns", 0);
    if (!since)
        since = dr_json_int(summary, "created_ns", 1);
    json_array_append_new(filters, json_string(mine));
    for (size_t i = 0; i < DR_COUNT(kinds); i++)
        json_array_append_new(filters, json_string(kinds[i]));
    dr_json_set_int(request, "since_ns", since);
    dr_json_set(request, "filters", filters);
    struct dray_call call = {-1, limits->cancel};
    return stream_open(target, request, &(struct stream_open){.kind = STREAM_EVENTS},
                       &call, ret, err);
}

/* The exit code in a "die" event. The state forgets it when the next run begins. */
static void note_end(const char *event, int64_t *last_code)
{
    dr_auto_error struct dr_error ignored = DR_ERROR_INIT;
    dr_auto_json json_t *json =
        event ? dr_json_parse(event, strlen(event), EVENT_MAX, &ignored) : NULL;
    const char *code = dr_json_str(dr_json_object(json, "attributes"), "exitCode");
    if (code)
        dr_int_parse(code, 0, 255, last_code);
}

/* The last word about a wait that took too long. */
static int too_long(const json_t *s, int64_t last_code, struct dr_error *err)
{
    dr_auto_free char *code =
        last_code >= 0
            ? dr_printf(", the last time it ended with %lld", (long long)last_code)
            : dr_strdup("");
    int64_t again = dr_json_int(s, "restart_count", 0);
    const char *health = text_of(s, "health");
    if (err->kind != DR_ERR_TIMEOUT)
        return -1;
    if (again > 0)
        return dr_fail(err, DR_ERR_TIMEOUT,
                       "it was not ready in time; it has been restarted %lld times%s",
                       (long long)again, code);
    return dr_fail(err, DR_ERR_TIMEOUT, "it was not ready in time; it is %s%s%s",
                   text_of(s, "status"), *health ? ", its health check is " : "", health);
}

#define WORDS_MAX 300

/* Why it ended is mostly the last thing that it said. */
static void add_last_line(struct dray_target *target, const char *container,
                          struct dr_error *err)
{
    const struct dray_logs_options options = {.size = sizeof options, .tail = 1};
    const struct dray_call call = {.timeout_ms = DEFAULT_TIMEOUT_MS};
    struct dray_error *ignored = NULL;
    struct dray_stream *logs = NULL;
    struct dray_event event;
    if (dray_container_logs(target, container, &options, &call, &logs, &ignored) == 0 &&
        dray_stream_next(logs, &call, &event, &ignored) == 1 && event.len > 0) {
        dr_auto_free char *line = dr_strndup(event.data, event.len);
        dr_auto_free char *safe = dr_escape(line, WORDS_MAX);
        dr_auto_free char *why = dr_strdup(err->text);
        enum dr_kind kind = err->kind;
        dr_error_release(err);
        dr_fail(err, kind, "%s; the last that it said: %s", why, safe);
    }
    dray_error_free(ignored);
    dray_stream_free(logs);
}

int deploy_wait(struct dray_target *target, const char *container,
                enum deploy_until until, const struct limits *limits,
                struct dr_error *err)
{
    dr_auto_json json_t *summary = NULL;
    struct dray_stream *events = NULL;
    enum verdict verdict = NOT_YET;
    int64_t last_code = -1;
    int rc = look(target, container, limits, &summary, err);
    if (rc == 0)
        verdict = judge(summary, until, err);
    if (rc == 0 && verdict == NOT_YET)
        rc = open_events(target, summary, limits, &events, err);
    while (rc == 0 && verdict == NOT_YET) {
        struct dray_event event;
        rc = stream_next(events, limits, &event, err);
        if (rc == 0)
            rc = dr_fail(err, DR_ERR_INTERNAL, "the target's events have ended");
        if (rc < 0)
            break;
        note_end(event.json, &last_code);
        json_t *now;
        rc = look(target, container, limits, &now, err);
        if (rc < 0)
            break;
        json_decref(summary);
        summary = now;
        verdict = judge(summary, until, err);
    }
    dray_stream_free(events);
    if (rc < 0)
        too_long(summary, last_code, err);
    if (verdict == NEVER || (rc < 0 && err->kind == DR_ERR_TIMEOUT))
        add_last_line(target, container, err);
    return rc == 0 && verdict == IT_IS ? 0 : -1;
}
