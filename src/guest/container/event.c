/* SPDX-License-Identifier: Apache-2.0 */
#include "guest/container/event.h"

#include <stdio.h>

#include "guest/events/events.h"

void container_event(const struct guest *guest, const struct container *c,
                     const char *action, const char *key, const char *value)
{
    json_t *attributes = json_object();
    const json_t *labels = dr_json_object(c->state, "labels");
    if (labels)
        json_object_update(attributes, (json_t *)labels);
    const char *image = dr_json_str(c->state, "image");
    dr_json_set_str(attributes, "image", image ? image : dr_json_str(c->record, "image"));
    dr_json_set_str(attributes, "name", container_name(c));
    /* as if they were labels, for whoever filters by these */
    dr_json_set_str(attributes, "dray.deployment", dr_json_str(c->state, "deployment"));
    dr_json_set_str(attributes, "dray.service", dr_json_str(c->state, "service"));
    if (key)
        dr_json_set_str(attributes, key, value);
    event_write(guest->root, "container", action, c->id, container_name(c), attributes);
}

void container_event_int(const struct guest *guest, const struct container *c,
                         const char *action, const char *key, int64_t value)
{
    char text[24];
    snprintf(text, sizeof text, "%lld", (long long)value);
    container_event(guest, c, action, key, text);
}
