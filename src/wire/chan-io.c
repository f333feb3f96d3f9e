/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/mux-private.h"

#include <errno.h>
#include <string.h>

/* Credit is given back in pieces of this size, not for each read. */
#define WINDOW_STEP (WIRE_WINDOW_BYTES / 4)

/* lock held: why nothing more can be sent on this channel */
static int chan_fail_closed(struct wire_chan *c, struct dr_error *err)
{
    if (c->mux->ended)
        return mux_fail_ended(c->mux, err);
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
            chan_fail_closed(c, err);
            pthread_mutex_unlock(&mux->lock);
            return -1;
        }
        if (n > c->streams[stream].send_credit)
            n = c->streams[stream].send_credit;
        c->streams[stream].send_credit -= n;
        pthread_mutex_unlock(&mux->lock);
        struct wire_header h = {
            .length = n, .type = WIRE_DATA, .stream = (uint8_t)stream, .channel = c->id};
        if (mux_send(mux, h, p, &c->limit[WIRE_OUT], err) < 0)
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
        chan_fail_closed(c, err);
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
        return mux_send_failed(mux, err);
    return 0;
}

int wire_eof(struct wire_chan *c, int stream, struct dr_error *err)
{
    pthread_mutex_lock(&c->mux->lock);
    bool again = c->streams[stream].eof_out;
    c->streams[stream].eof_out = true;
    bool over = c->mux->ended || c->cancelled || c->finished;
    if (over)
        chan_fail_closed(c, err);
    pthread_mutex_unlock(&c->mux->lock);
    if (over)
        return -1;
    if (again)
        return 0;
    struct wire_header h = {
        .type = WIRE_EOF, .stream = (uint8_t)stream, .channel = c->id};
    return mux_send(c->mux, h, NULL, &c->limit[WIRE_OUT], err);
}

int wire_event_within(struct wire_chan *c, const json_t *event, struct wire_limit limit,
                      struct dr_error *err)
{
    pthread_mutex_lock(&c->mux->lock);
    bool over = c->mux->ended || c->cancelled || c->finished;
    if (over)
        chan_fail_closed(c, err);
    pthread_mutex_unlock(&c->mux->lock);
    if (over)
        return -1;
    return mux_send_json(c->mux, WIRE_EVENT, c->id, event, &limit, err);
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
        mux_send_window(c->mux, c->id, stream, bytes);
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
                chan_unlink(c, at);
                chan_data_done(mux, &item->item);
                chan_item_free(item);
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
            chan_fail_closed(c, err);
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
            chan_unlink(c, &c->first);
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
            mux_fail_ended(mux, err);
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
        chan_unlink(c, at);
        *ret_item = item->item;
        free(item);
        rc = 0;
    } else if (c->mux->ended) {
        rc = mux_fail_ended(c->mux, err);
    }
    pthread_mutex_unlock(&c->mux->lock);
    return rc;
}

int wire_poll_fd(struct wire_chan *c)
{
    pthread_mutex_lock(&c->mux->lock);
    int fd = chan_poll_fd(c, WIRE_IN);
    pthread_mutex_unlock(&c->mux->lock);
    return fd;
}

void wire_poll_clear(struct wire_chan *c)
{
    mux_poll_clear(c->poll_fd[WIRE_IN]);
}

size_t wire_credit(struct wire_chan *c, int stream)
{
    pthread_mutex_lock(&c->mux->lock);
    size_t credit = c->streams[stream].send_credit;
    pthread_mutex_unlock(&c->mux->lock);
    return credit;
}
