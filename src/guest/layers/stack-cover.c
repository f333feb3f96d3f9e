/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A layer names "lib/x" and does not bring "lib"; a layer below has "lib -> usr/lib".
 * Tools that unpack one layer over the other follow the symlink. Here the layer was
 * unpacked alone, and its made-up directory "lib" would hide the symlink and all behind
 * it (HAZARDS H1). So a cover is laid over this layer, for this stack only: it has the
 * symlink again, which hides the made-up directory, and a copy of what was in that below
 * usr/lib.
 *
 * Files are copied (shared blocks where the file system can), not linked, so that nothing
 * in the container has more links than it should; only what had several links keeps them.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/fs.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

#include "base/fs.h"
#include "base/json.h"
#include "base/text.h"
#include "guest/layers/attrs.h"
#include "guest/layers/late.h"
#include "guest/layers/notes.h"
#include "guest/layers/parents.h"
#include "guest/layers/stack-private.h"

#define LINKS_MAX 40
#define MEMBERS_MAX 480 /* overlayfs takes 500 */

struct cover {
    struct stack *s;
    size_t layer;      /* whose entries are moved */
    const char *from;  /* the symlink's path */
    char to[PATH_MAX]; /* where it leads, free of symlinks */
    int out;           /* the cover's fs */
    struct dr_buf notes;
    struct late *late;
    char **dirs; /* still to be copied, below `from`: "" and "/x", "/x/y" …; owned */
    size_t n_dirs, cap_dirs;
};

static int refuse(struct stack *s, size_t above, size_t below, const char *path,
                  const char *why, struct dr_error *err)
{
    dr_auto_free char *shown = dr_escape(path, 200);
    return dr_fail(
        err, DR_ERR_UNSUPPORTED,
        "layer %s has entries below /%s without bringing it, and layer %s has it "
        "as %s",
        s->members[above].diff_id->text, shown, s->members[below].diff_id->text, why);
}

/* ---- where does it lead ---- */

static int too_long(const char *path, struct dr_error *err)
{
    dr_auto_free char *shown = dr_escape(path, 200);
    return dr_fail(err, DR_ERR_UNSUPPORTED, "the symlink /%s leads nowhere", shown);
}

/* The link at path in members[i]: its target. */
static int read_link(struct stack *s, size_t i, const char *path, char target[PATH_MAX],
                     struct dr_error *err)
{
    int fs = stack_member_fs(s, i, err);
    if (fs < 0)
        return -1;
    ssize_t n = readlinkat(fs, path, target, PATH_MAX - 1);
    if (n < 0 && errno == EINVAL)
        return -2;
    if (n < 0)
        return dr_fail_errno(err, DR_ERR_INTERNAL, "read the symlink %s", path);
    target[n] = '\0';
    return 0;
}

/* Follows what the members below c->layer have at c->from, into c->to. */
static int resolve(struct cover *c, struct dr_error *err)
{
    dr_auto_free char *rest = dr_strdup(c->from);
    unsigned links = 0;
    size_t len = 0;
    c->to[0] = '\0';
    for (const char *p = rest; *(p += strspn(p, "/"));) {
        size_t n = strcspn(p, "/"), before = len;
        if (n == 1 && p[0] == '.') {
            p += n;
            continue;
        }
        if (n == 2 && p[0] == '.' && p[1] == '.') {
            while (len > 0 && c->to[len - 1] != '/')
                len--;
            len -= len > 0;
            c->to[len] = '\0';
            p += n;
            continue;
        }
        if (len + n + 2 > sizeof c->to)
            return too_long(c->from, err);
        len += (size_t)sprintf(c->to + len, "%s%.*s", len ? "/" : "", (int)n, p);
        p += n;
        struct stack_found found;
        if (stack_look(c->s, c->layer, c->to, false, &found, err) < 0)
            return -1;
        dr_cleanup_fd(&found.fd);
        if (found.what != STACK_OTHER)
            continue;
        char target[PATH_MAX];
        int result = read_link(c->s, found.member, c->to, target, err);
        if (result == -1)
            return -1;
        if (result == -2)
            return refuse(c->s, c->layer, found.member, c->from,
                          links ? "a symlink to a file" : "a file", err);
        if (++links > LINKS_MAX || strlen(target) + strlen(p) > (size_t)2 * PATH_MAX)
            return too_long(c->from, err);
        char *next = dr_printf("%s/%s", target, p);
        free(rest);
        p = rest = next;
        len = target[0] == '/' ? 0 : before;
        c->to[len] = '\0';
    }
    size_t n = strlen(c->from);
    if (strncmp(c->to, c->from, n) == 0 && (c->to[n] == '/' || c->to[n] == '\0'))
        return too_long(c->from, err);
    return 0;
}

/* ---- filling the cover ---- */

/* A directory that the cover needs and that others bring. */
static int imply(struct cover *c, const char *path, struct dr_error *err)
{
    const char kind = NOTE_IMPLIED;
    if (!*path)
        return 0;
    if (mkdirat(c->out, path, 0755) < 0)
        return errno == EEXIST ? 0
                               : dr_fail_errno(err, DR_ERR_INTERNAL, "mkdir %s", path);
    if (fchmodat(c->out, path, 0755, 0) < 0)
        return dr_fail_errno(err, DR_ERR_INTERNAL, "chmod %s", path);
    if (dr_buf_add(&c->notes, &kind, 1, err) < 0 ||
        dr_buf_add(&c->notes, path, strlen(path) + 1, err) < 0)
        return -1;
    const struct timespec epoch[2] = {{0}, {0}};
    return late_add_dir(c->late, path, false, 0, epoch, err);
}

static int imply_parents(struct cover *c, const char *path, bool itself,
                         struct dr_error *err)
{
    char copy[PATH_MAX];
    snprintf(copy, sizeof copy, "%s", path);
    for (char *slash = copy; (slash = strchr(slash, '/')); slash++) {
        *slash = '\0';
        if (imply(c, copy, err) < 0)
            return -1;
        *slash = '/';
    }
    return itself ? imply(c, copy, err) : 0;
}

static int copy_data(int from, int to, off_t size)
{
    if (ioctl(to, FICLONE, from) == 0)
        return 0;
    if (ftruncate(to, size) < 0)
        return -1;
    for (off_t at = 0; (at = lseek(from, at, SEEK_DATA)) >= 0 && at < size;) {
        off_t end = lseek(from, at, SEEK_HOLE);
        char buffer[65536];
        while (at < end) {
            size_t want =
                end - at < (off_t)sizeof buffer ? (size_t)(end - at) : sizeof buffer;
            ssize_t n = pread(from, buffer, want, at);
            if (n <= 0 || pwrite(to, buffer, (size_t)n, at) != n)
                return -1;
            at += n;
        }
    }
    return 0;
}

static int copy_file(int from_dir, int to_dir, const char *name, const struct stat *st)
{
    const struct timespec times[2] = {st->st_atim, st->st_mtim};
    dr_auto_fd int from = openat(from_dir, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    dr_auto_fd int to =
        openat(to_dir, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (from < 0 || to < 0 || copy_data(from, to, st->st_size) < 0 ||
        fchown(to, st->st_uid, st->st_gid) < 0 || stack_copy_xattrs(from, to) < 0 ||
        fchmod(to, st->st_mode & 07777) < 0 || futimens(to, times) < 0)
        return -1;
    return 0;
}

static int copy_link(int from_dir, int to_dir, const char *name, const struct stat *st)
{
    char target[PATH_MAX];
    const struct timespec times[2] = {st->st_atim, st->st_mtim};
    ssize_t n = readlinkat(from_dir, name, target, sizeof target - 1);
    if (n < 0)
        return -1;
    target[n] = '\0';
    if (symlinkat(target, to_dir, name) < 0 ||
        fchownat(to_dir, name, st->st_uid, st->st_gid, AT_SYMLINK_NOFOLLOW) < 0)
        return -1;
    return utimensat(to_dir, name, times, AT_SYMLINK_NOFOLLOW);
}

/* Anything but a directory, under the same name in another one. */
static int copy_entry(int from_dir, int to_dir, const char *name, const struct stat *st)
{
    if (S_ISREG(st->st_mode) && st->st_nlink == 1)
        return copy_file(from_dir, to_dir, name, st);
    if (S_ISLNK(st->st_mode) && st->st_nlink == 1)
        return copy_link(from_dir, to_dir, name, st);
    if (S_ISCHR(st->st_mode))
        return mknodat(to_dir, name, S_IFCHR, makedev(0, 0)); /* a whiteout */
    return linkat(from_dir, name, to_dir, name, 0);
}

static void add_dir(struct cover *c, const char *below, const char *name)
{
    if (c->n_dirs == c->cap_dirs) {
        c->cap_dirs = c->cap_dirs ? c->cap_dirs * 2 : 16;
        c->dirs = dr_realloc(c->dirs, c->cap_dirs * sizeof *c->dirs);
    }
    c->dirs[c->n_dirs++] = *name ? dr_printf("%s/%s", below, name) : dr_strdup("");
}

/* What is in one directory of the tree that is moved. Directories go to c->dirs. */
static int copy_dir(struct cover *c, const char *below, struct dr_error *err)
{
    int fs = stack_member_fs(c->s, c->layer, err);
    if (fs < 0)
        return -1;
    dr_auto_free char *from = dr_printf("%s%s", c->from, below);
    dr_auto_free char *to =
        dr_printf("%s%s", c->to, below + (*c->to ? 0 : *below == '/'));
    struct stat st;
    int fd = parents_open_in_root(fs, from, O_RDONLY | O_DIRECTORY);
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    if (!dir) {
        dr_fail_errno(err, DR_ERR_INTERNAL, "open %s", from);
        if (fd >= 0)
            close(fd);
        return -1;
    }
    int result = *below && strlen(to) < PATH_MAX ? imply(c, to, err) : 0;
    dr_auto_fd int out = parents_open_in_root(c->out, to, O_RDONLY | O_DIRECTORY);
    char opaque;
    if (result == 0 && out < 0)
        result = dr_fail_errno(err, DR_ERR_INTERNAL, "open %s", to);
    if (result == 0 && fgetxattr(fd, OPAQUE_XATTR, &opaque, 1) == 1) {
        if (!*below)
            result =
                refuse(c->s, c->layer, c->layer, c->from, "an opaque directory", err);
        else if (fsetxattr(out, OPAQUE_XATTR, "y", 1, 0) < 0)
            result = dr_fail_errno(err, DR_ERR_INTERNAL, "make %s opaque", to);
    }
    struct dirent *entry;
    while (result == 0 && (entry = readdir(dir))) {
        const char *name = entry->d_name;
        if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
            continue;
        if (fstatat(fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
            result = dr_fail_errno(err, DR_ERR_INTERNAL, "stat %s/%s", from, name);
        else if (S_ISDIR(st.st_mode))
            add_dir(c, below, name);
        else if (copy_entry(fd, out, name, &st) < 0)
            result = dr_fail_errno(err, DR_ERR_INTERNAL, "copy %s/%s", from, name);
    }
    closedir(dir);
    return result;
}

/* Directories that the layer does bring get their own metadata: they are no longer
 * implied. */
static int own_metadata(struct cover *c, const char *below, struct dr_error *err)
{
    dr_auto_free char *from = dr_printf("%s%s", c->from, below);
    dr_auto_free char *to =
        dr_printf("%s%s", c->to, below + (*c->to ? 0 : *below == '/'));
    struct stat st;
    if (!*below || stack_is_implied(&c->s->members[c->layer], from))
        return 0;
    int fs = stack_member_fs(c->s, c->layer, err);
    dr_auto_fd int in =
        fs < 0 ? -1 : parents_open_in_root(fs, from, O_RDONLY | O_DIRECTORY);
    dr_auto_fd int out = parents_open_in_root(c->out, to, O_RDONLY | O_DIRECTORY);
    if (in < 0 || out < 0 || fstat(in, &st) < 0 ||
        fchown(out, st.st_uid, st.st_gid) < 0 || stack_copy_xattrs(in, out) < 0)
        return dr_fail_errno(err, DR_ERR_INTERNAL, "copy the metadata of %s", from);
    /* its note goes: found by its text, which is in there once */
    const size_t n = strlen(to) + 1;
    for (char *p = c->notes.data; p < c->notes.data + c->notes.len; p += strlen(p) + 1)
        if (strcmp(p + 1, to) == 0) {
            memmove(p, p + n + 1, (size_t)(c->notes.data + c->notes.len - (p + n + 1)));
            c->notes.len -= n + 1;
            break;
        }
    return late_add_dir(c->late, to, true, st.st_mode & 07777,
                        (struct timespec[2]){st.st_atim, st.st_mtim}, err);
}

/* The symlink itself, which hides the made-up directory. */
static int copy_symlink(struct cover *c, struct dr_error *err)
{
    struct stack_found found;
    struct stat st;
    if (stack_look(c->s, c->layer, c->from, false, &found, err) < 0)
        return -1;
    dr_cleanup_fd(&found.fd);
    int fs = stack_member_fs(c->s, found.member, err);
    if (fs < 0)
        return -1;
    char parent[PATH_MAX];
    const char *slash = strrchr(c->from, '/');
    const char *name = slash ? slash + 1 : c->from;
    snprintf(parent, sizeof parent, "%.*s", slash ? (int)(slash - c->from) : 0, c->from);
    dr_auto_fd int in = parents_open_in_root(fs, parent, O_RDONLY | O_DIRECTORY);
    dr_auto_fd int out = parents_open_in_root(c->out, parent, O_RDONLY | O_DIRECTORY);
    if (in < 0 || out < 0 || fstatat(in, name, &st, AT_SYMLINK_NOFOLLOW) < 0 ||
        copy_link(in, out, name, &st) < 0)
        return dr_fail_errno(err, DR_ERR_INTERNAL, "copy the symlink %s", c->from);
    return 0;
}

static int fill(struct cover *c, struct dr_error *err)
{
    if (imply_parents(c, c->from, false, err) < 0 ||
        imply_parents(c, c->to, true, err) < 0 || copy_symlink(c, err) < 0)
        return -1;
    add_dir(c, "", "");
    for (size_t i = 0; i < c->n_dirs; i++)
        if (copy_dir(c, c->dirs[i], err) < 0 || own_metadata(c, c->dirs[i], err) < 0)
            return -1;
    return late_apply(c->late, c->out, NULL, NULL, err);
}

static int make(struct cover *c, const char *name, struct dr_error *err)
{
    struct layer_store *store = c->s->store;
    struct layer_work work;
    const uint64_t mark = layer_sync_mark(store);
    dr_auto_json json_t *meta = json_object();
    dr_json_set_int(meta, "version", LAYER_META_VERSION);
    dr_auto_free char *text = dr_json_text(meta);
    if (layer_work_begin(store, &work, err) < 0)
        return -1;
    int result = -1;
    c->notes = DR_BUF_INIT(NOTES_MAX);
    if (mkdirat(work.fd, "fs", 0755) < 0 ||
        (c->out = openat(work.fd, "fs", O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0)
        dr_fail_errno(err, DR_ERR_INTERNAL, "mkdir fs");
    else if (late_new(work.fd, &c->late, err) == 0)
        result = fill(c, err);
    if (result == 0)
        result =
            dr_file_write(work.fd, "notes", c->notes.data, c->notes.len, 0600, 0, err);
    if (result == 0)
        result = dr_file_write(work.fd, "meta", text, strlen(text), 0600, 0, err);
    if (result == 0)
        result = layer_work_commit(store, &work, name, mark, err);
    layer_work_end(store, &work);
    dr_cleanup_fd(&c->out);
    late_free(c->late);
    for (size_t i = 0; i < c->n_dirs; i++)
        free(c->dirs[i]);
    free(c->dirs);
    dr_buf_release(&c->notes);
    return result;
}

int stack_cover(struct stack *s, size_t i, const char *path, struct dr_error *err)
{
    struct cover c = {.s = s, .layer = i, .from = path, .out = -1};
    const struct oci_digest *diff_id = s->members[i].diff_id;
    struct dr_sha256 hash;
    char hex[DR_SHA256_HEX + 1];
    if (s->n >= MEMBERS_MAX)
        return dr_fail(err, DR_ERR_UNSUPPORTED, "too many layers that lie over symlinks");
    if (resolve(&c, err) < 0)
        return -1;
    /* it depends on all that is below, and on nothing above */
    dr_sha256_init(&hash);
    for (size_t j = 0; j <= i; j++)
        dr_sha256_add(&hash, s->members[j].name, strlen(s->members[j].name) + 1);
    dr_sha256_add(&hash, path, strlen(path) + 1);
    dr_sha256_hex(&hash, hex);
    dr_auto_free char *name = dr_printf("%s-%.16s", oci_digest_hex(diff_id), hex);
    if (!layer_committed(s->store, name) && make(&c, name, err) < 0)
        return -1;
    return stack_insert(s, i + 1, name, diff_id, err);
}
