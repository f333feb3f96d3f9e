/* SPDX-License-Identifier: Apache-2.0 */
/* -p [[address:]host:]container[/protocol] and --expose container[/protocol], with ranges
 * on either side. Rule: Docker's "Published ports". */
#include <string.h>

#include "base/ip.h"
#include "base/text.h"
#include "spec/container.h"

struct range {
    int64_t first, last;
};

/* The parts of a text, which is cut in pieces. */
struct parts {
    char *address, *host, *container; /* address and host: NULL when not given */
    const char *protocol;
};

static int bad(const char *text, const char *why, struct dr_error *err)
{
    dr_auto_free char *safe = dr_escape(text, 200);
    return dr_fail(err, DR_ERR_INVALID,
                   "invalid port '%s': %s; it is written [[ADDRESS:]HOST:]CONTAINER"
                   "[/tcp|/udp], as in 8080:80 or [::1]:53:53/udp",
                   safe, why);
}

/* "80" or "8000-8010"; from min on. */
static bool parse_range(char *text, int64_t min, struct range *ret)
{
    char *dash = strchr(text, '-');
    if (dash)
        *dash++ = '\0';
    return dr_int_parse(text, min, 65535, &ret->first) &&
           dr_int_parse(dash ? dash : text, min, 65535, &ret->last) &&
           ret->first <= ret->last;
}

static int64_t length(const struct range *range)
{
    return range->last - range->first + 1;
}

static char *cut_last(char *words)
{
    char *colon = strrchr(words, ':');
    if (colon)
        *colon++ = '\0';
    return colon;
}

static int parse_protocol(const char *text, char *words, struct parts *ret,
                          struct dr_error *err)
{
    char *slash = strchr(words, '/');
    ret->protocol = slash ? slash + 1 : "tcp";
    if (slash)
        *slash = '\0';
    if (strcmp(ret->protocol, "tcp") == 0 || strcmp(ret->protocol, "udp") == 0)
        return 0;
    if (strcmp(ret->protocol, "sctp") != 0)
        return bad(text, "the protocol is tcp or udp", err);
    return dr_fail(err, DR_ERR_UNSUPPORTED,
                   "port '%s': sctp is not supported, tcp and udp are", text);
}

static int split(const char *text, char *words, struct parts *ret, struct dr_error *err)
{
    *ret = (struct parts){0};
    if (parse_protocol(text, words, ret, err) < 0)
        return -1;
    ret->container = cut_last(words);
    if (!ret->container) {
        ret->container = words;
        return 0;
    }
    ret->host = cut_last(words);
    if (!ret->host) {
        ret->host = words;
        return 0;
    }
    size_t len = strlen(words);
    ret->address = words;
    if (words[0] == '[') {
        if (words[len - 1] != ']')
            return bad(text, "the bracket is not closed", err);
        words[len - 1] = '\0';
        ret->address++;
    } else if (strchr(words, ':')) {
        return bad(text, "an IPv6 address stands in brackets", err);
    }
    return 0;
}

static int check_address(const char *text, const char *address, struct dr_error *err)
{
    struct dr_ip ip;
    if (dr_ip_parse(address, &ip))
        return 0;
    dr_auto_free char *safe = dr_escape(address, 100);
    dr_auto_free char *why = dr_printf("'%s' is no IP address", safe);
    return bad(text, why, err);
}

static void add(struct spec_container *spec, const struct parts *parts, int64_t host,
                int64_t host_last, int64_t container)
{
    struct spec_port port = {.host_ip = dr_strdup(parts->address),
                             .host_port = host,
                             .host_port_last = host_last,
                             .container_port = container,
                             .protocol = dr_strdup(parts->protocol)};
    spec_container_add_port(spec, &port);
}

int spec_publish_parse(const char *text, struct spec_container *spec,
                       struct dr_error *err)
{
    dr_auto_free char *words = dr_strdup(text);
    struct parts parts;
    struct range host = {0}, container;
    if (split(text, words, &parts, err) < 0)
        return -1;
    if (parts.address && check_address(text, parts.address, err) < 0)
        return -1;
    if (!parse_range(parts.container, 1, &container))
        return bad(text, "the container's port is a number from 1 to 65535, or a range",
                   err);
    bool given = parts.host && *parts.host;
    if (given && !parse_range(parts.host, 0, &host))
        return bad(text, "the host's port is a number from 1 to 65535, or a range", err);
    if (given && host.first == 0 && host.last > 0)
        return bad(text, "a range begins with 1 at the least", err);
    given = given && host.first > 0;
    int64_t count = length(&container);
    bool one_of = given && count == 1 && length(&host) > 1;
    if (given && !one_of && length(&host) != count) {
        dr_auto_free char *why =
            dr_printf("the ranges have different lengths, %lld and %lld",
                      (long long)length(&host), (long long)count);
        return bad(text, why, err);
    }
    if ((int64_t)spec->port_count + count > SPEC_PORTS_MAX)
        return dr_fail(err, DR_ERR_INVALID,
                       "port '%s': more than %d ports of one container", text,
                       SPEC_PORTS_MAX);
    for (int64_t i = 0; i < count; i++)
        add(spec, &parts, given ? host.first + i : 0, one_of ? host.last : 0,
            container.first + i);
    return 0;
}

int spec_expose_parse(const char *text, struct spec_container *spec, struct dr_error *err)
{
    dr_auto_free char *words = dr_strdup(text);
    struct parts parts = {0};
    struct range range;
    if (parse_protocol(text, words, &parts, err) < 0)
        return -1;
    if (!parse_range(words, 1, &range))
        return bad(text, "the container's port is a number from 1 to 65535, or a range",
                   err);
    if ((int64_t)dr_strv_len(spec->exposed) + length(&range) > SPEC_PORTS_MAX)
        return dr_fail(err, DR_ERR_INVALID,
                       "port '%s': more than %d exposed ports of one container", text,
                       SPEC_PORTS_MAX);
    for (int64_t port = range.first; port <= range.last; port++) {
        dr_auto_free char *one = dr_printf("%lld/%s", (long long)port, parts.protocol);
        dr_strv_add(&spec->exposed, one);
    }
    return 0;
}

bool spec_exposed_parse(const char *text, int64_t *ret_port, const char **ret_protocol)
{
    const char *slash = strchr(text, '/');
    dr_auto_free char *number = slash ? dr_strndup(text, (size_t)(slash - text)) : NULL;
    *ret_protocol = slash && strcmp(slash, "/udp") == 0 ? "udp" : "tcp";
    if (slash && strcmp(slash, "/tcp") != 0 && strcmp(slash, "/udp") != 0)
        return false;
    return dr_int_parse(number ? number : text, 1, 65535, ret_port);
}

/* --- what a spec has, whoever made it --- */

static int check_one(const struct spec_port *port, struct dr_error *err)
{
    struct dr_ip ip;
    if (port->host_ip && !dr_ip_parse(port->host_ip, &ip))
        return dr_fail(err, DR_ERR_INVALID, "'%s' is no IP address", port->host_ip);
    if (port->container_port < 1)
        return dr_fail(err, DR_ERR_INVALID, "the container's port is missing");
    if (port->host_port_last && port->host_port_last < port->host_port)
        return dr_fail(err, DR_ERR_INVALID, "the range ends before it begins");
    if (port->protocol && strcmp(port->protocol, "tcp") != 0 &&
        strcmp(port->protocol, "udp") != 0)
        return dr_fail(err, DR_ERR_INVALID, "'%s' is neither tcp nor udp",
                       port->protocol);
    return 0;
}

static bool same(const char *a, const char *b, const char *otherwise)
{
    return strcmp(a ? a : otherwise, b ? b : otherwise) == 0;
}

/* A whole port of this machine given twice. Only ports whose number was seen are
 * compared, so that thousands of them cost nothing. */
static int check_twice(const struct spec_container *spec, struct dr_error *err)
{
    dr_auto_free unsigned char *seen = dr_alloc(65536 / 8);
    for (size_t i = 0; i < spec->port_count; i++) {
        const struct spec_port *a = &spec->ports[i];
        size_t number = (size_t)a->host_port;
        if (!number || a->host_port_last)
            continue;
        bool known = seen[number / 8] & (1u << number % 8);
        seen[number / 8] |= (unsigned char)(1u << number % 8);
        for (size_t j = 0; known && j < i; j++) {
            const struct spec_port *b = &spec->ports[j];
            if (a->host_port == b->host_port && !b->host_port_last &&
                same(a->host_ip, b->host_ip, "127.0.0.1") &&
                same(a->protocol, b->protocol, "tcp"))
                return dr_fail(
                    err, DR_ERR_INVALID, "ports: %s:%lld/%s is published twice",
                    a->host_ip ? a->host_ip : "127.0.0.1", (long long)a->host_port,
                    a->protocol ? a->protocol : "tcp");
        }
    }
    return 0;
}

int spec_port_check(const struct spec_container *spec, struct dr_error *err)
{
    if (spec->port_count > SPEC_PORTS_MAX || dr_strv_len(spec->exposed) > SPEC_PORTS_MAX)
        return dr_fail(err, DR_ERR_INVALID, "ports: more than %d of one container",
                       SPEC_PORTS_MAX);
    for (size_t i = 0; i < spec->port_count; i++)
        if (check_one(&spec->ports[i], err) < 0)
            return dr_wrap(err, "ports[%zu]", i);
    for (size_t i = 0; spec->exposed && spec->exposed[i]; i++) {
        int64_t port;
        const char *protocol;
        if (!spec_exposed_parse(spec->exposed[i], &port, &protocol))
            return dr_fail(err, DR_ERR_INVALID,
                           "exposed[%zu]: '%s' is no port: expected 80/tcp or 53/udp", i,
                           spec->exposed[i]);
    }
    bool any = spec->port_count || spec->publish_all;
    if (spec_network_mode(spec) == SPEC_NETWORK_CONTAINER &&
        (any || (spec->exposed && spec->exposed[0])))
        return dr_fail(err, DR_ERR_INVALID,
                       "ports: a container on another one's network has none of its own: "
                       "publish them where that one is started");
    return spec->port_count > 1 ? check_twice(spec, err) : 0;
}
