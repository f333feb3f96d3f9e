/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One container on one network. The bridge of a network exists while it has members: the
 * first one makes it, the last one takes it away.
 *
 * Links are named from ids (C06): the guest's end of a member "dr-<10 digits of the
 * container's id><slot>h", its other end, ethN in the container, has the same name with a
 * 'c' beside it; the bridge "dr-<12 digits of the network's id>".
 */
#ifndef DRAY_GUEST_NET_MEMBER_H
#define DRAY_GUEST_NET_MEMBER_H

#include "guest/net/network.h"

#define MEMBER_SLOTS 32 /* networks of one container */
#define MEMBER_NEEDS_ADMIN                                                               \
    "networks need CAP_NET_ADMIN in the guest; --network none and host do not"

struct member {
    const char *id;         /* the container's */
    const char *name;       /* what others call it; may be NULL */
    const char *hostname;   /* may be NULL */
    const json_t *wanted;   /* {"ip","ip6","mac","aliases"}: spec_network's members */
    unsigned slot;          /* ethN */
    bool way_out, way_out6; /* it has the default route here */
    int ns_fd, ns_socket;   /* the container's namespace */
    int root_socket;        /* NETLINK_ROUTE, where the bridges are */
};

/* end: 'h' or 'c' */
void member_link_name(const char *id, unsigned slot, char end, char ret[LINK_NAME]);

/*
 * Makes it a member: address, links, routes. *ret is what is true then: {"name","id",
 * "ip","prefix","gateway","ip6","prefix6","gateway6","mac","aliases","slot","link"}.
 * After a failure it may be a member half-way: member_leave() undoes that.
 */
int member_join(const struct guest *guest, struct network *network,
                const struct member *member, json_t **ret, struct dr_error *err);

/* From any state, also one that a crash left; not being a member is fine. */
void member_leave(const struct guest *guest, const char *network_id, const char *id);

#endif
