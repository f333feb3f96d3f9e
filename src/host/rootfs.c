/* SPDX-License-Identifier: Apache-2.0 */
#include "host/rootfs.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "archive/flatten.h"
#include "base/fs.h"
#include "flate/inflate.h"
#include "host/cache.h"
#include "host/image-copy.h"

#define CHUNK ((size_t)128 << 10)

struct rootfs {
    struct origin_place origin;
    bool is_image;
    struct file_range tarball; /* when it is none */
    struct store *store;       /* likewise */
    struct file_range program; /* as a tar of its own, the last layer */
    size_t layers;
    struct oci_digest *diff_ids; /* "": not known */
    const struct limits *limits;
    int64_t cache_limit;
    struct flatten_layers source;
    struct flatten *flat;
};

/* ---- one layer, inflated ---- */

struct stream {
    const struct rootfs *rootfs;
    struct image_layer layer;
    const struct file_range *range;
    int64_t at;
    struct inflate *z;
};

static ssize_t read_raw(void *arg, void *buf, size_t len, struct dr_error *err)
{
    struct stream *s = arg;
    if (limits_cancelled(s->rootfs->limits, err) < 0)
        return -1;
    if (!s->range)
        return s->layer.bytes.read(s->layer.bytes.arg, buf, len, err);
    ssize_t n = file_range_read(s->range, s->at, buf, len, err);
    if (n > 0)
        s->at += n;
    return n;
}

static void close_stream(void *arg)
{
    struct stream *s = arg;
    inflate_close(s->z);
    if (!s->range)
        image_layer_close(&s->layer);
    free(s);
}

static int open_stream(void *arg, size_t i, void **ret, struct dr_error *err)
{
    const struct rootfs *r = arg;
    struct stream *s = dr_alloc(sizeof *s);
    s->rootfs = r;
    if (r->program.fd >= 0 && i + 1 == r->layers)
        s->range = &r->program;
    else if (!r->is_image)
        s->range = &r->tarball;
    int rc = s->range
                 ? 0
                 : image_layer_open(&r->origin.source, i, LAYER_AS_IT_IS, &s->layer, err);
    if (rc == 0)
        rc = inflate_open(s->range ? NULL : s->layer.media_type, read_raw, s, &s->z, err);
    if (rc < 0) {
        close_stream(s);
        return -1;
    }
    *ret = s;
    return 0;
}

static ssize_t read_stream(void *arg, void *buf, size_t len, struct dr_error *err)
{
    struct stream *s = arg;
    return inflate_read(s->z, buf, len, err);
}

/* ---- a tarball ---- */

static bool ends_with(const char *text, const char *end)
{
    size_t len = strlen(text), n = strlen(end);
    return len > n && strcmp(text + len - n, end) == 0;
}

/* Names of images never look like that. */
static bool is_path(const char *text)
{
    static const char *const ends[] = {".tar",     ".tar.gz", ".tgz",
                                       ".tar.zst", ".tar.xz", ".wsl"};
    bool drive = text[0] && text[1] == ':' && (text[2] == '\\' || text[2] == '/');
    if (*text == '/' || *text == '\\' || *text == '.' || drive)
        return true;
    if (strchr(text, ':'))
        return false; /* oci-archive:FILE.tar */
    for (size_t i = 0; i < DR_COUNT(ends); i++)
        if (ends_with(text, ends[i]))
            return true;
    return false;
}

static int open_file(const char *path, struct file_range *ret, struct dr_error *err)
{
    struct stat st;
    dr_auto_fd int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &st) < 0)
        return dr_fail_errno(err, errno == ENOENT ? DR_ERR_NOT_FOUND : DR_ERR_INVALID,
                             "%s", path);
    if (!S_ISREG(st.st_mode))
        return dr_fail(err, DR_ERR_INVALID, "%s is no regular file", path);
    *ret = (struct file_range){DR_TAKE_FD(fd), 0, st.st_size};
    return 0;
}

static int open_tarball(struct rootfs *r, const char *path, struct dr_error *err)
{
    char magic[6];
    if (open_file(path, &r->tarball, err) < 0)
        return -1;
    ssize_t n = file_range_read(&r->tarball, 0, magic, sizeof magic, err);
    if (n < 0)
        return -1;
    if (n == 6 && memcmp(magic,
                         "\xfd"
                         "7zXZ",
                         6) == 0)
        return dr_fail(err, DR_ERR_UNSUPPORTED,
                       "%s is compressed by xz: decompress it first, by xz -d", path);
    r->layers = 1;
    return 0;
}

/* ---- an image ---- */

static int open_image(struct rootfs *r, const struct rootfs_options *o,
                      struct dr_error *err)
{
    const struct dray_transfer_options how = {.size = sizeof how,
                                              .from = o->registry,
                                              .cache_dir = o->cache_dir,
                                              .platform = o->platform};
    if (cache_limit(NULL, &r->cache_limit, err) < 0 ||
        origin_open(o->from, false, &how, r->limits, &r->origin, err) < 0)
        return -1;
    r->is_image = true;
    const struct oci_image *image = &r->origin.source.image;
    if (r->origin.registry && origin_fetch_layers(&r->origin, NULL, err) < 0)
        return -1;
    r->layers = image->manifest.n_layers;
    r->diff_ids = dr_alloc((r->layers + 1) * sizeof *r->diff_ids);
    if (r->layers > 0)
        memcpy(r->diff_ids, image->config.diff_ids, r->layers * sizeof *r->diff_ids);
    return 0;
}

/* ---- the program ---- */

/* What is no ELF may be a script; what is must be for Linux on the right machine, or
 * nobody would see it before the distro was made. */
static int check_program(const struct file_range *file, const struct rootfs_options *o,
                         struct dr_error *err)
{
    unsigned char head[20];
    struct oci_platform have, want;
    ssize_t n = file_range_read(file, 0, head, sizeof head, err);
    if (n < 0)
        return -1;
    if (n >= 2 && memcmp(head, "MZ", 2) == 0)
        return dr_fail(err, DR_ERR_INVALID,
                       "%s is a program for Windows; the distro needs one for Linux",
                       o->program);
    if (n < 20 || memcmp(head, "\177ELF", 4) != 0)
        return n >= 2 && memcmp(head, "#!", 2) == 0
                   ? 0
                   : dr_fail(err, DR_ERR_INVALID, "%s is no program for Linux",
                             o->program);
    unsigned machine = head[18] | (unsigned)head[19] << 8;
    oci_platform_native(&want);
    if (o->platform && oci_platform_parse(o->platform, &want, err) < 0)
        return -1;
    oci_platform_set(&have, "linux",
                     machine == 62    ? "amd64"
                     : machine == 183 ? "arm64"
                     : machine == 40  ? "arm"
                     : machine == 3   ? "386"
                                      : "?",
                     NULL);
    if (oci_platform_match(&want, &have) > 0)
        return 0;
    char text[OCI_PLATFORM_TEXT];
    oci_platform_text(&want, text);
    return dr_fail(err, DR_ERR_INVALID, "%s is a program for another machine than %s",
                   o->program, text);
}

static int to_spool(void *arg, const void *data, size_t len, struct dr_error *err)
{
    struct file_range *spool = arg;
    if (dr_write_full(spool->fd, data, len) < 0)
        return dr_fail_errno(err, DR_ERR_INTERNAL, "keep the runtime for a while");
    spool->size += (int64_t)len;
    return 0;
}

static int copy_program(const struct file_range *file, const struct rootfs_options *o,
                        struct tar_writer *w, struct dr_error *err)
{
    dr_auto_free char *chunk = dr_alloc(CHUNK);
    const struct tar_entry entry = {
        .type = TAR_FILE, .name = o->program_path, .mode = 0755, .size = file->size};
    ssize_t n;
    if (tar_write_entry(w, &entry, err) < 0)
        return -1;
    for (int64_t at = 0; (n = file_range_read(file, at, chunk, CHUNK, err)) > 0; at += n)
        if (tar_write_data(w, chunk, (size_t)n, err) < 0)
            return -1;
    return n < 0 ? -1 : tar_write_end(w, err);
}

static int add_program(struct rootfs *r, const struct rootfs_options *o,
                       struct dr_error *err)
{
    dr_auto_range struct file_range file = FILE_RANGE_INIT;
    const struct store *store = r->is_image ? r->origin.store : r->store;
    if (open_file(o->program, &file, err) < 0 || check_program(&file, o, err) < 0 ||
        files_spool(store_dir(store), &r->program.fd, err) < 0)
        return -1;
    struct tar_writer *w = tar_writer_new(to_spool, &r->program);
    int rc = copy_program(&file, o, w, err);
    tar_writer_free(w);
    r->layers++;
    return rc;
}

/* ---- all of it ---- */

static int check_content(struct rootfs *r, struct dr_error *err)
{
    if (flatten_has(r->flat, "bin/sh"))
        return 0;
    if (!r->is_image && flatten_has(r->flat, "oci-layout"))
        return dr_fail(err, DR_ERR_INVALID,
                       "it is an image, and no root file system: oci-archive:FILE");
    if (!r->is_image && flatten_has(r->flat, "manifest.json"))
        return dr_fail(err, DR_ERR_INVALID,
                       "it is an image, and no root file system: docker-archive:FILE");
    return dr_fail(err, DR_ERR_INVALID,
                   "it has no /bin/sh, which a distro needs: take another one");
}

void rootfs_close(struct rootfs *r)
{
    if (!r)
        return;
    flatten_free(r->flat);
    file_range_release(&r->tarball);
    file_range_release(&r->program);
    if (r->is_image) {
        cache_tidy(r->origin.store, r->cache_limit);
        origin_release(&r->origin);
    }
    store_close(r->store);
    free(r->diff_ids);
    free(r);
}

static int open_all(struct rootfs *r, const struct rootfs_options *o,
                    struct dr_error *err)
{
    int rc;
    if (is_path(o->from)) {
        rc = open_tarball(r, o->from, err);
        if (rc == 0)
            rc = store_open(o->cache_dir, &r->store, err);
    } else {
        rc = open_image(r, o, err);
    }
    if (rc == 0 && o->program)
        rc = add_program(r, o, err);
    if (rc < 0)
        return -1;
    r->source = (struct flatten_layers){.count = r->layers,
                                        .diff_ids = r->diff_ids,
                                        .open = open_stream,
                                        .read = read_stream,
                                        .close = close_stream,
                                        .arg = r};
    if (flatten_look(&r->source, &r->flat, err) < 0 || check_content(r, err) < 0)
        return dr_wrap(err, "%s", o->from);
    return 0;
}

int rootfs_open(const struct rootfs_options *options, const struct limits *limits,
                struct rootfs **ret, struct dr_error *err)
{
    struct rootfs *r = dr_alloc(sizeof *r);
    r->tarball = r->program = FILE_RANGE_INIT;
    r->limits = limits;
    if (open_all(r, options, err) < 0) {
        rootfs_close(r);
        return -1;
    }
    *ret = r;
    return 0;
}

int rootfs_write(struct rootfs *r,
                 int (*sink)(void *arg, const void *data, size_t len,
                             struct dr_error *err),
                 void *arg, struct dr_error *err)
{
    struct tar_writer *w = tar_writer_new(sink, arg);
    int rc = flatten_write(r->flat, w, err);
    if (rc == 0)
        rc = tar_write_end(w, err);
    tar_writer_free(w);
    return rc;
}
