/* SPDX-License-Identifier: Apache-2.0 */
/* Images from one place to another, a look at them and for them, without a target (C12).
 */
#include <string.h>

#include "host/cache.h"
#include "host/image-copy.h"
#include "host/image-shape.h"
#include "host/registries.h"
#include "host/trust.h"
#include "oci/ref.h"
#include "registry/push.h"
#include "registry/search.h"

void origin_release(struct origin_place *o)
{
    image_source_release(&o->source);
    registry_close(o->registry);
    archive_close(o->archive);
    store_close(o->store);
    oci_ref_release(&o->ref);
    place_release(&o->place);
}

static void on_wait(void *context, const char *why, int64_t wait_ms)
{
    const struct dray_transfer_options *options = context;
    registries_tell_wait(options->progress, options->progress_arg, why, wait_ms);
}

int copy_registry_options(const struct dray_transfer_options *options, bool write,
                          struct store *store, const struct limits *limits,
                          struct registry_options *ret, struct dr_error *err)
{
    *ret = (struct registry_options){.store = store,
                                     .deadline_ms = limits->deadline_ms,
                                     .cancel = limits->cancel ? &limits->cancel->triggered
                                                              : NULL,
                                     .waiting = on_wait,
                                     .context = (void *)(uintptr_t)options};
    return registries_options(write ? options->to : options->from, NULL, ret, err);
}

static int open_registry(struct origin_place *o,
                         const struct dray_transfer_options *options,
                         const struct oci_platform *platform, const struct limits *limits,
                         struct dr_error *err)
{
    struct registry_options ro;
    if (oci_ref_parse(o->place.path, &o->ref, err) < 0 ||
        copy_registry_options(options, false, o->store, limits, &ro, err) < 0 ||
        registry_open(&o->ref, &ro, &o->registry, err) < 0)
        return -1;
    return options->all
               ? 0
               : registry_resolve(o->registry, platform, NULL, &o->source.image, err);
}

static int open_archive(struct origin_place *o,
                        const struct dray_transfer_options *options,
                        const struct oci_platform *platform, struct dr_error *err)
{
    const char *policy = options->from ? options->from->signature_policy : NULL;
    if (archive_open(&o->place, store_dir(o->store), &o->archive, err) < 0 ||
        archive_select(o->archive, o->place.name, &o->image, err) < 0 ||
        trust_archive(o->archive, o->image, o->place.path, policy, err) < 0)
        return -1;
    o->source.archive = o->archive;
    return options->all
               ? 0
               : archive_resolve(o->archive, o->image, platform, &o->source.image, err);
}

int origin_open(const char *text, bool always,
                const struct dray_transfer_options *options, const struct limits *limits,
                struct origin_place *ret, struct dr_error *err)
{
    struct origin_place o = {.source.limits = limits};
    struct oci_platform platform;
    oci_platform_native(&platform);
    int rc =
        options->platform ? oci_platform_parse(options->platform, &platform, err) : 0;
    if (rc == 0)
        rc = place_parse(text, always, &o.place, err);
    if (rc == 0)
        rc = store_open(options->cache_dir, &o.store, err);
    o.source.store = o.store;
    if (rc == 0)
        rc = o.place.kind == PLACE_REFERENCE
                 ? open_registry(&o, options, &platform, limits, err)
                 : open_archive(&o, options, &platform, err);
    if (rc < 0) {
        origin_release(&o);
        return -1;
    }
    *ret = o;
    return 0;
}

int origin_fetch(struct origin_place *o, const struct oci_descriptor *descs, size_t n,
                 struct dr_error *err)
{
    const struct archive_fetch how = {
        o->source.limits->cancel ? &o->source.limits->cancel->triggered : NULL, NULL,
        NULL};
    dr_auto_free struct store_fetch **fetches =
        dr_alloc((n + 1) * sizeof(struct store_fetch *));
    size_t opened = 0;
    int rc = 0;
    for (; opened < n && rc == 0; opened += rc == 0)
        rc = store_blob_open(o->store, &descs[opened].digest, descs[opened].size_bytes,
                             &fetches[opened], err);
    if (rc == 0 && n > 0)
        rc = o->registry ? registry_fetch_blobs(o->registry, fetches, descs, n, err)
                         : archive_fetch_blobs(o->archive, &how, fetches, descs, n, err);
    for (size_t i = 0; i < opened; i++)
        store_fetch_close(fetches[i]);
    return rc;
}

int origin_fetch_layers(struct origin_place *o, const bool *skip, struct dr_error *err)
{
    const struct oci_manifest *m = &o->source.image.manifest;
    dr_auto_free struct oci_descriptor *descs =
        dr_alloc((m->n_layers + 1) * sizeof *descs);
    size_t n = 0;
    for (size_t i = 0; i < m->n_layers; i++) {
        bool again = skip && skip[i];
        for (size_t j = 0; j < n; j++)
            again = again || oci_digest_equal(&descs[j].digest, &m->layers[i].digest);
        if (!again)
            descs[n++] = m->layers[i]; /* borrowed */
    }
    return origin_fetch(o, descs, n, err);
}

/* ---- to a registry ---- */

struct upload_to {
    struct origin_place *from;
    struct oci_ref ref;
    struct registry *registry;
    struct registry_blob *blobs; /* the layers, each digest once, and the config */
    size_t *layers;              /* blob → layer */
    size_t n;
    char *mounts[2]; /* where the registry has them already */
};

static void upload_to_release(struct upload_to *u)
{
    for (size_t i = 0; i < u->n; i++) {
        store_fetch_close(u->blobs[i].fetch);
        registry_blob_release(&u->blobs[i]);
    }
    registry_close(u->registry);
    oci_ref_release(&u->ref);
    free(u->blobs);
    free(u->layers);
}

static void list_blobs(struct upload_to *u)
{
    const struct oci_image *image = &u->from->source.image;
    const struct oci_manifest *m = &image->manifest;
    u->blobs = dr_alloc((m->n_layers + 1) * sizeof *u->blobs);
    u->layers = dr_alloc((m->n_layers + 1) * sizeof *u->layers);
    for (size_t i = 0; i < m->n_layers; i++) {
        bool again = false;
        for (size_t j = 0; j < u->n; j++)
            again = again || oci_digest_equal(&u->blobs[j].descriptor->digest,
                                              &m->layers[i].digest);
        if (again)
            continue;
        u->layers[u->n] = i;
        u->blobs[u->n++] =
            (struct registry_blob){.descriptor = &m->layers[i], .mounts = u->mounts};
    }
    u->layers[u->n] = m->n_layers;
    u->blobs[u->n++] = (struct registry_blob){
        .descriptor = &m->config, .mounts = u->mounts, .data = image->config_raw};
}

/* Only what is missing over there has to be had here. */
static int fetch_missing(struct upload_to *u, struct dr_error *err)
{
    const struct oci_manifest *m = &u->from->source.image.manifest;
    dr_auto_free bool *skip = dr_alloc((m->n_layers + 1) * sizeof *skip);
    for (size_t i = 0; i + 1 < u->n; i++)
        for (size_t l = 0; l < m->n_layers; l++)
            if (oci_digest_equal(&m->layers[l].digest, &u->blobs[i].descriptor->digest))
                skip[l] = u->blobs[i].present;
    if (origin_fetch_layers(u->from, skip, err) < 0)
        return -1;
    for (size_t i = 0; i + 1 < u->n; i++)
        if (!u->blobs[i].present &&
            store_blob_open(u->from->store, &u->blobs[i].descriptor->digest,
                            u->blobs[i].descriptor->size_bytes, &u->blobs[i].fetch,
                            err) < 0)
            return -1;
    return 0;
}

int copy_target_ref(const struct place *to, struct oci_ref *ret, struct dr_error *err)
{
    if (oci_ref_parse(to->path, ret, err) < 0)
        return -1;
    if (ret->digest.text[0])
        return dr_fail(err, DR_ERR_INVALID, "%s: an image goes to a tag, not to a digest",
                       to->path);
    return 0;
}

static int copy_to_registry(struct origin_place *o, const struct place *to,
                            const struct dray_transfer_options *options,
                            struct dr_error *err)
{
    const struct oci_image *image = &o->source.image;
    DR_CLEANUP(upload_to_release) struct upload_to u = {.from = o};
    struct registry_options ro;
    if (copy_target_ref(to, &u.ref, err) < 0 ||
        copy_registry_options(options, true, o->store, o->source.limits, &ro, err) < 0)
        return -1;
    if (o->registry && strcmp(o->ref.host, u.ref.host) == 0 &&
        strcmp(o->ref.path, u.ref.path) != 0)
        u.mounts[0] = o->ref.path;
    list_blobs(&u);
    const char *type = image->manifest.media_type;
    if (registry_push_open(&u.ref, &ro, u.mounts, &u.registry, err) < 0 ||
        registry_push_look(u.registry, u.blobs, u.n, err) < 0 ||
        fetch_missing(&u, err) < 0 ||
        registry_push_send(u.registry, u.blobs, u.n, err) < 0 ||
        registry_push_manifest(u.registry, u.ref.tag,
                               type && *type ? type : OCI_TYPE_MANIFEST,
                               image->manifest_raw, image->manifest_len, err) < 0)
        return -1;
    return 0;
}

static int copy_to_archive(struct origin_place *o, const struct place *to,
                           struct dr_error *err)
{
    struct archive_writer *writer;
    char *names[2] = {NULL};
    dr_auto_ref struct oci_ref ref = OCI_REF_INIT;
    dr_auto_free char *name = NULL;
    const char *key = to->name;
    if (to->kind == PLACE_DOCKER_ARCHIVE && to->name) {
        if (oci_ref_parse(to->name, &ref, err) < 0)
            return -1;
        if (ref.digest.text[0])
            return dr_fail(err, DR_ERR_INVALID, "%s: a name has a tag, not a digest",
                           to->name);
        names[0] = name = oci_ref_text(&ref);
        key = NULL;
    }
    if (archive_writer_open(to->kind, to->path, -1, &writer, err) < 0)
        return -1;
    int rc = image_source_write(&o->source, writer, false, names, key, err);
    return archive_writer_close(writer, rc == 0, err) < 0 ? -1 : rc;
}

static int copy(const char *from, const struct place *to,
                const struct dray_transfer_options *options, const struct limits *limits,
                json_t **ret_json, struct dr_error *err)
{
    DR_CLEANUP(origin_release) struct origin_place o = {0};
    struct oci_digest digest;
    int64_t limit;
    if (cache_limit(options->cache_limit, &limit, err) < 0 ||
        origin_open(from, true, options, limits, &o, err) < 0)
        return -1;
    int rc = options->all                  ? copy_all(&o, to, options, &digest, err)
             : to->kind == PLACE_REFERENCE ? copy_to_registry(&o, to, options, err)
             : o.registry && origin_fetch_layers(&o, NULL, err) < 0
                 ? -1
                 : copy_to_archive(&o, to, err);
    cache_tidy(o.store, limit);
    if (rc < 0)
        return -1;
    *ret_json = options->all ? json_pack("{ss}", "digest", digest.text)
                             : json_pack("{ssss}", "id",
                                         o.source.image.manifest.config.digest.text,
                                         "digest", o.source.image.manifest_digest.text);
    return 0;
}

int dray_image_copy(const char *from, const char *to,
                    const struct dray_transfer_options *options,
                    const struct dray_call *call, char **ret_json,
                    struct dray_error **ret_err)
{
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    dr_auto_place struct place place = {0};
    dr_auto_json json_t *json = NULL;
    struct dray_transfer_options o = {0};
    struct limits limits = limits_of(call, NO_TIMEOUT);
    int rc = API_COPY(&o, options, &err);
    if (rc == 0 && (!from || !to))
        rc = dr_fail(&err, DR_ERR_INVALID, "a copy goes from one place to another");
    if (rc == 0 && o.all && o.platform)
        rc = dr_fail(&err, DR_ERR_INVALID,
                     "all platforms and the platform %s: one of them is meant",
                     o.platform);
    if (rc == 0)
        rc = place_parse(to, true, &place, &err);
    if (rc == 0)
        rc = copy(from, &place, &o, &limits, &json, &err);
    if (rc == 0 && ret_json)
        *ret_json = dr_json_text(json);
    return api_end(rc, &err, ret_err);
}

/* ---- looking ---- */

static json_t *inspect(const struct origin_place *o, struct dr_error *err)
{
    const struct oci_image *image = &o->source.image;
    dr_auto_json json_t *config =
        dr_json_parse(image->config_raw, image->config_len, OCI_MANIFEST_MAX, err);
    dr_auto_json json_t *manifest =
        config ? dr_json_parse(image->manifest_raw, image->manifest_len, OCI_MANIFEST_MAX,
                               err)
               : NULL;
    if (!manifest)
        return NULL;
    dr_auto_json json_t *raw = json_object();
    dr_json_set_str(raw, "id", image->manifest.config.digest.text);
    dr_json_set_str(raw, "digest", image->manifest_digest.text);
    dr_json_set_int(raw, "size", oci_image_size(image));
    json_object_set(raw, "config", config);
    if (o->registry) {
        dr_auto_free char *name = oci_ref_text(&o->ref);
        json_object_set_new(raw, "refs", json_pack("[s]", name));
    }
    json_t *shaped = image_inspect_shape(raw);
    json_object_set(shaped, "Layers", dr_json_array(manifest, "layers"));
    if (image->index_digest.text[0])
        dr_json_set_str(shaped, "IndexDigest", image->index_digest.text);
    return shaped;
}

int dray_image_inspect_remote(const char *place,
                              const struct dray_transfer_options *options,
                              const struct dray_call *call, char **ret_json,
                              struct dray_error **ret_err)
{
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    DR_CLEANUP(origin_release) struct origin_place o = {0};
    struct dray_transfer_options options_ = {0};
    struct limits limits = limits_of(call, DEFAULT_TIMEOUT_MS);
    int rc = API_COPY(&options_, options, &err);
    if (rc == 0 && (!place || !*place))
        rc = dr_fail(&err, DR_ERR_INVALID, "no image is given");
    options_.all = false;
    if (rc == 0)
        rc = origin_open(place, false, &options_, &limits, &o, &err);
    dr_auto_json json_t *json = rc == 0 ? inspect(&o, &err) : NULL;
    if (json)
        *ret_json = dr_json_text(json);
    return api_end(json ? 0 : -1, &err, ret_err);
}

/* ---- searching ---- */

/* "localhost:5000/red": what is before the slash is a registry when it looks like one, as
 * in a reference. */
static const char *split_host(const char *term, char **ret_host)
{
    const char *slash = strchr(term, '/');
    dr_auto_free char *host = slash ? dr_strndup(term, (size_t)(slash - term)) : NULL;
    if (host && (strpbrk(host, ".:") || strcmp(host, "localhost") == 0)) {
        *ret_host = DR_TAKE(host);
        return slash + 1;
    }
    *ret_host = dr_strdup(OCI_DEFAULT_HOST);
    return term;
}

int dray_registry_search(const char *term, int limit,
                         const struct dray_registry_options *options,
                         const struct dray_call *call, char **ret_json,
                         struct dray_error **ret_err)
{
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    dr_auto_json json_t *rows = NULL;
    dr_auto_free char *host = NULL;
    struct limits limits = limits_of(call, DEFAULT_TIMEOUT_MS);
    struct registry_options ro = {.deadline_ms = limits.deadline_ms,
                                  .cancel =
                                      limits.cancel ? &limits.cancel->triggered : NULL};
    const char *word = split_host(term ? term : "", &host);
    int rc = registries_options(options, NULL, &ro, &err);
    if (rc == 0 && (limit < 0 || limit > SEARCH_LIMIT_MAX))
        rc = dr_fail(&err, DR_ERR_INVALID, "a limit of %d: it must be 1 to %d", limit,
                     SEARCH_LIMIT_MAX);
    if (rc == 0)
        rc = registry_search(host, word, limit ? limit : 25, &ro, &rows, &err);
    if (rc == 0)
        *ret_json = dr_json_text(rows);
    return api_end(rc, &err, ret_err);
}
