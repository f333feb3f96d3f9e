/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Volumes: <root>/volumes/<name>/_data. An anonymous one is named by 64 random hex
 * digits, is listed in its container's record before it is made, and goes with `rm -v`
 * and --rm.
 */
#ifndef DRAY_GUEST_CONTAINER_VOLUMES_H
#define DRAY_GUEST_CONTAINER_VOLUMES_H

#include "guest/container/record.h"
#include "spec/container.h"

/* The record's "volumes" for the spec's volume mounts, in their order, and then for the
 * image's (targets: bundle_image_volumes). Makes up names, makes no directory. NULL with
 * err for a name that is none. */
json_t *volumes_plan(const struct guest *guest, const struct spec_container *spec,
                     char *const *image_targets, struct dr_error *err);
/* Makes the directories that are not there. */
int volumes_make(const struct guest *guest, const json_t *volumes, struct dr_error *err);
/* Removes the anonymous ones of the container `owner`, except those that another
 * container has by name. */
int volumes_remove_anonymous(struct guest *guest, const char *owner,
                             const json_t *volumes, struct dr_error *err);

#endif
