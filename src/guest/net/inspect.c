/* SPDX-License-Identifier: Apache-2.0 */
#include "guest/net/inspect.h"

#include <string.h>

#include "base/text.h"
#include "guest/net/lease.h"
#include "spec/container.h"

/* Docker's names, and ours; the addresses stand at the top too. */
static const struct {
    const char *docker, *ours;
    bool number;
} members[] = {
    {"Gateway", "gateway", false},       {"IPAddress", "ip", false},
    {"IPPrefixLen", "prefix", true},     {"IPv6Gateway", "gateway6", false},
    {"GlobalIPv6Address", "ip6", false}, {"GlobalIPv6PrefixLen", "prefix6", true},
    {"MacAddress", "mac", false}};

static void set_addresses(json_t *json, const json_t *live)
{
    for (size_t i = 0; i < DR_COUNT(members); i++) {
        const char *text = dr_json_str(live, members[i].ours);
        if (members[i].number)
            dr_json_set_int(json, members[i].docker,
                            dr_json_int(live, members[i].ours, 0));
        else
            dr_json_set_str(json, members[i].docker, text ? text : "");
    }
}

/* What was asked for. */
static json_t *ipam(const json_t *wanted)
{
    const char *ip = dr_json_str(wanted, "ip"), *ip6 = dr_json_str(wanted, "ip6");
    if (!ip && !ip6)
        return json_null();
    json_t *json = json_object();
    dr_json_set_str(json, "IPv4Address", ip);
    dr_json_set_str(json, "IPv6Address", ip6);
    return json;
}

static json_t *one_network(const json_t *wanted, const json_t *live)
{
    json_t *json = json_object();
    json_t *aliases = dr_json_array(live ? live : wanted, "aliases");
    const char *id = dr_json_str(live, "id");
    bool some = json_array_size(aliases) > 0;
    dr_json_set(json, "IPAMConfig", ipam(wanted));
    dr_json_set(json, "Links", json_null());
    dr_json_set(json, "Aliases", some ? json_incref(aliases) : json_null());
    dr_json_set(json, "DriverOpts", json_null());
    dr_json_set_str(json, "NetworkID", id ? id : "");
    const char *link = dr_json_str(live, "link");
    dr_json_set_str(json, "EndpointID", link ? link : "");
    set_addresses(json, live);
    return json;
}

static const json_t *find_live(const json_t *state, const char *name)
{
    size_t i;
    json_t *one;
    json_array_foreach (dr_json_array(state, "networks"), i, one) {
        const char *is = dr_json_str(one, "name"), *id = dr_json_str(one, "id");
        if ((is && strcmp(is, name) == 0) ||
            (id && strlen(name) >= 12 && strncmp(id, name, strlen(name)) == 0))
            return one;
    }
    return NULL;
}

json_t *inspect_container_networks(const json_t *networks, const json_t *state)
{
    json_t *settings = json_object(), *all = json_object(), *wanted;
    size_t i;
    const json_t *first = json_array_get(dr_json_array(state, "networks"), 0);
    dr_json_set_str(settings, "SandboxKey", "");
    dr_json_set(settings, "Ports", json_object());
    dr_json_set_str(settings, "EndpointID", "");
    set_addresses(settings, first);
    if (json_array_size(networks) == 0)
        dr_json_set(all, SPEC_NETWORK_DEFAULT,
                    one_network(NULL, find_live(state, SPEC_NETWORK_DEFAULT)));
    json_array_foreach (networks, i, wanted) {
        const char *name = dr_json_str(wanted, "name") ?: SPEC_NETWORK_DEFAULT;
        const json_t *live = find_live(state, name);
        if (!strchr(name, ':')) /* another container's: that one has them */
            dr_json_set(all, dr_json_str(live, "name") ?: name,
                        one_network(wanted, live));
    }
    /* what nobody asked for by name: an overlay (C29) */
    json_array_foreach (dr_json_array(state, "networks"), i, wanted) {
        const char *name = dr_json_str(wanted, "name");
        if (name && !json_object_get(all, name))
            dr_json_set(all, name, one_network(NULL, wanted));
    }
    dr_json_set(settings, "Networks", all);
    return settings;
}

/* --- networks --- */

static json_t *ipam_config(const struct pool *pool)
{
    char text[DR_SUBNET_TEXT];
    json_t *json = json_object();
    dr_subnet_format(&pool->subnet, text);
    dr_json_set_str(json, "Subnet", text);
    if (pool->range.ip.family) {
        dr_subnet_format(&pool->range, text);
        dr_json_set_str(json, "IPRange", text);
    }
    if (pool->gateway.family) {
        dr_ip_format(&pool->gateway, text);
        dr_json_set_str(json, "Gateway", text);
    }
    return json;
}

struct members {
    json_t *json;
    const struct network *network;
};

static int add_member(void *arg, const char *id, bool leaving, const json_t *lease)
{
    const struct members *all = arg;
    static const char *const keys[2][2] = {{"ip", "IPv4Address"}, {"ip6", "IPv6Address"}};
    json_t *one = json_object();
    if (leaving || !lease) {
        json_decref(one);
        return 0;
    }
    const char *name = dr_json_str(lease, "name"), *link = dr_json_str(lease, "link");
    const char *mac = dr_json_str(lease, "mac");
    dr_json_set_str(one, "Name", name ? name : "");
    dr_json_set_str(one, "EndpointID", link ? link : "");
    dr_json_set_str(one, "MacAddress", mac ? mac : "");
    for (int i = 0; i < 2; i++) {
        const char *ip = dr_json_str(lease, keys[i][0]);
        dr_auto_free char *text =
            ip ? dr_printf("%s/%d", ip, all->network->pools[i].subnet.prefix)
               : dr_strdup("");
        dr_json_set_str(one, keys[i][1], text);
    }
    dr_json_set(all->json, id, one);
    return 0;
}

static json_t *shape(const char *name, const char *id, const char *driver,
                     int64_t created_ns)
{
    char created[DR_TIME_TEXT];
    json_t *json = json_object();
    dr_time_format(created_ns, created);
    dr_json_set_str(json, "Name", name);
    dr_json_set_str(json, "Id", id);
    dr_json_set_str(json, "Created", created);
    dr_json_set_str(json, "Scope", "local");
    dr_json_set_str(json, "Driver", driver);
    static const char *const never[] = {"EnableIPv4", "EnableIPv6", "Internal",
                                        "Attachable", "Ingress",    "ConfigOnly"};
    for (size_t i = 0; i < DR_COUNT(never); i++)
        dr_json_set_bool(json, never[i], false);
    dr_json_set(json, "ConfigFrom", json_pack("{ss}", "Network", ""));
    dr_json_set(json, "IPAM",
                json_pack("{sss{}s[]}", "Driver", "default", "Options", "Config"));
    dr_json_set(json, "Containers", json_object());
    dr_json_set(json, "Options", json_object());
    dr_json_set(json, "Labels", json_object());
    return json;
}

json_t *inspect_mode(const char *name)
{
    bool host = strcmp(name, "host") == 0;
    return host || strcmp(name, "none") == 0
               ? shape(name, name, host ? "host" : "null", 0)
               : NULL;
}

json_t *inspect_network(const struct guest *guest, const struct network *network)
{
    json_t *json = shape(network->name, network->id, "bridge", network->created_ns);
    json_t *configs = dr_json_array(dr_json_object(json, "IPAM"), "Config");
    static const char *const enabled[2] = {"EnableIPv4", "EnableIPv6"};
    for (int i = 0; i < 2; i++) {
        bool there = network->pools[i].subnet.ip.family != 0;
        dr_json_set_bool(json, enabled[i], there);
        if (there)
            json_array_append_new(configs, ipam_config(&network->pools[i]));
    }
    dr_json_set_bool(json, "Internal", network->internal);
    struct members on_it = {dr_json_object(json, "Containers"), network};
    dr_auto_error struct dr_error ignored = DR_ERROR_INIT;
    lease_each(guest, network->id, add_member, &on_it, &ignored);
    json_t *options = dr_json_object(json, "Options");
    char link[LINK_NAME];
    network_link_name(network, link);
    dr_json_set_str(options, "com.docker.network.bridge.name", link);
    if (network->mtu) {
        dr_auto_free char *mtu = dr_printf("%u", network->mtu);
        dr_json_set_str(options, "com.docker.network.driver.mtu", mtu);
    }
    dr_json_set(json, "Labels", json_incref(network->labels));
    return json;
}
