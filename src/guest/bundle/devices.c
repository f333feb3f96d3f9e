/* SPDX-License-Identifier: Apache-2.0 */
/* --device and --privileged: device nodes, and what the device cgroup allows. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "guest/bundle/parts.h"

#define DEPTH_MAX 16
#define DEVICES_MAX 16384

/* Every runtime makes these itself (runtime-spec config-linux.md, "Default Devices"). */
static const char *const made_anyway[] = {
    "/dev/null",    "/dev/zero", "/dev/full",    "/dev/random",
    "/dev/urandom", "/dev/tty",  "/dev/console", "/dev/ptmx",
};

struct list {
    json_t *devices, *rules; /* rules NULL: privileged, one rule allows all */
};

static json_t *rule(bool allow, const char *type, int64_t major, int64_t minor,
                    const char *access)
{
    json_t *json = json_object();
    dr_json_set_bool(json, "allow", allow);
    dr_json_set_str(json, "type", type);
    if (major >= 0)
        dr_json_set_int(json, "major", major);
    if (minor >= 0)
        dr_json_set_int(json, "minor", minor);
    dr_json_set_str(json, "access", access);
    return json;
}

/* Docker's: null, zero, full, random, urandom, tty, console, and nothing else. */
static json_t *default_rules(void)
{
    static const int allowed[][2] = {{1, 5}, {1, 3}, {1, 9}, {1, 8},
                                     {1, 7}, {5, 0}, {5, 1}};
    json_t *rules = json_array();
    json_array_append_new(rules, rule(false, NULL, -1, -1, "rwm"));
    for (size_t i = 0; i < DR_COUNT(allowed); i++)
        json_array_append_new(rules,
                              rule(true, "c", allowed[i][0], allowed[i][1], "rwm"));
    return rules;
}

static bool is_made_anyway(const char *path)
{
    for (size_t i = 0; i < DR_COUNT(made_anyway); i++)
        if (strcmp(made_anyway[i], path) == 0)
            return true;
    return false;
}

static bool listed(const json_t *devices, const char *path)
{
    size_t i;
    json_t *device;
    json_array_foreach ((json_t *)devices, i, device)
        if (strcmp(dr_json_str(device, "path"), path) == 0)
            return true;
    return false;
}

static void add_node(struct list *list, const struct stat *st, const char *path,
                     const char *access)
{
    const char *type = S_ISBLK(st->st_mode) ? "b" : "c";
    if (list->rules)
        json_array_append_new(list->rules, rule(true, type, major(st->st_rdev),
                                                minor(st->st_rdev), access));
    if (is_made_anyway(path) || listed(list->devices, path) ||
        json_array_size(list->devices) >= DEVICES_MAX)
        return;
    json_t *json = json_object();
    dr_json_set_str(json, "path", path);
    dr_json_set_str(json, "type", type);
    dr_json_set_int(json, "major", major(st->st_rdev));
    dr_json_set_int(json, "minor", minor(st->st_rdev));
    dr_json_set_int(json, "fileMode", st->st_mode & 07777);
    dr_json_set_int(json, "uid", st->st_uid);
    dr_json_set_int(json, "gid", st->st_gid);
    json_array_append_new(list->devices, json);
}

/* File systems of their own, or names that lead to the runtime's descriptors. */
static bool skipped(const char *name)
{
    static const char *const names[] = {"pts",  "shm",         "mqueue",  "fd",  "core",
                                        ".lxc", ".lxd-mounts", "console", "ptmx"};
    for (size_t i = 0; i < DR_COUNT(names); i++)
        if (strcmp(names[i], name) == 0)
            return true;
    return false;
}

/* All nodes below `from`, as seen below `to`. Symlinks are not followed; what cannot be
 * looked at any more is left out, as Docker does. Recursion ends at DEPTH_MAX. */
static void add_tree(struct list *list, const char *from, const char *to,
                     const char *access, int levels)
{
    DIR *dir = opendir(from);
    if (!dir)
        return;
    for (struct dirent *entry; (entry = readdir(dir));) {
        struct stat st;
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0 ||
            skipped(entry->d_name) ||
            fstatat(dirfd(dir), entry->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
            continue;
        dr_auto_free char *inner_from = dr_printf("%s/%s", from, entry->d_name);
        dr_auto_free char *inner_to = dr_printf("%s/%s", to, entry->d_name);
        bool whiteout = S_ISCHR(st.st_mode) && st.st_rdev == 0;
        if (S_ISDIR(st.st_mode) && levels > 0)
            add_tree(list, inner_from, inner_to, access, levels - 1);
        else if ((S_ISCHR(st.st_mode) && !whiteout) || S_ISBLK(st.st_mode))
            add_node(list, &st, inner_to, access);
    }
    closedir(dir);
}

static int compare(const void *a, const void *b)
{
    return strcmp(dr_json_str(*(json_t *const *)a, "path"),
                  dr_json_str(*(json_t *const *)b, "path"));
}

/* readdir has no order; config.json shall have one. */
static void sort_devices(json_t *devices)
{
    size_t n = json_array_size(devices);
    json_t **items = dr_alloc((n + 1) * sizeof *items);
    for (size_t i = 0; i < n; i++)
        items[i] = json_incref(json_array_get(devices, i));
    qsort(items, n, sizeof *items, compare);
    json_array_clear(devices);
    for (size_t i = 0; i < n; i++)
        json_array_append_new(devices, items[i]);
    free(items);
}

static int add_device(struct list *list, const struct spec_device *device,
                      struct dr_error *err)
{
    struct stat st;
    dr_auto_free char *real = realpath(device->host_path, NULL);
    if (!real || stat(real, &st) < 0)
        return dr_fail_errno(err, errno == ENOENT ? DR_ERR_NOT_FOUND : DR_ERR_CREATE,
                             "device %s", device->host_path);
    dr_auto_free char *target = spec_path_clean(device->container_path);
    if (S_ISCHR(st.st_mode) || S_ISBLK(st.st_mode)) {
        add_node(list, &st, target, device->permissions);
        return 0;
    }
    if (!S_ISDIR(st.st_mode))
        return dr_fail(err, DR_ERR_INVALID,
                       "device %s: it is not a device, nor a directory of devices",
                       device->host_path);
    size_t before = json_array_size(list->devices);
    add_tree(list, real, target, device->permissions, DEPTH_MAX);
    if (json_array_size(list->devices) == before)
        return dr_fail(err, DR_ERR_INVALID,
                       "device %s: the directory has no devices in it",
                       device->host_path);
    return 0;
}

int bundle_devices(const struct bundle_input *in, json_t **ret_devices,
                   json_t **ret_rules, struct dr_error *err)
{
    bool all = in->spec->privileged;
    dr_auto_json json_t *devices = json_array(), *rules = json_array();
    if (all) {
        json_array_append_new(rules, rule(true, NULL, -1, -1, "rwm"));
    } else {
        json_decref(rules);
        rules = default_rules();
    }
    struct list list = {.devices = devices, .rules = all ? NULL : rules};
    for (size_t i = 0; i < in->spec->device_count; i++)
        if (add_device(&list, &in->spec->devices[i], err) < 0)
            return -1;
    if (all)
        add_tree(&list, "/dev", "/dev", "rwm", DEPTH_MAX);
    sort_devices(devices);
    *ret_devices = DR_TAKE(devices);
    *ret_rules = DR_TAKE(rules);
    return 0;
}
