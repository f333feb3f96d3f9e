/* SPDX-License-Identifier: Apache-2.0 */
/* An image of one layer that is here already: what `docker import` makes of a tarball. */
#include "guest/images/import.h"

#include <string.h>

#include "base/text.h"
#include "guest/images/changes.h"
#include "guest/images/images.h"
#include "oci/media.h"
#include "oci/platform.h"

static json_t *make_config(const struct oci_digest *diff_id,
                           const struct import_options *options, struct dr_error *err)
{
    struct oci_platform platform;
    char created[DR_TIME_TEXT];
    dr_auto_json json_t *config = json_object();
    oci_platform_native(&platform);
    if (options->platform && oci_platform_parse(options->platform, &platform, err) < 0)
        return NULL;
    if (image_config_change(config, options->changes, err) < 0)
        return NULL;
    dr_time_format(dr_now_ns(), created);
    json_t *document = json_pack(
        "{sssssssOs{sss[s]}s[{ssss?}]}", "architecture", platform.arch, "os", platform.os,
        "created", created, "config", config, "rootfs", "type", "layers", "diff_ids",
        diff_id->text, "history", "created", created, "comment", options->message);
    if (platform.variant[0])
        dr_json_set_str(document, "variant", platform.variant);
    return document;
}

int image_import(struct guest *guest, const struct oci_digest *diff_id,
                 const struct import_options *options, char **ret_id,
                 struct dr_error *err)
{
    struct layer_stats stats;
    struct oci_digest id;
    if (layer_meta(guest->layers, diff_id, &stats, err) < 0)
        return -1;
    dr_auto_json json_t *document = make_config(diff_id, options, err);
    if (!document)
        return -1;
    dr_auto_free char *config = dr_json_text(document);
    oci_digest_of(config, strlen(config), &id);
    dr_auto_json json_t *json = json_pack(
        "{sisss{sssssI}s[{sssssI}]}", "schemaVersion", 2, "mediaType", OCI_TYPE_MANIFEST,
        "config", "mediaType", OCI_TYPE_CONFIG, "digest", id.text, "size",
        (json_int_t)strlen(config), "layers", "mediaType", OCI_TYPE_LAYER, "digest",
        diff_id->text, "size", (json_int_t)stats.tar_bytes);
    dr_auto_free char *manifest = dr_json_text(json);
    return image_put(guest, options->ref, options->familiar, manifest, strlen(manifest),
                     config, strlen(config), ret_id, err);
}
