/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Freezing a container's cgroup with all below it (pause). What the kernel says of the
 * cgroup is the truth about it; nothing is kept beside that.
 */
#ifndef DRAY_GUEST_CGROUP_FREEZER_H
#define DRAY_GUEST_CGROUP_FREEZER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

/* Returns when every process stands still. DR_ERR_TIMEOUT after deadline_ms
 * (dr_clock_ms() time), all of them running on; DR_ERR_UNSUPPORTED where the cgroup has
 * no freezer. */
int cgroup_freeze(const char *root, const char *path, int64_t deadline_ms,
                  struct dr_error *err);
/* Success when it was not frozen. */
int cgroup_thaw(const char *root, const char *path, struct dr_error *err);
/* Is it frozen, or being frozen? A missing cgroup is not. */
bool cgroup_is_frozen(const char *root, const char *path);

#endif
