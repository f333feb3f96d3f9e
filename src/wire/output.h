/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Frames on their way into a pipe or a socket, whole and one after another, from any
 * thread. Nobody holds the lock while the other side does not read, so a caller can give
 * up at any time: what is left of a frame that was begun stays here (at most one frame
 * and the few bytes of wire_out_add) and goes out before the next one.
 */
#ifndef DRAY_WIRE_OUTPUT_H
#define DRAY_WIRE_OUTPUT_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* How long a call may block. */
struct wire_limit {
    int64_t deadline_ms; /* dr_clock_ms() time; 0: none */
    int cancel_fd;       /* readable: the caller gives up; -1: none */
};
#define WIRE_NO_LIMIT ((struct wire_limit){0, -1})

struct wire_out {
    int fd; /* non-blocking; -1 once it was shut */
    bool no_socket;
    bool stopped; /* nothing is sent any more */
    int failed;   /* errno of what was sent last: what was left over is gone */
    int wake_fd;  /* eventfd of the reader's thread, which sends what is left over */
    char *rest;   /* owned */
    size_t rest_len, rest_done, rest_cap;
    uint64_t queued, sent; /* bytes, ever */
    pthread_mutex_t lock;
};

/* fd is made non-blocking; wake_fd is borrowed. */
void wire_out_init(struct wire_out *out, int fd, int wake_fd);
void wire_out_release(struct wire_out *out); /* does not close fd */
/* No more is sent, and waiting callers return (ECANCELED). shut: the peer sees the end;
 * a pipe is closed then, and fd becomes -1. */
void wire_out_stop(struct wire_out *out, bool shut);

/* Waits until a frame may be begun. 0: the lock is held. -1 with errno: ETIMEDOUT,
 * EINTR (cancelled), ECANCELED (stopped), or what write(2) said. */
int wire_out_begin(struct wire_out *out, const struct wire_limit *limit);
/* Sends head and body and gives the lock back; blocks while it must, within the limit.
 * After a limit was reached the rest is sent later all the same: that is success. */
int wire_out_end(struct wire_out *out, const struct wire_limit *limit, const void *head,
                 size_t head_len, const void *body, size_t body_len);
/* begin and end */
int wire_out_frame(struct wire_out *out, const struct wire_limit *limit, const void *head,
                   size_t head_len, const void *body, size_t body_len);
/* A frame whose body can be read from fd (a pipe, a socket) at once: moved without a copy
 * while there is room, where the kernel can do that. */
int wire_out_splice(struct wire_out *out, const struct wire_limit *limit,
                    const void *head, size_t head_len, int fd, size_t len);
/* A small frame that must not block: sent now, or behind what waits already. */
void wire_out_add(struct wire_out *out, const void *head, size_t len);

/* Bytes, ever. */
uint64_t wire_out_sent(struct wire_out *out);
/* For the reader's thread: the descriptor to poll for POLLOUT, -1: nothing waits. */
int wire_out_waiting(struct wire_out *out);
void wire_out_flush(struct wire_out *out);

#endif
