/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <stdio.h>

#include "base/fs.h"

#define WRITE_BEHIND_BYTES (8 << 20)

int dr_open_again(int fd, int flags)
{
    char path[48];
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    return open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC | flags);
}

void dr_write_behind(int fd, int64_t before, int64_t now)
{
    int64_t from = before - before % WRITE_BEHIND_BYTES;
    int64_t to = now - now % WRITE_BEHIND_BYTES;
    if (from < to)
        sync_file_range(fd, (off_t)from, (off_t)(to - from), SYNC_FILE_RANGE_WRITE);
}

int dr_temporary(const char *dir)
{
    int fd = open(dir, O_RDWR | O_TMPFILE | O_CLOEXEC, 0600);
    if (fd < 0) { /* a file system without O_TMPFILE */
        dr_auto_free char *path = dr_printf("%s/spool-XXXXXX", dir);
        fd = mkostemp(path, O_CLOEXEC);
        if (fd >= 0)
            unlink(path);
    }
    return fd;
}

bool dr_path_is_absolute(const char *path)
{
    return *path == '/';
}
