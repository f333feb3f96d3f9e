/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/mux-private.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>

#include "base/text.h"

#define BLIND_MS 20

/* lock held: something about the channel is new */
void chan_changed(struct wire_chan *c)
{
    pthread_cond_broadcast(&c->changed);
    uint64_t one = 1;
    for (int way = 0; way < 2; way++)
        if (c->poll_fd[way] >= 0 && write(c->poll_fd[way], &one, sizeof one) < 0)
            continue; /* the counter is full: it is readable anyway */
}

/* lock held */
int chan_poll_fd(struct wire_chan *c, enum wire_way way)
{
    if (c->poll_fd[way] < 0) {
        c->poll_fd[way] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        chan_changed(c); /* what came before counts as new */
    }
    return c->poll_fd[way];
}

/* lock held, given up while it waits: until the channel changed, within the limit of that
 * direction. With a cancel descriptor the wait is a poll. */
int chan_wait(struct wire_chan *c, enum wire_way way, struct dr_error *err)
{
    struct wire_limit limit = c->limit[way];
    pthread_mutex_t *lock = &c->mux->lock;
    if (limit.cancel_fd < 0)
        return mux_wait(&c->changed, lock, limit.deadline_ms) == ETIMEDOUT
                   ? mux_fail_deadline(err)
                   : 0;
    struct pollfd fds[] = {{.fd = chan_poll_fd(c, way), .events = POLLIN},
                           {.fd = limit.cancel_fd, .events = POLLIN}};
    int64_t left = limit.deadline_ms ? limit.deadline_ms - dr_clock_ms() : -1;
    if (limit.deadline_ms && left <= 0)
        return mux_fail_deadline(err);
    if (fds[0].fd < 0 && (left < 0 || left > BLIND_MS))
        left = BLIND_MS; /* no descriptor was left for us: look now and then */
    pthread_mutex_unlock(lock);
    poll(fds, 2, left > INT32_MAX ? INT32_MAX : (int)left);
    pthread_mutex_lock(lock);
    if (fds[0].revents)
        mux_poll_clear(fds[0].fd);
    return fds[1].revents ? mux_fail_cancelled(err) : 0;
}
struct wire_chan *chan_new(struct wire_mux *mux, uint32_t id)
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
void chan_data_done(struct wire_mux *mux, struct wire_item *item)
{
    if (item->type == WIRE_ITEM_DATA && item->len >= PAYLOAD_LARGE && item->data &&
        mux->spare_count < SPARES)
        mux->spare[mux->spare_count++] = DR_TAKE(item->data);
    free(DR_TAKE(item->data));
}

void chan_item_free(struct item *item)
{
    free(item->item.data);
    json_decref(item->item.json);
    free(item);
}

/* lock held */
void chan_free(struct wire_chan *c)
{
    struct wire_chan **p = &c->mux->chans;
    while (*p != c)
        p = &(*p)->next;
    *p = c->next;
    c->mux->chan_count--;
    while (c->first) {
        struct item *item = c->first;
        c->first = item->next;
        chan_item_free(item);
    }
    json_decref(c->result);
    dr_cleanup_fd(&c->poll_fd[WIRE_IN]);
    dr_cleanup_fd(&c->poll_fd[WIRE_OUT]);
    pthread_cond_destroy(&c->changed);
    free(c);
}

struct wire_chan *chan_find(struct wire_mux *mux, uint32_t id)
{
    for (struct wire_chan *c = mux->chans; c; c = c->next)
        if (c->id == id)
            return c;
    return NULL;
}

/* lock held; takes item's contents */
void chan_push(struct wire_chan *c, struct wire_item content)
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

void chan_unlink(struct wire_chan *c, struct item **at)
{
    struct item *item = *at;
    *at = item->next;
    if (!item->next)
        c->last = at;
}
void wire_item_done(struct wire_chan *c, struct wire_item *item)
{
    struct wire_mux *mux = c->mux;
    json_decref(item->json);
    item->json = NULL;
    pthread_mutex_lock(&mux->lock);
    chan_data_done(mux, item);
    pthread_mutex_unlock(&mux->lock);
}

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
    if (mux_wait_prepared(mux, &limit, err) < 0)
        return -1;
    /* numbers must rise on the wire: the number is taken while nobody else can begin a
     * frame */
    if (wire_out_begin(&mux->out, &limit) < 0)
        return mux_send_failed(mux, err);
    pthread_mutex_lock(&mux->lock);
    struct wire_chan *c = mux->ended ? NULL : chan_new(mux, mux->next_id);
    if (!c)
        mux_fail_ended(mux, err);
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
        mux_send_failed(mux, err);
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
        mux_send_small(mux, (struct wire_header){.type = WIRE_CANCEL, .channel = id},
                       NULL);
}

void wire_limit(struct wire_chan *chan, enum wire_way way, struct wire_limit limit)
{
    chan->limit[way] = limit;
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
    if (!ended && mux_send_json(mux, type, id, json, &WIRE_NO_LIMIT, &ignored) < 0 &&
        ignored.kind == DR_ERR_INVALID) { /* a reply that is too large */
        dr_auto_json json_t *error = wire_error_to_json(&ignored, DR_AT_GUEST);
        mux_send_json(mux, WIRE_ERROR, id, error, &WIRE_NO_LIMIT, &ignored);
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

void wire_patient(struct wire_chan *chan)
{
    pthread_mutex_lock(&chan->mux->lock);
    chan->patient = true;
    pthread_mutex_unlock(&chan->mux->lock);
}

bool wire_cancelled(struct wire_chan *chan)
{
    pthread_mutex_lock(&chan->mux->lock);
    bool cancelled = chan->cancelled || chan->mux->ended;
    pthread_mutex_unlock(&chan->mux->lock);
    return cancelled;
}
