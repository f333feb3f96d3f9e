/* SPDX-License-Identifier: Apache-2.0 */
#include "guest/layers/attrs.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>

#include "base/text.h"
#include "guest/layers/parents.h"
#include "tar/names.h"

static int failed(struct dr_error *err, const char *what, const char *path)
{
    int number = errno;
    dr_auto_free char *shown = dr_escape(path, 200);
    errno = number;
    return dr_fail_errno(err, DR_ERR_INTERNAL, "%s %s", what, shown);
}

static int set_xattrs(int fd, const struct tar_entry *e, const char *path,
                      struct dr_error *err)
{
    for (size_t i = 0; i < e->n_xattrs; i++) {
        const struct tar_xattr *xattr = &e->xattrs[i];
        if (!tar_xattr_portable(xattr->name))
            continue;
        if (fsetxattr(fd, xattr->name, xattr->value, xattr->len, 0) < 0) {
            int number = errno;
            dr_auto_free char *name = dr_escape(xattr->name, 100);
            dr_auto_free char *shown = dr_escape(path, 200);
            errno = number;
            /* ext4 says ENOSPC for a value that is too large for it: not a full disk */
            if (number == ENOSPC || number == E2BIG || number == ERANGE)
                return dr_fail(
                    err, DR_ERR_UNSUPPORTED,
                    "the xattr %s of %s (%zu bytes) does not fit on this file system",
                    name, shown, xattr->len);
            return dr_fail_errno(err, DR_ERR_INTERNAL, "set the xattr %s of %s", name,
                                 shown);
        }
    }
    return 0;
}

int attrs_set_file(int fd, const struct tar_entry *e, bool mode_is_set, const char *path,
                   struct dr_error *err)
{
    /* always: what a new file belongs to depends on mount options and set-gid directories
     */
    if (fchown(fd, e->uid, e->gid) < 0)
        return failed(err, "set the owner of", path);
    if (set_xattrs(fd, e, path, err) < 0)
        return -1;
    if ((!mode_is_set || (e->mode & 07000)) && fchmod(fd, e->mode) < 0)
        return failed(err, "set the mode of", path);
    const struct timespec times[2] = {e->atime, e->mtime};
    if (futimens(fd, times) < 0)
        return failed(err, "set the times of", path);
    return 0;
}

/* All that an earlier entry of the same name left; overlayfs' own stay. */
static int clear_xattrs(int fd)
{
    char names[65536]; /* XATTR_LIST_MAX */
    ssize_t len = flistxattr(fd, names, sizeof names);
    if (len < 0)
        return errno == ENOTSUP ? 0 : -1;
    for (char *name = names; name < names + len; name += strlen(name) + 1)
        if ((tar_xattr_portable(name) || strcmp(name, IMPLIED_XATTR) == 0) &&
            fremovexattr(fd, name) < 0)
            return -1;
    return 0;
}

int attrs_set_dir(int at, const char *name, const struct tar_entry *e, bool was_there,
                  const char *path, struct dr_error *err)
{
    if (fchownat(at, name, e->uid, e->gid, AT_SYMLINK_NOFOLLOW) < 0)
        return failed(err, "set the owner of", path);
    if (e->n_xattrs == 0 && !was_there)
        return 0;
    dr_auto_fd int fd = openat(at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return failed(err, "open", path);
    if (was_there && clear_xattrs(fd) < 0)
        return failed(err, "remove xattrs of", path);
    return set_xattrs(fd, e, path, err);
}

int attrs_set_link(int at, const char *name, const struct tar_entry *e, const char *path,
                   struct dr_error *err)
{
    /* the kernel allows no user.* on symlinks, and a capability means nothing there */
    if (fchownat(at, name, e->uid, e->gid, AT_SYMLINK_NOFOLLOW) < 0)
        return failed(err, "set the owner of", path);
    const struct timespec times[2] = {e->atime, e->mtime};
    if (utimensat(at, name, times, AT_SYMLINK_NOFOLLOW) < 0)
        return failed(err, "set the times of", path);
    return 0;
}

int attrs_set_fifo(int at, const char *name, const struct tar_entry *e, const char *path,
                   struct dr_error *err)
{
    if (attrs_set_link(at, name, e, path, err) < 0)
        return -1;
    /* no fchmodat without following on older kernels; we made the fifo a moment ago, and
     * nobody else works in this directory */
    struct stat st;
    if (fstatat(at, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return failed(err, "stat", path);
    if (!S_ISFIFO(st.st_mode) || fchmodat(at, name, e->mode, 0) < 0)
        return failed(err, "set the mode of", path);
    return 0;
}

int attrs_opaque_instead_of_implied(int at, const char *name, struct dr_error *err)
{
    dr_auto_fd int fd = openat(at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0 || fsetxattr(fd, OPAQUE_XATTR, "y", 1, 0) < 0 ||
        (fremovexattr(fd, IMPLIED_XATTR) < 0 && errno != ENODATA))
        return failed(err, "make opaque", name);
    return 0;
}
