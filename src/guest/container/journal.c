/* SPDX-License-Identifier: Apache-2.0 */
#include "guest/container/journal.h"

#include <dirent.h>
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "base/fs.h"
#include "base/text.h"
#include "guest/container/record.h"

/* Is what fd holds still the file that others find by this path? */
static bool is_current(int fd, const char *path)
{
    struct stat mine, theirs;
    return fstat(fd, &mine) == 0 && stat(path, &theirs) == 0 &&
           mine.st_ino == theirs.st_ino && mine.st_dev == theirs.st_dev;
}

/* 0 taken, 1 held by another, -1 errno */
static int try_lock(const char *path, int flags, int *ret_fd)
{
    dr_auto_fd int fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW | flags, 0600);
    if (fd < 0)
        return -1;
    while (flock(fd, LOCK_EX | LOCK_NB) < 0) {
        if (errno == EWOULDBLOCK)
            return 1;
        if (errno != EINTR)
            return -1;
    }
    /* its holder may have removed the entry just before it let go */
    if (!is_current(fd, path)) {
        errno = ENOENT;
        return -1;
    }
    *ret_fd = DR_TAKE_FD(fd);
    return 0;
}

int journal_enter(const struct guest *guest, const char *id, int64_t wait_ms, int *ret_fd,
                  struct dr_error *err)
{
    dr_auto_free char *dir = container_run_dir(guest, id);
    dr_auto_free char *path = dr_path_join(dir, "lock");
    int64_t deadline = dr_clock_ms() + wait_ms;
    *ret_fd = -1;
    for (;;) {
        if (mkdir(dir, 0700) < 0 && errno == ENOENT &&
            dr_mkdir_all(guest->run_root, 0700, err) < 0)
            return -1;
        int result = try_lock(path, O_CREAT, ret_fd);
        if (result == 0)
            return 0;
        if (result < 0 && (errno == ENOSPC || errno == EDQUOT))
            return 0;
        if (result < 0 && errno != ENOENT)
            return dr_fail_errno(err, DR_ERR_INTERNAL, "lock %s", path);
        if (result == 1) {
            if (dr_clock_ms() >= deadline)
                return 1;
            poll(NULL, 0, 2);
        } else if (access(dir, F_OK) < 0 && mkdir(dir, 0700) < 0 &&
                   (errno == ENOSPC || errno == EDQUOT)) {
            return 0;
        }
    }
}

int journal_take(const struct guest *guest, const char *id, int *ret_fd,
                 struct dr_error *err)
{
    dr_auto_free char *dir = container_run_dir(guest, id);
    dr_auto_free char *path = dr_path_join(dir, "lock");
    *ret_fd = -1;
    int result = try_lock(path, 0, ret_fd);
    if (result == 0 || result == 1)
        return result;
    if (errno != ENOENT)
        return dr_fail_errno(err, DR_ERR_INTERNAL, "lock %s", path);
    /* An entry without a lock: its maker died in between, or is about to make it. Who
     * makes it looks again after locking, so taking it is safe. */
    if (access(dir, F_OK) < 0)
        return 1;
    result = try_lock(path, O_CREAT, ret_fd);
    if (result < 0 && (errno == ENOSPC || errno == EDQUOT))
        return 0;
    return result < 0 ? 1 : result;
}

int journal_empty(const struct guest *guest, const char *id, struct dr_error *err)
{
    dr_auto_free char *path = container_run_dir(guest, id);
    DIR *dir = opendir(path);
    if (!dir)
        return errno == ENOENT ? 0 : dr_fail_errno(err, DR_ERR_INTERNAL, "open %s", path);
    int result = 0;
    struct dirent *entry;
    while (result == 0 && (entry = readdir(dir)))
        if (strcmp(entry->d_name, "lock") != 0 && strcmp(entry->d_name, ".") != 0 &&
            strcmp(entry->d_name, "..") != 0)
            result = dr_remove_all(dirfd(dir), entry->d_name, err);
    closedir(dir);
    return result;
}

int journal_leave(const struct guest *guest, const char *id, int fd, struct dr_error *err)
{
    dr_auto_free char *dir = container_run_dir(guest, id);
    dr_auto_free char *lock = dr_path_join(dir, "lock");
    /* Once our lock is unlinked another may enter, and what is in the entry then, a
     * socket of the same name say, is that one's: so the lock goes last. */
    int result = journal_empty(guest, id, err);
    if (result == 0 && unlink(lock) < 0 && errno != ENOENT)
        result = dr_fail_errno(err, DR_ERR_INTERNAL, "remove %s", lock);
    if (result == 0 && rmdir(dir) < 0 && errno != ENOENT && errno != ENOTEMPTY)
        result = dr_fail_errno(err, DR_ERR_INTERNAL, "remove %s", dir);
    if (fd >= 0)
        close(fd);
    return result;
}
