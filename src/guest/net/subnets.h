/* SPDX-License-Identifier: Apache-2.0 */
/* Which subnets are in use around here: those of networks, and the guest's routes. */
#ifndef DRAY_GUEST_NET_SUBNETS_H
#define DRAY_GUEST_NET_SUBNETS_H

#include "guest/net/network.h"

struct subnet_use {
    struct dr_subnet subnet;
    char *what; /* owned: "network 'web'", "a route of the guest" */
};

struct subnets {
    struct subnet_use *items; /* owned */
    size_t count;
    int way_out; /* the interface of the default route; 0: there is none */
};

/* except: the id of a network that is left out; may be NULL. routes: the guest's too. */
int subnets_read(const struct guest *guest, const char *except, struct subnets *ret,
                 struct dr_error *err);
void subnets_release(struct subnets *subnets);
#define subnets_auto DR_CLEANUP(subnets_release)

/* The first that overlaps; NULL: none does. */
const struct subnet_use *subnets_overlap(const struct subnets *subnets,
                                         const struct dr_subnet *subnet);
/* One of the built-in list that overlaps with nothing; for IPv6 a random one (RFC 4193).
 * False: there is none. */
bool subnets_free(const struct subnets *subnets, int family, struct dr_subnet *ret);

#endif
