/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A session: channels over one pair of pipes, the same code on both ends.
 *
 * One thread reads frames and puts them where their channel's owner finds them; any
 * thread may write. All channel calls block, with a deadline; a channel belongs to one
 * thread at a time, except that one more may use its other direction (one reads stdin
 * while another writes stdout). A reader that is slow stops only its own stream: each
 * stream has a window of WIRE_WINDOW_BYTES, and memory is bounded by it.
 *
 * When the pipe breaks, or the peer says something that is no frame, every channel of the
 * session fails with the same error, at once.
 */
#ifndef DRAY_WIRE_MUX_H
#define DRAY_WIRE_MUX_H

#include "wire/frame.h"
#include "wire/output.h"
#include "wire/pulse.h"

struct wire_mux;
struct wire_chan;

enum wire_side { WIRE_HOST, WIRE_GUEST };

struct wire_mux_options {
    enum wire_side side;
    int read_fd, write_fd; /* taken over; may be equal (a socket) */
    /* A request came (guest side): called on the reader's thread with the channel, which
     * now belongs to the callee, and the request, borrowed. Must not block. */
    void (*on_request)(void *arg, struct wire_chan *chan, json_t *request);
    /* Host: brings the helper to the other end of the pipes; nothing of ours is sent
     * before. On the reader's thread; gives up when cancel_fd is readable. May be NULL.
     */
    int (*prepare)(void *arg, int cancel_fd, struct dr_error *err);
    /* Host: how the session is kept alive from the helper's HELLO on. The guest reads its
     * own plan in the host's HELLO: "alive_ms", "silence_ms", "patience_ms". */
    struct wire_pulse pulse;
    /* Host: the session ended, err says how (kind NONE: the peer closed); may say it
     * better, before anybody is told. On the reader's thread. May be NULL. */
    void (*explain)(void *arg, struct dr_error *err);
    /* The session ended: the peer closed (err->kind NONE) or broke it. Called once, on
     * the reader's thread. May be NULL. */
    void (*on_end)(void *arg, const struct dr_error *err);
    void *arg;
};

/* Starts the reader's thread. On the host the magic is looked for first; whatever comes
 * before it becomes the error's text when it never comes. The guest writes it itself,
 * with its HELLO `hello` (borrowed). */
int wire_mux_start(const struct wire_mux_options *options, const json_t *hello,
                   struct wire_mux **ret_mux, struct dr_error *err);
/* Waits for the peer's HELLO; borrowed until the mux is freed. deadline_ms: dr_clock_ms()
 * time, 0: none. */
int wire_mux_hello(struct wire_mux *mux, int64_t deadline_ms, json_t **ret_hello,
                   struct dr_error *err);
/* Host: stops writing, so that the peer sees the end, and waits for a word that it has
 * seen it, which a helper that lives says at once, whatever it is busy with. False: it
 * did not come within wait_ms. Channels must be closed before. */
bool wire_mux_leave(struct wire_mux *mux, int wait_ms);
/* Stops the thread and frees everything. Channels must be closed before. */
void wire_mux_free(struct wire_mux *mux);
/* Breaks the session: every blocked call fails with `err` (copied). */
void wire_mux_break(struct wire_mux *mux, const struct dr_error *err);
/* The same, and the peer sees the end. Channels are to be closed all the same. */
void wire_mux_stop(struct wire_mux *mux, const struct dr_error *err);
/* It broke, or the peer closed it: nothing more can be done with it. */
bool wire_mux_ended(struct wire_mux *mux);
bool wire_mux_greeted(struct wire_mux *mux); /* the peer's HELLO came */

/* Host: sends the request and opens its channel. */
int wire_open(struct wire_mux *mux, const json_t *request, struct wire_chan **ret_chan,
              struct dr_error *err);
/* The same within a limit, which becomes that of both directions of the channel. */
int wire_open_within(struct wire_mux *mux, const json_t *request, struct wire_limit limit,
                     struct wire_chan **ret_chan, struct dr_error *err);
/* Sends a cancel when the channel's last frame has not come, and forgets it. */
void wire_close(struct wire_chan *chan);

/* How long the blocking calls of one direction may take: DR_ERR_TIMEOUT,
 * DR_ERR_CANCELLED. What they did until then counts. Set by the thread that makes them.
 */
enum wire_way { WIRE_IN = 0, WIRE_OUT = 1 };
void wire_limit(struct wire_chan *chan, enum wire_way way, struct wire_limit limit);

/* Blocks while the stream has no credit. Fails when the peer cancelled, replied or is
 * gone. */
int wire_write(struct wire_chan *chan, int stream, const void *data, size_t len,
               struct dr_error *err);
/*
 * The same for bytes that can be read from fd (a pipe, a socket) at once, without a copy
 * where the kernel can move them. len: at most WIRE_DATA_MAX and the stream's credit.
 */
int wire_splice(struct wire_chan *chan, int stream, int fd, size_t len,
                struct dr_error *err);
int wire_eof(struct wire_chan *chan, int stream, struct dr_error *err);
int wire_event(struct wire_chan *chan, const json_t *event, struct dr_error *err);
/* Any thread: with a limit of its own. */
int wire_event_within(struct wire_chan *chan, const json_t *event,
                      struct wire_limit limit, struct dr_error *err);

/* Bytes of one stream: > 0, 0 at its end, -1. The host gets 0 as well once the channel's
 * reply or error came: ask wire_result then. */
ssize_t wire_read(struct wire_chan *chan, int stream, void *buf, size_t len,
                  struct dr_error *err);

/* What comes next on the channel, whatever it is. */
enum wire_item_type {
    WIRE_ITEM_DATA,
    WIRE_ITEM_EOF,
    WIRE_ITEM_EVENT,
    WIRE_ITEM_RESULT,
    WIRE_ITEM_CANCEL
};
struct wire_item {
    enum wire_item_type type;
    int stream; /* data, eof */
    char *data; /* data: owned by the caller, free() */
    size_t len;
    json_t *json; /* event: a reference of the caller's */
};
/* Frees what an item has. Data in large pieces costs the kernel fresh pages each time;
 * so its memory is kept for what comes next. */
void wire_item_done(struct wire_chan *chan, struct wire_item *item);
/* In the order in which the peer sent them. Returns 0; -1 when the session broke or the
 * deadline passed. RESULT: the channel is finished, get it with wire_result. */
int wire_next(struct wire_chan *chan, struct wire_item *ret_item, struct dr_error *err);

/* Host: waits for the reply, dropping whatever else comes. *ret_reply: a reference of the
 * caller's; may be NULL when not wanted. A WIRE_ERROR fills err. */
int wire_result(struct wire_chan *chan, json_t **ret_reply, struct dr_error *err);
/* Host: request and reply in one. */
int wire_call(struct wire_mux *mux, const json_t *request, int64_t deadline_ms,
              json_t **ret_reply, struct dr_error *err);

/* A descriptor to poll for POLLIN together with others: readable when something came for
 * the channel since wire_poll_clear, its credit changed, it was cancelled, or the session
 * ended. The channel's: do not close it. */
int wire_poll_fd(struct wire_chan *chan);
void wire_poll_clear(struct wire_chan *chan);
/* As wire_next, but returns 1 at once when nothing is there. */
int wire_try_next(struct wire_chan *chan, struct wire_item *ret_item,
                  struct dr_error *err);
/* The first event or cancel, past data that nobody took yet; otherwise as
 * wire_try_next. */
int wire_try_event(struct wire_chan *chan, struct wire_item *ret_item,
                   struct dr_error *err);
/* Bytes that wire_write would take now without waiting for credit. */
size_t wire_credit(struct wire_chan *chan, int stream);

/* Guest: the last word on the channel; it is closed and forgotten by this. reply may be
 * NULL ({}); borrowed. */
void wire_reply(struct wire_chan *chan, const json_t *reply);
void wire_reply_error(struct wire_chan *chan, const struct dr_error *err);
/* Guest: the host cancelled, or is gone: long work looks at it now and then. */
bool wire_cancelled(struct wire_chan *chan);
/* Guest: nobody is hindered by it when the host says nothing for hours. */
void wire_patient(struct wire_chan *chan);
/* That the peer is gone, and all that it wanted with it. */
bool wire_peer_gone(struct wire_chan *chan);

#endif
