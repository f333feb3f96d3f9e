/* SPDX-License-Identifier: Apache-2.0 */
/* --network, and what a container's networks must be. */
#include <stdio.h>
#include <string.h>

#include "base/ip.h"
#include "spec/container.h"

#define CONTAINER "container:"

static const char *name_of(const struct spec_network *network)
{
    return network->name ? network->name : SPEC_NETWORK_DEFAULT;
}

const char *spec_network_first(const struct spec_container *spec)
{
    return spec->network_count ? name_of(&spec->networks[0]) : SPEC_NETWORK_DEFAULT;
}

char *spec_network_names(const struct spec_container *spec)
{
    char *names = dr_strdup(spec_network_first(spec));
    for (size_t i = 1; i < spec->network_count; i++) {
        dr_auto_free char *before = names;
        names = dr_printf("%s,%s", before, name_of(&spec->networks[i]));
    }
    return names;
}

const char *spec_network_container(const struct spec_container *spec)
{
    const char *name = spec_network_first(spec);
    return strncmp(name, CONTAINER, strlen(CONTAINER)) == 0 ? name + strlen(CONTAINER)
                                                            : NULL;
}

enum spec_network_mode spec_network_mode(const struct spec_container *spec)
{
    const char *name = spec_network_first(spec);
    return strcmp(name, "none") == 0      ? SPEC_NETWORK_NONE
           : strcmp(name, "host") == 0    ? SPEC_NETWORK_HOST
           : spec_network_container(spec) ? SPEC_NETWORK_CONTAINER
                                          : SPEC_NETWORK_BRIDGE;
}

static int set_word(struct spec_network *network, const char *key, size_t len,
                    const char *value, const char *text, struct dr_error *err)
{
    const struct {
        const char *key;
        char **member;
    } words[] = {{"name", &network->name},
                 {"ip", &network->ip},
                 {"ip6", &network->ip6},
                 {"mac-address", &network->mac}};
    if (len == strlen("alias") && memcmp(key, "alias", len) == 0) {
        dr_strv_add(&network->aliases, value);
        return 0;
    }
    for (size_t i = 0; i < DR_COUNT(words); i++)
        if (strlen(words[i].key) == len && memcmp(words[i].key, key, len) == 0) {
            if (*words[i].member)
                return dr_fail(err, DR_ERR_INVALID, "'%s': %s is given twice", text,
                               words[i].key);
            *words[i].member = dr_strdup(value);
            return 0;
        }
    return dr_fail(err, DR_ERR_INVALID,
                   "'%s': there is no option '%.*s'; name, alias, ip, ip6 and "
                   "mac-address are what there is",
                   text, (int)len, key);
}

static int parse_words(const char *text, struct spec_network *network,
                       struct dr_error *err)
{
    for (const char *p = text; *p;) {
        size_t len = strcspn(p, ","), key = strcspn(p, "=,");
        if (key == len || key + 1 == len)
            return dr_fail(err, DR_ERR_INVALID, "'%s': '%.*s' is not KEY=VALUE", text,
                           (int)len, p);
        dr_auto_free char *value = dr_strndup(p + key + 1, len - key - 1);
        if (set_word(network, p, key, value, text, err) < 0)
            return -1;
        p += len + (p[len] == ',');
    }
    if (!network->name)
        return dr_fail(err, DR_ERR_INVALID, "'%s': no name=… is given", text);
    return 0;
}

int spec_network_parse(const char *text, struct spec_network *ret, struct dr_error *err)
{
    struct spec_network network = {0};
    if (!*text)
        return dr_fail(err, DR_ERR_INVALID, "'': no network is named");
    if (!strchr(text, '=')) {
        network.name = dr_strdup(text);
    } else if (parse_words(text, &network, err) < 0) {
        spec_network_release(&network);
        return -1;
    }
    *ret = network;
    return 0;
}

static bool is_mode(const char *name)
{
    return strcmp(name, "none") == 0 || strcmp(name, "host") == 0 ||
           strncmp(name, CONTAINER, strlen(CONTAINER)) == 0;
}

static int check_address(const char *text, int family, struct dr_error *err)
{
    struct dr_ip ip;
    if (!text)
        return 0;
    if (!dr_ip_parse(text, &ip) || ip.family != family)
        return dr_fail(err, DR_ERR_INVALID, "'%s' is not an IPv%d address", text, family);
    if (dr_ip_is_zero(&ip) || dr_ip_is_multicast(&ip) || dr_ip_is_loopback(&ip))
        return dr_fail(err, DR_ERR_INVALID,
                       "'%s' is no address that a container can have", text);
    return 0;
}

static int check_name(const char *name, struct dr_error *err)
{
    const char *other = name + strlen(CONTAINER);
    if (strncmp(name, CONTAINER, strlen(CONTAINER)) == 0)
        return spec_name_valid(other)
                   ? 0
                   : dr_fail(err, DR_ERR_INVALID,
                             "'%s': expected container: and a container's name or id",
                             name);
    if (!spec_name_valid(name) || strlen(name) > 128)
        return dr_fail(err, DR_ERR_INVALID,
                       "'%s' is no network's name: [a-zA-Z0-9][a-zA-Z0-9_.-]*, at most "
                       "128",
                       name);
    return 0;
}

static int check_one(const struct spec_network *network, struct dr_error *err)
{
    const char *name = name_of(network);
    unsigned char mac[6];
    if (check_name(name, err) < 0)
        return -1;
    bool settings = network->ip || network->ip6 || network->mac ||
                    (network->aliases && network->aliases[0]);
    if (settings && is_mode(name))
        return dr_fail(err, DR_ERR_INVALID,
                       "'%s' has no addresses and aliases of its own: name a network "
                       "beside them",
                       name);
    if (check_address(network->ip, 4, err) < 0 || check_address(network->ip6, 6, err) < 0)
        return -1;
    if (network->mac && !dr_mac_parse(network->mac, mac))
        return dr_fail(err, DR_ERR_INVALID,
                       "'%s' is not a MAC address of one interface: expected "
                       "aa:bb:cc:dd:ee:ff with an even first byte",
                       network->mac);
    for (size_t i = 0; network->aliases && network->aliases[i]; i++)
        if (!spec_name_valid(network->aliases[i]) || strlen(network->aliases[i]) > 253)
            return dr_fail(err, DR_ERR_INVALID, "alias '%s' is no host name",
                           network->aliases[i]);
    return 0;
}

int spec_network_check(const struct spec_container *spec, struct dr_error *err)
{
    for (size_t i = 0; i < spec->network_count; i++) {
        const char *name = name_of(&spec->networks[i]);
        if (check_one(&spec->networks[i], err) < 0)
            return dr_wrap(err, "network");
        if (is_mode(name) && spec->network_count > 1)
            return dr_fail(err, DR_ERR_INVALID,
                           "network: '%s' goes with no other network", name);
        for (size_t j = 0; j < i; j++)
            if (strcmp(name, name_of(&spec->networks[j])) == 0)
                return dr_fail(err, DR_ERR_INVALID, "network: '%s' is given twice", name);
    }
    return spec_port_check(spec, err);
}
