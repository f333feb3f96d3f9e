/* SPDX-License-Identifier: Apache-2.0 */
#include "archive/archive.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "archive/private.h"
#include "base/json.h"
#include "base/text.h"
#include "oci/ref.h"

#define IMAGES_MAX OCI_INDEX_ENTRIES_MAX

static void image_release(struct archive_image *image)
{
    oci_descriptor_release(&image->descriptor);
    free(image->key);
    free(image->config);
    dr_strv_free(image->layers);
    dr_strv_free(image->names);
}

void archive_close(struct archive *archive)
{
    if (!archive)
        return;
    for (size_t i = 0; i < archive->n; i++)
        image_release(&archive->images[i]);
    free(archive->images);
    for (size_t i = 0; i < archive->n_layers; i++)
        free(archive->layers[i].name);
    free(archive->layers);
    files_close(archive->files);
    free(archive->shown);
    free(archive);
}

struct archive_image *archive_add_image(struct archive *archive)
{
    archive->images =
        dr_realloc(archive->images, (archive->n + 1) * sizeof *archive->images);
    struct archive_image *image = &archive->images[archive->n++];
    *image = (struct archive_image){.names = dr_alloc(sizeof(char *)),
                                    .layers = dr_alloc(sizeof(char *))};
    return image;
}

/* Keeps a name that is a reference with a tag; others only say which image is meant. */
void archive_add_name(struct archive_image *image, const char *name)
{
    dr_auto_error struct dr_error ignored = DR_ERROR_INIT;
    dr_auto_ref struct oci_ref ref = OCI_REF_INIT;
    if (!name || oci_ref_parse(name, &ref, &ignored) < 0 || !ref.tag ||
        ref.digest.text[0])
        return;
    dr_auto_free char *familiar = oci_ref_familiar(&ref);
    for (char **p = image->names; *p; p++)
        if (strcmp(*p, familiar) == 0)
            return;
    dr_strv_add(&image->names, familiar);
}

/* ---- OCI layouts ---- */

/* A tag alone ("1.0") is no name of an image. */
static bool is_whole_name(const char *text)
{
    return text && strpbrk(text, ":/");
}

static int add_descriptors(struct archive *archive, const struct dr_buf *text,
                           struct dr_error *err)
{
    dr_auto_index struct oci_index index = {0};
    if (oci_index_parse(text->data ? text->data : "", text->len, OCI_TYPE_INDEX, &index,
                        err) < 0)
        return -1;
    dr_auto_json json_t *json =
        dr_json_parse(text->data, text->len, OCI_MANIFEST_MAX, err);
    if (!json)
        return -1;
    const json_t *list = dr_json_array(json, "manifests");
    for (size_t i = 0; i < index.n_manifests; i++) {
        if (index.manifests[i].attestation)
            continue;
        const json_t *notes = dr_json_object(json_array_get(list, i), "annotations");
        const char *name = dr_json_str(notes, "io.containerd.image.name"),
                   *ref = dr_json_str(notes, "org.opencontainers.image.ref.name");
        struct archive_image *image = archive_add_image(archive);
        oci_descriptor_copy(&index.manifests[i], &image->descriptor);
        image->key = dr_strdup(ref);
        archive_add_name(image, name ? name : is_whole_name(ref) ? ref : NULL);
    }
    return 0;
}

static int open_oci(struct archive *archive, struct dr_error *err)
{
    dr_auto_buf struct dr_buf layout = DR_BUF_INIT(4096);
    dr_auto_buf struct dr_buf index = DR_BUF_INIT(OCI_MANIFEST_MAX);
    int found = files_read(archive->files, "index.json", &index, err);
    if (found == 0)
        return dr_fail(err, DR_ERR_FORMAT, "no OCI layout: it has no index.json");
    if (found < 0 || files_read(archive->files, "oci-layout", &layout, err) < 0)
        return -1;
    if (layout.len > 0) {
        dr_auto_json json_t *json = dr_json_parse(layout.data, layout.len, 4096, err);
        const char *version = json ? dr_json_str(json, "imageLayoutVersion") : NULL;
        if (!json)
            return dr_wrap(err, "oci-layout");
        if (version && strncmp(version, "1.", 2) != 0) {
            dr_auto_free char *shown = dr_escape(version, 40);
            return dr_fail(err, DR_ERR_UNSUPPORTED, "an OCI layout of version %s", shown);
        }
    }
    if (add_descriptors(archive, &index, err) < 0)
        return dr_wrap(err, "index.json");
    return 0;
}

/* ---- dir: ---- */

static int open_dir(struct archive *archive, struct dr_error *err)
{
    dr_auto_buf struct dr_buf text = DR_BUF_INIT(OCI_MANIFEST_MAX);
    int found = files_read(archive->files, "manifest.json", &text, err);
    if (found == 0)
        return dr_fail(err, DR_ERR_FORMAT, "no image: it has no manifest.json");
    if (found < 0)
        return -1;
    struct archive_image *image = archive_add_image(archive);
    oci_digest_of(text.data ? text.data : "", text.len, &image->descriptor.digest);
    image->descriptor.size_bytes = (int64_t)text.len;
    image->descriptor.media_type = dr_strdup("");
    return 0;
}

/* ---- opening ---- */

static int has(struct archive *archive, const char *name, struct dr_error *err)
{
    dr_auto_range struct file_range range = FILE_RANGE_INIT;
    return files_find(archive->files, name, &range, err);
}

static int open_as(struct archive *archive, enum place_kind kind, struct dr_error *err)
{
    archive->kind = kind;
    int result = kind == PLACE_DOCKER_ARCHIVE ? archive_open_docker(archive, err)
                 : kind == PLACE_DIR          ? open_dir(archive, err)
                                              : open_oci(archive, err);
    if (result == 0 && archive->n == 0)
        result = dr_fail(err, DR_ERR_FORMAT, "there is no image in it");
    return result;
}

/* What newer versions of docker save is both; the layout has the digests. */
static int open_as_it_is(struct archive *archive, bool dir, struct dr_error *err)
{
    int index = has(archive, "index.json", err);
    int layout = index > 0 ? has(archive, "oci-layout", err) : index;
    int manifest = layout == 0 ? has(archive, "manifest.json", err) : 0;
    int old = layout == 0 && manifest == 0 ? has(archive, "repositories", err) : 0;
    int version = manifest > 0 && !dir ? has(archive, "version", err) : 0;
    if (index < 0 || layout < 0 || manifest < 0 || old < 0 || version < 0)
        return -1;
    if (layout > 0 || (index > 0 && manifest == 0))
        return open_as(archive, dir ? PLACE_OCI : PLACE_OCI_ARCHIVE, err);
    if (manifest > 0)
        return open_as(archive, dir || version > 0 ? PLACE_DIR : PLACE_DOCKER_ARCHIVE,
                       err); /* a dir: came through a pipe, in a tar */
    if (old > 0)
        return dr_fail(
            err, DR_ERR_UNSUPPORTED,
            "it was saved by a docker from before 1.10: load it there and save "
            "it again");
    return dr_fail(
        err, DR_ERR_FORMAT,
        "no image archive: it has neither index.json nor manifest.json (a root "
        "file system becomes an image by `dray import`)");
}

static int finish(struct archive *archive, int result, struct archive **ret,
                  struct dr_error *err)
{
    if (result < 0) {
        if (err->kind != DR_ERR_CANCELLED)
            dr_wrap(err, "%s", archive->shown);
        archive_close(archive);
        return -1;
    }
    *ret = archive;
    return 0;
}

static int open_file(const char *path, int *ret_fd, bool *ret_dir, struct dr_error *err)
{
    struct stat st;
    dr_auto_fd int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &st) < 0)
        return dr_fail_errno(err, DR_ERR_NONE, "open");
    *ret_dir = S_ISDIR(st.st_mode);
    *ret_fd = *ret_dir ? -1 : DR_TAKE_FD(fd);
    return 0;
}

static int open_files(struct archive *archive, const char *path, const char *spool_dir,
                      bool want_dir, bool *ret_dir, struct dr_error *err)
{
    int fd = -1;
    if (open_file(path, &fd, ret_dir, err) < 0)
        return -1;
    if (*ret_dir)
        return files_open_dir(path, &archive->files, err);
    if (want_dir) {
        close(fd);
        return dr_fail(err, DR_ERR_INVALID, "it is no directory");
    }
    return files_open_tar(fd, spool_dir, &archive->files, err);
}

int archive_open(const struct place *place, const char *spool_dir, struct archive **ret,
                 struct dr_error *err)
{
    struct archive *archive = dr_alloc(sizeof *archive);
    bool dir = false, want_dir = place->kind == PLACE_OCI || place->kind == PLACE_DIR;
    archive->shown = dr_escape(place->path, 200);
    int result = open_files(archive, place->path, spool_dir, want_dir, &dir, err);
    if (result == 0 && dir && !want_dir)
        result = dr_fail(err, DR_ERR_INVALID, "it is a directory: write oci:%s or dir:%s",
                         archive->shown, archive->shown);
    if (result == 0)
        result = open_as(archive, place->kind, err);
    return finish(archive, result, ret, err);
}

int archive_open_fd(int fd, const char *spool_dir, struct archive **ret,
                    struct dr_error *err)
{
    struct archive *archive = dr_alloc(sizeof *archive);
    archive->shown = dr_strdup("the archive");
    int result = files_open_tar(fd, spool_dir, &archive->files, err);
    if (result == 0)
        result = open_as_it_is(archive, false, err);
    return finish(archive, result, ret, err);
}

int archive_open_path(const char *path, const char *spool_dir, struct archive **ret,
                      struct dr_error *err)
{
    struct archive *archive = dr_alloc(sizeof *archive);
    bool dir = false;
    archive->shown = dr_escape(path, 200);
    int result = open_files(archive, path, spool_dir, false, &dir, err);
    if (result == 0)
        result = open_as_it_is(archive, dir, err);
    return finish(archive, result, ret, err);
}

/* ---- which image ---- */

size_t archive_count(const struct archive *archive)
{
    return archive->n;
}

char *const *archive_names(const struct archive *archive, size_t image)
{
    return archive->images[image].names;
}

enum place_kind archive_kind(const struct archive *archive)
{
    return archive->kind;
}

const char *archive_key(const struct archive *archive, size_t image)
{
    return archive->images[image].key;
}

static bool is_called(const struct archive_image *image, const char *name)
{
    dr_auto_error struct dr_error ignored = DR_ERROR_INIT;
    dr_auto_ref struct oci_ref ref = OCI_REF_INIT;
    if (image->key && strcmp(image->key, name) == 0)
        return true;
    dr_auto_free char *familiar =
        oci_ref_parse(name, &ref, &ignored) == 0 ? oci_ref_familiar(&ref) : NULL;
    for (char **p = image->names; familiar && *p; p++)
        if (strcmp(*p, familiar) == 0)
            return true;
    return false;
}

static char *list_names(const struct archive *archive)
{
    struct dr_buf text = DR_BUF_INIT(600);
    dr_auto_error struct dr_error full = DR_ERROR_INIT;
    for (size_t i = 0; i < archive->n; i++) {
        const struct archive_image *image = &archive->images[i];
        const char *name = image->names[0] ? image->names[0] : image->key;
        dr_auto_free char *number = dr_printf("@%zu", i);
        dr_auto_free char *shown = dr_escape(name ? name : number, 80);
        if (dr_buf_addf(&text, &full, "%s%s", i ? ", " : "", shown) < 0) {
            dr_error_release(&full);
            break;
        }
    }
    return dr_buf_take(&text);
}

int archive_select(const struct archive *archive, const char *name, size_t *ret_image,
                   struct dr_error *err)
{
    int64_t number;
    dr_auto_free char *names = list_names(archive);
    if (!name && archive->n == 1) {
        *ret_image = 0;
        return 0;
    }
    if (!name)
        return dr_fail(err, DR_ERR_INVALID,
                       "%s has %zu images, say which one, behind a colon: %s",
                       archive->shown, archive->n, names);
    if (name[0] == '@' && dr_int_parse(name + 1, 0, IMAGES_MAX, &number) &&
        (size_t)number < archive->n) {
        *ret_image = (size_t)number;
        return 0;
    }
    for (size_t i = 0; i < archive->n; i++)
        if (is_called(&archive->images[i], name)) {
            *ret_image = i;
            return 0;
        }
    dr_auto_free char *shown = dr_escape(name, 100);
    return dr_fail(err, DR_ERR_NOT_FOUND, "there is no image %s in %s, only: %s", shown,
                   archive->shown, names);
}
