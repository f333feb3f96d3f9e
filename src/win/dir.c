/* SPDX-License-Identifier: Apache-2.0 */
/* Directories, read whole: a position is a number. */
#include "win/fd.h"

struct win_dir {
    int fd; /* -1: none */
    wchar_t *pattern;
    struct dirent *entries;
    size_t count, at;
};

static int fill(DIR *dir)
{
    WIN32_FIND_DATAW data;
    free(dir->entries);
    dir->entries = NULL;
    dir->count = dir->at = 0;
    HANDLE find = FindFirstFileW(dir->pattern, &data);
    if (find == INVALID_HANDLE_VALUE)
        return GetLastError() == ERROR_FILE_NOT_FOUND ? 0 : win_fail();
    size_t room = 0;
    do {
        char *name = win_utf8(data.cFileName);
        if (!name)
            continue;
        if (dir->count == room) {
            room = room ? room * 2 : 32;
            dir->entries = realloc(dir->entries, room * sizeof *dir->entries);
            if (!dir->entries)
                abort();
        }
        struct dirent *entry = &dir->entries[dir->count++];
        snprintf(entry->d_name, sizeof entry->d_name, "%s", name);
        entry->d_type = data.dwFileAttributes & FILE_ATTRIBUTE_REPARSE_POINT ? DT_UNKNOWN
                        : data.dwFileAttributes & FILE_ATTRIBUTE_DIRECTORY   ? DT_DIR
                                                                             : DT_REG;
        free(name);
    } while (FindNextFileW(find, &data));
    FindClose(find);
    return 0;
}

static DIR *open_path(const wchar_t *path)
{
    DIR *dir = calloc(1, sizeof *dir);
    size_t n = wcslen(path) + 3;
    if (!dir || !(dir->pattern = malloc(n * sizeof *path)))
        abort();
    swprintf(dir->pattern, n, L"%ls\\*", path);
    dir->fd = -1;
    if (fill(dir) == 0)
        return dir;
    int number = errno;
    closedir(dir);
    errno = number;
    return NULL;
}

DIR *fdopendir(int number)
{
    struct win_fd *fd = win_fd_get(number);
    DIR *dir = NULL;
    if (fd && fd->kind == WIN_DIR)
        dir = open_path(fd->path);
    else if (fd)
        errno = ENOTDIR;
    if (fd)
        win_fd_put(fd);
    if (dir)
        dir->fd = number;
    return dir;
}

DIR *opendir(const char *path)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY);
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    if (fd >= 0 && !dir)
        close(fd);
    return dir;
}

struct dirent *readdir(DIR *dir)
{
    return dir->at < dir->count ? &dir->entries[dir->at++] : NULL;
}

int closedir(DIR *dir)
{
    if (dir->fd >= 0)
        close(dir->fd);
    free(dir->pattern);
    free(dir->entries);
    free(dir);
    return 0;
}

void rewinddir(DIR *dir)
{
    fill(dir);
}

long telldir(DIR *dir)
{
    return (long)dir->at;
}

void seekdir(DIR *dir, long at)
{
    dir->at = (size_t)at;
}

int dirfd(DIR *dir)
{
    return dir->fd;
}
