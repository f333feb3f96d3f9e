/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/ps-ports.h"

#include <string.h>

#include "base/json.h"
#include "base/text.h"

struct port {
    const char *ip; /* borrowed; "" when it is only exposed */
    int64_t host, container;
    const char *protocol; /* borrowed */
};

/* Neighbours of one address and protocol, whose numbers are the same on both sides. */
struct group {
    const char *ip, *protocol;
    int64_t first, last;
};

static json_t *summary_of(const struct dray_container *container)
{
    dr_auto_error struct dr_error unused = DR_ERROR_INIT;
    const char *text = container->json ? container->json : "{}";
    return dr_json_parse(text, strlen(text), SIZE_MAX, &unused);
}

/* How many; owned by the caller, strings by the summary. */
static size_t ports_of(const json_t *summary, struct port **ret)
{
    const json_t *list = dr_json_array(summary, "ports");
    size_t count = json_array_size(list), i;
    json_t *one;
    *ret = dr_alloc((count + 1) * sizeof **ret);
    json_array_foreach ((json_t *)list, i, one) {
        const char *ip = dr_json_str(one, "host_ip"),
                   *proto = dr_json_str(one, "protocol");
        int64_t host = dr_json_int(one, "host_port", 0);
        (*ret)[i] = (struct port){.ip = host && ip ? ip : "",
                                  .host = host,
                                  .container = dr_json_int(one, "container_port", 0),
                                  .protocol = proto ? proto : "tcp"};
    }
    return count;
}

static int by_container_port(const void *a, const void *b)
{
    const struct port *l = a, *r = b;
    if (l->container != r->container)
        return l->container < r->container ? -1 : 1;
    int order = strcmp(l->ip, r->ip);
    if (order)
        return order;
    if (l->host != r->host)
        return l->host < r->host ? -1 : 1;
    return strcmp(l->protocol, r->protocol);
}

static void add(char **text, char *part)
{
    char *whole = *text ? dr_printf("%s, %s", *text, part) : dr_strdup(part);
    free(*text);
    free(part);
    *text = whole;
}

static char *range(int64_t first, int64_t last)
{
    return first == last ? dr_printf("%lld", (long long)first)
                         : dr_printf("%lld-%lld", (long long)first, (long long)last);
}

static char *shown(const char *ip, const char *host, const char *container,
                   const char *protocol)
{
    bool v6 = strchr(ip, ':');
    if (!*ip)
        return dr_printf("%s/%s", container, protocol);
    return dr_printf("%s%s%s:%s->%s/%s", v6 ? "[" : "", ip, v6 ? "]" : "", host,
                     container, protocol);
}

static void add_group(char **text, const struct group *g)
{
    dr_auto_free char *numbers = range(g->first, g->last);
    add(text, shown(g->ip, numbers, numbers, g->protocol));
}

/* Into the group that it goes on; of one that it does not, that is written first. */
static size_t take(char **text, struct group *groups, size_t count, const struct port *p)
{
    size_t i = 0;
    while (i < count && (strcmp(groups[i].ip, p->ip) != 0 ||
                         strcmp(groups[i].protocol, p->protocol) != 0))
        i++;
    if (i < count && p->container == groups[i].last + 1) {
        groups[i].last = p->container;
        return count;
    }
    if (i < count)
        add_group(text, &groups[i]);
    groups[i] = (struct group){p->ip, p->protocol, p->container, p->container};
    return i < count ? count : count + 1;
}

char *ps_ports(const struct dray_container *container)
{
    dr_auto_json json_t *summary = summary_of(container);
    dr_auto_free struct port *ports = NULL;
    size_t count = ports_of(summary, &ports), groups = 0;
    dr_auto_free struct group *all = dr_alloc((count + 1) * sizeof *all);
    char *text = NULL;
    qsort(ports, count, sizeof *ports, by_container_port);
    for (size_t i = 0; i < count; i++)
        if (!ports[i].host || ports[i].host == ports[i].container)
            groups = take(&text, all, groups, &ports[i]);
    for (size_t i = 0; i < groups; i++)
        add_group(&text, &all[i]);
    for (size_t i = 0; i < count; i++) {
        if (!ports[i].host || ports[i].host == ports[i].container)
            continue;
        dr_auto_free char *host = range(ports[i].host, ports[i].host);
        dr_auto_free char *inside = range(ports[i].container, ports[i].container);
        add(&text, shown(ports[i].ip, host, inside, ports[i].protocol));
    }
    return text ? text : dr_strdup("");
}

bool ps_port_filter_parse(const char *text, struct ps_port_filter *ret)
{
    dr_auto_free char *words = dr_strdup(text);
    char *slash = strchr(words, '/');
    if (slash)
        *slash++ = '\0';
    char *dash = strchr(words, '-');
    if (dash)
        *dash++ = '\0';
    *ret = (struct ps_port_filter){.udp = slash && strcmp(slash, "udp") == 0};
    return (!slash || ret->udp || strcmp(slash, "tcp") == 0) &&
           dr_int_parse(words, 1, 65535, &ret->first) &&
           dr_int_parse(dash ? dash : words, 1, 65535, &ret->last) &&
           ret->first <= ret->last;
}

bool ps_port_filter_match(const struct ps_port_filter *filter, bool published,
                          const struct dray_container *container)
{
    dr_auto_json json_t *summary = summary_of(container);
    dr_auto_free struct port *ports = NULL;
    size_t count = ports_of(summary, &ports);
    for (size_t i = 0; i < count; i++) {
        int64_t number = published ? ports[i].host : ports[i].container;
        bool udp = strcmp(ports[i].protocol, "udp") == 0;
        if (number >= filter->first && number <= filter->last && udp == filter->udp)
            return true;
    }
    return false;
}
