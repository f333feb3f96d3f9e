/* SPDX-License-Identifier: Apache-2.0 */
/* Freezing a container and letting it run on, by its cgroup, whatever runtime made it. */
#ifndef DRAY_GUEST_CONTAINER_PAUSE_H
#define DRAY_GUEST_CONTAINER_PAUSE_H

#include "guest/container/record.h"

/* DR_ERR_CONFLICT when it is paused already, is being stopped, or does not run. */
int container_pause(struct guest *guest, const struct container *container,
                    struct dr_error *err);
/* DR_ERR_CONFLICT when it is not paused. */
int container_unpause(struct guest *guest, const struct container *container,
                      struct dr_error *err);
/* For whoever ends it: it runs on whatever its state says, and cannot be paused any more
 * when the mark "stopping" is there. Never fails. */
void container_thaw(const struct guest *guest, const struct container *container);

/*
 * Frozen for the time that somebody needs it to stand still (commit). *ret_hold: a
 * descriptor for container_let_go, -1 when nothing was to be done: it does not run, or is
 * paused already. Who dies meanwhile leaves a mark, by which the next command lets it run
 * on (container_reconcile).
 */
int container_hold(struct guest *guest, const struct container *container, int *ret_hold,
                   struct dr_error *err);
void container_let_go(struct guest *guest, const struct container *container, int hold);
void container_settle_hold(struct guest *guest, const char *id);
bool container_is_paused(const struct container *container);
/* Of one that runs: is somebody ending it (C20)? */
bool container_is_stopping(const struct container *container);

#endif
