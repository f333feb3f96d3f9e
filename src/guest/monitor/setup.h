/* SPDX-License-Identifier: Apache-2.0 */
/* What the monitor does before the runtime starts: the root file system, in a mount
 * namespace of its own, so that nothing is left mounted when the monitor is killed. */
#ifndef DRAY_GUEST_MONITOR_SETUP_H
#define DRAY_GUEST_MONITOR_SETUP_H

#include <stdbool.h>

#include "base/json.h"

/* Enters a mount namespace of our own that hears of the host's mounts, but not the other
 * way round. hide_unified: covers the v2 hierarchy of a hybrid host in it. */
int setup_namespace(bool hide_unified, struct dr_error *err);

/* Mounts the layers with upper and work at rootfs. lowers: array of paths, topmost first;
 * is_volatile: the container goes with its end, nothing needs to reach the disk. */
int setup_overlay(const json_t *lowers, const char *upper, const char *work,
                  const char *rootfs, bool is_volatile, struct dr_error *err);

/* A copy out of or into the container's last run may still have its root mounted, and the
 * same upper directory mounted twice does not see its own changes. Waits for it some
 * seconds: who copies holds flock(2) on upper, shared (files/view.c). */
void setup_wait_viewers(const char *upper);

/* The runtime mounts over /dev, /proc, /sys and files in /etc: whatever the image has
 * there, they become directories of the top layer (CVE-2026-41579). */
int setup_mount_points(const char *rootfs, struct dr_error *err);

/* Makes the directory that the process starts in where it is missing (youki does not),
 * below whatever the image has on the way, resolved inside the root (HAZARDS H3). */
int setup_workdir(const char *rootfs, const char *workdir, struct dr_error *err);

/* Fills volumes that are empty from what the image has at their targets, as Docker does:
 * owners, modes, times and xattrs included. volumes: the record's. */
int setup_volumes(const char *rootfs, const json_t *volumes, struct dr_error *err);

/* Why a command cannot be run: 127 it is not in the root file system, 126 it is no
 * executable file, 0 neither is the reason. process: the record's. */
int setup_command_code(const char *rootfs, const json_t *process);

#endif
