/* SPDX-License-Identifier: Apache-2.0 */
#include "host/pull-layers.h"

#include <string.h>

#include "host/registries.h"

/* Layers that cross at a time: enough for the guest's cores, bounded for its memory. */
#define SENDERS_MIN 2
#define SENDERS_MAX 8

/* --- shared by the threads --- */

void pull_tell(struct pull *pull, const struct dray_progress *step)
{
    if (!pull->options->progress)
        return;
    pthread_mutex_lock(&pull->lock);
    pull->options->progress(pull->options->progress_arg, step);
    pthread_mutex_unlock(&pull->lock);
}

void pull_tell_layer(struct pull *pull, size_t layer, int what, int stage, int64_t done)
{
    const struct oci_descriptor *d = &pull->image->manifest.layers[layer];
    struct dray_progress step = {.size = sizeof step,
                                 .layer = d->digest.text,
                                 .done = done,
                                 .total = d->size_bytes};
    step.what = what;
    step.stage = stage;
    pull_tell(pull, &step);
}

/* The first error is the one that counts; what it causes elsewhere is "cancelled". */
static void fail_pull(struct pull *pull, struct dr_error *err)
{
    pthread_mutex_lock(&pull->lock);
    if (pull->error.kind == DR_ERR_NONE ||
        (pull->error.kind == DR_ERR_CANCELLED && err->kind != DR_ERR_CANCELLED))
        dr_error_move(&pull->error, err);
    pthread_mutex_unlock(&pull->lock);
    dr_error_release(err);
    dray_cancel_trigger(pull->stop);
}

static bool cancelled(const struct pull *pull)
{
    return atomic_load(&pull->stop->triggered);
}

/* --- what is missing --- */

static bool contains(const json_t *array, const char *text)
{
    size_t i;
    json_t *item;
    json_array_foreach (array, i, item)
        if (strcmp(json_string_value(item), text) == 0)
            return true;
    return false;
}

/* Layers whose diff id the guest lacks, each once. */
static int list_missing(struct pull *pull, struct dr_error *err)
{
    struct oci_image *image = pull->image;
    dr_auto_json json_t *request = request_new("layers.missing"), *reply = NULL;
    json_t *ids = json_array();
    for (size_t i = 0; i < image->config.n_diff_ids; i++)
        json_array_append_new(ids, json_string(image->config.diff_ids[i].text));
    dr_json_set(request, "diff_ids", ids);
    if (request_call(pull->target, DR_TAKE(request), &pull->limits, &reply, err) < 0)
        return -1;
    const json_t *missing = dr_json_array(reply, "missing");
    pull->transfers = dr_alloc((image->config.n_diff_ids + 1) * sizeof *pull->transfers);
    for (size_t i = 0; i < image->config.n_diff_ids; i++) {
        const char *diff_id = image->config.diff_ids[i].text;
        bool again = false;
        for (size_t j = 0; j < pull->transfer_count; j++)
            again = again || strcmp(image->config.diff_ids[pull->transfers[j].layer].text,
                                    diff_id) == 0;
        if (again || !contains(missing, diff_id))
            pull_tell_layer(pull, i, DRAY_PROGRESS_LAYER_EXISTS, DRAY_LAYER_WAITING, 0);
        else
            pull->transfers[pull->transfer_count++] =
                (struct transfer){.layer = i, .range = FILE_RANGE_INIT};
    }
    return 0;
}

static int open_fetches(struct pull *pull, struct store *store, struct dr_error *err)
{
    for (size_t i = 0; i < pull->transfer_count; i++) {
        const struct oci_descriptor *d =
            &pull->image->manifest.layers[pull->transfers[i].layer];
        const struct oci_digest *diff_id =
            &pull->image->config.diff_ids[pull->transfers[i].layer];
        /* the cache is for what was compressed, and for what came over a line */
        if (pull->archive && oci_digest_equal(&d->digest, diff_id)) {
            if (archive_blob(pull->archive, d, &pull->transfers[i].range, err) < 0)
                return -1;
            pull->transfers[i].loaded = true;
            continue;
        }
        if (store_blob_open(store, &d->digest, d->size_bytes, &pull->transfers[i].fetch,
                            err) < 0)
            return dr_wrap(err, "layer %.19s", d->digest.text);
    }
    return 0;
}

int pull_find_missing(struct pull *pull, struct store *store, struct dr_error *err)
{
    return list_missing(pull, err) < 0 ? -1 : open_fetches(pull, store, err);
}

/* --- sending one layer --- */

/* A blob as it comes, or a plain tar out of an archive, of which the guest verifies that
 * it has its diff id. 0: it is at its end. */
static ssize_t read_layer(struct transfer *t, int64_t offset, char *buf,
                          struct dr_error *err)
{
    return t->fetch ? store_fetch_read(t->fetch, offset, buf, WIRE_DATA_MAX, err)
                    : file_range_read(&t->range, offset, buf, WIRE_DATA_MAX, err);
}

static int send_content(struct pull *pull, struct transfer *t, struct wire_chan *chan,
                        struct dr_error *err)
{
    dr_auto_free char *buf = dr_alloc(WIRE_DATA_MAX);
    int64_t offset = 0;
    for (;;) {
        ssize_t n = read_layer(t, offset, buf, err);
        if (n < 0)
            return -1;
        if (n == 0)
            return wire_eof(chan, WIRE_STDIN, err);
        if (cancelled(pull))
            return dr_fail(err, DR_ERR_CANCELLED, "the pull was cancelled");
        if (wire_write(chan, WIRE_STDIN, buf, (size_t)n, err) < 0)
            return -1;
        offset += n;
        if (!t->fetch || t->loaded)
            pull_tell_layer(pull, t->layer, DRAY_PROGRESS_LAYER, DRAY_LAYER_UNPACKING,
                            offset);
    }
}

static int send_layer(struct pull *pull, struct transfer *t, struct dr_error *err)
{
    const struct oci_descriptor *d = &pull->image->manifest.layers[t->layer];
    struct wire_chan *chan;
    dr_auto_json json_t *request = request_new("layer.put");
    dr_json_set_str(request, "diff_id", pull->image->config.diff_ids[t->layer].text);
    dr_json_set_str(request, "media_type", d->media_type);
    struct session *session;
    if (request_open(pull->target, request, &pull->limits, &session, &chan, err) < 0)
        return -1;
    int rc = send_content(pull, t, chan, err);
    if (rc < 0 && err->kind == DR_ERR_CANCELLED && !cancelled(pull)) {
        /* the guest ended the request before all was sent: it says why, or somebody else
         * made the layer meanwhile */
        dr_error_release(err);
        rc = wire_result(chan, NULL, err);
    } else if (rc == 0) {
        rc = wire_result(chan, NULL, err);
    }
    wire_close(chan);
    session_unref(session);
    if (rc < 0)
        return dr_wrap(err, "layer %.19s", d->digest.text);
    pull_tell_layer(pull, t->layer, DRAY_PROGRESS_LAYER_DONE, DRAY_LAYER_UNPACKING,
                    d->size_bytes);
    return 0;
}

static void *sender_main(void *arg)
{
    struct pull *pull = arg;
    while (!cancelled(pull)) {
        size_t i = atomic_fetch_add(&pull->next, 1);
        if (i >= pull->transfer_count)
            break;
        struct dr_error err = DR_ERROR_INIT;
        if (send_layer(pull, &pull->transfers[i], &err) < 0)
            fail_pull(pull, &err);
    }
    return NULL;
}

/* --- downloading --- */

void pull_on_blob(void *context, const struct registry_progress *p)
{
    struct pull *pull = context;
    struct transfer *t = &pull->transfers[p->index];
    if (p->state == REGISTRY_BLOB_DONE || p->state == REGISTRY_BLOB_CACHED)
        t->loaded = true;
    int stage = t->loaded                           ? DRAY_LAYER_UNPACKING
                : p->state == REGISTRY_BLOB_LOADING ? DRAY_LAYER_DOWNLOADING
                                                    : DRAY_LAYER_WAITING;
    pull_tell_layer(pull, t->layer, DRAY_PROGRESS_LAYER, stage,
                    t->loaded ? 0 : p->done_bytes);
}

void pull_on_wait(void *context, const char *why, int64_t wait_ms)
{
    struct pull *pull = context;
    pthread_mutex_lock(&pull->lock);
    registries_tell_wait(pull->options->progress, pull->options->progress_arg, why,
                         wait_ms);
    pthread_mutex_unlock(&pull->lock);
}

static void on_copied(void *arg, size_t index, bool done)
{
    struct pull *pull = arg;
    if (done)
        pull->transfers[index].loaded = true;
}

static void *downloader_main(void *arg)
{
    struct pull *pull = arg;
    size_t n = 0;
    dr_auto_free struct store_fetch **fetches =
        dr_alloc(pull->transfer_count * sizeof(struct store_fetch *));
    dr_auto_free struct oci_descriptor *descs =
        dr_alloc(pull->transfer_count * sizeof *descs);
    for (size_t i = 0; i < pull->transfer_count; i++) {
        if (!pull->transfers[i].fetch)
            continue;
        fetches[n] = pull->transfers[i].fetch;
        descs[n++] =
            pull->image->manifest.layers[pull->transfers[i].layer]; /* borrowed */
    }
    struct dr_error err = DR_ERROR_INIT;
    const struct archive_fetch how = {&pull->stop->triggered,
                                      n == pull->transfer_count ? on_copied : NULL, pull};
    if (n > 0 &&
        (pull->archive
             ? archive_fetch_blobs(pull->archive, &how, fetches, descs, n, &err)
             : registry_fetch_blobs(pull->registry, fetches, descs, n, &err)) < 0)
        fail_pull(pull, &err);
    return NULL;
}

static size_t sender_count(int64_t cpus)
{
    return cpus < SENDERS_MIN   ? SENDERS_MIN
           : cpus > SENDERS_MAX ? SENDERS_MAX
                                : (size_t)cpus;
}

int pull_move_layers(struct pull *pull, int64_t cpus, struct dr_error *err)
{
    pthread_t downloader, threads[SENDERS_MAX];
    size_t started = 0, senders = sender_count(cpus);
    if (pull->transfer_count == 0)
        return 0;
    if (pthread_create(&downloader, NULL, downloader_main, pull) != 0)
        return dr_fail(err, DR_ERR_INTERNAL, "cannot start a thread");
    while (started < senders && started < pull->transfer_count &&
           pthread_create(&threads[started], NULL, sender_main, pull) == 0)
        started++;
    if (started == 0)
        sender_main(pull);
    for (size_t i = 0; i < started; i++)
        pthread_join(threads[i], NULL);
    pthread_join(downloader, NULL);
    if (pull->error.kind != DR_ERR_NONE)
        return dr_error_move(err, &pull->error);
    if (cancelled(pull))
        return dr_fail(err, DR_ERR_CANCELLED, "the pull was cancelled");
    return 0;
}

void pull_layers_release(struct pull *pull)
{
    for (size_t i = 0; i < pull->transfer_count; i++) {
        store_fetch_close(pull->transfers[i].fetch);
        file_range_release(&pull->transfers[i].range);
    }
    free(pull->transfers);
    dr_error_release(&pull->error);
}
