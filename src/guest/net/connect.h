/* SPDX-License-Identifier: Apache-2.0 */
/* network connect and disconnect: of a container that runs at once, of any for its next
 * run. */
#ifndef DRAY_GUEST_NET_CONNECT_H
#define DRAY_GUEST_NET_CONNECT_H

#include "guest/guest.h"

/* request: {"network","container","ip","ip6","mac","aliases"}. */
int network_connect(struct guest *guest, const json_t *request, struct dr_error *err);
int network_disconnect(struct guest *guest, const json_t *request, struct dr_error *err);

#endif
