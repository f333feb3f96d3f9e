/* SPDX-License-Identifier: Apache-2.0 */
/*
 * On Windows. Names that would mean something else here (a\b, C:, a stream's a:b, NUL)
 * are refused, links on the way are not followed, owners, modes and xattrs do not exist,
 * and directories keep the time at which they were filled.
 */
#include "tar/unpack-private.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/json.h"
#include "base/text.h"
#include "tar/names.h"

struct unpacking {
    struct unpack all;
    char parent[PATH_MAX]; /* the last one that is known to be a directory */
    bool parent_known;
};

/* --- names --- */

/* CON, NUL, COM1 …, also with an end: devices in every directory. */
static bool is_device(const char *name, size_t len)
{
    static const char *const devices[] = {"CON", "PRN", "AUX", "NUL"};
    size_t stem = strcspn(name, ".");
    stem = stem < len ? stem : len;
    while (stem > 0 && name[stem - 1] == ' ')
        stem--;
    for (size_t i = 0; i < DR_COUNT(devices); i++)
        if (stem == 3 && _strnicmp(name, devices[i], 3) == 0)
            return true;
    return stem == 4 &&
           (_strnicmp(name, "COM", 3) == 0 || _strnicmp(name, "LPT", 3) == 0) &&
           name[3] >= '0' && name[3] <= '9';
}

int unpack_check_name(const char *path, struct dr_error *err)
{
    for (const char *p = path; *p;) {
        size_t len = strcspn(p, "/");
        bool bad = is_device(p, len) || (len > 0 && strchr(". ", p[len - 1]));
        for (size_t i = 0; i < len; i++)
            bad = bad || (unsigned char)p[i] < 0x20 || strchr("\\:*?\"<>|", p[i]);
        if (bad || !dr_json_is_text(path)) {
            dr_auto_free char *shown = dr_escape(path, 200);
            return dr_fail(
                err, DR_ERR_UNSUPPORTED,
                "%s cannot be the name of a file on Windows; copy to an archive "
                "instead (dray cp CONTAINER:PATH - > FILE.tar)",
                shown);
        }
        p += len;
        p += *p == '/';
    }
    return 0;
}

/* Below the root; owned. */
static char *place(const struct unpacking *u, const char *path)
{
    const char *base = u->all.how->base && *u->all.how->base ? u->all.how->base : ".";
    return dr_printf("%s/%s", base, *path ? path : ".");
}

/* --- the way --- */

static int make_directory(struct unpacking *u, const char *path, struct dr_error *err)
{
    struct stat st;
    dr_auto_free char *where = place(u, path);
    if (mkdirat(u->all.how->root, where, 0755) == 0)
        return 0;
    if (errno != EEXIST)
        return unpack_failed("make", path, err);
    if (fstatat(u->all.how->root, where, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return unpack_failed("open", path, err);
    if (S_ISLNK(st.st_mode))
        return unpack_conflict(path, "a symbolic link on the way is not followed", err);
    return S_ISDIR(st.st_mode)
               ? 0
               : unpack_conflict(
                     path, "it is no directory, and nothing can be put into it", err);
}

static int make_parents(struct unpacking *u, struct dr_error *err)
{
    char *slash = strrchr(u->all.path, '/');
    size_t len = slash ? (size_t)(slash - u->all.path) : 0;
    if (u->parent_known && strlen(u->parent) == len &&
        memcmp(u->parent, u->all.path, len) == 0)
        return 0;
    u->parent_known = false;
    for (size_t at = 0; at < len;) {
        at += strcspn(u->all.path + at, "/");
        memcpy(u->parent, u->all.path, at);
        u->parent[at] = '\0';
        if (make_directory(u, u->parent, err) < 0)
            return -1;
        at++;
    }
    if (len == 0)
        u->parent[0] = '\0';
    u->parent_known = true;
    return 0;
}

/* --- entries --- */

/* Beside the entry; owned. */
static char *temporary(const struct unpacking *u)
{
    char random[17];
    dr_random_hex(16, random);
    dr_auto_free char *name =
        dr_printf("%s%s.dray-%s", u->parent, *u->parent ? "/" : "", random);
    return place(u, name);
}

static int move_in(struct unpacking *u, const char *tmp, struct dr_error *err)
{
    struct stat st;
    dr_auto_free char *where = place(u, u->all.path);
    bool dir = fstatat(u->all.how->root, where, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
               S_ISDIR(st.st_mode);
    if (!dir && renameat(u->all.how->root, tmp, u->all.how->root, where) == 0)
        return 0;
    int number = errno;
    unlinkat(u->all.how->root, tmp, 0);
    errno = number;
    return dir ? unpack_conflict(u->all.path,
                                 "it is a directory, and only one can replace it", err)
               : unpack_failed("write", u->all.path, err);
}

static int put_file(struct unpacking *u, struct tar *tar, const struct tar_entry *e,
                    struct dr_error *err)
{
    const struct timespec times[2] = {e->mtime, e->mtime};
    dr_auto_free char *tmp = temporary(u);
    dr_auto_fd int fd = openat(u->all.how->root, tmp, O_WRONLY | O_CREAT | O_EXCL, 0644);
    if (fd < 0)
        return unpack_failed("create", u->all.path, err);
    int rc = unpack_payload(&u->all, tar, e, fd, err);
    if (rc == 0)
        futimens(fd, times);
    close(DR_TAKE_FD(fd));
    if (rc == 0)
        return move_in(u, tmp, err);
    unlinkat(u->all.how->root, tmp, 0);
    return -1;
}

static int put_symlink(struct unpacking *u, const struct tar_entry *e,
                       struct dr_error *err)
{
    dr_auto_free char *tmp = temporary(u);
    if (symlinkat(e->link, u->all.how->root, tmp) == 0)
        return move_in(u, tmp, err);
    if (errno == EPERM) {
        dr_auto_free char *shown = dr_escape(u->all.path, 200);
        return dr_fail(
            err, DR_ERR_UNSUPPORTED,
            "%s is a symbolic link, and Windows does not let this user make one: "
            "turn developer mode on, or copy to an archive instead",
            shown);
    }
    return unpack_failed("make the link", u->all.path, err);
}

static int put_hardlink(struct unpacking *u, const struct tar_entry *e,
                        struct dr_error *err)
{
    char target[PATH_MAX];
    struct stat st;
    if (unpack_name(u->all.how, e->link, "hard link target", target, err) < 0)
        return -1;
    dr_auto_free char *from = place(u, target), *tmp = temporary(u);
    if (fstatat(u->all.how->root, from, &st, AT_SYMLINK_NOFOLLOW) < 0 ||
        !S_ISREG(st.st_mode))
        return unpack_dangling(&u->all, e, err);
    if (linkat(u->all.how->root, from, u->all.how->root, tmp, 0) < 0)
        return unpack_failed("make the hard link", u->all.path, err);
    return move_in(u, tmp, err);
}

/* --- the seam --- */

struct unpack *unpack_new(void)
{
    struct unpacking *u = dr_alloc(sizeof *u);
    return &u->all;
}

int unpack_enter(struct unpack *all, struct dr_error *err)
{
    struct unpacking *u = (struct unpacking *)all;
    return *all->path ? make_parents(u, err) : 0;
}

int unpack_put(struct unpack *all, struct tar *tar, const struct tar_entry *e,
               struct dr_error *err)
{
    struct unpacking *u = (struct unpacking *)all;
    switch (e->type) {
    case TAR_FILE:
        return put_file(u, tar, e, err);
    case TAR_DIR:
        return make_directory(u, all->path, err);
    case TAR_HARDLINK:
        return put_hardlink(u, e, err);
    case TAR_SYMLINK:
        return put_symlink(u, e, err);
    case TAR_FIFO:
    case TAR_CHAR:
    case TAR_BLOCKDEV:
        all->done.skipped++;
        return 0;
    }
    return 0;
}

int unpack_end(struct unpack *all, struct dr_error *err)
{
    struct unpacking *u = (struct unpacking *)all;
    (void)err;
    free(u);
    return 0;
}
