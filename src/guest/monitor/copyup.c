/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Filling an empty volume from the image. The copy is made beside the volume's directory
 * and then takes its place in one rename, so that a crash leaves the volume empty, to be
 * filled the next time. A lock on the volume keeps two containers from doing it at once.
 */
#include "guest/monitor/setup.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/xattr.h>

#include "base/fs.h"

#define DEPTH_MAX                                                                        \
    256 /* directories open at once; deeper trees are no image's volumes                 \
         */
#define XATTR_MAX 65536

static int copy_xattrs(int from, int to)
{
    char names[4096];
    ssize_t len = flistxattr(from, names, sizeof names);
    if (len <= 0)
        return 0; /* none, or none possible there */
    dr_auto_free char *value = malloc(XATTR_MAX);
    for (char *name = names; value && name < names + len; name += strlen(name) + 1) {
        /* user.*, capabilities and ACLs; the overlay's own are not the image's (H1) */
        if (strncmp(name, "trusted.", 8) == 0 || strcmp(name, "security.selinux") == 0)
            continue;
        ssize_t size = fgetxattr(from, name, value, XATTR_MAX);
        if (size >= 0 && fsetxattr(to, name, value, (size_t)size, 0) < 0 &&
            errno != ENOTSUP)
            return -1;
    }
    return 0;
}

static int copy_attributes(int from, int to, const struct stat *st)
{
    struct timespec times[2] = {st->st_atim, st->st_mtim};
    if (fchown(to, st->st_uid, st->st_gid) < 0 || copy_xattrs(from, to) < 0 ||
        fchmod(to, st->st_mode & 07777) < 0)
        return -1;
    return futimens(to, times);
}

static int copy_bytes(int from, int to)
{
    for (;;) {
        ssize_t n = copy_file_range(from, NULL, to, NULL, 1 << 30, 0);
        if (n == 0)
            return 0;
        if (n < 0)
            break;
    }
    if (errno != EXDEV && errno != EINVAL && errno != ENOSYS && errno != EOPNOTSUPP)
        return -1;
    dr_auto_free char *buffer = malloc(65536);
    ssize_t n;
    while (buffer && (n = read(from, buffer, 65536)) > 0)
        if (dr_write_full(to, buffer, (size_t)n) < 0)
            return -1;
    return buffer && n == 0 ? 0 : -1;
}

static int copy_file(int from_dir, int to_dir, const char *name, const struct stat *st)
{
    dr_auto_fd int from =
        openat(from_dir, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
    dr_auto_fd int to =
        from < 0 ? -1
                 : openat(to_dir, name,
                          O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (to < 0 || copy_bytes(from, to) < 0)
        return -1;
    return copy_attributes(from, to, st);
}

static int copy_symlink(int from_dir, int to_dir, const char *name, const struct stat *st)
{
    char target[PATH_MAX];
    ssize_t n = readlinkat(from_dir, name, target, sizeof target - 1);
    if (n < 0)
        return -1;
    target[n] = '\0';
    struct timespec times[2] = {st->st_atim, st->st_mtim};
    if (symlinkat(target, to_dir, name) < 0 ||
        fchownat(to_dir, name, st->st_uid, st->st_gid, AT_SYMLINK_NOFOLLOW) < 0)
        return -1;
    return utimensat(to_dir, name, times, AT_SYMLINK_NOFOLLOW);
}

static int copy_tree(int from, int to, int depth, struct dr_error *err);

static int copy_entry(int from, int to, const char *name, int depth, struct dr_error *err)
{
    struct stat st;
    int result = 0;
    if (fstatat(from, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return dr_fail_errno(err, DR_ERR_START, "copy %s", name);
    if (S_ISREG(st.st_mode)) {
        result = copy_file(from, to, name, &st);
    } else if (S_ISLNK(st.st_mode)) {
        result = copy_symlink(from, to, name, &st);
    } else if (S_ISDIR(st.st_mode)) {
        if (depth >= DEPTH_MAX)
            return dr_fail(err, DR_ERR_START,
                           "the image's volume nests more than %d deep", DEPTH_MAX);
        dr_auto_fd int next =
            openat(from, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        result = next < 0 ? -1 : mkdirat(to, name, 0700);
        dr_auto_fd int made =
            result < 0
                ? -1
                : openat(to, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (made >= 0 && copy_tree(next, made, depth + 1, err) < 0)
            return -1;
        result = made < 0 ? -1 : copy_attributes(next, made, &st);
    } /* sockets, fifos and devices are nobody's data */
    return result < 0 ? dr_fail_errno(err, DR_ERR_START, "copy %s", name) : 0;
}

static int copy_tree(int from, int to, int depth, struct dr_error *err)
{
    int copy = openat(from, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), result = 0;
    DIR *dir = copy >= 0 ? fdopendir(copy) : NULL;
    if (!dir)
        return dr_fail_errno(err, DR_ERR_START, "read the image's volume");
    struct dirent *entry;
    while (result == 0 && (entry = readdir(dir)))
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            result = copy_entry(from, to, entry->d_name, depth, err);
    closedir(dir);
    return result;
}

static bool is_empty(const char *path)
{
    DIR *dir = opendir(path);
    struct dirent *entry;
    bool empty = dir != NULL;
    while (empty && (entry = readdir(dir)))
        empty = strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0;
    if (dir)
        closedir(dir);
    return empty;
}

static int fill(int from, const char *source, struct dr_error *err)
{
    dr_auto_free char *volume = dr_strdup(source);
    *strrchr(volume, '/') = '\0';
    dr_auto_free char *lock_path = dr_path_join(volume, "lock");
    dr_auto_free char *fresh = dr_path_join(volume, "fresh");
    dr_auto_fd int lock = -1;
    if (dr_lock(AT_FDCWD, lock_path, true, true, &lock, err) < 0)
        return -1;
    if (!is_empty(source))
        return 0;
    struct stat st;
    if (dr_remove_all(AT_FDCWD, fresh, err) < 0)
        return -1;
    if (fstat(from, &st) < 0 || mkdir(fresh, 0700) < 0)
        return dr_fail_errno(err, DR_ERR_START, "make %s", fresh);
    dr_auto_fd int to = open(fresh, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (to < 0 || copy_tree(from, to, 0, err) < 0 || copy_attributes(from, to, &st) < 0) {
        dr_auto_error struct dr_error ignored = DR_ERROR_INIT;
        if (err->kind == DR_ERR_NONE)
            dr_fail_errno(err, DR_ERR_START, "copy to %s", fresh);
        dr_remove_all(AT_FDCWD, fresh, &ignored);
        return -1;
    }
    if (rename(fresh, source) < 0)
        return dr_fail_errno(err, DR_ERR_START, "put %s in place", source);
    return 0;
}

int setup_volumes(const char *rootfs, const json_t *volumes, struct dr_error *err)
{
    dr_auto_fd int root = -1;
    size_t i;
    json_t *volume;
    json_array_foreach (volumes, i, volume) {
        const char *source = dr_json_str(volume, "source");
        if (!source || !dr_json_bool(volume, "copy") || !is_empty(source))
            continue;
        if (root < 0 && (root = open(rootfs, O_PATH | O_DIRECTORY | O_CLOEXEC)) < 0)
            return dr_fail_errno(err, DR_ERR_START, "open %s", rootfs);
        struct open_how how = {.flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC,
                               .resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS};
        const char *target = dr_json_str(volume, "target");
        dr_auto_fd int from = (int)syscall(SYS_openat2, root, target, &how, sizeof how);
        if (from < 0)
            continue; /* the image has no such directory: the volume stays empty */
        if (fill(from, source, err) < 0)
            return dr_wrap(err, "fill volume %.64s", dr_json_str(volume, "name"));
    }
    return 0;
}
