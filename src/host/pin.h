/* SPDX-License-Identifier: Apache-2.0 */
/* What the lock file of a pull says of its reference, and what it learns from it. */
#ifndef DRAY_HOST_PIN_H
#define DRAY_HOST_PIN_H

#include "host/target.h"
#include "oci/ref.h"

struct pin {
    const char *file; /* borrowed; NULL: there is none, or the reference needs none */
    bool known;       /* the file has a digest, which counts */
    struct oci_digest digest;
};

/* name: the reference's canonical text. When its digest will have to be written down,
 * that this can be done is seen to here. */
int pin_find(const struct dray_pull_options *options, const struct oci_ref *ref,
             const char *name, struct pin *ret, struct dr_error *err);
/* Is an image with this manifest what is pinned (or nothing)? Asks nobody: of an index
 * only when the cache has it. */
bool pin_fits(const struct pin *pin, struct dray_target *target, const char *manifest);
/* After a pull: writes down what the tag led to, and says in the image what is pinned. */
int pin_keep(const struct pin *pin, const struct dray_pull_options *options,
             const char *name, json_t *image, struct dr_error *err);

#endif
