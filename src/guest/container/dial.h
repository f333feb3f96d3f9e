/* SPDX-License-Identifier: Apache-2.0 */
/* Connections to a port of a container that travel through the session. */
#ifndef DRAY_GUEST_CONTAINER_DIAL_H
#define DRAY_GUEST_CONTAINER_DIAL_H

#include "guest/container/record.h"

/*
 * request: {"port","protocol" ("tcp", "udp"; tcp when not there)}. Connects from inside
 * the container's network, which works whatever that is; sends the event "started" on
 * chan, and passes on between the connection and data 0 and 1 until both directions have
 * ended. Of udp each frame is a datagram, and only the host can end it.
 * DR_ERR_CONFLICT: it does not run; DR_ERR_NETWORK with errno as code: nobody listens
 * there (ECONNREFUSED), or the connection was reset (ECONNRESET).
 */
int container_dial(const struct container *container, const json_t *request,
                   struct wire_chan *chan, struct dr_error *err);

#endif
