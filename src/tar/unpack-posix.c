/* SPDX-License-Identifier: Apache-2.0 */
#include "tar/unpack-private.h"

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

#define RACES_MAX 64 /* openat2 says EAGAIN when something was renamed on the way */
#define TMP_NAME 40

/* A directory whose mode and times come once nothing is put into it any more. */
struct late {
    size_t path_len;
    mode_t mode;
    struct timespec times[2];
};

struct unpacking {
    struct unpack all;
    int at; /* parent of the entry at hand: owned */
    char parent[PATH_MAX];
    size_t parent_len;
    bool parent_known;
    const char *name; /* the entry's last component */
    /* a stack: each a directory inside the one before */
    struct late late[TAR_DEPTH_MAX + 1];
    size_t n_late;
    char late_path[PATH_MAX];
};

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
        return unpack_conflict(path, "a symbolic link on the way is not followed", err);
    if (errno == ENOENT)
        return unpack_conflict(path, "a symbolic link on the way leads nowhere", err);
    if (errno == ENOTDIR)
        return unpack_conflict(path, "it is no directory, and nothing can be put into it",
                               err);
    return unpack_failed("open", path, err);
}

/* Makes what is missing of the directory path (len bytes of it). */
static int make_parents(struct unpacking *u, char *path, size_t len, struct dr_error *err)
{
    for (size_t end = 0; end < len; end++) {
        end += strcspn(path + end, "/");
        char kept = path[end];
        path[end] = '\0';
        int fd = open_below(u->all.how, path, O_PATH | O_DIRECTORY);
        if (fd < 0 && errno == ENOENT) {
            char *slash = strrchr(path, '/');
            if (slash)
                *slash = '\0';
            dr_auto_fd int at =
                open_below(u->all.how, slash ? path : "", O_PATH | O_DIRECTORY);
            if (slash)
                *slash = '/';
            const char *name = slash ? slash + 1 : path;
            if (at < 0 || (mkdirat(at, name, 0755) < 0 && errno != EEXIST))
                return unpack_failed("make", path, err);
            if (u->all.how->chown && fchownat(at, name, u->all.how->uid, u->all.how->gid,
                                              AT_SYMLINK_NOFOLLOW) < 0)
                return unpack_failed("set the owner of", path, err);
            fd = open_below(u->all.how, path, O_PATH | O_DIRECTORY);
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

/* u->all.path is set: opens its parent. */
static int find_place(struct unpacking *u, struct dr_error *err)
{
    const char *slash = strrchr(u->all.path, '/');
    size_t len = slash ? (size_t)(slash - u->all.path) : 0;
    u->name = slash ? slash + 1 : u->all.path;
    if (u->parent_known && u->parent_len == len &&
        memcmp(u->parent, u->all.path, len) == 0)
        return 0;
    forget_parent(u);
    memcpy(u->parent, u->all.path, len);
    u->parent[len] = '\0';
    u->parent_len = len;
    u->at = open_below(u->all.how, u->parent, O_PATH | O_DIRECTORY);
    if (u->at < 0 && errno == ENOENT) {
        if (make_parents(u, u->parent, len, err) < 0)
            return -1;
        u->at = open_below(u->all.how, u->parent, O_PATH | O_DIRECTORY);
    }
    if (u->at < 0)
        return cannot_go_in(u->parent, err);
    u->parent_known = true;
    return 0;
}

/* --- metadata --- */

static mode_t mode_of(const struct unpacking *u, const struct tar_entry *e)
{
    return u->all.how->owners || u->all.how->chown ? e->mode : e->mode & 01777;
}

static int set_owner(const struct unpacking *u, int fd, const struct tar_entry *e)
{
    if (!u->all.how->owners && !u->all.how->chown)
        return 0;
    return fchownat(fd, "", u->all.how->owners ? e->uid : u->all.how->uid,
                    u->all.how->owners ? e->gid : u->all.how->gid, AT_EMPTY_PATH);
}

static int set_xattrs(const struct unpacking *u, int fd, const struct tar_entry *e)
{
    for (size_t i = 0; u->all.how->xattrs && i < e->n_xattrs; i++)
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
        return unpack_failed("set the owner of", u->all.path, err);
    if (set_xattrs(u, fd, e) < 0)
        return unpack_failed("set the xattrs of", u->all.path, err);
    if (fchmod(fd, mode_of(u, e)) < 0)
        return unpack_failed("set the mode of", u->all.path, err);
    return futimens(fd, times) < 0 ? unpack_failed("set the times of", u->all.path, err)
                                   : 0;
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
        return unpack_failed("open", u->all.path, err);
    if (S_ISREG(st.st_mode) || S_ISDIR(st.st_mode))
        return unpack_conflict(u->all.path, "something else is in its place", err);
    if (set_owner(u, fd, e) < 0)
        return unpack_failed("set the owner of", u->all.path, err);
    if (S_ISLNK(st.st_mode)) {
        utimensat(fd, "", times, AT_EMPTY_PATH); /* kernels before 5.8 cannot */
        return 0;
    }
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    if (chmod(path, mode_of(u, e)) < 0 || utimensat(AT_FDCWD, path, times, 0) < 0)
        return unpack_failed("set the mode of", u->all.path, err);
    return 0;
}

/* --- directories: mode and times come late --- */

static int apply_late(struct unpacking *u, const struct late *late, struct dr_error *err)
{
    char kept = u->late_path[late->path_len];
    u->late_path[late->path_len] = '\0';
    dr_auto_fd int fd =
        open_below(u->all.how, u->late_path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
    int result = 0;
    /* one that somebody took away or made unreadable meanwhile is not ours any more */
    if (fd >= 0 && (fchmod(fd, late->mode) < 0 || futimens(fd, late->times) < 0))
        result = unpack_failed("set the mode of", u->late_path, err);
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
    size_t len = strlen(u->all.path);
    memcpy(u->late_path, u->all.path, len + 1);
    u->late[u->n_late++] = (struct late){
        .path_len = len, .mode = mode_of(u, e), .times = {e->mtime, e->mtime}};
}

static int put_directory(struct unpacking *u, const struct tar_entry *e,
                         struct dr_error *err)
{
    bool fresh = mkdirat(u->at, u->name, 0700) == 0;
    if (!fresh && errno != EEXIST)
        return unpack_failed("make", u->all.path, err);
    dr_auto_fd int fd =
        openat(u->at, u->name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0 && (errno == ENOTDIR || errno == ELOOP))
        return unpack_conflict(u->all.path, "a directory cannot replace what is there",
                               err);
    if (fd < 0)
        return unpack_failed("open", u->all.path, err);
    if (!fresh && !u->all.how->owners)
        return 0;
    if (set_owner(u, fd, e) < 0)
        return unpack_failed("set the owner of", u->all.path, err);
    if (set_xattrs(u, fd, e) < 0)
        return unpack_failed("set the xattrs of", u->all.path, err);
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
        return unpack_conflict(u->all.path,
                               "it is a directory, and only one can replace it", err);
    if (number == EBUSY)
        return unpack_conflict(u->all.path,
                               "something is mounted there: it cannot be replaced", err);
    return unpack_failed("write", u->all.path, err);
}

static int put_file(struct unpacking *u, struct tar *tar, const struct tar_entry *e,
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
        return unpack_failed("create", u->all.path, err);
    if (unpack_payload(&u->all, tar, e, fd, err) < 0 || set_all(u, fd, e, err) < 0) {
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
        return unpack_failed("create", u->all.path, err);
    return move_in(u, tmp, err);
}

static int put_symlink(struct unpacking *u, const struct tar_entry *e,
                       struct dr_error *err)
{
    char tmp[TMP_NAME];
    temporary(tmp);
    if (!*e->link)
        return unpack_conflict(u->all.path, "a symbolic link without a target", err);
    if (symlinkat(e->link, u->at, tmp) < 0)
        return unpack_failed("make the link", u->all.path, err);
    if (set_special(u, u->at, tmp, e, err) < 0) {
        unlinkat(u->at, tmp, 0);
        return -1;
    }
    return move_in(u, tmp, err);
}

static int put_special(struct unpacking *u, const struct tar_entry *e,
                       struct dr_error *err)
{
    char tmp[TMP_NAME];
    mode_t type = e->type == TAR_FIFO ? S_IFIFO : e->type == TAR_CHAR ? S_IFCHR : S_IFBLK;
    if (type != S_IFIFO &&
        (!u->all.how->devices || (e->dev_major == 0 && e->dev_minor == 0))) {
        u->all.done.skipped++;
        return 0;
    }
    temporary(tmp);
    if (mknodat(u->at, tmp, type | 0600, makedev(e->dev_major, e->dev_minor)) < 0)
        return unpack_failed("make", u->all.path, err);
    if (set_special(u, u->at, tmp, e, err) < 0) {
        unlinkat(u->at, tmp, 0);
        return -1;
    }
    return move_in(u, tmp, err);
}

/* CVE-2021-32760: the target is found as an entry would be, and not followed. */
static int put_hardlink(struct unpacking *u, const struct tar_entry *e,
                        struct dr_error *err)
{
    char target[PATH_MAX], tmp[TMP_NAME];
    if (unpack_name(u->all.how, e->link, "hard link target", target, err) < 0)
        return -1;
    char *slash = strrchr(target, '/');
    const char *name = slash ? slash + 1 : target;
    if (slash)
        *slash = '\0';
    dr_auto_fd int at = open_below(u->all.how, slash ? target : "", O_PATH | O_DIRECTORY);
    struct stat st;
    if (at < 0 || fstatat(at, name, &st, AT_SYMLINK_NOFOLLOW) < 0 || S_ISDIR(st.st_mode))
        return unpack_dangling(&u->all, e, err);
    temporary(tmp);
    if (linkat(at, name, u->at, tmp, 0) < 0)
        return unpack_failed("make the hard link", u->all.path, err);
    return move_in(u, tmp, err);
}

/* --- the seam --- */

struct unpack *unpack_new(void)
{
    struct unpacking *u = dr_alloc(sizeof *u);
    u->at = -1;
    return &u->all;
}

int unpack_enter(struct unpack *all, struct dr_error *err)
{
    struct unpacking *u = (struct unpacking *)all;
    if (leave_for(u, all->path, err) < 0)
        return -1;
    return *all->path ? find_place(u, err) : 0;
}

int unpack_check_name(const char *path, struct dr_error *err)
{
    return 0;
}

int unpack_put(struct unpack *all, struct tar *tar, const struct tar_entry *e,
               struct dr_error *err)
{
    struct unpacking *u = (struct unpacking *)all;
    switch (e->type) {
    case TAR_FILE:
        return put_file(u, tar, e, err);
    case TAR_DIR:
        return put_directory(u, e, err);
    case TAR_HARDLINK:
        return put_hardlink(u, e, err);
    case TAR_SYMLINK:
        return put_symlink(u, e, err);
    case TAR_FIFO:
    case TAR_CHAR:
    case TAR_BLOCKDEV:
        return put_special(u, e, err);
    }
    return 0;
}

/* The directories' modes and times, after a failure too. */
int unpack_end(struct unpack *all, struct dr_error *err)
{
    struct unpacking *u = (struct unpacking *)all;
    int rc = leave_for(u, NULL, err);
    forget_parent(u);
    free(u);
    return rc;
}
