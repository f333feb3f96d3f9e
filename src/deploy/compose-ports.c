/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "base/text.h"
#include "deploy/compose-internal.h"

static const struct compose_field port_fields[] = {
    {"app_protocol", COMPOSE_ELSEWHERE}, {"host_ip", COMPOSE_ELSEWHERE},
    {"mode", COMPOSE_ELSEWHERE},         {"name", COMPOSE_ELSEWHERE},
    {"protocol", COMPOSE_ELSEWHERE},     {"published", COMPOSE_ELSEWHERE},
    {"target", COMPOSE_ELSEWHERE},       {NULL},
};

static const char *member(struct compose_service *s, const struct deploy_value *map,
                          const char *key)
{
    const struct deploy_value *value = deploy_value_get(map, key);
    if (!value || value->type == DEPLOY_NULL)
        return NULL;
    const char *text = compose_text(s->c, value);
    return text && *text ? text : NULL;
}

/* [[ADDRESS:]HOST:]CONTAINER[/PROTOCOL] of the long form; NULL: a problem. */
static char *long_port(struct compose_service *s, const struct deploy_value *item)
{
    compose_fields(s, item, port_fields, "a port");
    const char *ip = member(s, item, "host_ip"),
               *published = member(s, item, "published"),
               *target = member(s, item, "target"),
               *protocol = member(s, item, "protocol");
    if (!target) {
        deploy_problem(s->c->problems, &item->where, "a port needs a target");
        return NULL;
    }
    bool brackets = ip && strchr(ip, ':') && *ip != '[';
    return dr_printf("%s%s%s%s%s%s%s/%s", brackets ? "[" : "", ip ? ip : "",
                     brackets ? "]" : "", ip ? ":" : "", published ? published : "",
                     ip || published ? ":" : "", target, protocol ? protocol : "tcp");
}

void compose_read_ports(struct compose_service *s, const struct deploy_value *v)
{
    if (!compose_is(s->c, v, DEPLOY_LIST, "a list") || !compose_few(s->c, v))
        return;
    for (size_t i = 0; i < v->count; i++) {
        const struct deploy_value *item = v->items[i];
        dr_auto_free char *text = NULL;
        if (item->type == DEPLOY_MAP)
            text = long_port(s, item);
        else if (compose_text(s->c, item))
            text = dr_strdup(item->text);
        if (text)
            compose_set(s, &item->where, "publish", true, text);
    }
}
