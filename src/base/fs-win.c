/* SPDX-License-Identifier: Apache-2.0 */
#include "base/fs.h"
#include "base/text.h"
#include "win/fd.h"

#define SHARE_ALL (FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE)

int dr_open_again(int number, int flags)
{
    struct win_fd *fd = win_fd_get(number);
    if (!fd)
        return -1;
    HANDLE again =
        ReOpenFile(fd->handle, GENERIC_READ, SHARE_ALL, FILE_FLAG_BACKUP_SEMANTICS);
    if (again == INVALID_HANDLE_VALUE) {
        win_fail();
        win_fd_put(fd);
        return -1;
    }
    struct win_fd *new = win_fd_new(fd->kind, again);
    if (fd->path)
        new->path = wcsdup(fd->path);
    win_fd_put(fd);
    return win_fd_add(new);
}

void dr_write_behind(int fd, int64_t before, int64_t now)
{
}

int dr_temporary(const char *dir)
{
    char random[17];
    dr_random_hex(16, random);
    dr_auto_free char *path = dr_printf("%s/spool-%s", dir, random);
    dr_auto_free wchar_t *wide = win_path(AT_FDCWD, path);
    if (!wide)
        return -1;
    HANDLE handle = CreateFileW(
        wide, GENERIC_READ | GENERIC_WRITE | DELETE, SHARE_ALL, NULL, CREATE_NEW,
        FILE_ATTRIBUTE_TEMPORARY | FILE_FLAG_DELETE_ON_CLOSE, NULL);
    return handle == INVALID_HANDLE_VALUE ? win_fail()
                                          : win_fd_add(win_fd_new(WIN_FILE, handle));
}

bool dr_path_is_absolute(const char *path)
{
    bool drive = ((*path | 32) >= 'a' && (*path | 32) <= 'z') && path[1] == ':';
    const char *root = drive ? path + 2 : path;
    return *root == '/' || *root == '\\';
}
