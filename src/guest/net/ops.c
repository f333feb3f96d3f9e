/* SPDX-License-Identifier: Apache-2.0 */
/* The requests about networks (PROTOCOL.md, "Networks"). */
#include <string.h>

#include "guest/container/container.h"
#include "guest/container/record.h"
#include "guest/net/connect.h"
#include "guest/net/inspect.h"
#include "guest/net/lease.h"
#include "guest/net/record.h"
#include "guest/prune.h"

static int op_create(struct guest *guest, struct wire_chan *chan, const json_t *request,
                     json_t **ret_reply, struct dr_error *err)
{
    network_auto struct network network = {0};
    if (network_create(guest, request, &network, err) < 0)
        return -1;
    *ret_reply = json_object();
    dr_json_set_str(*ret_reply, "id", network.id);
    dr_json_set_str(*ret_reply, "name", network.name);
    return 0;
}

struct listing {
    const struct guest *guest;
    struct wire_chan *chan;
    struct dr_error *err;
};

static int send_item(struct listing *list, json_t *item)
{
    dr_auto_json json_t *event = json_object();
    dr_json_set_str(event, "event", "item");
    dr_json_set(event, "item", item);
    return wire_event(list->chan, event, list->err);
}

static int send_one(void *arg, const struct network *network)
{
    struct listing *list = arg;
    return send_item(list, inspect_network(list->guest, network));
}

/* The default network is always there. That it cannot be made is told to who needs it. */
static void make_default(struct guest *guest)
{
    network_auto struct network network = {0};
    dr_auto_error struct dr_error ignored = DR_ERROR_INIT;
    network_load(guest, NETWORK_DEFAULT, &network, &ignored);
}

static int op_list(struct guest *guest, struct wire_chan *chan, const json_t *request,
                   json_t **ret_reply, struct dr_error *err)
{
    struct listing list = {guest, chan, err};
    make_default(guest);
    if (send_item(&list, inspect_mode("host")) < 0 ||
        send_item(&list, inspect_mode("none")) < 0)
        return -1;
    return network_each(guest, send_one, &list, err);
}

static const char *name_in(const json_t *request, struct dr_error *err)
{
    const char *name = dr_json_str(request, "name");
    if (!name)
        dr_fail(err, DR_ERR_INVALID, "the request names no network");
    return name;
}

static int op_inspect(struct guest *guest, struct wire_chan *chan, const json_t *request,
                      json_t **ret_reply, struct dr_error *err)
{
    network_auto struct network network = {0};
    const char *name = name_in(request, err);
    if (!name)
        return -1;
    if ((*ret_reply = inspect_mode(name)))
        return 0;
    if (network_load(guest, name, &network, err) < 0)
        return -1;
    *ret_reply = inspect_network(guest, &network);
    return 0;
}

static int op_remove(struct guest *guest, struct wire_chan *chan, const json_t *request,
                     json_t **ret_reply, struct dr_error *err)
{
    const char *name = name_in(request, err);
    if (!name)
        return -1;
    if (network_remove(guest, name, err) == 0)
        return 0;
    if (err->kind != DR_ERR_NOT_FOUND || !dr_json_bool(request, "force"))
        return -1;
    dr_error_release(err);
    return 0;
}

/* --- prune --- */

struct candidates {
    const struct guest *guest;
    const struct prune_filter *filter;
    json_t *users; /* names as keys */
    json_t *names;
};

/* Whether it runs or not: what a container is to be on stays. */
static int add_users(void *arg, const char *id)
{
    struct candidates *all = arg;
    container_auto struct container c = {0};
    dr_auto_error struct dr_error gone = DR_ERROR_INIT;
    if (container_load_state(all->guest, id, &c, &gone) < 0)
        return 0;
    const char *names = dr_json_str(c.state, "network");
    for (const char *p = names ? names : ""; *p;) {
        size_t len = strcspn(p, ",");
        dr_auto_free char *name = dr_strndup(p, len);
        dr_json_set_bool(all->users, name, true);
        p += len + (p[len] == ',');
    }
    return 0;
}

static int find_candidate(void *arg, const struct network *network)
{
    struct candidates *all = arg;
    if (strcmp(network->name, NETWORK_DEFAULT) != 0 &&
        !json_object_get(all->users, network->name) &&
        !json_object_get(all->users, network->id) &&
        prune_filter_matches(all->filter, network->created_ns, network->labels))
        json_array_append_new(all->names, json_string(network->name));
    return 0;
}

static int op_prune(struct guest *guest, struct wire_chan *chan, const json_t *request,
                    json_t **ret_reply, struct dr_error *err)
{
    prune_auto_filter struct prune_filter *filter = NULL;
    dr_auto_json json_t *users = json_object(), *names = json_array();
    struct candidates candidates = {guest, NULL, users, names};
    if (prune_filter_parse(dr_json_array(request, "filters"), false, &filter, err) < 0)
        return -1;
    candidates.filter = filter;
    if (container_each(guest, add_users, &candidates, err) < 0 ||
        network_each(guest, find_candidate, &candidates, err) < 0)
        return -1;
    json_t *deleted = json_array(), *name;
    size_t i;
    json_array_foreach (names, i, name) {
        dr_auto_error struct dr_error used = DR_ERROR_INIT;
        /* one that somebody joined just now stays */
        if (network_remove(guest, json_string_value(name), &used) == 0)
            json_array_append(deleted, name);
    }
    *ret_reply = json_object();
    dr_json_set(*ret_reply, "deleted", deleted);
    return 0;
}

static int op_connect(struct guest *guest, struct wire_chan *chan, const json_t *request,
                      json_t **ret_reply, struct dr_error *err)
{
    return network_connect(guest, request, err);
}

static int op_disconnect(struct guest *guest, struct wire_chan *chan,
                         const json_t *request, json_t **ret_reply, struct dr_error *err)
{
    return network_disconnect(guest, request, err);
}

static int op_record(struct guest *guest, struct wire_chan *chan, const json_t *request,
                     json_t **ret_reply, struct dr_error *err)
{
    return record_address(guest, request, err);
}

const struct guest_op guest_network_ops[] = {
    {"network.record", op_record},
    {"network.create", op_create},
    {"network.list", op_list},
    {"network.inspect", op_inspect},
    {"network.remove", op_remove},
    {"network.prune", op_prune},
    {"network.connect", op_connect},
    {"network.disconnect", op_disconnect},
    {NULL, NULL},
};
