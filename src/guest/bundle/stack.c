/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One file out of a stack of overlay layers that is not mounted. create resolves named
 * users this way, before there is a mount (C16).
 *
 * The walk keeps a path without symlinks ("done") and how many layers, from the top, can
 * still show through there. Rule: kernel Documentation/filesystems/overlayfs.rst,
 * "whiteouts and opaque directories".
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

#include "base/fs.h"
#include "guest/bundle/bundle.h"

#define STEPS_MAX 2048 /* components looked up, symlinks' included */
#define LINKS_MAX 40   /* as the kernel's MAXSYMLINKS */

struct walk {
    const int *layers;
    size_t count;
    const char *path; /* as asked for, for errors */
    char done[PATH_MAX], rest[PATH_MAX];
    size_t visible; /* layers[0 … visible) may contribute at done */
    unsigned steps, links;
    struct stat st; /* of the last component found */
    size_t layer;   /* where that was, for anything but a directory */
};

/* `done` has no symlink in any layer that is visible, so none is expected here; a layer
 * that brings one anyway loses. O_NOFOLLOW is for the last component. */
static int open_in(int layer, const char *path, int flags)
{
    struct open_how how = {
        .flags = (uint64_t)(flags | O_NOFOLLOW | O_CLOEXEC),
        .resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS,
    };
    if (!(flags & O_PATH))
        how.resolve |= RESOLVE_NO_SYMLINKS;
    return (int)syscall(SYS_openat2, layer, *path ? path : ".", &how, sizeof how);
}

static bool opaque(int layer, const char *path)
{
    dr_auto_fd int fd = open_in(layer, path, O_RDONLY | O_DIRECTORY);
    char value = 0;
    return fd >= 0 && fgetxattr(fd, "trusted.overlay.opaque", &value, 1) == 1 &&
           value == 'y';
}

static int not_found(const struct walk *w, struct dr_error *err)
{
    return dr_fail(err, DR_ERR_NOT_FOUND, "%s: not in the image", w->path);
}

static int too_long(const struct walk *w, struct dr_error *err)
{
    return dr_fail(err, DR_ERR_CREATE, "%.200s: the path is too long", w->path);
}

/* Looks `path` up in the visible layers: fills st and layer, shrinks visible. */
static int look_up(struct walk *w, const char *path, struct dr_error *err)
{
    bool found = false;
    for (size_t i = 0; i < w->visible; i++) {
        dr_auto_fd int fd = open_in(w->layers[i], path, O_PATH);
        struct stat st;
        if (fd < 0) {
            if (errno == ENOENT || errno == ENOTDIR || errno == ELOOP)
                continue;
            return dr_fail_errno(err, DR_ERR_INTERNAL, "read %s of the image", w->path);
        }
        if (fstat(fd, &st) < 0)
            return dr_fail_errno(err, DR_ERR_INTERNAL, "read %s of the image", w->path);
        bool directory = S_ISDIR(st.st_mode);
        bool whiteout = S_ISCHR(st.st_mode) && st.st_rdev == makedev(0, 0);
        if (!found && !whiteout) {
            w->st = st;
            w->layer = i;
            found = true;
            if (!directory)
                return 0;
        }
        if (!directory) { /* hides what is below it */
            w->visible = i;
        } else if (opaque(w->layers[i], path)) {
            w->visible = i + 1;
        }
    }
    return found ? 0 : not_found(w, err);
}

/* rest becomes target + "/" + rest; false when that is too long. */
static bool prepend(struct walk *w, const char *target)
{
    size_t a = strlen(target), b = strlen(w->rest);
    if (a + 1 + b >= sizeof w->rest)
        return false;
    memmove(w->rest + a + 1, w->rest, b + 1);
    memcpy(w->rest, target, a);
    w->rest[a] = '/';
    return true;
}

/* Begins again at the root with the path `again` before the rest. */
static bool restart(struct walk *w, const char *again)
{
    dr_auto_free char *copy = dr_strdup(again);
    w->done[0] = '\0';
    w->visible = w->count;
    return prepend(w, copy);
}

static int follow(struct walk *w, const char *link, struct dr_error *err)
{
    char target[PATH_MAX];
    dr_auto_fd int fd = open_in(w->layers[w->layer], link, O_PATH);
    ssize_t len = fd < 0 ? -1 : readlinkat(fd, "", target, sizeof target - 1);
    if (len < 0)
        return dr_fail_errno(err, DR_ERR_INTERNAL, "read link %s of the image", link);
    target[len] = '\0';
    if (++w->links > LINKS_MAX)
        return dr_fail(err, DR_ERR_CREATE, "%s: too many symbolic links in the image",
                       w->path);
    bool fits = prepend(w, target);
    if (fits) /* a look-up below done has shrunk visible: count again from the root */
        fits = restart(w, target[0] == '/' ? "" : w->done);
    return fits ? 0 : too_long(w, err);
}

/* Takes one component off the rest. */
static int step(struct walk *w, struct dr_error *err)
{
    char name[NAME_MAX + 1];
    const char *start = w->rest + strspn(w->rest, "/");
    size_t len = strcspn(start, "/"), used = (size_t)(start - w->rest) + len;
    if (len > NAME_MAX || ++w->steps > STEPS_MAX)
        return too_long(w, err);
    memcpy(name, start, len);
    name[len] = '\0';
    memmove(w->rest, w->rest + used, strlen(w->rest + used) + 1);
    if (!len || strcmp(name, ".") == 0)
        return 0;
    if (strcmp(name, "..") == 0) {
        char *slash = strrchr(w->done, '/');
        *(slash ? slash : w->done) = '\0';
        return restart(w, w->done) ? 0 : too_long(w, err);
    }
    char next[PATH_MAX];
    size_t done = strlen(w->done);
    if (done + 1 + len >= sizeof next)
        return too_long(w, err);
    memcpy(next, w->done, done);
    if (done)
        next[done++] = '/';
    memcpy(next + done, name, len + 1);
    if (look_up(w, next, err) < 0)
        return -1;
    if (S_ISLNK(w->st.st_mode))
        return follow(w, next, err);
    memcpy(w->done, next, done + len + 1);
    if (!S_ISDIR(w->st.st_mode) && w->rest[strspn(w->rest, "/")])
        return not_found(w, err);
    return 0;
}

static int walk(struct walk *w, struct dr_error *err)
{
    if (strlen(w->path) >= sizeof w->rest)
        return too_long(w, err);
    memcpy(w->rest, w->path, strlen(w->path) + 1);
    w->visible = w->count;
    w->st.st_mode = S_IFDIR | 0755;
    while (*w->rest)
        if (step(w, err) < 0)
            return -1;
    return 0;
}

int bundle_stack_stat(const int *layers, size_t layer_count, const char *path,
                      mode_t *ret_mode, struct dr_error *err)
{
    struct walk w = {.layers = layers, .count = layer_count, .path = path};
    if (walk(&w, err) < 0)
        return -1;
    *ret_mode = w.st.st_mode;
    return 0;
}

int bundle_stack_read(const int *layers, size_t layer_count, const char *path,
                      struct dr_buf *buf, struct dr_error *err)
{
    struct walk w = {.layers = layers, .count = layer_count, .path = path};
    if (walk(&w, err) < 0)
        return -1;
    if (!S_ISREG(w.st.st_mode)) /* a FIFO would block us, a device worse (H2) */
        return dr_fail(err, DR_ERR_CREATE, "%s of the image is not a regular file", path);
    dr_auto_fd int fd =
        open_in(layers[w.layer], w.done, O_RDONLY | O_NONBLOCK | O_NOCTTY);
    struct stat st;
    if (fd < 0 || fstat(fd, &st) < 0)
        return dr_fail_errno(err, DR_ERR_INTERNAL, "read %s of the image", path);
    if (!S_ISREG(st.st_mode))
        return dr_fail(err, DR_ERR_CREATE, "%s of the image is not a regular file", path);
    for (;;) {
        char chunk[16384];
        ssize_t n = dr_read_full(fd, chunk, sizeof chunk);
        if (n < 0)
            return dr_fail_errno(err, DR_ERR_INTERNAL, "read %s of the image", path);
        if (n == 0)
            return 0;
        if (dr_buf_add(buf, chunk, (size_t)n, err) < 0)
            return dr_wrap(err, "%s of the image", path);
    }
}
