/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/mux-private.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/uio.h>

#include "base/buf.h"
#include "base/text.h"

#define PREAMBLE_MAX (64u << 10)
#define CHANNELS_MAX 1024

/* --- reading: one frame --- */

static int protocol_error(struct dr_error *err, const char *what, uint32_t channel)
{
    return dr_fail_at(err, DR_AT_TRANSPORT, DR_ERR_FORMAT, 0, "protocol: %s (channel %u)",
                      what, channel);
}

static int small_int(const json_t *json, const char *key)
{
    int64_t value = dr_json_int(json, key, 0);
    return value < 0 ? 0 : value > INT32_MAX ? INT32_MAX : (int)value;
}

static int on_hello(struct wire_mux *mux, json_t *json, struct dr_error *err)
{
    int64_t protocol = dr_json_int(json, "protocol", -1);
    if (protocol != WIRE_PROTOCOL)
        return dr_fail_at(err, DR_AT_TRANSPORT, DR_ERR_UNSUPPORTED, 0,
                          "the other side speaks protocol %lld, this one %d",
                          (long long)protocol, WIRE_PROTOCOL);
    struct wire_pulse plan = mux->options.pulse;
    if (mux->options.side == WIRE_GUEST)
        plan = (struct wire_pulse){.every_ms = small_int(json, "alive_ms"),
                                   .silence_ms = small_int(json, "silence_ms"),
                                   .patience_ms = small_int(json, "patience_ms")};
    pulse_begin(&mux->pulse, &plan, dr_clock_ms());
    pthread_mutex_lock(&mux->lock);
    mux->hello = json_incref(json);
    pthread_cond_broadcast(&mux->changed);
    pthread_mutex_unlock(&mux->lock);
    return 0;
}

static int on_request(struct wire_mux *mux, uint32_t id, json_t *json,
                      struct dr_error *err)
{
    if (mux->options.side != WIRE_GUEST)
        return protocol_error(err, "a request from the helper", id);
    if (id <= mux->last_seen_id || id % 2 == 0)
        return protocol_error(err, "a channel number that was used before", id);
    pthread_mutex_lock(&mux->lock);
    mux->last_seen_id = id;
    struct wire_chan *c = mux->chan_count < CHANNELS_MAX ? chan_new(mux, id) : NULL;
    pthread_mutex_unlock(&mux->lock);
    if (!c)
        return protocol_error(err, "too many open channels", id);
    mux->options.on_request(mux->options.arg, c, json);
    return 0;
}

/* That it came is what it says. After our own end it is the answer to that. */
static void on_alive(struct wire_mux *mux)
{
    pthread_mutex_lock(&mux->lock);
    mux->answered = mux->leaving;
    pthread_cond_broadcast(&mux->changed);
    pthread_mutex_unlock(&mux->lock);
}

static bool was_opened(const struct wire_mux *mux, uint32_t id)
{
    return id % 2 == 1 &&
           (mux->options.side == WIRE_HOST ? id < mux->next_id : id <= mux->last_seen_id);
}

/* lock held; payload and json are taken over (set to NULL) when kept */
static int on_chan_frame(struct wire_mux *mux, struct wire_chan *c,
                         const struct wire_header *h, char **payload, json_t **json,
                         struct dr_error *err)
{
    switch (h->type) {
    case WIRE_REPLY:
    case WIRE_ERROR:
        if (mux->options.side != WIRE_HOST || c->finished)
            return protocol_error(err, "a reply that nobody waits for", h->channel);
        c->result = DR_TAKE(*json);
        c->result_is_error = h->type == WIRE_ERROR;
        c->finished = true;
        chan_changed(c);
        if (c->closed)
            chan_free(c);
        return 0;
    case WIRE_EVENT:
        chan_push(c, (struct wire_item){.type = WIRE_ITEM_EVENT, .json = DR_TAKE(*json)});
        return 0;
    case WIRE_DATA:
        if (c->streams[h->stream].eof_in)
            return protocol_error(err, "data after the end of a stream", h->channel);
        if (h->length > WIRE_WINDOW_BYTES - c->streams[h->stream].received)
            return protocol_error(err, "more data than was credited", h->channel);
        if (h->length == 0)
            return 0;
        c->streams[h->stream].received += h->length;
        chan_push(c, (struct wire_item){.type = WIRE_ITEM_DATA,
                                        .stream = h->stream,
                                        .data = DR_TAKE(*payload),
                                        .len = h->length});
        return 0;
    case WIRE_EOF:
        if (c->streams[h->stream].eof_in)
            return protocol_error(err, "a second end of a stream", h->channel);
        c->streams[h->stream].eof_in = true;
        chan_push(c, (struct wire_item){.type = WIRE_ITEM_EOF, .stream = h->stream});
        return 0;
    case WIRE_WINDOW: {
        const unsigned char *b = (unsigned char *)*payload;
        uint32_t bytes = (uint32_t)b[0] | (uint32_t)b[1] << 8 | (uint32_t)b[2] << 16 |
                         (uint32_t)b[3] << 24;
        if (bytes > WIRE_WINDOW_BYTES - c->streams[h->stream].send_credit)
            return protocol_error(err, "more credit than the window", h->channel);
        c->streams[h->stream].send_credit += bytes;
        chan_changed(c);
        return 0;
    }
    case WIRE_CANCEL:
        if (mux->options.side != WIRE_GUEST)
            return protocol_error(err, "a cancel from the helper", h->channel);
        c->cancelled = true;
        chan_push(c, (struct wire_item){.type = WIRE_ITEM_CANCEL});
        chan_changed(c);
        return 0;
    default:
        return protocol_error(err, "a frame out of place", h->channel);
    }
}

static int on_frame(struct wire_mux *mux, const struct wire_header *h, char **payload,
                    struct dr_error *err)
{
    dr_auto_json json_t *json = NULL;
    if (h->type <= WIRE_EVENT) {
        json = dr_json_parse(*payload, h->length, WIRE_CONTROL_MAX, err);
        if (json && !json_is_object(json))
            return protocol_error(err, "a message that is no JSON object", h->channel);
        if (!json) {
            err->origin = DR_AT_TRANSPORT;
            return dr_wrap(err, "protocol");
        }
    }
    if ((h->type == WIRE_HELLO) != !mux->hello)
        return protocol_error(err, mux->hello ? "a second HELLO" : "a frame before HELLO",
                              h->channel);
    if (h->type == WIRE_HELLO)
        return on_hello(mux, json, err);
    if (h->type == WIRE_REQUEST)
        return on_request(mux, h->channel, json, err);
    if (h->type == WIRE_ALIVE) {
        on_alive(mux);
        return 0;
    }

    pthread_mutex_lock(&mux->lock);
    struct wire_chan *c = chan_find(mux, h->channel);
    int rc;
    if (c && !(mux->options.side == WIRE_GUEST && c->finished))
        rc = on_chan_frame(mux, c, h, payload, &json, err);
    else if (c || was_opened(mux, h->channel))
        rc = 0; /* it was on its way when the channel ended */
    else
        rc =
            protocol_error(err, "a frame on a channel that was never opened", h->channel);
    pthread_mutex_unlock(&mux->lock);
    return rc;
}

/* --- reading: the thread --- */

struct input {
    unsigned char *buf;
    size_t start, end, cap;
};

/* How long the other side may be silent now; 0: for ever. */
static int silence_limit(struct wire_mux *mux)
{
    const struct wire_pulse *plan = &mux->pulse.plan;
    if (mux->options.side == WIRE_HOST)
        return plan->silence_ms;
    pthread_mutex_lock(&mux->lock);
    bool patient = mux->chans != NULL;
    for (const struct wire_chan *c = mux->chans; c; c = c->next)
        patient = patient && c->patient;
    pthread_mutex_unlock(&mux->lock);
    return patient ? plan->patience_ms : plan->silence_ms;
}

/* The look at the pulse, when it is time for it; -1: the other side is taken for dead. */
static int look(struct wire_mux *mux, struct dr_error *err)
{
    int64_t now = dr_clock_ms();
    if (pulse_wait_ms(&mux->pulse, now) != 0)
        return 0;
    int limit = silence_limit(mux);
    bool is_host = mux->options.side == WIRE_HOST, say;
    bool dead =
        pulse_look(&mux->pulse, now, wire_out_sent(&mux->out), is_host, limit, &say);
    if (say)
        mux_send_alive(mux);
    if (!dead)
        return 0;
    return dr_fail_at(err, DR_AT_TRANSPORT, DR_ERR_UNAVAILABLE, ETIMEDOUT,
                      "the connection was lost: nothing has come from %s for %.3g s",
                      is_host ? "the helper" : "dray", limit / 1000.0);
}

/* Bytes for parts[0], then parts[1]: > 0; 0: the end; -1 */
static ssize_t receive(struct wire_mux *mux, const struct iovec parts[2],
                       struct dr_error *err)
{
    for (;;) {
        ssize_t n = readv(mux->options.read_fd, parts, parts[1].iov_len ? 2 : 1);
        int why = errno;
        if (n > 0)
            pulse_heard(&mux->pulse);
        if (n != 0 && look(mux, err) < 0)
            return -1;
        if (n >= 0)
            return n;
        errno = why;
        if (errno == EAGAIN) {
            struct pollfd fds[3] = {
                {.fd = mux->options.read_fd, .events = POLLIN},
                {.fd = mux->wake_fd, .events = POLLIN},
                {.fd = wire_out_waiting(&mux->out), .events = POLLOUT}};
            poll(fds, 3, pulse_wait_ms(&mux->pulse, dr_clock_ms()));
            if (fds[1].revents) {
                mux_poll_clear(mux->wake_fd);
                pthread_mutex_lock(&mux->lock);
                bool stopping = mux->stopping;
                pthread_mutex_unlock(&mux->lock);
                if (stopping)
                    return 0;
            }
            if (fds[2].revents)
                wire_out_flush(&mux->out);
        } else if (errno == ECONNRESET) {
            return 0;
        } else if (errno != EINTR) {
            dr_fail_errno(err, DR_ERR_UNAVAILABLE, "read from the other side");
            err->origin = DR_AT_TRANSPORT;
            return -1;
        }
    }
}

/* 1: bytes came; 0: the end; -1 */
static int fill(struct wire_mux *mux, struct input *in, struct dr_error *err)
{
    if (in->start == in->end)
        in->start = in->end = 0;
    if (in->end == in->cap) {
        memmove(in->buf, in->buf + in->start, in->end - in->start);
        in->end -= in->start;
        in->start = 0;
    }
    struct iovec parts[2] = {{in->buf + in->end, in->cap - in->end}, {NULL, 0}};
    ssize_t n = receive(mux, parts, err);
    in->end += n > 0 ? (size_t)n : 0;
    return n > 0 ? 1 : (int)n;
}

#define AHEAD_BYTES 4096 /* what may come with a payload: the next frame's head */

/* Not zeroed: it is filled in a moment. */
static char *payload_new(struct wire_mux *mux, const struct wire_header *h)
{
    char *payload = NULL;
    size_t size = h->length + 1;
    if (h->type == WIRE_DATA && h->length >= PAYLOAD_LARGE) {
        size = PAYLOAD_BYTES;
        pthread_mutex_lock(&mux->lock);
        if (mux->spare_count > 0)
            payload = mux->spare[--mux->spare_count];
        pthread_mutex_unlock(&mux->lock);
    }
    if (!payload)
        payload = dr_realloc(NULL, size);
    payload[h->length] = '\0';
    return payload;
}

/* All of a payload: what the buffer has, then more. 1; 0: the end; -1 */
static int read_payload(struct wire_mux *mux, struct input *in, char *payload, size_t len,
                        struct dr_error *err)
{
    size_t have = 0;
    while (have < len) {
        size_t n = in->end - in->start;
        int rc = 1;
        if (n > 0) {
            n = n < len - have ? n : len - have;
            memcpy(payload + have, in->buf + in->start, n);
            in->start += n;
            have += n;
        } else if (len - have < PAYLOAD_LARGE) {
            rc = fill(mux, in, err);
        } else {
            struct iovec parts[2] = {{payload + have, len - have},
                                     {in->buf, AHEAD_BYTES}};
            ssize_t got = receive(mux, parts, err);
            rc = got > 0 ? 1 : (int)got;
            n = got > 0 ? (size_t)got : 0;
            in->start = 0;
            in->end = n > len - have ? n - (len - have) : 0;
            have += n - in->end;
        }
        if (rc <= 0)
            return rc;
    }
    return 1;
}

/* Skips to behind the magic; what came before is the transport speaking. */
static int find_magic(struct wire_mux *mux, struct input *in, struct dr_error *err)
{
    dr_auto_buf struct dr_buf said = DR_BUF_INIT(PREAMBLE_MAX);
    static const char magic[] = WIRE_MAGIC;
    for (;;) {
        unsigned char *at =
            memmem(in->buf + in->start, in->end - in->start, magic, WIRE_MAGIC_BYTES);
        if (at) {
            in->start = (size_t)(at - in->buf) + WIRE_MAGIC_BYTES;
            return 0;
        }
        /* keep what could be the beginning of the magic */
        while (in->end - in->start >= WIRE_MAGIC_BYTES) {
            struct dr_error full = DR_ERROR_INIT;
            if (dr_buf_add(&said, in->buf + in->start, 1, &full) < 0)
                return dr_fail_at(err, DR_AT_TRANSPORT, DR_ERR_UNAVAILABLE, 0,
                                  "no helper answered; %u bytes of something else came",
                                  PREAMBLE_MAX);
            in->start++;
        }
        int rc = fill(mux, in, err);
        if (rc < 0)
            return -1;
        if (rc == 0) {
            struct dr_error full = DR_ERROR_INIT;
            dr_buf_add(&said, in->buf + in->start, in->end - in->start, &full);
            dr_auto_free char *text = dr_escape(said.data, 800);
            if (!*text)
                return dr_fail_at(err, DR_AT_TRANSPORT, DR_ERR_UNAVAILABLE, 0,
                                  "the helper ended before it said anything");
            return dr_fail_at(err, DR_AT_TRANSPORT, DR_ERR_UNAVAILABLE, 0,
                              "no helper answered: %s", text);
        }
    }
}

/* Large enough for the header and any data frame; control frames grow it. */
#define INPUT_BYTES (256u << 10)

static int read_frames(struct wire_mux *mux, struct input *in, struct dr_error *err)
{
    if (mux->options.side == WIRE_HOST && find_magic(mux, in, err) < 0)
        return -1;
    for (;;) {
        struct wire_header h;
        while (in->end - in->start < WIRE_HEADER_BYTES) {
            int rc = fill(mux, in, err);
            if (rc < 0)
                return -1;
            if (rc == 0) {
                if (in->end != in->start)
                    return dr_fail_at(err, DR_AT_TRANSPORT, DR_ERR_UNAVAILABLE, 0,
                                      "the connection ended in the middle of a frame");
                return 0;
            }
        }
        if (wire_header_decode(in->buf + in->start, &h, err) < 0)
            return -1;
        in->start += WIRE_HEADER_BYTES;
        dr_auto_free char *payload = payload_new(mux, &h);
        int rc = read_payload(mux, in, payload, h.length, err);
        if (rc < 0)
            return -1;
        if (rc == 0)
            return dr_fail_at(err, DR_AT_TRANSPORT, DR_ERR_UNAVAILABLE, 0,
                              "the connection ended in the middle of a frame");
        if (on_frame(mux, &h, &payload, err) < 0)
            return -1;
    }
}

static int prepare(struct wire_mux *mux, struct dr_error *err)
{
    if (!mux->options.prepare)
        return 0;
    if (mux->options.prepare(mux->options.arg, mux->wake_fd, err) < 0)
        return -1;
    mux_send_hello(mux);
    pthread_mutex_lock(&mux->lock);
    mux->prepared = true;
    mux_tell_prepared(mux);
    pthread_mutex_unlock(&mux->lock);
    return 0;
}

static bool is_stopping(struct wire_mux *mux)
{
    pthread_mutex_lock(&mux->lock);
    bool stopping = mux->stopping || mux->leaving;
    pthread_mutex_unlock(&mux->lock);
    return stopping;
}

void *mux_reader(void *arg)
{
    struct wire_mux *mux = arg;
    struct dr_error err = DR_ERROR_INIT;
    struct input in = {.buf = dr_alloc(INPUT_BYTES), .cap = INPUT_BYTES};
    if (prepare(mux, &err) == 0 && read_frames(mux, &in, &err) == 0 &&
        mux->options.side == WIRE_GUEST)
        mux_send_alive(mux); /* the host may still listen: its end was heard */
    free(in.buf);
    if (mux->options.explain && !is_stopping(mux))
        mux->options.explain(mux->options.arg, &err);
    pthread_mutex_lock(&mux->lock);
    if (mux->stopping)
        dr_error_release(&err);
    mux_end(mux, &err);
    pthread_mutex_unlock(&mux->lock);
    /* whoever waits for room waits for nobody: a relay that was cut may keep its end of
     * the pipe open for as long as we live */
    wire_out_stop(&mux->out, false);
    if (mux->options.on_end)
        mux->options.on_end(mux->options.arg, &err);
    dr_error_release(&err);
    return NULL;
}
