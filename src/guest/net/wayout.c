/* SPDX-License-Identifier: Apache-2.0 */
#include "guest/net/wayout.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

#include "base/fs.h"
#include "guest/net/firewall.h"
#include "guest/net/lease.h"

struct up {
    const struct guest *guest;
    struct firewall_network *networks;
    size_t count;
};

static int add_network(void *arg, const struct network *network)
{
    struct up *up = arg;
    if (lease_count(up->guest, network->id) == 0)
        return 0;
    up->networks = dr_realloc(up->networks, (up->count + 1) * sizeof *up->networks);
    struct firewall_network *item = &up->networks[up->count++];
    *item = (struct firewall_network){.internal = network->internal};
    network_link_name(network, item->link);
    for (size_t i = 0; i < DR_COUNT(item->subnets); i++)
        item->subnets[i] = network->pools[i].subnet;
    return 0;
}

/* There before any rule of ours is, until all are gone (HAZARDS I3). It has a byte when
 * there was something to warn of: then who comes next looks again, too. */
static char *mark_path(const struct guest *guest)
{
    return dr_printf("%s/networks/rules", guest->run_root);
}

static int make_mark(const struct guest *guest, struct dr_error *err)
{
    dr_auto_free char *path = mark_path(guest);
    dr_auto_fd int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    return fd < 0 ? dr_fail_errno(err, DR_ERR_NETWORK, "make %s", path) : 0;
}

/* Without room for the byte the next one is not warned. */
static void note_warned(const struct guest *guest, bool warned)
{
    dr_auto_free char *path = mark_path(guest);
    dr_auto_fd int fd = open(path, O_WRONLY | O_TRUNC | O_CLOEXEC);
    if (fd >= 0 && warned)
        dr_write_full(fd, "!", 1);
}

static bool has_warned(const struct guest *guest)
{
    dr_auto_free char *path = mark_path(guest);
    struct stat mark;
    return stat(path, &mark) == 0 && mark.st_size > 0;
}

/* Who is there is looked at under the lock: whoever comes last sees everybody. */
static int sync_all(const struct guest *guest, char ***warnings, struct dr_error *err)
{
    dr_auto_free char *dir = dr_path_join(guest->run_root, "networks");
    dr_auto_free char *path = dr_path_join(dir, "firewall.lock");
    dr_auto_fd int lock = -1;
    struct up up = {.guest = guest};
    size_t before = dr_strv_len(*warnings);
    if ((access(dir, F_OK) < 0 && dr_mkdir_all(dir, 0700, err) < 0) ||
        dr_lock(AT_FDCWD, path, true, true, &lock, err) < 0)
        return -1;
    int result = network_each(guest, add_network, &up, err);
    if (result == 0 && up.count)
        result = make_mark(guest, err);
    if (result == 0)
        result = firewall_sync(guest->run_root, up.networks, up.count, warnings, err);
    dr_auto_free char *mark = mark_path(guest);
    if (result == 0 && up.count)
        note_warned(guest, dr_strv_len(*warnings) > before);
    else if (result == 0)
        unlink(mark);
    free(up.networks);
    return result;
}

int wayout_open(const struct guest *guest, const json_t *networks, char ***warnings,
                struct dr_error *err)
{
    size_t i;
    json_t *network;
    if (json_array_size(networks) > 0 && has_warned(guest))
        return sync_all(guest, warnings, err);
    json_array_foreach ((json_t *)networks, i, network) {
        char link[LINK_NAME];
        snprintf(link, sizeof link, "dr-%.12s", dr_json_str(network, "id"));
        if (!firewall_has(guest->run_root, link))
            return sync_all(guest, warnings, err);
    }
    return 0;
}

void wayout_close(const struct guest *guest)
{
    dr_auto_error struct dr_error ignored = DR_ERROR_INIT;
    dr_auto_strv char **warnings = NULL;
    sync_all(guest, &warnings, &ignored);
}

static void count_members(void *arg, const char *network_id)
{
    struct up *up = arg;
    up->count += (size_t)lease_count(up->guest, network_id);
}

void wayout_settle(const struct guest *guest)
{
    dr_auto_free char *mark = mark_path(guest);
    struct up up = {.guest = guest};
    if (access(mark, F_OK) < 0)
        return;
    lease_each_network(guest, count_members, &up);
    if (up.count == 0)
        wayout_close(guest);
}
