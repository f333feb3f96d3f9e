/* SPDX-License-Identifier: Apache-2.0 */
/*
 * On Windows. Names that would mean something else here (a\b, C:, a stream's a:b, NUL)
 * are refused, links on the way are not followed, owners, modes and xattrs do not exist,
 * and directories keep the time at which they were filled.
 */
#include "tar/unpack.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/json.h"
#include "base/text.h"
#include "tar/names.h"
#include "tar/payload.h"

struct unpacking {
    const struct tar_unpack *how;
    struct tar_unpacked done;
    char path[PATH_MAX];   /* of the entry, below the base */
    char parent[PATH_MAX]; /* the last one that is known to be a directory */
    bool parent_known;
};

static int failed(const char *what, const char *path, struct dr_error *err)
{
    int number = errno;
    dr_auto_free char *shown = dr_escape(path, 200);
    errno = number;
    return dr_fail_errno(err, DR_ERR_INTERNAL, "%s %s", what, shown);
}

static int conflict(const char *path, const char *why, struct dr_error *err)
{
    dr_auto_free char *shown = dr_escape(path, 200);
    return dr_fail(err, DR_ERR_CONFLICT, "%s: %s", shown, why);
}

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

static int check_name(const char *path, struct dr_error *err)
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

/* As the archive calls it, to how it is called here. */
static int clean(const struct tar_unpack *how, const char *name, const char *what,
                 char ret[PATH_MAX], struct dr_error *err)
{
    size_t len, n = how->from ? strlen(how->from) : 0;
    if (tar_name_clean(name, what, ret, &len, err) < 0)
        return -1;
    if (n > 0 && (strncmp(ret, how->from, n) != 0 || (ret[n] && ret[n] != '/'))) {
        dr_auto_free char *shown = dr_escape(ret, 200);
        return dr_fail(err, DR_ERR_FORMAT,
                       "the archive has an entry %s that nobody asked for", shown);
    }
    if (how->from) {
        dr_auto_free char *renamed =
            dr_printf("%s%s%s", how->to, n == 0 && *ret ? "/" : "", ret + n);
        if (strlen(renamed) >= PATH_MAX)
            return dr_fail(err, DR_ERR_FORMAT, "a path in the archive is too long");
        memcpy(ret, renamed, strlen(renamed) + 1);
    }
    return check_name(ret, err);
}

/* Below the root; owned. */
static char *place(const struct unpacking *u, const char *path)
{
    const char *base = u->how->base && *u->how->base ? u->how->base : ".";
    return dr_printf("%s/%s", base, *path ? path : ".");
}

/* --- the way --- */

static int make_directory(struct unpacking *u, const char *path, struct dr_error *err)
{
    struct stat st;
    dr_auto_free char *where = place(u, path);
    if (mkdirat(u->how->root, where, 0755) == 0)
        return 0;
    if (errno != EEXIST)
        return failed("make", path, err);
    if (fstatat(u->how->root, where, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return failed("open", path, err);
    if (S_ISLNK(st.st_mode))
        return conflict(path, "a symbolic link on the way is not followed", err);
    return S_ISDIR(st.st_mode)
               ? 0
               : conflict(path, "it is no directory, and nothing can be put into it",
                          err);
}

static int make_parents(struct unpacking *u, struct dr_error *err)
{
    char *slash = strrchr(u->path, '/');
    size_t len = slash ? (size_t)(slash - u->path) : 0;
    if (u->parent_known && strlen(u->parent) == len &&
        memcmp(u->parent, u->path, len) == 0)
        return 0;
    u->parent_known = false;
    for (size_t at = 0; at < len;) {
        at += strcspn(u->path + at, "/");
        memcpy(u->parent, u->path, at);
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
    dr_auto_free char *where = place(u, u->path);
    bool dir = fstatat(u->how->root, where, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
               S_ISDIR(st.st_mode);
    if (!dir && renameat(u->how->root, tmp, u->how->root, where) == 0)
        return 0;
    int number = errno;
    unlinkat(u->how->root, tmp, 0);
    errno = number;
    return dir ? conflict(u->path, "it is a directory, and only one can replace it", err)
               : failed("write", u->path, err);
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
    const struct timespec times[2] = {e->mtime, e->mtime};
    dr_auto_free char *tmp = temporary(u);
    dr_auto_fd int fd = openat(u->how->root, tmp, O_WRONLY | O_CREAT | O_EXCL, 0644);
    if (fd < 0)
        return failed("create", u->path, err);
    int rc = write_payload(u, tar, e, fd, err);
    if (rc == 0)
        futimens(fd, times);
    close(DR_TAKE_FD(fd));
    if (rc == 0)
        return move_in(u, tmp, err);
    unlinkat(u->how->root, tmp, 0);
    return -1;
}

static int unpack_symlink(struct unpacking *u, const struct tar_entry *e,
                          struct dr_error *err)
{
    dr_auto_free char *tmp = temporary(u);
    if (symlinkat(e->link, u->how->root, tmp) == 0)
        return move_in(u, tmp, err);
    if (errno == EPERM) {
        dr_auto_free char *shown = dr_escape(u->path, 200);
        return dr_fail(
            err, DR_ERR_UNSUPPORTED,
            "%s is a symbolic link, and Windows does not let this user make one: "
            "turn developer mode on, or copy to an archive instead",
            shown);
    }
    return failed("make the link", u->path, err);
}

static int unpack_hardlink(struct unpacking *u, const struct tar_entry *e,
                           struct dr_error *err)
{
    char target[PATH_MAX];
    struct stat st;
    if (clean(u->how, e->link, "hard link target", target, err) < 0)
        return -1;
    dr_auto_free char *from = place(u, target), *tmp = temporary(u);
    if (fstatat(u->how->root, from, &st, AT_SYMLINK_NOFOLLOW) < 0 ||
        !S_ISREG(st.st_mode)) {
        dr_auto_free char *a = dr_escape(u->path, 200), *b = dr_escape(e->link, 200);
        return dr_fail(err, DR_ERR_FORMAT,
                       "the hard link %s points to %s, which is not there", a, b);
    }
    if (linkat(u->how->root, from, u->how->root, tmp, 0) < 0)
        return failed("make the hard link", u->path, err);
    return move_in(u, tmp, err);
}

static int unpack_entry(struct unpacking *u, struct tar *tar, const struct tar_entry *e,
                        struct dr_error *err)
{
    if (clean(u->how, e->name, "name", u->path, err) < 0)
        return -1;
    if (!*u->path) /* the base: it is there, and stays what it is */
        return e->type == TAR_DIR
                   ? 0
                   : dr_fail(err, DR_ERR_FORMAT,
                             "the archive's root is not a directory in it");
    if (make_parents(u, err) < 0)
        return -1;
    switch (e->type) {
    case TAR_FILE:
        return unpack_file(u, tar, e, err);
    case TAR_DIR:
        return make_directory(u, u->path, err);
    case TAR_HARDLINK:
        return unpack_hardlink(u, e, err);
    case TAR_SYMLINK:
        return unpack_symlink(u, e, err);
    case TAR_FIFO:
    case TAR_CHAR:
    case TAR_BLOCKDEV:
        u->done.skipped++;
        return 0;
    }
    return 0;
}

int tar_unpack(const struct tar_unpack *how, struct tar *tar, struct tar_unpacked *ret,
               struct dr_error *err)
{
    struct unpacking *u = dr_alloc(sizeof *u);
    u->how = how;
    struct tar_entry entry;
    int result;
    while ((result = tar_next(tar, &entry, err)) > 0) {
        if (unpack_entry(u, tar, &entry, err) < 0) {
            result = -1;
            break;
        }
        u->done.entries++;
    }
    if (ret)
        *ret = u->done;
    free(u);
    return result;
}
