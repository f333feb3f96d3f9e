/* SPDX-License-Identifier: Apache-2.0 */
/* Joining a container that runs (C26). */
#ifndef DRAY_GUEST_CONTAINER_ATTACH_H
#define DRAY_GUEST_CONTAINER_ATTACH_H

#include "guest/container/record.h"

/*
 * request: {"stdin","output","logs","rows","columns"}. Sends the event "started" on chan,
 * then, with "logs", what was written before, then its output, as container_relay() does.
 * DR_ERR_CONFLICT: it does not run.
 */
int container_attach(struct guest *guest, const struct container *container,
                     const json_t *request, struct wire_chan *chan, json_t **ret_reply,
                     struct dr_error *err);

#endif
