/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/upload.h"

#include <string.h>

#include "base/text.h"
#include "registry/internal.h"
#include "registry/location.h"
#include "registry/status.h"

#define WHOLE_MAX (1 << 20) /* so small goes with the request that ends it */
#define PIECE_AFTER_LOSS                                                                 \
    (8 << 20) /* the registry forgot what broke off: less at a time */
#define PIECE_MIN (64 << 10)
#define MOUNT_TRIES 2
#define PROGRESS_MS 50

void upload_release(struct upload *u)
{
    exchange_release(&u->exchange);
    dr_error_release(&u->read_error);
    free(u->path);
    free(u->content_range);
    free(u->session);
    u->path = u->content_range = u->session = NULL;
}

static void tell(struct upload *u, enum registry_blob_state state, int64_t done)
{
    const struct registry_options *o = &u->reg->options;
    int64_t now = dr_clock_ms();
    if (!o->progress ||
        (state == REGISTRY_BLOB_LOADING && now - u->told_ms < PROGRESS_MS))
        return;
    u->told_ms = now;
    struct registry_progress progress = {.index = u->index,
                                         .descriptor = u->blob->descriptor,
                                         .state = state,
                                         .done_bytes = done,
                                         .total_bytes = u->blob->descriptor->size_bytes};
    o->progress(o->context, &progress);
}

static ssize_t give_bytes(void *context, int64_t offset, void *data, size_t len)
{
    struct upload *u = context;
    ssize_t n = (ssize_t)len;
    if (u->blob->data)
        memcpy(data, (const char *)u->blob->data + offset, len);
    else
        n = store_fetch_read(u->blob->fetch, offset, data, len, &u->read_error);
    if (n == 0)
        dr_fail(&u->read_error, DR_ERR_FORMAT, "blob %s got shorter",
                u->blob->descriptor->digest.text);
    if (n > 0)
        tell(u, REGISTRY_BLOB_LOADING, offset + n);
    return n > 0 ? n : -1;
}

/* --- questions --- */

/* path: owned, taken over. */
static int ask(struct upload *u, enum upload_phase phase, char *path,
               struct exchange exchange, struct dr_error *err)
{
    exchange_release(&u->exchange);
    free(u->path);
    u->path = path;
    u->phase = phase;
    exchange.reg = u->reg;
    exchange.path = path;
    exchange.context = u;
    exchange.once = true;
    exchange.body_max = HTTP_ERROR_BODY_MAX; /* nothing that matters is in it */
    u->exchange = exchange;
    return exchange_start(&u->exchange, err);
}

static int ask_look(struct upload *u, struct dr_error *err)
{
    char *path =
        dr_printf("/v2/%s/blobs/%s", u->reg->ref.path, u->blob->descriptor->digest.text);
    return ask(u, UPLOAD_LOOK, path, (struct exchange){.head = true}, err);
}

static int ask_mount(struct upload *u, struct dr_error *err)
{
    dr_auto_free char *uploads = dr_printf("/v2/%s/blobs/uploads/", u->reg->ref.path);
    dr_auto_free char *what =
        location_with(uploads, "mount", u->blob->descriptor->digest.text);
    char *path = location_with(what, "from", u->blob->mounts[u->mount]);
    return ask(u, UPLOAD_MOUNT, path, (struct exchange){.method = "POST"}, err);
}

static int ask_start(struct upload *u, struct dr_error *err)
{
    char *path = dr_printf("/v2/%s/blobs/uploads/", u->reg->ref.path);
    u->offset = 0;
    return ask(u, UPLOAD_START, path, (struct exchange){.method = "POST"}, err);
}

static int ask_status(struct upload *u, struct dr_error *err)
{
    return ask(u, UPLOAD_STATUS, dr_strdup(u->session), (struct exchange){0}, err);
}

/* The request that ends it, with the bytes that are missing when they are few. */
static int ask_commit(struct upload *u, struct dr_error *err)
{
    const struct oci_descriptor *d = u->blob->descriptor;
    struct exchange x = {.method = "PUT"};
    if (u->offset < d->size_bytes) {
        x.content_type = "application/octet-stream";
        x.source = give_bytes;
        x.source_len = d->size_bytes;
    }
    return ask(u, UPLOAD_COMMIT, location_with(u->session, "digest", d->digest.text), x,
               err);
}

static int ask_send(struct upload *u, struct dr_error *err)
{
    int64_t left = u->blob->descriptor->size_bytes - u->offset;
    bool whole = u->offset == 0 && left <= u->piece;
    if (left == 0 || (whole && left <= WHOLE_MAX))
        return ask_commit(u, err);
    if (left > u->piece)
        left = u->piece;
    free(u->content_range);
    u->content_range = NULL;
    /* a stream of all of it says no range: not every registry can do the other */
    if (!whole)
        u->content_range = dr_printf("%lld-%lld", (long long)u->offset,
                                     (long long)(u->offset + left - 1));
    struct exchange x = {.method = "PATCH",
                         .content_type = "application/octet-stream",
                         .content_range = u->content_range,
                         .source = give_bytes,
                         .source_from = u->offset,
                         .source_len = left};
    return ask(u, UPLOAD_SEND, dr_strdup(u->session), x, err);
}

static int go(struct upload *u, enum upload_phase to, struct dr_error *err)
{
    switch (to) {
    case UPLOAD_LOOK:
        return ask_look(u, err);
    case UPLOAD_MOUNT:
        return ask_mount(u, err);
    case UPLOAD_STATUS:
        return ask_status(u, err);
    case UPLOAD_SEND:
        return ask_send(u, err);
    default:
        return ask_start(u, err);
    }
}

int upload_begin(struct upload *u, struct dr_error *err)
{
    u->progress_ms = dr_clock_ms();
    u->piece = INT64_MAX;
    if (!u->looking)
        u->session = DR_TAKE(u->blob->session);
    return go(u, u->looking ? UPLOAD_LOOK : u->session ? UPLOAD_SEND : UPLOAD_START, err);
}

/* --- answers --- */

static int over(struct upload *u, enum registry_blob_state state)
{
    u->blob->present = true;
    u->phase = u->looking ? UPLOAD_FOUND : UPLOAD_DONE;
    tell(u, state, u->blob->descriptor->size_bytes);
    return 0;
}

static int not_there(struct upload *u, struct dr_error *err)
{
    if (!u->looking)
        return go(u, UPLOAD_START, err);
    if (u->blob->mounts && u->blob->mounts[u->mount] && u->mount < MOUNT_TRIES)
        return go(u, UPLOAD_MOUNT, err);
    u->phase = UPLOAD_FOUND;
    tell(u, REGISTRY_BLOB_WAITING, 0);
    return 0;
}

/* The registry's Location becomes the session. -1 without one, unless it may be kept. */
static int take_session(struct upload *u, struct dr_error *err)
{
    const struct http_call *call = &u->exchange.call;
    if (!call->location && u->session)
        return 0;
    if (!call->location)
        return dr_fail_at(err, DR_AT_REGISTRY, DR_ERR_PULL, call->status,
                          "%s does not say where the upload goes on (no Location)",
                          u->reg->ref.host);
    char *session = location_resolve(u->exchange.url, call->location, err);
    if (!session)
        return -1;
    free(u->session);
    u->session = session;
    return 0;
}

/* "0-99": 100 bytes are there. Many say "0-0" for none, which is the same as for one. */
static int64_t range_end(const char *range, int64_t otherwise)
{
    if (range && strncmp(range, "bytes=", 6) == 0)
        range += 6;
    if (!range || range[0] != '0' || range[1] != '-')
        return otherwise;
    int64_t last;
    if (!dr_int_parse(range + 2, 0, INT64_MAX - 1, &last))
        return otherwise;
    return last == 0 ? 0 : last + 1;
}

static int take_offset(struct upload *u, int64_t otherwise, struct dr_error *err)
{
    int64_t size = u->blob->descriptor->size_bytes;
    int64_t offset = range_end(u->exchange.call.range, otherwise);
    if (offset > size || offset < u->offset)
        return dr_fail_at(err, DR_AT_REGISTRY, DR_ERR_PULL, u->exchange.call.status,
                          "%s says that %lld bytes of the upload are there, but %lld of "
                          "%lld were sent",
                          u->reg->ref.host, (long long)offset, (long long)otherwise,
                          (long long)size);
    u->offset = offset;
    if (offset > u->best) {
        u->best = offset;
        u->progress_ms = dr_clock_ms();
        u->tries = 0;
    }
    return 0;
}

static int answered(struct upload *u, struct dr_error *err)
{
    const struct http_call *call = &u->exchange.call;
    switch (u->phase) {
    case UPLOAD_LOOK:
        return over(u, u->looking ? REGISTRY_BLOB_CACHED : REGISTRY_BLOB_DONE);
    case UPLOAD_MOUNT:
        if (call->status == 201) {
            u->blob->mounted = u->blob->mounts[u->mount];
            return over(u, REGISTRY_BLOB_MOUNTED);
        }
        /* not from there: an upload was begun instead, which will do */
        if (!u->blob->session && take_session(u, err) == 0)
            u->blob->session = DR_TAKE(u->session);
        dr_error_release(err);
        u->mount = MOUNT_TRIES;
        return not_there(u, err);
    case UPLOAD_START:
        if (call->status == 201) /* it found that it has it */
            return over(u, REGISTRY_BLOB_DONE);
        return take_session(u, err) < 0 ? -1 : go(u, UPLOAD_SEND, err);
    case UPLOAD_SEND:
        if (take_session(u, err) < 0 ||
            take_offset(u, u->offset + u->exchange.source_len, err) < 0)
            return -1;
        return go(u, UPLOAD_SEND, err);
    case UPLOAD_STATUS:
        u->offset = 0; /* whatever we thought */
        if (take_session(u, err) < 0 || take_offset(u, 0, err) < 0)
            return -1;
        return go(u, UPLOAD_SEND, err);
    default:
        return over(u, REGISTRY_BLOB_DONE);
    }
}

/* --- troubles --- */

/* err lets it stand, or is released and `next` is done a little later. */
static int later(struct upload *u, enum upload_phase next, struct dr_error *err)
{
    const struct registry_options *o = &u->reg->options;
    int64_t now = dr_clock_ms(), wait = u->exchange.asked_wait_ms;
    if (wait == 0)
        wait = exchange_backoff_ms(u->tries);
    if (++u->tries >= o->tries || now + wait - u->progress_ms > o->retry_deadline_ms)
        return -1;
    registry_tell_wait(u->reg, err, wait);
    dr_error_release(err);
    u->after = next;
    u->not_before_ms = now + wait;
    return 0;
}

static void smaller(struct upload *u, int64_t most)
{
    int64_t sent = u->exchange.source_len;
    int64_t piece = u->piece < sent ? u->piece : sent;
    piece = piece / 8 < most ? piece / 8 : most;
    u->piece = piece > PIECE_MIN ? piece : PIECE_MIN;
}

/* Nothing is known of the session any more: it was the last answer that got lost and the
 * blob is there, or it has to be sent again. */
static int lost_session(struct upload *u, struct dr_error *err)
{
    free(u->session);
    u->session = NULL;
    dr_error_release(err);
    return go(u, UPLOAD_LOOK, err);
}

static int refused(struct upload *u, struct dr_error *err)
{
    int code = err->code;
    bool passing = u->exchange.passing;
    switch (u->phase) {
    case UPLOAD_LOOK:
        /* 403, 405 …: not to be had by HEAD. Whoever may write will hear of it. */
        if (passing)
            return later(u, UPLOAD_LOOK, err);
        if (code != 404 && code != 400 && code != 403 && code != 405 && code != 501)
            return -1;
        dr_error_release(err);
        return not_there(u, err);
    case UPLOAD_MOUNT:
        if (passing)
            return later(u, UPLOAD_MOUNT, err);
        if (err->origin != DR_AT_REGISTRY || code == 0)
            return -1;
        dr_error_release(err);
        u->mount++;
        return not_there(u, err);
    case UPLOAD_START:
        return passing ? later(u, UPLOAD_START, err) : -1;
    case UPLOAD_STATUS:
        if (passing)
            return later(u, UPLOAD_STATUS, err);
        return code >= 400 ? lost_session(u, err) : -1;
    default:
        break;
    }
    /* in the middle of the bytes, or at their end */
    if (code == 413 && u->exchange.source_len > PIECE_MIN) {
        smaller(u, INT64_MAX);
        return later(u, UPLOAD_STATUS, err);
    }
    if (passing) {
        if (u->exchange.source_len > PIECE_MIN)
            smaller(u, PIECE_AFTER_LOSS);
        return later(u, UPLOAD_STATUS, err);
    }
    if (code == 404 || code == 416) /* it has forgotten, or disagrees where we are */
        return later(u, UPLOAD_STATUS, err);
    return -1;
}

int upload_step(struct upload *u, struct dr_error *err)
{
    if (u->not_before_ms > 0) {
        if (dr_clock_ms() < u->not_before_ms)
            return 0;
        u->not_before_ms = 0;
        return go(u, u->after, err);
    }
    int rc = exchange_step(&u->exchange, err);
    if (rc == 0)
        return 0;
    if (rc < 0 && u->read_error.kind != DR_ERR_NONE)
        return dr_error_move(err, &u->read_error);
    return rc > 0 ? answered(u, err) : refused(u, err);
}
