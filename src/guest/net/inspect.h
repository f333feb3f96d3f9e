/* SPDX-License-Identifier: Apache-2.0 */
/* Networks as Docker's API shows them. */
#ifndef DRAY_GUEST_NET_INSPECT_H
#define DRAY_GUEST_NET_INSPECT_H

#include "guest/net/network.h"

/* NetworkSettings of a container (C28): networks: of its spec; state: net_state()'s,
 * NULL when it does not run: without it there is no address (C23). */
json_t *inspect_container_networks(const json_t *networks, const json_t *state);

/* A network in the shape of `docker network inspect`, with who is on it. */
json_t *inspect_network(const struct guest *guest, const struct network *network);
/* "host" and "none", which are networks as far as lists go; NULL: name is another. */
json_t *inspect_mode(const char *name);

#endif
