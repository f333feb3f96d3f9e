/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Descriptors, manifests and indexes: bytes to structs, everything hostile refused here
 * (HAZARDS H2). Rule: image-spec descriptor.md, manifest.md, image-index.md.
 */
#ifndef DRAY_OCI_MANIFEST_H
#define DRAY_OCI_MANIFEST_H

#include <stdbool.h>
#include <stdint.h>

#include "oci/digest.h"
#include "oci/media.h"
#include "oci/platform.h"

#define OCI_MANIFEST_MAX (4u << 20) /* bytes of a manifest, an index or a config */
#define OCI_INDEX_DEPTH_MAX 4       /* indexes inside of indexes */
#define OCI_LAYERS_MAX 512          /* overlayfs takes 500 */
#define OCI_INDEX_ENTRIES_MAX 4096

struct oci_descriptor {
    char *media_type; /* owned; printable ASCII, ≤ 255 bytes; "" when none was given */
    enum oci_media media;
    enum oci_compression compression; /* of a layer, by its media type */
    struct oci_digest digest;
    int64_t size_bytes; /* ≥ 0 */
    bool has_platform;
    struct oci_platform platform; /* only in an index */
    bool attestation;             /* only in an index: "unknown/unknown" or so marked */
};

struct oci_manifest {
    enum oci_media media; /* OCI_MEDIA_MANIFEST */
    char *media_type;     /* owned */
    struct oci_descriptor config;
    struct oci_descriptor *layers; /* owned, base first */
    size_t n_layers;
};

struct oci_index {
    char *media_type;                 /* owned */
    struct oci_descriptor *manifests; /* owned */
    size_t n_manifests;
};

#define dr_auto_manifest DR_CLEANUP(oci_manifest_release)
#define dr_auto_index DR_CLEANUP(oci_index_release)

void oci_descriptor_release(struct oci_descriptor *descriptor);
void oci_descriptor_copy(const struct oci_descriptor *descriptor,
                         struct oci_descriptor *ret_descriptor);
void oci_manifest_release(struct oci_manifest *manifest);
void oci_index_release(struct oci_index *index);

/*
 * Which document this is: OCI_MEDIA_MANIFEST or OCI_MEDIA_INDEX, nothing else is
 * returned. declared: what the Content-Type header or the descriptor said, or NULL. The
 * shape, the "mediaType" member and the declaration must agree (CVE-2021-41190).
 * DR_ERR_FORMAT: not JSON, both shapes or none, types that differ.
 * DR_ERR_UNSUPPORTED: schema 1, an artifact.
 */
int oci_document_parse(const char *text, size_t len, const char *declared,
                       enum oci_media *ret_media, struct dr_error *err);

/*
 * Both take len bytes of JSON (≤ OCI_MANIFEST_MAX) and what was declared, as above, and
 * do the checks of oci_document_parse first. A layer of an unknown or foreign type, a
 * config of an unknown type and encrypted layers are DR_ERR_UNSUPPORTED and name the
 * type; everything else that is wrong is DR_ERR_FORMAT. Release with oci_*_release.
 */
int oci_manifest_parse(const char *text, size_t len, const char *declared,
                       struct oci_manifest *ret_manifest, struct dr_error *err);
int oci_index_parse(const char *text, size_t len, const char *declared,
                    struct oci_index *ret_index, struct dr_error *err);

/*
 * The best entry of the index for `want`, borrowed: attestations skipped, then by
 * oci_platform_match, the first of equals. Entries without a platform (indexes inside of
 * indexes, sloppy tools) are taken only when none with a platform fits.
 * DR_ERR_NOT_FOUND lists what the index offers.
 */
const struct oci_descriptor *oci_index_choose(const struct oci_index *index,
                                              const struct oci_platform *want,
                                              struct dr_error *err);

#endif
