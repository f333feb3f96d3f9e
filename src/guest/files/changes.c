/* SPDX-License-Identifier: Apache-2.0 */
#include "guest/files/changes.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

#include "base/text.h"
#include "base/walk.h"

/* A directory of upper on the way to what is looked at. */
struct dir {
    size_t path_len;
    bool told;     /* or it needs no telling */
    bool in_lower; /* the image has a directory there */
    bool hides;    /* and nothing of it is seen: opaque, or inside of an opaque one */
    bool whole;    /* for_layer: everything in it is told as added */
    enum change_kind kind;
};

struct scan {
    int lower;
    bool for_layer;
    change_fn each;
    void *arg;
    char *path; /* of the deepest of dirs, owned */
    struct dir *dirs;
    size_t depth, cap;
};

static int failed(const char *path, struct dr_error *err)
{
    int number = errno;
    dr_auto_free char *shown = dr_escape(path, 200);
    errno = number;
    return dr_fail_errno(err, DR_ERR_INTERNAL, "look at %s", shown);
}

/* lstat in the image. False when it is not there. */
static int lower_stat(const struct scan *s, const char *path, bool *ret_there,
                      struct stat *ret, struct dr_error *err)
{
    struct open_how how = {.flags = O_PATH | O_NOFOLLOW | O_CLOEXEC,
                           .resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS |
                                      RESOLVE_NO_SYMLINKS};
    /* a symlink as the last component is what we want to see, not an error */
    const char *slash = strrchr(path, '/');
    dr_auto_free char *parent = slash ? dr_strndup(path, (size_t)(slash - path)) : NULL;
    dr_auto_fd int at =
        parent ? (int)syscall(SYS_openat2, s->lower, parent, &how, sizeof how)
               : fcntl(s->lower, F_DUPFD_CLOEXEC, 0);
    *ret_there =
        at >= 0 && fstatat(at, slash ? slash + 1 : path, ret, AT_SYMLINK_NOFOLLOW) == 0;
    if (*ret_there || errno == ENOENT || errno == ENOTDIR || errno == ELOOP ||
        errno == ENAMETOOLONG)
        return 0;
    return failed(path, err);
}

static bool differs(const struct stat *a, const struct stat *b)
{
    if (a->st_mode != b->st_mode || a->st_uid != b->st_uid || a->st_gid != b->st_gid ||
        a->st_rdev != b->st_rdev)
        return true;
    /* size and time of a directory say nothing */
    return !S_ISDIR(a->st_mode) &&
           (a->st_size != b->st_size || a->st_mtim.tv_sec != b->st_mtim.tv_sec ||
            a->st_mtim.tv_nsec != b->st_mtim.tv_nsec);
}

/* What starts make in a root that lacks it, as long as it is empty. */
static bool made_by_start(const char *path, const struct stat *st)
{
    static const char *const dirs[] = {"dev",    "proc",         "sys",     "etc",
                                       "sbin",   "dev/pts",      "dev/shm", "dev/mqueue",
                                       "sys/fs", "sys/fs/cgroup"};
    static const char *const files[] = {"etc/hosts",        "etc/hostname",
                                        "etc/resolv.conf",  "etc/mtab",
                                        "sbin/docker-init", "dev/console"};
    if (S_ISDIR(st->st_mode)) {
        for (size_t i = 0; i < DR_COUNT(dirs); i++)
            if (strcmp(path, dirs[i]) == 0)
                return true;
        return false;
    }
    bool empty = S_ISREG(st->st_mode) && st->st_size == 0;
    for (size_t i = 0; i < DR_COUNT(files); i++)
        if (empty && strcmp(path, files[i]) == 0)
            return true;
    return false;
}

static struct dir *current(const struct scan *s)
{
    return &s->dirs[s->depth - 1];
}

/* Tells the change, and before it the directories on the way that were not told yet. */
static int tell(struct scan *s, const char *path, enum change_kind kind, bool opaque,
                struct dr_error *err)
{
    for (size_t i = 0; i < s->depth; i++) {
        struct dir *dir = &s->dirs[i];
        if (dir->told)
            continue;
        dr_auto_free char *name = dr_strndup(s->path, dir->path_len);
        struct change change = {.kind = dir->kind, .path = name};
        dir->told = true;
        if (s->each(s->arg, &change, err) < 0)
            return -1;
    }
    struct change change = {.kind = kind, .path = path, .opaque = opaque};
    return s->each(s->arg, &change, err);
}

/* Names that the image has in a directory that is hidden, and the container has not. */
static int tell_hidden(struct scan *s, int upper_dir, const char *path,
                       struct dr_error *err)
{
    struct open_how how = {.flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC,
                           .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS};
    int fd = (int)syscall(SYS_openat2, s->lower, path, &how, sizeof how);
    DIR *stream = fd < 0 ? NULL : fdopendir(fd);
    if (!stream) {
        if (fd >= 0)
            close(fd);
        return failed(path, err);
    }
    struct dirent *entry;
    int result = 0;
    while (result == 0 && (entry = readdir(stream))) {
        struct stat st;
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        bool there = fstatat(upper_dir, entry->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0;
        if (there && !(S_ISCHR(st.st_mode) && st.st_rdev == makedev(0, 0)))
            continue;
        dr_auto_free char *name = dr_printf("%s/%s", path, entry->d_name);
        result = tell(s, name, CHANGE_DELETED, false, err);
    }
    closedir(stream);
    return result;
}

/* What overlayfs noted on a directory of upper. */
static int read_marks(int dir, const char *path, bool *ret_opaque, struct dr_error *err)
{
    char value = 0;
    *ret_opaque =
        fgetxattr(dir, "trusted.overlay.opaque", &value, 1) == 1 && value == 'y';
    if (fgetxattr(dir, "trusted.overlay.redirect", NULL, 0) >= 0) {
        dr_auto_free char *shown = dr_escape(path, 200);
        return dr_fail(err, DR_ERR_UNSUPPORTED,
                       "%s was renamed by a kernel with redirect_dir on", shown);
    }
    return 0;
}

static void enter(struct scan *s, const char *path, const struct dir *dir)
{
    if (s->depth == s->cap)
        s->dirs =
            dr_realloc(s->dirs, (s->cap = s->cap ? s->cap * 2 : 16) * sizeof *s->dirs);
    s->dirs[s->depth++] = *dir;
    free(s->path);
    s->path = dr_strdup(path);
}

static int directory(struct scan *s, const struct dr_walk_entry *e, bool there,
                     const struct stat *lower, struct dr_error *err)
{
    const struct dir *above = current(s);
    bool opaque, in_lower = there && S_ISDIR(lower->st_mode);
    dr_auto_fd int fd =
        openat(e->at, e->name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return errno == ENOENT ? 0 : failed(e->path, err);
    if (read_marks(fd, e->path, &opaque, err) < 0)
        return -1;
    struct dir dir = {.path_len = e->path_len,
                      .in_lower = in_lower,
                      .hides = in_lower && (opaque || above->hides),
                      .whole = above->whole || (s->for_layer && in_lower && opaque),
                      .kind = there && !above->whole ? CHANGE_MODIFIED : CHANGE_ADDED};
    bool quiet = there ? in_lower && !dir.whole && !differs(&e->st, lower)
                       : made_by_start(e->path, &e->st);
    dir.told = !quiet;
    if (!quiet && tell(s, e->path, dir.kind, dir.whole && !above->whole, err) < 0)
        return -1;
    enter(s, e->path, &dir);
    return dir.hides && !s->for_layer ? tell_hidden(s, fd, e->path, err) : 0;
}

static int entry(struct scan *s, const struct dr_walk_entry *e, struct dr_error *err)
{
    struct stat lower;
    bool there = false;
    const struct dir *above = current(s);
    if (above->in_lower && lower_stat(s, e->path, &there, &lower, err) < 0)
        return -1;
    if (S_ISDIR(e->st.st_mode))
        return directory(s, e, there, &lower, err);
    if (S_ISCHR(e->st.st_mode) && e->st.st_rdev == makedev(0, 0))
        return there && !above->hides ? tell(s, e->path, CHANGE_DELETED, false, err) : 0;
    if (!there || above->whole) {
        if (!there && made_by_start(e->path, &e->st))
            return 0;
        return tell(s, e->path, CHANGE_ADDED, false, err);
    }
    if (!s->for_layer && !differs(&e->st, &lower))
        return 0; /* copied up, by an open for writing say, and left as it was */
    return tell(s, e->path, CHANGE_MODIFIED, false, err);
}

int changes_each(int upper, int lower, bool for_layer, change_fn each, void *arg,
                 struct dr_error *err)
{
    struct scan s = {.lower = lower, .for_layer = for_layer, .each = each, .arg = arg};
    struct dr_walk *walk;
    struct dr_walk_entry e;
    int result;
    if (dr_walk_new(upper, 0, &walk, err) < 0)
        return -1;
    enter(&s, "", &(struct dir){.told = true, .in_lower = true});
    while ((result = dr_walk_next(walk, &e, err)) > 0) {
        /* out of the directories that the entry is not in */
        while (s.depth > 1) {
            size_t n = current(&s)->path_len;
            if (e.path_len > n && e.path[n] == '/' && memcmp(s.path, e.path, n) == 0)
                break;
            s.depth--;
        }
        if ((result = entry(&s, &e, err)) < 0)
            break;
    }
    free(s.dirs);
    free(s.path);
    dr_walk_free(walk);
    return result;
}
