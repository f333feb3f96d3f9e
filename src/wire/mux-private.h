/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the files of a session share. mux.c: beginning, end, writing; reader.c: the thread
 * that reads frames; chan.c: channels; chan-io.c: what their owners read and write.
 *
 * One lock guards a session and its channels. Whoever writes holds out.lock, and may take
 * the session's inside of it, never the other way round.
 */
#ifndef DRAY_WIRE_MUX_PRIVATE_H
#define DRAY_WIRE_MUX_PRIVATE_H

#include <pthread.h>

#include "wire/mux.h"
#include "wire/output.h"

/* Payloads of large data frames have buffers of one size, which are used again. */
#define PAYLOAD_LARGE (32u << 10)
#define PAYLOAD_BYTES (WIRE_DATA_MAX + 1)
#define SPARES (WIRE_WINDOW_BYTES / WIRE_DATA_MAX + 1)

struct item {
    struct item *next;
    struct wire_item item;
    size_t offset; /* data: already read by wire_read */
};

struct wire_chan {
    struct wire_chan *next;
    struct wire_mux *mux;
    uint32_t id;
    struct wire_limit limit[2]; /* of WIRE_IN and WIRE_OUT */
    struct item *first, **last;
    struct {
        uint32_t send_credit;
        uint32_t received; /* sent by the peer, not yet given back */
        uint32_t consumed; /* of these: read by the owner, to be given back */
        bool eof_in, eof_out;
    } streams[WIRE_STREAMS];
    json_t *result; /* WIRE_REPLY or WIRE_ERROR payload */
    bool result_is_error;
    bool finished;  /* the last frame came (host) or was sent (guest) */
    bool closed;    /* the owner is gone: free when finished */
    bool cancelled; /* guest: the host gave up */
    bool patient;   /* guest: a host that is silent hinders nobody */
    /* eventfds that tell of changes, one for the thread of each direction; −1 until
     * somebody polls */
    int poll_fd[2];
    pthread_cond_t changed;
};

struct wire_mux {
    struct wire_mux_options options;
    int wake_fd; /* makes the reader look at `stopping` and at what is left in `out` */
    struct wire_out out;
    pthread_t reader;
    bool reader_started;
    struct pulse pulse; /* the reader's */
    int prepared_fd; /* an eventfd: readable once prepared or ended; -1: it need not be */
    json_t *own_hello;      /* kept until then */
    pthread_mutex_t lock;   /* everything below; taken inside of out's, never around it */
    pthread_cond_t changed; /* hello, broken */
    json_t *hello;
    struct wire_chan *chans;
    uint32_t next_id, last_seen_id;
    size_t chan_count;
    bool prepared; /* frames may be sent */
    bool ended;    /* nothing more can come */
    bool stopping;
    bool leaving;          /* we went first: its end needs no explanation */
    bool answered;         /* and it has heard that */
    struct dr_error error; /* why; kind NONE: the peer closed */
    char *spare[SPARES];   /* owned; PAYLOAD_BYTES each */
    size_t spare_count;
};

/* --- mux.c --- */

/* mux->lock held, given up meanwhile. ETIMEDOUT, or 0. deadline_ms 0: none. */
int mux_wait(pthread_cond_t *cond, pthread_mutex_t *lock, int64_t deadline_ms);
/* lock held: why the session ended. All mux_fail_* return -1. */
int mux_fail_ended(const struct wire_mux *mux, struct dr_error *err);
int mux_fail_deadline(struct dr_error *err);
int mux_fail_cancelled(struct dr_error *err);
/* Until frames may be sent, or the session ended; within the limit. */
int mux_wait_prepared(struct wire_mux *mux, const struct wire_limit *limit,
                      struct dr_error *err);
/* lock held: wakes who waits for that. */
void mux_tell_prepared(struct wire_mux *mux);
/* Ours, as the first frame. What cannot be sent, the reader sees itself. */
void mux_send_hello(struct wire_mux *mux);
/* lock held: everybody who waits fails with why (NULL: the peer closed). */
void mux_end(struct wire_mux *mux, const struct dr_error *why);
/* errno says why nothing could be sent; breaks the session when that is for good. */
int mux_send_failed(struct wire_mux *mux, struct dr_error *err);
/* One frame, within the limit. */
int mux_send(struct wire_mux *mux, struct wire_header header, const void *payload,
             const struct wire_limit *limit, struct dr_error *err);
/* Small frames that nobody waits for: they go out before the next one. */
void mux_send_small(struct wire_mux *mux, struct wire_header header, const void *payload);
int mux_send_json(struct wire_mux *mux, enum wire_type type, uint32_t channel,
                  const json_t *json, const struct wire_limit *limit,
                  struct dr_error *err);
void mux_send_window(struct wire_mux *mux, uint32_t channel, int stream, uint32_t bytes);
void mux_send_alive(struct wire_mux *mux);
/* Makes an eventfd (or -1) unreadable until something is written to it again. */
void mux_poll_clear(int fd);

/* --- reader.c --- */

/* The thread: reads frames until the session ends. arg: the mux. */
void *mux_reader(void *arg);

/* --- chan.c --- */

/* lock held: something about the channel is new. */
void chan_changed(struct wire_chan *c);
/* lock held; -1 when no descriptor is left. */
int chan_poll_fd(struct wire_chan *c, enum wire_way way);
/* lock held, given up while it waits: until the channel changed, within the limit of
 * that direction. With a cancel descriptor the wait is a poll. */
int chan_wait(struct wire_chan *c, enum wire_way way, struct dr_error *err);
/* lock held */
struct wire_chan *chan_new(struct wire_mux *mux, uint32_t id);
/* lock held: the buffer of a large payload is used again, others are freed. */
void chan_data_done(struct wire_mux *mux, struct wire_item *item);
void chan_item_free(struct item *item);
void chan_free(struct wire_chan *c);
struct wire_chan *chan_find(struct wire_mux *mux, uint32_t id);
/* lock held; takes the item's contents. */
void chan_push(struct wire_chan *c, struct wire_item content);
/* lock held: takes *at out of the list. */
void chan_unlink(struct wire_chan *c, struct item **at);

#endif
