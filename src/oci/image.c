/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/image.h"

#include <string.h>

void oci_image_release(struct oci_image *image)
{
    free(image->manifest_raw);
    free(image->config_raw);
    oci_manifest_release(&image->manifest);
    oci_config_release(&image->config);
    *image = OCI_IMAGE_INIT;
}

int oci_image_set_manifest(struct oci_image *image, const char *manifest, size_t len,
                           const char *declared, struct dr_error *err)
{
    struct oci_manifest parsed;
    if (oci_manifest_parse(manifest, len, declared, &parsed, err) < 0)
        return -1;
    oci_manifest_release(&image->manifest);
    free(image->manifest_raw);
    image->manifest = parsed;
    image->manifest_raw = dr_strndup(manifest, len);
    image->manifest_len = len;
    oci_digest_of(manifest, len, &image->manifest_digest);
    return 0;
}

int oci_image_set_config(struct oci_image *image, const char *config, size_t len,
                         struct dr_error *err)
{
    struct oci_digest digest;
    oci_digest_of(config, len, &digest);
    if (!oci_digest_equal(&digest, &image->manifest.config.digest) ||
        (int64_t)len != image->manifest.config.size_bytes)
        return dr_fail(err, DR_ERR_FORMAT,
                       "the image config is %s, but the manifest asks for %s",
                       digest.text, image->manifest.config.digest.text);
    dr_auto_config struct oci_config parsed = {0};
    if (oci_config_parse(config, len, &parsed, err) < 0)
        return -1;
    if (parsed.n_diff_ids != image->manifest.n_layers)
        return dr_fail(
            err, DR_ERR_FORMAT,
            "the manifest has %zu layers, but the image config has %zu diff ids",
            image->manifest.n_layers, parsed.n_diff_ids);
    oci_config_release(&image->config);
    free(image->config_raw);
    image->config = parsed;
    parsed = (struct oci_config){0};
    image->config_raw = dr_strndup(config, len);
    image->config_len = len;
    return 0;
}

int oci_image_parse(const char *manifest, size_t manifest_len, const char *declared,
                    const char *config, size_t config_len, struct oci_image *ret_image,
                    struct dr_error *err)
{
    dr_auto_image struct oci_image image = OCI_IMAGE_INIT;
    if (oci_image_set_manifest(&image, manifest, manifest_len, declared, err) < 0 ||
        oci_image_set_config(&image, config, config_len, err) < 0)
        return -1;
    *ret_image = image;
    image = OCI_IMAGE_INIT;
    return 0;
}

int64_t oci_image_size(const struct oci_image *image)
{
    int64_t total = 0; /* the manifest was refused if this could overflow */
    for (size_t i = 0; i < image->manifest.n_layers; i++)
        total += image->manifest.layers[i].size_bytes;
    return total;
}
