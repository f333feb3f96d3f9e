/* SPDX-License-Identifier: Apache-2.0 */
/* A socket's address, for forward-posix.c and forward-win.c alike, which include their
 * system's sockets first. */
#ifndef DRAY_CLI_FORWARD_ADDRESS_H
#define DRAY_CLI_FORWARD_ADDRESS_H

#include <string.h>

#include "base/ip.h"

union forward_address {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
};

/* Its length. */
static inline socklen_t forward_address_of(const struct dr_ip *ip, int port,
                                           union forward_address *ret)
{
    *ret = (union forward_address){.v6 = {.sin6_family = AF_INET6}};
    ret->v6.sin6_port = htons((uint16_t)port); /* where v4 has its, too */
    if (ip->family != 4) {
        memcpy(&ret->v6.sin6_addr, ip->bytes, sizeof ret->v6.sin6_addr);
        return sizeof ret->v6;
    }
    ret->v4.sin_family = AF_INET;
    memcpy(&ret->v4.sin_addr, ip->bytes, sizeof ret->v4.sin_addr);
    return sizeof ret->v4;
}

#endif
