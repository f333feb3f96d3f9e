/* SPDX-License-Identifier: Apache-2.0 */
#include "base/fs.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

int dr_write_full(int fd, const void *data, size_t len)
{
    const char *p = data;
    while (len > 0) {
        ssize_t n = write(fd, p, len);
        if (n < 0) {
            if (errno == EINTR)
                continue;
            return -1;
        }
        p += n;
        len -= (size_t)n;
    }
    return 0;
}

ssize_t dr_read_full(int fd, void *data, size_t len)
{
    size_t done = 0;
    while (done < len) {
        ssize_t n = read(fd, (char *)data + done, len - done);
        if (n < 0) {
            if (errno == EINTR)
                continue;
            return -1;
        }
        if (n == 0)
            break;
        done += (size_t)n;
    }
    return (ssize_t)done;
}

int dr_file_read(int dirfd, const char *path, struct dr_buf *buf, struct dr_error *err)
{
    dr_auto_fd int fd = openat(dirfd, path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (fd < 0)
        return dr_fail_errno(err, DR_ERR_NONE, "open %s", path);
    struct stat st;
    if (fstat(fd, &st) < 0)
        return dr_fail_errno(err, DR_ERR_NONE, "stat %s", path);
    if (!S_ISREG(st.st_mode))
        return dr_fail(err, DR_ERR_INVALID, "%s is not a regular file", path);
    for (;;) {
        /* one byte over max is asked for, so that a file that is too long is noticed */
        size_t room = buf->max - buf->len, chunk = room < 65536 ? room : 65536;
        char extra;
        if (chunk == 0) {
            ssize_t n = read(fd, &extra, 1);
            if (n == 0)
                return 0;
            return dr_fail(err, DR_ERR_FORMAT, "%s is larger than %zu bytes", path,
                           buf->max);
        }
        if (dr_buf_reserve(buf, chunk, err) < 0)
            return dr_wrap(err, "read %s", path);
        ssize_t n = read(fd, buf->data + buf->len, chunk);
        if (n < 0) {
            if (errno == EINTR)
                continue;
            return dr_fail_errno(err, DR_ERR_NONE, "read %s", path);
        }
        buf->len += (size_t)n;
        buf->data[buf->len] = '\0';
        if (n == 0)
            return 0;
    }
}

int dr_sync_dir(int dirfd, const char *path, struct dr_error *err)
{
    dr_auto_fd int fd = openat(dirfd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0 || fsync(fd) < 0)
        return dr_fail_errno(err, DR_ERR_NONE, "sync %s", path);
    return 0;
}

int dr_file_write(int dirfd, const char *path, const void *data, size_t len, mode_t mode,
                  int flags, struct dr_error *err)
{
    dr_auto_free char *temporary = dr_printf("%s.new", path);
    dr_auto_fd int fd = openat(
        dirfd, temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, mode);
    if (fd < 0)
        return dr_fail_errno(err, DR_ERR_NONE, "create %s", temporary);
    if (dr_write_full(fd, data, len) < 0 || ((flags & DR_WRITE_SYNC) && fsync(fd) < 0)) {
        dr_fail_errno(err, DR_ERR_NONE, "write %s", path);
        unlinkat(dirfd, temporary, 0);
        return -1;
    }
    if (renameat(dirfd, temporary, dirfd, path) < 0) {
        dr_fail_errno(err, DR_ERR_NONE, "rename %s to %s", temporary, path);
        unlinkat(dirfd, temporary, 0);
        return -1;
    }
    if (flags & DR_WRITE_SYNC) {
        dr_auto_free char *parent = dr_path_parent(path);
        return dr_sync_dir(dirfd, parent, err);
    }
    return 0;
}

int dr_mkdir_all(const char *path, mode_t mode, struct dr_error *err)
{
    if (mkdir(path, mode) == 0 || errno == EEXIST)
        return 0;
    int number = errno;
    dr_auto_free char *parent = dr_path_parent(path);
    if (number == ENOENT && strlen(parent) < strlen(path)) {
        if (dr_mkdir_all(parent, 0755, err) < 0)
            return -1;
        if (mkdir(path, mode) == 0 || errno == EEXIST)
            return 0;
        number = errno;
    }
    errno = number;
    return dr_fail_errno(err, DR_ERR_NONE, "mkdir %s", path);
}

/*
 * The walk keeps one open directory and goes up by "..", so that depth costs neither
 * stack nor descriptors: an image can nest as deep as it likes. The parent that ".."
 * gives is checked against the inode that was descended from, so that a tree that is
 * moved under our feet cannot lead the walk out of it.
 */
struct level {
    dev_t dev;
    ino_t ino;
    char *name;
};

static int open_dir(int at, const char *name)
{
    return openat(at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

/* Removes plain entries of dir; gives the first directory that could not be rmdir'ed. */
static char *clear_files(int fd, const char *skip_after_failure, int *first_errno)
{
    int copy = open_dir(fd, ".");
    DIR *dir = copy >= 0 ? fdopendir(copy) : NULL;
    if (!dir) {
        if (copy >= 0)
            close(copy);
        if (!*first_errno)
            *first_errno = errno;
        return NULL;
    }
    char *child = NULL;
    struct dirent *entry;
    while (!child && (entry = readdir(dir))) {
        const char *name = entry->d_name;
        if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
            continue;
        if (unlinkat(fd, name, 0) == 0)
            continue;
        if (errno != EISDIR && errno != EPERM) {
            if (errno != ENOENT && !*first_errno)
                *first_errno = errno;
            continue;
        }
        if (unlinkat(fd, name, AT_REMOVEDIR) == 0)
            continue;
        if (errno != ENOTEMPTY && errno != EEXIST) {
            if (errno != ENOENT && !*first_errno)
                *first_errno = errno;
            continue;
        }
        if (!skip_after_failure || strcmp(skip_after_failure, name) != 0)
            child = dr_strdup(name);
    }
    closedir(dir);
    return child;
}

static int clear_tree(int top, dev_t dev)
{
    int first_errno = 0;
    size_t depth = 0, cap = 0;
    struct level *levels = NULL;
    int fd = top;
    dr_auto_free char *failed = NULL;
    for (;;) {
        char *child = clear_files(fd, failed, &first_errno);
        if (child) {
            int next = open_dir(fd, child);
            struct stat here, there;
            if (next >= 0 && fstat(fd, &here) == 0 && fstat(next, &there) == 0 &&
                there.st_dev == dev) {
                if (depth == cap)
                    levels =
                        dr_realloc(levels, (cap = cap ? cap * 2 : 32) * sizeof *levels);
                levels[depth++] = (struct level){here.st_dev, here.st_ino, child};
                if (fd != top)
                    close(fd);
                fd = next;
                free(failed);
                failed = NULL;
                continue;
            }
            if (!first_errno)
                first_errno = next < 0 ? errno : EXDEV;
            if (next >= 0)
                close(next);
            free(failed);
            failed = child;
            break; /* cannot go in: give up here, the caller hears of it */
        }
        if (depth == 0)
            break;
        struct level up = levels[--depth];
        int parent = depth == 0 ? top : open_dir(fd, "..");
        struct stat st;
        close(fd);
        fd = parent;
        if (parent < 0 || fstat(parent, &st) < 0 || st.st_dev != up.dev ||
            st.st_ino != up.ino) {
            if (!first_errno)
                first_errno = EAGAIN;
            free(up.name);
            break;
        }
        free(failed);
        failed = NULL;
        if (unlinkat(fd, up.name, AT_REMOVEDIR) < 0 && errno != ENOENT) {
            if (!first_errno)
                first_errno = errno;
            failed = up.name;
            break;
        }
        free(up.name);
    }
    while (depth > 0)
        free(levels[--depth].name);
    free(levels);
    if (fd >= 0 && fd != top)
        close(fd);
    errno = first_errno;
    return first_errno ? -1 : 0;
}

int dr_remove_all(int dirfd, const char *path, struct dr_error *err)
{
    if (unlinkat(dirfd, path, 0) == 0 || errno == ENOENT)
        return 0;
    if (errno != EISDIR && errno != EPERM)
        return dr_fail_errno(err, DR_ERR_NONE, "remove %s", path);
    if (unlinkat(dirfd, path, AT_REMOVEDIR) == 0)
        return 0;
    if (errno != ENOTEMPTY && errno != EEXIST)
        return dr_fail_errno(err, DR_ERR_NONE, "remove %s", path);
    dr_auto_fd int fd = open_dir(dirfd, path);
    struct stat st;
    if (fd < 0 || fstat(fd, &st) < 0)
        return dr_fail_errno(err, DR_ERR_NONE, "remove %s", path);
    if (clear_tree(fd, st.st_dev) < 0 || unlinkat(dirfd, path, AT_REMOVEDIR) < 0)
        return dr_fail_errno(err, DR_ERR_NONE, "remove %s", path);
    return 0;
}

int dr_lock(int dirfd, const char *path, bool exclusive, bool wait, int *ret_fd,
            struct dr_error *err)
{
    dr_auto_fd int fd =
        openat(dirfd, path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return dr_fail_errno(err, DR_ERR_NONE, "open lock %s", path);
    int how = (exclusive ? LOCK_EX : LOCK_SH) | (wait ? 0 : LOCK_NB);
    while (flock(fd, how) < 0) {
        if (errno == EWOULDBLOCK && !wait)
            return -2;
        if (errno != EINTR)
            return dr_fail_errno(err, DR_ERR_NONE, "lock %s", path);
    }
    *ret_fd = DR_TAKE_FD(fd);
    return 0;
}

char *dr_path_real(const char *path)
{
    return realpath(path, NULL);
}

#ifdef _WIN32
#define SLASHES "/\\"
#else
#define SLASHES "/"
#endif

const char *dr_path_last(const char *path)
{
    const char *last = path;
    for (const char *at = path; *(at += strcspn(at, SLASHES)); at++)
        last = at + 1;
    return last;
}

char *dr_path_join(const char *a, const char *b)
{
    const char *last = dr_path_last(a);
    char slash[2] = {last > a ? last[-1] : '/'}; /* as it has them */
    return dr_printf("%s%s%s", a, *a && !*last ? "" : slash, b);
}

/* A root keeps its slash, as C:\ does: C: is a place on that drive. */
char *dr_path_parent(const char *path)
{
    size_t len = (size_t)(dr_path_last(path) - path);
    if (len == 0)
        return dr_strdup(".");
    bool drive = DR_COUNT(SLASHES) > 2 && len > 1 && path[len - 2] == ':';
    return dr_strndup(path, len == 1 || drive ? len : len - 1);
}
