/* SPDX-License-Identifier: Apache-2.0 */
/* One image from where it is onto the target: resolved on the host, its documents after
 * its layers. */
#ifndef DRAY_HOST_PULL_FROM_H
#define DRAY_HOST_PULL_FROM_H

#include "archive/archive.h"
#include "host/target.h"
#include "oci/ref.h"

struct pull_source {
    const struct oci_ref *ref;    /* a registry's … */
    const struct oci_digest *pin; /* what its tag is to mean, or NULL */
    struct archive *archive;      /* … or an archive's: its image-th one */
    size_t image;
    const char *name, *familiar; /* what it shall be called; NULL: nothing */
    const json_t *have; /* the image of that name that is there already, or NULL */
};

/* *ret_image: as dray_image_pull's; of a registry's, "resolved" is the digest that its
 * reference led to first. Within target_enter. */
int pull_from(struct dray_target *target, const struct pull_source *source,
              const struct dray_pull_options *options, const struct limits *limits,
              json_t **ret_image, struct dr_error *err);

/* What dray_image_pull gives. */
json_t *pull_result(const char *id, const char *digest, const char *ref,
                    const char *familiar, bool pulled);
/* … for an image.get that will do. */
json_t *pull_result_of(const json_t *image, const char *ref, const char *familiar);

#endif
