/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The way from what a reference names down to the manifest for one platform: indexes
 * inside of indexes, bounded, without circles (HAZARDS H2). Whoever walks it gets the
 * documents, from a registry or an archive, and verifies their digests.
 */
#ifndef DRAY_OCI_DESCENT_H
#define DRAY_OCI_DESCENT_H

#include "oci/image.h"

struct oci_descent {
    const struct oci_platform *platform; /* borrowed */
    struct oci_digest seen[OCI_INDEX_DEPTH_MAX + 1];
    size_t depth;
    struct oci_descriptor next; /* what to get now */
};

#define dr_auto_descent DR_CLEANUP(oci_descent_release)
void oci_descent_release(struct oci_descent *descent);

/*
 * Takes a document with its digest; declared: what the server said of its type, or NULL
 * (what the index says of it counts as well). 1: it was the manifest, and is in image; 0:
 * get descent->next.
 */
int oci_descend(struct oci_descent *descent, const char *text, size_t len,
                const char *declared, const struct oci_digest *digest,
                struct oci_image *image, struct dr_error *err);

/* An image without an index says its platform in its config only; one that says none fits
 * every platform: older tools wrote nothing. DR_ERR_NOT_FOUND names both. */
int oci_image_check_platform(const struct oci_image *image,
                             const struct oci_platform *want, struct dr_error *err);

#endif
