/* SPDX-License-Identifier: Apache-2.0 */
#include "guest/net/member.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "guest/net/lease.h"

#define LEAVING_MS 5000 /* how long to wait for an address whose member is leaving */

void member_link_name(const char *id, unsigned slot, char end, char ret[LINK_NAME])
{
    static const char digits[] = "0123456789abcdefghijklmnopqrstuv";
    snprintf(ret, LINK_NAME, "dr-%.10s%c%c", id, digits[slot % MEMBER_SLOTS], end);
}

/* --- addresses --- */

struct used {
    const char *except;   /* a container's id */
    struct dr_ip *ips[2]; /* by family: owned */
    size_t counts[2];
    const struct dr_ip *wanted[2]; /* looked for; NULL: none */
    char *holder;                  /* owned; who has a wanted one */
    int family;                    /* of that */
    bool leaving;                  /* and it is about to give it back */
    bool any_leaving;              /* somebody is about to give back some address */
};

static void used_release(struct used *used)
{
    free(used->ips[0]);
    free(used->ips[1]);
    free(used->holder);
}

static const char *const ip_keys[2] = {"ip", "ip6"};

static int add_used(void *arg, const char *id, bool leaving, const json_t *json)
{
    struct used *used = arg;
    if (strcmp(id, used->except) == 0)
        return 0;
    used->any_leaving |= leaving;
    for (int i = 0; i < 2; i++) {
        const char *text = dr_json_str(json, ip_keys[i]);
        struct dr_ip ip;
        if (!text || !dr_ip_parse(text, &ip))
            continue;
        used->ips[i] =
            dr_realloc(used->ips[i], (used->counts[i] + 1) * sizeof *used->ips[i]);
        used->ips[i][used->counts[i]++] = ip;
        if (!used->wanted[i] || !dr_ip_equal(used->wanted[i], &ip) || used->holder)
            continue;
        const char *name = dr_json_str(json, "name");
        used->holder = dr_printf("%.64s", name ? name : id);
        used->family = i;
        used->leaving = leaving;
    }
    return 0;
}

/* The addresses that are asked for by name. */
static int take_wanted(const struct network *network, const struct member *member,
                       struct dr_ip ret[2], bool given[2], struct dr_error *err)
{
    for (int i = 0; i < 2; i++) {
        const char *text = dr_json_str(member->wanted, ip_keys[i]);
        given[i] = text != NULL;
        if (!text)
            continue;
        if (!network->pools[i].subnet.ip.family)
            return dr_fail(err, DR_ERR_INVALID,
                           "address %s: the network has no IPv%d subnet", text,
                           i ? 6 : 4);
        if (!dr_ip_parse(text, &ret[i]))
            return dr_fail(err, DR_ERR_INVALID, "'%s' is not an IP address", text);
        if (pool_check_address(&network->pools[i], &ret[i], err) < 0)
            return -1;
    }
    return 0;
}

/* Lock held. 0, or 1: a wanted address, or one of a full pool, is about to become free.
 */
static int allocate(const struct guest *guest, const struct network *network,
                    const struct member *member, struct dr_ip ret[2],
                    struct dr_error *err)
{
    bool given[2];
    struct used used = {.except = member->id};
    if (take_wanted(network, member, ret, given, err) < 0)
        return -1;
    for (int i = 0; i < 2; i++)
        used.wanted[i] = given[i] ? &ret[i] : NULL;
    int result = lease_each(guest, network->id, add_used, &used, err);
    if (result == 0 && used.holder && used.leaving)
        result = 1;
    else if (result == 0 && used.holder)
        result = dr_fail(err, DR_ERR_CONFLICT, "address %s is in use by container %s",
                         dr_json_str(member->wanted, ip_keys[used.family]), used.holder);
    for (int i = 0; i < 2 && result == 0; i++)
        if (!given[i] && network->pools[i].subnet.ip.family)
            result =
                pool_pick(&network->pools[i], used.ips[i], used.counts[i], &ret[i], err);
    if (result < 0 && !used.holder && used.any_leaving) {
        dr_error_release(err);
        result = 1;
    }
    used_release(&used);
    return result;
}

/* An address that comes back belongs to the same interface as far as neighbours can tell:
 * what they remember of it stays right. */
static void mac_of(const struct dr_ip ips[2], unsigned char ret[6])
{
    const unsigned char *tail = ips[0].family ? ips[0].bytes : ips[1].bytes + 12;
    ret[0] = 0x02;
    ret[1] = 0xd4;
    memcpy(ret + 2, tail, 4);
}

/* --- links --- */

/* What the kernel's answer means, and the way out. what: "bridges". */
static int explain(struct dr_error *err, const struct network *network, const char *what)
{
    int code = err->code;
    if (code == EOPNOTSUPP && what)
        return dr_fail(err, DR_ERR_NETWORK,
                       "the guest's kernel has no %s (is the module there?); "
                       "--network none and host need none",
                       what);
    if (code == EPERM)
        return dr_fail(err, DR_ERR_NETWORK, MEMBER_NEEDS_ADMIN);
    if (network->pools[1].subnet.ip.family &&
        (code == EACCES || code == EOPNOTSUPP || code == EAFNOSUPPORT))
        return dr_fail(err, DR_ERR_NETWORK,
                       "IPv6 is off in the guest, and the network has an IPv6 subnet: "
                       "turn it on (sysctl net.ipv6.conf.all.disable_ipv6=0), or use a "
                       "network without");
    return -1;
}

static uint32_t random_group(void)
{
    char digits[9];
    dr_random_hex(8, digits);
    return (uint32_t)(strtoul(digits, NULL, 16) & 0x7fffffffU) | LINK_GROUP_MIN;
}

/* Nobody is on the network: a bridge of its name was left by a crash, or goes just now.
 */
static int remove_bridge(int fd, const char *name, struct dr_error *err)
{
    struct link link;
    int found = link_find(fd, name, &link, err);
    if (found != 0)
        return found < 0 ? -1 : 0;
    return link.group >= LINK_GROUP_MIN ? link_delete_group(fd, link.group, err)
                                        : link_delete(fd, name, err);
}

static bool has_ipv6(const struct network *network)
{
    return network->pools[1].subnet.ip.family != 0;
}

static int make_bridge(int fd, const struct network *network, uint32_t mtu,
                       struct link *ret, struct dr_error *err)
{
    struct nl_batch batch = {.len = 0};
    char name[LINK_NAME];
    unsigned char mac[6];
    struct dr_ip gateways[2] = {network->pools[0].gateway, network->pools[1].gateway};
    network_link_name(network, name);
    mac_of(gateways, mac);
    struct link_shape shape = {.name = name,
                               .mac = mac,
                               .mtu = network->mtu ? network->mtu : mtu,
                               .group = random_group()};
    link_add_bridge(&batch, &shape);
    if (nl_run(fd, &batch, err) < 0)
        return explain(err, network, "bridges");
    if (link_find(fd, name, ret, err) != 0)
        return err->kind ? -1 : dr_fail(err, DR_ERR_NETWORK, "bridge %s went away", name);
    link_set_up(&batch, ret->index, NULL, 0, !has_ipv6(network));
    for (int i = 0; i < 2; i++) {
        struct dr_subnet address = {gateways[i], network->pools[i].subnet.prefix};
        if (gateways[i].family)
            link_add_address(&batch, ret->index, &address);
    }
    return nl_run(fd, &batch, err) < 0 ? explain(err, network, NULL) : 0;
}

/* Lock held; first: nobody else is on the network. */
static int find_bridge(const struct guest *guest, const struct network *network, int fd,
                       bool first, struct link *ret, struct dr_error *err)
{
    char name[LINK_NAME];
    uint32_t mtu = 0;
    network_link_name(network, name);
    int found = first ? 1 : link_find(fd, name, ret, err);
    if (found != 1)
        return found;
    /* in this order: what was left has a route of its own to the subnet */
    if (remove_bridge(fd, name, err) < 0 ||
        network_check_free(guest, network, &mtu, err) < 0)
        return -1;
    return make_bridge(fd, network, mtu, ret, err);
}

/* The pair, and the guest's end as a port of the bridge. */
static int make_pair(const struct network *network, const struct member *member,
                     const struct link *bridge, const unsigned char mac[6],
                     struct dr_error *err)
{
    struct nl_batch batch = {.len = 0};
    char host[LINK_NAME], inside[LINK_NAME];
    member_link_name(member->id, member->slot, 'h', host);
    snprintf(inside, sizeof inside, "eth%u", member->slot);
    struct link_shape here = {.name = host, .mtu = bridge->mtu, .group = bridge->group};
    struct link_shape there = {.name = inside, .mac = mac, .mtu = bridge->mtu};
    for (int tries = 0;; tries++) {
        link_add_veth(&batch, &here, &there, member->ns_fd);
        link_set_up(&batch, 0, host, bridge->index, true);
        if (nl_run(member->root_socket, &batch, err) == 0)
            return 0;
        if (err->code != EEXIST || tries > 0)
            return explain(err, network, "veth pairs");
        dr_error_release(err); /* what a crash has left (C29) */
        if (link_delete(member->root_socket, host, err) < 0)
            return -1;
    }
}

static int set_up_inside(const struct network *network, const struct member *member,
                         const struct dr_ip ips[2], struct dr_error *err)
{
    struct nl_batch batch = {.len = 0};
    struct link link;
    char name[LINK_NAME], alias[LINK_NAME];
    snprintf(name, sizeof name, "eth%u", member->slot);
    member_link_name(member->id, member->slot, 'c', alias);
    int found = link_find(member->ns_socket, name, &link, err);
    if (found != 0)
        return found < 0 ? -1 : dr_fail(err, DR_ERR_NETWORK, "%s went away", name);
    const bool ways[2] = {member->way_out, member->way_out6};
    link_set_up(&batch, link.index, NULL, 0, !has_ipv6(network));
    link_add_alias(&batch, link.index, alias);
    for (int i = 0; i < 2; i++) {
        struct dr_subnet address = {ips[i], network->pools[i].subnet.prefix};
        if (ips[i].family)
            link_add_address(&batch, link.index, &address);
        if (ips[i].family && ways[i] && network->pools[i].gateway.family)
            link_add_default_route(&batch, &network->pools[i].gateway);
    }
    if (nl_run(member->ns_socket, &batch, err) == 0)
        return 0;
    explain(err, network, NULL);
    return dr_wrap(err, "%s", name);
}

/* --- coming --- */

static json_t *lease_of(const struct network *network, const struct member *member,
                        const struct dr_ip ips[2], const unsigned char mac[6])
{
    char text[DR_IP_TEXT], link[LINK_NAME];
    json_t *json = json_object();
    dr_json_set_str(json, "network", network->name);
    dr_json_set_str(json, "name", member->name);
    dr_json_set_str(json, "hostname", member->hostname);
    json_t *aliases = dr_json_array(member->wanted, "aliases");
    dr_json_set(json, "aliases", aliases ? json_incref(aliases) : json_array());
    for (int i = 0; i < 2; i++) {
        dr_ip_format(&ips[i], text);
        if (ips[i].family)
            dr_json_set_str(json, ip_keys[i], text);
    }
    char mac_text[DR_MAC_TEXT];
    dr_mac_format(mac, mac_text);
    dr_json_set_str(json, "mac", mac_text);
    member_link_name(member->id, member->slot, 'h', link);
    dr_json_set_str(json, "link", link);
    dr_json_set_int(json, "slot", member->slot);
    dr_json_set_bool(json, "names", strcmp(network->name, NETWORK_DEFAULT) != 0);
    return json;
}

/* The lease, and what it is on top of the network. */
static json_t *state_of(const struct network *network, const json_t *lease)
{
    static const char *const gateways[2] = {"gateway", "gateway6"};
    static const char *const prefixes[2] = {"prefix", "prefix6"};
    char text[DR_IP_TEXT];
    json_t *json = json_copy((json_t *)lease);
    json_object_del(json, "hostname");
    json_object_del(json, "network");
    dr_json_set_str(json, "name", network->name);
    dr_json_set_str(json, "id", network->id);
    for (int i = 0; i < 2; i++) {
        const struct pool *pool = &network->pools[i];
        if (!dr_json_str(lease, ip_keys[i]))
            continue;
        dr_json_set_int(json, prefixes[i], pool->subnet.prefix);
        dr_ip_format(&pool->gateway, text);
        if (pool->gateway.family && !network->internal)
            dr_json_set_str(json, gateways[i], text);
    }
    return json;
}

/* Lock held. */
static int join_locked(const struct guest *guest, const struct network *network,
                       const struct member *member, const struct dr_ip ips[2],
                       json_t **ret, struct dr_error *err)
{
    unsigned char mac[6];
    struct link bridge;
    const char *wanted = dr_json_str(member->wanted, "mac");
    if (!wanted || !dr_mac_parse(wanted, mac))
        mac_of(ips, mac);
    bool first = lease_count(guest, network->id) == 0;
    dr_auto_json json_t *lease = lease_of(network, member, ips, mac);
    if (lease_write(guest, network->id, member->id, lease, err) < 0 ||
        find_bridge(guest, network, member->root_socket, first, &bridge, err) < 0 ||
        make_pair(network, member, &bridge, mac, err) < 0)
        return -1;
    *ret = state_of(network, lease);
    return 0;
}

/* It may have been removed, or made again, while we waited for the lock. */
static bool still_there(const struct guest *guest, const struct network *network,
                        struct dr_error *err)
{
    network_auto struct network now = {0};
    if (network->recorded)
        return true;
    if (network_load(guest, network->name, &now, err) < 0)
        return false;
    if (strcmp(now.id, network->id) == 0)
        return true;
    dr_fail(err, DR_ERR_NOT_FOUND, "it was removed just now");
    return false;
}

static int join(const struct guest *guest, struct network *network,
                const struct member *member, json_t **ret, struct dr_error *err)
{
    struct dr_ip ips[2] = {0};
    int64_t end = dr_clock_ms() + LEAVING_MS;
    for (;;) {
        dr_auto_fd int lock = -1;
        if (lease_lock(guest, &lock, err) < 0 || !still_there(guest, network, err))
            return -1;
        int result = allocate(guest, network, member, ips, err);
        if (result == 1 && dr_clock_ms() >= end)
            return dr_fail(err, DR_ERR_TIMEOUT,
                           "an address is not given back by its last holder");
        dr_auto_json json_t *state = NULL;
        if (result == 0)
            result = join_locked(guest, network, member, ips, &state, err);
        if (result == 0)
            result = set_up_inside(network, member, ips, err);
        if (result == 0)
            *ret = DR_TAKE(state);
        if (result <= 0)
            return result;
        close(DR_TAKE_FD(lock));
        poll(NULL, 0, 5);
    }
}

int member_join(const struct guest *guest, struct network *network,
                const struct member *member, json_t **ret, struct dr_error *err)
{
    int result = join(guest, network, member, ret, err);
    if (result < 0 && err->code == EADDRINUSE && network->chosen) {
        /* the guest's routes are others than when the subnet was chosen */
        member_leave(guest, network->id, member->id);
        dr_error_release(err);
        if (network_choose_again(guest, network, err) == 0)
            result = join(guest, network, member, ret, err);
    }
    if (result < 0)
        return dr_wrap(err, "network %s", network->name);
    network_event(guest->root, network->id, network->name, "connect", member->id);
    return 0;
}

/* --- leaving --- */

/* Lock held: the group of a bridge that nobody is on any more, 0 when there is none. */
static uint32_t empty_bridge(const struct guest *guest, int fd, const char *network_id)
{
    dr_auto_error struct dr_error ignored = DR_ERROR_INIT;
    struct link found;
    char name[LINK_NAME];
    snprintf(name, sizeof name, "dr-%.12s", network_id);
    if (lease_count(guest, network_id) > 0 || link_find(fd, name, &found, &ignored) != 0)
        return 0;
    return found.group >= LINK_GROUP_MIN ? found.group : 0;
}

void member_leave(const struct guest *guest, const char *network_id, const char *id)
{
    dr_auto_error struct dr_error ignored = DR_ERROR_INIT;
    dr_auto_fd int lock = -1;
    char link[LINK_NAME];
    if (!lease_exists(guest, network_id, id))
        return;
    dr_auto_fd int fd = nl_open(NETLINK_ROUTE, &ignored);
    lease_lock(guest, &lock, &ignored);
    dr_auto_json json_t *lease = lease_read(guest, network_id, id);
    if (lease_leave(guest, network_id, id) && dr_json_str(lease, "network"))
        network_event(guest->root, network_id, dr_json_str(lease, "network"),
                      "disconnect", id);
    uint32_t group = empty_bridge(guest, fd, network_id);
    /* The lock is not held while the kernel takes its time: who comes now makes another
     * bridge, of another group. */
    if (lock >= 0)
        close(DR_TAKE_FD(lock));
    if (group)
        link_delete_group(fd, group, &ignored);
    dr_error_release(&ignored);
    member_link_name(id, (unsigned)dr_json_int(lease, "slot", 0), 'h', link);
    link_delete(fd, link, &ignored);
    dr_error_release(&ignored);
    lease_lock(guest, &lock, &ignored);
    lease_remove(guest, network_id, id);
}
