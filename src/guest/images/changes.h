/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Dockerfile instructions that change an image's config, as `commit --change` takes them:
 * CMD ENTRYPOINT ENV EXPOSE HEALTHCHECK LABEL ONBUILD STOPSIGNAL USER VOLUME WORKDIR.
 * Rule: the Dockerfile reference. $NAME and ${NAME} of the config's environment are
 * expanded where the reference says so.
 */
#ifndef DRAY_GUEST_IMAGES_CHANGES_H
#define DRAY_GUEST_IMAGES_CHANGES_H

#include "base/json.h"

/* config: the "config" object of an image config, changed in place. changes: NULL-
 * terminated, may be NULL. DR_ERR_INVALID names the instruction. */
int image_config_change(json_t *config, const char *const *changes, struct dr_error *err);

#endif
