/* SPDX-License-Identifier: Apache-2.0 */
#include "host/pull-from.h"

#include <string.h>

#include "base/text.h"
#include "host/cache.h"
#include "host/image-put.h"
#include "host/pull-layers.h"
#include "host/registries.h"
#include "host/watch.h"

json_t *pull_result(const char *id, const char *digest, const char *ref,
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

json_t *pull_result_of(const json_t *image, const char *ref, const char *familiar)
{
    return pull_result(dr_json_str(image, "id"), dr_json_str(image, "digest"), ref,
                       familiar, false);
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

static int fetch_and_send(struct pull *pull, const struct pull_source *source,
                          struct store *store, int64_t cpus, json_t **ret_image,
                          struct dr_error *err)
{
    struct oci_image *image = pull->image;
    dr_auto_json json_t *reply = NULL;
    const struct image_documents documents = {image->manifest_raw, image->config_raw,
                                              image->manifest_len, image->config_len,
                                              source->name,        source->familiar};
    pull_tell(pull, &(struct dray_progress){.size = sizeof(struct dray_progress),
                                            .what = DRAY_PROGRESS_RESOLVED,
                                            .total = (int64_t)image->manifest.n_layers});
    if (pull_find_missing(pull, store, err) < 0 ||
        pull_move_layers(pull, cpus, err) < 0 ||
        image_put_documents(pull->target, &pull->limits, &documents, &reply, err) < 0)
        return -1;
    *ret_image = pull_result(dr_json_str(reply, "id"), dr_json_str(reply, "digest"),
                             source->name, source->familiar, true);
    return 0;
}

/* Manifest and config. 1: what the target has already is the one. */
static int resolve(struct pull *pull, const struct pull_source *source,
                   struct store *store, const struct oci_platform *platform,
                   struct dr_error *err)
{
    struct oci_digest known = {0};
    const char *digest = dr_json_str(source->have, "digest");
    dr_auto_error struct dr_error odd = DR_ERROR_INIT;
    struct registry_options ro = {.store = store,
                                  .cancel = &pull->stop->triggered,
                                  .pin = source->pin,
                                  .progress = pull_on_blob,
                                  .waiting = pull_on_wait,
                                  .context = pull};
    if (source->archive)
        return archive_resolve(source->archive, source->image, platform, pull->image,
                               err);
    if (registries_options(pull->options->registry, &pull->target->registry, &ro, err) <
            0 ||
        registry_open(source->ref, &ro, &pull->registry, err) < 0)
        return -1;
    bool any = digest && oci_digest_parse(digest, strlen(digest), &known, &odd) == 0;
    int rc =
        registry_resolve(pull->registry, platform, any ? &known : NULL, pull->image, err);
    return rc == 0 && any && oci_digest_equal(&known, &pull->image->manifest_digest) ? 1
                                                                                     : rc;
}

static int resolve_and_send(struct pull *pull, const struct pull_source *source,
                            struct store *store, json_t **ret_image, struct dr_error *err)
{
    struct oci_platform platform;
    dr_auto_json json_t *hello = NULL;
    if (guest_platform(pull->target, pull->options->platform, &platform, &hello, err) < 0)
        return -1;
    int rc = resolve(pull, source, store, &platform, err);
    if (rc < 0)
        return -1;
    if (rc == 0)
        rc = fetch_and_send(pull, source, store, dr_json_int(hello, "cpus", 1), ret_image,
                            err);
    else
        *ret_image = pull_result_of(source->have, source->name, source->familiar);
    if (rc < 0)
        return -1;
    if (source->ref) {
        note_source(pull, store, source->ref);
        dr_json_set_str(*ret_image, "resolved", registry_resolved(pull->registry)->text);
    }
    return 0;
}

/* Why it was given up, when it was the caller who did. */
static int given_up(const struct limits *asked, struct dr_error *err)
{
    if (limits_cancelled(asked, err) < 0)
        return -1;
    if (asked->deadline_ms && dr_clock_ms() >= asked->deadline_ms)
        return dr_fail(err, DR_ERR_TIMEOUT, "the pull did not end within its deadline");
    return 0;
}

int pull_from(struct dray_target *target, const struct pull_source *source,
              const struct dray_pull_options *options, const struct limits *limits,
              json_t **ret_image, struct dr_error *err)
{
    dr_auto_image struct oci_image image = OCI_IMAGE_INIT;
    struct store *store = NULL;
    struct watch *watch = NULL;
    int64_t limit;
    struct pull pull = {.target = target,
                        .options = options,
                        .image = &image,
                        .archive = source->archive,
                        .stop = dray_cancel_new(),
                        .lock = PTHREAD_MUTEX_INITIALIZER};
    if (!pull.stop)
        return dr_fail_errno(err, DR_ERR_INTERNAL, "make an eventfd");
    pull.limits = (struct limits){limits->deadline_ms, pull.stop};
    int rc = cache_limit(target->cache_limit, &limit, err);
    if (rc == 0)
        rc = watch_begin(limits, pull.stop, &watch, err);
    if (rc == 0)
        rc = store_open(target->cache_dir, &store, err);
    if (rc == 0)
        rc = resolve_and_send(&pull, source, store, ret_image, err);
    watch_end(watch);
    if (rc < 0)
        given_up(limits, err);
    bool grew = pull.transfer_count > 0;
    pull_layers_release(&pull);
    if (grew)
        cache_tidy(store, limit);
    registry_close(pull.registry);
    store_close(store);
    dray_cancel_free(pull.stop);
    return rc;
}
