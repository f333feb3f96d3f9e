/* SPDX-License-Identifier: Apache-2.0 */
#include "store/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

static int regular_only(int fd)
{
    struct stat st;
    if (fd < 0)
        return -1;
    if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode))
        return fd;
    close(fd);
    errno = EINVAL;
    return -1;
}

int file_open_read(const char *path)
{
    return regular_only(open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
}

int file_open_append(const char *path)
{
    return regular_only(
        open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600));
}

int64_t file_size(int fd)
{
    struct stat st;
    return fstat(fd, &st) < 0 ? -1 : (int64_t)st.st_size;
}

bool file_is_at(int fd, const char *path)
{
    struct stat open_one, named;
    return fstat(fd, &open_one) == 0 && lstat(path, &named) == 0 &&
           open_one.st_dev == named.st_dev && open_one.st_ino == named.st_ino;
}

int file_try_lock(int fd)
{
    while (flock(fd, LOCK_EX | LOCK_NB) < 0) {
        if (errno == EWOULDBLOCK)
            return 0;
        if (errno != EINTR)
            return -1;
    }
    return 1;
}

void file_unlock(int fd)
{
    flock(fd, LOCK_UN);
}

ssize_t file_read_at(int fd, int64_t offset, void *data, size_t len)
{
    for (;;) {
        ssize_t n = pread(fd, data, len, (off_t)offset);
        if (n >= 0 || errno != EINTR)
            return n;
    }
}

int file_write_at(int fd, int64_t offset, const void *data, size_t len)
{
    const char *p = data;
    while (len > 0) {
        ssize_t n = pwrite(fd, p, len, (off_t)offset);
        if (n < 0) {
            if (errno == EINTR)
                continue;
            return -1;
        }
        p += n;
        offset += n;
        len -= (size_t)n;
    }
    return 0;
}

int file_sync(int fd)
{
    return fsync(fd);
}

int file_publish(const char *from, const char *to, const char *to_dir)
{
    if (rename(from, to) < 0)
        return -1;
    int dir = open(to_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int failed = dir < 0 || fsync(dir) < 0 ? -1 : 0, keep = errno;
    if (dir >= 0)
        close(dir);
    errno = keep;
    return failed;
}

void file_touch(int fd)
{
    futimens(fd, NULL);
}
