/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "deploy/plan.h"

struct deploy_seen deploy_seen_new(void)
{
    return (struct deploy_seen){json_array(), json_object(), json_object(),
                                json_object()};
}

void deploy_seen_add(struct deploy_seen *seen, const json_t *item)
{
    const char *kind = dr_json_str(item, "kind") ?: "", *name = dr_json_str(item, "name");
    const char *ref = dr_json_str(item, "ref");
    if (strcmp(kind, "container") == 0)
        json_array_append(seen->containers, (json_t *)item);
    else if (strcmp(kind, "network") == 0 && name)
        json_object_set(seen->networks, name, (json_t *)item);
    else if (strcmp(kind, "volume") == 0 && name)
        json_object_set(seen->volumes, name, (json_t *)item);
    else if (strcmp(kind, "image") == 0 && ref)
        json_object_set_new(seen->images, ref,
                            dr_json_str(item, "id") ? json_string(dr_json_str(item, "id"))
                                                    : json_null());
}

void deploy_seen_release(struct deploy_seen *seen)
{
    json_decref(seen->containers);
    json_decref(seen->networks);
    json_decref(seen->volumes);
    json_decref(seen->images);
    *seen = (struct deploy_seen){0};
}
