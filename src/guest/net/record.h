/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The recorded address of the runtime contract (C29, C30): whoever runs an overlay says
 * which address a container of that name has there, before it is created. It is a
 * network without a file, /24 or /64 around the address, with the gateway on our bridge.
 *
 * <root>/networks/.recorded/<name>.json, {"ip","gateway"}.
 */
#ifndef DRAY_GUEST_NET_RECORD_H
#define DRAY_GUEST_NET_RECORD_H

#include "guest/net/network.h"

/* Remembers what the request has of {"ip","gateway"}; "" forgets it. DR_ERR_INVALID. */
int record_address(const struct guest *guest, const json_t *request,
                   struct dr_error *err);
/* {"ip" or "ip6": …} as a network's "wanted", a new reference, and the network; NULL:
 * nothing is recorded for this name. */
json_t *record_find(const struct guest *guest, const char *name, struct network *ret);
/* The networks of all that is recorded, some of them several times. Something else than 0
 * stops it and is returned. */
int record_each(const struct guest *guest,
                int (*each)(void *arg, const struct network *network), void *arg,
                struct dr_error *err);

/*
 * config.json of a container that falls back to the guest's own network (C30): without a
 * network namespace, and without sysctls that would be the guest's. The next start begins
 * with the first form again.
 */
int record_fall_back(const char *bundle, struct dr_error *err);
void record_restore(const char *bundle);

#endif
