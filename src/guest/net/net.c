/* SPDX-License-Identifier: Apache-2.0 */
#include "guest/net/net.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

#include "base/fs.h"
#include "guest/container/names.h"
#include "guest/container/record.h"
#include "guest/net/lease.h"
#include "guest/net/member.h"
#include "guest/net/names.h"
#include "guest/net/namespace.h"
#include "guest/net/record.h"
#include "guest/net/wayout.h"
#include "spec/container.h"

#define STATE_MAX (1u << 20)
#define CONTAINER "container:"

static const char *name_at(const json_t *networks, size_t i)
{
    const char *name = dr_json_str(json_array_get(networks, i), "name");
    return name ? name : SPEC_NETWORK_DEFAULT;
}

int net_write_state(const char *run_dir, const json_t *state, struct dr_error *err)
{
    dr_auto_free char *path = dr_path_join(run_dir, NET_STATE);
    dr_auto_free char *text = dr_json_text(state);
    return dr_file_write(AT_FDCWD, path, text, strlen(text), 0600, 0, err);
}

json_t *net_state(const char *run_dir)
{
    dr_auto_error struct dr_error ignored = DR_ERROR_INIT;
    dr_auto_free char *path = dr_path_join(run_dir, NET_STATE);
    dr_auto_buf struct dr_buf text = DR_BUF_INIT(STATE_MAX);
    if (dr_file_read(AT_FDCWD, path, &text, &ignored) < 0)
        return NULL;
    return dr_json_parse(text.data ? text.data : "", text.len, STATE_MAX, &ignored);
}

/* --- somebody else's namespace --- */

static int borrow(const struct guest *guest, const char *path, const char *whose,
                  struct dr_error *err)
{
    container_auto struct container other = {0};
    char source[64];
    pid_t pid = 0;
    if (container_find(guest, whose, &other, err) < 0)
        return dr_wrap(err, "network " CONTAINER "%s", whose);
    dr_auto_fd int pidfd = container_pidfd(&other, &pid);
    if (pidfd < 0)
        return dr_fail(err, DR_ERR_CONFLICT,
                       "network " CONTAINER "%s: that container is not running",
                       container_name(&other));
    snprintf(source, sizeof source, "/proc/%d/ns/net", (int)pid);
    if (netns_borrow(source, path, err) < 0)
        return dr_wrap(err, "network " CONTAINER "%s", whose);
    struct pollfd dead = {.fd = pidfd, .events = POLLIN};
    if (poll(&dead, 1, 0) > 0) /* it may be another process's by now */
        return dr_fail(err, DR_ERR_CONFLICT,
                       "network " CONTAINER "%s: that container has just ended",
                       container_name(&other));
    return 0;
}

/* --- networks of ours --- */

struct run {
    const struct guest *guest;
    const char *id;
    const json_t *request;
    int ns_fd, ns_socket, root_socket;
    bool way_out, way_out6; /* one of the networks has it already */
    json_t *joined;
};

static int join_network(struct run *run, unsigned slot, const json_t *wanted,
                        struct network *network, struct dr_error *err)
{
    json_t *state = NULL;
    bool v4 = network->pools[0].gateway.family && !network->internal;
    bool v6 = network->pools[1].gateway.family && !network->internal;
    struct member member = {.id = run->id,
                            .name = dr_json_str(run->request, "name"),
                            .hostname = dr_json_str(run->request, "hostname"),
                            .wanted = wanted,
                            .slot = slot,
                            .way_out = v4 && !run->way_out,
                            .way_out6 = v6 && !run->way_out6,
                            .ns_fd = run->ns_fd,
                            .ns_socket = run->ns_socket,
                            .root_socket = run->root_socket};
    if (member_join(run->guest, network, &member, &state, err) < 0)
        return -1;
    run->way_out |= v4;
    run->way_out6 |= v6;
    json_array_append_new(run->joined, state);
    return 0;
}

static int join_one(struct run *run, unsigned slot, const json_t *wanted,
                    const char *name, struct dr_error *err)
{
    network_auto struct network network = {0};
    if (network_load(run->guest, name, &network, err) < 0)
        return -1;
    return join_network(run, slot, wanted, &network, err);
}

static int join_all(struct run *run, const json_t *networks, struct dr_error *err)
{
    size_t count = json_array_size(networks);
    if (count > MEMBER_SLOTS)
        return dr_fail(err, DR_ERR_INVALID, "%zu networks: at most %d are possible",
                       count, MEMBER_SLOTS);
    if (!count)
        return join_one(run, 0, NULL, SPEC_NETWORK_DEFAULT, err);
    for (size_t i = 0; i < count; i++)
        if (join_one(run, (unsigned)i, json_array_get(networks, i), name_at(networks, i),
                     err) < 0)
            return -1;
    return 0;
}

/* *warnings: appended to. */
static int make(const struct guest *guest, const char *id, const char *path,
                const json_t *request, bool bridges, struct network *overlay,
                const json_t *wanted, json_t **ret_joined, char ***warnings,
                struct dr_error *err)
{
    bool lo = false;
    dr_auto_fd int ns_fd = -1;
    dr_auto_fd int ns_socket = -1;
    dr_auto_fd int root_socket = -1;
    dr_auto_json json_t *joined = json_array();
    if (netns_make(path, &ns_fd, &ns_socket, &lo, err) < 0)
        return -1;
    if (!lo && bridges)
        return dr_fail(err, DR_ERR_NETWORK, MEMBER_NEEDS_ADMIN);
    if (!lo)
        dr_strv_add(warnings, "the container's lo is down: to bring it up needs "
                              "CAP_NET_ADMIN in the guest");
    if (!bridges)
        return 0;
    if ((root_socket = nl_open(NETLINK_ROUTE, err)) < 0)
        return -1;
    struct run run = {.guest = guest,
                      .id = id,
                      .request = request,
                      .ns_fd = ns_fd,
                      .ns_socket = ns_socket,
                      .root_socket = root_socket,
                      .joined = joined};
    int result = overlay ? join_network(&run, 0, wanted, overlay, err)
                         : join_all(&run, dr_json_array(request, "networks"), err);
    if (result < 0)
        return -1;
    *ret_joined = json_incref(joined);
    return 0;
}

/* It is on its networks: the way out of them, and who finds whom. */
static int make_known(const struct guest *guest, const char *id, const char *run_dir,
                      const json_t *request, json_t *joined, char ***warnings,
                      struct dr_error *err)
{
    dr_auto_json json_t *state = json_object();
    dr_json_set(state, "networks", json_incref(joined));
    dr_json_set(state, "hosts", names_own(request, joined, err));
    if (!json_object_get(state, "hosts") || wayout_open(guest, joined, warnings, err) < 0)
        return -1;
    if (names_write(guest, id, request, state, warnings, err) < 0)
        return -1;
    if (*warnings)
        dr_json_set(state, "warnings", dr_json_from_strv(*warnings));
    if ((json_array_size(joined) > 0 || *warnings) &&
        net_write_state(run_dir, state, err) < 0)
        return -1;
    names_sync(guest, joined);
    return 0;
}

/* C30: no address is worse than a container that does not run, for an overlay; a port
 * that a person asked for leads nowhere then, which is an error, and so it is where the
 * target was told so. */
static int fall_back(const struct guest *guest, const char *id, const char *run_dir,
                     const json_t *request, const struct dr_error *why,
                     struct dr_error *err)
{
    dr_auto_json json_t *state = json_object();
    dr_auto_free char *warning =
        dr_printf("the recorded address cannot be had (%s): the container is on the "
                  "guest's own network",
                  why->text);
    net_down(guest, id);
    if (guest->network_strict || json_array_size(dr_json_array(request, "ports")) > 0)
        return dr_error_copy(err, why);
    dr_json_set_str(state, "fallback", "host");
    dr_json_set(state, "networks", json_array());
    dr_json_set(state, "warnings", json_pack("[s]", warning));
    if (record_fall_back(dr_json_str(request, "bundle"), err) < 0)
        return -1;
    return net_write_state(run_dir, state, err);
}

/* C29 */
static int attach_overlay(const struct guest *guest, const char *id,
                          const json_t *request, struct network *overlay,
                          const json_t *wanted, struct dr_error *err)
{
    dr_auto_free char *run_dir = container_run_dir(guest, id);
    dr_auto_free char *path = dr_path_join(run_dir, NETNS_FILE);
    dr_auto_json json_t *joined = NULL;
    dr_auto_strv char **warnings = NULL;
    dr_auto_error struct dr_error why = DR_ERROR_INIT;
    if (!overlay->pools[0].gateway.family && !overlay->pools[1].gateway.family)
        dr_strv_add(&warnings, "no gateway is recorded: the container reaches its "
                               "neighbours only");
    if (make(guest, id, path, request, true, overlay, wanted, &joined, &warnings, &why) <
            0 ||
        make_known(guest, id, run_dir, request, joined, &warnings, &why) < 0)
        return fall_back(guest, id, run_dir, request, &why, err);
    return 0;
}

int net_up(const struct guest *guest, const char *id, const json_t *request,
           struct dr_error *err)
{
    const json_t *networks = dr_json_array(request, "networks");
    const char *first = name_at(networks, 0);
    dr_auto_free char *run_dir = container_run_dir(guest, id);
    dr_auto_free char *path = dr_path_join(run_dir, NETNS_FILE);
    bool shared = strncmp(first, CONTAINER, strlen(CONTAINER)) == 0;
    bool none = strcmp(first, "none") == 0, host = strcmp(first, "host") == 0;
    dr_auto_json json_t *joined = NULL;
    dr_auto_strv char **warnings = NULL;
    record_restore(dr_json_str(request, "bundle"));
    network_auto struct network overlay = {0};
    dr_auto_json json_t *wanted =
        json_array_size(networks) == 0
            ? record_find(guest, dr_json_str(request, "name"), &overlay)
            : NULL;
    if (wanted)
        return attach_overlay(guest, id, request, &overlay, wanted, err);
    int result = host     ? 0
                 : shared ? borrow(guest, path, first + strlen(CONTAINER), err)
                          : make(guest, id, path, request, !none, NULL, NULL, &joined,
                                 &warnings, err);
    if (result == 0)
        result = make_known(guest, id, run_dir, request, joined, &warnings, err);
    if (result < 0)
        net_down(guest, id);
    return result;
}

struct leaving {
    const struct guest *guest;
    const char *id;
    json_t *left; /* networks */
    bool empty;   /* one of them has no members any more */
};

static void leave(void *arg, const char *network_id)
{
    struct leaving *leaving = arg;
    if (!lease_exists(leaving->guest, network_id, leaving->id))
        return;
    member_leave(leaving->guest, network_id, leaving->id);
    leaving->empty |= lease_count(leaving->guest, network_id) == 0;
    json_array_append_new(leaving->left, json_pack("{ss}", "id", network_id));
}

void net_down(const struct guest *guest, const char *id)
{
    dr_auto_json json_t *left = json_array();
    struct leaving leaving = {guest, id, left, false};
    dr_auto_free char *run_dir = container_run_dir(guest, id);
    dr_auto_free char *path = dr_path_join(run_dir, NETNS_FILE);
    dr_auto_free char *state = dr_path_join(run_dir, NET_STATE);
    unlink(state);
    netns_drop(path);
    lease_each_network(guest, leave, &leaving);
    if (leaving.empty)
        wayout_close(guest);
    else
        wayout_settle(guest);
    names_sync(guest, left);
}

struct renaming {
    const struct guest *guest;
    const char *id, *name;
    json_t *networks; /* that it is on */
};

static int is_present(void *arg, const char *id, bool leaving, const json_t *lease)
{
    const struct renaming *renaming = arg;
    return lease && !leaving && strcmp(id, renaming->id) == 0;
}

static void rename_on(void *arg, const char *network_id)
{
    struct renaming *renaming = arg;
    dr_auto_error struct dr_error ignored = DR_ERROR_INIT;
    dr_auto_fd int lock = -1;
    if (!lease_exists(renaming->guest, network_id, renaming->id) ||
        lease_lock(renaming->guest, &lock, &ignored) < 0 ||
        lease_each(renaming->guest, network_id, is_present, renaming, &ignored) != 1)
        return;
    dr_auto_json json_t *lease = lease_read(renaming->guest, network_id, renaming->id);
    dr_json_set_str(lease, "name", renaming->name);
    if (lease &&
        lease_write(renaming->guest, network_id, renaming->id, lease, &ignored) == 0)
        json_array_append_new(renaming->networks, json_pack("{ss}", "id", network_id));
}

void net_rename(const struct guest *guest, const char *id, const char *name)
{
    dr_auto_json json_t *networks = json_array();
    struct renaming renaming = {guest, id, name, networks};
    lease_each_network(guest, rename_on, &renaming);
    names_sync(guest, networks);
}

struct lost {
    const struct guest *guest;
    char ***ids;
};

static int is_lost(void *arg, const char *id, bool leaving, const json_t *lease)
{
    const struct lost *lost = arg;
    dr_auto_free char *run_dir = container_run_dir(lost->guest, id);
    if (access(run_dir, F_OK) < 0 && errno == ENOENT)
        dr_strv_add(lost->ids, id);
    return 0;
}

static void find_lost(void *arg, const char *network_id)
{
    struct lost *lost = arg;
    dr_auto_error struct dr_error ignored = DR_ERROR_INIT;
    lease_each(lost->guest, network_id, is_lost, lost, &ignored);
}

void net_settle(const struct guest *guest)
{
    dr_auto_strv char **ids = NULL;
    struct lost lost = {guest, &ids};
    lease_each_network(guest, find_lost, &lost);
    for (size_t i = 0; ids && ids[i]; i++)
        net_down(guest, ids[i]);
    wayout_settle(guest);
}

static void forget_members(void *arg, const char *network_id)
{
    const struct guest *guest = arg;
    dr_auto_error struct dr_error ignored = DR_ERROR_INIT;
    dr_auto_free char *path = dr_printf("%s/networks/%s", guest->run_root, network_id);
    dr_remove_all(AT_FDCWD, path, &ignored);
}

static int drop_bridge(void *arg, const struct network *network)
{
    const int *fd = arg;
    dr_auto_error struct dr_error ignored = DR_ERROR_INIT;
    char name[LINK_NAME];
    network_link_name(network, name);
    link_delete(*fd, name, &ignored);
    return 0;
}

void net_sweep(const struct guest *guest)
{
    dr_auto_error struct dr_error ignored = DR_ERROR_INIT;
    lease_each_network(guest, forget_members, (void *)guest);
    dr_auto_fd int fd = nl_open(NETLINK_ROUTE, &ignored);
    if (fd < 0 || network_each(guest, drop_bridge, &fd, &ignored) < 0 ||
        record_each(guest, drop_bridge, &fd, &ignored) < 0)
        return;
    wayout_close(guest);
}

/* "container:" and its id in the place of what was said. */
static int check_other(const struct guest *guest, struct spec_network *network,
                       struct dr_error *err)
{
    container_auto struct container other = {0};
    if (container_find(guest, network->name + strlen(CONTAINER), &other, err) < 0)
        return dr_wrap(err, "network %s", network->name);
    dr_auto_free char *said = network->name;
    network->name = dr_printf(CONTAINER "%s", other.id);
    return 0;
}

int net_check(const struct guest *guest, struct spec_container *spec,
              struct dr_error *err)
{
    switch (spec_network_mode(spec)) {
    case SPEC_NETWORK_NONE:
    case SPEC_NETWORK_HOST:
        return 0;
    case SPEC_NETWORK_CONTAINER:
        return check_other(guest, &spec->networks[0], err);
    case SPEC_NETWORK_BRIDGE:
        break;
    }
    for (size_t i = 0; i < spec->network_count; i++) {
        const char *name = spec->networks[i].name;
        network_auto struct network network = {0};
        if (network_load(guest, name ? name : SPEC_NETWORK_DEFAULT, &network, err) < 0)
            return -1;
    }
    return 0;
}
