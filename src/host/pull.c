/* SPDX-License-Identifier: Apache-2.0 */
/* Which image is meant, whether it has to be pulled, and from where (C07). */
#include "host/pull.h"

#include <string.h>

#include "archive/place.h"
#include "host/builtin.h"
#include "host/image-put.h"
#include "host/pull-from.h"
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
        *ret_image = pull_result_of(have, name, familiar);
        return 0;
    }
    if (options->policy == DRAY_PULL_NEVER)
        return dr_fail(err, DR_ERR_NOT_FOUND,
                       "image %s is not on this target%s, and the pull policy is never",
                       familiar, other ? " for that platform" : "");
    if (builtin_is(&ref))
        return pull_builtin(target, limits, name, familiar, ret_image, err);
    dr_auto_error struct dr_error failed = DR_ERROR_INIT;
    const struct pull_source source = {
        .ref = &ref, .name = name, .familiar = familiar, .have = other ? NULL : have};
    if (pull_from(target, &source, options, limits, ret_image, &failed) == 0) {
        const char *before = dr_json_str(have, "digest"),
                   *now = dr_json_str(*ret_image, "digest");
        dr_json_set_bool(*ret_image, "newer", before && now && strcmp(before, now) != 0);
        return 0;
    }
    /* `newer` goes on with what is here when the registry cannot be asked (podman's rule)
     */
    if (have && options->policy == DRAY_PULL_NEWER && failed.origin == DR_AT_REGISTRY) {
        *ret_image = pull_result_of(have, name, familiar);
        return 0;
    }
    /* what the registry does not have, or sent broken, is its failure (C32) */
    if ((failed.kind == DR_ERR_NOT_FOUND && failed.origin == DR_AT_REGISTRY) ||
        failed.kind == DR_ERR_FORMAT)
        failed.kind = DR_ERR_PULL;
    return dr_error_move(err, &failed);
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
