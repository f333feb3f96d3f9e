/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fs.h"
#include "host/lockfile.h"

int lockfile_hold(const char *path, int *ret_fd, char **ret_path, struct dr_error *err)
{
    dr_auto_free char *real = realpath(path, NULL);
    const char *file = real ? real : path;
    dr_auto_free char *directory = dr_path_parent(file);
    if (access(directory, W_OK) < 0 || (access(file, W_OK) < 0 && errno != ENOENT))
        return dr_fail_errno(err, DR_ERR_CONFIG, "%s cannot be written", path);
    /* the directory, since the file is another one after each change */
    dr_auto_fd int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int rc = fd;
    while (fd >= 0 && (rc = flock(fd, LOCK_EX)) < 0 && errno == EINTR)
        ;
    if (rc < 0)
        return dr_fail_errno(err, DR_ERR_CONFIG, "lock %s", directory);
    *ret_fd = DR_TAKE_FD(fd);
    *ret_path = dr_strdup(file);
    return 0;
}

int lockfile_write(const char *path, const char *text, struct dr_error *err)
{
    struct stat before;
    bool there = stat(path, &before) == 0;
    if (dr_file_write(AT_FDCWD, path, text, strlen(text),
                      there ? before.st_mode & 0777 : 0666, DR_WRITE_SYNC, err) < 0)
        return -1;
    /* root who writes for a user (sudo) leaves the file the user's */
    if (there && geteuid() == 0 && before.st_uid != 0 &&
        chown(path, before.st_uid, before.st_gid) < 0)
        return dr_fail_errno(err, DR_ERR_NONE, "chown %s", path);
    return 0;
}
