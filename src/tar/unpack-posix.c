/* SPDX-License-Identifier: Apache-2.0 */
#include "tar/unpack.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

#include "base/text.h"
#include "tar/names.h"
#include "tar/payload.h"

#define RACES_MAX 64 /* openat2 says EAGAIN when something was renamed on the way */
#define TMP_NAME 40

/* A directory whose mode and times come once nothing is put into it any more. */
struct late {
    size_t path_len;
    mode_t mode;
    struct timespec times[2];
};

struct unpacking {
    const struct tar_unpack *how;
    struct tar_unpacked done;
    int at; /* parent of the entry at hand: owned */
    char parent[PATH_MAX];
    size_t parent_len;
    bool parent_known;
    char path[PATH_MAX]; /* of the entry */
    const char *name;    /* its last component */
    /* a stack: each a directory inside the one before */
    struct late late[TAR_DEPTH_MAX + 1];
    size_t n_late;
    char late_path[PATH_MAX];
};

static int failed(const char *what, const char *path, struct dr_error *err)
{
    int number = errno;
    dr_auto_free char *shown = dr_escape(path, 200);
    errno = number;
    if (number == EROFS)
        return dr_fail(err, DR_ERR_CONFLICT, "%s %s: it is mounted read-only", what,
                       shown);
    if (number == ENAMETOOLONG)
        return dr_fail(err, DR_ERR_FORMAT, "%s %s: a name is too long", what, shown);
    return dr_fail_errno(err, DR_ERR_INTERNAL, "%s %s", what, shown);
}

static int conflict(const char *path, const char *why, struct dr_error *err)
{
    dr_auto_free char *shown = dr_escape(path, 200);
    return dr_fail(err, DR_ERR_CONFLICT, "%s: %s", shown, why);
}

/* --- finding the place --- */

/* path below the base. Returns -1 with errno. */
static int open_below(const struct tar_unpack *how, const char *path, uint64_t flags)
{
    dr_auto_free char *full =
        dr_printf("%s/%s", how->base && *how->base ? how->base : ".", *path ? path : ".");
    struct open_how open = {.flags = flags | O_CLOEXEC, .resolve = RESOLVE_NO_MAGICLINKS};
    open.resolve |= how->follow ? RESOLVE_IN_ROOT : RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS;
    for (int races = 0;; races++) {
        int fd = (int)syscall(SYS_openat2, how->root, full, &open, sizeof open);
        if (fd >= 0 || errno != EAGAIN || races == RACES_MAX)
            return fd;
    }
}

static int cannot_go_in(const char *path, struct dr_error *err)
{
    if (errno == ELOOP)
        return conflict(path, "a symbolic link on the way is not followed", err);
    if (errno == ENOENT)
        return conflict(path, "a symbolic link on the way leads nowhere", err);
    if (errno == ENOTDIR)
        return conflict(path, "it is no directory, and nothing can be put into it", err);
    return failed("open", path, err);
}

/* Makes what is missing of the directory path (len bytes of it). */
static int make_parents(struct unpacking *u, char *path, size_t len, struct dr_error *err)
{
    for (size_t end = 0; end < len; end++) {
        end += strcspn(path + end, "/");
        char kept = path[end];
        path[end] = '\0';
        int fd = open_below(u->how, path, O_PATH | O_DIRECTORY);
        if (fd < 0 && errno == ENOENT) {
            char *slash = strrchr(path, '/');
            if (slash)
                *slash = '\0';
            dr_auto_fd int at =
                open_below(u->how, slash ? path : "", O_PATH | O_DIRECTORY);
            if (slash)
                *slash = '/';
            const char *name = slash ? slash + 1 : path;
            if (at < 0 || (mkdirat(at, name, 0755) < 0 && errno != EEXIST))
                return failed("make", path, err);
            if (u->how->chown &&
                fchownat(at, name, u->how->uid, u->how->gid, AT_SYMLINK_NOFOLLOW) < 0)
                return failed("set the owner of", path, err);
            fd = open_below(u->how, path, O_PATH | O_DIRECTORY);
        }
        if (fd < 0)
            return cannot_go_in(path, err);
        close(fd);
        path[end] = kept;
    }
    return 0;
}

static void forget_parent(struct unpacking *u)
{
    if (u->at >= 0)
        close(u->at);
    u->at = -1;
    u->parent_known = false;
}

/* u->path is set: opens its parent. */
static int find_place(struct unpacking *u, struct dr_error *err)
{
    const char *slash = strrchr(u->path, '/');
    size_t len = slash ? (size_t)(slash - u->path) : 0;
    u->name = slash ? slash + 1 : u->path;
    if (u->parent_known && u->parent_len == len && memcmp(u->parent, u->path, len) == 0)
        return 0;
    forget_parent(u);
    memcpy(u->parent, u->path, len);
    u->parent[len] = '\0';
    u->parent_len = len;
    u->at = open_below(u->how, u->parent, O_PATH | O_DIRECTORY);
    if (u->at < 0 && errno == ENOENT) {
        if (make_parents(u, u->parent, len, err) < 0)
            return -1;
        u->at = open_below(u->how, u->parent, O_PATH | O_DIRECTORY);
    }
    if (u->at < 0)
        return cannot_go_in(u->parent, err);
    u->parent_known = true;
    return 0;
}

/* --- metadata --- */

static mode_t mode_of(const struct unpacking *u, const struct tar_entry *e)
{
    return u->how->owners || u->how->chown ? e->mode : e->mode & 01777;
}

static int set_owner(const struct unpacking *u, int fd, const struct tar_entry *e)
{
    if (!u->how->owners && !u->how->chown)
        return 0;
    return fchownat(fd, "", u->how->owners ? e->uid : u->how->uid,
                    u->how->owners ? e->gid : u->how->gid, AT_EMPTY_PATH);
}

static int set_xattrs(const struct unpacking *u, int fd, const struct tar_entry *e)
{
    for (size_t i = 0; u->how->xattrs && i < e->n_xattrs; i++)
        if (tar_xattr_portable(e->xattrs[i].name) &&
            fsetxattr(fd, e->xattrs[i].name, e->xattrs[i].value, e->xattrs[i].len, 0) <
                0 &&
            errno != ENOTSUP)
            return -1;
    return 0;
}

/* owner, xattrs, mode, times: a change of owner clears what comes behind it */
static int set_all(const struct unpacking *u, int fd, const struct tar_entry *e,
                   struct dr_error *err)
{
    const struct timespec times[2] = {e->mtime, e->mtime};
    if (set_owner(u, fd, e) < 0)
        return failed("set the owner of", u->path, err);
    if (set_xattrs(u, fd, e) < 0)
        return failed("set the xattrs of", u->path, err);
    if (fchmod(fd, mode_of(u, e)) < 0)
        return failed("set the mode of", u->path, err);
    return futimens(fd, times) < 0 ? failed("set the times of", u->path, err) : 0;
}

/* The same for what must not be opened: by an O_PATH descriptor, since a name could be
 * another file by now. */
static int set_special(const struct unpacking *u, int at, const char *name,
                       const struct tar_entry *e, struct dr_error *err)
{
    char path[48];
    struct stat st;
    const struct timespec times[2] = {e->mtime, e->mtime};
    dr_auto_fd int fd = openat(at, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &st) < 0)
        return failed("open", u->path, err);
    if (S_ISREG(st.st_mode) || S_ISDIR(st.st_mode))
        return conflict(u->path, "something else is in its place", err);
    if (set_owner(u, fd, e) < 0)
        return failed("set the owner of", u->path, err);
    if (S_ISLNK(st.st_mode)) {
        utimensat(fd, "", times, AT_EMPTY_PATH); /* kernels before 5.8 cannot */
        return 0;
    }
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    if (chmod(path, mode_of(u, e)) < 0 || utimensat(AT_FDCWD, path, times, 0) < 0)
        return failed("set the mode of", u->path, err);
    return 0;
}

/* --- directories: mode and times come late --- */

static int apply_late(struct unpacking *u, const struct late *late, struct dr_error *err)
{
    char kept = u->late_path[late->path_len];
    u->late_path[late->path_len] = '\0';
    dr_auto_fd int fd =
        open_below(u->how, u->late_path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
    int result = 0;
    /* one that somebody took away or made unreadable meanwhile is not ours any more */
    if (fd >= 0 && (fchmod(fd, late->mode) < 0 || futimens(fd, late->times) < 0))
        result = failed("set the mode of", u->late_path, err);
    u->late_path[late->path_len] = kept;
    return result;
}

/* Finishes the directories that path is not in. */
static int leave_for(struct unpacking *u, const char *path, struct dr_error *err)
{
    while (u->n_late > 0) {
        const struct late *late = &u->late[u->n_late - 1];
        size_t n = late->path_len;
        if (path && strncmp(u->late_path, path, n) == 0 && path[n] == '/')
            return 0;
        u->n_late--;
        if (apply_late(u, late, err) < 0)
            return -1;
    }
    return 0;
}

static void add_late(struct unpacking *u, const struct tar_entry *e)
{
    size_t len = strlen(u->path);
    memcpy(u->late_path, u->path, len + 1);
    u->late[u->n_late++] = (struct late){
        .path_len = len, .mode = mode_of(u, e), .times = {e->mtime, e->mtime}};
}

static int unpack_directory(struct unpacking *u, const struct tar_entry *e,
                            struct dr_error *err)
{
    bool fresh = mkdirat(u->at, u->name, 0700) == 0;
    if (!fresh && errno != EEXIST)
        return failed("make", u->path, err);
    dr_auto_fd int fd =
        openat(u->at, u->name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0 && (errno == ENOTDIR || errno == ELOOP))
        return conflict(u->path, "a directory cannot replace what is there", err);
    if (fd < 0)
        return failed("open", u->path, err);
    if (!fresh && !u->how->owners)
        return 0;
    if (set_owner(u, fd, e) < 0)
        return failed("set the owner of", u->path, err);
    if (set_xattrs(u, fd, e) < 0)
        return failed("set the xattrs of", u->path, err);
    add_late(u, e);
    return 0;
}

/* --- putting something in place of what is there --- */

static void temporary(char ret[TMP_NAME])
{
    char random[17];
    dr_random_hex(16, random);
    snprintf(ret, TMP_NAME, ".dray-%s", random);
}

/* tmp, in the same directory, takes the entry's name unless a directory has it. */
static int move_in(struct unpacking *u, const char *tmp, struct dr_error *err)
{
    if (renameat(u->at, tmp, u->at, u->name) == 0) {
        unlinkat(u->at, tmp, 0); /* two names of one file: rename does nothing */
        forget_parent(u);        /* it may be a link on the way to what comes next */
        return 0;
    }
    int number = errno;
    unlinkat(u->at, tmp, 0);
    errno = number;
    if (number == EISDIR)
        return conflict(u->path, "it is a directory, and only one can replace it", err);
    if (number == EBUSY)
        return conflict(u->path, "something is mounted there: it cannot be replaced",
                        err);
    return failed("write", u->path, err);
}

static int write_payload(struct unpacking *u, struct tar *tar, const struct tar_entry *e,
                         int fd, struct dr_error *err)
{
    int result = tar_payload_write(tar, e, fd, err);
    return result > 0 ? failed("write", u->path, err) : result;
}

static int unpack_file(struct unpacking *u, struct tar *tar, const struct tar_entry *e,
                       struct dr_error *err)
{
    char tmp[TMP_NAME], proc[48];
    bool named = false;
    temporary(tmp);
    /* without a name nothing is left when we are killed; not every file system can */
    dr_auto_fd int fd = openat(u->at, ".", O_WRONLY | O_TMPFILE | O_CLOEXEC, 0600);
    if (fd < 0 && errno != EROFS && errno != ENOSPC && errno != EDQUOT) {
        fd = openat(u->at, tmp, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
                    0600);
        named = fd >= 0;
    }
    if (fd < 0)
        return failed("create", u->path, err);
    if (write_payload(u, tar, e, fd, err) < 0 || set_all(u, fd, e, err) < 0) {
        if (named)
            unlinkat(u->at, tmp, 0);
        return -1;
    }
    if (named)
        return move_in(u, tmp, err);
    snprintf(proc, sizeof proc, "/proc/self/fd/%d", fd);
    if (linkat(AT_FDCWD, proc, u->at, u->name, AT_SYMLINK_FOLLOW) == 0)
        return 0;
    if (errno != EEXIST || linkat(AT_FDCWD, proc, u->at, tmp, AT_SYMLINK_FOLLOW) < 0)
        return failed("create", u->path, err);
    return move_in(u, tmp, err);
}

static int unpack_symlink(struct unpacking *u, const struct tar_entry *e,
                          struct dr_error *err)
{
    char tmp[TMP_NAME];
    temporary(tmp);
    if (!*e->link)
        return conflict(u->path, "a symbolic link without a target", err);
    if (symlinkat(e->link, u->at, tmp) < 0)
        return failed("make the link", u->path, err);
    if (set_special(u, u->at, tmp, e, err) < 0) {
        unlinkat(u->at, tmp, 0);
        return -1;
    }
    return move_in(u, tmp, err);
}

static int unpack_special(struct unpacking *u, const struct tar_entry *e,
                          struct dr_error *err)
{
    char tmp[TMP_NAME];
    mode_t type = e->type == TAR_FIFO ? S_IFIFO : e->type == TAR_CHAR ? S_IFCHR : S_IFBLK;
    if (type != S_IFIFO &&
        (!u->how->devices || (e->dev_major == 0 && e->dev_minor == 0))) {
        u->done.skipped++;
        return 0;
    }
    temporary(tmp);
    if (mknodat(u->at, tmp, type | 0600, makedev(e->dev_major, e->dev_minor)) < 0)
        return failed("make", u->path, err);
    if (set_special(u, u->at, tmp, e, err) < 0) {
        unlinkat(u->at, tmp, 0);
        return -1;
    }
    return move_in(u, tmp, err);
}

static int rename_first(const struct tar_unpack *how, char path[PATH_MAX],
                        struct dr_error *err)
{
    if (!how->from)
        return 0;
    size_t n = strlen(how->from);
    if (n > 0 && (strncmp(path, how->from, n) != 0 || (path[n] && path[n] != '/'))) {
        dr_auto_free char *shown = dr_escape(path, 200);
        return dr_fail(err, DR_ERR_FORMAT,
                       "the archive has an entry %s that nobody asked for", shown);
    }
    dr_auto_free char *renamed =
        dr_printf("%s%s%s", how->to, n == 0 && *path ? "/" : "", path + n);
    if (strlen(renamed) >= PATH_MAX)
        return dr_fail(err, DR_ERR_FORMAT, "a path in the archive is too long");
    memcpy(path, renamed, strlen(renamed) + 1);
    return 0;
}

static int clean(const struct tar_unpack *how, const char *name, const char *what,
                 char ret[PATH_MAX], struct dr_error *err)
{
    size_t len;
    if (tar_name_clean(name, what, ret, &len, err) < 0)
        return -1;
    return rename_first(how, ret, err);
}

/* CVE-2021-32760: the target is found as an entry would be, and not followed. */
static int unpack_hardlink(struct unpacking *u, const struct tar_entry *e,
                           struct dr_error *err)
{
    char target[PATH_MAX], tmp[TMP_NAME];
    if (clean(u->how, e->link, "hard link target", target, err) < 0)
        return -1;
    char *slash = strrchr(target, '/');
    const char *name = slash ? slash + 1 : target;
    if (slash)
        *slash = '\0';
    dr_auto_fd int at = open_below(u->how, slash ? target : "", O_PATH | O_DIRECTORY);
    struct stat st;
    if (at < 0 || fstatat(at, name, &st, AT_SYMLINK_NOFOLLOW) < 0 ||
        S_ISDIR(st.st_mode)) {
        dr_auto_free char *from = dr_escape(u->path, 200), *to = dr_escape(e->link, 200);
        return dr_fail(err, DR_ERR_FORMAT,
                       "the hard link %s points to %s, which is not there", from, to);
    }
    temporary(tmp);
    if (linkat(at, name, u->at, tmp, 0) < 0)
        return failed("make the hard link", u->path, err);
    return move_in(u, tmp, err);
}

static int unpack_entry(struct unpacking *u, struct tar *tar, const struct tar_entry *e,
                        struct dr_error *err)
{
    if (clean(u->how, e->name, "name", u->path, err) < 0 ||
        leave_for(u, u->path, err) < 0)
        return -1;
    if (!*u->path) /* the base: it is there, and stays what it is */
        return e->type == TAR_DIR
                   ? 0
                   : dr_fail(err, DR_ERR_FORMAT,
                             "the archive's root is not a directory in it");
    if (find_place(u, err) < 0)
        return -1;
    switch (e->type) {
    case TAR_FILE:
        return unpack_file(u, tar, e, err);
    case TAR_DIR:
        return unpack_directory(u, e, err);
    case TAR_HARDLINK:
        return unpack_hardlink(u, e, err);
    case TAR_SYMLINK:
        return unpack_symlink(u, e, err);
    case TAR_FIFO:
    case TAR_CHAR:
    case TAR_BLOCKDEV:
        return unpack_special(u, e, err);
    }
    return 0;
}

int tar_unpack(const struct tar_unpack *how, struct tar *tar, struct tar_unpacked *ret,
               struct dr_error *err)
{
    struct unpacking *u = dr_alloc(sizeof *u);
    u->how = how;
    u->at = -1;
    struct tar_entry entry;
    int result;
    while ((result = tar_next(tar, &entry, err)) > 0) {
        if (unpack_entry(u, tar, &entry, err) < 0) {
            result = -1;
            break;
        }
        u->done.entries++;
    }
    dr_auto_error struct dr_error late = DR_ERROR_INIT;
    if (leave_for(u, NULL, result < 0 ? &late : err) < 0)
        result = -1;
    if (ret)
        *ret = u->done;
    forget_parent(u);
    free(u);
    return result;
}
