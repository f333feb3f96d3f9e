/* SPDX-License-Identifier: Apache-2.0 */
#include "archive/files.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "base/fs.h"
#include "base/text.h"
#include "flate/inflate.h"
#include "tar/names.h"
#include "tar/tar.h"

#define CHUNK ((size_t)128 << 10)
#define LINKS_MAX 16

struct entry {
    char *name, *link; /* link NULL: a file */
    int64_t offset, size;
    size_t order; /* of several with one name the last counts */
};

struct files {
    char *dir; /* of a directory: its path */
    int tar;   /* of a tar: its file */
    int64_t tar_size;
    struct entry *entries; /* sorted */
    size_t n, cap, name_bytes;
};

void file_range_release(struct file_range *range)
{
    if (range->fd >= 0)
        close(range->fd);
    range->fd = -1;
}

ssize_t file_range_read(const struct file_range *range, int64_t at, void *buf, size_t len,
                        struct dr_error *err)
{
    if (at >= range->size)
        return 0;
    if ((int64_t)len > range->size - at)
        len = (size_t)(range->size - at);
    ssize_t n;
    do
        n = pread(range->fd, buf, len, range->offset + at);
    while (n < 0 && errno == EINTR);
    if (n < 0)
        return dr_fail_errno(err, DR_ERR_INTERNAL, "read the archive");
    if (n == 0)
        return dr_fail(err, DR_ERR_FORMAT, "the archive is cut off");
    return n;
}

int files_spool(const char *dir, int *ret_fd, struct dr_error *err)
{
    int fd = dr_temporary(dir);
    if (fd < 0)
        return dr_fail_errno(err, DR_ERR_INTERNAL, "make a temporary file in %s", dir);
    *ret_fd = fd;
    return 0;
}

int files_open_dir(const char *path, struct files **ret, struct dr_error *err)
{
    struct stat st;
    if (stat(path, &st) < 0)
        return dr_fail_errno(err, DR_ERR_NONE, "%s", path);
    if (!S_ISDIR(st.st_mode))
        return dr_fail(err, DR_ERR_INVALID, "%s is no directory", path);
    struct files *files = dr_alloc(sizeof *files);
    files->dir = dr_strdup(path);
    files->tar = -1;
    *ret = files;
    return 0;
}

void files_close(struct files *files)
{
    if (!files)
        return;
    for (size_t i = 0; i < files->n; i++) {
        free(files->entries[i].name);
        free(files->entries[i].link);
    }
    free(files->entries);
    free(files->dir);
    if (files->tar >= 0)
        close(files->tar);
    free(files);
}

/* ---- the tar's table of contents ---- */

struct walk {
    int fd;
    int64_t at;
    uint8_t *chunk;
};

/* Small pieces: between two headers lies a blob that is jumped over. */
static ssize_t fill(void *arg, const uint8_t **ret_data, struct dr_error *err)
{
    struct walk *w = arg;
    ssize_t n;
    do
        n = pread(w->fd, w->chunk, 16 * 1024, w->at);
    while (n < 0 && errno == EINTR);
    if (n < 0)
        return dr_fail_errno(err, DR_ERR_INTERNAL, "read the archive");
    w->at += n;
    *ret_data = w->chunk;
    return n;
}

static int jump(void *arg, int64_t n, struct dr_error *err)
{
    struct walk *w = arg;
    if (__builtin_add_overflow(w->at, n, &w->at))
        return dr_fail(err, DR_ERR_FORMAT, "the archive has an impossible size");
    return 0;
}

static int add_entry(struct files *files, const char *name, char *link, int64_t offset,
                     int64_t size, struct dr_error *err)
{
    size_t bytes = strlen(name) + (link ? strlen(link) : 0) + 2;
    if (files->n == FILES_ENTRIES_MAX || files->name_bytes + bytes > FILES_NAMES_MAX) {
        free(link);
        return dr_fail(err, DR_ERR_FORMAT,
                       "the archive has more than %d files: no image has so many",
                       FILES_ENTRIES_MAX);
    }
    if (files->n == files->cap) {
        files->cap = files->cap ? files->cap * 2 : 64;
        files->entries = dr_realloc(files->entries, files->cap * sizeof *files->entries);
    }
    files->name_bytes += bytes;
    files->entries[files->n] =
        (struct entry){dr_strdup(name), link, offset, size, files->n};
    files->n++;
    return 0;
}

/* The name that a link leads to, inside of the archive; a relative symlink from where it
 * is. NULL when it leads out: then it leads nowhere. */
static char *link_target(const struct tar_entry *e, const char *name)
{
    dr_auto_error struct dr_error ignored = DR_ERROR_INIT;
    char clean[PATH_MAX];
    size_t len;
    const char *slash =
        e->type == TAR_SYMLINK && *e->link != '/' ? strrchr(name, '/') : NULL;
    dr_auto_free char *path =
        dr_printf("%.*s/%s", slash ? (int)(slash - name) : 0, name, e->link);
    return tar_name_clean(path, "link", clean, &len, &ignored) < 0 ? NULL
                                                                   : dr_strdup(clean);
}

static int index_entry(struct files *files, const struct tar *tar,
                       const struct tar_entry *e, struct dr_error *err)
{
    char name[PATH_MAX];
    size_t len;
    if (tar_name_clean(e->name, "name", name, &len, err) < 0)
        return -1;
    if (e->type == TAR_SYMLINK || e->type == TAR_HARDLINK) {
        char *target = link_target(e, name);
        return target ? add_entry(files, name, target, 0, 0, err) : 0;
    }
    if (e->type != TAR_FILE)
        return 0;
    dr_auto_free char *shown = dr_escape(name, 100);
    if (e->sparse)
        return dr_fail(err, DR_ERR_UNSUPPORTED, "%s is a sparse file in the archive",
                       shown);
    int64_t offset = tar_offset(tar);
    if (e->size > files->tar_size - offset)
        return dr_fail(err, DR_ERR_FORMAT, "the archive is cut off in %s", shown);
    return add_entry(files, name, NULL, offset, e->size, err);
}

static int by_name(const void *a, const void *b)
{
    const struct entry *x = a, *y = b;
    int order = strcmp(x->name, y->name);
    return order ? order : x->order < y->order ? -1 : 1;
}

/* Its very beginning is wrong: it is another kind of file. */
static int no_tar(struct dr_error *err)
{
    dr_auto_free char *why = dr_strdup(err->text);
    return dr_fail(err, DR_ERR_FORMAT,
                   "no image archive, and no tar at all (%s): `dray save`, `docker save` "
                   "and skopeo make such archives",
                   why);
}

static int read_contents(struct files *files, struct dr_error *err)
{
    struct walk walk = {.fd = files->tar, .chunk = dr_alloc(16 * 1024)};
    struct tar *tar = tar_new(fill, &walk);
    struct tar_entry e;
    int result;
    tar_set_skip(tar, jump);
    while ((result = tar_next(tar, &e, err)) > 0)
        if ((result = index_entry(files, tar, &e, err)) < 0)
            break;
    if (result < 0 && tar_offset(tar) <= TAR_BLOCK && err->kind == DR_ERR_FORMAT)
        no_tar(err);
    tar_free(tar);
    free(walk.chunk);
    if (result == 0 && files->n > 0)
        qsort(files->entries, files->n, sizeof *files->entries, by_name);
    return result;
}

/* ---- opening a tar ---- */

static ssize_t read_fd(void *arg, void *buf, size_t len, struct dr_error *err)
{
    const int *fd = arg;
    ssize_t n;
    do
        n = read(*fd, buf, len);
    while (n < 0 && errno == EINTR);
    return n < 0 ? dr_fail_errno(err, DR_ERR_INTERNAL, "read the archive") : n;
}

/* What people do with tars beside what we inflate. */
static int known_otherwise(const uint8_t *b, size_t len, struct dr_error *err)
{
    const char *what = len >= 6 && memcmp(b,
                                          "\xfd"
                                          "7zXZ\0",
                                          6) == 0
                           ? "xz"
                       : len >= 3 && memcmp(b, "BZh", 3) == 0 ? "bzip2"
                                                              : NULL;
    return what ? dr_fail(err, DR_ERR_UNSUPPORTED,
                          "the archive is compressed by %s: decompress it first", what)
                : 0;
}

/* *fd becomes a plain tar in a file of its own. */
static int spool(int *fd, const char *dir, struct dr_error *err)
{
    struct inflate *z;
    dr_auto_fd int to = -1;
    if (inflate_open(NULL, read_fd, fd, &z, err) < 0)
        return -1;
    int result = files_spool(dir, &to, err);
    dr_auto_free uint8_t *chunk = dr_alloc(CHUNK);
    bool first = true;
    ssize_t n = 0;
    while (result == 0 && (n = inflate_read(z, chunk, CHUNK, err)) > 0) {
        if (first)
            result = known_otherwise(chunk, (size_t)n, err);
        first = false;
        if (result == 0 && dr_write_full(to, chunk, (size_t)n) < 0)
            result = dr_fail_errno(err, DR_ERR_INTERNAL,
                                   "keep the archive for a while in %s", dir);
    }
    inflate_close(z);
    if (result < 0 || n < 0)
        return -1;
    close(*fd);
    *fd = DR_TAKE_FD(to);
    return 0;
}

static bool is_plain_file(int fd, int64_t *ret_size)
{
    struct stat st;
    uint8_t magic[4];
    if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
        return false;
    *ret_size = st.st_size;
    ssize_t n = pread(fd, magic, sizeof magic, 0);
    return !(n >= 2 && magic[0] == 0x1f && magic[1] == 0x8b) &&
           !(n == 4 && magic[0] == 0x28 && magic[1] == 0xb5 && magic[2] == 0x2f);
}

int files_open_tar(int fd, const char *spool_dir, struct files **ret,
                   struct dr_error *err)
{
    struct files *files = dr_alloc(sizeof *files);
    uint8_t magic[8];
    files->tar = fd;
    int result = 0;
    if (lseek(fd, 0, SEEK_CUR) > 0 || !is_plain_file(fd, &files->tar_size)) {
        if ((result = spool(&files->tar, spool_dir, err)) == 0)
            is_plain_file(files->tar, &files->tar_size);
    }
    ssize_t n = result == 0 ? pread(files->tar, magic, sizeof magic, 0) : 0;
    if (result == 0 && n > 0)
        result = known_otherwise(magic, (size_t)n, err);
    if (result < 0 || read_contents(files, err) < 0) {
        files_close(files);
        return -1;
    }
    *ret = files;
    return 0;
}

/* ---- looking ---- */

static const struct entry *find(const struct files *files, const char *name)
{
    size_t low = 0, high = files->n; /* the first one behind name */
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (strcmp(files->entries[middle].name, name) <= 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low > 0 && strcmp(files->entries[low - 1].name, name) == 0
               ? &files->entries[low - 1]
               : NULL;
}

static int find_in_tar(struct files *files, const char *name, struct file_range *ret,
                       struct dr_error *err)
{
    const struct entry *e = find(files, name);
    for (int links = 0; e && e->link; links++) {
        if (links == LINKS_MAX)
            return dr_fail(err, DR_ERR_FORMAT, "%s is a link that leads nowhere", name);
        e = find(files, e->link);
    }
    if (!e)
        return 0;
    int fd = fcntl(files->tar, F_DUPFD_CLOEXEC, 0);
    if (fd < 0)
        return dr_fail_errno(err, DR_ERR_INTERNAL, "open %s", name);
    *ret = (struct file_range){fd, e->offset, e->size};
    return 1;
}

static int find_in_dir(struct files *files, const char *name, struct file_range *ret,
                       struct dr_error *err)
{
    struct stat st;
    dr_auto_free char *path = dr_path_join(files->dir, name);
    dr_auto_fd int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0 && (errno == ENOENT || errno == ENOTDIR))
        return 0;
    if (fd < 0 || fstat(fd, &st) < 0)
        return dr_fail_errno(err, DR_ERR_NONE, "open %s", path);
    if (!S_ISREG(st.st_mode))
        return dr_fail(err, DR_ERR_FORMAT, "%s is no regular file", path);
    *ret = (struct file_range){DR_TAKE_FD(fd), 0, st.st_size};
    return 1;
}

int files_find(struct files *files, const char *name, struct file_range *ret,
               struct dr_error *err)
{
    return files->dir ? find_in_dir(files, name, ret, err)
                      : find_in_tar(files, name, ret, err);
}

int files_read(struct files *files, const char *name, struct dr_buf *buf,
               struct dr_error *err)
{
    dr_auto_range struct file_range range = FILE_RANGE_INIT;
    int result = files_find(files, name, &range, err);
    if (result <= 0)
        return result;
    if (range.size > (int64_t)(buf->max - buf->len))
        return dr_fail(err, DR_ERR_FORMAT, "%s has %lld bytes, at most %zu are accepted",
                       name, (long long)range.size, buf->max);
    if (dr_buf_reserve(buf, (size_t)range.size, err) < 0)
        return -1;
    for (int64_t at = 0; at < range.size;) {
        ssize_t n =
            file_range_read(&range, at, buf->data + buf->len, (size_t)range.size, err);
        if (n < 0)
            return dr_wrap(err, "%s", name);
        at += n;
        buf->len += (size_t)n;
    }
    if (buf->data)
        buf->data[buf->len] = '\0';
    return 1;
}
