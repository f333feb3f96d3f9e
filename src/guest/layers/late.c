/* SPDX-License-Identifier: Apache-2.0 */
#include "guest/layers/late.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>

#include "guest/layers/parents.h"

struct late {
    FILE *file;
    char buffer[32 * 1024];
};

/* As written to the file, the path behind it. Never leaves this process. */
struct item {
    struct timespec times[2];
    mode_t mode;
    uint16_t path_len;
    bool implied, with_mode;
};

int late_new(int work, struct late **ret, struct dr_error *err)
{
    dr_auto_fd int fd = openat(work, ".", O_RDWR | O_TMPFILE | O_CLOEXEC, 0600);
    if (fd < 0) { /* a file system without O_TMPFILE */
        fd = openat(work, "late", O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
        if (fd < 0 || unlinkat(work, "late", 0) < 0)
            return dr_fail_errno(err, DR_ERR_INTERNAL, "make a temporary file");
    }
    struct late *late = dr_alloc(sizeof *late);
    late->file = fdopen(fd, "w+");
    if (!late->file) {
        free(late);
        return dr_fail_errno(err, DR_ERR_INTERNAL, "make a temporary file");
    }
    (void)DR_TAKE_FD(fd);
    setvbuf(late->file, late->buffer, _IOFBF, sizeof late->buffer);
    *ret = late;
    return 0;
}

void late_free(struct late *late)
{
    if (!late)
        return;
    fclose(late->file);
    free(late);
}

static int add(struct late *late, struct item *item, const char *path,
               struct dr_error *err)
{
    item->path_len = (uint16_t)strlen(path); /* < PATH_MAX */
    if (fwrite(item, sizeof *item, 1, late->file) != 1 ||
        (item->path_len > 0 && fwrite(path, item->path_len, 1, late->file) != 1))
        return dr_fail_errno(err, DR_ERR_INTERNAL, "write a temporary file");
    return 0;
}

int late_add_dir(struct late *late, const char *path, bool with_mode, mode_t mode,
                 const struct timespec times[2], struct dr_error *err)
{
    struct item item;
    memset(&item, 0, sizeof item); /* its padding is written, too */
    item.times[0] = times[0];
    item.times[1] = times[1];
    item.mode = mode;
    item.with_mode = with_mode;
    return add(late, &item, path, err);
}

int late_add_implied(struct late *late, const char *path, struct dr_error *err)
{
    struct item item;
    memset(&item, 0, sizeof item);
    item.implied =
        true; /* times: the epoch, so that unpacking again gives the same (I5) */
    return add(late, &item, path, err);
}

/* Returns 1 when the directory is still implied, 0, or -1 with errno. */
static int apply_one(int fd, const struct item *item)
{
    char mark;
    int was_implied = 0;
    if (item->implied) {
        /* without the mark the layer brought it after all */
        was_implied = fgetxattr(fd, IMPLIED_XATTR, &mark, 1) >= 0;
        if (was_implied ? fremovexattr(fd, IMPLIED_XATTR) < 0 : errno != ENODATA)
            return -1;
    }
    if (item->with_mode && fchmod(fd, item->mode) < 0)
        return -1;
    return futimens(fd, item->times) < 0 ? -1 : was_implied;
}

int late_apply(struct late *late, int root, late_implied_fn still_implied, void *arg,
               struct dr_error *err)
{
    struct item item;
    char path[PATH_MAX];
    if (fflush(late->file) != 0 || fseek(late->file, 0, SEEK_SET) != 0)
        return dr_fail_errno(err, DR_ERR_INTERNAL, "write a temporary file");
    while (fread(&item, sizeof item, 1, late->file) == 1) {
        if (item.path_len >= sizeof path ||
            (item.path_len > 0 && fread(path, item.path_len, 1, late->file) != 1))
            return dr_fail(err, DR_ERR_INTERNAL, "a temporary file is torn");
        path[item.path_len] = '\0';
        dr_auto_fd int fd =
            parents_open_in_root(root, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
        if (fd < 0) {
            if (errno == ENOENT || errno == ENOTDIR || errno == ELOOP)
                continue; /* a later entry took its place */
            return dr_fail_errno(err, DR_ERR_INTERNAL, "open %s", path);
        }
        int result = apply_one(fd, &item);
        if (result < 0)
            return dr_fail_errno(err, DR_ERR_INTERNAL, "set the metadata of %s", path);
        if (result > 0 && still_implied(arg, path, err) < 0)
            return -1;
    }
    if (ferror(late->file))
        return dr_fail_errno(err, DR_ERR_INTERNAL, "read a temporary file");
    return 0;
}
