/* SPDX-License-Identifier: Apache-2.0 */
#include "guest/files/usage.h"

#include <fcntl.h>

#include "base/fs.h"
#include "base/walk.h"

static int64_t usage_of(const struct stat *st)
{
    int64_t bytes = (int64_t)st->st_blocks * 512;
    if (S_ISDIR(st->st_mode))
        return 0;
    return st->st_nlink < 2 ? bytes : bytes / (int64_t)st->st_nlink;
}

int64_t usage_of_path(const char *path)
{
    dr_auto_error struct dr_error unreadable = DR_ERROR_INIT;
    struct dr_walk *walk;
    struct dr_walk_entry entry;
    struct stat st;
    if (lstat(path, &st) < 0)
        return 0;
    int64_t total = usage_of(&st);
    dr_auto_fd int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0 ||
        dr_walk_new(fd, DR_WALK_ONE_FS | DR_WALK_FORGIVING, &walk, &unreadable) < 0)
        return total;
    while (dr_walk_next(walk, &entry, &unreadable) > 0)
        total += usage_of(&entry.st);
    dr_walk_free(walk);
    return total;
}
