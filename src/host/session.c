/* SPDX-License-Identifier: Apache-2.0 */
/* A session with one helper, and the requests that go over it. */
#include <string.h>

#include "base/text.h"
#include "host/target.h"

/* One that lives hears that we leave, and says so at once: LEAVE_MS are for a line that
 * is slow, and for a machine that is. It may have something to put in order then, and has
 * END_WAIT_MS for it. One that is stopped or hangs is not waited for. */
#define LEAVE_MS 2000
#define END_WAIT_MS 10000
#define LOST_WAIT_MS 500

void session_unref(struct session *session)
{
    if (!session || atomic_fetch_sub(&session->refs, 1) != 1)
        return;
    int wait_ms = LOST_WAIT_MS;
    if (session->mux && wire_mux_greeted(session->mux) && !wire_mux_ended(session->mux))
        wait_ms = wire_mux_leave(session->mux, LEAVE_MS) ? END_WAIT_MS : 0;
    wire_mux_free(session->mux);
    transport_close(&session->transport, wait_ms);
    free(session);
}

int session_fail_hello(const struct session *session, struct dr_error *err)
{
    dr_auto_free char *said = transport_said(&session->transport);
    double seconds = (double)(session->hello_deadline_ms - session->begun_ms) / 1000;
    dr_error_release(err);
    return dr_fail_at(err, DR_AT_TRANSPORT, DR_ERR_UNAVAILABLE, 0,
                      "%s: the helper did not say hello in time (%.3g s)%s%s; is the "
                      "machine overloaded, or stopped? A longer connect_timeout waits "
                      "longer",
                      transport_name(&session->transport), seconds,
                      *said ? "; it said: " : "", said);
}

json_t *request_new(const char *op)
{
    json_t *request = json_object();
    dr_json_set_str(request, "op", op);
    return request;
}

json_t *request_named(const char *op, const char *key, const char *name)
{
    json_t *request = request_new(op);
    dr_json_set_str(request, key, name ? name : "");
    return request;
}

json_t *request_for(const char *op, const char *container)
{
    return request_named(op, "id", container);
}

void request_set_path(json_t *request, const char *path)
{
    if (!path || dr_json_is_text(path)) {
        dr_json_set_str(request, "path", path ? path : "");
        return;
    }
    dr_auto_free char *encoded = dr_base64(path, strlen(path));
    dr_json_set_str(request, "path_b64", encoded);
}

void item_release(struct wire_item *item)
{
    free(item->data);
    json_decref(item->json);
    *item = (struct wire_item){.type = WIRE_ITEM_EVENT};
}

static int64_t earlier(int64_t a, int64_t b)
{
    return !a || b < a ? b : a;
}

/* The caller's limits; until the helper has said hello also its own deadline. */
static struct wire_limit wire_limit_of(struct session *session,
                                       const struct limits *limits)
{
    struct wire_limit limit = {limits->deadline_ms,
                               limits->cancel ? limits->cancel->fd : -1};
    if (!wire_mux_greeted(session->mux))
        limit.deadline_ms = earlier(limit.deadline_ms, session->hello_deadline_ms);
    return limit;
}

/* A wait timed out. 0: only because the hello had a deadline, and it came: go on. */
static int timed_out(struct session *session, const struct limits *limits,
                     struct dr_error *err)
{
    int64_t now = dr_clock_ms();
    bool greeted = wire_mux_greeted(session->mux);
    if (limits->deadline_ms && now >= limits->deadline_ms &&
        (greeted || limits->deadline_ms < session->hello_deadline_ms))
        return -1; /* the earlier one says what it is, however late we look */
    dr_error_release(err);
    if (greeted || now < session->hello_deadline_ms)
        return 0;
    session_fail_hello(session, err);
    wire_mux_break(session->mux, err);
    return -1;
}

static int check_names(const json_t *request, struct dr_error *err)
{
    static const struct {
        const char *key, *what;
    } names[] = {{"id", "container"}, {"ref", "image"}, {"name", "name"}};
    for (size_t i = 0; i < DR_COUNT(names); i++) {
        const char *value = dr_json_str(request, names[i].key);
        if (value && !*value)
            return dr_fail(err, DR_ERR_INVALID, "no %s is given", names[i].what);
    }
    return 0;
}

static int open_once(struct session *session, const json_t *request,
                     const struct limits *limits, struct wire_chan **ret_chan,
                     struct dr_error *err)
{
    for (;;) {
        int rc = wire_open_within(session->mux, request, wire_limit_of(session, limits),
                                  ret_chan, err);
        if (rc == 0 || err->kind != DR_ERR_TIMEOUT || timed_out(session, limits, err) < 0)
            return rc;
    }
}

static int open_live(struct dray_target *target, const json_t *request,
                     const struct limits *limits, struct session **ret_session,
                     struct wire_chan **ret_chan, struct dr_error *err)
{
    for (bool again = true;; again = false) {
        struct session *session;
        if (target_session(target, &session, err) < 0)
            return -1;
        if (open_once(session, request, limits, ret_chan, err) == 0) {
            *ret_session = session;
            return 0;
        }
        /* it had died, and this request noticed it: nothing of it has reached anybody */
        bool lost = err->kind == DR_ERR_UNAVAILABLE && wire_mux_greeted(session->mux) &&
                    wire_mux_ended(session->mux);
        session_unref(session);
        if (!lost || !again)
            return -1;
        dr_error_release(err);
    }
}

int request_open(struct dray_target *target, const json_t *request,
                 const struct limits *limits, struct session **ret_session,
                 struct wire_chan **ret_chan, struct dr_error *err)
{
    if (check_names(request, err) < 0 || limits_cancelled(limits, err) < 0 ||
        target_enter(target, err) < 0)
        return -1;
    int rc = open_live(target, request, limits, ret_session, ret_chan, err);
    target_leave(target);
    return rc;
}

int request_next(struct session *session, struct wire_chan *chan,
                 const struct limits *limits, struct wire_item *ret_item,
                 struct dr_error *err)
{
    if (limits_cancelled(limits, err) < 0)
        return -1;
    for (;;) {
        wire_limit(chan, WIRE_IN, wire_limit_of(session, limits));
        int rc = wire_next(chan, ret_item, err);
        if (rc == 0 || err->kind != DR_ERR_TIMEOUT || timed_out(session, limits, err) < 0)
            return rc;
    }
}

/* items: NULL when what comes before the reply is not wanted */
static int collect(struct dray_target *target, const json_t *request,
                   const struct limits *limits, json_t *items, json_t **ret_reply,
                   struct dr_error *err)
{
    struct session *session;
    struct wire_chan *chan;
    if (request_open(target, request, limits, &session, &chan, err) < 0)
        return -1;
    struct wire_item item = {.type = WIRE_ITEM_EVENT};
    int rc = 0;
    while (rc == 0 && item.type != WIRE_ITEM_RESULT) {
        rc = request_next(session, chan, limits, &item, err);
        if (rc == 0 && item.type == WIRE_ITEM_EVENT && items)
            json_array_append(items, json_object_get(item.json, "item"));
        if (rc == 0 && item.type != WIRE_ITEM_RESULT)
            item_release(&item);
    }
    if (rc == 0)
        rc = wire_result(chan, ret_reply, err);
    wire_close(chan);
    session_unref(session);
    return rc;
}

int request_call(struct dray_target *target, json_t *request, const struct limits *limits,
                 json_t **ret_reply, struct dr_error *err)
{
    dr_auto_json json_t *taken = request;
    return collect(target, taken, limits, NULL, ret_reply, err);
}

int request_list(struct dray_target *target, json_t *request, const struct limits *limits,
                 json_t **ret_items, struct dr_error *err)
{
    dr_auto_json json_t *taken = request, *items = json_array();
    if (collect(target, taken, limits, items, NULL, err) < 0)
        return -1;
    *ret_items = DR_TAKE(items);
    return 0;
}

int api_call(struct dray_target *target, json_t *request, const struct dray_call *call,
             int64_t otherwise_ms, struct dray_error **ret_err)
{
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    struct limits limits = limits_of(call, otherwise_ms);
    return api_end(request_call(target, request, &limits, NULL, &err), &err, ret_err);
}

int api_json(struct dray_target *target, json_t *request, const struct dray_call *call,
             char **ret_json, struct dray_error **ret_err)
{
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    dr_auto_json json_t *reply = NULL;
    struct limits limits = limits_of(call, DEFAULT_TIMEOUT_MS);
    int rc = request_call(target, request, &limits, &reply, &err);
    if (rc == 0 && ret_json)
        *ret_json = dr_json_text(reply);
    return api_end(rc, &err, ret_err);
}

int api_list(struct dray_target *target, json_t *request, const struct dray_call *call,
             char **ret_json, struct dray_error **ret_err)
{
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    dr_auto_json json_t *items = NULL;
    struct limits limits = limits_of(call, DEFAULT_TIMEOUT_MS);
    int rc = request_list(target, request, &limits, &items, &err);
    if (rc == 0 && ret_json)
        *ret_json = dr_json_text(items);
    return api_end(rc, &err, ret_err);
}
