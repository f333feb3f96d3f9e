/* SPDX-License-Identifier: Apache-2.0 */
/* Another name for a container. */
#ifndef DRAY_GUEST_CONTAINER_RENAME_H
#define DRAY_GUEST_CONTAINER_RENAME_H

#include "guest/container/record.h"

/*
 * In any state, also while it runs. Bundle, log and host name stay what they are.
 * DR_ERR_EXISTS names who has the name; DR_ERR_INVALID for one that is none, or that is
 * its name already. Cut off at any step it has the old name or the new one.
 */
int container_rename(struct guest *guest, const struct container *container,
                     const char *name, struct dr_error *err);

#endif
