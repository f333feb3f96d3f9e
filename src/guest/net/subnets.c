/* SPDX-License-Identifier: Apache-2.0 */
#include "guest/net/subnets.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"

void subnets_release(struct subnets *subnets)
{
    for (size_t i = 0; i < subnets->count; i++)
        free(subnets->items[i].what);
    free(subnets->items);
    *subnets = (struct subnets){0};
}

static void add(struct subnets *subnets, const struct dr_subnet *subnet, char *what)
{
    subnets->items =
        dr_realloc(subnets->items, (subnets->count + 1) * sizeof *subnets->items);
    subnets->items[subnets->count++] = (struct subnet_use){*subnet, what};
}

struct reading {
    struct subnets *subnets;
    const char *except;
};

static int add_network(void *arg, const struct network *network)
{
    const struct reading *reading = arg;
    if (reading->except && strcmp(reading->except, network->id) == 0)
        return 0;
    for (size_t i = 0; i < DR_COUNT(network->pools); i++)
        if (network->pools[i].subnet.ip.family)
            add(reading->subnets, &network->pools[i].subnet,
                dr_printf("network '%s'", network->name));
    return 0;
}

/* Halves of everything are how a VPN takes the default route over. */
static bool is_default(const struct dr_subnet *to)
{
    return to->prefix <= 1;
}

static void add_route(void *arg, const struct dr_subnet *to, int interface)
{
    struct subnets *subnets = arg;
    if (is_default(to)) {
        if (to->ip.family == 4 && interface && !subnets->way_out)
            subnets->way_out = interface;
        return;
    }
    add(subnets, to, dr_strdup("a route of the guest"));
}

int subnets_read(const struct guest *guest, const char *except, struct subnets *ret,
                 struct dr_error *err)
{
    subnets_auto struct subnets subnets = {0};
    struct reading reading = {&subnets, except};
    dr_auto_fd int fd = nl_open(NETLINK_ROUTE, err);
    if (fd < 0 || network_each(guest, add_network, &reading, err) < 0 ||
        link_each_route(fd, 0, add_route, &subnets, err) < 0)
        return -1;
    *ret = subnets;
    subnets = (struct subnets){0};
    return 0;
}

const struct subnet_use *subnets_overlap(const struct subnets *subnets,
                                         const struct dr_subnet *subnet)
{
    for (size_t i = 0; i < subnets->count; i++)
        if (dr_subnet_overlap(&subnets->items[i].subnet, subnet))
            return &subnets->items[i];
    return NULL;
}

/* Parts of private space that neither Docker, Podman nor WSL begin with; the later ones
 * are for who has all of 10.0.0.0/8 behind a route. */
static const struct {
    const char *from;
    int prefix;
    unsigned count;
} built_in[] = {
    {"10.208.0.0", 20, 256}, {"172.28.0.0", 20, 64}, {"192.168.128.0", 24, 128}};

static bool free_4(const struct subnets *subnets, struct dr_subnet *ret)
{
    for (size_t i = 0; i < DR_COUNT(built_in); i++) {
        struct dr_subnet subnet = {.prefix = built_in[i].prefix};
        dr_ip_parse(built_in[i].from, &subnet.ip);
        for (unsigned n = 0; n < built_in[i].count; n++) {
            if (!subnets_overlap(subnets, &subnet)) {
                *ret = subnet;
                return true;
            }
            subnet.ip = dr_subnet_last(&subnet);
            dr_ip_next(&subnet.ip);
        }
    }
    return false;
}

static bool free_6(const struct subnets *subnets, struct dr_subnet *ret)
{
    for (int tries = 0; tries < 16; tries++) {
        char random[11], text[DR_SUBNET_TEXT];
        struct dr_subnet subnet;
        dr_random_hex(10, random);
        snprintf(text, sizeof text, "fd%.2s:%.4s:%.4s::/64", random, random + 2,
                 random + 6);
        if (dr_subnet_parse(text, &subnet) && !subnets_overlap(subnets, &subnet)) {
            *ret = subnet;
            return true;
        }
    }
    return false;
}

bool subnets_free(const struct subnets *subnets, int family, struct dr_subnet *ret)
{
    return family == 4 ? free_4(subnets, ret) : free_6(subnets, ret);
}

int network_choose(const struct guest *guest, struct network *network, int family,
                   struct dr_error *err)
{
    subnets_auto struct subnets subnets = {0};
    struct pool *pool = &network->pools[family == 4 ? 0 : 1];
    if (subnets_read(guest, network->id, &subnets, err) < 0)
        return -1;
    *pool = (struct pool){0};
    if (!subnets_free(&subnets, family, &pool->subnet))
        return dr_fail(err, DR_ERR_NETWORK,
                       "every subnet that dray would choose overlaps with a network or a "
                       "route of the guest: give one with --subnet");
    pool_first(&pool->subnet, &pool->gateway);
    return 0;
}

#define MTU_MOST                                                                         \
    1500 /* what every bridge and tunnel behind us can be expected to take               \
          */

static uint32_t way_out_mtu(const struct subnets *subnets)
{
    dr_auto_error struct dr_error ignored = DR_ERROR_INIT;
    dr_auto_fd int fd = subnets->way_out ? nl_open(NETLINK_ROUTE, &ignored) : -1;
    uint32_t mtu = fd >= 0 ? link_mtu(fd, subnets->way_out) : 0;
    return mtu > MTU_MOST ? MTU_MOST : mtu;
}

int network_check_free(const struct guest *guest, const struct network *network,
                       uint32_t *ret_mtu, struct dr_error *err)
{
    subnets_auto struct subnets subnets = {0};
    if (subnets_read(guest, network->id, &subnets, err) < 0)
        return -1;
    for (size_t i = 0; i < DR_COUNT(network->pools); i++) {
        const struct dr_subnet *mine = &network->pools[i].subnet;
        const struct subnet_use *use = subnets_overlap(&subnets, mine);
        char text[DR_SUBNET_TEXT], other[DR_SUBNET_TEXT];
        if (!mine->ip.family || !use)
            continue;
        dr_subnet_format(mine, text);
        dr_subnet_format(&use->subnet, other);
        return dr_fail_at(err, DR_AT_UNSET, DR_ERR_CONFLICT, EADDRINUSE,
                          "subnet %s overlaps with %s, %s", text, other, use->what);
    }
    if (ret_mtu)
        *ret_mtu = way_out_mtu(&subnets);
    return 0;
}
