/* SPDX-License-Identifier: Apache-2.0 */
/* Looking at containers: summaries for `ps`, and Docker's inspect shape. */
#ifndef DRAY_GUEST_CONTAINER_LIST_H
#define DRAY_GUEST_CONTAINER_LIST_H

#include "guest/container/record.h"

/* The status as people are told it: container_status's, "stopping", "paused". */
const char *container_shown_status(const struct container *container);
/* The summary of PROTOCOL.md, from a loaded state. A new reference. */
json_t *container_summary(const struct container *container);
/* Calls each for every container, or for those that run; the summary is borrowed. */
int container_list(struct guest *guest, bool all, int (*each)(void *arg, json_t *summary),
                   void *arg, struct dr_error *err);
/* As `docker inspect` shows it. A new reference. */
json_t *container_inspect(const struct container *container);
/* SizeRw and SizeRootFs, for which all files that it has written are looked at. */
void container_add_sizes(struct guest *guest, const struct container *container,
                         json_t *inspect);

#endif
