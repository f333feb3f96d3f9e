/* SPDX-License-Identifier: Apache-2.0 */
/* Media types of OCI and of Docker's schema 2, as one table. Rule: image-spec
 * media-types.md. */
#ifndef DRAY_OCI_MEDIA_H
#define DRAY_OCI_MEDIA_H

#include <stdbool.h>
#include <stddef.h>

enum oci_media {
    OCI_MEDIA_UNKNOWN = 0,
    OCI_MEDIA_INDEX,
    OCI_MEDIA_MANIFEST,
    OCI_MEDIA_CONFIG,
    OCI_MEDIA_LAYER,     /* a tar, compressed or not: see enum oci_compression */
    OCI_MEDIA_FOREIGN,   /* a layer that lies somewhere else ("urls"): refused */
    OCI_MEDIA_SCHEMA1,   /* Docker's first manifest: refused */
    OCI_MEDIA_NOT_IMAGE, /* known and not an image: a helm chart, an artifact … */
};

/* As the media type says; the guest looks at the magic bytes as well (C10). */
enum oci_compression {
    OCI_PLAIN = 0,
    OCI_GZIP,
    OCI_ZSTD,
};

#define OCI_TYPE_MANIFEST "application/vnd.oci.image.manifest.v1+json"
#define OCI_TYPE_INDEX "application/vnd.oci.image.index.v1+json"
#define OCI_TYPE_CONFIG "application/vnd.oci.image.config.v1+json"
#define OCI_TYPE_LAYER "application/vnd.oci.image.layer.v1.tar"
#define OCI_TYPE_DOCKER_MANIFEST "application/vnd.docker.distribution.manifest.v2+json"
#define OCI_TYPE_DOCKER_LIST "application/vnd.docker.distribution.manifest.list.v2+json"

/* type: len bytes, without parameters ("; charset=…" is cut off by the caller or not:
 * everything from the first ';' is ignored). ret_compression may be NULL. */
enum oci_media oci_media_parse(const char *type, size_t len,
                               enum oci_compression *ret_compression);
/* "gzip" … for messages and for the wire, and back (unknown: false). */
const char *oci_compression_name(enum oci_compression compression);
bool oci_compression_parse(const char *name, enum oci_compression *ret_compression);

#endif
