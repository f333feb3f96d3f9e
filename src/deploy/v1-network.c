/* SPDX-License-Identifier: Apache-2.0 */
/* Networks, ports and endpoints of dray's own format. */
#include <string.h>

#include "base/nearest.h"
#include "base/text.h"
#include "deploy/v1.h"

#define DEFAULT_NETWORK "default"

struct keys {
    const struct deploy_value *map;
    size_t next;
};

static const char *next_key(void *state)
{
    struct keys *keys = state;
    return keys->next < keys->map->count ? keys->map->keys[keys->next++] : NULL;
}

char *v1_whole_name(struct v1 *r, const struct deploy_value *definitions,
                    const char *section, const char *key,
                    const struct deploy_where *where)
{
    const struct deploy_value *definition = deploy_value_get(definitions, key);
    bool map = definitions && definitions->type == DEPLOY_MAP;
    bool usual = strcmp(key, DEFAULT_NETWORK) == 0 && definitions == r->networks;
    if (map && !definition && !usual) {
        struct keys keys = {definitions, 0};
        const char *near =
            deploy_problems_full(r->problems) ? NULL : dr_nearest(key, next_key, &keys);
        dr_auto_free char *safe = dr_escape(key, 80);
        dr_auto_free char *safe_near = dr_escape(near ? near : "", 80);
        v1_problem(r, where, "'%s' is not under %s%s%s%s", safe, section,
                   near ? "; did you mean '" : "", safe_near, near ? "'?" : "");
        return NULL;
    }
    const char *name = v1_text(definition, "name");
    if (name)
        return dr_strdup(name);
    return v1_true(definition, "external") ? dr_strdup(key)
                                           : dr_printf("%s_%s", r->model->name, key);
}

/* --- networks --- */

static void add_subnets(const struct deploy_value *definition, struct deploy_network *n)
{
    const struct deploy_value *list = deploy_value_get(definition, "subnets");
    if (!list || list->type != DEPLOY_LIST || list->count == 0)
        return;
    n->subnets = dr_alloc(list->count * sizeof *n->subnets);
    n->subnet_count = list->count;
    for (size_t i = 0; i < list->count; i++) {
        const struct deploy_value *item = list->items[i];
        bool text = item->type == DEPLOY_SCALAR;
        n->subnets[i].subnet = dr_strdup(text ? item->text : v1_text(item, "subnet"));
        n->subnets[i].gateway = dr_strdup(v1_text(item, "gateway"));
        n->subnets[i].range = dr_strdup(v1_text(item, "range"));
    }
}

static char *network_name(struct v1 *r, const char *key, const struct deploy_where *where)
{
    dr_auto_free char *whole = v1_whole_name(r, r->networks, "networks", key, where);
    if (!whole)
        return NULL;
    if (!deploy_model_network(r->model, whole)) {
        const struct deploy_value *definition = deploy_value_get(r->networks, key);
        const char *mtu = v1_text(definition, "mtu");
        struct deploy_network *n = deploy_model_add_network(r->model, whole);
        n->where = definition ? definition->where : *where;
        n->external = v1_true(definition, "external");
        n->internal = v1_true(definition, "internal");
        n->ipv6 = v1_true(definition, "ipv6");
        if (mtu)
            dr_int_parse(mtu, 0, INT32_MAX, &n->mtu);
        add_subnets(definition, n);
        v1_labels(definition, &n->labels);
    }
    return DR_TAKE(whole);
}

void v1_take_network(struct v1 *r, const struct deploy_value *value)
{
    static const char *const own[] = {"internal", "ipv6", "mtu", "subnets", "labels"};
    const char *driver = v1_text(value, "driver");
    if (driver && strcmp(driver, "overlay") == 0)
        v1_problem(r, &value->where,
                   "an overlay network is understood, but all containers are on the one "
                   "target: leave 'driver' out");
    for (size_t i = 0; v1_true(value, "external") && i < DR_COUNT(own); i++)
        if (deploy_value_get(value, own[i]))
            v1_problem(r, &value->where,
                       "an external network is somebody else's: '%s' cannot be said",
                       own[i]);
}

/* Puts the service on it, under its own name. */
static void join(struct v1 *r, const char *key, const struct deploy_value *how,
                 const struct deploy_where *where)
{
    const struct deploy_value *aliases = deploy_value_get(how, "aliases");
    struct spec_network n = {.name = network_name(r, key, where)};
    if (!n.name)
        return;
    dr_strv_add(&n.aliases, r->service->name);
    for (size_t i = 0; aliases && i < aliases->count; i++)
        if (strcmp(aliases->items[i]->text, r->service->name) != 0)
            dr_strv_add(&n.aliases, aliases->items[i]->text);
    n.ip = dr_strdup(v1_text(how, "ip"));
    n.ip6 = dr_strdup(v1_text(how, "ip6"));
    n.mac = dr_strdup(v1_text(how, "mac_address"));
    spec_container_add_network(r->service->spec, &n);
}

void v1_take_network_mode(struct v1 *r, const struct deploy_value *value)
{
    v1_set(r, "network", false, value->text, &value->where);
}

void v1_take_networks(struct v1 *r, const struct deploy_value *value)
{
    if (r->service->spec->network_count > 0) {
        v1_problem(r, &value->where, "'network_mode' and 'networks' exclude each other");
        return;
    }
    for (size_t i = 0; i < value->count; i++)
        if (value->type == DEPLOY_MAP)
            join(r, value->keys[i], value->items[i], &value->key_where[i]);
        else
            join(r, value->items[i]->text, NULL, &value->items[i]->where);
}

void v1_end_networks(struct v1 *r, const struct deploy_value *service)
{
    if (r->service->spec->network_count == 0)
        join(r, DEFAULT_NETWORK, NULL, &service->where);
}

/* --- ports --- */

void v1_take_endpoint(struct v1 *r, const struct deploy_value *v)
{
    dr_auto_free char *text = NULL;
    const char *protocol = v1_text(v, "protocol"), *name = v1_text(v, "name");
    if (v->type == DEPLOY_MAP)
        text = dr_printf("%s/%s", v1_text(v, "port"), protocol ? protocol : "tcp");
    int64_t port;
    if (!spec_exposed_parse(text ? text : v->text, &port, &protocol)) {
        dr_auto_free char *safe = dr_escape(v->text, 60);
        v1_problem(r, &v->where, "'%s': expected PORT[/tcp|/udp]", safe);
        return;
    }
    dr_auto_free char *exposed = dr_printf("%lld/%s", (long long)port, protocol);
    v1_set(r, "expose", true, exposed, &v->where);
    struct deploy_endpoint *e = deploy_service_add_endpoint(r->service, port, protocol);
    e->name = dr_strdup(name);
}

void v1_take_port(struct v1 *r, const struct deploy_value *v)
{
    dr_auto_free char *text = NULL;
    const char *address = v1_text(v, "address"), *host = v1_text(v, "host");
    const char *protocol = v1_text(v, "protocol");
    if (v->type == DEPLOY_MAP) {
        bool ip6 = address && strchr(address, ':') && *address != '[';
        text = dr_printf("%s%s%s%s%s%s%s/%s", ip6 ? "[" : "", address ? address : "",
                         ip6 ? "]" : "", address ? ":" : "", host ? host : "",
                         address || host ? ":" : "", v1_text(v, "container"),
                         protocol ? protocol : "tcp");
    }
    v1_set(r, "publish", true, text ? text : v->text, &v->where);
}
