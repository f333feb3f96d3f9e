/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DRAY_HOST_PULL_H
#define DRAY_HOST_PULL_H

#include "host/target.h"

/* dray_image_pull; options whole (API_COPY). *ret_image: as there. */
int host_pull_image(struct dray_target *target, const char *reference,
                    const struct dray_pull_options *options, const struct limits *limits,
                    json_t **ret_image, struct dr_error *err);
/* Canonical reference for what a person typed, or the text itself when it can be an image
 * id (hex) too; owned. DR_ERR_INVALID. */
char *host_image_name(const char *text, struct dr_error *err);

#endif
