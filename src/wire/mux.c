/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/mux.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/uio.h>
#include <time.h>

#include "base/buf.h"
#include "base/text.h"

#define PREAMBLE_MAX (64u << 10)
#define CHANNELS_MAX 1024
#define BLIND_MS 20
/* Credit is given back in pieces of this size, not for each read. */
#define WINDOW_STEP (WIRE_WINDOW_BYTES / 4)

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
    pthread_mutex_t lock;   /* everything below; taken inside of out's, never around it */
    pthread_cond_t changed; /* hello, broken */
    json_t *hello;
    struct wire_chan *chans;
    uint32_t next_id, last_seen_id;
    size_t chan_count;
    bool ended; /* nothing more can come */
    bool stopping;
    struct dr_error error; /* why; kind NONE: the peer closed */
    char *spare[SPARES];   /* owned; PAYLOAD_BYTES each */
    size_t spare_count;
};

/* --- waiting --- */

static int wait_changed(pthread_cond_t *cond, pthread_mutex_t *lock, int64_t deadline_ms)
{
    if (!deadline_ms)
        return pthread_cond_wait(cond, lock);
    struct timespec until = {.tv_sec = deadline_ms / 1000,
                             .tv_nsec = (deadline_ms % 1000) * 1000000};
    return pthread_cond_clockwait(cond, lock, CLOCK_MONOTONIC, &until);
}

static int fail_ended(const struct wire_mux *mux, struct dr_error *err)
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

static int fail_deadline(struct dr_error *err)
{
    return dr_fail_at(err, DR_AT_TRANSPORT, DR_ERR_TIMEOUT, 0,
                      "no answer within the deadline");
}

static int fail_cancelled(struct dr_error *err)
{
    return dr_fail_at(err, DR_AT_HOST, DR_ERR_CANCELLED, 0, "cancelled by the caller");
}

/* lock held: something about the channel is new */
static void chan_changed(struct wire_chan *c)
{
    pthread_cond_broadcast(&c->changed);
    uint64_t one = 1;
    for (int way = 0; way < 2; way++)
        if (c->poll_fd[way] >= 0 && write(c->poll_fd[way], &one, sizeof one) < 0)
            continue; /* the counter is full: it is readable anyway */
}

/* lock held */
static int poll_fd_of(struct wire_chan *c, enum wire_way way)
{
    if (c->poll_fd[way] < 0) {
        c->poll_fd[way] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        chan_changed(c); /* what came before counts as new */
    }
    return c->poll_fd[way];
}

static void poll_clear(int fd)
{
    uint64_t count;
    if (fd >= 0 && read(fd, &count, sizeof count) < 0)
        return; /* nothing was there */
}

/* lock held, given up while it waits: until the channel changed, within the limit of that
 * direction. With a cancel descriptor the wait is a poll. */
static int chan_wait(struct wire_chan *c, enum wire_way way, struct dr_error *err)
{
    struct wire_limit limit = c->limit[way];
    pthread_mutex_t *lock = &c->mux->lock;
    if (limit.cancel_fd < 0)
        return wait_changed(&c->changed, lock, limit.deadline_ms) == ETIMEDOUT
                   ? fail_deadline(err)
                   : 0;
    struct pollfd fds[] = {{.fd = poll_fd_of(c, way), .events = POLLIN},
                           {.fd = limit.cancel_fd, .events = POLLIN}};
    int64_t left = limit.deadline_ms ? limit.deadline_ms - dr_clock_ms() : -1;
    if (limit.deadline_ms && left <= 0)
        return fail_deadline(err);
    if (fds[0].fd < 0 && (left < 0 || left > BLIND_MS))
        left = BLIND_MS; /* no descriptor was left for us: look now and then */
    pthread_mutex_unlock(lock);
    poll(fds, 2, left > INT32_MAX ? INT32_MAX : (int)left);
    pthread_mutex_lock(lock);
    if (fds[0].revents)
        poll_clear(fds[0].fd);
    return fds[1].revents ? fail_cancelled(err) : 0;
}

/* --- the end --- */

/* lock held */
static void end_locked(struct wire_mux *mux, const struct dr_error *why)
{
    if (mux->ended)
        return;
    mux->ended = true;
    if (why && why->kind != DR_ERR_NONE) {
        mux->error = *why;
        mux->error.output = mux->error.program = NULL;
    }
    for (struct wire_chan *c = mux->chans; c; c = c->next) {
        c->cancelled = true;
        chan_changed(c);
    }
    pthread_cond_broadcast(&mux->changed);
}

void wire_mux_break(struct wire_mux *mux, const struct dr_error *err)
{
    pthread_mutex_lock(&mux->lock);
    end_locked(mux, err);
    pthread_mutex_unlock(&mux->lock);
}

/* --- channels --- */

static struct wire_chan *chan_new(struct wire_mux *mux, uint32_t id)
{
    struct wire_chan *c = dr_alloc(sizeof *c);
    c->mux = mux;
    c->id = id;
    c->last = &c->first;
    c->poll_fd[WIRE_IN] = c->poll_fd[WIRE_OUT] = -1;
    c->limit[WIRE_IN] = c->limit[WIRE_OUT] = WIRE_NO_LIMIT;
    for (int i = 0; i < WIRE_STREAMS; i++)
        c->streams[i].send_credit = WIRE_WINDOW_BYTES;
    pthread_cond_init(&c->changed, NULL);
    c->next = mux->chans;
    mux->chans = c;
    mux->chan_count++;
    return c;
}

/* lock held: the buffer of a large payload is used again, others are freed */
static void data_done(struct wire_mux *mux, struct wire_item *item)
{
    if (item->type == WIRE_ITEM_DATA && item->len >= PAYLOAD_LARGE && item->data &&
        mux->spare_count < SPARES)
        mux->spare[mux->spare_count++] = DR_TAKE(item->data);
    free(DR_TAKE(item->data));
}

static void item_free(struct item *item)
{
    free(item->item.data);
    json_decref(item->item.json);
    free(item);
}

/* lock held */
static void chan_free(struct wire_chan *c)
{
    struct wire_chan **p = &c->mux->chans;
    while (*p != c)
        p = &(*p)->next;
    *p = c->next;
    c->mux->chan_count--;
    while (c->first) {
        struct item *item = c->first;
        c->first = item->next;
        item_free(item);
    }
    json_decref(c->result);
    dr_cleanup_fd(&c->poll_fd[WIRE_IN]);
    dr_cleanup_fd(&c->poll_fd[WIRE_OUT]);
    pthread_cond_destroy(&c->changed);
    free(c);
}

static struct wire_chan *chan_find(struct wire_mux *mux, uint32_t id)
{
    for (struct wire_chan *c = mux->chans; c; c = c->next)
        if (c->id == id)
            return c;
    return NULL;
}

/* lock held; takes item's contents */
static void chan_push(struct wire_chan *c, struct wire_item content)
{
    if (c->closed) {
        free(content.data);
        json_decref(content.json);
        return;
    }
    struct item *item = dr_alloc(sizeof *item);
    item->item = content;
    *c->last = item;
    c->last = &item->next;
    chan_changed(c);
}

static void unlink_item(struct wire_chan *c, struct item **at)
{
    struct item *item = *at;
    *at = item->next;
    if (!item->next)
        c->last = at;
}

/* --- writing --- */

/* errno says why nothing could be sent. */
static int send_failed(struct wire_mux *mux, struct dr_error *err)
{
    int why = errno;
    if (why == ETIMEDOUT)
        return fail_deadline(err);
    if (why == EINTR)
        return fail_cancelled(err);
    pthread_mutex_lock(&mux->lock);
    /* the reader may know more: what the peer said last */
    for (int i = 0; i < 20 && !mux->ended && (why == EPIPE || why == ECONNRESET); i++)
        wait_changed(&mux->changed, &mux->lock, dr_clock_ms() + 100);
    bool ended = mux->ended;
    if (ended)
        fail_ended(mux, err);
    pthread_mutex_unlock(&mux->lock);
    if (ended)
        return -1;
    errno = why;
    dr_fail_errno(err, DR_ERR_UNAVAILABLE, "write to the other side");
    err->origin = DR_AT_TRANSPORT;
    wire_mux_break(mux, err);
    return -1;
}

static int send_frame(struct wire_mux *mux, struct wire_header header,
                      const void *payload, const struct wire_limit *limit,
                      struct dr_error *err)
{
    unsigned char small[WIRE_HEADER_BYTES + 4096];
    int rc;
    wire_header_encode(&header, small);
    if (header.length <= sizeof small - WIRE_HEADER_BYTES) {
        if (payload)
            memcpy(small + WIRE_HEADER_BYTES, payload, header.length);
        rc = wire_out_frame(&mux->out, limit, small, WIRE_HEADER_BYTES + header.length,
                            NULL, 0);
    } else {
        rc = wire_out_frame(&mux->out, limit, small, WIRE_HEADER_BYTES, payload,
                            header.length);
    }
    return rc < 0 ? send_failed(mux, err) : 0;
}

/* Small frames that nobody waits for. */
static void send_small(struct wire_mux *mux, struct wire_header header,
                       const void *payload)
{
    unsigned char small[WIRE_HEADER_BYTES + 4];
    wire_header_encode(&header, small);
    if (payload)
        memcpy(small + WIRE_HEADER_BYTES, payload, header.length);
    wire_out_add(&mux->out, small, WIRE_HEADER_BYTES + header.length);
}

static int send_json(struct wire_mux *mux, enum wire_type type, uint32_t channel,
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
    return send_frame(mux, header, text, limit, err);
}

static void send_window(struct wire_mux *mux, uint32_t channel, int stream,
                        uint32_t bytes)
{
    unsigned char payload[4] = {(unsigned char)bytes, (unsigned char)(bytes >> 8),
                                (unsigned char)(bytes >> 16),
                                (unsigned char)(bytes >> 24)};
    struct wire_header header = {
        .length = 4, .type = WIRE_WINDOW, .stream = (uint8_t)stream, .channel = channel};
    send_small(mux, header, payload);
}

/* --- reading: one frame --- */

static int protocol_error(struct dr_error *err, const char *what, uint32_t channel)
{
    return dr_fail_at(err, DR_AT_TRANSPORT, DR_ERR_FORMAT, 0, "protocol: %s (channel %u)",
                      what, channel);
}

static int on_hello(struct wire_mux *mux, json_t *json, struct dr_error *err)
{
    int64_t protocol = dr_json_int(json, "protocol", -1);
    if (protocol != WIRE_PROTOCOL)
        return dr_fail_at(err, DR_AT_TRANSPORT, DR_ERR_UNSUPPORTED, 0,
                          "the other side speaks protocol %lld, this one %d",
                          (long long)protocol, WIRE_PROTOCOL);
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

/* Bytes for parts[0], then parts[1]: > 0; 0: the end; -1 */
static ssize_t receive(struct wire_mux *mux, const struct iovec parts[2],
                       struct dr_error *err)
{
    for (;;) {
        ssize_t n = readv(mux->options.read_fd, parts, parts[1].iov_len ? 2 : 1);
        if (n >= 0)
            return n;
        if (errno == EAGAIN) {
            struct pollfd fds[3] = {
                {.fd = mux->options.read_fd, .events = POLLIN},
                {.fd = mux->wake_fd, .events = POLLIN},
                {.fd = wire_out_waiting(&mux->out), .events = POLLOUT}};
            poll(fds, 3, -1);
            if (fds[1].revents) {
                poll_clear(mux->wake_fd);
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

void wire_item_done(struct wire_chan *c, struct wire_item *item)
{
    struct wire_mux *mux = c->mux;
    json_decref(item->json);
    item->json = NULL;
    pthread_mutex_lock(&mux->lock);
    data_done(mux, item);
    pthread_mutex_unlock(&mux->lock);
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

static void *reader_main(void *arg)
{
    struct wire_mux *mux = arg;
    struct dr_error err = DR_ERROR_INIT;
    struct input in = {.buf = dr_alloc(INPUT_BYTES), .cap = INPUT_BYTES};
    read_frames(mux, &in, &err);
    free(in.buf);
    pthread_mutex_lock(&mux->lock);
    if (mux->stopping)
        dr_error_release(&err);
    end_locked(mux, &err);
    pthread_mutex_unlock(&mux->lock);
    if (mux->options.on_end)
        mux->options.on_end(mux->options.arg, &err);
    dr_error_release(&err);
    return NULL;
}

/* --- sessions --- */

int wire_mux_start(const struct wire_mux_options *options, const json_t *hello,
                   struct wire_mux **ret_mux, struct dr_error *err)
{
    struct wire_mux *mux = dr_alloc(sizeof *mux);
    mux->options = *options;
    mux->next_id = 1;
    mux->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    pthread_mutex_init(&mux->lock, NULL);
    pthread_cond_init(&mux->changed, NULL);
    int flags = fcntl(options->read_fd, F_GETFL);
    if (flags >= 0)
        fcntl(options->read_fd, F_SETFL, flags | O_NONBLOCK);
    wire_out_init(&mux->out, options->write_fd, mux->wake_fd);
    int rc =
        mux->wake_fd < 0 ? dr_fail_errno(err, DR_ERR_INTERNAL, "make an eventfd") : 0;
    if (rc == 0 && options->side == WIRE_GUEST &&
        wire_out_frame(&mux->out, &WIRE_NO_LIMIT, WIRE_MAGIC, WIRE_MAGIC_BYTES, NULL, 0) <
            0)
        rc = send_failed(mux, err);
    /* When the host's HELLO cannot be written the helper is gone already: its last words
     * are in the other pipe, so the reader is started all the same and tells them. */
    struct dr_error ignored = DR_ERROR_INIT;
    if (rc == 0 && options->side == WIRE_GUEST)
        rc = send_json(mux, WIRE_HELLO, 0, hello, &WIRE_NO_LIMIT, err);
    if (rc == 0 && pthread_create(&mux->reader, NULL, reader_main, mux) != 0)
        rc = dr_fail(err, DR_ERR_INTERNAL, "cannot start a thread");
    if (rc < 0) {
        wire_mux_free(mux);
        return -1;
    }
    mux->reader_started = true;
    *ret_mux = mux;
    if (options->side == WIRE_HOST) /* the pipe is empty: this does not block */
        send_json(mux, WIRE_HELLO, 0, hello, &WIRE_NO_LIMIT, &ignored);
    dr_error_release(&ignored);
    return 0;
}

int wire_mux_hello(struct wire_mux *mux, int64_t deadline_ms, json_t **ret_hello,
                   struct dr_error *err)
{
    int rc = 0;
    pthread_mutex_lock(&mux->lock);
    while (!mux->hello && !mux->ended)
        if (wait_changed(&mux->changed, &mux->lock, deadline_ms) == ETIMEDOUT) {
            rc = fail_deadline(err);
            break;
        }
    if (rc == 0 && !mux->hello)
        rc = fail_ended(mux, err);
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

/* --- channel calls --- */

int wire_open_within(struct wire_mux *mux, const json_t *request, struct wire_limit limit,
                     struct wire_chan **ret_chan, struct dr_error *err)
{
    dr_auto_free char *text = json_dumps(request, JSON_COMPACT | JSON_SORT_KEYS);
    if (!text)
        return dr_fail(err, DR_ERR_INVALID, "a text in the request is not valid UTF-8");
    size_t len = strlen(text);
    if (len > WIRE_CONTROL_MAX)
        return dr_fail(err, DR_ERR_INVALID,
                       "a request of %zu bytes, at most %u are possible", len,
                       WIRE_CONTROL_MAX);
    /* numbers must rise on the wire: the number is taken while nobody else can begin a
     * frame */
    if (wire_out_begin(&mux->out, &limit) < 0)
        return send_failed(mux, err);
    pthread_mutex_lock(&mux->lock);
    struct wire_chan *c = mux->ended ? NULL : chan_new(mux, mux->next_id);
    if (!c)
        fail_ended(mux, err);
    else
        mux->next_id += 2;
    pthread_mutex_unlock(&mux->lock);
    if (!c) {
        pthread_mutex_unlock(&mux->out.lock);
        return -1;
    }
    c->limit[WIRE_IN] = c->limit[WIRE_OUT] = limit;
    unsigned char header[WIRE_HEADER_BYTES];
    wire_header_encode(&(struct wire_header){.length = (uint32_t)len,
                                             .type = WIRE_REQUEST,
                                             .channel = c->id},
                       header);
    if (wire_out_end(&mux->out, &limit, header, sizeof header, text, len) < 0) {
        send_failed(mux, err);
        pthread_mutex_lock(&mux->lock);
        chan_free(c);
        pthread_mutex_unlock(&mux->lock);
        return -1;
    }
    *ret_chan = c;
    return 0;
}

int wire_open(struct wire_mux *mux, const json_t *request, struct wire_chan **ret_chan,
              struct dr_error *err)
{
    return wire_open_within(mux, request, WIRE_NO_LIMIT, ret_chan, err);
}

void wire_close(struct wire_chan *c)
{
    if (!c)
        return;
    struct wire_mux *mux = c->mux;
    pthread_mutex_lock(&mux->lock);
    bool cancel = !c->finished && !mux->ended;
    uint32_t id = c->id;
    c->closed = true;
    if (!cancel)
        chan_free(c);
    pthread_mutex_unlock(&mux->lock);
    if (cancel)
        send_small(mux, (struct wire_header){.type = WIRE_CANCEL, .channel = id}, NULL);
}

void wire_limit(struct wire_chan *chan, enum wire_way way, struct wire_limit limit)
{
    chan->limit[way] = limit;
}

/* lock held: why nothing more can be sent on this channel */
static int fail_closed(struct wire_chan *c, struct dr_error *err)
{
    if (c->mux->ended)
        return fail_ended(c->mux, err);
    if (c->cancelled)
        return dr_fail(err, DR_ERR_CANCELLED, "the caller gave up");
    return dr_fail(err, DR_ERR_CANCELLED, "the request has ended");
}

int wire_write(struct wire_chan *c, int stream, const void *data, size_t len,
               struct dr_error *err)
{
    struct wire_mux *mux = c->mux;
    const char *p = data;
    while (len > 0) {
        uint32_t n = len < WIRE_DATA_MAX ? (uint32_t)len : WIRE_DATA_MAX;
        pthread_mutex_lock(&mux->lock);
        while (c->streams[stream].send_credit == 0 && !mux->ended && !c->cancelled &&
               !c->finished)
            if (chan_wait(c, WIRE_OUT, err) < 0) {
                pthread_mutex_unlock(&mux->lock);
                return -1;
            }
        if (mux->ended || c->cancelled || c->finished) {
            fail_closed(c, err);
            pthread_mutex_unlock(&mux->lock);
            return -1;
        }
        if (n > c->streams[stream].send_credit)
            n = c->streams[stream].send_credit;
        c->streams[stream].send_credit -= n;
        pthread_mutex_unlock(&mux->lock);
        struct wire_header h = {
            .length = n, .type = WIRE_DATA, .stream = (uint8_t)stream, .channel = c->id};
        if (send_frame(mux, h, p, &c->limit[WIRE_OUT], err) < 0)
            return -1;
        p += n;
        len -= n;
    }
    return 0;
}

int wire_splice(struct wire_chan *c, int stream, int fd, size_t len, struct dr_error *err)
{
    struct wire_mux *mux = c->mux;
    pthread_mutex_lock(&mux->lock);
    if (mux->ended || c->cancelled || c->finished ||
        c->streams[stream].send_credit < len) {
        fail_closed(c, err);
        pthread_mutex_unlock(&mux->lock);
        return -1;
    }
    c->streams[stream].send_credit -= (uint32_t)len;
    pthread_mutex_unlock(&mux->lock);
    unsigned char head[WIRE_HEADER_BYTES];
    wire_header_encode(&(struct wire_header){.length = (uint32_t)len,
                                             .type = WIRE_DATA,
                                             .stream = (uint8_t)stream,
                                             .channel = c->id},
                       head);
    if (wire_out_splice(&mux->out, &c->limit[WIRE_OUT], head, sizeof head, fd, len) < 0)
        return send_failed(mux, err);
    return 0;
}

int wire_eof(struct wire_chan *c, int stream, struct dr_error *err)
{
    pthread_mutex_lock(&c->mux->lock);
    bool again = c->streams[stream].eof_out;
    c->streams[stream].eof_out = true;
    bool over = c->mux->ended || c->cancelled || c->finished;
    if (over)
        fail_closed(c, err);
    pthread_mutex_unlock(&c->mux->lock);
    if (over)
        return -1;
    if (again)
        return 0;
    struct wire_header h = {
        .type = WIRE_EOF, .stream = (uint8_t)stream, .channel = c->id};
    return send_frame(c->mux, h, NULL, &c->limit[WIRE_OUT], err);
}

int wire_event_within(struct wire_chan *c, const json_t *event, struct wire_limit limit,
                      struct dr_error *err)
{
    pthread_mutex_lock(&c->mux->lock);
    bool over = c->mux->ended || c->cancelled || c->finished;
    if (over)
        fail_closed(c, err);
    pthread_mutex_unlock(&c->mux->lock);
    if (over)
        return -1;
    return send_json(c->mux, WIRE_EVENT, c->id, event, &limit, err);
}

int wire_event(struct wire_chan *c, const json_t *event, struct dr_error *err)
{
    return wire_event_within(c, event, c->limit[WIRE_OUT], err);
}

/* lock held: n bytes of a stream were handed to the owner. Returns the credit to give. */
static uint32_t consumed(struct wire_chan *c, int stream, size_t n)
{
    c->streams[stream].consumed += (uint32_t)n;
    if (c->streams[stream].consumed < WINDOW_STEP || c->finished || c->mux->ended ||
        c->streams[stream].eof_in)
        return 0;
    uint32_t give = c->streams[stream].consumed;
    c->streams[stream].consumed = 0;
    c->streams[stream].received -= give;
    return give;
}

static void give_credit(struct wire_chan *c, int stream, uint32_t bytes)
{
    if (bytes) /* a broken session shows itself at the next read */
        send_window(c->mux, c->id, stream, bytes);
}

ssize_t wire_read(struct wire_chan *c, int stream, void *buf, size_t len,
                  struct dr_error *err)
{
    struct wire_mux *mux = c->mux;
    ssize_t rc = -1;
    uint32_t credit = 0;
    pthread_mutex_lock(&mux->lock);
    for (;;) {
        struct item **at = &c->first;
        while (*at &&
               !((*at)->item.stream == stream && (*at)->item.type <= WIRE_ITEM_EOF))
            at = &(*at)->next;
        struct item *item = *at;
        if (item && item->item.type == WIRE_ITEM_DATA && !(c->cancelled && !mux->ended)) {
            size_t n = item->item.len - item->offset;
            if (n > len)
                n = len;
            memcpy(buf, item->item.data + item->offset, n);
            item->offset += n;
            if (item->offset == item->item.len) {
                unlink_item(c, at);
                data_done(mux, &item->item);
                item_free(item);
            }
            credit = consumed(c, stream, n);
            rc = (ssize_t)n;
            break;
        }
        if (item && item->item.type == WIRE_ITEM_EOF) {
            rc = 0; /* stays queued: every further read is at the end too */
            break;
        }
        if (mux->options.side == WIRE_HOST && c->finished) {
            rc = 0;
            break;
        }
        if (mux->ended || c->cancelled || c->finished) {
            fail_closed(c, err);
            break;
        }
        if (chan_wait(c, WIRE_IN, err) < 0)
            break;
    }
    pthread_mutex_unlock(&mux->lock);
    give_credit(c, stream, credit);
    return rc;
}

static int next_item(struct wire_chan *c, bool wait, struct wire_item *ret_item,
                     struct dr_error *err)
{
    struct wire_mux *mux = c->mux;
    int rc = -1;
    uint32_t credit = 0;
    int stream = 0;
    pthread_mutex_lock(&mux->lock);
    for (;;) {
        if (c->first) {
            struct item *item = c->first;
            unlink_item(c, &c->first);
            *ret_item = item->item;
            stream = item->item.stream;
            if (item->item.type == WIRE_ITEM_DATA) {
                if (item->offset) { /* the rest of what wire_read began */
                    ret_item->len -= item->offset;
                    memmove(ret_item->data, ret_item->data + item->offset, ret_item->len);
                }
                credit = consumed(c, stream, ret_item->len);
            }
            free(item);
            rc = 0;
            break;
        }
        if (c->finished) {
            *ret_item = (struct wire_item){.type = WIRE_ITEM_RESULT};
            rc = 0;
            break;
        }
        if (mux->ended) {
            fail_ended(mux, err);
            break;
        }
        if (!wait) {
            rc = 1;
            break;
        }
        if (chan_wait(c, WIRE_IN, err) < 0)
            break;
    }
    pthread_mutex_unlock(&mux->lock);
    give_credit(c, stream, credit);
    return rc;
}

int wire_next(struct wire_chan *c, struct wire_item *ret_item, struct dr_error *err)
{
    return next_item(c, true, ret_item, err);
}

int wire_try_next(struct wire_chan *c, struct wire_item *ret_item, struct dr_error *err)
{
    return next_item(c, false, ret_item, err);
}

int wire_try_event(struct wire_chan *c, struct wire_item *ret_item, struct dr_error *err)
{
    int rc = 1;
    pthread_mutex_lock(&c->mux->lock);
    struct item **at = &c->first;
    while (*at && (*at)->item.type <= WIRE_ITEM_EOF)
        at = &(*at)->next;
    struct item *item = *at;
    if (item) {
        unlink_item(c, at);
        *ret_item = item->item;
        free(item);
        rc = 0;
    } else if (c->mux->ended) {
        rc = fail_ended(c->mux, err);
    }
    pthread_mutex_unlock(&c->mux->lock);
    return rc;
}

int wire_poll_fd(struct wire_chan *c)
{
    pthread_mutex_lock(&c->mux->lock);
    int fd = poll_fd_of(c, WIRE_IN);
    pthread_mutex_unlock(&c->mux->lock);
    return fd;
}

void wire_poll_clear(struct wire_chan *c)
{
    poll_clear(c->poll_fd[WIRE_IN]);
}

size_t wire_credit(struct wire_chan *c, int stream)
{
    pthread_mutex_lock(&c->mux->lock);
    size_t credit = c->streams[stream].send_credit;
    pthread_mutex_unlock(&c->mux->lock);
    return credit;
}

int wire_result(struct wire_chan *c, json_t **ret_reply, struct dr_error *err)
{
    for (;;) {
        struct wire_item item;
        if (wire_next(c, &item, err) < 0)
            return -1;
        free(item.data);
        json_decref(item.json);
        if (item.type == WIRE_ITEM_RESULT)
            break;
    }
    if (c->result_is_error)
        return wire_error_from_json(c->result, err);
    if (ret_reply)
        *ret_reply = json_incref(c->result);
    return 0;
}

int wire_call(struct wire_mux *mux, const json_t *request, int64_t deadline_ms,
              json_t **ret_reply, struct dr_error *err)
{
    struct wire_chan *c;
    if (wire_open_within(mux, request, (struct wire_limit){deadline_ms, -1}, &c, err) < 0)
        return -1;
    int rc = wire_result(c, ret_reply, err);
    wire_close(c);
    return rc;
}

/* --- the guest's last word --- */

static void finish(struct wire_chan *c, enum wire_type type, const json_t *json)
{
    struct wire_mux *mux = c->mux;
    struct dr_error ignored = DR_ERROR_INIT;
    uint32_t id = c->id;
    pthread_mutex_lock(&mux->lock);
    c->finished = true;
    chan_free(c); /* frames that are still on their way find it gone, and are dropped */
    bool ended = mux->ended;
    pthread_mutex_unlock(&mux->lock);
    if (!ended && send_json(mux, type, id, json, &WIRE_NO_LIMIT, &ignored) < 0 &&
        ignored.kind == DR_ERR_INVALID) { /* a reply that is too large */
        dr_auto_json json_t *error = wire_error_to_json(&ignored, DR_AT_GUEST);
        send_json(mux, WIRE_ERROR, id, error, &WIRE_NO_LIMIT, &ignored);
    }
    dr_error_release(&ignored);
}

void wire_reply(struct wire_chan *chan, const json_t *reply)
{
    dr_auto_json json_t *empty = json_object();
    finish(chan, WIRE_REPLY, reply ? reply : empty);
}

void wire_reply_error(struct wire_chan *chan, const struct dr_error *err)
{
    dr_auto_json json_t *json = wire_error_to_json(err, DR_AT_GUEST);
    finish(chan, WIRE_ERROR, json);
}

bool wire_cancelled(struct wire_chan *chan)
{
    pthread_mutex_lock(&chan->mux->lock);
    bool cancelled = chan->cancelled || chan->mux->ended;
    pthread_mutex_unlock(&chan->mux->lock);
    return cancelled;
}
