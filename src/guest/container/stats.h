/* SPDX-License-Identifier: Apache-2.0 */
/* What containers use (C27). */
#ifndef DRAY_GUEST_CONTAINER_STATS_H
#define DRAY_GUEST_CONTAINER_STATS_H

#include "guest/container/record.h"

/* container.stats, PROTOCOL.md: samples of the containers in "ids", or of all that run,
 * every interval, until the host has enough of it or, with "once", one round. One that
 * does not run has zeros; one that is named and not there is DR_ERR_NOT_FOUND in the
 * first round, and left out later. */
int container_stats(struct guest *guest, const json_t *request, struct wire_chan *chan,
                    struct dr_error *err);

#endif
