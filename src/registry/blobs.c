/* SPDX-License-Identifier: Apache-2.0 */
/* Many blobs at once from the registry into the store. */
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "registry/committer.h"
#include "registry/internal.h"

#define PROGRESS_MS 50
#define FOLLOW_POLL_MS 20
#define POLL_MS 100
#define BULK_BYTES (16 << 20) /* from here on another connection is no loss */

enum phase {
    PHASE_QUEUED,
    PHASE_LOADING,
    PHASE_FOLLOWING, /* somebody else writes it */
    PHASE_DONE,
};

struct job {
    struct registry *reg; /* whom it comes from: a mirror, or the registry itself */
    size_t endpoint;      /* which of them */
    const struct oci_descriptor *descriptor;
    struct store_fetch *fetch;
    size_t index;
    enum phase phase;
    bool cached; /* nothing had to be fetched */
    char *path;  /* owned */
    struct exchange exchange;
    bool body_seen;      /* of this answer */
    int64_t skip;        /* bytes of this answer that we have already */
    int restarts;        /* how often the whole blob came when a part was asked for */
    struct dr_error why; /* of the sink */
    int64_t told_ms;
    enum registry_blob_state told;
};

struct batch {
    struct registry *reg;
    struct job *jobs;
    size_t n, active, done;
    struct committer *committer;
};

static void tell(struct job *job, enum registry_blob_state state)
{
    const struct registry_options *o = &job->reg->options;
    int64_t now = dr_clock_ms();
    if (!o->progress || (state == job->told && now - job->told_ms < PROGRESS_MS))
        return;
    struct registry_progress progress = {.index = job->index,
                                         .descriptor = job->descriptor,
                                         .state = state,
                                         .done_bytes = store_fetch_have(job->fetch),
                                         .total_bytes = store_fetch_size(job->fetch)};
    job->told_ms = now;
    job->told = state;
    o->progress(o->context, &progress);
}

/* "bytes 100-199/200" for a fetch of 200 bytes that asked from 100. */
static bool range_is(const char *range, int64_t from, int64_t size)
{
    char should[80];
    snprintf(should, sizeof should, "bytes %lld-%lld/%lld", (long long)from,
             (long long)size - 1, (long long)size);
    if (range && strcmp(range, should) == 0)
        return true;
    snprintf(should, sizeof should, "bytes %lld-%lld/*", (long long)from,
             (long long)size - 1);
    return range && strcmp(range, should) == 0;
}

/* The first bytes of an answer: does it give what was asked for? */
static int check_answer(struct job *job)
{
    const struct http_call *call = &job->exchange.call;
    int64_t from = call->request.range_from, size = store_fetch_size(job->fetch);
    int64_t expected = size;
    if (call->status == 206) {
        if (from == 0 || !range_is(call->content_range, from, size)) {
            dr_auto_free char *safe = dr_escape(call->content_range, 60);
            return dr_fail_at(&job->why, DR_AT_REGISTRY, DR_ERR_FORMAT, 206,
                              "the registry sends another part ('%s') than asked for",
                              safe);
        }
        expected = size - from;
    } else if (from > 0 && job->restarts++ > 0) {
        return dr_fail_at(&job->why, DR_AT_REGISTRY, DR_ERR_PULL, call->status,
                          "the line broke again, and the registry cannot go on from "
                          "there, it begins anew (200 instead of 206)");
    }
    /* it does not do ranges: what we have comes again */
    job->skip = call->status == 206 ? 0 : store_fetch_have(job->fetch);
    if (call->content_length >= 0 && call->content_length != expected)
        return dr_fail_at(&job->why, DR_AT_REGISTRY, DR_ERR_FORMAT, call->status,
                          "the registry sends %lld bytes, but the manifest says %lld",
                          (long long)call->content_length, (long long)expected);
    return 0;
}

static bool on_bytes(void *context, const void *data, size_t len)
{
    struct job *job = context;
    if (!job->body_seen) {
        job->body_seen = true;
        if (check_answer(job) < 0)
            return false;
    }
    if (job->skip > 0) {
        size_t n = (int64_t)len < job->skip ? len : (size_t)job->skip;
        job->skip -= (int64_t)n;
        data = (const char *)data + n;
        len -= n;
    }
    if (len == 0)
        return true;
    if (store_fetch_append(job->fetch, data, len, &job->why) < 0)
        return false;
    tell(job, REGISTRY_BLOB_LOADING);
    return true;
}

/* The exchange asks at the start of each try, which is when an answer's state is void. */
static int64_t have_bytes(void *context)
{
    struct job *job = context;
    return store_fetch_have(job->fetch);
}

static int begin_loading(struct job *job, struct dr_error *err)
{
    exchange_release(&job->exchange);
    free(job->path);
    job->path =
        dr_printf("/v2/%s/blobs/%s", job->reg->ref.path, job->descriptor->digest.text);
    job->exchange = (struct exchange){.reg = job->reg,
                                      .path = job->path,
                                      .pinned = true,
                                      .part = true,
                                      .bulk = job->descriptor->size_bytes >= BULK_BYTES,
                                      .sink = on_bytes,
                                      .have = have_bytes,
                                      .context = job};
    job->body_seen = false;
    job->phase = PHASE_LOADING;
    tell(job, REGISTRY_BLOB_LOADING);
    return exchange_start(&job->exchange, err);
}

/* All bytes are there. */
static int finish(struct batch *batch, struct job *job, struct dr_error *err)
{
    exchange_release(&job->exchange);
    int rc = store_fetch_verify(job->fetch, err);
    if (rc < 0) {
        if (err->origin == DR_AT_UNSET && err->kind == DR_ERR_FORMAT)
            err->origin = DR_AT_REGISTRY;
        return -1;
    }
    if (rc > 0) { /* what an earlier pull left was no good: from the start */
        job->phase = PHASE_QUEUED;
        return 0;
    }
    committer_add(batch->committer, job->fetch);
    tell(job, job->cached ? REGISTRY_BLOB_CACHED : REGISTRY_BLOB_DONE);
    job->phase = PHASE_DONE;
    batch->done++;
    return 0;
}

/* Finds out what a job is to do now. */
static int place(struct batch *batch, struct job *job, struct dr_error *err)
{
    switch (store_fetch_state(job->fetch)) {
    case STORE_COMPLETE:
        tell(job, job->phase == PHASE_QUEUED ? REGISTRY_BLOB_CACHED : REGISTRY_BLOB_DONE);
        job->phase = PHASE_DONE;
        batch->done++;
        return 0;
    case STORE_FOLLOWED:
        job->phase = PHASE_FOLLOWING;
        tell(job, REGISTRY_BLOB_WAITING);
        return 0;
    case STORE_OWNED:
        if (store_fetch_have(job->fetch) == store_fetch_size(job->fetch)) {
            job->cached = true;
            return finish(batch, job, err);
        }
        job->phase = PHASE_QUEUED;
        if (batch->active < (size_t)batch->reg->options.max_parallel) {
            batch->active++;
            return begin_loading(job, err);
        }
        tell(job, REGISTRY_BLOB_WAITING);
        return 0;
    default: {
        char unused;
        if (store_fetch_read(job->fetch, 0, &unused, 1, err) >= 0)
            dr_fail(err, DR_ERR_INTERNAL, "the fetch failed");
        return -1;
    }
    }
}

static int step_loading(struct batch *batch, struct job *job, struct dr_error *err)
{
    if (job->why.kind != DR_ERR_NONE)
        return dr_error_move(err, &job->why);
    if (job->exchange.call.done)
        job->body_seen = false; /* whatever comes next is another answer */
    int rc = exchange_step(&job->exchange, err);
    int64_t have = store_fetch_have(job->fetch), size = store_fetch_size(job->fetch);
    if (rc < 0 && err->code == 416 && have > 0 && job->restarts++ == 0) {
        /* it has another idea of the size, or of ranges: the digest will tell */
        dr_error_release(err);
        job->exchange.no_range = true;
        return exchange_start(&job->exchange, err);
    }
    if (rc <= 0)
        return rc;
    if (have < size) {
        dr_fail_at(err, DR_AT_REGISTRY, DR_ERR_PULL, job->exchange.call.status,
                   "the registry sent only %lld of %lld bytes", (long long)have,
                   (long long)size);
        return exchange_again(&job->exchange, err);
    }
    batch->active--;
    return finish(batch, job, err);
}

/* A blob is the same wherever it comes from: what one cannot give the next one may. What
 * was received stays, when it was not wrong. */
static int go_on_elsewhere(struct batch *batch, struct job *job, struct dr_error *err)
{
    struct registry *reg = batch->reg;
    if (job->endpoint == reg->n_mirrors || !registry_next_may_help(reg, err) ||
        store_fetch_state(job->fetch) != STORE_OWNED)
        return job->endpoint == reg->n_mirrors
                   ? -1
                   : dr_wrap(err, "mirror %s", job->reg->api_host);
    dr_error_release(err);
    dr_error_release(&job->why);
    job->reg = registry_endpoint(reg, ++job->endpoint);
    job->restarts = 0;
    return begin_loading(job, err);
}

static int step(struct batch *batch, struct job *job, struct dr_error *err)
{
    int rc;
    switch (job->phase) {
    case PHASE_QUEUED:
    case PHASE_FOLLOWING:
        return place(batch, job, err);
    case PHASE_LOADING:
        rc = step_loading(batch, job, err);
        return rc < 0 ? go_on_elsewhere(batch, job, err) : rc;
    default:
        return 0;
    }
}

static int run(struct batch *batch, struct dr_error *err)
{
    while (batch->done < batch->n) {
        bool following = false;
        for (size_t i = 0; i < batch->n; i++) {
            struct job *job = &batch->jobs[i];
            if (step(batch, job, err) < 0)
                return dr_wrap(err, "layer %.19s", job->descriptor->digest.text);
            following = following || job->phase == PHASE_FOLLOWING ||
                        (job->phase == PHASE_LOADING && job->exchange.not_before_ms > 0);
        }
        if (committer_check(batch->committer, err) < 0)
            return -1;
        if (batch->done < batch->n &&
            http_pump(batch->reg->http, following ? FOLLOW_POLL_MS : POLL_MS, err) < 0)
            return -1;
    }
    return 0;
}

static int fetch_all(struct registry *reg, struct store_fetch *const *fetches,
                     const struct oci_descriptor *descs, size_t n, struct dr_error *err)
{
    struct batch batch = {.reg = reg, .n = n, .committer = committer_new(n)};
    batch.jobs = dr_alloc((n + 1) * sizeof *batch.jobs);
    for (size_t i = 0; i < n; i++)
        batch.jobs[i] = (struct job){
            .reg = registry_endpoint(reg, reg->chosen),
            .endpoint = reg->chosen,
            .descriptor = &descs[i],
            .fetch = fetches[i],
            .index = i,
            .told_ms = INT64_MIN / 2,
        };
    dr_auto_error struct dr_error disk = DR_ERROR_INIT;
    int rc = run(&batch, err);
    for (size_t i = 0; i < n; i++)
        exchange_release(&batch.jobs[i].exchange);
    if (committer_end(batch.committer, &disk) < 0 && rc == 0)
        rc = dr_error_move(err, &disk);
    for (size_t i = 0; i < n; i++) {
        if (rc < 0)
            store_fetch_fail(fetches[i], err, false);
        dr_error_release(&batch.jobs[i].why);
        free(batch.jobs[i].path);
    }
    free(batch.jobs);
    return rc;
}

int registry_fetch_blobs(struct registry *reg, struct store_fetch *const *fetches,
                         const struct oci_descriptor *descs, size_t n,
                         struct dr_error *err)
{
    pthread_mutex_lock(&reg->lock);
    int rc = fetch_all(reg, fetches, descs, n, err);
    pthread_mutex_unlock(&reg->lock);
    return rc < 0 ? dr_wrap(err, "%s", reg->familiar) : 0;
}
