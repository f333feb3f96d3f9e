/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the files of src/host share: a target behind the public handle, the session with
 * its helper, the limits of a call, and how a request goes over and comes back.
 */
#ifndef DRAY_HOST_TARGET_H
#define DRAY_HOST_TARGET_H

#include <pthread.h>
#include <stdatomic.h>

#include "base/json.h"
#include "dray.h"
#include "transport/transport.h"
#include "wire/mux.h"

/* --- sessions: one helper process each, shared by reference --- */

struct session {
    atomic_int refs;
    struct transport transport;
    struct wire_mux *mux;
    int64_t begun_ms, hello_deadline_ms;
    int64_t boot_deadline_ms; /* a little earlier: who brings the helper knows more */
    bool used;                /* a call has it, or had it; under the target's lock */
};

/* Starts a helper. Tests put one here that records and plays answers (C34). */
struct connector {
    int (*connect)(void *arg, struct transport *ret, struct dr_error *err);
    void *arg;
};

void session_unref(struct session *session); /* NULL is fine */
/* Its HELLO did not come until hello_deadline_ms. */
int session_fail_hello(const struct session *session, struct dr_error *err);

/* --- targets --- */

struct dray_target {
    char *address, *user, *root, *run_root, *bundle_root, *log_root, *runtime,
        *network_fallback, *cache_dir, *cache_limit;
    struct dray_registry_options registry; /* strings owned */
    int64_t connect_timeout_ms, line_timeout_ms;
    struct connector connector; /* connect NULL: the transport that address names */
    pthread_mutex_t lock;       /* everything below */
    pthread_cond_t idle;
    struct session *session; /* NULL: none was started, or it was lost */
    int spawn_count;
    size_t active; /* calls that are inside; dray_close waits for them */
    bool closing;
};

int target_open(const struct dray_open_options *options,
                const struct connector *connector, struct dray_target **ret_target,
                struct dr_error *err);
/* The live session, started anew when the last one was lost: by one thread, the others
 * wait for it. The caller unrefs. */
int target_session(struct dray_target *target, struct session **ret_session,
                   struct dr_error *err);

/* The helper's HELLO, a reference of the caller's; waits for it. */
int target_hello(struct dray_target *target, json_t **ret_hello, struct dr_error *err);
/* Around whatever looks at the target, so that dray_close waits for it. */
int target_enter(struct dray_target *target, struct dr_error *err);
void target_leave(struct dray_target *target);

/* --- limits --- */

struct dray_cancel {
    atomic_bool triggered;
    int fd; /* eventfd, readable once triggered */
};

struct limits {
    int64_t deadline_ms; /* dr_clock_ms() time; 0: none */
    struct dray_cancel *cancel;
};

#define DEFAULT_TIMEOUT_MS (5 * 60 * 1000LL)
#define NO_TIMEOUT (-1)
/* For the small requests of a stream, which have no limits of their own. */
#define ASIDE_TIMEOUT_MS 10000LL

/* otherwise_ms: what 0 and a call of NULL mean; NO_TIMEOUT: no deadline. */
struct limits limits_of(const struct dray_call *call, int64_t otherwise_ms);
int limits_cancelled(const struct limits *limits, struct dr_error *err);

/* --- requests --- */

/* A request {"op": op}, to add members to; the second form with the container's name, the
 * third with any name. Without one the request fails when it is sent (DR_ERR_INVALID). */
json_t *request_new(const char *op);
json_t *request_for(const char *op, const char *container);
json_t *request_named(const char *op, const char *key, const char *name);

/* "path", any bytes: as text when it is UTF-8, else "path_b64". */
void request_set_path(json_t *request, const char *path);

/* Sends it (borrowed) and opens its channel, on a new session when the last one was lost
 * without our knowing. *ret_session: a reference of the caller's. */
int request_open(struct dray_target *target, const json_t *request,
                 const struct limits *limits, struct session **ret_session,
                 struct wire_chan **ret_chan, struct dr_error *err);
/* wire_next within the limits. A helper that does not say hello in time breaks the
 * session with DR_ERR_UNAVAILABLE (C33). */
int request_next(struct session *session, struct wire_chan *chan,
                 const struct limits *limits, struct wire_item *ret_item,
                 struct dr_error *err);
void item_release(struct wire_item *item);

/* One request (taken over), one reply. *ret_reply: a reference of the caller's; may be
 * NULL. */
int request_call(struct dray_target *target, json_t *request, const struct limits *limits,
                 json_t **ret_reply, struct dr_error *err);
/* One request (taken over) whose items come as events: *ret_items is an array. */
int request_list(struct dray_target *target, json_t *request, const struct limits *limits,
                 json_t **ret_items, struct dr_error *err);

/* --- the edge: from here to include/dray.h --- */

/* Hands err out when rc is negative, and returns rc. */
int api_end(int rc, struct dr_error *err, struct dray_error **ret_err);
/* Whole functions of the header: call, and hand out the reply (as text) or nothing. */
int api_call(struct dray_target *target, json_t *request, const struct dray_call *call,
             int64_t otherwise_ms, struct dray_error **ret_err);
int api_json(struct dray_target *target, json_t *request, const struct dray_call *call,
             char **ret_json, struct dray_error **ret_err);
int api_list(struct dray_target *target, json_t *request, const struct dray_call *call,
             char **ret_json, struct dray_error **ret_err);
/* A caller's struct that begins with its size, into `to` (whose defaults stay where the
 * caller's is too short, or NULL). DR_ERR_INVALID without a size; DR_ERR_UNSUPPORTED when
 * a newer header's member is used. */
int api_copy(void *to, size_t to_size, const void *from, struct dr_error *err);
#define API_COPY(to, from, err) api_copy((to), sizeof *(to), (from), (err))

#endif
