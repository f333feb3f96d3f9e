/* SPDX-License-Identifier: Apache-2.0 */
#include "base/walk.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "base/text.h"

#define OPEN_MAX_LEVELS 48 /* directories that stay open; the ones above are reopened */
#define NAMES_MAX ((size_t)4 << 20) /* bytes of names kept, of all levels */

struct level {
    int fd; /* -1: closed, to be found again by ".." */
    dev_t dev;
    ino_t ino;
    size_t path_len; /* of the directory itself */
    char **names;    /* sorted, or NULL: read one by one */
    size_t count, next, bytes;
    DIR *dir;    /* one by one; NULL while a level below is being walked */
    long cookie; /* where dir was */
    struct stat st;
};

struct dr_walk {
    unsigned flags;
    struct level *levels;
    size_t depth, cap; /* levels[depth - 1] is the current one */
    char *path;
    size_t path_len, path_cap, names_bytes;
    bool pending; /* the directory told last is to be gone into */
    struct stat pending_st;
};

static int failed(struct dr_walk *w, const char *what, struct dr_error *err)
{
    int number = errno;
    dr_auto_free char *shown = dr_escape(w->path_len ? w->path : ".", 200);
    errno = number;
    return dr_fail_errno(err, DR_ERR_NONE, "%s %s", what, shown);
}

static int by_bytes(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static void free_names(struct dr_walk *w, struct level *level)
{
    for (size_t i = 0; i < level->count; i++)
        free(level->names[i]);
    free(level->names);
    level->names = NULL;
    level->count = 0;
    w->names_bytes -= level->bytes;
    level->bytes = 0;
}

static void release(struct dr_walk *w, struct level *level)
{
    free_names(w, level);
    if (level->dir)
        closedir(level->dir);
    if (level->fd >= 0)
        close(level->fd);
}

static bool dots(const char *name)
{
    return name[0] == '.' && (name[1] == '\0' || (name[1] == '.' && name[2] == '\0'));
}

static DIR *open_stream(int fd)
{
    int copy = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = copy < 0 ? NULL : fdopendir(copy);
    if (!dir && copy >= 0)
        close(copy);
    return dir;
}

/* All names, or none when they are too many; then level->dir is at its beginning. */
static int read_names(struct dr_walk *w, struct level *level)
{
    size_t cap = 0;
    struct dirent *entry;
    level->dir = open_stream(level->fd);
    if (!level->dir)
        return -1;
    while (errno = 0, (entry = readdir(level->dir))) {
        size_t cost = strlen(entry->d_name) + 1 + sizeof(char *);
        if (dots(entry->d_name))
            continue;
        if (w->names_bytes + cost > NAMES_MAX) {
            free_names(w, level);
            rewinddir(level->dir);
            return 0;
        }
        if (level->count == cap)
            level->names =
                dr_realloc(level->names, (cap = cap ? cap * 2 : 16) * sizeof(char *));
        level->names[level->count++] = dr_strdup(entry->d_name);
        level->bytes += cost;
        w->names_bytes += cost;
    }
    if (errno)
        return -1;
    if (!level->names)
        level->names = dr_alloc(sizeof(char *));
    qsort(level->names, level->count, sizeof(char *), by_bytes);
    closedir(level->dir);
    level->dir = NULL;
    return 0;
}

/* fd is taken over. */
static int push(struct dr_walk *w, int fd, const struct stat *st)
{
    if (w->depth == w->cap)
        w->levels = dr_realloc(w->levels,
                               (w->cap = w->cap ? w->cap * 2 : 16) * sizeof *w->levels);
    struct level *level = &w->levels[w->depth];
    *level = (struct level){.fd = fd,
                            .dev = st->st_dev,
                            .ino = st->st_ino,
                            .path_len = w->path_len,
                            .st = *st};
    if (read_names(w, level) < 0) {
        int number = errno;
        release(w, level);
        errno = number;
        return -1;
    }
    w->depth++;
    if (w->depth > OPEN_MAX_LEVELS + 1) { /* the start stays open */
        struct level *far = &w->levels[w->depth - 1 - OPEN_MAX_LEVELS];
        close(far->fd);
        far->fd = -1;
    }
    return 0;
}

int dr_walk_new(int dirfd, unsigned flags, struct dr_walk **ret, struct dr_error *err)
{
    struct stat st;
    dr_auto_fd int fd = openat(dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &st) < 0)
        return dr_fail_errno(err, DR_ERR_NONE, "open a directory");
    struct dr_walk *w = dr_alloc(sizeof *w);
    w->flags = flags;
    w->path = dr_alloc(w->path_cap = 256);
    if (push(w, DR_TAKE_FD(fd), &st) < 0) {
        dr_fail_errno(err, DR_ERR_NONE, "read a directory");
        dr_walk_free(w);
        return -1;
    }
    *ret = w;
    return 0;
}

void dr_walk_free(struct dr_walk *w)
{
    if (!w)
        return;
    while (w->depth > 0)
        release(w, &w->levels[--w->depth]);
    free(w->levels);
    free(w->path);
    free(w);
}

void dr_walk_skip(struct dr_walk *w)
{
    w->pending = false;
}

static bool set_name(struct dr_walk *w, size_t dir_len, const char *name)
{
    size_t len = strlen(name), at = dir_len ? dir_len + 1 : 0;
    if (at + len > DR_WALK_PATH_MAX)
        return false;
    while (at + len + 1 > w->path_cap)
        w->path = dr_realloc(w->path, w->path_cap *= 2);
    if (dir_len)
        w->path[dir_len] = '/';
    memcpy(w->path + at, name, len + 1);
    w->path_len = at + len;
    return true;
}

static const char *last_name(const struct dr_walk *w)
{
    const char *slash = memrchr(w->path, '/', w->path_len);
    return slash ? slash + 1 : w->path;
}

/* The next name of the level; NULL at its end, or with errno set. */
static const char *next_name(struct level *level)
{
    struct dirent *entry;
    errno = 0;
    if (level->names)
        return level->next < level->count ? level->names[level->next++] : NULL;
    if (!level->dir) { /* back from a level below */
        level->dir = open_stream(level->fd);
        if (!level->dir)
            return NULL;
        seekdir(level->dir, level->cookie);
    }
    while (errno = 0, (entry = readdir(level->dir)))
        if (!dots(entry->d_name))
            return entry->d_name;
    return NULL;
}

/* Goes into the directory that was told last. Returns 1 when it could be passed over. */
static int go_in(struct dr_walk *w, struct dr_error *err)
{
    struct level *level = &w->levels[w->depth - 1];
    struct stat st;
    w->pending = false;
    if ((w->flags & DR_WALK_ONE_FS) && w->pending_st.st_dev != w->levels[0].dev)
        return 1;
    dr_auto_fd int fd =
        openat(level->fd, last_name(w), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &st) < 0) {
        bool gone = errno == ENOENT || errno == ENOTDIR || errno == ELOOP;
        return gone || (w->flags & DR_WALK_FORGIVING) ? 1 : failed(w, "open", err);
    }
    if ((w->flags & DR_WALK_ONE_FS) && st.st_dev != w->levels[0].dev)
        return 1;
    if (level->dir) {
        level->cookie = telldir(level->dir);
        closedir(level->dir);
        level->dir = NULL;
    }
    if (push(w, DR_TAKE_FD(fd), &st) < 0)
        return w->flags & DR_WALK_FORGIVING ? 1 : failed(w, "read", err);
    return 0;
}

/* The level is done: back to the one above, which has to be the one we came from. */
static int go_up(struct dr_walk *w, struct dr_error *err)
{
    struct level *level = &w->levels[w->depth - 1], *above = level - 1;
    if (above->fd < 0) {
        struct stat st;
        above->fd = openat(level->fd, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (above->fd < 0)
            return failed(w, "go back from", err);
        if (fstat(above->fd, &st) < 0 || st.st_dev != above->dev ||
            st.st_ino != above->ino) {
            errno = EAGAIN;
            return failed(w, "a directory was moved while it was read:", err);
        }
    }
    release(w, level);
    w->depth--;
    return 0;
}

static int leave(struct dr_walk *w, struct dr_walk_entry *ret, struct dr_error *err)
{
    struct level level = w->levels[w->depth - 1];
    w->path_len = level.path_len;
    w->path[w->path_len] = '\0';
    if (go_up(w, err) < 0)
        return -1;
    if (!(w->flags & DR_WALK_LEAVE))
        return 0;
    *ret = (struct dr_walk_entry){.path = w->path,
                                  .path_len = w->path_len,
                                  .name = last_name(w),
                                  .at = w->levels[w->depth - 1].fd,
                                  .st = level.st,
                                  .leaving = true};
    return 1;
}

int dr_walk_next(struct dr_walk *w, struct dr_walk_entry *ret, struct dr_error *err)
{
    if (w->pending && go_in(w, err) < 0)
        return -1;
    for (;;) {
        struct level *level = &w->levels[w->depth - 1];
        const char *name = next_name(level);
        if (!name && errno && !(w->flags & DR_WALK_FORGIVING))
            return failed(w, "read", err);
        if (!name && w->depth == 1)
            return 0;
        if (!name) {
            int result = leave(w, ret, err);
            if (result != 0)
                return result;
            continue;
        }
        if (!set_name(w, level->path_len, name)) {
            if (w->flags & DR_WALK_FORGIVING)
                continue;
            return dr_fail(err, DR_ERR_UNSUPPORTED,
                           "a path of more than %zu bytes in the tree", DR_WALK_PATH_MAX);
        }
        struct stat st;
        if (fstatat(level->fd, last_name(w), &st, AT_SYMLINK_NOFOLLOW) < 0) {
            if (errno == ENOENT || (w->flags & DR_WALK_FORGIVING))
                continue;
            return failed(w, "stat", err);
        }
        w->pending = S_ISDIR(st.st_mode);
        w->pending_st = st;
        *ret = (struct dr_walk_entry){.path = w->path,
                                      .path_len = w->path_len,
                                      .name = last_name(w),
                                      .at = level->fd,
                                      .st = st};
        return 1;
    }
}
