/* SPDX-License-Identifier: Apache-2.0 */
/* Images over there, C07 to C12. The pull itself is pull.c. */
#include <string.h>

#include "host/image-shape.h"
#include "host/pull.h"
#include "oci/ref.h"
#include "spec/table.h"

/* May people mean an image's id by this? */
static bool like_id(const char *text)
{
    size_t len = strlen(text);
    return len >= 2 && len <= DR_SHA256_HEX && strspn(text, "0123456789abcdef") == len;
}

/* Both are asked for: in this order, and only for words that can be either. */
int host_image_call(struct dray_target *target, json_t *request, const char *image,
                    const struct limits *limits, json_t **ret_reply, struct dr_error *err)
{
    dr_auto_json json_t *taken = request;
    dr_auto_free char *name =
        image && *image ? spec_image_name(image, err) : dr_strdup("");
    if (!name)
        return -1;
    dr_json_set_str(taken, "ref", name);
    int rc = request_call(target, json_incref(taken), limits, ret_reply, err);
    if (rc == 0 || err->kind != DR_ERR_NOT_FOUND || !like_id(image) ||
        strcmp(name, image) == 0)
        return rc;
    dr_auto_error struct dr_error by_id = DR_ERROR_INIT;
    dr_json_set_str(taken, "ref", image);
    if (request_call(target, json_incref(taken), limits, ret_reply, &by_id) == 0) {
        dr_error_release(err);
        return 0;
    }
    return by_id.kind == DR_ERR_NOT_FOUND ? -1 : dr_error_move(err, &by_id);
}

static int image_json(struct dray_target *target, json_t *request, const char *image,
                      const struct dray_call *call, json_t *(*shape)(const json_t *reply),
                      char **ret_json, struct dray_error **ret_err)
{
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    dr_auto_json json_t *reply = NULL;
    struct limits limits = limits_of(call, DEFAULT_TIMEOUT_MS);
    int rc = host_image_call(target, request, image, &limits, &reply, &err);
    if (rc == 0 && ret_json) {
        dr_auto_json json_t *shaped = shape ? shape(reply) : json_incref(reply);
        *ret_json = dr_json_text(shaped);
    }
    return api_end(rc, &err, ret_err);
}

int dray_image_pull(struct dray_target *target, const char *reference,
                    const struct dray_pull_options *options, const struct dray_call *call,
                    char **ret_json, struct dray_error **ret_err)
{
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    dr_auto_json json_t *image = NULL;
    struct dray_pull_options o = {0};
    struct limits limits = limits_of(call, NO_TIMEOUT);
    int rc = API_COPY(&o, options, &err);
    if (rc == 0)
        rc = host_pull_image(target, reference, &o, &limits, &image, &err);
    if (rc == 0 && ret_json)
        *ret_json = dr_json_text(image);
    return api_end(rc, &err, ret_err);
}

int dray_image_list(struct dray_target *target, const struct dray_call *call,
                    char **ret_json, struct dray_error **ret_err)
{
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    dr_auto_json json_t *items = NULL;
    struct limits limits = limits_of(call, DEFAULT_TIMEOUT_MS);
    int rc = request_list(target, request_new("image.list"), &limits, &items, &err);
    size_t i;
    json_t *item;
    json_array_foreach (items, i, item)
        image_list_shape(item);
    if (rc == 0)
        *ret_json = dr_json_text(items);
    return api_end(rc, &err, ret_err);
}

int dray_image_inspect(struct dray_target *target, const char *image,
                       const struct dray_call *call, char **ret_json,
                       struct dray_error **ret_err)
{
    return image_json(target, request_new("image.get"), image, call, image_inspect_shape,
                      ret_json, ret_err);
}

int dray_image_history(struct dray_target *target, const char *image,
                       const struct dray_call *call, char **ret_json,
                       struct dray_error **ret_err)
{
    return image_json(target, request_new("image.get"), image, call, image_history_shape,
                      ret_json, ret_err);
}

int dray_image_tag(struct dray_target *target, const char *image, const char *name,
                   const struct dray_call *call, struct dray_error **ret_err)
{
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    dr_auto_ref struct oci_ref ref = OCI_REF_INIT;
    if (oci_ref_parse(name ? name : "", &ref, &err) < 0)
        return api_end(-1, &err, ret_err);
    if (ref.digest.text[0]) {
        dr_fail(&err, DR_ERR_INVALID, "%s: a new name has a tag, not a digest", name);
        return api_end(-1, &err, ret_err);
    }
    dr_auto_free char *text = oci_ref_text(&ref), *familiar = oci_ref_familiar(&ref);
    json_t *request = request_new("image.tag");
    dr_json_set_str(request, "new_ref", text);
    dr_json_set_str(request, "familiar", familiar);
    return image_json(target, request, image, call, NULL, NULL, ret_err);
}

int dray_image_remove(struct dray_target *target, const char *image, bool force,
                      const struct dray_call *call, char **ret_json,
                      struct dray_error **ret_err)
{
    json_t *request = request_new("image.remove");
    dr_json_set_bool(request, "force", force);
    return image_json(target, request, image, call, NULL, ret_json, ret_err);
}

int dray_image_prune(struct dray_target *target, bool all, char *const *filters,
                     const struct dray_call *call, char **ret_json,
                     struct dray_error **ret_err)
{
    json_t *request = request_new("image.prune");
    dr_json_set_bool(request, "all", all);
    dr_json_set(request, "filters", dr_json_from_strv(filters));
    return api_json(target, request, call, ret_json, ret_err);
}

int dray_reference_normalize(const char *text, char **ret_text,
                             struct dray_error **ret_err)
{
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    char *name = text ? spec_image_name(text, &err) : NULL;
    if (!text)
        dr_fail(&err, DR_ERR_INVALID, "no image is given");
    if (name)
        *ret_text = name;
    return api_end(name ? 0 : -1, &err, ret_err);
}
