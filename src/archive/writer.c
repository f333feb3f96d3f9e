/* SPDX-License-Identifier: Apache-2.0 */
#include "archive/writer.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/fs.h"
#include "base/json.h"
#include "base/text.h"
#include "oci/ref.h"
#include "tar/writer.h"

#define CHUNK ((size_t)256 << 10)
#define INDEX_FILE_MAX OCI_MANIFEST_MAX

struct archive_writer {
    enum place_kind kind;
    char *path; /* where it shall be; NULL: a stream */
    char *part; /* of a tar: what is renamed to path */
    int fd;     /* the tar's file, or the directory */
    bool own_fd;
    struct tar_writer *tar; /* NULL: a directory */
    char **written;         /* names of files */
    json_t *list;           /* of images, as index.json or manifest.json has them */
    bool is_empty;          /* dir: one image */
};

/* What has the form of a directory but no path goes into a tar: for a pipe. */
static bool is_dir(const struct archive_writer *w)
{
    return w->path && (w->kind == PLACE_OCI || w->kind == PLACE_DIR);
}

static int to_fd(void *arg, const void *data, size_t len, struct dr_error *err)
{
    struct archive_writer *w = arg;
    if (dr_write_full(w->fd, data, len) == 0)
        return 0;
    if (errno == EPIPE)
        return dr_fail(err, DR_ERR_CANCELLED, "nobody reads the archive");
    return dr_fail_errno(err, DR_ERR_INTERNAL, "write %s",
                         w->path ? w->path : "the archive");
}

/* ---- opening ---- */

/* What is in an OCI layout already stays. */
static int read_index(struct archive_writer *w, struct dr_error *err)
{
    dr_auto_buf struct dr_buf text = DR_BUF_INIT(INDEX_FILE_MAX);
    dr_auto_error struct dr_error missing = DR_ERROR_INIT;
    w->list = json_array();
    if (w->kind != PLACE_OCI || !is_dir(w))
        return 0;
    if (dr_file_read(w->fd, "index.json", &text, &missing) < 0)
        return missing.kind == DR_ERR_NOT_FOUND ? 0 : dr_error_move(err, &missing);
    dr_auto_json json_t *index =
        dr_json_parse(text.data ? text.data : "", text.len, INDEX_FILE_MAX, err);
    if (!index)
        return dr_wrap(err, "%s/index.json", w->path);
    json_t *old = dr_json_array(index, "manifests");
    if (!old)
        return dr_fail(err, DR_ERR_FORMAT, "%s/index.json is no index", w->path);
    json_array_extend(w->list, old);
    return 0;
}

/* Other people's directories are not written into. */
static int check_dir(struct archive_writer *w, struct dr_error *err)
{
    const char *mark = w->kind == PLACE_OCI ? "oci-layout" : "version";
    if (faccessat(w->fd, mark, F_OK, 0) == 0)
        return 0;
    close(w->fd); /* what is open stays for a while on Windows */
    w->fd = -1;
    if (rmdir(w->path) == 0 && mkdir(w->path, 0755) == 0) { /* it was empty */
        w->fd = open(w->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (w->fd >= 0)
            return 0;
    }
    if (errno == ENOTEMPTY || errno == EEXIST)
        return dr_fail(err, DR_ERR_EXISTS,
                       "%s has files of something else: name an empty directory",
                       w->path);
    return dr_fail_errno(err, DR_ERR_INTERNAL, "open %s", w->path);
}

static int open_dir(struct archive_writer *w, struct dr_error *err)
{
    if (mkdir(w->path, 0755) < 0 && errno != EEXIST)
        return dr_fail_errno(err, DR_ERR_NONE, "make %s", w->path);
    w->fd = open(w->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    w->own_fd = true;
    if (w->fd < 0)
        return dr_fail_errno(err, DR_ERR_NONE, "open %s", w->path);
    if (check_dir(w, err) < 0)
        return -1;
    if (w->kind == PLACE_OCI && (mkdirat(w->fd, "blobs", 0755) < 0 && errno != EEXIST))
        return dr_fail_errno(err, DR_ERR_INTERNAL, "make %s/blobs", w->path);
    if (w->kind == PLACE_OCI &&
        (mkdirat(w->fd, "blobs/sha256", 0755) < 0 && errno != EEXIST))
        return dr_fail_errno(err, DR_ERR_INTERNAL, "make %s/blobs/sha256", w->path);
    return 0;
}

static int open_file(struct archive_writer *w, struct dr_error *err)
{
    struct stat st;
    /* a fifo or a terminal is written to as it is */
    if (stat(w->path, &st) == 0 && !S_ISREG(st.st_mode)) {
        if (S_ISDIR(st.st_mode))
            return dr_fail(err, DR_ERR_INVALID, "%s is a directory", w->path);
        w->fd = open(w->path, O_WRONLY | O_CLOEXEC);
    } else {
        char random[9];
        dr_random_hex(8, random);
        w->part = dr_printf("%s.%s.part", w->path, random);
        w->fd = open(w->part, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    }
    w->own_fd = true;
    return w->fd < 0 ? dr_fail_errno(err, DR_ERR_NONE, "make %s", w->path) : 0;
}

static int add_file(struct archive_writer *w, const char *name, const void *data,
                    size_t len, struct dr_error *err);

static int begin(struct archive_writer *w, struct dr_error *err)
{
    static const char layout[] = "{\"imageLayoutVersion\":\"1.0.0\"}";
    static const char version[] = "Directory Transport Version: 1.1\n";
    if (is_dir(w)) {
        if (open_dir(w, err) < 0)
            return -1;
    } else {
        if (w->path && open_file(w, err) < 0)
            return -1;
        w->tar = tar_writer_new(to_fd, w);
    }
    if (read_index(w, err) < 0)
        return -1;
    if (w->kind == PLACE_OCI || w->kind == PLACE_OCI_ARCHIVE)
        return add_file(w, "oci-layout", layout, sizeof layout - 1, err);
    if (w->kind == PLACE_DIR)
        return add_file(w, "version", version, sizeof version - 1, err);
    return 0;
}

int archive_writer_open(enum place_kind kind, const char *path, int fd,
                        struct archive_writer **ret, struct dr_error *err)
{
    struct archive_writer *w = dr_alloc(sizeof *w);
    w->kind = kind;
    w->path = dr_strdup(path);
    w->fd = path ? -1 : fd;
    w->written = dr_alloc(sizeof(char *));
    w->is_empty = true;
    if (begin(w, err) < 0) {
        dr_auto_error struct dr_error ignored = DR_ERROR_INIT;
        archive_writer_close(w, false, &ignored);
        return -1;
    }
    *ret = w;
    return 0;
}

/* ---- files ---- */

static bool was_written(const struct archive_writer *w, const char *name)
{
    for (char **p = w->written; *p; p++)
        if (strcmp(*p, name) == 0)
            return true;
    return false;
}

static int begin_entry(struct archive_writer *w, const char *name, int64_t size,
                       struct dr_error *err)
{
    const struct tar_entry e = {
        .type = TAR_FILE, .name = name, .link = "", .mode = 0644, .size = size};
    return tar_write_entry(w->tar, &e, err);
}

static int add_file(struct archive_writer *w, const char *name, const void *data,
                    size_t len, struct dr_error *err)
{
    if (was_written(w, name))
        return 0;
    if (w->tar ? begin_entry(w, name, (int64_t)len, err) < 0 ||
                     tar_write_data(w->tar, data, len, err) < 0
               : dr_file_write(w->fd, name, data, len, 0644, 0, err) < 0)
        return -1;
    dr_strv_add(&w->written, name);
    return 0;
}

static char *blob_name(const struct archive_writer *w, const struct oci_digest *digest)
{
    const char *hex = oci_digest_hex(digest);
    return w->kind == PLACE_DOCKER_ARCHIVE ? dr_printf("%s.tar", hex)
           : w->kind == PLACE_DIR          ? dr_strdup(hex)
                                           : dr_printf("blobs/sha256/%s", hex);
}

bool archive_writer_wants_plain(const struct archive_writer *w)
{
    return w->kind == PLACE_DOCKER_ARCHIVE;
}

bool archive_writer_has(struct archive_writer *w, const struct oci_digest *digest)
{
    dr_auto_free char *name = blob_name(w, digest);
    return was_written(w, name) || (!w->tar && faccessat(w->fd, name, F_OK, 0) == 0);
}

struct copy {
    struct archive_writer *w;
    int fd; /* of a directory's file; -1: into the tar */
};

static int copy_bytes(const struct copy *copy, const struct archive_bytes *bytes,
                      struct dr_error *err)
{
    struct dr_sha256 hash;
    char hex[DR_SHA256_HEX + 1];
    dr_auto_free char *chunk = dr_alloc(CHUNK);
    int64_t done = 0;
    ssize_t n;
    dr_sha256_init(&hash);
    while ((n = bytes->read(bytes->arg, chunk, CHUNK, err)) > 0) {
        done += n;
        if (done > bytes->size)
            return dr_fail(err, DR_ERR_FORMAT,
                           "%s has more than the %lld bytes it should",
                           bytes->digest.text, (long long)bytes->size);
        dr_sha256_add(&hash, chunk, (size_t)n);
        if (copy->fd < 0
                ? tar_write_data(copy->w->tar, chunk, (size_t)n, err) < 0
                : dr_write_full(copy->fd, chunk, (size_t)n) < 0 &&
                      dr_fail_errno(err, DR_ERR_INTERNAL, "write %s", copy->w->path) < 0)
            return -1;
    }
    if (n < 0)
        return -1;
    if (done != bytes->size)
        return dr_fail(err, DR_ERR_FORMAT, "%s has %lld bytes, it should have %lld",
                       bytes->digest.text, (long long)done, (long long)bytes->size);
    dr_sha256_hex(&hash, hex);
    if (strcmp(hex, oci_digest_hex(&bytes->digest)) != 0)
        return dr_fail(err, DR_ERR_FORMAT, "the bytes of %s are sha256:%s",
                       bytes->digest.text, hex);
    return 0;
}

static int blob_into_dir(struct archive_writer *w, const char *name,
                         const struct archive_bytes *bytes, struct dr_error *err)
{
    dr_auto_free char *part = dr_printf("%s.part", name);
    dr_auto_fd int fd =
        openat(w->fd, part, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0644);
    if (fd < 0)
        return dr_fail_errno(err, DR_ERR_INTERNAL, "make %s/%s", w->path, part);
    const struct copy copy = {w, fd};
    int result = copy_bytes(&copy, bytes, err);
    if (result == 0 && renameat(w->fd, part, w->fd, name) < 0)
        result = dr_fail_errno(err, DR_ERR_INTERNAL, "rename %s/%s", w->path, part);
    if (result < 0)
        unlinkat(w->fd, part, 0);
    return result;
}

int archive_writer_blob(struct archive_writer *w, const struct archive_bytes *bytes,
                        struct dr_error *err)
{
    dr_auto_free char *name = blob_name(w, &bytes->digest);
    const struct copy copy = {w, -1};
    if (!w->tar) {
        if (blob_into_dir(w, name, bytes, err) < 0)
            return -1;
    } else if (begin_entry(w, name, bytes->size, err) < 0 ||
               copy_bytes(&copy, bytes, err) < 0) {
        return -1;
    }
    dr_strv_add(&w->written, name);
    return 0;
}

/* ---- images ---- */

static json_t *oci_entry(const struct oci_image *image)
{
    json_t *entry = json_object(), *platform = json_object();
    const struct oci_platform *p = &image->config.platform;
    const char *type = image->manifest.media_type;
    dr_json_set_str(entry, "mediaType", type && *type ? type : OCI_TYPE_MANIFEST);
    dr_json_set_str(entry, "digest", image->manifest_digest.text);
    dr_json_set_int(entry, "size", (int64_t)image->manifest_len);
    if (p->os[0] && p->arch[0]) {
        dr_json_set_str(platform, "os", p->os);
        dr_json_set_str(platform, "architecture", p->arch);
        if (p->variant[0])
            dr_json_set_str(platform, "variant", p->variant);
        json_object_set(entry, "platform", platform);
    }
    json_decref(platform);
    return entry;
}

static const char ref_name[] = "org.opencontainers.image.ref.name";

/* A ref.name is one image's. Without one: the same manifest is not listed twice. */
static void forget(json_t *list, const char *key, const char *digest)
{
    for (size_t i = json_array_size(list); i-- > 0;) {
        const json_t *entry = json_array_get(list, i);
        const char *name = dr_json_str(dr_json_object(entry, "annotations"), ref_name);
        const char *its = dr_json_str(entry, "digest");
        if (key ? name && strcmp(name, key) == 0
                : !name && its && strcmp(its, digest) == 0)
            json_array_remove(list, i);
    }
}

/* entry is taken over. */
static void list_oci(struct archive_writer *w, json_t *entry, const char *key,
                     const char *name)
{
    forget(w->list, key ? key : name, dr_json_str(entry, "digest"));
    if (key || name) {
        json_t *notes = json_object();
        dr_json_set_str(notes, ref_name, key ? key : name);
        if (name)
            dr_json_set_str(notes, "io.containerd.image.name", name);
        dr_json_set(entry, "annotations", notes);
    }
    json_array_append_new(w->list, entry);
}

static int image_oci(struct archive_writer *w, const struct oci_image *image,
                     char *const *names, const char *key, struct dr_error *err)
{
    dr_auto_free char *manifest = blob_name(w, &image->manifest_digest);
    dr_auto_free char *config = blob_name(w, &image->manifest.config.digest);
    if (add_file(w, config, image->config_raw, image->config_len, err) < 0 ||
        add_file(w, manifest, image->manifest_raw, image->manifest_len, err) < 0)
        return -1;
    if (key || !*names)
        list_oci(w, oci_entry(image), key, NULL);
    else
        for (; *names; names++)
            list_oci(w, oci_entry(image), NULL, *names);
    return 0;
}

static int image_docker(struct archive_writer *w, const struct oci_image *image,
                        char *const *names, struct dr_error *err)
{
    const char *hex = oci_digest_hex(&image->manifest.config.digest);
    dr_auto_free char *config = dr_printf("%s.json", hex);
    if (add_file(w, config, image->config_raw, image->config_len, err) < 0)
        return -1;
    json_t *entry = json_object(), *layers = json_array(), *tags = json_array();
    for (size_t i = 0; i < image->config.n_diff_ids; i++) {
        dr_auto_free char *name = blob_name(w, &image->config.diff_ids[i]);
        json_array_append_new(layers, json_string(name));
    }
    for (; *names; names++) {
        dr_auto_ref struct oci_ref ref = OCI_REF_INIT;
        if (oci_ref_parse(*names, &ref, err) < 0) {
            json_decref(entry);
            json_decref(layers);
            json_decref(tags);
            return -1;
        }
        dr_auto_free char *familiar = oci_ref_familiar(&ref);
        json_array_append_new(tags, json_string(familiar));
    }
    dr_json_set_str(entry, "Config", config);
    dr_json_set(entry, "RepoTags", tags);
    dr_json_set(entry, "Layers", layers);
    json_array_append_new(w->list, entry);
    return 0;
}

static int image_dir(struct archive_writer *w, const struct oci_image *image,
                     struct dr_error *err)
{
    const char *config = oci_digest_hex(&image->manifest.config.digest);
    if (!w->is_empty)
        return dr_fail(err, DR_ERR_INVALID, "a dir: holds one image only");
    w->is_empty = false;
    if (add_file(w, config, image->config_raw, image->config_len, err) < 0)
        return -1;
    return add_file(w, "manifest.json", image->manifest_raw, image->manifest_len, err);
}

int archive_writer_image(struct archive_writer *w, const struct oci_image *image,
                         char *const *names, const char *key, struct dr_error *err)
{
    switch (w->kind) {
    case PLACE_DOCKER_ARCHIVE:
        return image_docker(w, image, names, err);
    case PLACE_DIR:
        return image_dir(w, image, err);
    default:
        return image_oci(w, image, names, key, err);
    }
}

int archive_writer_manifest(struct archive_writer *w, const struct archive_document *d,
                            struct dr_error *err)
{
    dr_auto_free char *name =
        w->kind == PLACE_DIR ? dr_printf("%s.manifest.json", oci_digest_hex(&d->digest))
                             : blob_name(w, &d->digest);
    return add_file(w, name, d->data, d->len, err);
}

int archive_writer_index(struct archive_writer *w, const struct archive_document *d,
                         const char *key, struct dr_error *err)
{
    if (w->kind == PLACE_DOCKER_ARCHIVE)
        return dr_fail(err, DR_ERR_INVALID,
                       "a docker-archive: holds images of one platform only");
    if (w->kind == PLACE_DIR) {
        if (!w->is_empty)
            return dr_fail(err, DR_ERR_INVALID, "a dir: holds one image only");
        w->is_empty = false;
        return add_file(w, "manifest.json", d->data, d->len, err);
    }
    if (archive_writer_manifest(w, d, err) < 0)
        return -1;
    json_t *entry = json_object();
    dr_json_set_str(entry, "mediaType", d->media_type);
    dr_json_set_str(entry, "digest", d->digest.text);
    dr_json_set_int(entry, "size", (int64_t)d->len);
    list_oci(w, entry, key, NULL);
    return 0;
}

/* ---- closing ---- */

static int finish(struct archive_writer *w, struct dr_error *err)
{
    dr_auto_json json_t *document = NULL;
    const char *name = "index.json";
    if (w->kind == PLACE_DOCKER_ARCHIVE) {
        document = json_incref(w->list);
        name = "manifest.json";
    } else if (w->kind != PLACE_DIR) {
        document = json_pack("{sisssO}", "schemaVersion", 2, "mediaType", OCI_TYPE_INDEX,
                             "manifests", w->list);
    }
    dr_auto_free char *text = document ? dr_json_text(document) : NULL;
    if (text && add_file(w, name, text, strlen(text), err) < 0)
        return -1;
    if (!w->tar)
        return 0;
    if (tar_write_end(w->tar, err) < 0)
        return -1;
    if (w->part && rename(w->part, w->path) < 0)
        return dr_fail_errno(err, DR_ERR_INTERNAL, "rename %s", w->part);
    free(DR_TAKE(w->part));
    return 0;
}

int archive_writer_close(struct archive_writer *w, bool ok, struct dr_error *err)
{
    int result = ok ? finish(w, err) : 0;
    if (w->own_fd && w->fd >= 0 && close(w->fd) < 0 && result == 0)
        result = dr_fail_errno(err, DR_ERR_INTERNAL, "write %s", w->path);
    if (w->part)
        unlink(w->part);
    tar_writer_free(w->tar);
    json_decref(w->list);
    dr_strv_free(w->written);
    free(w->part);
    free(w->path);
    free(w);
    return result;
}
