/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/download.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/text.h"
#include "registry/internal.h"

#define POLL_MS 100
#define TELL_MS 50 /* between two steps of progress */

struct download {
    struct exchange exchange;
    int fd;
    int64_t have;
    int64_t told_ms;     /* when the last progress was told */
    bool body_seen;      /* of this answer */
    struct dr_error why; /* of the sink */
};

char *download_shown(const char *url)
{
    dr_auto_free char *start = dr_strndup(url, strcspn(url, "?#"));
    return dr_escape(start, 200);
}

/* What an answer may be put behind: only bytes of the very same file. */
static int64_t have_bytes(void *context)
{
    const struct download *d = context;
    return d->exchange.etag ? d->have : 0;
}

/* A part of the very file that we have the beginning of? */
static bool goes_on(const struct download *d)
{
    const struct http_call *call = &d->exchange.call;
    dr_auto_free char *should =
        dr_printf("bytes %lld-", (long long)call->request.range_from);
    return call->content_range && call->etag && d->exchange.etag &&
           strcmp(call->etag, d->exchange.etag) == 0 &&
           strncmp(call->content_range, should, strlen(should)) == 0;
}

static bool begin_answer(struct download *d)
{
    const struct http_call *call = &d->exchange.call;
    d->body_seen = true;
    if (call->status == 206 && !goes_on(d)) {
        dr_fail_at(&d->why, DR_AT_REGISTRY, DR_ERR_FORMAT, 206,
                   "the server sends another part, or of another file, than asked for");
        return false;
    }
    d->have = call->status == 206 ? call->request.range_from : 0;
    if (ftruncate(d->fd, d->have) == 0 && lseek(d->fd, d->have, SEEK_SET) >= 0)
        return true;
    dr_fail_errno(&d->why, DR_ERR_INTERNAL, "keep the file for a while");
    return false;
}

static void tell(struct download *d, enum registry_blob_state state)
{
    const struct registry_options *o = &d->exchange.reg->options;
    const struct http_call *call = &d->exchange.call;
    int64_t now = dr_clock_ms(), from = call->request.range_from;
    if (!o->progress || (state == REGISTRY_BLOB_LOADING && now - d->told_ms < TELL_MS))
        return;
    d->told_ms = now;
    struct registry_progress progress = {
        .state = state,
        .done_bytes = d->have,
        .total_bytes = state == REGISTRY_BLOB_DONE ? d->have
                       : call->content_length < 0  ? 0
                       : call->status == 206       ? from + call->content_length
                                                   : call->content_length};
    o->progress(o->context, &progress);
}

static bool on_bytes(void *context, const void *data, size_t len)
{
    struct download *d = context;
    if (!d->body_seen && !begin_answer(d))
        return false;
    if (dr_write_full(d->fd, data, len) < 0) {
        dr_fail_errno(&d->why, DR_ERR_INTERNAL, "keep the file for a while");
        return false;
    }
    d->have += (int64_t)len;
    tell(d, REGISTRY_BLOB_LOADING);
    return true;
}

static int run(struct registry *reg, struct download *d, struct dr_error *err)
{
    struct exchange *x = &d->exchange;
    if (exchange_start(x, err) < 0)
        return -1;
    for (;;) {
        if (d->why.kind != DR_ERR_NONE)
            return dr_error_move(err, &d->why);
        bool seen = d->body_seen;
        if (x->call.done)
            d->body_seen = false; /* whatever comes next is another answer */
        int rc = exchange_step(x, err);
        if (rc > 0 && !seen && ftruncate(d->fd, 0) < 0) /* an empty one, after another */
            return dr_fail_errno(err, DR_ERR_INTERNAL, "keep the file for a while");
        if (rc > 0)
            tell(d, REGISTRY_BLOB_DONE);
        if (rc != 0)
            return rc < 0 ? -1 : 0;
        if (http_pump(reg->http, x->not_before_ms > 0 ? 20 : POLL_MS, err) < 0)
            return -1;
    }
}

int download_file(const char *url, const struct registry_options *options, int fd,
                  struct dr_error *err)
{
    struct registry *reg;
    struct registry_options anonymous = *options;
    anonymous.user = anonymous.password = NULL;
    anonymous.auth_file = "";
    anonymous.store = NULL;
    if (registry_open_server(url, &anonymous, &reg, err) < 0)
        return -1;
    struct download d = {.fd = fd, .told_ms = INT64_MIN / 2};
    d.exchange = (struct exchange){.reg = reg,
                                   .path = url,
                                   .bulk = true,
                                   .sink = on_bytes,
                                   .have = have_bytes,
                                   .context = &d};
    int rc = run(reg, &d, err);
    exchange_release(&d.exchange);
    dr_error_release(&d.why);
    registry_close(reg);
    return rc;
}
