/* SPDX-License-Identifier: Apache-2.0 */
/* The functions of dray.h that give a stream: each is one request. */
#include <string.h>

#include "host/requests.h"
#include "host/stream.h"

#define WARNINGS_MAX (1u << 20)

static int give(struct dray_target *target, json_t *request,
                const struct stream_open *how, const struct dray_call *call,
                struct dray_stream **ret_stream, struct dray_error **ret_err)
{
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    return api_end(stream_open(target, request, how, call, ret_stream, &err), &err,
                   ret_err);
}

static void add_size(json_t *request, unsigned rows, unsigned columns)
{
    if (!rows || !columns)
        return;
    dr_json_set_int(request, "rows", rows);
    dr_json_set_int(request, "columns", columns);
}

/* --- containers --- */

int dray_container_run(struct dray_target *target, const struct dray_spec *spec,
                       const struct dray_attach_options *options,
                       const struct dray_call *call, struct dray_stream **ret_stream,
                       struct dray_error **ret_err)
{
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    struct dray_attach_options o = {0};
    json_t *request;
    if (API_COPY(&o, options, &err) < 0 ||
        spec_request(spec, "container.run", &request, &err) < 0)
        return api_end(-1, &err, ret_err);
    dr_json_set_bool(request, "attach", true);
    add_size(request, o.rows, o.columns);
    struct stream_open how = {.kind = STREAM_CONTAINER,
                              .lines = o.lines,
                              .stdin_open = o.stdin_open,
                              .wait_started = true,
                              .starts = true};
    return give(target, request, &how, call, ret_stream, ret_err);
}

/* What only its start could tell, behind what creating it told. */
static void add_warnings(const json_t *event, char **warnings)
{
    const json_t *more = dr_json_array(event, "warnings");
    if (!more || !warnings)
        return;
    dr_auto_error struct dr_error ignored = DR_ERROR_INIT;
    dr_auto_free char *text = *warnings;
    dr_auto_json json_t *all = dr_json_parse(text, strlen(text), WARNINGS_MAX, &ignored);
    if (!all)
        all = json_array();
    json_array_extend(all, (json_t *)more);
    *warnings = dr_json_text(all);
}

int dray_container_run_detached(struct dray_target *target, const struct dray_spec *spec,
                                const struct dray_call *call, char ret_id[DRAY_ID_SIZE],
                                char **ret_warnings, struct dray_error **ret_err)
{
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    struct dray_stream *stream = NULL;
    json_t *request;
    struct dray_call whole = call ? *call : (struct dray_call){0};
    if (!whole.timeout_ms)
        whole.timeout_ms = DEFAULT_TIMEOUT_MS;
    struct limits limits = limits_of(&whole, NO_TIMEOUT);
    struct stream_open how = {.kind = STREAM_BYTES, .wait_started = true};
    if (spec_request(spec, "container.run", &request, &err) < 0 ||
        stream_open(target, request, &how, &whole, &stream, &err) < 0)
        return api_end(-1, &err, ret_err);
    struct dray_event event;
    int rc;
    while ((rc = stream_next(stream, &limits, &event, &err)) > 0) {
        if (event.type == DRAY_EVENT_CREATED)
            created_reply(stream->item.json, ret_id, ret_warnings);
        else if (event.type == DRAY_EVENT_STARTED)
            add_warnings(stream->item.json, ret_warnings);
    }
    dray_stream_free(stream);
    return api_end(rc, &err, ret_err);
}

int dray_container_start_warned(struct dray_target *target, const char *container,
                                const struct dray_call *call, char **ret_warnings,
                                struct dray_error **ret_err)
{
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    struct dray_stream *stream = NULL;
    struct dray_call whole = call ? *call : (struct dray_call){0};
    if (!whole.timeout_ms)
        whole.timeout_ms = DEFAULT_TIMEOUT_MS;
    struct limits limits = limits_of(&whole, NO_TIMEOUT);
    struct stream_open how = {.kind = STREAM_BYTES, .wait_started = true};
    if (stream_open(target, request_for("container.start", container), &how, &whole,
                    &stream, &err) < 0)
        return api_end(-1, &err, ret_err);
    dr_auto_free char *warnings = dr_strdup("[]");
    struct dray_event event;
    int rc;
    while ((rc = stream_next(stream, &limits, &event, &err)) > 0)
        if (event.type == DRAY_EVENT_STARTED)
            add_warnings(stream->item.json, &warnings);
    dray_stream_free(stream);
    if (rc == 0)
        *ret_warnings = DR_TAKE(warnings);
    return api_end(rc, &err, ret_err);
}

static int attach(struct dray_target *target, const char *op, const char *container,
                  const struct dray_attach_options *options, const struct dray_call *call,
                  struct dray_stream **ret_stream, struct dray_error **ret_err)
{
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    struct dray_attach_options o = {0};
    bool joins = strcmp(op, "container.attach") == 0;
    if (API_COPY(&o, options, &err) < 0)
        return api_end(-1, &err, ret_err);
    json_t *request = request_for(op, container);
    dr_json_set_bool(request, "stdin", o.stdin_open);
    if (joins) {
        dr_json_set_bool(request, "output", !o.no_output);
        dr_json_set_bool(request, "logs", o.logs);
    } else {
        dr_json_set_bool(request, "attach", true);
    }
    add_size(request, o.rows, o.columns);
    struct stream_open how = {.kind = STREAM_CONTAINER,
                              .lines = o.lines,
                              .joined = joins,
                              .stdin_open = o.stdin_open,
                              .wait_started = true,
                              .starts = !joins,
                              .id = container};
    return give(target, request, &how, call, ret_stream, ret_err);
}

int dray_container_start_attached(struct dray_target *target, const char *container,
                                  const struct dray_attach_options *options,
                                  const struct dray_call *call,
                                  struct dray_stream **ret_stream,
                                  struct dray_error **ret_err)
{
    return attach(target, "container.start", container, options, call, ret_stream,
                  ret_err);
}

int dray_container_attach(struct dray_target *target, const char *container,
                          const struct dray_attach_options *options,
                          const struct dray_call *call, struct dray_stream **ret_stream,
                          struct dray_error **ret_err)
{
    return attach(target, "container.attach", container, options, call, ret_stream,
                  ret_err);
}

int dray_container_dial(struct dray_target *target, const char *container, int port,
                        const char *protocol, const struct dray_call *call,
                        struct dray_stream **ret_stream, struct dray_error **ret_err)
{
    json_t *request = request_for("container.dial", container);
    dr_json_set_int(request, "port", port);
    dr_json_set_str(request, "protocol", protocol);
    struct stream_open how = {.kind = STREAM_CONNECTION,
                              .stdin_open = true,
                              .datagrams = protocol && strcmp(protocol, "udp") == 0,
                              .wait_started = true};
    return give(target, request, &how, call, ret_stream, ret_err);
}

/* --- logs --- */

static int logs(struct dray_target *target, const char *container,
                const struct dray_logs_options *options, bool timestamps,
                enum stream_kind kind, const struct dray_call *call,
                struct dray_stream **ret_stream, struct dr_error *err)
{
    struct dray_logs_options o = DRAY_LOGS_INIT;
    if (API_COPY(&o, options, err) < 0)
        return -1;
    json_t *request = request_for("container.logs", container);
    dr_json_set_bool(request, "follow", o.follow);
    dr_json_set_bool(request, "timestamps", timestamps);
    dr_json_set_int(request, "tail", o.tail < 0 ? -1 : o.tail);
    if (o.since_ns)
        dr_json_set_int(request, "since_ns", o.since_ns);
    if (o.until_ns)
        dr_json_set_int(request, "until_ns", o.until_ns);
    return stream_open(target, request, &(struct stream_open){.kind = kind}, call,
                       ret_stream, err);
}

/* C24: whose lines they are is no part of the log, so the container is asked as well. */
int dray_container_logs(struct dray_target *target, const char *container,
                        const struct dray_logs_options *options,
                        const struct dray_call *call, struct dray_stream **ret_stream,
                        struct dray_error **ret_err)
{
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    dr_auto_json json_t *summary = NULL;
    struct dray_stream *stream;
    struct limits limits = limits_of(call, DEFAULT_TIMEOUT_MS);
    int rc = request_call(target, request_for("container.state", container), &limits,
                          &summary, &err);
    if (rc == 0)
        rc = logs(target, container, options, true, STREAM_LOGS, call, &stream, &err);
    if (rc == 0) {
        stream->service = dr_strdup(dr_json_str(summary, "service"));
        stream->deployment = dr_strdup(dr_json_str(summary, "deployment"));
        *ret_stream = stream;
    }
    return api_end(rc, &err, ret_err);
}

int dray_container_logs_raw(struct dray_target *target, const char *container,
                            const struct dray_logs_options *options, bool timestamps,
                            const struct dray_call *call, struct dray_stream **ret_stream,
                            struct dray_error **ret_err)
{
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    return api_end(logs(target, container, options, timestamps, STREAM_BYTES, call,
                        ret_stream, &err),
                   &err, ret_err);
}

/* --- stats and events --- */

static json_t *stats_request(const char *const *containers, int64_t interval_ms,
                             bool once)
{
    json_t *request = request_new("container.stats");
    if (containers)
        dr_json_set(request, "ids", dr_json_from_strv((char *const *)containers));
    dr_json_set_int(request, "interval_ms", interval_ms > 0 ? interval_ms : 1000);
    dr_json_set_bool(request, "once", once);
    return request;
}

int dray_container_stats(struct dray_target *target, const char *container,
                         const struct dray_call *call, struct dray_stats *ret_stats,
                         struct dray_error **ret_err)
{
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    struct limits limits = limits_of(call, DEFAULT_TIMEOUT_MS);
    const char *const one[] = {container ? container : "", NULL};
    struct dray_stream *stream = NULL;
    struct dray_event event;
    bool found = false;
    int rc =
        stream_open(target, stats_request(one, 0, true),
                    &(struct stream_open){.kind = STREAM_EVENTS}, call, &stream, &err);
    while (rc >= 0 && (rc = stream_next(stream, &limits, &event, &err)) > 0) {
        if (event.type != DRAY_EVENT_STATS || found)
            continue;
        *ret_stats = event.stats;
        found = true;
    }
    if (rc == 0 && !found)
        rc = dr_fail(&err, DR_ERR_INTERNAL, "the helper sent no sample");
    dray_stream_free(stream);
    return api_end(rc, &err, ret_err);
}

int dray_stats_stream(struct dray_target *target, const char *const *containers,
                      int64_t interval_ms, bool once, const struct dray_call *call,
                      struct dray_stream **ret_stream, struct dray_error **ret_err)
{
    return give(target, stats_request(containers, interval_ms, once),
                &(struct stream_open){.kind = STREAM_EVENTS}, call, ret_stream, ret_err);
}

int dray_events(struct dray_target *target, int64_t since_ns, int64_t until_ns,
                char *const *filters, const struct dray_call *call,
                struct dray_stream **ret_stream, struct dray_error **ret_err)
{
    json_t *request = request_new("system.events");
    dr_json_set_int(request, "since_ns", since_ns);
    dr_json_set_int(request, "until_ns", until_ns);
    dr_json_set(request, "filters", dr_json_from_strv(filters));
    return give(target, request, &(struct stream_open){.kind = STREAM_EVENTS}, call,
                ret_stream, ret_err);
}

/* --- archives --- */

static json_t *path_request(const char *op, const char *container, const char *path)
{
    json_t *request = request_for(op, container);
    request_set_path(request, path);
    return request;
}

int dray_container_copy_out(struct dray_target *target, const char *container,
                            const char *path, bool follow, const struct dray_call *call,
                            struct dray_stream **ret_stream, struct dray_error **ret_err)
{
    json_t *request = path_request("container.copy_out", container, path);
    dr_json_set_bool(request, "follow", follow);
    return give(target, request, &(struct stream_open){.kind = STREAM_BYTES}, call,
                ret_stream, ret_err);
}

int dray_container_copy_in(struct dray_target *target, const char *container,
                           const char *path, bool owners, const struct dray_call *call,
                           struct dray_stream **ret_stream, struct dray_error **ret_err)
{
    json_t *request = path_request("container.copy_in", container, path);
    dr_json_set_bool(request, "owners", owners);
    struct stream_open how = {.kind = STREAM_BYTES, .stdin_open = true};
    return give(target, request, &how, call, ret_stream, ret_err);
}

int dray_container_export(struct dray_target *target, const char *container,
                          const struct dray_call *call, struct dray_stream **ret_stream,
                          struct dray_error **ret_err)
{
    return give(target, request_for("container.export", container),
                &(struct stream_open){.kind = STREAM_BYTES}, call, ret_stream, ret_err);
}

int dray_container_diff(struct dray_target *target, const char *container,
                        const struct dray_call *call, struct dray_stream **ret_stream,
                        struct dray_error **ret_err)
{
    return give(target, request_for("container.diff", container),
                &(struct stream_open){.kind = STREAM_BYTES}, call, ret_stream, ret_err);
}
