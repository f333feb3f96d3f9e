/* SPDX-License-Identifier: Apache-2.0 */
/* From an image of an archive to manifest, config and the bytes of its layers. */
#include <string.h>
#include <time.h>

#include "archive/private.h"
#include "base/text.h"
#include "oci/descent.h"

#define FOLLOW_POLL_NS 20000000
#define CHUNK ((size_t)256 << 10)

static char *blob_name(const struct archive *archive, const struct oci_digest *digest)
{
    for (size_t i = 0; i < archive->n_layers; i++)
        if (oci_digest_equal(&archive->layers[i].digest, digest))
            return dr_strdup(archive->layers[i].name);
    return dr_printf(archive->kind == PLACE_DIR ? "%s" : "blobs/sha256/%s",
                     oci_digest_hex(digest));
}

/* A document, verified. Of a dir: the first one is manifest.json, those of an index have
 * names of their own. */
static int read_document(struct archive *archive, const struct oci_descriptor *d,
                         bool first, bool manifest, struct dr_buf *buf,
                         struct dr_error *err)
{
    bool dir = archive->kind == PLACE_DIR;
    dr_auto_free char *name =
        dir && first      ? dr_strdup("manifest.json")
        : dir && manifest ? dr_printf("%s.manifest.json", oci_digest_hex(&d->digest))
                          : blob_name(archive, &d->digest);
    struct oci_digest is;
    int found = files_read(archive->files, name, buf, err);
    if (found == 0)
        return dr_fail(err, DR_ERR_FORMAT, "%s is not in it", name);
    if (found < 0)
        return -1;
    oci_digest_of(buf->data ? buf->data : "", buf->len, &is);
    if (!oci_digest_equal(&is, &d->digest))
        return dr_fail(err, DR_ERR_FORMAT, "%s should be %s, but is %s", name,
                       d->digest.text, is.text);
    if ((int64_t)buf->len != d->size_bytes)
        return dr_fail(err, DR_ERR_FORMAT, "%s has %zu bytes, its descriptor says %lld",
                       name, buf->len, (long long)d->size_bytes);
    return 0;
}

static int find_manifest(struct archive *archive, const struct oci_descriptor *first,
                         const struct oci_platform *platform, struct oci_image *image,
                         struct dr_error *err)
{
    dr_auto_descent struct oci_descent descent = {.platform = platform};
    const char *type = first->media_type && *first->media_type ? first->media_type : NULL;
    for (const struct oci_descriptor *at = first;; at = &descent.next) {
        dr_auto_buf struct dr_buf text = DR_BUF_INIT(OCI_MANIFEST_MAX);
        if (read_document(archive, at, at == first, true, &text, err) < 0)
            return -1;
        int rc = oci_descend(&descent, text.data ? text.data : "", text.len,
                             at == first ? type : NULL, &at->digest, image, err);
        if (rc != 0)
            return rc < 0 ? -1 : 0;
    }
}

static int resolve(struct archive *archive, const struct archive_image *from,
                   const struct oci_platform *platform, struct oci_image *image,
                   struct dr_error *err)
{
    dr_auto_buf struct dr_buf config = DR_BUF_INIT(OCI_MANIFEST_MAX);
    if (archive->kind == PLACE_DOCKER_ARCHIVE) {
        if (archive_resolve_docker(archive, from, image, err) < 0)
            return -1;
        return oci_image_check_platform(image, platform, err);
    }
    if (find_manifest(archive, &from->descriptor, platform, image, err) < 0)
        return -1;
    const struct oci_descriptor *d = &image->manifest.config;
    if (read_document(archive, d, false, false, &config, err) < 0 ||
        oci_image_set_config(image, config.data ? config.data : "", config.len, err) < 0)
        return -1;
    return oci_image_check_platform(image, platform, err);
}

int archive_resolve(struct archive *archive, size_t i,
                    const struct oci_platform *platform, struct oci_image *ret,
                    struct dr_error *err)
{
    dr_auto_image struct oci_image image = OCI_IMAGE_INIT;
    if (resolve(archive, &archive->images[i], platform, &image, err) < 0)
        return dr_wrap(err, "%s", archive->shown);
    *ret = image;
    image = OCI_IMAGE_INIT;
    return 0;
}

int archive_document(struct archive *archive, size_t i, const struct oci_descriptor *d,
                     struct dr_buf *buf, char **ret_type, struct oci_digest *ret_digest,
                     struct dr_error *err)
{
    const struct oci_descriptor *at = d ? d : &archive->images[i].descriptor;
    if (archive->kind == PLACE_DOCKER_ARCHIVE)
        return dr_fail(err, DR_ERR_UNSUPPORTED, "%s has no manifests", archive->shown);
    if (read_document(archive, at, !d, true, buf, err) < 0)
        return dr_wrap(err, "%s", archive->shown);
    *ret_type = at->media_type && *at->media_type ? dr_strdup(at->media_type) : NULL;
    *ret_digest = at->digest;
    return 0;
}

int archive_blob(struct archive *archive, const struct oci_descriptor *descriptor,
                 struct file_range *ret, struct dr_error *err)
{
    dr_auto_free char *name = blob_name(archive, &descriptor->digest);
    int found = files_find(archive->files, name, ret, err);
    if (found < 0)
        return -1;
    if (found == 0)
        return dr_fail(err, DR_ERR_FORMAT, "%s: %s is not in it", archive->shown, name);
    if (ret->size != descriptor->size_bytes) {
        int64_t size = ret->size;
        file_range_release(ret);
        return dr_fail(err, DR_ERR_FORMAT,
                       "%s: %s has %lld bytes, its descriptor says %lld", archive->shown,
                       name, (long long)size, (long long)descriptor->size_bytes);
    }
    return 0;
}

/* ---- into the store ---- */

static int copy_blob(struct archive *archive, const struct archive_fetch *how,
                     struct store_fetch *fetch, const struct oci_descriptor *d,
                     struct dr_error *err)
{
    dr_auto_range struct file_range range = FILE_RANGE_INIT;
    dr_auto_free char *chunk = dr_alloc(CHUNK);
    if (archive_blob(archive, d, &range, err) < 0)
        return -1;
    for (;;) {
        ssize_t n = file_range_read(&range, store_fetch_have(fetch), chunk, CHUNK, err);
        if (n < 0)
            return -1;
        if (n == 0)
            return store_fetch_commit(fetch, err);
        if (how->cancel && atomic_load(how->cancel))
            return dr_fail(err, DR_ERR_CANCELLED, "given up");
        if (store_fetch_append(fetch, chunk, (size_t)n, err) < 0)
            return -1;
    }
}

static int fetch_one(struct archive *archive, const struct archive_fetch *how,
                     struct store_fetch *fetch, const struct oci_descriptor *d,
                     struct dr_error *err)
{
    for (;;) {
        char unused;
        switch (store_fetch_state(fetch)) {
        case STORE_COMPLETE:
            return 0;
        case STORE_OWNED:
            if (copy_blob(archive, how, fetch, d, err) < 0)
                return -1;
            break;
        case STORE_FOLLOWED:
            if (how->cancel && atomic_load(how->cancel))
                return dr_fail(err, DR_ERR_CANCELLED, "given up");
            nanosleep(&(struct timespec){.tv_nsec = FOLLOW_POLL_NS}, NULL);
            break;
        case STORE_FAILED:
            if (store_fetch_read(fetch, 0, &unused, 1, err) >= 0)
                dr_fail(err, DR_ERR_INTERNAL, "the copy failed");
            return -1;
        }
    }
}

int archive_fetch_blobs(struct archive *archive, const struct archive_fetch *how,
                        struct store_fetch *const *fetches,
                        const struct oci_descriptor *descs, size_t n,
                        struct dr_error *err)
{
    int rc = 0;
    for (size_t i = 0; i < n && rc == 0; i++) {
        if (how->progress)
            how->progress(how->arg, i, false);
        rc = fetch_one(archive, how, fetches[i], &descs[i], err);
        if (rc < 0)
            dr_wrap(err, "%s: layer %.19s", archive->shown, descs[i].digest.text);
        else if (how->progress)
            how->progress(how->arg, i, true);
    }
    for (size_t i = 0; rc < 0 && i < n; i++)
        store_fetch_fail(fetches[i], err, false);
    return rc;
}
