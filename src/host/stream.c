/* SPDX-License-Identifier: Apache-2.0 */
/* C24 to C27: what comes piece by piece, by pull. */
#include "host/stream.h"

#include <errno.h>
#include <string.h>

#include "base/text.h"

#define UNDO_TIMEOUT_MS 100 /* whoever gives up does not wait */

void dray_stream_free(struct dray_stream *stream)
{
    if (!stream)
        return;
    wire_close(stream->chan); /* gives it up over there when it has not ended */
    session_unref(stream->session);
    for (size_t i = stream->early_given; i < stream->early_count; i++)
        json_decref(stream->early[i]);
    for (size_t i = 0; i < DR_COUNT(stream->cutters); i++)
        line_cutter_release(&stream->cutters[i]);
    item_release(&stream->item);
    json_decref(stream->reply);
    dr_error_release(&stream->error);
    free(stream->json_text);
    free(stream->id);
    free(stream->service);
    free(stream->deployment);
    free(stream);
}

/* --- events from the other side's words --- */

static int64_t number(const json_t *json, const char *key)
{
    return dr_json_int(json, key, 0);
}

static void stats_event(const json_t *json, struct dray_event *ret)
{
    ret->type = DRAY_EVENT_STATS;
    ret->time_ns = number(json, "time_ns");
    ret->stats = (struct dray_stats){
        .time_ns = number(json, "time_ns"),
        .cpu_us = number(json, "cpu_us"),
        .system_cpu_us = number(json, "system_cpu_us"),
        .cpus = number(json, "cpus"),
        .memory_bytes = number(json, "memory_bytes"),
        .memory_limit_bytes = dr_json_int(json, "memory_limit_bytes", INT64_MAX),
        .pids = number(json, "pids"),
        .pids_limit = number(json, "pids_limit"),
        .block_read_bytes = number(json, "block_read_bytes"),
        .block_write_bytes = number(json, "block_write_bytes"),
        .net_rx_bytes = number(json, "net_rx_bytes"),
        .net_tx_bytes = number(json, "net_tx_bytes"),
    };
}

/* false: an event that this library does not know, or that is not for the caller. The
 * texts of ret lie in json, which stays in stream->item. */
static bool event_of(struct dray_stream *stream, const json_t *json,
                     struct dray_event *ret)
{
    const char *name = dr_json_str(json, "event");
    *ret = (struct dray_event){.id = dr_json_str(json, "id"),
                               .name = dr_json_str(json, "name")};
    if (!name)
        return false;
    if (strcmp(name, "created") == 0) {
        json_t *warnings = dr_json_array(json, "warnings");
        ret->type = DRAY_EVENT_CREATED;
        stream->json_text = warnings ? dr_json_text(warnings) : dr_strdup("[]");
    } else if (strcmp(name, "started") == 0) {
        ret->type = DRAY_EVENT_STARTED;
        ret->pid = number(json, "pid");
        ret->tty = dr_json_bool(json, "tty");
        json_t *warnings = dr_json_array(json, "warnings");
        stream->json_text = warnings ? dr_json_text(warnings) : NULL;
    } else if (strcmp(name, "stats") == 0) {
        stats_event(json, ret);
    } else if (strcmp(name, "round") == 0) {
        ret->type = DRAY_EVENT_ROUND;
    } else if (strcmp(name, "item") == 0) {
        ret->type = DRAY_EVENT_ITEM;
        stream->json_text = dr_json_text(json_object_get(json, "item"));
    } else {
        return false;
    }
    ret->json = stream->json_text;
    return true;
}

/* What a new event changes for us. */
static void note(struct dray_stream *stream, const json_t *json)
{
    const char *name = dr_json_str(json, "event"), *id = dr_json_str(json, "id");
    if (name && strcmp(name, "created") == 0 && id && stream->kind == STREAM_CONTAINER) {
        free(stream->id);
        stream->id = dr_strdup(id);
    }
    if (name && strcmp(name, "started") == 0) {
        stream->started = true;
        stream->tty = dr_json_bool(json, "tty");
    }
}

/* "<RFC 3339> text", as container.logs sends it with its times. A piece of a line that
 * was too long has none. */
static void log_event(struct dray_stream *stream, const struct line *line, int number,
                      bool begins, struct dray_event *ret)
{
    dr_auto_error struct dr_error unused = DR_ERROR_INIT;
    const char *space = begins ? memchr(line->data, ' ', line->len) : NULL;
    size_t time_len = space ? (size_t)(space - line->data) : 0;
    char time[64];
    *ret = (struct dray_event){.type = DRAY_EVENT_LOG,
                               .stream = number,
                               .data = line->data,
                               .len = line->len,
                               .partial = line->partial,
                               .service = stream->service,
                               .deployment = stream->deployment};
    if (!space || time_len >= sizeof time)
        return;
    memcpy(time, line->data, time_len);
    time[time_len] = '\0';
    if (dr_time_parse(time, &ret->time_ns, &unused) < 0)
        return;
    ret->data = space + 1;
    ret->len = line->len - time_len - 1;
}

static void line_event(struct dray_stream *stream, const struct line *line, int number,
                       struct dray_event *ret)
{
    struct line_cutter *cutter = &stream->cutters[number];
    if (stream->kind == STREAM_LOGS) {
        log_event(stream, line, number, !cutter->continues, ret);
        if (cutter->continues)
            ret->time_ns = cutter->time_ns;
        cutter->time_ns = ret->time_ns;
    } else {
        *ret = (struct dray_event){.type = DRAY_EVENT_OUTPUT,
                                   .stream = number,
                                   .data = line->data,
                                   .len = line->len,
                                   .partial = line->partial};
    }
    cutter->continues = line->partial;
}

static void exit_event(const struct dray_stream *stream, struct dray_event *ret)
{
    bool known = json_is_integer(json_object_get(stream->reply, "exit_code"));
    *ret = (struct dray_event){
        .type = DRAY_EVENT_EXIT,
        .exit_known = known,
        .exit_code = known ? (int)number(stream->reply, "exit_code") : -1,
        .oom_killed = dr_json_bool(stream->reply, "oom_killed"),
        .id = stream->id,
    };
}

/* --- pulling --- */

bool stream_by_lines(const struct dray_stream *stream)
{
    return stream->lines || stream->kind == STREAM_LOGS;
}

/* Data of an item: the next line of it, or all of it at once. */
static bool from_data(struct dray_stream *stream, struct dray_event *ret)
{
    struct wire_item *item = &stream->item;
    struct line line;
    if (!stream_by_lines(stream)) {
        if (stream->used == item->len)
            return false;
        stream->used = item->len;
        *ret = (struct dray_event){.type = DRAY_EVENT_OUTPUT,
                                   .stream = item->stream,
                                   .data = item->data,
                                   .len = item->len};
        return true;
    }
    if (!line_next(&stream->cutters[item->stream], item->data, item->len, &stream->used,
                   &line))
        return false;
    line_event(stream, &line, item->stream, ret);
    return true;
}

/* The end of one stream may leave a line without an end. */
static bool from_eof(struct dray_stream *stream, int number, struct dray_event *ret)
{
    struct line line;
    if (!stream_by_lines(stream) || !line_last(&stream->cutters[number], &line))
        return false;
    line_event(stream, &line, number, ret);
    return true;
}

/* After the reply: what the cutters still hold, then the EXIT, then the end. */
static int from_reply(struct dray_stream *stream, struct dray_event *ret,
                      struct dr_error *err)
{
    for (; stream->flushing < WIRE_STREAMS; stream->flushing++)
        if (from_eof(stream, stream->flushing, ret))
            return 1;
    if (stream->error.kind != DR_ERR_NONE)
        return dr_error_copy(err, &stream->error);
    if (stream->ended)
        return 0;
    stream->ended = true;
    bool process = stream->kind == STREAM_CONTAINER || stream->kind == STREAM_EXEC;
    bool view = stream->joined &&
                json_is_null(json_object_get(stream->reply, "exit_code")) &&
                !dr_json_bool(stream->reply, "ended");
    if (!process || view)
        return 0;
    exit_event(stream, ret);
    return 1;
}

/* A new item. true: it is an event for the caller. */
static bool from_item(struct dray_stream *stream, struct dray_event *ret)
{
    switch (stream->item.type) {
    case WIRE_ITEM_DATA:
        stream->used = 0;
        return from_data(stream, ret);
    case WIRE_ITEM_EOF:
        if (stream->kind == STREAM_CONNECTION) {
            *ret = (struct dray_event){.type = DRAY_EVENT_EOF,
                                       .stream = stream->item.stream};
            return true;
        }
        return from_eof(stream, stream->item.stream, ret);
    case WIRE_ITEM_EVENT:
        note(stream, stream->item.json);
        return event_of(stream, stream->item.json, ret);
    case WIRE_ITEM_RESULT:
        stream->over = true;
        wire_result(stream->chan, &stream->reply, &stream->error);
        return false;
    default:
        return false;
    }
}

static bool from_early(struct dray_stream *stream, struct dray_event *ret)
{
    while (stream->early_given < stream->early_count) {
        stream->item = (struct wire_item){.type = WIRE_ITEM_EVENT,
                                          .json = stream->early[stream->early_given++]};
        if (event_of(stream, stream->item.json, ret))
            return true;
        item_release(&stream->item);
    }
    return false;
}

/* 1: an event; 2: a new item is needed; else as dray_stream_next */
static int from_what_is_here(struct dray_stream *stream, struct dray_event *ret,
                             struct dr_error *err)
{
    free(DR_TAKE(stream->json_text));
    if (stream->item.type == WIRE_ITEM_DATA && from_data(stream, ret))
        return 1;
    wire_item_done(stream->chan, &stream->item);
    if (from_early(stream, ret))
        return 1;
    return stream->over ? from_reply(stream, ret, err) : 2;
}

/* The session broke: so it stays. The caller's limits leave the stream as it is. */
static int no_item(struct dray_stream *stream, struct dr_error *err)
{
    if (!wire_mux_ended(stream->session->mux))
        return -1;
    stream->over = true;
    stream->flushing = WIRE_STREAMS; /* a line that was cut off is no line */
    dr_error_copy(&stream->error, err);
    return -1;
}

int stream_next(struct dray_stream *stream, const struct limits *limits,
                struct dray_event *ret_event, struct dr_error *err)
{
    for (;;) {
        int rc = from_what_is_here(stream, ret_event, err);
        if (rc != 2)
            return rc;
        if (request_next(stream->session, stream->chan, limits, &stream->item, err) < 0) {
            stream->item = (struct wire_item){.type = WIRE_ITEM_EVENT};
            return no_item(stream, err);
        }
        if (from_item(stream, ret_event))
            return 1;
    }
}

int stream_try_next(struct dray_stream *stream, struct dray_event *ret_event,
                    struct dr_error *err)
{
    for (;;) {
        int rc = from_what_is_here(stream, ret_event, err);
        if (rc != 2)
            return rc;
        rc = wire_try_next(stream->chan, &stream->item, err);
        if (rc != 0)
            stream->item = (struct wire_item){.type = WIRE_ITEM_EVENT};
        if (rc == 1)
            return 2;
        if (rc < 0)
            return no_item(stream, err);
        if (from_item(stream, ret_event))
            return 1;
    }
}

int dray_stream_next(struct dray_stream *stream, const struct dray_call *call,
                     struct dray_event *ret_event, struct dray_error **ret_err)
{
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    struct limits limits = limits_of(call, NO_TIMEOUT);
    struct dray_event event = {0};
    int rc = stream_next(stream, &limits, &event, &err);
    if (rc == 1)
        *ret_event = event;
    return api_end(rc, &err, ret_err);
}

/* --- the other direction --- */

static struct wire_limit out_limit(const struct limits *limits)
{
    return (struct wire_limit){limits->deadline_ms,
                               limits->cancel ? limits->cancel->fd : -1};
}

/* The channel has ended, which is told as a closed pipe is. */
static int write_failed(const struct dray_stream *stream, const struct limits *limits,
                        struct dr_error *err)
{
    bool ours = limits->cancel && atomic_load(&limits->cancel->triggered);
    if (err->kind == DR_ERR_CANCELLED && !ours && !wire_mux_ended(stream->session->mux))
        return dr_fail_at(err, DR_AT_GUEST, DR_ERR_CONFLICT, EPIPE,
                          "nobody reads any more: it has ended");
    return -1;
}

int stream_write(struct dray_stream *stream, const void *data, size_t len,
                 const struct limits *limits, struct dr_error *err)
{
    if (!stream->stdin_open)
        return dr_fail(err, DR_ERR_CONFLICT, "the stream takes no input");
    wire_limit(stream->chan, WIRE_OUT, out_limit(limits));
    if (limits_cancelled(limits, err) < 0)
        return -1;
    if (stream->datagrams && wire_credit(stream->chan, WIRE_STDIN) < len)
        return 0;
    if (wire_write(stream->chan, WIRE_STDIN, data, len, err) < 0)
        return write_failed(stream, limits, err);
    return 0;
}

int dray_stream_write(struct dray_stream *stream, const void *data, size_t len,
                      const struct dray_call *call, struct dray_error **ret_err)
{
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    struct limits limits = limits_of(call, NO_TIMEOUT);
    return api_end(stream_write(stream, data, len, &limits, &err), &err, ret_err);
}

int stream_close_stdin(struct dray_stream *stream, struct dr_error *err)
{
    struct limits limits = limits_of(NULL, ASIDE_TIMEOUT_MS);
    if (!stream->stdin_open)
        return 0;
    wire_limit(stream->chan, WIRE_OUT, out_limit(&limits));
    if (wire_eof(stream->chan, WIRE_STDIN, err) < 0 &&
        write_failed(stream, &limits, err) < 0 && err->kind != DR_ERR_CONFLICT)
        return -1;
    dr_error_release(err);
    stream->stdin_open = false;
    return 0;
}

int dray_stream_close_stdin(struct dray_stream *stream, struct dray_error **ret_err)
{
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    return api_end(stream_close_stdin(stream, &err), &err, ret_err);
}

/* Events overtake bytes that nobody has read yet; one for something that has just ended
 * is no failure. */
static int send_event(struct dray_stream *stream, const json_t *event,
                      struct dr_error *err)
{
    struct limits limits = limits_of(NULL, ASIDE_TIMEOUT_MS);
    if (wire_event_within(stream->chan, event, out_limit(&limits), err) == 0)
        return 0;
    write_failed(stream, &limits, err);
    if (err->kind != DR_ERR_CONFLICT)
        return -1;
    dr_error_release(err);
    return 0;
}

int stream_resize(struct dray_stream *stream, unsigned rows, unsigned columns,
                  struct dr_error *err)
{
    dr_auto_json json_t *event = json_object();
    dr_json_set_str(event, "event", "resize");
    dr_json_set_int(event, "rows", rows);
    dr_json_set_int(event, "columns", columns);
    return send_event(stream, event, err);
}

int dray_stream_resize(struct dray_stream *stream, unsigned rows, unsigned columns,
                       struct dray_error **ret_err)
{
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    return api_end(stream_resize(stream, rows, columns, &err), &err, ret_err);
}

/* To a container by a request of its own, which is there without stdin too. An exec has
 * its stream only. */
int stream_signal(struct dray_stream *stream, int signal, struct dr_error *err)
{
    struct limits limits = limits_of(NULL, ASIDE_TIMEOUT_MS);
    if (signal < 1 || signal > 64)
        return dr_fail(err, DR_ERR_INVALID, "%d is no signal", signal);
    if (stream->kind == STREAM_EXEC) {
        dr_auto_json json_t *event = json_object();
        dr_json_set_str(event, "event", "signal");
        dr_json_set_int(event, "signal", signal);
        return send_event(stream, event, err);
    }
    if (stream->kind != STREAM_CONTAINER || !stream->id)
        return dr_fail(err, DR_ERR_INVALID, "there is no process behind this stream");
    dr_auto_json json_t *request = request_for("container.kill", stream->id);
    dr_json_set_int(request, "signal", signal);
    return wire_call(stream->session->mux, request, limits.deadline_ms, NULL, err);
}

int dray_stream_signal(struct dray_stream *stream, int signal,
                       struct dray_error **ret_err)
{
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    return api_end(stream_signal(stream, signal, &err), &err, ret_err);
}

/* --- opening --- */

/* Until it has started; what came before is given out by dray_stream_next. */
static int wait_started(struct dray_stream *stream, const struct limits *limits,
                        struct dr_error *err)
{
    while (!stream->started && !stream->over && stream->early_count < STREAM_EARLY) {
        struct wire_item item;
        if (request_next(stream->session, stream->chan, limits, &item, err) < 0)
            return -1;
        if (item.type == WIRE_ITEM_EVENT) {
            note(stream, item.json);
            stream->early[stream->early_count++] = item.json;
        } else if (item.type == WIRE_ITEM_RESULT) {
            stream->over = true;
            if (wire_result(stream->chan, &stream->reply, err) < 0)
                return -1;
        } else { /* no other side does that */
            item_release(&item);
        }
    }
    return 0;
}

/* The other side undoes a start that has not succeeded yet. When it just has, our word
 * goes past its own, and it would take us for a viewer who leaves. */
static void undo_start(struct dray_stream *stream)
{
    dr_auto_json json_t *event = json_object();
    dr_auto_error struct dr_error ignored = DR_ERROR_INIT; /* nobody waits for that */
    struct limits limits = limits_of(NULL, UNDO_TIMEOUT_MS);
    dr_json_set_str(event, "event", "undo");
    wire_event_within(stream->chan, event, out_limit(&limits), &ignored);
}

int stream_open(struct dray_target *target, json_t *request,
                const struct stream_open *how, const struct dray_call *call,
                struct dray_stream **ret_stream, struct dr_error *err)
{
    dr_auto_json json_t *taken = request;
    struct limits limits = limits_of(call, NO_TIMEOUT);
    struct dray_stream *stream = dr_alloc(sizeof *stream);
    *stream = (struct dray_stream){.kind = how->kind,
                                   .lines = how->lines,
                                   .joined = how->joined,
                                   .stdin_open = how->stdin_open,
                                   .datagrams = how->datagrams,
                                   .id = dr_strdup(how->id),
                                   .item = {.type = WIRE_ITEM_EVENT}};
    for (size_t i = 0; i < DR_COUNT(stream->cutters); i++)
        stream->cutters[i] = LINE_CUTTER_INIT;
    int rc = request_open(target, taken, &limits, &stream->session, &stream->chan, err);
    if (rc == 0 && how->wait_started) {
        rc = wait_started(stream, &limits, err);
        if (rc < 0 && how->starts && !stream->over)
            undo_start(stream);
    }
    if (rc == 0)
        *ret_stream = stream;
    else
        dray_stream_free(stream);
    return rc;
}
