/* SPDX-License-Identifier: Apache-2.0 */
#include "guest/layers/extract.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/sysmacros.h>

#include "base/fs.h"
#include "base/text.h"
#include "guest/layers/attrs.h"
#include "guest/layers/late.h"
#include "tar/whiteout.h"
#include "guest/layers/notes.h"
#include "guest/layers/parents.h"
#include "guest/layers/split.h"

#define BIG_FILE (16 << 20) /* from here on the free space is looked at first */

struct extract {
    int root;
    bool mask_is_zero;
    struct split *split;
    struct parents *parents;
    struct late *late;
    struct extract_stats stats;
    bool root_brought, root_opaque;
};

/* The entry at hand: its clean path, and its parent opened. */
struct place {
    char path[PATH_MAX];
    size_t len;
    int at;           /* borrowed from parents */
    const char *name; /* last component, inside path */
};

static int note_implied(void *arg, const char *path, struct dr_error *err)
{
    struct extract *x = arg;
    x->stats.disk_bytes += 4096;
    return late_add_implied(x->late, path, err);
}

int extract_new(int root, int work, bool mask_is_zero, struct split *split,
                struct extract **ret, struct dr_error *err)
{
    struct late *late;
    if (late_new(work, &late, err) < 0)
        return -1;
    struct extract *x = dr_alloc(sizeof *x);
    x->root = root;
    x->mask_is_zero = mask_is_zero;
    x->split = split;
    x->late = late;
    x->parents = parents_new(root, note_implied, x);
    x->stats.disk_bytes = 4096;
    *ret = x;
    return 0;
}

void extract_free(struct extract *x)
{
    if (!x)
        return;
    parents_free(x->parents);
    late_free(x->late);
    free(x);
}

void extract_count(const struct extract *x, struct extract_stats *ret)
{
    *ret = x->stats;
}

static int failed(struct dr_error *err, const char *what, const char *path)
{
    int number = errno;
    dr_auto_free char *shown = dr_escape(path, 200);
    errno = number;
    if (number == ENAMETOOLONG)
        return dr_fail(err, DR_ERR_FORMAT, "%s %s: a name is too long", what, shown);
    return dr_fail_errno(err, DR_ERR_INTERNAL, "%s %s", what, shown);
}

/* path has len bytes: opens the parent, finds the name. */
static int find_place(struct extract *x, struct place *p, struct dr_error *err)
{
    const char *slash = memrchr(p->path, '/', p->len);
    p->name = slash ? slash + 1 : p->path;
    p->at = parents_open(x->parents, p->path, slash ? (size_t)(slash - p->path) : 0, err);
    return p->at < 0 ? -1 : 0;
}

static bool is_whiteout(const struct stat *st)
{
    return S_ISCHR(st->st_mode) && st->st_rdev == makedev(0, 0);
}

enum in_the_way { WAY_FREE, WAY_HID_LOWER, WAY_DIR_STAYS };

/*
 * Something of this layer is there already: the last entry wins, a directory over a
 * directory goes on with it. What is no directory hides the layers below; a directory
 * that comes in its place has to go on hiding them (WAY_HID_LOWER).
 */
static int clear_way(struct extract *x, struct place *p, bool want_dir,
                     enum in_the_way *ret, struct dr_error *err)
{
    struct stat st;
    if (fstatat(p->at, p->name, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return failed(err, "stat", p->path);
    if (S_ISDIR(st.st_mode)) {
        *ret = WAY_DIR_STAYS;
        if (want_dir)
            return 0;
        *ret = WAY_FREE;
        int kept = split_set_aside(x->split, p->at, p->name, p->path, err);
        if (kept < 0 || (kept == 0 && dr_remove_all(p->at, p->name, err) < 0))
            return -1;
        parents_flush(x->parents);
        return find_place(x, p, err);
    }
    int kept = S_ISREG(st.st_mode) || S_ISLNK(st.st_mode)
                   ? split_set_aside(x->split, p->at, p->name, p->path, err)
                   : 0;
    if (kept < 0)
        return -1;
    if (kept == 0 && unlinkat(p->at, p->name, 0) < 0)
        return failed(err, "replace", p->path);
    *ret = WAY_HID_LOWER;
    if (S_ISLNK(st.st_mode)) {
        parents_flush(x->parents);
        return find_place(x, p, err);
    }
    return 0;
}

/* ---- regular files ---- */

static int no_room(struct extract *x, const struct place *p, int64_t need,
                   struct dr_error *err)
{
    struct statvfs fs;
    if (need < BIG_FILE || fstatvfs(x->root, &fs) < 0)
        return 0;
    if ((uint64_t)need / fs.f_frsize <= fs.f_bfree)
        return 0;
    errno = ENOSPC;
    return failed(err, "write", p->path);
}

static int write_at(int fd, const uint8_t *data, size_t len, int64_t offset)
{
    while (len > 0) {
        ssize_t n = pwrite(fd, data, len, offset);
        if (n < 0) {
            if (errno == EINTR)
                continue;
            return -1;
        }
        data += n;
        len -= (size_t)n;
        offset += n;
    }
    return 0;
}

static int write_plain(int fd, struct tar *tar, const struct place *p,
                       struct dr_error *err)
{
    const uint8_t *data;
    size_t len;
    int64_t offset = 0;
    int result;
    while ((result = tar_data(tar, &data, &len, err)) > 0) {
        if (write_at(fd, data, len, offset) < 0)
            return failed(err, "write", p->path);
        dr_write_behind(fd, offset, offset + (int64_t)len);
        offset += (int64_t)len;
    }
    return result;
}

/* The stored bytes go to the extents in turn; the reader checked that they add up. */
static int write_sparse(int fd, struct tar *tar, const struct tar_entry *e,
                        const struct place *p, struct dr_error *err)
{
    const uint8_t *data = NULL;
    size_t len = 0;
    for (size_t i = 0; i < e->n_extents; i++) {
        int64_t offset = e->extents[i].offset, left = e->extents[i].length;
        while (left > 0) {
            if (len == 0 && tar_data(tar, &data, &len, err) <= 0)
                return -1;
            size_t n = (int64_t)len < left ? len : (size_t)left;
            if (write_at(fd, data, n, offset) < 0)
                return failed(err, "write", p->path);
            data += n;
            len -= n;
            offset += (int64_t)n;
            left -= (int64_t)n;
        }
    }
    if (ftruncate(fd, e->size) < 0)
        return failed(err, "write", p->path);
    return 0;
}

static int make_file(struct extract *x, struct tar *tar, const struct tar_entry *e,
                     struct place *p, struct dr_error *err)
{
    const int flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
    dr_auto_fd int fd = openat(p->at, p->name, flags, e->mode & 0777);
    if (fd < 0 && errno == EEXIST) {
        enum in_the_way way;
        if (clear_way(x, p, false, &way, err) < 0)
            return -1;
        fd = openat(p->at, p->name, flags, e->mode & 0777);
    }
    if (fd < 0)
        return failed(err, "create", p->path);
    x->stats.disk_bytes += e->stored / 4096 * 4096 + (e->stored % 4096 ? 4096 : 0);
    if (no_room(x, p, e->stored, err) < 0)
        return -1;
    if ((e->sparse ? write_sparse(fd, tar, e, p, err) : write_plain(fd, tar, p, err)) < 0)
        return -1;
    return attrs_set_file(fd, e, x->mask_is_zero, p->path, err);
}

/* ---- everything else ---- */

static int make_dir(struct extract *x, const struct tar_entry *e, struct place *p,
                    struct dr_error *err)
{
    const mode_t mode = e->mode & 01777; /* mkdir does not set set-id bits */
    enum in_the_way way = WAY_FREE;
    if (mkdirat(p->at, p->name, mode) < 0) {
        if (errno != EEXIST)
            return failed(err, "mkdir", p->path);
        if (clear_way(x, p, true, &way, err) < 0)
            return -1;
        if (way != WAY_DIR_STAYS && mkdirat(p->at, p->name, mode) < 0)
            return failed(err, "mkdir", p->path);
        if (way == WAY_HID_LOWER && parents_set_opaque(p->at, p->name, err) < 0)
            return -1;
    }
    if (way != WAY_DIR_STAYS)
        x->stats.disk_bytes += 4096;
    if (attrs_set_dir(p->at, p->name, e, way == WAY_DIR_STAYS, p->path, err) < 0)
        return -1;
    bool with_mode = way == WAY_DIR_STAYS || !x->mask_is_zero || mode != e->mode;
    return late_add_dir(x->late, p->path, with_mode, e->mode,
                        (struct timespec[2]){e->atime, e->mtime}, err);
}

static int make_root(struct extract *x, const struct tar_entry *e, struct dr_error *err)
{
    if (e->type != TAR_DIR) /* CVE-2021-29136 */
        return dr_fail(err, DR_ERR_FORMAT, "the layer's root is not a directory in it");
    x->root_brought = true;
    if (attrs_set_dir(x->root, ".", e, true, "/", err) < 0)
        return -1;
    return late_add_dir(x->late, "", true, e->mode,
                        (struct timespec[2]){e->atime, e->mtime}, err);
}

static int make_symlink(struct extract *x, const struct tar_entry *e, struct place *p,
                        struct dr_error *err)
{
    if (!*e->link) {
        dr_auto_free char *shown = dr_escape(p->path, 200);
        return dr_fail(err, DR_ERR_FORMAT, "the symlink %s has no target", shown);
    }
    if (symlinkat(e->link, p->at, p->name) < 0) {
        enum in_the_way way;
        if (errno != EEXIST)
            return failed(err, "make the symlink", p->path);
        if (clear_way(x, p, false, &way, err) < 0)
            return -1;
        if (symlinkat(e->link, p->at, p->name) < 0)
            return failed(err, "make the symlink", p->path);
    }
    return attrs_set_link(p->at, p->name, e, p->path, err);
}

static int make_fifo(struct extract *x, const struct tar_entry *e, struct place *p,
                     struct dr_error *err)
{
    if (mkfifoat(p->at, p->name, e->mode & 0777) < 0) {
        enum in_the_way way;
        if (errno != EEXIST)
            return failed(err, "make the fifo", p->path);
        if (clear_way(x, p, false, &way, err) < 0)
            return -1;
        if (mkfifoat(p->at, p->name, e->mode & 0777) < 0)
            return failed(err, "make the fifo", p->path);
    }
    return attrs_set_fifo(p->at, p->name, e, p->path, err);
}

static int no_target(const char *path, const char *target, struct dr_error *err)
{
    dr_auto_free char *from = dr_escape(path, 200), *to = dr_escape(target, 200);
    return dr_fail(err, DR_ERR_FORMAT,
                   "the hard link %s points to %s, which the layer does not have", from,
                   to);
}

/* CVE-2021-32760: the target is found inside the root and not followed. */
static int make_hardlink(struct extract *x, const struct tar_entry *e, struct place *p,
                         struct dr_error *err)
{
    char target[PATH_MAX];
    size_t len;
    if (tar_name_clean(e->link, "hard link target", target, &len, err) < 0)
        return -1;
    const char *slash = memrchr(target, '/', len);
    const char *name = slash ? slash + 1 : target;
    int at = parents_find(x->parents, target, slash ? (size_t)(slash - target) : 0, err);
    if (at == -1)
        return -1;
    struct stat st;
    if (at < 0 || len == 0 || fstatat(at, name, &st, AT_SYMLINK_NOFOLLOW) < 0 ||
        is_whiteout(&st) || S_ISDIR(st.st_mode))
        return no_target(p->path, e->link, err);
    if (linkat(at, name, p->at, p->name, 0) == 0)
        return 0;
    if (errno != EEXIST)
        return failed(err, "make the hard link", p->path);
    struct stat there;
    if (fstatat(p->at, p->name, &there, AT_SYMLINK_NOFOLLOW) == 0 &&
        there.st_ino == st.st_ino)
        return 0; /* itself, or the same entry twice */
    enum in_the_way way;
    if (clear_way(x, p, false, &way, err) < 0)
        return -1;
    /* that may have taken the target along, and the descriptor of its directory */
    at = parents_find(x->parents, target, slash ? (size_t)(slash - target) : 0, err);
    if (at == -1)
        return -1;
    if (at < 0)
        return no_target(p->path, e->link, err);
    if (linkat(at, name, p->at, p->name, 0) < 0)
        return errno == ENOENT ? no_target(p->path, e->link, err)
                               : failed(err, "make the hard link", p->path);
    return 0;
}

/* ---- whiteouts ---- */

/* ".wh.NAME": acts on the layers below only. What this layer itself has of that name
 * stays, whatever came first; a directory then hides what is below it. */
static int make_whiteout(struct extract *x, struct place *p, struct dr_error *err)
{
    p->name += strlen(WHITEOUT_PREFIX);
    if (mknodat(p->at, p->name, S_IFCHR, makedev(0, 0)) == 0)
        return 0;
    if (errno != EEXIST)
        return failed(err, "make the whiteout", p->path);
    struct stat st;
    if (fstatat(p->at, p->name, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return failed(err, "stat", p->path);
    return S_ISDIR(st.st_mode) ? attrs_opaque_instead_of_implied(p->at, p->name, err) : 0;
}

static int make_opaque(struct extract *x, struct place *p, struct dr_error *err)
{
    if (p->name == p->path) { /* overlayfs merges roots whatever they say: see stack.c */
        x->root_opaque = true;
        return 0;
    }
    return parents_set_opaque(p->at, ".", err);
}

static int dispatch(struct extract *x, struct tar *tar, const struct tar_entry *e,
                    struct place *p, struct dr_error *err)
{
    switch (e->type) {
    case TAR_FILE:
        return make_file(x, tar, e, p, err);
    case TAR_DIR:
        return make_dir(x, e, p, err);
    case TAR_SYMLINK:
        return make_symlink(x, e, p, err);
    case TAR_HARDLINK:
        return make_hardlink(x, e, p, err);
    case TAR_FIFO:
        return make_fifo(x, e, p, err);
    case TAR_CHAR:
    case TAR_BLOCKDEV: /* filtered out before */
        break;
    }
    return 0;
}

int extract_entry(struct extract *x, struct tar *tar, const struct tar_entry *e,
                  struct dr_error *err)
{
    struct place p;
    enum whiteout whiteout;
    x->stats.entries++;
    if (tar_name_clean(e->name, "name", p.path, &p.len, err) < 0 ||
        tar_name_whiteout(p.path, &whiteout, err) < 0)
        return -1;
    if (whiteout == WHITEOUT_IGNORE)
        return 0;
    if (p.len == 0)
        return make_root(x, e, err);
    if (whiteout == WHITEOUT_NONE && (e->type == TAR_CHAR || e->type == TAR_BLOCKDEV)) {
        x->stats.skipped_devices++; /* 0:0 among them: a smuggled whiteout */
        return 0;
    }
    if (find_place(x, &p, err) < 0)
        return -1;
    if (whiteout == WHITEOUT_REMOVE)
        return make_whiteout(x, &p, err);
    if (whiteout == WHITEOUT_OPAQUE)
        return make_opaque(x, &p, err);
    return dispatch(x, tar, e, &p, err);
}

static int add_note(void *arg, const char *path, struct dr_error *err)
{
    struct dr_buf *notes = arg;
    const char kind = NOTE_IMPLIED;
    if (dr_buf_add(notes, &kind, 1, err) < 0 ||
        dr_buf_add(notes, path, strlen(path) + 1, err) < 0)
        return dr_fail(err, DR_ERR_UNSUPPORTED,
                       "the layer uses too many directories that it does not bring");
    return 0;
}

int extract_finish(struct extract *x, struct dr_buf *notes, struct dr_error *err)
{
    const char root_opaque[] = {NOTE_ROOT_OPAQUE, '\0'}, root[] = {NOTE_ROOT, '\0'};
    if (x->root_opaque && dr_buf_add(notes, root_opaque, 2, err) < 0)
        return -1;
    if (x->root_brought && dr_buf_add(notes, root, 2, err) < 0)
        return -1;
    if (late_apply(x->late, x->root, add_note, notes, err) < 0)
        return -1;
    const struct timespec epoch[2] = {{0},
                                      {0}}; /* the same whenever it is unpacked (I5) */
    if (!x->root_brought && futimens(x->root, epoch) < 0)
        return failed(err, "set the times of", "/");
    return 0;
}
