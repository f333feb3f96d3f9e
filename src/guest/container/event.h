/* SPDX-License-Identifier: Apache-2.0 */
/* Events of containers (events/events.h). */
#ifndef DRAY_GUEST_CONTAINER_EVENT_H
#define DRAY_GUEST_CONTAINER_EVENT_H

#include "guest/container/record.h"

/* Writes an event of the container, with its image and labels, and one attribute more
 * ("exitCode", "0") unless key is NULL. Never fails. */
void container_event(const struct guest *guest, const struct container *container,
                     const char *action, const char *key, const char *value);
/* The same with a number. */
void container_event_int(const struct guest *guest, const struct container *container,
                         const char *action, const char *key, int64_t value);

#endif
