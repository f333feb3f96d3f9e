/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A push: the image's documents come from the target, its layers from this machine's
 * blob cache. What the cache has lost is made again over there (layer.get) and
 * compressed, which gives it another digest than the manifest names: then the registry
 * gets a manifest that names the new one. Layers that the registry has, or can take from
 * another of its repositories, are not sent, and not even looked for here.
 */
#include <string.h>

#include "base/text.h"
#include "host/cache.h"
#include "host/image-source.h"
#include "host/registries.h"
#include "oci/ref.h"
#include "registry/push.h"

#define DOCKER_LAYER_GZIP "application/vnd.docker.image.rootfs.diff.tar.gzip"
#define MOUNTS_MAX                                                                       \
    8 /* repositories that blobs may be mounted from: each one is a scope */

/* A note of the store (store.h): which repositories have a blob. */
#define NOTE_FROM "from "

struct push {
    struct image_source source; /* the image on its target */
    const struct dray_push_options *options;
    struct registry *registry;
    struct oci_ref ref;
    /* Its own descriptors: a layer that was made again has another one. The last blob is
     * the config. */
    struct oci_descriptor *descriptors;
    struct registry_blob *blobs;
    size_t *layers; /* blob → layer of the image; the config: n_layers */
    size_t n;
    int64_t cache_limit;
    bool changed; /* some layer has another digest than the image's manifest says */
    char **mounts;
};

/* --- progress: on_blob is called within the registry's functions, tell by us --- */

static void tell(struct push *push, size_t i, int what, int stage, int64_t done)
{
    if (!push->options->progress || i + 1 >= push->n) /* the config is not worth a line */
        return;
    /* by the digest that it had at first: one line for each layer */
    const struct oci_descriptor *d = &push->source.image.manifest.layers[push->layers[i]];
    struct dray_progress step = {.size = sizeof step,
                                 .layer = d->digest.text,
                                 .from = push->blobs[i].mounted,
                                 .done = done,
                                 .total = push->descriptors[i].size_bytes};
    step.what = what;
    step.stage = stage;
    push->options->progress(push->options->progress_arg, &step);
}

static void on_blob(void *context, const struct registry_progress *p)
{
    struct push *push = context;
    static const struct {
        int what, stage;
    } steps[] = {
        [REGISTRY_BLOB_CACHED] = {DRAY_PROGRESS_LAYER_EXISTS, DRAY_LAYER_PUSHING},
        [REGISTRY_BLOB_MOUNTED] = {DRAY_PROGRESS_LAYER_MOUNTED, DRAY_LAYER_PUSHING},
        [REGISTRY_BLOB_WAITING] = {DRAY_PROGRESS_LAYER, DRAY_LAYER_PREPARING},
        [REGISTRY_BLOB_LOADING] = {DRAY_PROGRESS_LAYER, DRAY_LAYER_PUSHING},
        [REGISTRY_BLOB_DONE] = {DRAY_PROGRESS_LAYER_DONE, DRAY_LAYER_PUSHING}};
    for (size_t i = 0; i < push->n; i++)
        if (push->blobs[i].descriptor == p->descriptor)
            tell(push, i, steps[p->state].what, steps[p->state].stage, p->done_bytes);
}

static void on_wait(void *context, const char *why, int64_t wait_ms)
{
    struct push *push = context;
    registries_tell_wait(push->options->progress, push->options->progress_arg, why,
                         wait_ms);
}

/* --- from the target --- */

/* Makes layer i's blob anew, compressed, and gives it its new descriptor. */
static int make_layer(struct push *push, size_t i, struct dr_error *err)
{
    struct oci_descriptor *d = &push->descriptors[i];
    tell(push, i, DRAY_PROGRESS_LAYER, DRAY_LAYER_PREPARING, 0);
    if (image_layer_make(&push->source, push->layers[i], &d->digest, &d->size_bytes,
                         err) < 0) {
        if (err->kind == DR_ERR_UNSUPPORTED)
            dr_wrap(err, "layer %.19s is not in the blob cache any more, pull it again",
                    d->digest.text);
        return -1;
    }
    push->changed = true;
    return 0;
}

/* --- where the bytes are --- */

/* The blob in the cache, whole; NULL when it is not. */
static struct store_fetch *cached(struct push *push, const struct oci_descriptor *d)
{
    struct store_fetch *fetch;
    dr_auto_error struct dr_error ignored = DR_ERROR_INIT;
    if (store_blob_open(push->source.store, &d->digest, d->size_bytes, &fetch, &ignored) <
        0)
        return NULL;
    if (store_fetch_state(fetch) == STORE_COMPLETE)
        return fetch;
    store_fetch_close(fetch);
    return NULL;
}

/* Is there a blob that was made of it here before? Then that is what it is now. */
static bool made_before(struct push *push, size_t i)
{
    struct oci_descriptor *d = &push->descriptors[i];
    const struct oci_digest *diff_id =
        &push->source.image.config.diff_ids[push->layers[i]];
    dr_auto_strv char **notes = store_notes(push->source.store, diff_id, STORE_NOTE_GZIP);
    for (char **p = notes; *p; p++) {
        struct oci_descriptor made = *d;
        dr_auto_error struct dr_error ignored = DR_ERROR_INIT;
        size_t len = strcspn(*p, " ");
        if (!(*p)[len] || oci_digest_parse(*p, len, &made.digest, &ignored) < 0 ||
            !dr_int_parse(*p + len + 1, 0, INT64_MAX, &made.size_bytes))
            continue;
        *d = made;
        push->changed = true;
        return true;
    }
    return false;
}

static int find_bytes(struct push *push, struct dr_error *err)
{
    for (size_t i = 0; i + 1 < push->n; i++) {
        struct registry_blob *blob = &push->blobs[i];
        if (blob->present || (blob->fetch = cached(push, blob->descriptor)))
            continue;
        if (limits_cancelled(push->source.limits, err) < 0)
            return -1;
        if (made_before(push, i)) {
            /* the registry may have that one */
            if (registry_push_look(push->registry, blob, 1, err) < 0)
                return -1;
            if (blob->present || (blob->fetch = cached(push, blob->descriptor)))
                continue;
        }
        if (make_layer(push, i, err) < 0)
            return -1;
        if (registry_push_look(push->registry, blob, 1, err) < 0)
            return -1;
        if (!blob->present && !(blob->fetch = cached(push, blob->descriptor)))
            return dr_fail(err, DR_ERR_INTERNAL,
                           "blob %s is gone from the cache already: push again",
                           blob->descriptor->digest.text);
    }
    return 0;
}

/* --- from where it may be mounted --- */

/* Other repositories of the same registry that are known to have this blob. */
static char **sources(struct push *push, const struct oci_digest *digest)
{
    char **list = dr_alloc(sizeof *list);
    dr_auto_free char *prefix = dr_printf(NOTE_FROM "%s/", push->ref.host);
    dr_auto_strv char **known = store_notes(push->source.store, digest, prefix);
    for (char **p = known; *p; p++)
        if (strcmp(*p, push->ref.path) != 0)
            dr_strv_add(&list, *p);
    return list;
}

static bool may_mount(struct push *push, const char *repository)
{
    for (char **p = push->mounts; *p; p++)
        if (strcmp(*p, repository) == 0)
            return true;
    if (dr_strv_len(push->mounts) >= MOUNTS_MAX)
        return false;
    dr_strv_add(&push->mounts, repository);
    return true;
}

static void list_blobs(struct push *push)
{
    const struct oci_manifest *m = &push->source.image.manifest;
    push->descriptors = dr_alloc((m->n_layers + 1) * sizeof *push->descriptors);
    push->blobs = dr_alloc((m->n_layers + 1) * sizeof *push->blobs);
    push->layers = dr_alloc((m->n_layers + 1) * sizeof *push->layers);
    push->mounts = dr_alloc(sizeof *push->mounts);
    for (size_t l = 0; l <= m->n_layers; l++) {
        const struct oci_descriptor *d = l < m->n_layers ? &m->layers[l] : &m->config;
        bool again = false;
        for (size_t i = 0; i < push->n; i++)
            again = again || oci_digest_equal(&push->descriptors[i].digest, &d->digest);
        if (again)
            continue;
        struct registry_blob *blob = &push->blobs[push->n];
        char **mounts = dr_alloc(sizeof *mounts);
        dr_auto_strv char **all = sources(push, &d->digest);
        for (char **p = all; *p; p++)
            if (may_mount(push, *p))
                dr_strv_add(&mounts, *p);
        push->descriptors[push->n] = *d; /* borrowed strings */
        push->layers[push->n] = l;
        *blob = (struct registry_blob){.descriptor = &push->descriptors[push->n],
                                       .mounts = mounts};
        if (l == m->n_layers)
            blob->data = push->source.image.config_raw;
        push->n++;
    }
}

static void remember(struct push *push)
{
    dr_auto_free char *note =
        dr_printf(NOTE_FROM "%s/%s", push->ref.host, push->ref.path);
    for (size_t i = 0; i < push->n; i++)
        store_note_add(push->source.store, &push->descriptors[i].digest, note);
}

/* --- the manifest --- */

/* The descriptor of a layer in the pushed manifest. */
static void change_descriptor(const struct push *push, json_t *json)
{
    const char *digest = dr_json_str(json, "digest");
    bool docker =
        strcmp(push->source.image.manifest.media_type, OCI_TYPE_DOCKER_MANIFEST) == 0;
    for (size_t i = 0; i + 1 < push->n; i++) {
        const struct oci_descriptor *was =
            &push->source.image.manifest.layers[push->layers[i]];
        if (!digest || strcmp(digest, was->digest.text) != 0)
            continue;
        if (oci_digest_equal(&was->digest, &push->descriptors[i].digest))
            return;
        /* what else stood there (annotations) was about the other bytes */
        json_object_clear(json);
        dr_json_set_str(json, "mediaType",
                        docker ? DOCKER_LAYER_GZIP : OCI_TYPE_LAYER "+gzip");
        dr_json_set_str(json, "digest", push->descriptors[i].digest.text);
        dr_json_set_int(json, "size", push->descriptors[i].size_bytes);
        return;
    }
}

static char *manifest_text(struct push *push, size_t *ret_len, struct dr_error *err)
{
    const struct oci_image *image = &push->source.image;
    *ret_len = image->manifest_len;
    if (!push->changed)
        return dr_strndup(image->manifest_raw, image->manifest_len);
    dr_auto_json json_t *manifest =
        dr_json_parse(image->manifest_raw, image->manifest_len, OCI_MANIFEST_MAX, err);
    if (!manifest)
        return NULL;
    size_t i;
    json_t *layer;
    json_array_foreach (dr_json_array(manifest, "layers"), i, layer)
        change_descriptor(push, layer);
    char *text = dr_json_text(manifest);
    *ret_len = strlen(text);
    return text;
}

static int send_manifest(struct push *push, json_t **ret_reply, struct dr_error *err)
{
    size_t len;
    struct oci_digest digest;
    dr_auto_free char *text = manifest_text(push, &len, err);
    const char *type = push->source.image.manifest.media_type;
    if (!text || registry_push_manifest(push->registry, push->ref.tag,
                                        type && type[0] ? type : OCI_TYPE_MANIFEST, text,
                                        len, err) < 0)
        return -1;
    oci_digest_of(text, len, &digest);
    dr_auto_free char *ref = oci_ref_text(&push->ref),
                      *familiar = oci_ref_familiar(&push->ref);
    json_t *reply = json_object();
    dr_json_set_str(reply, "digest", digest.text);
    dr_json_set_int(reply, "size", (int64_t)len);
    dr_json_set_str(reply, "ref", ref);
    dr_json_set_str(reply, "familiar", familiar);
    *ret_reply = reply;
    return 0;
}

/* --- all of it --- */

static int push_image(struct push *push, json_t **ret_reply, struct dr_error *err)
{
    struct registry_options ro = {.store = push->source.store,
                                  .cancel = push->source.limits->cancel
                                                ? &push->source.limits->cancel->triggered
                                                : NULL,
                                  .deadline_ms = push->source.limits->deadline_ms,
                                  .progress = on_blob,
                                  .waiting = on_wait,
                                  .context = push};
    dr_auto_free char *name = oci_ref_text(&push->ref);
    if (cache_limit(push->source.target->cache_limit, &push->cache_limit, err) < 0 ||
        registries_options(push->options->registry, &push->source.target->registry, &ro,
                           err) < 0 ||
        image_source_read(&push->source, name, NULL, err) < 0 ||
        store_open(push->source.target->cache_dir, &push->source.store, err) < 0)
        return -1;
    list_blobs(push);
    if (push->options->progress)
        push->options->progress(
            push->options->progress_arg,
            &(struct dray_progress){.size = sizeof(struct dray_progress),
                                    .what = DRAY_PROGRESS_RESOLVED,
                                    .total = (int64_t)push->n - 1});
    if (registry_push_open(&push->ref, &ro, push->mounts, &push->registry, err) < 0 ||
        registry_push_look(push->registry, push->blobs, push->n, err) < 0 ||
        find_bytes(push, err) < 0 ||
        registry_push_send(push->registry, push->blobs, push->n, err) < 0 ||
        send_manifest(push, ret_reply, err) < 0)
        return -1;
    remember(push);
    return 0;
}

static void push_release(struct push *push)
{
    for (size_t i = 0; i < push->n; i++) {
        store_fetch_close(push->blobs[i].fetch);
        dr_strv_free((char **)push->blobs[i].mounts);
        registry_blob_release(&push->blobs[i]);
    }
    registry_close(push->registry);
    if (push->changed)
        cache_tidy(push->source.store, push->cache_limit);
    store_close(push->source.store);
    free(push->descriptors);
    free(push->blobs);
    free(push->layers);
    dr_strv_free(push->mounts);
    image_source_release(&push->source);
    oci_ref_release(&push->ref);
}

int dray_image_push(struct dray_target *target, const char *reference,
                    const struct dray_push_options *options, const struct dray_call *call,
                    char **ret_json, struct dray_error **ret_err)
{
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    dr_auto_json json_t *reply = NULL;
    struct dray_push_options o = {0};
    struct limits limits = limits_of(call, NO_TIMEOUT);
    struct push push = {.source = {.target = target, .limits = &limits}, .options = &o};
    int rc = API_COPY(&o, options, &err);
    if (rc == 0)
        rc = oci_ref_parse(reference ? reference : "", &push.ref, &err);
    if (rc == 0 && push.ref.digest.text[0])
        rc = dr_fail(&err, DR_ERR_INVALID,
                     "%s: an image is pushed by its tag, not by a digest", reference);
    if (rc == 0 && target_enter(target, &err) < 0) {
        oci_ref_release(&push.ref);
        return api_end(-1, &err, ret_err);
    }
    if (rc == 0) {
        rc = push_image(&push, &reply, &err);
        target_leave(target);
    }
    push_release(&push);
    if (rc == 0 && ret_json)
        *ret_json = dr_json_text(reply);
    return api_end(rc, &err, ret_err);
}
