/* SPDX-License-Identifier: Apache-2.0 */
#include "guest/net/connect.h"

#include <fcntl.h>
#include <linux/rtnetlink.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

#include "base/fs.h"
#include "base/text.h"
#include "guest/container/names.h"
#include "guest/container/record.h"
#include "guest/net/lease.h"
#include "guest/net/member.h"
#include "guest/net/names.h"
#include "guest/net/namespace.h"
#include "guest/net/net.h"
#include "guest/net/wayout.h"
#include "spec/container.h"

/* One container whose networks change, its state lock held. */
struct change {
    struct guest *guest;
    struct container c;
    struct network network;
    struct spec_container *spec;
    json_t *live; /* reference; what is true now, NULL when it does not run */
    int lock, pidfd, ns_fd, ns_socket, root_socket;
};

static void change_end(struct change *change)
{
    container_release(&change->c);
    network_release(&change->network);
    spec_container_free(change->spec);
    json_decref(change->live);
    const int fds[] = {change->lock, change->pidfd, change->ns_fd, change->ns_socket,
                       change->root_socket};
    for (size_t i = 0; i < DR_COUNT(fds); i++)
        if (fds[i] >= 0)
            close(fds[i]);
}

/* The namespace of one that runs. */
static int open_namespace(struct change *change, struct dr_error *err)
{
    pid_t pid = 0;
    change->pidfd = container_pidfd(&change->c, &pid);
    if (change->pidfd < 0)
        return 0;
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/ns/net", (int)pid);
    change->ns_fd = open(path, O_RDONLY | O_CLOEXEC);
    if (change->ns_fd < 0)
        return dr_fail_errno(err, DR_ERR_NETWORK, "open the container's network");
    if (netns_socket(change->ns_fd, &change->ns_socket, err) < 0 ||
        (change->root_socket = nl_open(NETLINK_ROUTE, err)) < 0)
        return -1;
    change->live = net_state(change->c.run_dir);
    if (!change->live)
        change->live = json_object();
    if (!dr_json_array(change->live, "networks"))
        dr_json_set(change->live, "networks", json_array());
    return 0;
}

static int begin(struct guest *guest, const json_t *request, struct change *change,
                 struct dr_error *err)
{
    const char *network = dr_json_str(request, "network");
    const char *container = dr_json_str(request, "container");
    *change = (struct change){.guest = guest,
                              .lock = -1,
                              .pidfd = -1,
                              .ns_fd = -1,
                              .ns_socket = -1,
                              .root_socket = -1};
    if (!network || !container)
        return dr_fail(err, DR_ERR_INVALID, "the request names no network or container");
    container_auto struct container found = {0};
    if (network_load(guest, network, &change->network, err) < 0 ||
        container_find(guest, container, &found, err) < 0)
        return -1;
    change->lock = container_state_lock(guest, found.id);
    if (container_load(guest, found.id, &change->c, err) < 0)
        return -1;
    if (!change->c.record || !change->c.state)
        return dr_fail(err, DR_ERR_CONFLICT,
                       "container %s is being made or removed, or is damaged", container);
    change->spec =
        spec_container_from_json(dr_json_object(change->c.record, "spec"), err);
    if (!change->spec)
        return -1;
    enum spec_network_mode mode = spec_network_mode(change->spec);
    if (mode == SPEC_NETWORK_HOST || mode == SPEC_NETWORK_CONTAINER)
        return dr_fail(err, DR_ERR_CONFLICT,
                       "container %s is on the network of %s, and on no other",
                       container_name(&change->c), spec_network_first(change->spec));
    return open_namespace(change, err);
}

/* Which one of the spec's networks it is; -1: none. */
static int index_in_spec(const struct change *change)
{
    const struct spec_container *spec = change->spec;
    for (size_t i = 0; i < spec->network_count; i++) {
        const char *name =
            spec->networks[i].name ? spec->networks[i].name : SPEC_NETWORK_DEFAULT;
        size_t len = strlen(name);
        if (strcmp(name, change->network.name) == 0 ||
            (len >= 12 && strncmp(name, change->network.id, len) == 0))
            return (int)i;
    }
    return -1;
}

static int write_down(struct change *change, struct dr_error *err)
{
    json_t *spec = spec_container_to_json(change->spec);
    dr_auto_free char *names = spec_network_names(change->spec);
    dr_json_set(change->c.record, "spec", spec);
    dr_json_set_str(change->c.state, "network", names);
    if (change->live && net_write_state(change->c.run_dir, change->live, err) < 0)
        return -1;
    if (container_write_record(&change->c, err) < 0)
        return -1;
    return container_write_state(&change->c, err);
}

/* --- connect --- */

/* What is implied is said: the default network, or none. */
static void drop_placeholder(struct spec_container *spec)
{
    if (spec_network_mode(spec) == SPEC_NETWORK_NONE) {
        while (spec->network_count > 0)
            spec_network_release(&spec->networks[--spec->network_count]);
    } else {
        struct spec_network *first = spec_container_first_network(spec);
        if (!first->name)
            first->name = dr_strdup(SPEC_NETWORK_DEFAULT);
    }
}

static int add_to_spec(struct change *change, const json_t *request, struct dr_error *err)
{
    struct spec_network item = {.name = dr_strdup(change->network.name),
                                .aliases =
                                    dr_json_strv(dr_json_array(request, "aliases")),
                                .ip = dr_strdup(dr_json_str(request, "ip")),
                                .ip6 = dr_strdup(dr_json_str(request, "ip6")),
                                .mac = dr_strdup(dr_json_str(request, "mac"))};
    drop_placeholder(change->spec);
    spec_container_add_network(change->spec, &item);
    return spec_network_check(change->spec, err);
}

static unsigned free_slot(const json_t *networks)
{
    for (unsigned slot = 0;; slot++) {
        size_t i;
        json_t *one;
        bool used = false;
        json_array_foreach (networks, i, one)
            used |= dr_json_int(one, "slot", -1) == slot;
        if (!used)
            return slot;
    }
}

static bool has_way_out(const json_t *networks, const char *key)
{
    size_t i;
    json_t *one;
    json_array_foreach (networks, i, one)
        if (dr_json_str(one, key))
            return true;
    return false;
}

static bool has_ended(const struct change *change)
{
    struct pollfd dead = {.fd = change->pidfd, .events = POLLIN};
    return poll(&dead, 1, 0) > 0;
}

static void leave(struct change *change)
{
    const char *id = change->network.id;
    dr_auto_json json_t *left = json_pack("[{ss}]", "id", id);
    member_leave(change->guest, id, change->c.id);
    if (lease_count(change->guest, id) == 0)
        wayout_close(change->guest);
    names_sync(change->guest, left);
}

static int join_now(struct change *change, const json_t *request, struct dr_error *err)
{
    json_t *networks = dr_json_array(change->live, "networks"), *joined = NULL;
    struct network *network = &change->network;
    dr_auto_strv char **warnings = NULL; /* were told when the container started */
    struct member member = {
        .id = change->c.id,
        .name = container_name(&change->c),
        .hostname = dr_json_str(change->c.record, "hostname"),
        .wanted = request,
        .slot = free_slot(networks),
        .way_out = !network->internal && !has_way_out(networks, "gateway"),
        .way_out6 = !network->internal && !has_way_out(networks, "gateway6"),
        .ns_fd = change->ns_fd,
        .ns_socket = change->ns_socket,
        .root_socket = change->root_socket};
    if (json_array_size(networks) >= MEMBER_SLOTS)
        return dr_fail(err, DR_ERR_INVALID, "a container can be on %d networks",
                       MEMBER_SLOTS);
    int result = member_join(change->guest, network, &member, &joined, err);
    if (result == 0) {
        json_array_append_new(networks, joined);
        result = wayout_open(change->guest, networks, &warnings, err);
    }
    if (result == 0)
        result = write_down(change, err);
    if (result == 0)
        names_sync(change->guest, networks);
    if (result == 0 && has_ended(change)) /* its monitor may have looked before us */
        result = dr_fail(err, DR_ERR_CONFLICT, "container %s has just ended",
                         container_name(&change->c));
    if (result < 0)
        leave(change);
    return result;
}

int network_connect(struct guest *guest, const json_t *request, struct dr_error *err)
{
    DR_CLEANUP(change_end) struct change change;
    if (begin(guest, request, &change, err) < 0)
        return -1;
    if (index_in_spec(&change) >= 0 ||
        (!change.spec->network_count &&
         strcmp(SPEC_NETWORK_DEFAULT, change.network.name) == 0))
        return dr_fail(err, DR_ERR_EXISTS, "container %s is on network %s already",
                       container_name(&change.c), change.network.name);
    if (add_to_spec(&change, request, err) < 0)
        return -1;
    int result = change.live ? join_now(&change, request, err) : write_down(&change, err);
    return result;
}

/* --- disconnect --- */

static void drop_from_spec(struct spec_container *spec, size_t at)
{
    spec_network_release(&spec->networks[at]);
    spec->network_count--;
    memmove(&spec->networks[at], &spec->networks[at + 1],
            (spec->network_count - at) * sizeof *spec->networks);
    if (!spec->network_count)
        spec_container_first_network(spec)->name = dr_strdup("none");
}

/* Another network takes the default route over. */
static void move_way_out(struct change *change, const json_t *networks, const char *key)
{
    dr_auto_error struct dr_error ignored = DR_ERROR_INIT;
    size_t i;
    json_t *one;
    json_array_foreach (networks, i, one) {
        struct nl_batch batch = {.len = 0};
        const char *gateway = dr_json_str(one, key);
        struct dr_ip ip;
        if (!gateway || !dr_ip_parse(gateway, &ip))
            continue;
        link_add_default_route(&batch, &ip);
        nl_run(change->ns_socket, &batch, &ignored);
        return;
    }
}

static void leave_now(struct change *change)
{
    json_t *networks = dr_json_array(change->live, "networks");
    for (size_t i = json_array_size(networks); i-- > 0;) {
        const char *id = dr_json_str(json_array_get(networks, i), "id");
        if (id && strcmp(id, change->network.id) == 0)
            json_array_remove(networks, i);
    }
    leave(change);
    move_way_out(change, networks, "gateway");
    move_way_out(change, networks, "gateway6");
}

int network_disconnect(struct guest *guest, const json_t *request, struct dr_error *err)
{
    DR_CLEANUP(change_end) struct change change;
    if (begin(guest, request, &change, err) < 0)
        return -1;
    if (!change.spec->network_count)
        drop_placeholder(change.spec);
    int at = index_in_spec(&change);
    if (at < 0)
        return dr_fail(err, DR_ERR_NOT_FOUND, "container %s is not on network %s",
                       container_name(&change.c), change.network.name);
    drop_from_spec(change.spec, (size_t)at);
    if (change.live)
        leave_now(&change);
    return write_down(&change, err);
}
