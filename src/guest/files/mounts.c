/* SPDX-License-Identifier: Apache-2.0 */
#include "guest/files/mounts.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "base/fs.h"
#include "guest/bundle/bundle.h"
#include "guest/files/view.h"

/* Makes what is missing on the way to path, inside the root; its last component becomes a
 * directory or an empty file. -1 with errno. */
static int make_target(int root, const char *path, bool directory)
{
    dr_auto_free char *copy = dr_strdup(path);
    dr_auto_fd int at = view_openat(root, "/", O_PATH | O_DIRECTORY);
    for (char *p = copy; at >= 0 && *p;) {
        char *name = p + strspn(p, "/"), *end = name + strcspn(name, "/");
        bool last = end[strspn(end, "/")] == '\0';
        char kept = *end;
        *end = '\0';
        int next = view_openat(root, copy, O_PATH);
        if (next < 0 && errno == ENOENT && *name) {
            if (last && !directory) {
                dr_auto_fd int made = openat(
                    at, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
            } else {
                mkdirat(at, name, 0755);
            }
            next = view_openat(root, copy, O_PATH);
        }
        if (next < 0)
            return -1;
        close(at);
        at = next;
        *end = kept;
        p = end;
    }
    return at < 0 ? -1 : DR_TAKE_FD(at);
}

static bool has_option(const json_t *mount, const char *word)
{
    size_t i;
    json_t *option;
    json_array_foreach (dr_json_array(mount, "options"), i, option)
        if (strcmp(json_string_value(option), word) == 0)
            return true;
    return false;
}

static int bind_one(int root, const json_t *entry, bool make, struct dr_error *err)
{
    const char *target = dr_json_str(entry, "destination"),
               *source = dr_json_str(entry, "source");
    struct stat st;
    char place[48];
    if (!target || !source || stat(source, &st) < 0)
        return 0; /* a source that went away: the start will say so */
    bool directory = S_ISDIR(st.st_mode);
    dr_auto_fd int at =
        make ? make_target(root, target, directory) : view_openat(root, target, O_PATH);
    if (at < 0)
        return make && errno != ELOOP && errno != ENOTDIR
                   ? dr_fail_errno(err, DR_ERR_INTERNAL, "make the mount point %s",
                                   target)
                   : 0;
    if (fstat(at, &st) < 0 || S_ISDIR(st.st_mode) != directory)
        return 0;
    /* by descriptor: nothing can be put in its place any more */
    snprintf(place, sizeof place, "/proc/self/fd/%d", at);
    if (mount(source, place, NULL, MS_BIND | MS_REC, NULL) < 0)
        return dr_fail_errno(err, DR_ERR_INTERNAL, "mount %s at %s", source, target);
    if (!has_option(entry, "ro"))
        return 0;
    dr_auto_fd int top = view_openat(root, target, O_PATH);
    snprintf(place, sizeof place, "/proc/self/fd/%d", top);
    if (top < 0 || mount(NULL, place, NULL, MS_REMOUNT | MS_BIND | MS_RDONLY, NULL) < 0)
        return dr_fail_errno(err, DR_ERR_INTERNAL, "make %s read-only", target);
    return 0;
}

int view_mount_binds(const char *rootfs, const struct container *c, bool make,
                     struct dr_error *err)
{
    dr_auto_free char *path =
        dr_path_join(dr_json_str(c->record, "bundle"), "config.json");
    dr_auto_buf struct dr_buf text = DR_BUF_INIT(RECORD_MAX);
    if (dr_file_read(AT_FDCWD, path, &text, err) < 0)
        return -1;
    dr_auto_json json_t *config = bundle_parse(text.data ? text.data : "", text.len, err);
    if (!config)
        return dr_wrap(err, "%s", path);
    dr_auto_fd int root = open(rootfs, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (root < 0)
        return dr_fail_errno(err, DR_ERR_INTERNAL, "open %s", rootfs);
    size_t i;
    json_t *entry;
    json_array_foreach (dr_json_array(config, "mounts"), i, entry) {
        const char *type = dr_json_str(entry, "type");
        const char *target = dr_json_str(entry, "destination");
        /* our own init is nobody's file */
        if (!type || strcmp(type, "bind") != 0 ||
            (target && strcmp(target, "/sbin/docker-init") == 0))
            continue;
        if (bind_one(root, entry, make, err) < 0)
            return -1;
    }
    return 0;
}
