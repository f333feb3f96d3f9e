/* SPDX-License-Identifier: Apache-2.0 */
/* What the two halves of `dray forward` share: connections (forward-posix.c) and
 * datagrams (forward-udp-posix.c). */
#ifndef DRAY_CLI_FORWARD_PRIVATE_H
#define DRAY_CLI_FORWARD_PRIVATE_H

#include <pthread.h>

#include "cli/forward.h"

#define FORWARD_DIAL_MS 30000

struct forward_server {
    struct dray_target *target;
    const char *container;
    struct dray_cancel *cancel;
    pthread_mutex_t lock; /* everything below */
    pthread_cond_t less;
    struct connection *connections;
    struct forward_peer *peers;
    size_t threads;
    int ended[2];        /* a pipe; readable: it is over */
    struct dr_error why; /* the reason, once it is */
};

/* One more thread, counted until it calls forward_thread_ends(). False: none is left. */
bool forward_start_thread(struct forward_server *s, void *(*run)(void *arg), void *arg);
/* lock held */
void forward_thread_ends(struct forward_server *s);
/* Says that one more client is there. */
void forward_handling(const struct forward *forward);
/* Says why a client was not served, unless that is its own doing. */
void forward_failed(const struct forward *forward, const struct dr_error *err);

/* A datagram is there to be read: to the container, by the session of who sent it. */
void forward_take_datagram(struct forward_server *s, const struct forward *forward);

#endif
