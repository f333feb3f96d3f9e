/* SPDX-License-Identifier: Apache-2.0 */
/* What the helper says of an image, in the shapes that dray.h promises. */
#ifndef DRAY_HOST_IMAGE_SHAPE_H
#define DRAY_HOST_IMAGE_SHAPE_H

#include "base/json.h"

/* New references, from a reply of image.get. */
json_t *image_inspect_shape(const json_t *image);
json_t *image_history_shape(const json_t *image);
/* Adds to a member of image.list: "created_ns", "tags". */
void image_list_shape(json_t *item);

#endif
