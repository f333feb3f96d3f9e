/* SPDX-License-Identifier: Apache-2.0 */
/* Bridges, veth pairs, addresses and routes, as messages of rtnetlink(7). */
#ifndef DRAY_GUEST_NET_LINK_H
#define DRAY_GUEST_NET_LINK_H

#include "base/ip.h"
#include "guest/net/netlink.h"

#define LINK_NAME 16 /* IFNAMSIZ */
/* Groups of ours are random numbers from here on: people use small ones. */
#define LINK_GROUP_MIN 0x40000000U

struct link {
    int index;
    uint32_t mtu, group;
};

/* 0 and *ret; 1: there is none of this name; -1 with err. */
int link_find(int fd, const char *name, struct link *ret, struct dr_error *err);

/* What a new link is like. */
struct link_shape {
    const char *name;
    const unsigned char *mac; /* 6 bytes; NULL: the kernel's choice */
    uint32_t mtu;             /* 0: the kernel's choice */
    uint32_t group;           /* links that go together, see link_delete_group() */
};
void link_add_bridge(struct nl_batch *batch, const struct link_shape *shape);
/* A pair: here, and in the namespace ns_fd. */
void link_add_veth(struct nl_batch *batch, const struct link_shape *here,
                   const struct link_shape *there, int ns_fd);
/* Up, as a port of a bridge when master is not 0. no_ipv6: it gets no link-local address
 * (and sends nothing by itself). index 0: by name. */
void link_set_up(struct nl_batch *batch, int index, const char *name, int master,
                 bool no_ipv6);
/* One more name of a link, where the kernel knows such. */
void link_add_alias(struct nl_batch *batch, int index, const char *alias);
/* At once usable (no duplicate address detection). */
void link_add_address(struct nl_batch *batch, int index, const struct dr_subnet *address);
void link_add_default_route(struct nl_batch *batch, const struct dr_ip *gateway);

/* What is not there is success. A veth pair goes with one of its ends. */
int link_delete(int fd, const char *name, struct dr_error *err);
/* All of a group, which the kernel does in one go: each removal of its own costs two
 * grace periods. */
int link_delete_group(int fd, uint32_t group, struct dr_error *err);

/* Every route of the main tables; interface: its index, 0: none. A default route has the
 * prefix 0. */
int link_each_route(int fd, int family,
                    void (*each)(void *arg, const struct dr_subnet *to, int interface),
                    void *arg, struct dr_error *err);
/* 0: it is not there */
uint32_t link_mtu(int fd, int index);

#endif
