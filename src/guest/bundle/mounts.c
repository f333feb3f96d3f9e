/* SPDX-License-Identifier: Apache-2.0 */
/*
 * "mounts" of config.json: Docker's defaults, then what the container brings, parents
 * before children. A mount of the spec or the image at a default's place takes that
 * place.
 */
#include <stdio.h>
#include <string.h>

#include "guest/bundle/parts.h"

#define SHM_DEFAULT (64LL << 20)

bool bundle_path_below(const char *path, const char *base)
{
    size_t len = strlen(base);
    return strncmp(path, base, len) == 0 && (path[len] == '\0' || path[len] == '/');
}

json_t *bundle_words(const char *const *words, size_t count)
{
    json_t *array = json_array();
    for (size_t i = 0; i < count; i++)
        json_array_append_new(array, json_string(words[i]));
    return array;
}

/* options: words with commas between them */
static json_t *mount_json(const char *target, const char *type, const char *source,
                          const char *options)
{
    json_t *json = json_object(), *array = json_array();
    for (const char *p = options; *p;) {
        size_t n = strcspn(p, ",");
        if (n)
            json_array_append_new(array, json_stringn(p, n));
        p += n + (p[n] == ',');
    }
    dr_json_set_str(json, "destination", target);
    dr_json_set_str(json, "type", type);
    dr_json_set_str(json, "source", source);
    dr_json_set(json, "options", array);
    return json;
}

static void drop_option(json_t *mount, const char *word)
{
    json_t *options = json_object_get(mount, "options");
    for (size_t i = json_array_size(options); i-- > 0;)
        if (strcmp(json_string_value(json_array_get(options, i)), word) == 0)
            json_array_remove(options, i);
}

static json_t *default_mounts(const struct bundle_input *in,
                              const struct bundle_security *security)
{
    static const struct {
        const char *target, *type, *source, *options;
    } table[] = {
        {"/proc", "proc", "proc", "nosuid,noexec,nodev"},
        {"/dev", "tmpfs", "tmpfs", "nosuid,strictatime,mode=755,size=65536k"},
        {"/dev/pts", "devpts", "devpts",
         "nosuid,noexec,newinstance,ptmxmode=0666,mode=0620,gid=5"},
        {"/sys", "sysfs", "sysfs", "nosuid,noexec,nodev,ro"},
        {"/sys/fs/cgroup", "cgroup", "cgroup", "nosuid,noexec,nodev,ro"},
        {"/dev/mqueue", "mqueue", "mqueue", "nosuid,noexec,nodev"},
        {"/dev/shm", "tmpfs", "shm", "nosuid,noexec,nodev,mode=1777"},
    };
    json_t *mounts = json_array();
    for (size_t i = 0; i < DR_COUNT(table); i++) {
        json_t *mount =
            mount_json(table[i].target, table[i].type, table[i].source, table[i].options);
        if (strcmp(table[i].target, "/dev/shm") == 0) {
            int64_t size = in->spec->shm_size_bytes;
            char option[40];
            snprintf(option, sizeof option, "size=%lld",
                     (long long)(size ? size : SHM_DEFAULT));
            json_array_append_new(json_object_get(mount, "options"), json_string(option));
        }
        bool cgroup = strcmp(table[i].type, "cgroup") == 0;
        bool sysfs = strcmp(table[i].type, "sysfs") == 0;
        if ((cgroup && security->writable_cgroups) || (sysfs && in->spec->privileged))
            drop_option(mount, "ro");
        json_array_append_new(mounts, mount);
    }
    return mounts;
}

static json_t *bind_json(const char *target, const char *source, const char *propagation,
                         bool read_only)
{
    dr_auto_free char *options =
        dr_printf("rbind,%s,%s", propagation, read_only ? "ro" : "rw");
    return mount_json(target, "bind", source, options);
}

/* nosuid, nodev and noexec unless the opposite is asked for, as Docker's --tmpfs. */
static json_t *tmpfs_json(const char *target, const char *options)
{
    dr_auto_free char *all =
        dr_printf("noexec,nosuid,nodev%s%s", options ? "," : "", options ? options : "");
    json_t *mount = mount_json(target, "tmpfs", "tmpfs", all);
    static const char *const opposites[][2] = {
        {"exec", "noexec"}, {"suid", "nosuid"}, {"dev", "nodev"}};
    json_t *list = json_object_get(mount, "options"), *word;
    size_t i;
    for (size_t o = 0; o < DR_COUNT(opposites); o++) {
        bool asked = false;
        json_array_foreach (list, i, word)
            asked |= strcmp(json_string_value(word), opposites[o][0]) == 0;
        if (asked)
            drop_option(mount, opposites[o][1]);
    }
    return mount;
}

static int spec_mount_json(const struct bundle_input *in, size_t index,
                           const char *target, json_t **ret, struct dr_error *err)
{
    const struct spec_mount *mount = &in->spec->mounts[index];
    switch (mount->type) {
    case SPEC_MOUNT_TMPFS:
        *ret = tmpfs_json(target, mount->options);
        return 0;
    case SPEC_MOUNT_BIND:
        *ret = bind_json(target, mount->source,
                         mount->options ? mount->options : "rprivate", mount->read_only);
        return 0;
    case SPEC_MOUNT_VOLUME:
        if (!in->volume_sources || !in->volume_sources[index])
            break;
        *ret = bind_json(target, in->volume_sources[index], "rprivate", mount->read_only);
        return 0;
    }
    return dr_fail(err, DR_ERR_INTERNAL, "mount at %s has no directory", target);
}

/* The runtimes refuse these too, each in words of its own. */
static int check_target(const char *target, struct dr_error *err)
{
    if (bundle_path_below(target, "/proc"))
        return dr_fail(err, DR_ERR_INVALID,
                       "a mount at '%s' is refused: it is inside /proc", target);
    return 0;
}

static int own_mounts(const struct bundle_input *in, json_t *mounts, struct dr_error *err)
{
    for (size_t i = 0; i < in->spec->mount_count; i++) {
        dr_auto_free char *target = spec_path_clean(in->spec->mounts[i].target);
        json_t *mount = NULL;
        if (check_target(target, err) < 0 ||
            spec_mount_json(in, i, target, &mount, err) < 0)
            return -1;
        json_array_append_new(mounts, mount);
    }
    for (size_t i = 0; i < in->image_volume_count; i++) {
        const struct bundle_volume *volume = &in->image_volumes[i];
        if (check_target(volume->target, err) < 0)
            return -1;
        json_array_append_new(
            mounts, bind_json(volume->target, volume->source, "rprivate", false));
    }
    return 0;
}

static json_t *find_target(json_t *mounts, const char *target)
{
    size_t i;
    json_t *mount;
    json_array_foreach (mounts, i, mount)
        if (strcmp(dr_json_str(mount, "destination"), target) == 0)
            return mount;
    return NULL;
}

/* hosts and friends, unless something of the user's is mounted right there. */
static void file_mounts(const struct bundle_input *in, json_t *mounts)
{
    const char *const files[][2] = {{"/etc/resolv.conf", in->resolv_file},
                                    {"/etc/hostname", in->hostname_file},
                                    {"/etc/hosts", in->hosts_file}};
    for (size_t i = 0; i < DR_COUNT(files); i++)
        if (files[i][1] && !find_target(mounts, files[i][0]))
            json_array_append_new(mounts, bind_json(files[i][0], files[i][1], "rprivate",
                                                    in->spec->read_only));
    if (in->spec->init && in->init_path)
        json_array_append_new(
            mounts, bind_json("/sbin/docker-init", in->init_path, "rprivate", true));
}

static size_t depth(const json_t *mount)
{
    size_t n = 0;
    for (const char *p = dr_json_str(mount, "destination"); *p; p++)
        n += *p == '/';
    return n;
}

/* Insertion sort by depth: stable, and there are few. */
static void append_sorted(json_t *to, json_t *own)
{
    size_t first = json_array_size(to), i;
    json_t *mount;
    json_array_foreach (own, i, mount) {
        size_t at = json_array_size(to);
        while (at > first && depth(json_array_get(to, at - 1)) > depth(mount))
            at--;
        json_array_insert(to, at, mount);
    }
}

json_t *bundle_mounts(const struct bundle_input *in,
                      const struct bundle_security *security, struct dr_error *err)
{
    dr_auto_json json_t *own = json_array();
    if (own_mounts(in, own, err) < 0)
        return NULL;
    dr_auto_json json_t *defaults = default_mounts(in, security);
    json_t *result = json_array(), *mount;
    /* Whoever brings a /dev or /sys of their own gets none of ours inside it. */
    const char *const roots[] = {"/dev", "/sys"};
    size_t i;
    json_array_foreach (defaults, i, mount) {
        const char *target = dr_json_str(mount, "destination");
        bool replaced = find_target(own, target) != NULL;
        for (size_t r = 0; r < DR_COUNT(roots); r++)
            replaced |= find_target(own, roots[r]) && bundle_path_below(target, roots[r]);
        if (!replaced)
            json_array_append(result, mount);
    }
    file_mounts(in, own);
    append_sorted(result, own);
    return result;
}
