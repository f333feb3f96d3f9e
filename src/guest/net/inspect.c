/* SPDX-License-Identifier: Apache-2.0 */
#include "guest/net/inspect.h"

#include <string.h>

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
    dr_json_set(settings, "Networks", all);
    return settings;
}
