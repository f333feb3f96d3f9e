/* SPDX-License-Identifier: Apache-2.0 */
/* Which address of a subnet a member gets: arithmetic only, the lock is the caller's. */
#ifndef DRAY_GUEST_NET_POOL_H
#define DRAY_GUEST_NET_POOL_H

#include "base/ip.h"

struct pool {
    struct dr_subnet subnet;
    struct dr_subnet range; /* addresses are given out of this part; family 0: of all */
    struct dr_ip gateway;   /* family 0: there is none */
};

/* The subnet's first address, which a gateway has unless it is told otherwise. False: the
 * subnet is too small for it. */
bool pool_first(const struct dr_subnet *subnet, struct dr_ip *ret);
/* Is the pool as a whole possible: gateway and range within the subnet, room for a
 * member? DR_ERR_INVALID. */
int pool_check(const struct pool *pool, struct dr_error *err);
/* Can a member have this address? DR_ERR_INVALID says why not. Whether another one has it
 * is not looked at. */
int pool_check_address(const struct pool *pool, const struct dr_ip *ip,
                       struct dr_error *err);
/*
 * A free one: the next above the highest that is used, so that an address comes back
 * late; else the lowest that is free. used: count addresses, in any order, which this
 * sorts. DR_ERR_NETWORK: all are used.
 */
int pool_pick(const struct pool *pool, struct dr_ip *used, size_t count,
              struct dr_ip *ret, struct dr_error *err);

#endif
