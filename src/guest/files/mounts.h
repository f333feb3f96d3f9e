/* SPDX-License-Identifier: Apache-2.0 */
/* The bind mounts and volumes of a container, put over a view of its root (view.h). */
#ifndef DRAY_GUEST_FILES_MOUNTS_H
#define DRAY_GUEST_FILES_MOUNTS_H

#include "guest/container/record.h"

/* As the container's config.json lists them. make: mount points that are missing are
 * made, as a start would; else what is not there is left out. */
int view_mount_binds(const char *rootfs, const struct container *c, bool make,
                     struct dr_error *err);

#endif
