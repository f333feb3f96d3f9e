/* SPDX-License-Identifier: Apache-2.0 */
#include "guest/container/ports.h"

#include <string.h>

#include "base/text.h"
#include "spec/container.h"

static const json_t *spec_of(const struct container *c)
{
    return dr_json_object(c->record, "spec");
}

/* "80/tcp" of a spec_port object; owned. */
static char *key_of(const json_t *port)
{
    return dr_printf("%lld/%s", (long long)dr_json_int(port, "container_port", 0),
                     dr_json_str(port, "protocol") ?: "tcp");
}

/* Images say "80", or "80/tcp"; what else they say is nobody's port. */
static void expose(json_t *exposed, const char *text)
{
    int64_t port;
    const char *protocol;
    if (!text || !spec_exposed_parse(text, &port, &protocol))
        return;
    dr_auto_free char *key = dr_printf("%lld/%s", (long long)port, protocol);
    json_object_set_new(exposed, key, json_object());
}

json_t *container_exposed(const struct container *c)
{
    json_t *exposed = json_object(), *one,
           *image =
               dr_json_object(dr_json_object(c->record, "image_config"), "ExposedPorts");
    const char *key;
    size_t i;
    json_object_foreach (image, key, one)
        expose(exposed, key);
    json_array_foreach (dr_json_array(spec_of(c), "exposed"), i, one)
        expose(exposed, json_string_value(one));
    json_array_foreach (dr_json_array(spec_of(c), "ports"), i, one) {
        dr_auto_free char *text = key_of(one);
        expose(exposed, text);
    }
    if (json_object_size(exposed) > 0)
        return exposed;
    json_decref(exposed);
    return NULL;
}

json_t *container_ports(const struct container *c)
{
    json_t *ports = json_array(), *one;
    const json_t *spec = spec_of(c);
    const char *network = dr_json_str(c->state, "network"), *key;
    size_t i;
    if (network && strcmp(network, "host") == 0)
        return ports; /* its ports are the host's */
    json_array_extend(ports, dr_json_array(spec, "ports"));
    if (!dr_json_bool(spec, "publish_all"))
        return ports;
    dr_auto_json json_t *exposed = container_exposed(c);
    json_array_foreach (dr_json_array(spec, "ports"), i, one) {
        dr_auto_free char *published = key_of(one);
        json_object_del(exposed, published);
    }
    json_object_foreach (exposed, key, one) {
        int64_t number;
        const char *protocol;
        if (json_array_size(ports) >= SPEC_PORTS_MAX ||
            !spec_exposed_parse(key, &number, &protocol))
            continue;
        json_t *port = json_object();
        dr_json_set_int(port, "container_port", number);
        dr_json_set_str(port, "protocol", protocol);
        json_array_append_new(ports, port);
    }
    return ports;
}

json_t *container_ports_shown(json_t *published, const json_t *exposed)
{
    json_t *shown = json_copy(published), *one;
    dr_auto_json json_t *rest = exposed ? json_copy((json_t *)exposed) : json_object();
    const char *key;
    size_t i;
    json_array_foreach (published, i, one) {
        dr_auto_free char *known = key_of(one);
        json_object_del(rest, known);
    }
    json_object_foreach (rest, key, one) {
        int64_t number;
        const char *protocol;
        if (!spec_exposed_parse(key, &number, &protocol))
            continue;
        json_t *port = json_object();
        dr_json_set_int(port, "container_port", number);
        dr_json_set_str(port, "protocol", protocol);
        json_array_append_new(shown, port);
    }
    return shown;
}

/* {"HostIp","HostPort"} behind its key. */
static void bind_port(json_t *bindings, const json_t *port, const char *ip,
                      const char *number)
{
    dr_auto_free char *key = key_of(port);
    json_t *list = json_object_get(bindings, key);
    if (!json_is_array(list))
        json_object_set_new(bindings, key, list = json_array());
    json_array_append_new(list, json_pack("{s:s,s:s}", "HostIp", ip, "HostPort", number));
}

json_t *container_port_bindings(const struct container *c)
{
    json_t *bindings = json_object(), *port;
    size_t i;
    json_array_foreach (dr_json_array(spec_of(c), "ports"), i, port) {
        int64_t first = dr_json_int(port, "host_port", 0);
        int64_t last = dr_json_int(port, "host_port_last", 0);
        dr_auto_free char *number =
            !first ? dr_strdup("")
            : last ? dr_printf("%lld-%lld", (long long)first, (long long)last)
                   : dr_printf("%lld", (long long)first);
        bind_port(bindings, port, dr_json_str(port, "host_ip") ?: "", number);
    }
    return bindings;
}

json_t *container_ports_now(const struct container *c)
{
    json_t *bindings = json_object(), *port;
    size_t i;
    if (!container_is_up(c))
        return bindings;
    json_array_foreach (dr_json_array(c->state, "ports"), i, port) {
        int64_t host_port = dr_json_int(port, "host_port", 0);
        dr_auto_free char *number = dr_printf("%lld", (long long)host_port);
        dr_auto_free char *key = key_of(port);
        if (host_port > 0)
            bind_port(bindings, port, dr_json_str(port, "host_ip") ?: "", number);
        else
            json_object_set_new(bindings, key, json_null());
    }
    return bindings;
}
