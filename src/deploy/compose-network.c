/* SPDX-License-Identifier: Apache-2.0 */
/* Networks that files define, and those that a service is on. */
#include <string.h>

#include "base/ip.h"
#include "base/text.h"
#include "deploy/compose-internal.h"

/* --- top level --- */

static void driver(struct compose_service *s, const struct deploy_value *value)
{
    const char *text = compose_text(s->c, value);
    if (text && *text && strcmp(text, "bridge") != 0 && strcmp(text, "default") != 0)
        deploy_problem(s->c->problems, &value->where,
                       "networks are bridges of the target here: driver 'bridge' only");
}

#define MTU "com.docker.network.driver.mtu"

static void driver_opts(struct compose_service *s, const struct deploy_value *value)
{
    if (!compose_is(s->c, value, DEPLOY_MAP, "a mapping"))
        return;
    for (size_t i = 0; i < value->count; i++) {
        dr_auto_free char *safe = dr_escape(value->keys[i], 80);
        if (strcmp(value->keys[i], MTU) != 0)
            compose_warn(s->c, &value->key_where[i],
                         "the driver's option '%s' means nothing here", safe);
    }
}

static const struct compose_field subnet_fields[] = {
    {"aux_addresses", COMPOSE_NOTED, .why = "give the container the address instead"},
    {"gateway", COMPOSE_ELSEWHERE},
    {"ip_range", COMPOSE_ELSEWHERE},
    {"subnet", COMPOSE_ELSEWHERE},
    {NULL},
};

static void ipam_driver(struct compose_service *s, const struct deploy_value *value)
{
    const char *text = compose_text(s->c, value);
    if (text && *text && strcmp(text, "default") != 0)
        deploy_problem(s->c->problems, &value->where,
                       "there is only the driver 'default'");
}

static void ipam_config(struct compose_service *s, const struct deploy_value *value)
{
    if (!compose_is(s->c, value, DEPLOY_LIST, "a list"))
        return;
    for (size_t i = 0; i < value->count; i++)
        compose_fields(s, value->items[i], subnet_fields, "ipam.config");
}

static const struct compose_field ipam_fields[] = {
    {"config", COMPOSE_READ, NULL, ipam_config},
    {"driver", COMPOSE_READ, NULL, ipam_driver},
    {"options", COMPOSE_NOTED, .why = "mean nothing here"},
    {NULL},
};

static void ipam(struct compose_service *s, const struct deploy_value *value)
{
    compose_fields(s, value, ipam_fields, "ipam");
}

static const struct compose_field network_fields[] = {
    {"attachable", COMPOSE_ELSEWHERE},
    {"driver", COMPOSE_READ, NULL, driver},
    {"driver_opts", COMPOSE_READ, NULL, driver_opts},
    {"enable_ipv4", COMPOSE_NOTED, .why = "networks have IPv4 here"},
    {"enable_ipv6", COMPOSE_ELSEWHERE},
    {"external", COMPOSE_ELSEWHERE},
    {"internal", COMPOSE_ELSEWHERE},
    {"ipam", COMPOSE_READ, NULL, ipam},
    {"labels", COMPOSE_ELSEWHERE},
    {"name", COMPOSE_ELSEWHERE},
    {NULL},
};

void compose_check_networks(struct compose *c)
{
    const struct deploy_value *all = compose_section(c, "networks");
    struct compose_service s = {.c = c};
    for (size_t i = 0; i < all->count; i++)
        if (all->items[i]->type != DEPLOY_NULL)
            compose_fields(&s, all->items[i], network_fields, "a network");
}

static char *text_of(const struct deploy_value *map, const char *key)
{
    const struct deploy_value *value = deploy_value_get(map, key);
    return value && value->type == DEPLOY_SCALAR && *value->text ? dr_strdup(value->text)
                                                                 : NULL;
}

static void subnets(struct compose *c, struct deploy_network *network,
                    const struct deploy_value *map)
{
    const struct deploy_value *list =
        deploy_value_get(deploy_value_get(map, "ipam"), "config");
    if (!list || list->type != DEPLOY_LIST || !compose_few(c, list))
        return;
    network->subnets = dr_alloc((list->count + 1) * sizeof *network->subnets);
    for (size_t i = 0; i < list->count; i++) {
        struct deploy_subnet *subnet = &network->subnets[network->subnet_count];
        subnet->subnet = text_of(list->items[i], "subnet");
        subnet->gateway = text_of(list->items[i], "gateway");
        subnet->range = text_of(list->items[i], "ip_range");
        if (subnet->subnet || subnet->gateway || subnet->range)
            network->subnet_count++;
    }
}

static void describe(struct compose *c, struct deploy_network *network,
                     const struct deploy_value *map)
{
    const struct deploy_value *internal = deploy_value_get(map, "internal"),
                              *ipv6 = deploy_value_get(map, "enable_ipv6"),
                              *mtu = deploy_value_get(
                                  deploy_value_get(map, "driver_opts"), MTU);
    if (internal && internal->type != DEPLOY_NULL)
        compose_bool(c, internal, &network->internal);
    if (ipv6 && ipv6->type != DEPLOY_NULL)
        compose_bool(c, ipv6, &network->ipv6);
    if (mtu)
        compose_int(c, mtu, 68, 65535, &network->mtu);
    network->labels = compose_labels(c, map);
    subnets(c, network, map);
}

/* A network by what the file calls it; NULL: a problem. Borrowed, the model's. */
static const char *network_name(struct compose *c, const char *key,
                                const struct deploy_where *where)
{
    const struct deploy_value *map =
        deploy_value_get(compose_section(c, "networks"), key);
    const char *said = NULL;
    bool external = false;
    if (!map && strcmp(key, "default") != 0) {
        dr_auto_free char *safe = dr_escape(key, 60);
        deploy_problem(c->problems, where,
                       "there is no network '%s': define it under 'networks'", safe);
        return NULL;
    }
    if (map)
        external = compose_external(c, map, &said);
    dr_auto_free char *name = said       ? dr_strdup(said)
                              : external ? dr_strdup(key)
                                         : dr_printf("%s_%s", c->model->name, key);
    struct deploy_network *network = deploy_model_network(c->model, name);
    if (!network) {
        network = deploy_model_add_network(c->model, name);
        network->external = external;
        network->where = map ? map->where : *where;
        if (map && !external)
            describe(c, network, map);
    }
    return network->name;
}

/* --- of a service --- */

/* A network of a service while it is read. */
struct joined {
    struct compose_service s; /* first: readers get its address */
    struct spec_network network;
};

static struct joined *of(struct compose_service *s)
{
    return (struct joined *)s;
}

static void aliases(struct compose_service *s, const struct deploy_value *value)
{
    if (!compose_is(s->c, value, DEPLOY_LIST, "a list") || !compose_few(s->c, value))
        return;
    for (size_t i = 0; i < value->count; i++)
        if (compose_text(s->c, value->items[i]))
            dr_strv_add(&of(s)->network.aliases, value->items[i]->text);
}

static void take(struct compose_service *s, const struct deploy_value *value,
                 char **member)
{
    if (!compose_text(s->c, value))
        return;
    free(*member);
    *member = dr_strdup(value->text);
}

static void ip(struct compose_service *s, const struct deploy_value *value)
{
    take(s, value, &of(s)->network.ip);
}

static void ip6(struct compose_service *s, const struct deploy_value *value)
{
    take(s, value, &of(s)->network.ip6);
}

static void mac(struct compose_service *s, const struct deploy_value *value)
{
    take(s, value, &of(s)->network.mac);
}

static const struct compose_field joined_fields[] = {
    {"aliases", COMPOSE_READ, NULL, aliases},
    {"driver_opts", COMPOSE_NOTED, .why = "mean nothing here"},
    {"gw_priority", COMPOSE_NOTED, .why = "the first network has the default route"},
    {"interface_name", COMPOSE_NOTED, .why = "interfaces are called eth0, eth1 … here"},
    {"ipv4_address", COMPOSE_READ, NULL, ip},
    {"ipv6_address", COMPOSE_READ, NULL, ip6},
    {"link_local_ips", COMPOSE_NOTED, .why = "mean nothing here"},
    {"mac_address", COMPOSE_READ, NULL, mac},
    {"priority", COMPOSE_ELSEWHERE},
    {NULL},
};

static void join(struct compose_service *s, const char *key,
                 const struct deploy_where *where, const struct deploy_value *how)
{
    const char *name = network_name(s->c, key, where);
    if (!name)
        return;
    struct joined j = {.s = *s};
    j.network.name = dr_strdup(name);
    dr_strv_add(&j.network.aliases, s->service->name);
    if (how && how->type != DEPLOY_NULL)
        compose_fields(&j.s, how, joined_fields, "a network of a service");
    spec_container_add_network(s->spec, &j.network);
}

/* The higher the priority the earlier; equal ones as they are written. */
static int64_t priority(struct compose *c, const struct deploy_value *how)
{
    const struct deploy_value *value = deploy_value_get(how, "priority");
    int64_t n = 0;
    if (value && value->type != DEPLOY_NULL)
        compose_int(c, value, INT32_MIN, INT32_MAX, &n);
    return n;
}

static void join_all(struct compose_service *s, const struct deploy_value *networks)
{
    size_t count = networks->count;
    dr_auto_free int64_t *priorities = dr_alloc((count + 1) * sizeof *priorities);
    dr_auto_free bool *done = dr_alloc((count + 1) * sizeof *done);
    for (size_t i = 0; i < count; i++)
        priorities[i] = priority(s->c, networks->items[i]);
    for (size_t n = 0; n < count; n++) {
        size_t next = count;
        for (size_t i = 0; i < count; i++)
            if (!done[i] && (next == count || priorities[i] > priorities[next]))
                next = i;
        done[next] = true;
        join(s, networks->keys[next], &networks->key_where[next], networks->items[next]);
    }
}

#define NETWORKS_MAX 64

void compose_service_networks(struct compose_service *s)
{
    struct compose *c = s->c;
    const struct deploy_value *mode = deploy_value_get(s->map, "network_mode"),
                              *networks = deploy_value_get(s->map, "networks"),
                              *address = deploy_value_get(s->map, "mac_address");
    bool has_networks = networks && networks->type != DEPLOY_NULL;
    if (mode && mode->type != DEPLOY_NULL) {
        const char *text = compose_text(c, mode);
        if (text && has_networks && networks->count)
            deploy_problem(c->problems, &mode->where,
                           "a service has either 'network_mode' or 'networks'");
        /* service:NAME: when all services are known */
        if (text && strncmp(text, "service:", 8) != 0)
            compose_set(s, &mode->where, "network", false, text);
        return;
    }
    if (has_networks &&
        !compose_is(c, networks, DEPLOY_MAP, "a list of networks, or a mapping of them"))
        return;
    if (has_networks && networks->count > NETWORKS_MAX)
        deploy_problem(c->problems, &networks->where, "more than %d networks",
                       NETWORKS_MAX);
    else if (has_networks && networks->count)
        join_all(s, networks);
    else
        join(s, "default", &s->service->where, NULL);
    if (address && compose_text(c, address))
        compose_set(s, &address->where, "mac_address", false, address->text);
}

/* --- what needs other services --- */

static struct deploy_service *other(struct compose *c, const char *name,
                                    const struct deploy_where *where)
{
    struct deploy_service *found = deploy_model_service(c->model, name);
    dr_auto_free char *safe = dr_escape(name, 60);
    if (!found)
        deploy_problem(c->problems, where, "there is no service '%s'%s", safe,
                       deploy_value_get(compose_section(c, "services"), name)
                           ? ": it is switched off by its profiles"
                           : "");
    return found;
}

static void depend(struct deploy_service *service, const char *on,
                   const struct deploy_where *where)
{
    for (size_t i = 0; i < service->depend_count; i++)
        if (strcmp(service->depends[i].service, on) == 0)
            return;
    struct deploy_depend *d = deploy_service_add_depend(service, on);
    d->where = *where;
}

static void network_mode(struct compose *c, struct deploy_service *service,
                         const struct deploy_value *mode)
{
    if (!mode || mode->type != DEPLOY_SCALAR || strncmp(mode->text, "service:", 8) != 0)
        return;
    const struct deploy_service *found = other(c, mode->text + 8, &mode->where);
    if (!found)
        return;
    dr_auto_free char *container = deploy_replica_name(c->model, found, 1),
                      *text = dr_printf("container:%s", container);
    struct compose_service s = {.c = c, .service = service, .spec = service->spec};
    compose_set(&s, &mode->where, "network", false, text);
    depend(service, found->name, &mode->where);
}

static bool has(char *const *strv, const char *text)
{
    for (; strv && *strv; strv++)
        if (strcmp(*strv, text) == 0)
            return true;
    return false;
}

/* SERVICE[:ALIAS]: a dependency, and one more name of the other on its networks. */
static void one_link(struct compose *c, struct deploy_service *service,
                     const struct deploy_value *item)
{
    if (!compose_text(c, item))
        return;
    dr_auto_free char *name = dr_strndup(item->text, strcspn(item->text, ":"));
    const char *alias = strchr(item->text, ':');
    struct deploy_service *found = other(c, name, &item->where);
    if (!found)
        return;
    depend(service, name, &item->where);
    for (size_t i = 0; alias && i < found->spec->network_count; i++)
        if (found->spec->networks[i].aliases &&
            !has(found->spec->networks[i].aliases, alias + 1))
            dr_strv_add(&found->spec->networks[i].aliases, alias + 1);
}

void compose_links(struct compose *c)
{
    const struct deploy_value *services = compose_section(c, "services");
    for (size_t i = 0; i < c->model->service_count; i++) {
        struct deploy_service *service = &c->model->services[i];
        const struct deploy_value *map = deploy_value_get(services, service->name);
        const struct deploy_value *links = deploy_value_get(map, "links");
        network_mode(c, service, deploy_value_get(map, "network_mode"));
        if (!links || links->type == DEPLOY_NULL ||
            !compose_is(c, links, DEPLOY_LIST, "a list of services"))
            continue;
        for (size_t j = 0; j < links->count && j < 100; j++)
            one_link(c, service, links->items[j]);
    }
}
