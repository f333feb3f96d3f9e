/* SPDX-License-Identifier: Apache-2.0 */
/* Changing the limits and the restart policy of a container, running or not. */
#ifndef DRAY_GUEST_CONTAINER_UPDATE_H
#define DRAY_GUEST_CONTAINER_UPDATE_H

#include "guest/container/record.h"

/*
 * request: container.update's (PROTOCOL.md); what is not in it stays as it is. All or
 * nothing: what the kernel or the disk refuses leaves cgroup, config.json and record as
 * they were. DR_ERR_INVALID names an unknown member or a bad value, DR_ERR_CONFLICT: more
 * memory is in use than the limit shall be.
 */
int container_update(struct guest *guest, const struct container *container,
                     const json_t *request, struct dr_error *err);

#endif
