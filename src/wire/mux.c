/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/mux-private.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>

#include "base/text.h"

#define FIRST_MS 10000 /* for the guest's first words */

void mux_poll_clear(int fd)
{
    uint64_t count;
    if (fd >= 0 && read(fd, &count, sizeof count) < 0)
        return; /* nothing was there */
}

int mux_wait(pthread_cond_t *cond, pthread_mutex_t *lock, int64_t deadline_ms)
{
    if (!deadline_ms)
        return pthread_cond_wait(cond, lock);
    struct timespec until = {.tv_sec = deadline_ms / 1000,
                             .tv_nsec = (long)(deadline_ms % 1000) * 1000000};
    return pthread_cond_clockwait(cond, lock, CLOCK_MONOTONIC, &until);
}

int mux_fail_ended(const struct wire_mux *mux, struct dr_error *err)
{
    if (mux->error.kind != DR_ERR_NONE) {
        dr_fail_at(err, mux->error.origin, mux->error.kind, mux->error.code, "%s",
                   mux->error.text);
        return -1;
    }
    if (mux->options.side == WIRE_GUEST)
        return dr_fail_at(err, DR_AT_TRANSPORT, DR_ERR_CANCELLED, 0,
                          "the host closed the session");
    return dr_fail_at(err, DR_AT_TRANSPORT, DR_ERR_UNAVAILABLE, 0,
                      "the helper ended before it answered");
}

int mux_fail_deadline(struct dr_error *err)
{
    return dr_fail_at(err, DR_AT_TRANSPORT, DR_ERR_TIMEOUT, 0,
                      "no answer within the deadline");
}

int mux_fail_cancelled(struct dr_error *err)
{
    return dr_fail_at(err, DR_AT_HOST, DR_ERR_CANCELLED, 0, "cancelled by the caller");
}

/* --- before the first frame --- */

void mux_tell_prepared(struct wire_mux *mux)
{
    uint64_t one = 1;
    if (mux->prepared_fd >= 0 && write(mux->prepared_fd, &one, sizeof one) < 0)
        abort(); /* it is told twice at most */
}

int mux_wait_prepared(struct wire_mux *mux, const struct wire_limit *limit,
                      struct dr_error *err)
{
    struct pollfd fds[] = {{.fd = mux->prepared_fd, .events = POLLIN},
                           {.fd = limit->cancel_fd, .events = POLLIN}};
    while (mux->prepared_fd >= 0) {
        int64_t left = limit->deadline_ms ? limit->deadline_ms - dr_clock_ms() : -1;
        if (limit->deadline_ms && left <= 0)
            return mux_fail_deadline(err);
        int n = poll(fds, 2, left > INT32_MAX ? INT32_MAX : (int)left);
        if (n > 0 && fds[0].revents)
            return 0;
        if (n > 0)
            return mux_fail_cancelled(err);
    }
    return 0;
}

/* lock held */
void mux_end(struct wire_mux *mux, const struct dr_error *why)
{
    if (mux->ended)
        return;
    mux->ended = true;
    if (why && why->kind != DR_ERR_NONE) {
        mux->error = *why;
        mux->error.output = mux->error.program = NULL;
    }
    mux_tell_prepared(mux);
    for (struct wire_chan *c = mux->chans; c; c = c->next) {
        c->cancelled = true;
        chan_changed(c);
    }
    pthread_cond_broadcast(&mux->changed);
}

void wire_mux_break(struct wire_mux *mux, const struct dr_error *err)
{
    pthread_mutex_lock(&mux->lock);
    mux_end(mux, err);
    pthread_mutex_unlock(&mux->lock);
}
/* errno says why nothing could be sent. */
int mux_send_failed(struct wire_mux *mux, struct dr_error *err)
{
    int why = errno;
    if (why == ETIMEDOUT)
        return mux_fail_deadline(err);
    if (why == EINTR)
        return mux_fail_cancelled(err);
    pthread_mutex_lock(&mux->lock);
    /* the reader may know more: what the peer said last */
    for (int i = 0; i < 20 && !mux->ended && (why == EPIPE || why == ECONNRESET); i++)
        mux_wait(&mux->changed, &mux->lock, dr_clock_ms() + 100);
    bool ended = mux->ended;
    if (ended)
        mux_fail_ended(mux, err);
    pthread_mutex_unlock(&mux->lock);
    if (ended)
        return -1;
    errno = why;
    dr_fail_errno(err, DR_ERR_UNAVAILABLE, "write to the other side");
    err->origin = DR_AT_TRANSPORT;
    wire_mux_break(mux, err);
    return -1;
}

/* -1 with errno. */
static int send_frame(struct wire_mux *mux, struct wire_header header,
                      const void *payload, const struct wire_limit *limit)
{
    unsigned char small[WIRE_HEADER_BYTES + 4096];
    wire_header_encode(&header, small);
    if (header.length > sizeof small - WIRE_HEADER_BYTES)
        return wire_out_frame(&mux->out, limit, small, WIRE_HEADER_BYTES, payload,
                              header.length);
    if (payload)
        memcpy(small + WIRE_HEADER_BYTES, payload, header.length);
    return wire_out_frame(&mux->out, limit, small, WIRE_HEADER_BYTES + header.length,
                          NULL, 0);
}

int mux_send(struct wire_mux *mux, struct wire_header header, const void *payload,
             const struct wire_limit *limit, struct dr_error *err)
{
    return send_frame(mux, header, payload, limit) < 0 ? mux_send_failed(mux, err) : 0;
}

/* By who reads, too: when it cannot be sent, reading tells why. */
void mux_send_hello(struct wire_mux *mux)
{
    dr_auto_free char *text = dr_json_text(mux->own_hello);
    const struct wire_header header = {.length = (uint32_t)strlen(text),
                                       .type = WIRE_HELLO};
    send_frame(mux, header, text, &WIRE_NO_LIMIT);
}

/* Small frames that nobody waits for. */
void mux_send_small(struct wire_mux *mux, struct wire_header header, const void *payload)
{
    unsigned char small[WIRE_HEADER_BYTES + 4];
    wire_header_encode(&header, small);
    if (payload)
        memcpy(small + WIRE_HEADER_BYTES, payload, header.length);
    wire_out_add(&mux->out, small, WIRE_HEADER_BYTES + header.length);
}

int mux_send_json(struct wire_mux *mux, enum wire_type type, uint32_t channel,
                  const json_t *json, const struct wire_limit *limit,
                  struct dr_error *err)
{
    dr_auto_free char *text = dr_json_text(json);
    size_t len = strlen(text);
    if (len > WIRE_CONTROL_MAX)
        return dr_fail(err, DR_ERR_INVALID,
                       "a message of %zu bytes, at most %u are possible", len,
                       WIRE_CONTROL_MAX);
    struct wire_header header = {
        .length = (uint32_t)len, .type = (uint8_t)type, .channel = channel};
    return mux_send(mux, header, text, limit, err);
}

void mux_send_alive(struct wire_mux *mux)
{
    if (wire_out_waiting(&mux->out) < 0)
        mux_send_small(mux, (struct wire_header){.type = WIRE_ALIVE}, NULL);
}

void mux_send_window(struct wire_mux *mux, uint32_t channel, int stream, uint32_t bytes)
{
    unsigned char payload[4] = {(unsigned char)bytes, (unsigned char)(bytes >> 8),
                                (unsigned char)(bytes >> 16),
                                (unsigned char)(bytes >> 24)};
    struct wire_header header = {
        .length = 4, .type = WIRE_WINDOW, .stream = (uint8_t)stream, .channel = channel};
    mux_send_small(mux, header, payload);
}
int wire_mux_start(const struct wire_mux_options *options, const json_t *hello,
                   struct wire_mux **ret_mux, struct dr_error *err)
{
    struct wire_mux *mux = dr_alloc(sizeof *mux);
    mux->options = *options;
    mux->next_id = 1;
    mux->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    mux->prepared_fd = options->prepare ? eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK) : -1;
    mux->prepared = !options->prepare;
    mux->own_hello = json_deep_copy(hello);
    pthread_mutex_init(&mux->lock, NULL);
    pthread_cond_init(&mux->changed, NULL);
    int flags = fcntl(options->read_fd, F_GETFL);
    if (flags >= 0)
        fcntl(options->read_fd, F_SETFL, flags | O_NONBLOCK);
    wire_out_init(&mux->out, options->write_fd, mux->wake_fd);
    int rc = mux->wake_fd < 0 || (options->prepare && mux->prepared_fd < 0)
                 ? dr_fail_errno(err, DR_ERR_INTERNAL, "make an eventfd")
                 : 0;
    /* a pipe that is full already: the reader's thread sends what is left */
    const struct wire_limit first = {dr_clock_ms() + FIRST_MS, -1};
    if (rc == 0 && options->side == WIRE_GUEST &&
        wire_out_frame(&mux->out, &first, WIRE_MAGIC, WIRE_MAGIC_BYTES, NULL, 0) < 0)
        rc = mux_send_failed(mux, err);
    /* When the host's HELLO cannot be written the helper is gone already: its last words
     * are in the other pipe, so the reader is started all the same and tells them. */
    if (rc == 0 && options->side == WIRE_GUEST)
        rc = mux_send_json(mux, WIRE_HELLO, 0, hello, &first, err);
    if (rc == 0 && pthread_create(&mux->reader, NULL, mux_reader, mux) != 0)
        rc = dr_fail(err, DR_ERR_INTERNAL, "cannot start a thread");
    if (rc < 0) {
        wire_mux_free(mux);
        return -1;
    }
    mux->reader_started = true;
    *ret_mux = mux;
    if (options->side == WIRE_HOST && !options->prepare)
        mux_send_hello(mux); /* the pipe is empty: this does not block */
    return 0;
}

int wire_mux_hello(struct wire_mux *mux, int64_t deadline_ms, json_t **ret_hello,
                   struct dr_error *err)
{
    int rc = 0;
    pthread_mutex_lock(&mux->lock);
    while (!mux->hello && !mux->ended)
        if (mux_wait(&mux->changed, &mux->lock, deadline_ms) == ETIMEDOUT) {
            rc = mux_fail_deadline(err);
            break;
        }
    if (rc == 0 && !mux->hello)
        rc = mux_fail_ended(mux, err);
    if (rc == 0)
        *ret_hello = mux->hello;
    pthread_mutex_unlock(&mux->lock);
    return rc;
}

bool wire_mux_ended(struct wire_mux *mux)
{
    pthread_mutex_lock(&mux->lock);
    bool ended = mux->ended;
    pthread_mutex_unlock(&mux->lock);
    return ended;
}

bool wire_peer_gone(struct wire_chan *chan)
{
    return wire_mux_ended(chan->mux);
}

bool wire_mux_greeted(struct wire_mux *mux)
{
    pthread_mutex_lock(&mux->lock);
    bool greeted = mux->hello != NULL;
    pthread_mutex_unlock(&mux->lock);
    return greeted;
}

void wire_mux_stop(struct wire_mux *mux, const struct dr_error *why)
{
    wire_mux_break(mux, why);
    wire_out_stop(&mux->out, true);
}

bool wire_mux_leave(struct wire_mux *mux, int wait_ms)
{
    int64_t deadline = dr_clock_ms() + wait_ms;
    pthread_mutex_lock(&mux->lock);
    mux->leaving = true;
    pthread_mutex_unlock(&mux->lock);
    wire_out_stop(&mux->out, true);
    pthread_mutex_lock(&mux->lock);
    while (!mux->ended && !mux->answered &&
           mux_wait(&mux->changed, &mux->lock, deadline) != ETIMEDOUT)
        ;
    bool lives = mux->ended || mux->answered;
    pthread_mutex_unlock(&mux->lock);
    return lives;
}

void wire_mux_free(struct wire_mux *mux)
{
    if (!mux)
        return;
    pthread_mutex_lock(&mux->lock);
    mux->stopping = true;
    pthread_mutex_unlock(&mux->lock);
    wire_out_stop(&mux->out, false);
    if (mux->out.fd >= 0 && mux->out.fd != mux->options.read_fd)
        close(mux->out.fd);
    if (mux->reader_started) {
        uint64_t one = 1;
        if (write(mux->wake_fd, &one, sizeof one) < 0)
            abort();
        pthread_join(mux->reader, NULL);
    }
    close(mux->options.read_fd);
    dr_cleanup_fd(&mux->wake_fd);
    dr_cleanup_fd(&mux->prepared_fd);
    json_decref(mux->own_hello);
    while (mux->chans)
        chan_free(mux->chans);
    while (mux->spare_count > 0)
        free(mux->spare[--mux->spare_count]);
    json_decref(mux->hello);
    pthread_cond_destroy(&mux->changed);
    wire_out_release(&mux->out);
    pthread_mutex_destroy(&mux->lock);
    free(mux);
}
