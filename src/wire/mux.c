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
#include "base/fs.h"
#include "base/text.h"

#define PREAMBLE_MAX (64u << 10)
#define CHANNELS_MAX 1024
/* Credit is given back in pieces of this size, not for each read. */
#define WINDOW_STEP (WIRE_WINDOW_BYTES / 4)

struct item {
    struct item *next;
    struct wire_item item;
    size_t offset; /* data: already read by wire_read */
};

struct wire_chan {
    struct wire_chan *next;
    struct wire_mux *mux;
    uint32_t id;
    int64_t deadline_ms;
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
    int poll_fd;    /* eventfd for wire_poll_fd, −1 until somebody asked */
    pthread_cond_t changed;
};

struct wire_mux {
    struct wire_mux_options options;
    int wake_fd; /* makes the reader stop */
    pthread_t reader;
    bool reader_started;
    pthread_mutex_t lock;       /* everything below */
    pthread_mutex_t write_lock; /* one frame at a time; taken without `lock` */
    pthread_cond_t changed;     /* hello, broken */
    json_t *hello;
    struct wire_chan *chans;
    uint32_t next_id, last_seen_id;
    size_t chan_count;
    bool ended; /* nothing more can come */
    bool stopping;
    struct dr_error error; /* why; kind NONE: the peer closed */
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

/* lock held: something about the channel is new */
static void chan_changed(struct wire_chan *c)
{
    pthread_cond_broadcast(&c->changed);
    uint64_t one = 1;
    if (c->poll_fd >= 0 && write(c->poll_fd, &one, sizeof one) < 0)
        return; /* the counter is full: it is readable anyway */
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
    c->poll_fd = -1;
    for (int i = 0; i < WIRE_STREAMS; i++)
        c->streams[i].send_credit = WIRE_WINDOW_BYTES;
    pthread_cond_init(&c->changed, NULL);
    c->next = mux->chans;
    mux->chans = c;
    mux->chan_count++;
    return c;
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
    if (c->poll_fd >= 0)
        close(c->poll_fd);
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

/* Once a frame was begun it must be finished, so that failing here breaks the session. */
static int wait_writable(struct wire_mux *mux, int64_t deadline_ms, struct dr_error *err)
{
    pthread_mutex_lock(&mux->lock);
    bool ended = mux->ended;
    if (ended)
        fail_ended(mux, err);
    pthread_mutex_unlock(&mux->lock);
    if (ended)
        return -1;
    if (deadline_ms && dr_clock_ms() >= deadline_ms) {
        fail_deadline(err);
        wire_mux_break(mux, err);
        return -1;
    }
    struct pollfd fd = {.fd = mux->options.write_fd, .events = POLLOUT};
    poll(&fd, 1, 200);
    return 0;
}

/* The pipe does not block; waits for room until the deadline or the session's end. */
static int write_bytes(struct wire_mux *mux, const void *data, size_t len,
                       int64_t deadline_ms, struct dr_error *err)
{
    const char *p = data;
    while (len > 0) {
        ssize_t n = write(mux->options.write_fd, p, len);
        if (n > 0) {
            p += n;
            len -= (size_t)n;
            continue;
        }
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno != EAGAIN) {
            struct dr_error why = DR_ERROR_INIT;
            if (errno == EPIPE) { /* the reader may know more: what the peer said last */
                pthread_mutex_lock(&mux->lock);
                for (int i = 0; i < 20 && !mux->ended; i++)
                    wait_changed(&mux->changed, &mux->lock, dr_clock_ms() + 100);
                bool ended = mux->ended;
                if (ended)
                    fail_ended(mux, err);
                pthread_mutex_unlock(&mux->lock);
                if (ended)
                    return -1;
                errno = EPIPE;
            }
            dr_fail_errno(&why, DR_ERR_UNAVAILABLE, "write to the other side");
            why.origin = DR_AT_TRANSPORT;
            wire_mux_break(mux, &why);
            return dr_error_move(err, &why);
        }
        if (wait_writable(mux, deadline_ms, err) < 0)
            return -1;
    }
    return 0;
}

static int send_frame(struct wire_mux *mux, struct wire_header header,
                      const void *payload, int64_t deadline_ms, struct dr_error *err)
{
    unsigned char small[WIRE_HEADER_BYTES + 4096];
    pthread_mutex_lock(&mux->write_lock);
    int rc;
    wire_header_encode(&header, small);
    if (header.length <= sizeof small - WIRE_HEADER_BYTES) {
        if (header.length)
            memcpy(small + WIRE_HEADER_BYTES, payload, header.length);
        rc = write_bytes(mux, small, WIRE_HEADER_BYTES + header.length, deadline_ms, err);
    } else {
        rc = write_bytes(mux, small, WIRE_HEADER_BYTES, deadline_ms, err);
        if (rc == 0)
            rc = write_bytes(mux, payload, header.length, deadline_ms, err);
    }
    pthread_mutex_unlock(&mux->write_lock);
    return rc;
}

static int send_json(struct wire_mux *mux, enum wire_type type, uint32_t channel,
                     const json_t *json, int64_t deadline_ms, struct dr_error *err)
{
    dr_auto_free char *text = dr_json_text(json);
    size_t len = strlen(text);
    if (len > WIRE_CONTROL_MAX)
        return dr_fail(err, DR_ERR_INVALID,
                       "a message of %zu bytes, at most %u are possible", len,
                       WIRE_CONTROL_MAX);
    struct wire_header header = {
        .length = (uint32_t)len, .type = (uint8_t)type, .channel = channel};
    return send_frame(mux, header, text, deadline_ms, err);
}

static int send_window(struct wire_mux *mux, uint32_t channel, int stream, uint32_t bytes,
                       struct dr_error *err)
{
    unsigned char payload[4] = {(unsigned char)bytes, (unsigned char)(bytes >> 8),
                                (unsigned char)(bytes >> 16),
                                (unsigned char)(bytes >> 24)};
    struct wire_header header = {
        .length = 4, .type = WIRE_WINDOW, .stream = (uint8_t)stream, .channel = channel};
    return send_frame(mux, header, payload, 0, err);
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
    if (mux->chan_count >= CHANNELS_MAX)
        return protocol_error(err, "too many open channels", id);
    pthread_mutex_lock(&mux->lock);
    mux->last_seen_id = id;
    struct wire_chan *c = chan_new(mux, id);
    pthread_mutex_unlock(&mux->lock);
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
            struct pollfd fds[2] = {{.fd = mux->options.read_fd, .events = POLLIN},
                                    {.fd = mux->wake_fd, .events = POLLIN}};
            poll(fds, 2, -1);
            if (fds[1].revents)
                return 0;
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

#define DIRECT_BYTES (32u << 10) /* from here on a payload is read to its place */
#define AHEAD_BYTES 4096         /* what may come with it: the next frame's head */

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
        } else if (len - have < DIRECT_BYTES) {
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
        /* not zeroed: it is filled in a moment */
        dr_auto_free char *payload = dr_realloc(NULL, h.length + 1);
        payload[h.length] = '\0';
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

static void set_nonblocking(int fd)
{
    int flags = fcntl(fd, F_GETFL);
    if (flags >= 0)
        fcntl(fd, F_SETFL, flags | O_NONBLOCK);
}

int wire_mux_start(const struct wire_mux_options *options, const json_t *hello,
                   struct wire_mux **ret_mux, struct dr_error *err)
{
    struct wire_mux *mux = dr_alloc(sizeof *mux);
    mux->options = *options;
    mux->next_id = 1;
    mux->wake_fd = eventfd(0, EFD_CLOEXEC);
    pthread_mutex_init(&mux->lock, NULL);
    pthread_mutex_init(&mux->write_lock, NULL);
    pthread_cond_init(&mux->changed, NULL);
    set_nonblocking(options->read_fd);
    set_nonblocking(options->write_fd);
    int rc = 0;
    if (options->side == WIRE_GUEST)
        rc = write_bytes(mux, WIRE_MAGIC, WIRE_MAGIC_BYTES, 0, err);
    /* When the host's HELLO cannot be written the helper is gone already: its last words
     * are in the other pipe, so the reader is started all the same and tells them. */
    struct dr_error ignored = DR_ERROR_INIT;
    if (rc == 0 && options->side == WIRE_GUEST)
        rc = send_json(mux, WIRE_HELLO, 0, hello, 0, err);
    if (rc == 0 && pthread_create(&mux->reader, NULL, reader_main, mux) != 0)
        rc = dr_fail(err, DR_ERR_INTERNAL, "cannot start a thread");
    if (rc < 0) {
        wire_mux_free(mux);
        return -1;
    }
    mux->reader_started = true;
    *ret_mux = mux;
    if (options->side == WIRE_HOST)
        send_json(mux, WIRE_HELLO, 0, hello, 0, &ignored);
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

void wire_mux_free(struct wire_mux *mux)
{
    if (!mux)
        return;
    pthread_mutex_lock(&mux->lock);
    mux->stopping = true;
    pthread_mutex_unlock(&mux->lock);
    if (mux->options.write_fd != mux->options.read_fd)
        close(mux->options.write_fd);
    if (mux->reader_started) {
        uint64_t one = 1;
        if (write(mux->wake_fd, &one, sizeof one) < 0)
            abort();
        pthread_join(mux->reader, NULL);
    }
    close(mux->options.read_fd);
    close(mux->wake_fd);
    while (mux->chans)
        chan_free(mux->chans);
    json_decref(mux->hello);
    pthread_cond_destroy(&mux->changed);
    pthread_mutex_destroy(&mux->write_lock);
    pthread_mutex_destroy(&mux->lock);
    free(mux);
}

/* --- channel calls --- */

int wire_open(struct wire_mux *mux, const json_t *request, struct wire_chan **ret_chan,
              struct dr_error *err)
{
    /* numbers must rise on the wire: the number is taken and the frame sent under one
     * lock */
    dr_auto_free char *text = dr_json_text(request);
    size_t len = strlen(text);
    if (len > WIRE_CONTROL_MAX)
        return dr_fail(err, DR_ERR_INVALID,
                       "a request of %zu bytes, at most %u are possible", len,
                       WIRE_CONTROL_MAX);
    pthread_mutex_lock(&mux->write_lock);
    pthread_mutex_lock(&mux->lock);
    if (mux->ended) {
        fail_ended(mux, err);
        pthread_mutex_unlock(&mux->lock);
        pthread_mutex_unlock(&mux->write_lock);
        return -1;
    }
    struct wire_chan *c = chan_new(mux, mux->next_id);
    mux->next_id += 2;
    pthread_mutex_unlock(&mux->lock);
    unsigned char header[WIRE_HEADER_BYTES];
    wire_header_encode(&(struct wire_header){.length = (uint32_t)len,
                                             .type = WIRE_REQUEST,
                                             .channel = c->id},
                       header);
    int rc = write_bytes(mux, header, sizeof header, 0, err);
    if (rc == 0)
        rc = write_bytes(mux, text, len, 0, err);
    pthread_mutex_unlock(&mux->write_lock);
    if (rc < 0) {
        pthread_mutex_lock(&mux->lock);
        chan_free(c);
        pthread_mutex_unlock(&mux->lock);
        return -1;
    }
    *ret_chan = c;
    return 0;
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
    if (cancel) {
        struct dr_error ignored = DR_ERROR_INIT;
        send_frame(mux, (struct wire_header){.type = WIRE_CANCEL, .channel = id}, NULL, 0,
                   &ignored);
        dr_error_release(&ignored);
    }
}

void wire_deadline(struct wire_chan *chan, int64_t deadline_ms)
{
    chan->deadline_ms = deadline_ms;
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
            if (wait_changed(&c->changed, &mux->lock, c->deadline_ms) == ETIMEDOUT) {
                pthread_mutex_unlock(&mux->lock);
                return fail_deadline(err);
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
        if (send_frame(mux, h, p, c->deadline_ms, err) < 0)
            return -1;
        p += n;
        len -= n;
    }
    return 0;
}

/* What splice would have moved, for pipes that it does not know (a socket of sshd). */
static int copy_bytes(struct wire_mux *mux, int fd, size_t len, int64_t deadline_ms,
                      struct dr_error *err)
{
    dr_auto_free char *data = dr_realloc(NULL, len);
    ssize_t n = dr_read_full(fd, data, len);
    if (n >= 0 && (size_t)n == len)
        return write_bytes(mux, data, len, deadline_ms, err);
    /* the frame was begun: there is no way back */
    dr_fail_errno(err, DR_ERR_INTERNAL, "read what was to be passed on");
    wire_mux_break(mux, err);
    return -1;
}

static int splice_bytes(struct wire_mux *mux, int fd, size_t len, int64_t deadline_ms,
                        struct dr_error *err)
{
    while (len > 0) {
        ssize_t n = splice(fd, NULL, mux->options.write_fd, NULL, len,
                           SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
        if (n > 0) {
            len -= (size_t)n;
            continue;
        }
        if (n < 0 && errno == EINTR)
            continue;
        if (n == 0 || errno != EAGAIN)
            return copy_bytes(mux, fd, len, deadline_ms, err);
        /* it is the pipe's room that is missing; the bytes are there */
        if (wait_writable(mux, deadline_ms, err) < 0)
            return -1;
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
    pthread_mutex_lock(&mux->write_lock);
    int rc = write_bytes(mux, head, sizeof head, c->deadline_ms, err);
    if (rc == 0)
        rc = splice_bytes(mux, fd, len, c->deadline_ms, err);
    pthread_mutex_unlock(&mux->write_lock);
    return rc;
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
    return send_frame(c->mux, h, NULL, c->deadline_ms, err);
}

int wire_event(struct wire_chan *c, const json_t *event, struct dr_error *err)
{
    pthread_mutex_lock(&c->mux->lock);
    bool over = c->mux->ended || c->cancelled || c->finished;
    if (over)
        fail_closed(c, err);
    pthread_mutex_unlock(&c->mux->lock);
    if (over)
        return -1;
    return send_json(c->mux, WIRE_EVENT, c->id, event, c->deadline_ms, err);
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

static int give_credit(struct wire_chan *c, int stream, uint32_t bytes)
{
    struct dr_error ignored = DR_ERROR_INIT;
    if (bytes)
        send_window(c->mux, c->id, stream, bytes, &ignored);
    dr_error_release(&ignored);
    return 0; /* a broken session shows itself at the next read */
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
        if (wait_changed(&c->changed, &mux->lock, c->deadline_ms) == ETIMEDOUT) {
            fail_deadline(err);
            break;
        }
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
        if (wait_changed(&c->changed, &mux->lock, c->deadline_ms) == ETIMEDOUT) {
            fail_deadline(err);
            break;
        }
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
    if (c->poll_fd < 0) {
        c->poll_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        chan_changed(c); /* what came before counts as new */
    }
    pthread_mutex_unlock(&c->mux->lock);
    return c->poll_fd;
}

void wire_poll_clear(struct wire_chan *c)
{
    uint64_t count;
    if (c->poll_fd >= 0 && read(c->poll_fd, &count, sizeof count) < 0)
        return; /* nothing was there */
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
    if (wire_open(mux, request, &c, err) < 0)
        return -1;
    wire_deadline(c, deadline_ms);
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
    if (!ended && send_json(mux, type, id, json, 0, &ignored) < 0 &&
        ignored.kind == DR_ERR_INVALID) { /* a reply that is too large */
        dr_auto_json json_t *error = wire_error_to_json(&ignored, DR_AT_GUEST);
        send_json(mux, WIRE_ERROR, id, error, 0, &ignored);
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
