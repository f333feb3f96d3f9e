/* SPDX-License-Identifier: Apache-2.0 */
/* What the target keeps of an image, beside layers that come over a line: its documents,
 * and layers that are at hand here. */
#ifndef DRAY_HOST_IMAGE_PUT_H
#define DRAY_HOST_IMAGE_PUT_H

#include "host/target.h"

struct image_documents {
    const char *manifest, *config; /* borrowed */
    size_t manifest_len, config_len;
    const char *ref, *familiar; /* what it shall be called; NULL: nothing */
};
/* Its layers must be there. *ret_reply: {"id","digest"}. */
int image_put_documents(struct dray_target *target, const struct limits *limits,
                        const struct image_documents *documents, json_t **ret_reply,
                        struct dr_error *err);
/* The plain tar of a layer. */
int image_put_layer(struct dray_target *target, const struct limits *limits,
                    const char *diff_id, const void *data, size_t len,
                    struct dr_error *err);

#endif
