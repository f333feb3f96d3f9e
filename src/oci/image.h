/* SPDX-License-Identifier: Apache-2.0 */
/* An image that was resolved for one platform: what a registry, an OCI layout or an
 * archive gives, before any layer was read. */
#ifndef DRAY_OCI_IMAGE_H
#define DRAY_OCI_IMAGE_H

#include "oci/config.h"
#include "oci/manifest.h"

/* All owned. The raw bytes are the verified ones: their digests are in the struct, so
 * they can be stored, sent and hashed again. */
struct oci_image {
    struct oci_digest index_digest; /* of the outermost index; "" when there was none */
    struct oci_digest manifest_digest;
    char *manifest_raw; /* NUL behind it */
    size_t manifest_len;
    struct oci_manifest manifest;
    char *config_raw; /* NUL behind it; digest: manifest.config.digest */
    size_t config_len;
    struct oci_config config;
};

#define OCI_IMAGE_INIT ((struct oci_image){0})
#define dr_auto_image DR_CLEANUP(oci_image_release)

void oci_image_release(struct oci_image *image);

/*
 * From the two documents, whose digests the caller verified; copies them. Layer i of the
 * manifest has diff id i of the config: their numbers must be equal (podman 4.3.1
 * accepted wrong ones), or DR_ERR_FORMAT. declared: media type as for oci_manifest_parse.
 */
int oci_image_parse(const char *manifest, size_t manifest_len, const char *declared,
                    const char *config, size_t config_len, struct oci_image *ret_image,
                    struct dr_error *err);
/* The same with a config that is parsed later: fills only the manifest's part. Then
 * oci_image_set_config. */
int oci_image_set_manifest(struct oci_image *image, const char *manifest, size_t len,
                           const char *declared, struct dr_error *err);
int oci_image_set_config(struct oci_image *image, const char *config, size_t len,
                         struct dr_error *err);
/* Sum of the compressed layers, in bytes. */
int64_t oci_image_size(const struct oci_image *image);

#endif
