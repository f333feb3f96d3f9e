/* SPDX-License-Identifier: Apache-2.0 */
/* Changing the limits of a container that runs. */
#ifndef DRAY_GUEST_CGROUP_LIMITS_H
#define DRAY_GUEST_CGROUP_LIMITS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

/* Numbers as in struct spec_container: 0 (pids: or -1) is no limit, or the default. */
struct cgroup_limits {
    bool set_memory, set_cpus, set_shares, set_pids; /* the others stay as they are */
    int64_t memory_bytes; /* swap may be as much again, Docker's default */
    int64_t nano_cpus, cpu_shares, pids_limit;
};

struct cgroup_undo; /* what was there before */

/*
 * All or none: when the kernel refuses one, those before it are put back. DR_ERR_CONFLICT
 * when more memory is in use, DR_ERR_UNSUPPORTED without the controller, DR_ERR_INVALID
 * for what the kernel takes for nonsense; DR_ERR_NOT_FOUND when there is no cgroup.
 * *ret_undo puts it back later.
 */
int cgroup_limits_set(const char *root, const char *path,
                      const struct cgroup_limits *limits, struct cgroup_undo **ret_undo,
                      struct dr_error *err);
/* Puts back what was there when undo is wanted, and frees it; NULL is fine. */
void cgroup_undo_end(const char *root, const char *path, struct cgroup_undo *undo,
                     bool put_back);

#endif
