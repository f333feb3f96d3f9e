/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DRAY_GUEST_IMAGES_IMPORT_H
#define DRAY_GUEST_IMAGES_IMPORT_H

#include "guest/guest.h"
#include "oci/digest.h"

/* All but changes may be NULL. */
struct import_options {
    const char *ref, *familiar; /* what it shall be called */
    const char *message;        /* of its history */
    const char *platform;       /* else the guest's */
    const char *const *changes; /* as for commit; NULL-terminated */
};

/* DR_ERR_NOT_FOUND when the layer is not here. */
int image_import(struct guest *guest, const struct oci_digest *diff_id,
                 const struct import_options *options, char **ret_id,
                 struct dr_error *err);

#endif
