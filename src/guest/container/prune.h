/* SPDX-License-Identifier: Apache-2.0 */
/* Removing every container that does not run. */
#ifndef DRAY_GUEST_CONTAINER_PRUNE_H
#define DRAY_GUEST_CONTAINER_PRUNE_H

#include "guest/container/record.h"

/*
 * filters: guest/prune.h's. Never one that runs, is about to, or that some command is at
 * work on: one that is being made, say. What cannot be removed is passed over; an error
 * when there was such and nothing could. *ret: {"deleted":[ids],"space_reclaimed":bytes}.
 */
int container_prune(struct guest *guest, const json_t *filters, struct wire_chan *chan,
                    json_t **ret, struct dr_error *err);

#endif
