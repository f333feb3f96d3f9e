/* SPDX-License-Identifier: Apache-2.0 */
#include "guest/cgroup/file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "base/fs.h"

int cgroup_file_open(const char *root, const char *path, const char *controller,
                     const char *v1, const char *v2, int flags, bool *ret_v2)
{
    const char *below = path + strspn(path, "/");
    char *places[] = {v1 ? dr_printf("%s/%s/%s/%s", root, controller, below, v1) : NULL,
                      v2 ? dr_printf("%s/%s/%s", root, below, v2) : NULL,
                      v2 ? dr_printf("%s/unified/%s/%s", root, below, v2) : NULL};
    int fd = -1, number = ENOENT;
    for (size_t i = 0; i < DR_COUNT(places) && fd < 0; i++) {
        if (!places[i])
            continue;
        fd = open(places[i], flags | O_CLOEXEC);
        if (fd >= 0 && ret_v2)
            *ret_v2 = i > 0;
        if (fd < 0 && errno != ENOENT && errno != ENOTDIR)
            number = errno;
    }
    for (size_t i = 0; i < DR_COUNT(places); i++)
        free(places[i]);
    if (fd < 0)
        errno = number;
    return fd;
}

long cgroup_file_read(const char *root, const char *path, const char *controller,
                      const char *v1, const char *v2, char *ret_text, size_t size,
                      bool *ret_v2)
{
    dr_auto_fd int fd =
        cgroup_file_open(root, path, controller, v1, v2, O_RDONLY, ret_v2);
    ssize_t n = fd < 0 ? -1 : dr_read_full(fd, ret_text, size - 1);
    if (n >= 0)
        ret_text[n] = '\0';
    return n;
}

int cgroup_file_write(const char *root, const char *path, const char *controller,
                      const char *v1, const char *v2, const char *text)
{
    dr_auto_fd int fd =
        cgroup_file_open(root, path, controller, v1, v2, O_WRONLY | O_TRUNC, NULL);
    return fd >= 0 && write(fd, text, strlen(text)) >= 0 ? 0 : -1;
}
