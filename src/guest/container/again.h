/* SPDX-License-Identifier: Apache-2.0 */
/* container.restart: stop and start as one. */
#ifndef DRAY_GUEST_CONTAINER_AGAIN_H
#define DRAY_GUEST_CONTAINER_AGAIN_H

#include "guest/container/record.h"

/* In the run directory: the monitor is not to remove the container with this end. */
#define CONTAINER_KEEP "keep"

/* Stops it (as container_stop; one that does not run is not stopped) and starts it. One
 * that is removed with its end is not removed by this one. When it does not start again
 * the error is the start's, and it is exited. */
int container_restart(struct guest *guest, const struct container *container,
                      int64_t timeout_s, int signal, struct wire_chan *chan,
                      struct dr_error *err);

#endif
