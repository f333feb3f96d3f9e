/* SPDX-License-Identifier: Apache-2.0 */
/* The requests about volumes (PROTOCOL.md, "Volumes"). */
#include <string.h>

#include "base/text.h"
#include "guest/container/container.h"
#include "guest/files/usage.h"
#include "guest/prune.h"
#include "guest/volumes/volumes.h"

/* In the shape of `docker volume inspect`. */
static json_t *describe(const struct volume *volume)
{
    char created[DR_TIME_TEXT];
    json_t *json = json_object();
    dr_time_format(volume->created_ns, created);
    dr_json_set_str(json, "Name", volume->name);
    dr_json_set_str(json, "Driver", "local");
    dr_json_set_str(json, "Mountpoint", volume->source);
    dr_json_set_str(json, "Scope", "local");
    dr_json_set_str(json, "CreatedAt", created);
    dr_json_set(json, "Labels", json_incref(volume->labels));
    dr_json_set(json, "Options", json_null());
    dr_json_set_bool(json, "Anonymous", volume->anonymous);
    return json;
}

static json_t *labels_of(const json_t *list, bool anonymous, struct dr_error *err)
{
    dr_auto_json json_t *labels = json_object();
    size_t i;
    json_t *item;
    json_array_foreach (list, i, item) {
        const char *text = json_string_value(item) ?: "", *equals = strchr(text, '=');
        dr_auto_free char *key =
            dr_strndup(text, equals ? (size_t)(equals - text) : strlen(text));
        if (!*key) {
            dr_fail(err, DR_ERR_INVALID, "label '%s' has no key", text);
            return NULL;
        }
        dr_json_set_str(labels, key, equals ? equals + 1 : "");
    }
    if (anonymous)
        dr_json_set_str(labels, VOLUME_ANONYMOUS_LABEL, "");
    return DR_TAKE(labels);
}

static int op_create(struct guest *guest, struct wire_chan *chan, const json_t *request,
                     json_t **ret_reply, struct dr_error *err)
{
    char random[65];
    const char *name = dr_json_str(request, "name");
    bool anonymous = !name || !*name;
    dr_random_hex(64, random);
    if (anonymous)
        name = random;
    dr_auto_json json_t *labels =
        labels_of(dr_json_array(request, "labels"), anonymous, err);
    dr_auto_fd int lock = -1;
    if (!labels || volume_name_check(name, err) < 0 ||
        volumes_lock(guest, false, &lock, err) < 0 ||
        volume_make(guest, name, labels, anonymous, true, err) < 0)
        return -1;
    *ret_reply = json_object();
    dr_json_set_str(*ret_reply, "name", name);
    return 0;
}

struct listing {
    struct wire_chan *chan;
    struct dr_error *err;
};

static int send_one(void *arg, const struct volume *volume)
{
    struct listing *list = arg;
    dr_auto_json json_t *event = json_object();
    dr_json_set_str(event, "event", "item");
    dr_json_set(event, "item", describe(volume));
    return wire_event(list->chan, event, list->err);
}

static int op_list(struct guest *guest, struct wire_chan *chan, const json_t *request,
                   json_t **ret_reply, struct dr_error *err)
{
    struct listing list = {chan, err};
    return volume_each(guest, send_one, &list, err);
}

static int load(struct guest *guest, const json_t *request, struct volume *ret,
                struct dr_error *err)
{
    const char *name = dr_json_str(request, "name");
    if (!name)
        return dr_fail(err, DR_ERR_INVALID, "the request has no name");
    return volume_load(guest, name, ret, err);
}

static int op_inspect(struct guest *guest, struct wire_chan *chan, const json_t *request,
                      json_t **ret_reply, struct dr_error *err)
{
    volume_auto struct volume volume = {0};
    if (load(guest, request, &volume, err) < 0)
        return -1;
    *ret_reply = describe(&volume);
    return 0;
}

static int op_remove(struct guest *guest, struct wire_chan *chan, const json_t *request,
                     json_t **ret_reply, struct dr_error *err)
{
    volume_auto struct volume volume = {0};
    dr_auto_fd int lock = -1;
    dr_auto_json json_t *users = json_object();
    if (volumes_lock(guest, true, &lock, err) < 0)
        return -1;
    if (load(guest, request, &volume, err) < 0) {
        if (err->kind != DR_ERR_NOT_FOUND || !dr_json_bool(request, "force"))
            return -1;
        dr_error_release(err);
        return 0;
    }
    if (container_volume_users(guest, users, err) < 0)
        return -1;
    const json_t *names = json_object_get(users, volume.name);
    if (names)
        return dr_fail(err, DR_ERR_CONFLICT,
                       "volume %s is in use by container %s: remove that first",
                       volume.name, json_string_value(json_array_get(names, 0)));
    return volume_remove(guest, volume.name, err);
}

/* --- prune --- */

struct candidates {
    bool all;
    const struct prune_filter *filter;
    const json_t *users;
    json_t *names;
};

static int find_candidate(void *arg, const struct volume *volume)
{
    struct candidates *c = arg;
    if ((c->all || volume->anonymous) && !json_object_get(c->users, volume->name) &&
        prune_filter_matches(c->filter, volume->created_ns, volume->labels))
        json_array_append_new(c->names, json_string(volume->name));
    return 0;
}

static int op_prune(struct guest *guest, struct wire_chan *chan, const json_t *request,
                    json_t **ret_reply, struct dr_error *err)
{
    prune_auto_filter struct prune_filter *filter = NULL;
    dr_auto_json json_t *users = json_object(), *names = json_array();
    dr_auto_fd int lock = -1;
    if (prune_filter_parse(dr_json_array(request, "filters"), false, &filter, err) < 0 ||
        volumes_lock(guest, true, &lock, err) < 0)
        return -1;
    struct candidates candidates = {dr_json_bool(request, "all"), filter, users, names};
    if (container_volume_users(guest, users, err) < 0 ||
        volume_each(guest, find_candidate, &candidates, err) < 0)
        return -1;
    int64_t bytes = 0;
    size_t i;
    json_t *name;
    json_array_foreach (names, i, name) {
        dr_auto_free char *source = volume_source(guest, json_string_value(name));
        bytes += usage_of_path(source);
        if (volume_remove(guest, json_string_value(name), err) < 0)
            return -1;
    }
    *ret_reply = json_object();
    dr_json_set(*ret_reply, "deleted", json_incref(names));
    dr_json_set_int(*ret_reply, "space_reclaimed", bytes);
    return 0;
}

const struct guest_op guest_volume_ops[] = {
    {"volume.create", op_create},   {"volume.list", op_list},
    {"volume.inspect", op_inspect}, {"volume.remove", op_remove},
    {"volume.prune", op_prune},     {NULL, NULL},
};
