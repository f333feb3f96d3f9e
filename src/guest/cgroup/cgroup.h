/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A container's cgroup, found by name, on hosts with cgroup v1 (one directory in each
 * controller's hierarchy), v2 (one directory) or both mounted side by side (hybrid).
 * Everything here is idempotent and needs no state but the name (HAZARDS I3, I7): a
 * missing cgroup is an empty one.
 */
#ifndef DRAY_GUEST_CGROUP_H
#define DRAY_GUEST_CGROUP_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

enum cgroup_mode { CGROUP_NONE, CGROUP_V1, CGROUP_V2, CGROUP_HYBRID };

#define CGROUP_ROOT "/sys/fs/cgroup"
/* The unified hierarchy of a hybrid host: crun before 1.9 refuses to work with it there.
 */
#define CGROUP_UNIFIED CGROUP_ROOT "/unified"

enum cgroup_mode cgroup_mode(void);
const char *cgroup_mode_name(enum cgroup_mode mode); /* "none", "v1", "v2", "hybrid" */

/* linux.cgroupsPath of a container: "/dray/<id>", owned. */
char *cgroup_path(const char *container_id);

/* The pids of all processes in it and below, in order, as seen from here; owned. */
int64_t *cgroup_pids(const char *path, size_t *ret_count);
/* Is there no process in it, nor below it? */
bool cgroup_is_empty(const char *path);
/*
 * SIGKILLs every process in it and below, and waits until they are gone. Frozen ones are
 * thawed. DR_ERR_TIMEOUT after deadline_ms (dr_clock_ms() time) names one that is left.
 */
int cgroup_kill(const char *path, int64_t deadline_ms, struct dr_error *err);
/* Removes it with what is below, in all hierarchies; it must be empty. */
int cgroup_remove(const char *path, struct dr_error *err);
/* How often the kernel's OOM killer struck in it; 0 when that cannot be told. */
long cgroup_oom_kills(const char *path);

#endif
