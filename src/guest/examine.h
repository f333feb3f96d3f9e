/* SPDX-License-Identifier: Apache-2.0 */
/* How fit this machine is to run containers, in a person's words. */
#ifndef DRAY_GUEST_EXAMINE_H
#define DRAY_GUEST_EXAMINE_H

#include "guest/guest.h"

/* An array of {"what","state":"ok|warning|missing","text","advice"}; a new reference. */
json_t *examine(const struct guest *guest);

#endif
