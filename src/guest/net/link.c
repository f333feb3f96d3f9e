/* SPDX-License-Identifier: Apache-2.0 */
#include "guest/net/link.h"

#include <errno.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <net/if.h>
#include <string.h>
#include <sys/socket.h>

/* linux/if_link.h of older distributions may not have it */
#define ADDR_GEN_NONE 1 /* IN6_ADDR_GEN_MODE_NONE */

static void take_link(void *arg, const struct nlmsghdr *message)
{
    struct link *link = arg;
    const struct ifinfomsg *info = NLMSG_DATA(message);
    const uint32_t *mtu = nl_find(message, sizeof *info, IFLA_MTU, NULL);
    const uint32_t *group = nl_find(message, sizeof *info, IFLA_GROUP, NULL);
    if (message->nlmsg_type != RTM_NEWLINK)
        return;
    link->index = info->ifi_index;
    link->mtu = mtu ? *mtu : 0;
    link->group = group ? *group : 0;
}

int link_find(int fd, const char *name, struct link *ret, struct dr_error *err)
{
    struct nl_batch batch = {.len = 0};
    struct ifinfomsg info = {0};
    struct link link = {0};
    nl_begin(&batch, "look at a link", RTM_GETLINK, 0, &info, sizeof info);
    nl_attr_str(&batch, IFLA_IFNAME, name);
    if (nl_ask(fd, &batch, take_link, &link) == 0 && link.index) {
        *ret = link;
        return 0;
    }
    if (errno == ENODEV)
        return 1;
    return dr_fail_errno(err, DR_ERR_NETWORK, "look at link %s", name);
}

uint32_t link_mtu(int fd, int index)
{
    struct nl_batch batch = {.len = 0};
    struct ifinfomsg info = {.ifi_index = index};
    struct link link = {0};
    nl_begin(&batch, "look at a link", RTM_GETLINK, 0, &info, sizeof info);
    return nl_ask(fd, &batch, take_link, &link) == 0 ? link.mtu : 0;
}

static void shape_attrs(struct nl_batch *batch, const struct link_shape *shape)
{
    nl_attr_str(batch, IFLA_IFNAME, shape->name);
    if (shape->mac)
        nl_attr(batch, IFLA_ADDRESS, shape->mac, 6);
    if (shape->mtu)
        nl_attr_u32(batch, IFLA_MTU, shape->mtu);
    if (shape->group)
        nl_attr_u32(batch, IFLA_GROUP, shape->group);
}

void link_add_bridge(struct nl_batch *batch, const struct link_shape *shape)
{
    struct ifinfomsg info = {0};
    nl_begin(batch, "make the bridge", RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, &info,
             sizeof info);
    shape_attrs(batch, shape);
    size_t kind = nl_nest(batch, IFLA_LINKINFO);
    nl_attr_str(batch, IFLA_INFO_KIND, "bridge");
    nl_nest_end(batch, kind);
}

void link_add_veth(struct nl_batch *batch, const struct link_shape *here,
                   const struct link_shape *there, int ns_fd)
{
    struct ifinfomsg info = {0};
    nl_begin(batch, "make the veth pair", RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, &info,
             sizeof info);
    shape_attrs(batch, here);
    size_t kind = nl_nest(batch, IFLA_LINKINFO);
    nl_attr_str(batch, IFLA_INFO_KIND, "veth");
    size_t data = nl_nest(batch, IFLA_INFO_DATA);
    /* the peer: an ifinfomsg and its attributes, within the attribute */
    size_t peer = batch->len;
    nl_attr(batch, VETH_INFO_PEER | NLA_F_NESTED, &info, sizeof info);
    shape_attrs(batch, there);
    nl_attr_u32(batch, IFLA_NET_NS_FD, (uint32_t)ns_fd);
    nl_nest_end(batch, peer);
    nl_nest_end(batch, data);
    nl_nest_end(batch, kind);
}

/* A message of its own: a kernel without IPv6 refuses it (EAFNOSUPPORT), and so does any
 * for a link whose MTU is too small for IPv6. */
static void turn_ipv6_off(struct nl_batch *batch, int index, const char *name)
{
    struct ifinfomsg info = {.ifi_index = index};
    nl_begin(batch, "turn IPv6 off on the link", RTM_NEWLINK, 0, &info, sizeof info);
    nl_fine(batch, EAFNOSUPPORT);
    if (!index)
        nl_attr_str(batch, IFLA_IFNAME, name);
    size_t spec = nl_nest(batch, IFLA_AF_SPEC);
    size_t inet6 = nl_nest(batch, AF_INET6);
    nl_attr_u8(batch, IFLA_INET6_ADDR_GEN_MODE, ADDR_GEN_NONE);
    nl_nest_end(batch, inet6);
    nl_nest_end(batch, spec);
}

void link_set_up(struct nl_batch *batch, int index, const char *name, int master,
                 bool no_ipv6)
{
    struct ifinfomsg info = {
        .ifi_index = index, .ifi_flags = IFF_UP, .ifi_change = IFF_UP};
    if (no_ipv6)
        turn_ipv6_off(batch, index, name);
    nl_begin(batch, "bring up the link", RTM_NEWLINK, 0, &info, sizeof info);
    if (!index)
        nl_attr_str(batch, IFLA_IFNAME, name);
    if (master)
        nl_attr_u32(batch, IFLA_MASTER, (uint32_t)master);
}

void link_add_alias(struct nl_batch *batch, int index, const char *alias)
{
    struct ifinfomsg info = {.ifi_index = index};
    nl_begin(batch, "name the link", RTM_NEWLINKPROP, NLM_F_CREATE | NLM_F_EXCL, &info,
             sizeof info);
    nl_fine(batch, EOPNOTSUPP); /* before Linux 5.5 */
    size_t list = nl_nest(batch, IFLA_PROP_LIST);
    nl_attr_str(batch, IFLA_ALT_IFNAME, alias);
    nl_nest_end(batch, list);
}

static size_t ip_len(const struct dr_ip *ip)
{
    return ip->family == 4 ? 4 : 16;
}

static unsigned char ip_family(const struct dr_ip *ip)
{
    return ip->family == 4 ? AF_INET : AF_INET6;
}

void link_add_address(struct nl_batch *batch, int index, const struct dr_subnet *address)
{
    const struct dr_ip *ip = &address->ip;
    struct ifaddrmsg body = {.ifa_family = ip_family(ip),
                             .ifa_prefixlen = (unsigned char)address->prefix,
                             .ifa_index = (unsigned)index};
    if (ip->family == 6)
        body.ifa_flags = IFA_F_NODAD;
    nl_begin(batch, "give the link its address", RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL,
             &body, sizeof body);
    nl_fine(batch, EEXIST);
    nl_attr(batch, IFA_LOCAL, ip->bytes, ip_len(ip));
    nl_attr(batch, IFA_ADDRESS, ip->bytes, ip_len(ip));
    if (ip->family == 4 && address->prefix < 31) {
        struct dr_ip broadcast = dr_subnet_last(address);
        nl_attr(batch, IFA_BROADCAST, broadcast.bytes, 4);
    }
}

void link_add_default_route(struct nl_batch *batch, const struct dr_ip *gateway)
{
    struct rtmsg body = {.rtm_family = ip_family(gateway),
                         .rtm_table = RT_TABLE_MAIN,
                         .rtm_protocol = RTPROT_BOOT,
                         .rtm_scope = RT_SCOPE_UNIVERSE,
                         .rtm_type = RTN_UNICAST};
    nl_begin(batch, "set the default route", RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL,
             &body, sizeof body);
    nl_fine(batch, EEXIST);
    nl_attr(batch, RTA_GATEWAY, gateway->bytes, ip_len(gateway));
}

int link_delete(int fd, const char *name, struct dr_error *err)
{
    struct nl_batch batch = {.len = 0};
    struct ifinfomsg info = {0};
    nl_begin(&batch, "remove the link", RTM_DELLINK, 0, &info, sizeof info);
    nl_attr_str(&batch, IFLA_IFNAME, name);
    nl_fine(&batch, ENODEV);
    return nl_run(fd, &batch, err) < 0 ? dr_wrap(err, "%s", name) : 0;
}

int link_delete_group(int fd, uint32_t group, struct dr_error *err)
{
    if (group < LINK_GROUP_MIN)
        abort(); /* 0 would be every link of the guest */
    struct nl_batch batch = {.len = 0};
    struct ifinfomsg info = {0};
    nl_begin(&batch, "remove the links", RTM_DELLINK, 0, &info, sizeof info);
    nl_attr_u32(&batch, IFLA_GROUP, group);
    nl_fine(&batch, ENODEV);
    return nl_run(fd, &batch, err);
}

struct routes {
    void (*each)(void *arg, const struct dr_subnet *to, int interface);
    void *arg;
};

static void take_route(void *arg, const struct nlmsghdr *message)
{
    const struct routes *routes = arg;
    const struct rtmsg *body = NLMSG_DATA(message);
    size_t len = 0;
    const void *to = nl_find(message, sizeof *body, RTA_DST, &len);
    const uint32_t *interface = nl_find(message, sizeof *body, RTA_OIF, NULL);
    struct dr_subnet subnet = {.prefix = body->rtm_dst_len};
    bool local = body->rtm_table == RT_TABLE_LOCAL;
    if (message->nlmsg_type != RTM_NEWROUTE || local || len > sizeof subnet.ip.bytes ||
        (body->rtm_family != AF_INET && body->rtm_family != AF_INET6))
        return;
    subnet.ip.family = body->rtm_family == AF_INET ? 4 : 6;
    if (to)
        memcpy(subnet.ip.bytes, to, len);
    routes->each(routes->arg, &subnet, interface ? (int)*interface : 0);
}

int link_each_route(int fd, int family,
                    void (*each)(void *arg, const struct dr_subnet *to, int interface),
                    void *arg, struct dr_error *err)
{
    struct nl_batch batch = {.len = 0};
    struct routes routes = {each, arg};
    struct rtmsg body = {.rtm_family = family == 4   ? AF_INET
                                       : family == 6 ? AF_INET6
                                                     : AF_UNSPEC};
    nl_begin(&batch, "list the routes", RTM_GETROUTE, NLM_F_DUMP, &body, sizeof body);
    if (nl_ask(fd, &batch, take_route, &routes) < 0)
        return dr_fail_errno(err, DR_ERR_NETWORK, "list the guest's routes");
    return 0;
}
