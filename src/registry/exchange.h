/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One question to the registry until its answer: redirects, 401s and retries included. An
 * exchange does not block; several run at once on the registry's connections.
 */
#ifndef DRAY_REGISTRY_EXCHANGE_H
#define DRAY_REGISTRY_EXCHANGE_H

#include "registry/http.h"
#include "registry/origin.h"

#define EXCHANGE_REDIRECTS_MAX 10

struct registry;

struct exchange {
    struct registry *reg;
    const char *path; /* borrowed: "/v2/…"; or an absolute URL, where an upload goes on */
    bool head;
    /* POST, PUT, PATCH, DELETE with a body, as in http_request; NULL: GET or HEAD. The
     * context of source is the one of sink. */
    const char *method, *content_type, *content_range;
    const void *body;
    size_t body_len;
    ssize_t (*source)(void *context, int64_t offset, void *data, size_t len);
    int64_t source_from, source_len;
    bool once; /* the caller tries again, if it may be: see passing and wait_ms */
    const char *accept;
    size_t body_max;
    bool pinned; /* the answer is verified by a digest: it may come over plain HTTP */
    bool bulk;   /* see http_request */
    bool part;   /* of an image whose manifest is there: a 404 is not the user's typing */
    /* Body of a 2xx, and where to go on; both NULL: the body is in call.body. sink keeps
     * its own error and returns false. */
    bool (*sink)(void *context, const void *data, size_t len);
    int64_t (*have)(void *context);
    void *context;

    struct http_call call;
    char *url; /* where it is now, owned */
    int redirects, tries, auth_tries;
    unsigned auth_generation;
    bool switched;         /* of scheme, while guessing */
    bool passing;          /* it failed, and may succeed a little later */
    int64_t asked_wait_ms; /* by the registry (Retry-After); 0: not */
    bool no_range;         /* ask for the whole again */
    char *etag;            /* owned: of what was received so far, strong, or NULL */
    struct origin etag_of;
    int64_t have_before;   /* at the start of this try */
    int64_t all_before;    /* what all exchanges had received then */
    int64_t progress_ms;   /* when the last byte was gained */
    int64_t not_before_ms; /* a retry waits until then; 0: running */
};

void exchange_release(struct exchange *x);
int exchange_start(struct exchange *x, struct dr_error *err);
/* Looks what became of it. 1: a 2xx is there; 0: still under way (pump); -1: it failed
 * for good. */
int exchange_step(struct exchange *x, struct dr_error *err);
/* Tries again after what was received turned out too short. 0, or -1 with err kept when
 * the tries are used up. */
int exchange_again(struct exchange *x, struct dr_error *err);
/* How long to wait before the next try, after so many. */
int64_t exchange_backoff_ms(int tries);
/* All at once. 0: x->call has the 2xx. */
int exchange_run(struct exchange *x, struct dr_error *err);

#endif
