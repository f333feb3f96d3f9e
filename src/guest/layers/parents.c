/* SPDX-License-Identifier: Apache-2.0 */
#include "guest/layers/parents.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

#include "base/text.h"

#define CACHE_SIZE 16
#define LINKS_MAX 40 /* as the kernel's own limit */

struct cached {
    int fd;
    char *path; /* NULL: free */
    size_t len;
    uint64_t used;
};

struct parents {
    int root;
    implied_fn implied;
    void *arg;
    uint64_t clock;
    struct cached cache[CACHE_SIZE];
};

struct parents *parents_new(int root, implied_fn implied, void *arg)
{
    struct parents *parents = dr_alloc(sizeof *parents);
    parents->root = root;
    parents->implied = implied;
    parents->arg = arg;
    return parents;
}

void parents_flush(struct parents *parents)
{
    for (size_t i = 0; i < CACHE_SIZE; i++) {
        struct cached *c = &parents->cache[i];
        if (c->path)
            close(c->fd);
        free(c->path);
        *c = (struct cached){0};
    }
}

void parents_free(struct parents *parents)
{
    if (!parents)
        return;
    parents_flush(parents);
    free(parents);
}

/* The least recently used slot is given up: the one before the last stays open, which is
 * what a hard link with two parents needs. */
static int keep(struct parents *parents, const char *path, size_t len, int fd)
{
    struct cached *oldest = &parents->cache[0];
    for (size_t i = 0; i < CACHE_SIZE; i++)
        if (parents->cache[i].used < oldest->used)
            oldest = &parents->cache[i];
    if (oldest->path)
        close(oldest->fd);
    free(oldest->path);
    *oldest = (struct cached){fd, dr_strndup(path, len), len, ++parents->clock};
    return fd;
}

static int open_below(int root, const char *path, uint64_t flags)
{
    struct open_how how = {
        .flags = flags | O_CLOEXEC,
        .resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS,
    };
    return (int)syscall(SYS_openat2, root, path, &how, sizeof how);
}

int parents_set_opaque(int at, const char *name, struct dr_error *err)
{
    dr_auto_fd int fd = openat(at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0 || fsetxattr(fd, OPAQUE_XATTR, "y", 1, 0) < 0)
        return dr_fail_errno(err, DR_ERR_INTERNAL, "make %s opaque", name);
    return 0;
}

/* The walk: real is the path so far, free of symlinks; at is open on it. */
struct walk {
    struct parents *parents;
    bool make;
    int at; /* owned unless it is the root */
    char real[PATH_MAX];
    size_t real_len;
    char *rest;     /* owned */
    size_t rest_at; /* what is behind it is still to be walked */
    unsigned links;
};

static void step_to(struct walk *w, int fd)
{
    if (w->at != w->parents->root)
        close(w->at);
    w->at = fd;
}

static int not_a_directory(const char *path, struct dr_error *err)
{
    dr_auto_free char *shown = dr_escape(path, 200);
    return dr_fail(err, DR_ERR_FORMAT, "%s is no directory, but has entries below it",
                   shown);
}

static int append_real(struct walk *w, const char *name, size_t len, struct dr_error *err)
{
    if (w->real_len + 1 + len >= sizeof w->real)
        return dr_fail(err, DR_ERR_FORMAT,
                       "a path is too long once its symlinks are followed");
    if (w->real_len > 0)
        w->real[w->real_len++] = '/';
    memcpy(w->real + w->real_len, name, len);
    w->real_len += len;
    w->real[w->real_len] = '\0';
    return 0;
}

static int go_up(struct walk *w, struct dr_error *err)
{
    while (w->real_len > 0 && w->real[w->real_len - 1] != '/')
        w->real_len--;
    if (w->real_len > 0)
        w->real_len--;
    w->real[w->real_len] = '\0';
    /* by path and not by "..": real has no symlinks, and this cannot pass the root */
    int fd = w->parents->root;
    if (w->real_len > 0 &&
        (fd = parents_open_in_root(w->parents->root, w->real, O_PATH | O_DIRECTORY)) < 0)
        return dr_fail_errno(err, DR_ERR_INTERNAL, "open %s", w->real);
    step_to(w, fd);
    return 0;
}

static int follow(struct walk *w, const char *name, struct dr_error *err)
{
    char target[PATH_MAX];
    ssize_t n = readlinkat(w->at, name, target, sizeof target - 1);
    if (n < 0)
        return dr_fail_errno(err, DR_ERR_INTERNAL, "read the symlink %s", name);
    target[n] = '\0';
    if (++w->links > LINKS_MAX)
        return dr_fail(err, DR_ERR_FORMAT, "too many symlinks on the way to an entry");
    char *rest = dr_printf("%s/%s", target, w->rest + w->rest_at);
    free(w->rest);
    w->rest = rest;
    w->rest_at = 0;
    if (strlen(rest) >= (size_t)2 * PATH_MAX)
        return dr_fail(err, DR_ERR_FORMAT,
                       "a path is too long once its symlinks are followed");
    if (target[0] == '/') {
        w->real_len = 0;
        w->real[0] = '\0';
        step_to(w, w->parents->root);
    }
    return 0;
}

/* opaque: something that hid the layers below was in this place; then the directory is
 * new and has no older one to be like. */
static int make_implied(struct walk *w, const char *name, bool opaque,
                        struct dr_error *err)
{
    if (mkdirat(w->at, name, 0755) < 0)
        return dr_fail_errno(err, DR_ERR_INTERNAL, "mkdir %s", name);
    dr_auto_fd int fd =
        openat(w->at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0 || fchmod(fd, 0755) < 0 || fchown(fd, 0, 0) < 0 ||
        (opaque ? fsetxattr(fd, OPAQUE_XATTR, "y", 1, 0)
                : fsetxattr(fd, IMPLIED_XATTR, "y", 1, 0)) < 0)
        return dr_fail_errno(err, DR_ERR_INTERNAL, "make the directory %s", name);
    return 0;
}

/* One component. Returns 0, -1, or -2 when it is missing and not to be made. */
static int step(struct walk *w, const char *name, size_t len, struct dr_error *err)
{
    struct stat st;
    bool missing = false, opaque = false, made = false;
    if (fstatat(w->at, name, &st, AT_SYMLINK_NOFOLLOW) < 0) {
        if (errno == ENAMETOOLONG)
            return dr_fail(err, DR_ERR_FORMAT, "a name is too long");
        if (errno != ENOENT)
            return dr_fail_errno(err, DR_ERR_INTERNAL, "stat %s", name);
        missing = true;
    } else if (S_ISLNK(st.st_mode)) {
        return follow(w, name, err);
    } else if (S_ISCHR(st.st_mode) && st.st_rdev == makedev(0, 0)) {
        missing = opaque = true; /* a whiteout of this layer */
    }
    if (missing && !w->make)
        return -2;
    if (opaque && unlinkat(w->at, name, 0) < 0)
        return dr_fail_errno(err, DR_ERR_INTERNAL, "remove %s", name);
    if (missing) {
        if (make_implied(w, name, opaque, err) < 0)
            return -1;
        made = true;
    }
    int fd = openat(w->at, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0) {
        if (errno != ENOTDIR && errno != ELOOP)
            return dr_fail_errno(err, DR_ERR_INTERNAL, "open %s", name);
        if (!w->make)
            return -2;
        return append_real(w, name, len, err) < 0 ? -1 : not_a_directory(w->real, err);
    }
    step_to(w, fd);
    if (append_real(w, name, len, err) < 0)
        return -1;
    return made ? w->parents->implied(w->parents->arg, w->real, err) : 0;
}

static int walk_run(struct walk *w, struct dr_error *err)
{
    for (;;) {
        char *p = w->rest + w->rest_at;
        p += strspn(p, "/");
        size_t n = strcspn(p, "/");
        if (n == 0)
            return 0;
        char name[NAME_MAX + 1];
        if (n > NAME_MAX)
            return w->make ? dr_fail(err, DR_ERR_FORMAT, "a name is too long") : -2;
        memcpy(name, p, n);
        name[n] = '\0';
        w->rest_at = (size_t)(p + n - w->rest);
        int result = 0;
        if (strcmp(name, "..") == 0)
            result = go_up(w, err);
        else if (strcmp(name, ".") != 0)
            result = step(w, name, n, err);
        if (result < 0)
            return result;
    }
}

static int walk(struct parents *parents, const char *path, bool make,
                struct dr_error *err)
{
    struct walk *w = dr_alloc(sizeof *w);
    *w = (struct walk){
        .parents = parents, .make = make, .at = parents->root, .rest = dr_strdup(path)};
    int result = walk_run(w, err);
    if (result == 0) {
        result = w->at;
        if (result == parents->root &&
            (result = openat(w->at, ".", O_PATH | O_DIRECTORY | O_CLOEXEC)) < 0)
            dr_fail_errno(err, DR_ERR_INTERNAL, "open the root of the layer");
    } else {
        step_to(w, parents->root);
    }
    free(w->rest);
    free(w);
    return result;
}

int parents_open_in_root(int root, const char *path, int flags)
{
    if (!*path)
        return openat(root, ".", flags | O_CLOEXEC);
    return open_below(root, path, (uint64_t)(flags | O_NOFOLLOW));
}

static int lookup(struct parents *parents, const char *path, size_t len, bool make,
                  struct dr_error *err)
{
    if (len == 0)
        return parents->root;
    for (size_t i = 0; i < CACHE_SIZE; i++) {
        struct cached *c = &parents->cache[i];
        if (c->len == len && c->path && memcmp(c->path, path, len) == 0) {
            c->used = ++parents->clock;
            return c->fd;
        }
    }
    char text[PATH_MAX];
    memcpy(text, path, len);
    text[len] = '\0';
    int fd = open_below(parents->root, text, O_PATH | O_DIRECTORY);
    if (fd < 0)
        fd = walk(parents, text, make, err); /* which also finds the words for errors */
    return fd < 0 ? fd : keep(parents, path, len, fd);
}

int parents_open(struct parents *parents, const char *path, size_t len,
                 struct dr_error *err)
{
    return lookup(parents, path, len, true, err);
}

int parents_find(struct parents *parents, const char *path, size_t len,
                 struct dr_error *err)
{
    return lookup(parents, path, len, false, err);
}
