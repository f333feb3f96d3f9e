/* SPDX-License-Identifier: Apache-2.0 */
/* Which events somebody wants to see: Docker's filters. */
#include "guest/events/events.h"

#include <string.h>

struct event_filter {
    char **by_kind[8]; /* by index in kinds */
};

static bool is_id_or_name(const json_t *event, const char *value)
{
    const char *id = dr_json_str(event, "id"), *name = dr_json_str(event, "name");
    return *value && ((id && strncmp(id, value, strlen(value)) == 0) ||
                      (name && strcmp(name, value) == 0));
}

static bool match_container(const json_t *event, const char *value)
{
    return strcmp(dr_json_str(event, "type"), "container") == 0 &&
           is_id_or_name(event, value);
}

static bool match_volume(const json_t *event, const char *value)
{
    return strcmp(dr_json_str(event, "type"), "volume") == 0 &&
           is_id_or_name(event, value);
}

static bool match_network(const json_t *event, const char *value)
{
    return strcmp(dr_json_str(event, "type"), "network") == 0 &&
           is_id_or_name(event, value);
}

/* "health_status" stands for "health_status: healthy" too, "exec_start" for
 * "exec_start: ls". */
static bool match_event(const json_t *event, const char *value)
{
    const char *action = dr_json_str(event, "action");
    size_t len = strlen(value);
    return strncmp(action, value, len) == 0 &&
           (action[len] == '\0' || action[len] == ':');
}

/* "docker.io/library/alpine:3" is meant by that, by "alpine:3" and by "alpine". */
static bool same_image(const char *is, const char *value)
{
    size_t len = strlen(value);
    for (const char *from = is; len > 0 && from;) {
        if (strncmp(from, value, len) == 0 &&
            (from[len] == '\0' || from[len] == ':' || from[len] == '@'))
            return true;
        from = strchr(from, '/');
        from = from ? from + 1 : NULL;
    }
    return false;
}

static bool match_image(const json_t *event, const char *value)
{
    const char *type = dr_json_str(event, "type");
    if (strcmp(type, "image") == 0)
        return is_id_or_name(event, value) ||
               same_image(dr_json_str(event, "name"), value);
    return strcmp(type, "container") == 0 &&
           same_image(dr_json_str(dr_json_object(event, "attributes"), "image"), value);
}

static bool match_label(const json_t *event, const char *value)
{
    const char *equals = strchr(value, '=');
    dr_auto_free char *key =
        equals ? dr_strndup(value, (size_t)(equals - value)) : dr_strdup(value);
    const char *is = dr_json_str(dr_json_object(event, "attributes"), key);
    return is && (!equals || strcmp(is, equals + 1) == 0);
}

static bool match_type(const json_t *event, const char *value)
{
    return strcmp(dr_json_str(event, "type"), value) == 0;
}

static const struct {
    const char *name;
    bool (*match)(const json_t *event, const char *value);
    bool all; /* every value must match, not one of them */
} kinds[] = {
    {"container", match_container, false}, {"event", match_event, false},
    {"image", match_image, false},         {"label", match_label, true},
    {"network", match_network, false},     {"type", match_type, false},
    {"volume", match_volume, false},
};

int event_filter_parse(const json_t *filters, struct event_filter **ret,
                       struct dr_error *err)
{
    struct event_filter *filter = dr_alloc(sizeof *filter);
    size_t i, kind;
    json_t *item;
    json_array_foreach (filters, i, item) {
        const char *text = json_string_value(item);
        const char *equals = text ? strchr(text, '=') : NULL;
        for (kind = 0; equals && kind < DR_COUNT(kinds); kind++)
            if (strlen(kinds[kind].name) == (size_t)(equals - text) &&
                strncmp(kinds[kind].name, text, (size_t)(equals - text)) == 0)
                break;
        if (!equals || kind == DR_COUNT(kinds)) {
            event_filter_free(filter);
            return dr_fail(err, DR_ERR_INVALID,
                           "no such filter: '%s'; there are container=, event=, image=, "
                           "label=, network=, type= and volume=",
                           text ? text : "");
        }
        dr_strv_add(&filter->by_kind[kind], equals + 1);
    }
    *ret = filter;
    return 0;
}

void event_filter_free(struct event_filter *filter)
{
    for (size_t kind = 0; filter && kind < DR_COUNT(kinds); kind++)
        dr_strv_free(filter->by_kind[kind]);
    free(filter);
}

bool event_filter_matches(const struct event_filter *filter, const json_t *event)
{
    for (size_t kind = 0; filter && kind < DR_COUNT(kinds); kind++) {
        char **values = filter->by_kind[kind];
        size_t matching = 0, count = dr_strv_len(values);
        for (size_t i = 0; i < count; i++)
            matching += kinds[kind].match(event, values[i]);
        if (count > 0 && (kinds[kind].all ? matching < count : matching == 0))
            return false;
    }
    return true;
}
