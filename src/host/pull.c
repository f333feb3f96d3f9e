/* SPDX-License-Identifier: Apache-2.0 */
/* Which image is meant, whether it has to be pulled, and from where (C07). */
#include "host/pull.h"

#include <string.h>

#include "archive/place.h"
#include "host/builtin.h"
#include "host/image-put.h"
#include "host/pin.h"
#include "host/pull-from.h"
#include "host/registries.h"
#include "host/trust.h"
#include "oci/ref.h"
#include "store/store.h"

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

/* --- the built-in image --- */

static int pull_builtin(struct dray_target *target, const struct limits *limits,
                        const char *ref, const char *familiar, json_t **ret_image,
                        struct dr_error *err)
{
    dr_auto_json json_t *hello = NULL, *reply = NULL;
    struct builtin_image image;
    if (target_hello(target, &hello, err) < 0 ||
        builtin_make(dr_json_str(hello, "arch"), &image, err) < 0)
        return -1;
    const struct image_documents documents = {
        image.manifest,       image.config, strlen(image.manifest),
        strlen(image.config), ref,          familiar};
    int rc = image_put_layer(target, limits, image.diff_id.text, image.layer.data,
                             image.layer.len, err);
    if (rc == 0)
        rc = image_put_documents(target, limits, &documents, &reply, err);
    builtin_release(&image);
    if (rc == 0)
        *ret_image = pull_result(dr_json_str(reply, "id"), dr_json_str(reply, "digest"),
                                 ref, familiar, true);
    return rc;
}

/* --- from a registry --- */

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

/* A reference, and what is known of it. */
struct wanted {
    struct dray_target *target;
    const struct dray_pull_options *options;
    const struct limits *limits;
    struct oci_ref ref;
    char *name, *familiar;
    struct pin pin;
    json_t *have; /* on the target under that name, or NULL */
    bool other;   /* … but for another platform */
};

static void wanted_release(struct wanted *w)
{
    oci_ref_release(&w->ref);
    free(w->name);
    free(w->familiar);
    json_decref(w->have);
}

static int look(struct wanted *w, const char *reference, struct dr_error *err)
{
    if (oci_ref_parse(reference, &w->ref, err) < 0)
        return -1;
    w->name = oci_ref_text(&w->ref);
    w->familiar = oci_ref_familiar(&w->ref);
    if (!builtin_is(&w->ref) && pin_find(w->options, &w->ref, w->name, &w->pin, err) < 0)
        return -1;
    if (find_image(w->target, w->limits, w->name, &w->have, err) < 0)
        return -1;
    w->other = other_platform(w->have, w->options->platform, err);
    return err->kind == DR_ERR_NONE ? 0 : -1;
}

static bool will_do(const struct wanted *w)
{
    enum dray_pull_policy policy = w->options->policy;
    return w->have && !w->other &&
           (policy == DRAY_PULL_MISSING || policy == DRAY_PULL_NEVER) &&
           pin_fits(&w->pin, w->target, dr_json_str(w->have, "digest"));
}

static int never(const struct wanted *w, struct dr_error *err)
{
    if (w->have && !w->other)
        return dr_fail(err, DR_ERR_NOT_FOUND,
                       "image %s on this target is not, or cannot be told to be, the one "
                       "that %s pins, %s, and the pull policy is never",
                       w->familiar, w->pin.file, w->pin.digest.text);
    return dr_fail(err, DR_ERR_NOT_FOUND,
                   "image %s is not on this target%s, and the pull policy is never",
                   w->familiar, w->other ? " for that platform" : "");
}

/* Only to tell a person: nothing is waited for, and no failure counts. */
static void say_if_moved(const struct wanted *w, json_t *image)
{
    struct registry *registry;
    struct oci_digest now;
    dr_auto_error struct dr_error ignored = DR_ERROR_INIT;
    struct registry_options ro = {
        .tries = 1,
        .retry_deadline_ms = 1,
        .deadline_ms = w->limits->deadline_ms,
        .cancel = w->limits->cancel ? &w->limits->cancel->triggered : NULL};
    if (!w->pin.known || w->options->policy == DRAY_PULL_MISSING ||
        registries_options(w->options->registry, &w->target->registry, &ro, &ignored) <
            0 ||
        registry_open(&w->ref, &ro, &registry, &ignored) < 0)
        return;
    if (registry_head_digest(registry, &now, &ignored) == 0 &&
        !oci_digest_equal(&now, &w->pin.digest))
        dr_json_set_str(image, "tag_digest", now.text);
    registry_close(registry);
}

static int finish(const struct wanted *w, json_t *image, struct dr_error *err)
{
    const char *before = dr_json_str(w->have, "digest"),
               *now = dr_json_str(image, "digest");
    dr_json_set_bool(image, "newer", before && now && strcmp(before, now) != 0);
    say_if_moved(w, image);
    int rc = pin_keep(&w->pin, w->options, w->name, image, err);
    json_object_del(image, "resolved");
    return rc;
}

static int failed_pull(const struct wanted *w, struct dr_error *failed,
                       json_t **ret_image, struct dr_error *err)
{
    /* `newer` goes on with what is here when the registry cannot be asked (podman's
     * rule); with a lock that would not be strict */
    if (w->have && w->options->policy == DRAY_PULL_NEWER && !w->pin.file &&
        failed->origin == DR_AT_REGISTRY) {
        *ret_image = pull_result_of(w->have, w->name, w->familiar);
        dr_error_release(failed);
        return 0;
    }
    if (w->pin.known && failed->code == 404)
        dr_wrap(failed,
                "%s pins %s (`dray pull --lock-update %s` pins what the tag means now)",
                w->pin.file, w->pin.digest.text, w->familiar);
    /* what the registry does not have, or sent broken, is its failure (C32) */
    if ((failed->kind == DR_ERR_NOT_FOUND && failed->origin == DR_AT_REGISTRY) ||
        failed->kind == DR_ERR_FORMAT)
        failed->kind = DR_ERR_PULL;
    return dr_error_move(err, failed);
}

static int pull_within(struct dray_target *target, const char *reference,
                       const struct dray_pull_options *options,
                       const struct limits *limits, json_t **ret_image,
                       struct dr_error *err)
{
    DR_CLEANUP(wanted_release)
    struct wanted w = {.target = target, .options = options, .limits = limits};
    if (look(&w, reference, err) < 0)
        return -1;
    if (will_do(&w)) {
        *ret_image = pull_result_of(w.have, w.name, w.familiar);
        return pin_keep(&w.pin, options, w.name, *ret_image, err);
    }
    if (options->policy == DRAY_PULL_NEVER)
        return never(&w, err);
    if (builtin_is(&w.ref))
        return pull_builtin(target, limits, w.name, w.familiar, ret_image, err);
    dr_auto_error struct dr_error failed = DR_ERROR_INIT;
    const struct pull_source source = {.ref = &w.ref,
                                       .pin = w.pin.known ? &w.pin.digest : NULL,
                                       .name = w.name,
                                       .familiar = w.familiar,
                                       .have = w.other ? NULL : w.have};
    return pull_from(target, &source, options, limits, ret_image, &failed) < 0
               ? failed_pull(&w, &failed, ret_image, err)
               : finish(&w, *ret_image, err);
}

/* --- from this machine --- */

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
    const struct pull_source source = {
        .archive = archive, .image = image, .name = canonical, .familiar = names[0]};
    if (pull_from(target, &source, options, limits, ret_image, err) < 0)
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
    struct registry_options ro = {0};
    size_t image;
    if (registries_options(options->registry, &target->registry, &ro, err) < 0 ||
        store_open(target->cache_dir, &store, err) < 0)
        return -1;
    int rc = archive_open(place, store_dir(store), &archive, err);
    if (rc == 0)
        rc = archive_select(archive, place->name, &image, err);
    if (rc == 0)
        rc = trust_archive(archive, image, place->path, ro.policy_file, err);
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
    if (place_parse(reference, false, &place, err) < 0)
        return -1;
    if (place.kind != PLACE_REFERENCE && options->lock_file)
        return dr_fail(
            err, DR_ERR_INVALID,
            "%s: a lock file pins what tags of registries mean, and this is on "
            "this machine",
            reference);
    if (target_enter(target, err) < 0)
        return -1;
    int rc = place.kind == PLACE_REFERENCE
                 ? pull_within(target, place.path, options, limits, ret_image, err)
                 : pull_place(target, &place, options, limits, ret_image, err);
    target_leave(target);
    return rc;
}
