/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A pull: resolve on the host, ask the guest which layers it lacks, and let those flow:
 * one thread downloads into the host's blob cache, a few others follow the growing blobs
 * and send them across, each on a channel of its own. Nothing waits for a whole layer,
 * and the guest sees the end of a blob only after its digest was verified here.
 */
#include <poll.h>
#include <pthread.h>
#include <string.h>
#include <sys/eventfd.h>

#include "archive/archive.h"
#include "base/text.h"
#include "host/builtin.h"
#include "host/pull.h"
#include "host/registries.h"
#include "host/target.h"
#include "oci/ref.h"
#include "registry/registry.h"

/* Layers that cross at a time: enough for the guest's cores, bounded for its memory. */
#define SENDERS_MIN 2
#define SENDERS_MAX 8

/* C10: the cache is bounded. What was used longest ago goes first; parts of blobs that
 * nobody came back for within a week go too. */
#define CACHE_MAX_BYTES (10ll << 30)
#define CACHE_PARTIAL_AGE_S (7 * 24 * 3600)

struct transfer {
    size_t layer;              /* index in the manifest */
    struct store_fetch *fetch; /* NULL: it comes out of `range` */
    struct file_range range;
    atomic_bool loaded; /* the whole blob is verified on the host */
};

struct pull {
    struct dray_target *target;
    const struct dray_pull_options *options;
    const struct limits *asked; /* the caller's */
    struct limits limits;       /* of what we send: `stop` gives it up */
    struct oci_image *image;
    struct registry *registry;
    struct archive *archive; /* borrowed; instead of a registry */
    size_t archive_image;
    struct transfer *transfers;
    size_t transfer_count;
    atomic_size_t next;       /* transfer that the next free sender takes */
    struct dray_cancel *stop; /* all of it: somebody failed, or the caller gave up */
    pthread_mutex_t lock;     /* progress, and the first error */
    struct dr_error error;
};

/* --- shared by the threads --- */

static void tell(struct pull *pull, const struct dray_progress *step)
{
    if (!pull->options->progress)
        return;
    pthread_mutex_lock(&pull->lock);
    pull->options->progress(pull->options->progress_arg, step);
    pthread_mutex_unlock(&pull->lock);
}

static void tell_layer(struct pull *pull, size_t layer, int what, int stage, int64_t done)
{
    const struct oci_descriptor *d = &pull->image->manifest.layers[layer];
    struct dray_progress step = {.size = sizeof step,
                                 .layer = d->digest.text,
                                 .done = done,
                                 .total = d->size_bytes};
    step.what = what;
    step.stage = stage;
    tell(pull, &step);
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

/* --- sending one layer --- */

static int send_blob(struct pull *pull, struct transfer *t, struct wire_chan *chan,
                     struct dr_error *err)
{
    dr_auto_free char *buf = dr_alloc(WIRE_DATA_MAX);
    int64_t offset = 0;
    for (;;) {
        ssize_t n = store_fetch_read(t->fetch, offset, buf, WIRE_DATA_MAX, err);
        if (n < 0)
            return -1;
        if (n == 0)
            return wire_eof(chan, WIRE_STDIN, err);
        if (cancelled(pull))
            return dr_fail(err, DR_ERR_CANCELLED, "the pull was cancelled");
        if (wire_write(chan, WIRE_STDIN, buf, (size_t)n, err) < 0)
            return -1;
        offset += n;
        if (t->loaded)
            tell_layer(pull, t->layer, DRAY_PROGRESS_LAYER, DRAY_LAYER_UNPACKING, offset);
    }
}

/* A plain tar out of an archive: the guest verifies that it has its diff id. */
static int send_range(struct pull *pull, struct transfer *t, struct wire_chan *chan,
                      struct dr_error *err)
{
    dr_auto_free char *buf = dr_alloc(WIRE_DATA_MAX);
    int64_t offset = 0;
    for (;;) {
        ssize_t n = file_range_read(&t->range, offset, buf, WIRE_DATA_MAX, err);
        if (n < 0)
            return -1;
        if (n == 0)
            return wire_eof(chan, WIRE_STDIN, err);
        if (cancelled(pull))
            return dr_fail(err, DR_ERR_CANCELLED, "the pull was cancelled");
        if (wire_write(chan, WIRE_STDIN, buf, (size_t)n, err) < 0)
            return -1;
        offset += n;
        tell_layer(pull, t->layer, DRAY_PROGRESS_LAYER, DRAY_LAYER_UNPACKING, offset);
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
    int rc = t->fetch ? send_blob(pull, t, chan, err) : send_range(pull, t, chan, err);
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
    tell_layer(pull, t->layer, DRAY_PROGRESS_LAYER_DONE, DRAY_LAYER_UNPACKING,
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

static void on_blob(void *arg, const struct registry_progress *p)
{
    struct pull *pull = arg;
    struct transfer *t = &pull->transfers[p->index];
    if (p->state == REGISTRY_BLOB_DONE || p->state == REGISTRY_BLOB_CACHED)
        t->loaded = true;
    int stage = t->loaded                           ? DRAY_LAYER_UNPACKING
                : p->state == REGISTRY_BLOB_LOADING ? DRAY_LAYER_DOWNLOADING
                                                    : DRAY_LAYER_WAITING;
    tell_layer(pull, t->layer, DRAY_PROGRESS_LAYER, stage, t->loaded ? 0 : p->done_bytes);
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

static int move_layers(struct pull *pull, size_t senders, struct dr_error *err)
{
    pthread_t downloader, threads[SENDERS_MAX];
    size_t started = 0;
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
static int find_missing(struct pull *pull, struct dr_error *err)
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
            tell_layer(pull, i, DRAY_PROGRESS_LAYER_EXISTS, DRAY_LAYER_WAITING, 0);
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

/* --- the image itself --- */

static int send_documents(struct dray_target *target, const struct limits *limits,
                          const char *ref, const char *familiar, const char *manifest,
                          size_t manifest_len, const char *config, size_t config_len,
                          json_t **ret_reply, struct dr_error *err)
{
    struct oci_digest digest;
    struct wire_chan *chan;
    oci_digest_of(manifest, manifest_len, &digest);
    dr_auto_json json_t *request = request_new("image.put");
    dr_json_set_str(request, "ref", ref);
    dr_json_set_str(request, "familiar", familiar);
    dr_json_set_str(request, "digest", digest.text);
    struct session *session;
    if (request_open(target, request, limits, &session, &chan, err) < 0)
        return -1;
    dr_auto_error struct dr_error sending = DR_ERROR_INIT;
    if (wire_write(chan, WIRE_STDIN, manifest, manifest_len, &sending) == 0 &&
        wire_eof(chan, WIRE_STDIN, &sending) == 0 &&
        wire_write(chan, WIRE_STDOUT, config, config_len, &sending) == 0)
        wire_eof(chan, WIRE_STDOUT, &sending);
    int rc = wire_result(chan, ret_reply, err);
    wire_close(chan);
    session_unref(session);
    return rc;
}

/* *ret_image: NULL when it is not there. */
static int find_image(struct dray_target *target, const struct limits *limits,
                      const char *ref, json_t **ret_image, struct dr_error *err)
{
    dr_auto_error struct dr_error missing = DR_ERROR_INIT;
    json_t *request = request_new("image.get");
    dr_json_set_str(request, "ref", ref);
    *ret_image = NULL;
    if (request_call(target, request, limits, ret_image, &missing) == 0 ||
        missing.kind == DR_ERR_NOT_FOUND)
        return 0;
    return dr_error_move(err, &missing);
}

static json_t *result(const char *id, const char *digest, const char *ref,
                      const char *familiar, bool pulled)
{
    json_t *json = json_object();
    dr_json_set_str(json, "id", id);
    dr_json_set_str(json, "digest", digest);
    dr_json_set_str(json, "ref", ref);
    dr_json_set_str(json, "familiar", familiar);
    dr_json_set_bool(json, "pulled", pulled);
    dr_json_set_bool(json, "newer", false);
    return json;
}

static json_t *result_of(const json_t *image, const char *ref, const char *familiar)
{
    return result(dr_json_str(image, "id"), dr_json_str(image, "digest"), ref, familiar,
                  false);
}

/* --- the built-in image --- */

static int put_layer(struct dray_target *target, const struct limits *limits,
                     const struct builtin_image *image, struct dr_error *err)
{
    struct session *session;
    struct wire_chan *chan;
    dr_auto_json json_t *request = request_new("layer.put");
    dr_json_set_str(request, "diff_id", image->diff_id.text);
    dr_json_set_str(request, "media_type", "application/vnd.oci.image.layer.v1.tar");
    if (request_open(target, request, limits, &session, &chan, err) < 0)
        return -1;
    dr_auto_error struct dr_error sending = DR_ERROR_INIT;
    if (wire_write(chan, WIRE_STDIN, image->layer.data, image->layer.len, &sending) == 0)
        wire_eof(chan, WIRE_STDIN, &sending);
    int rc = wire_result(chan, NULL, err);
    wire_close(chan);
    session_unref(session);
    return rc;
}

static int pull_builtin(struct dray_target *target, const struct limits *limits,
                        const char *ref, const char *familiar, json_t **ret_image,
                        struct dr_error *err)
{
    dr_auto_json json_t *hello = NULL, *reply = NULL;
    struct builtin_image image;
    if (target_hello(target, &hello, err) < 0 ||
        builtin_make(dr_json_str(hello, "arch"), &image, err) < 0)
        return -1;
    int rc = put_layer(target, limits, &image, err);
    if (rc == 0)
        rc = send_documents(target, limits, ref, familiar, image.manifest,
                            strlen(image.manifest), image.config, strlen(image.config),
                            &reply, err);
    builtin_release(&image);
    if (rc == 0)
        *ret_image = result(dr_json_str(reply, "id"), dr_json_str(reply, "digest"), ref,
                            familiar, true);
    return rc;
}

/* --- the pull --- */

static size_t sender_count(const json_t *hello)
{
    int64_t cpus = dr_json_int(hello, "cpus", 1);
    return cpus < SENDERS_MIN   ? SENDERS_MIN
           : cpus > SENDERS_MAX ? SENDERS_MAX
                                : (size_t)cpus;
}

static int guest_platform(struct dray_target *target, const char *asked,
                          struct oci_platform *ret, json_t **ret_hello,
                          struct dr_error *err)
{
    if (target_hello(target, ret_hello, err) < 0)
        return -1;
    if (asked)
        return oci_platform_parse(asked, ret, err);
    oci_platform_set(ret, "linux", dr_json_str(*ret_hello, "arch"),
                     dr_json_str(*ret_hello, "variant"));
    return 0;
}

/* A push to another repository of that registry need not send them. */
static void note_source(const struct pull *pull, struct store *store,
                        const struct oci_ref *ref)
{
    dr_auto_free char *note = dr_printf("from %s/%s", ref->host, ref->path);
    for (size_t i = 0; i < pull->image->manifest.n_layers; i++)
        store_note_add(store, &pull->image->manifest.layers[i].digest, note);
}

static int fetch_and_send(struct pull *pull, struct store *store, size_t senders,
                          const char *ref, const char *familiar, json_t **ret_image,
                          struct dr_error *err)
{
    struct oci_image *image = pull->image;
    dr_auto_json json_t *reply = NULL;
    tell(pull, &(struct dray_progress){.size = sizeof(struct dray_progress),
                                       .what = DRAY_PROGRESS_RESOLVED,
                                       .total = (int64_t)image->manifest.n_layers});
    if (find_missing(pull, err) < 0 || open_fetches(pull, store, err) < 0 ||
        (pull->transfer_count && move_layers(pull, senders, err) < 0) ||
        send_documents(pull->target, &pull->limits, ref, familiar, image->manifest_raw,
                       image->manifest_len, image->config_raw, image->config_len, &reply,
                       err) < 0)
        return -1;
    *ret_image = result(dr_json_str(reply, "id"), dr_json_str(reply, "digest"), ref,
                        familiar, true);
    return 0;
}

/* The caller's limits end the pull wherever it is: in the registry, the cache, or on the
 * wire. */
struct watch {
    struct pull *pull;
    int done_fd;
};

static void *watch_main(void *arg)
{
    struct watch *watch = arg;
    const struct limits *asked = watch->pull->asked;
    struct pollfd fds[] = {
        {.fd = watch->done_fd, .events = POLLIN},
        {.fd = asked->cancel ? asked->cancel->fd : -1, .events = POLLIN}};
    for (;;) {
        int64_t left = asked->deadline_ms ? asked->deadline_ms - dr_clock_ms() : -1;
        if (asked->deadline_ms && left < 0)
            left = 0;
        int n = poll(fds, 2, left > INT32_MAX ? INT32_MAX : (int)left);
        if (fds[0].revents && n > 0)
            return NULL;
        if ((n > 0 && fds[1].revents) || (n == 0 && left <= INT32_MAX)) {
            dray_cancel_trigger(watch->pull->stop);
            return NULL;
        }
    }
}

/* Why it was given up, when it was the caller who did. */
static int given_up(const struct pull *pull, struct dr_error *err)
{
    if (limits_cancelled(pull->asked, err) < 0)
        return -1;
    if (pull->asked->deadline_ms && dr_clock_ms() >= pull->asked->deadline_ms)
        return dr_fail(err, DR_ERR_TIMEOUT, "the pull did not end within its deadline");
    return 0;
}

static int resolve_archive_and_send(struct pull *pull, struct store *store,
                                    const char *name, const char *familiar,
                                    json_t **ret_image, struct dr_error *err)
{
    struct oci_platform platform;
    dr_auto_json json_t *hello = NULL;
    if (guest_platform(pull->target, pull->options->platform, &platform, &hello, err) <
            0 ||
        archive_resolve(pull->archive, pull->archive_image, &platform, pull->image, err) <
            0)
        return -1;
    return fetch_and_send(pull, store, sender_count(hello), name, familiar, ret_image,
                          err);
}

static int resolve_and_send(struct pull *pull, struct store *store,
                            const struct oci_ref *ref, const char *name,
                            const char *familiar, const json_t *have, json_t **ret_image,
                            struct dr_error *err)
{
    struct oci_platform platform;
    struct oci_digest known = {0};
    const char *digest = dr_json_str(have, "digest");
    dr_auto_error struct dr_error odd = DR_ERROR_INIT;
    dr_auto_json json_t *hello = NULL;
    struct registry_options ro = {.store = store,
                                  .cancel = &pull->stop->triggered,
                                  .progress = on_blob,
                                  .context = pull};
    if (registries_options(pull->options->registry, &pull->target->registry, &ro, err) <
            0 ||
        guest_platform(pull->target, pull->options->platform, &platform, &hello, err) <
            0 ||
        registry_open(ref, &ro, &pull->registry, err) < 0)
        return -1;
    bool any = digest && oci_digest_parse(digest, strlen(digest), &known, &odd) == 0;
    int rc = registry_resolve(pull->registry, &platform, any ? &known : NULL, pull->image,
                              err);
    if (rc < 0)
        return -1;
    if (rc == 0 && !(any && oci_digest_equal(&known, &pull->image->manifest_digest)))
        rc = fetch_and_send(pull, store, sender_count(hello), name, familiar, ret_image,
                            err);
    else
        *ret_image = result_of(have, name, familiar);
    if (rc == 0)
        note_source(pull, store, ref);
    return rc < 0 ? -1 : 0;
}

/* have: the image of that name that is there already, or NULL. archive: instead of the
 * registry that ref names. */
static int pull_from(struct dray_target *target, const struct dray_pull_options *options,
                     const struct limits *limits, const struct oci_ref *ref,
                     struct archive *archive, size_t archive_image, const char *name,
                     const char *familiar, const json_t *have, json_t **ret_image,
                     struct dr_error *err)
{
    dr_auto_image struct oci_image image = OCI_IMAGE_INIT;
    struct store *store = NULL;
    struct pull pull = {.target = target,
                        .options = options,
                        .asked = limits,
                        .image = &image,
                        .archive = archive,
                        .archive_image = archive_image,
                        .stop = dray_cancel_new(),
                        .lock = PTHREAD_MUTEX_INITIALIZER};
    struct watch watch = {&pull, eventfd(0, EFD_CLOEXEC)};
    pthread_t watcher;
    bool watched = false;
    int rc = 0;
    if (!pull.stop || watch.done_fd < 0)
        rc = dr_fail_errno(err, DR_ERR_INTERNAL, "make an eventfd");
    pull.limits = (struct limits){limits->deadline_ms, pull.stop};
    if (rc == 0 && (limits->cancel || limits->deadline_ms))
        watched = pthread_create(&watcher, NULL, watch_main, &watch) == 0;
    if (rc == 0)
        rc = store_open(target->cache_dir, &store, err);
    if (rc == 0)
        rc = archive
                 ? resolve_archive_and_send(&pull, store, name, familiar, ret_image, err)
                 : resolve_and_send(&pull, store, ref, name, familiar, have, ret_image,
                                    err);
    if (watched) {
        eventfd_write(watch.done_fd, 1);
        pthread_join(watcher, NULL);
    }
    if (rc < 0)
        given_up(&pull, err);
    for (size_t i = 0; i < pull.transfer_count; i++) {
        store_fetch_close(pull.transfers[i].fetch);
        file_range_release(&pull.transfers[i].range);
    }
    if (pull.transfer_count) { /* the cache grew; tidying it is not worth an error */
        struct store_usage freed;
        dr_auto_error struct dr_error ignored = DR_ERROR_INIT;
        store_prune(store, CACHE_MAX_BYTES, CACHE_PARTIAL_AGE_S, &freed, &ignored);
    }
    free(pull.transfers);
    dr_error_release(&pull.error);
    registry_close(pull.registry);
    store_close(store);
    dray_cancel_free(pull.stop);
    dr_cleanup_fd(&watch.done_fd);
    return rc;
}

/* --platform asks for another one than what is here under that name */
static bool other_platform(const json_t *have, const char *asked, struct dr_error *err)
{
    struct oci_platform want, is;
    const json_t *config = json_object_get(have, "config");
    if (!asked || oci_platform_parse(asked, &want, err) < 0)
        return false;
    oci_platform_set(&is, dr_json_str(config, "os"), dr_json_str(config, "architecture"),
                     dr_json_str(config, "variant"));
    return oci_platform_match(&want, &is) == 0;
}

static int pull_within(struct dray_target *target, const char *reference,
                       const struct dray_pull_options *options,
                       const struct limits *limits, json_t **ret_image,
                       struct dr_error *err)
{
    dr_auto_ref struct oci_ref ref = OCI_REF_INIT;
    if (oci_ref_parse(reference, &ref, err) < 0)
        return -1;
    dr_auto_free char *name = oci_ref_text(&ref), *familiar = oci_ref_familiar(&ref);
    dr_auto_json json_t *have = NULL;
    if (find_image(target, limits, name, &have, err) < 0)
        return -1;
    bool other = other_platform(have, options->platform, err);
    if (err->kind != DR_ERR_NONE)
        return -1;
    if (have && !other &&
        (options->policy == DRAY_PULL_MISSING || options->policy == DRAY_PULL_NEVER)) {
        *ret_image = result_of(have, name, familiar);
        return 0;
    }
    if (options->policy == DRAY_PULL_NEVER)
        return dr_fail(err, DR_ERR_NOT_FOUND,
                       "image %s is not on this target%s, and the pull policy is never",
                       familiar, other ? " for that platform" : "");
    if (builtin_is(&ref))
        return pull_builtin(target, limits, name, familiar, ret_image, err);
    dr_auto_error struct dr_error failed = DR_ERROR_INIT;
    if (pull_from(target, options, limits, &ref, NULL, 0, name, familiar,
                  other ? NULL : have, ret_image, &failed) == 0) {
        const char *before = dr_json_str(have, "digest"),
                   *now = dr_json_str(*ret_image, "digest");
        dr_json_set_bool(*ret_image, "newer", before && now && strcmp(before, now) != 0);
        return 0;
    }
    /* `newer` goes on with what is here when the registry cannot be asked (podman's rule)
     */
    if (have && options->policy == DRAY_PULL_NEWER && failed.origin == DR_AT_REGISTRY) {
        *ret_image = result_of(have, name, familiar);
        return 0;
    }
    /* what the registry does not have, or sent broken, is its failure (C32) */
    if ((failed.kind == DR_ERR_NOT_FOUND && failed.origin == DR_AT_REGISTRY) ||
        failed.kind == DR_ERR_FORMAT)
        failed.kind = DR_ERR_PULL;
    return dr_error_move(err, &failed);
}

static int add_name(struct dray_target *target, const struct limits *limits,
                    const char *id, const char *name, struct dr_error *err)
{
    dr_auto_ref struct oci_ref ref = OCI_REF_INIT;
    if (oci_ref_parse(name, &ref, err) < 0)
        return -1;
    dr_auto_free char *canonical = oci_ref_text(&ref);
    json_t *request = request_new("image.tag");
    dr_json_set_str(request, "ref", id);
    dr_json_set_str(request, "new_ref", canonical);
    dr_json_set_str(request, "familiar", name);
    return request_call(target, request, limits, NULL, err);
}

int host_pull_archive(struct dray_target *target, struct archive *archive, size_t image,
                      const struct dray_pull_options *options,
                      const struct limits *limits, json_t **ret_image,
                      struct dr_error *err)
{
    char *const *names = archive_names(archive, image);
    dr_auto_ref struct oci_ref ref = OCI_REF_INIT;
    if (names[0] && oci_ref_parse(names[0], &ref, err) < 0)
        return -1;
    dr_auto_free char *canonical = names[0] ? oci_ref_text(&ref) : NULL;
    if (pull_from(target, options, limits, NULL, archive, image, canonical, names[0],
                  NULL, ret_image, err) < 0)
        return -1;
    const char *id = dr_json_str(*ret_image, "id");
    for (size_t i = 1; names[0] && names[i]; i++)
        if (add_name(target, limits, id, names[i], err) < 0)
            return -1;
    return 0;
}

/* What a place that is no registry holds; its image is there afterwards whatever was. */
static int pull_place(struct dray_target *target, const struct place *place,
                      const struct dray_pull_options *options,
                      const struct limits *limits, json_t **ret_image,
                      struct dr_error *err)
{
    struct store *store;
    struct archive *archive = NULL;
    size_t image;
    if (store_open(target->cache_dir, &store, err) < 0)
        return -1;
    int rc = archive_open(place, store_dir(store), &archive, err);
    if (rc == 0)
        rc = archive_select(archive, place->name, &image, err);
    if (rc == 0)
        rc = host_pull_archive(target, archive, image, options, limits, ret_image, err);
    archive_close(archive);
    store_close(store);
    if (rc == 0 && !dr_json_str(*ret_image, "ref")) { /* it has no name: its id will do */
        dr_json_set_str(*ret_image, "ref", dr_json_str(*ret_image, "id"));
        dr_json_set_str(*ret_image, "familiar", dr_json_str(*ret_image, "id"));
    }
    return rc;
}

int host_pull_image(struct dray_target *target, const char *reference,
                    const struct dray_pull_options *options, const struct limits *limits,
                    json_t **ret_image, struct dr_error *err)
{
    if (!reference || !*reference)
        return dr_fail(err, DR_ERR_INVALID, "no image is given");
    if (options->policy < DRAY_PULL_MISSING || options->policy > DRAY_PULL_NEVER)
        return dr_fail(err, DR_ERR_INVALID, "%d is no pull policy", (int)options->policy);
    dr_auto_place struct place place = {0};
    if (place_parse(reference, false, &place, err) < 0 || target_enter(target, err) < 0)
        return -1;
    int rc = place.kind == PLACE_REFERENCE
                 ? pull_within(target, place.path, options, limits, ret_image, err)
                 : pull_place(target, &place, options, limits, ret_image, err);
    target_leave(target);
    return rc;
}
