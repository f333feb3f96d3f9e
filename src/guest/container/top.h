/* SPDX-License-Identifier: Apache-2.0 */
/* The processes of a container, from /proc: no `ps` is needed on the target. */
#ifndef DRAY_GUEST_CONTAINER_TOP_H
#define DRAY_GUEST_CONTAINER_TOP_H

#include "guest/container/record.h"

/*
 * *ret: {"titles":[…],"processes":[[…]…]}, by pid, all values text. columns: names as
 * `ps -o` has them, between commas or blanks, in any case; NULL: as `ps -ef`.
 * DR_ERR_INVALID names an unknown one and those that there are; DR_ERR_CONFLICT when the
 * container does not run.
 */
int container_top(const struct container *container, const char *columns, json_t **ret,
                  struct dr_error *err);

#endif
