/* SPDX-License-Identifier: Apache-2.0 */
/* network create and rm: what a person asked for becomes a network, or an error that says
 * why not. */
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/text.h"
#include "guest/container/record.h"
#include "guest/events/events.h"
#include "guest/net/lease.h"
#include "guest/net/network.h"
#include "spec/container.h"

#define MTU_MIN 68
#define MTU_MIN_IPV6 1280 /* RFC 8200 5 */
#define MTU_MAX 65535
#define LEAVING_MS 5000 /* members that have ended are given so long to be gone */

static int bad(struct dr_error *err, const char *what, const char *text, const char *want)
{
    dr_auto_free char *safe = dr_escape(text, 100);
    return dr_fail(err, DR_ERR_INVALID, "%s '%s': expected %s", what, safe, want);
}

static int parse_pool(const json_t *json, struct pool *ret, struct dr_error *err)
{
    const char *subnet = dr_json_str(json, "subnet"), *range = dr_json_str(json, "range");
    const char *gateway = dr_json_str(json, "gateway");
    static const char cidr[] = "an address and a prefix, as 10.1.0.0/24 or fd00:1::/64";
    *ret = (struct pool){0};
    if (!subnet || !dr_subnet_parse(subnet, &ret->subnet))
        return bad(err, "subnet", subnet ? subnet : "", cidr);
    if (range && !dr_subnet_parse(range, &ret->range))
        return bad(err, "ip-range", range, cidr);
    if (gateway && !dr_ip_parse(gateway, &ret->gateway))
        return bad(err, "gateway", gateway, "an IP address");
    if (!gateway)
        pool_first(&ret->subnet, &ret->gateway);
    return pool_check(ret, err);
}

static int take_subnets(const json_t *list, struct network *network, struct dr_error *err)
{
    size_t i;
    json_t *item;
    json_array_foreach (list, i, item) {
        struct pool pool;
        if (parse_pool(item, &pool, err) < 0)
            return -1;
        struct pool *into = &network->pools[pool.subnet.ip.family == 4 ? 0 : 1];
        if (into->subnet.ip.family)
            return dr_fail(err, DR_ERR_UNSUPPORTED,
                           "a network has one IPv4 and one IPv6 subnet at most");
        *into = pool;
    }
    return 0;
}

static json_t *take_labels(const json_t *list, struct dr_error *err)
{
    dr_auto_json json_t *labels = json_object();
    size_t i;
    json_t *item;
    json_array_foreach (list, i, item) {
        const char *text = json_string_value(item) ?: "", *equals = strchr(text, '=');
        dr_auto_free char *key =
            dr_strndup(text, equals ? (size_t)(equals - text) : strlen(text));
        if (!*key) {
            dr_fail(err, DR_ERR_INVALID, "label '%s' has no key", text);
            return NULL;
        }
        dr_json_set_str(labels, key, equals ? equals + 1 : "");
    }
    return DR_TAKE(labels);
}

static int check_name(const char *name, struct dr_error *err)
{
    static const char *const taken[] = {"host", "none", "default", "container"};
    if (!name || !spec_name_valid(name) || strlen(name) > 128)
        return bad(err, "network name", name ? name : "",
                   "[a-zA-Z0-9][a-zA-Z0-9_.-]*, at most 128 bytes");
    for (size_t i = 0; i < DR_COUNT(taken); i++)
        if (strcmp(name, taken[i]) == 0)
            return dr_fail(err, DR_ERR_CONFLICT,
                           "network name '%s' has a meaning of its own: choose another",
                           name);
    return 0;
}

static int check_mtu(int64_t mtu, bool ipv6, struct dr_error *err)
{
    int64_t least = ipv6 ? MTU_MIN_IPV6 : MTU_MIN;
    if (mtu && (mtu < least || mtu > MTU_MAX))
        return dr_fail(err, DR_ERR_INVALID, "mtu %lld: from %lld to %d%s", (long long)mtu,
                       (long long)least, MTU_MAX, ipv6 ? " with IPv6" : "");
    return 0;
}

static int check_ipv6(struct dr_error *err)
{
    if (access("/proc/sys/net/ipv6", F_OK) == 0)
        return 0;
    return dr_fail(err, DR_ERR_NETWORK,
                   "IPv6 is off in the guest's kernel: a network with an IPv6 subnet "
                   "would not work");
}

/* Everything but what depends on other networks. */
static int plan(const json_t *request, struct network *network, struct dr_error *err)
{
    const char *name = dr_json_str(request, "name");
    bool ipv6 = dr_json_bool(request, "ipv6");
    if (check_name(name, err) < 0 ||
        take_subnets(dr_json_array(request, "subnets"), network, err) < 0)
        return -1;
    ipv6 |= network->pools[1].subnet.ip.family != 0;
    int64_t mtu = dr_json_int(request, "mtu", 0);
    if ((ipv6 && check_ipv6(err) < 0) || check_mtu(mtu, ipv6, err) < 0 ||
        !(network->labels = take_labels(dr_json_array(request, "labels"), err)))
        return -1;
    network->name = dr_strdup(name);
    network->mtu = (uint32_t)mtu;
    network->internal = dr_json_bool(request, "internal");
    network->created_ns = dr_now_ns();
    dr_random_hex(NETWORK_ID_HEX, network->id);
    return 0;
}

/* networks_lock() held. */
static int create_locked(const struct guest *guest, const json_t *request,
                         struct network *network, struct dr_error *err)
{
    bool ipv6 = dr_json_bool(request, "ipv6");
    int there = network_exists(guest, network->name);
    if (there || strcmp(network->name, NETWORK_DEFAULT) == 0)
        return dr_fail(err, DR_ERR_EXISTS, "network with name %s already exists",
                       network->name);
    if (network_check_free(guest, network, NULL, err) < 0)
        return -1;
    network->chosen = !network->pools[0].subnet.ip.family;
    if (network->chosen && network_choose(guest, network, 4, err) < 0)
        return -1;
    if (ipv6 && !network->pools[1].subnet.ip.family &&
        network_choose(guest, network, 6, err) < 0)
        return -1;
    return network_write(guest, network, err);
}

int network_create(const struct guest *guest, const json_t *request, struct network *ret,
                   struct dr_error *err)
{
    network_auto struct network network = {0};
    dr_auto_fd int lock = -1;
    if (plan(request, &network, err) < 0 || networks_lock(guest, &lock, err) < 0 ||
        create_locked(guest, request, &network, err) < 0)
        return -1;
    network_event(guest->root, network.id, network.name, "create", NULL);
    *ret = network;
    network = (struct network){0};
    return 0;
}

void network_event(const char *root, const char *id, const char *name, const char *action,
                   const char *container)
{
    json_t *attributes = json_object();
    dr_json_set_str(attributes, "name", name);
    dr_json_set_str(attributes, "type", "bridge");
    dr_json_set_str(attributes, "container", container);
    event_write(root, "network", action, id, name, attributes);
}

/* --- removing --- */

struct users {
    const struct guest *guest;
    struct dr_buf names; /* of those that are on it */
    bool ending;         /* there are only such as have ended */
    size_t count;
};

static int add_user(void *arg, const char *id, bool leaving, const json_t *json)
{
    struct users *users = arg;
    container_auto struct container c = {0};
    dr_auto_error struct dr_error ignored = DR_ERROR_INIT;
    const char *name = dr_json_str(json, "name");
    bool gone = container_load_state(users->guest, id, &c, &ignored) < 0;
    users->ending &= leaving || gone || strcmp(container_status(&c), "exited") == 0;
    dr_buf_addf(&users->names, &ignored, "%s%s", users->count++ ? ", " : "",
                name ? name : id);
    return 0;
}

/* Both locks held: is somebody on it? 1: only such as are about to be gone. */
static int check_unused(const struct guest *guest, const struct network *network,
                        struct dr_error *err)
{
    struct users users = {.guest = guest, .names = DR_BUF_INIT(400), .ending = true};
    int result = lease_each(guest, network->id, add_user, &users, err);
    if (result == 0 && users.count)
        result = users.ending
                     ? 1
                     : dr_fail(err, DR_ERR_CONFLICT,
                               "network %s is in use by %s: stop or disconnect "
                               "what is on it first",
                               network->name, users.names.len ? users.names.data : "?");
    dr_buf_release(&users.names);
    return result;
}

static int try_remove(const struct guest *guest, const char *name, bool last_try,
                      struct dr_error *err)
{
    network_auto struct network network = {0};
    dr_auto_fd int networks = -1;
    dr_auto_fd int members = -1;
    if (networks_lock(guest, &networks, err) < 0)
        return -1;
    if (strcmp(name, NETWORK_DEFAULT) == 0 || strcmp(name, "host") == 0 ||
        strcmp(name, "none") == 0)
        return dr_fail(err, DR_ERR_CONFLICT,
                       "%s is a pre-defined network and cannot be removed", name);
    if (network_load(guest, name, &network, err) < 0 ||
        lease_lock(guest, &members, err) < 0)
        return -1;
    if (strcmp(network.name, NETWORK_DEFAULT) == 0)
        return dr_fail(err, DR_ERR_CONFLICT,
                       "%s is a pre-defined network and cannot be removed", network.name);
    int used = check_unused(guest, &network, err);
    if (used == 1 && last_try)
        return dr_fail(err, DR_ERR_CONFLICT,
                       "containers that were on network %s are not gone yet: try again",
                       network.name);
    if (used != 0)
        return used;
    if (network_delete(guest, network.name, err) < 0)
        return -1;
    network_event(guest->root, network.id, network.name, "destroy", NULL);
    return 0;
}

int network_remove(const struct guest *guest, const char *name, struct dr_error *err)
{
    int64_t end = dr_clock_ms() + LEAVING_MS;
    for (;;) {
        int result = try_remove(guest, name, dr_clock_ms() >= end, err);
        if (result <= 0)
            return result;
        poll(NULL, 0, 10);
    }
}
