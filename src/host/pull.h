/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DRAY_HOST_PULL_H
#define DRAY_HOST_PULL_H

#include "archive/archive.h"
#include "host/target.h"

/* dray_image_pull; options whole (API_COPY). *ret_image: as there. */
int host_pull_image(struct dray_target *target, const char *reference,
                    const struct dray_pull_options *options, const struct limits *limits,
                    json_t **ret_image, struct dr_error *err);
/* The same for an image of an archive, under all names that it has there. Within
 * target_enter. */
int host_pull_archive(struct dray_target *target, struct archive *archive, size_t image,
                      const struct dray_pull_options *options,
                      const struct limits *limits, json_t **ret_image,
                      struct dr_error *err);
/* image.get and its like, for what a person typed: names win over ids, as in Docker.
 * request: without its ref; taken over. */
int host_image_call(struct dray_target *target, json_t *request, const char *image,
                    const struct limits *limits, json_t **ret_reply,
                    struct dr_error *err);

#endif
