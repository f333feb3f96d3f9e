/* SPDX-License-Identifier: Apache-2.0 */
/* From an image of an archive to manifest, config and the bytes of its layers. */
#include <string.h>
#include <time.h>

#include "archive/private.h"
#include "base/text.h"

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

/* Down through indexes to the manifest for the platform (HAZARDS H2). */
static int find_manifest(struct archive *archive, const struct oci_descriptor *first,
                         const struct oci_platform *platform, struct oci_image *image,
                         struct dr_error *err)
{
    struct oci_digest seen[OCI_INDEX_DEPTH_MAX + 1];
    DR_CLEANUP(oci_descriptor_release) struct oci_descriptor at = {0};
    oci_descriptor_copy(first, &at);
    for (size_t depth = 0; depth <= OCI_INDEX_DEPTH_MAX; depth++) {
        dr_auto_buf struct dr_buf text = DR_BUF_INIT(OCI_MANIFEST_MAX);
        enum oci_media media;
        const char *type = at.media_type && *at.media_type ? at.media_type : NULL;
        for (size_t i = 0; i < depth; i++)
            if (oci_digest_equal(&seen[i], &at.digest))
                return dr_fail(err, DR_ERR_FORMAT, "an index that contains itself");
        seen[depth] = at.digest;
        if (read_document(archive, &at, depth == 0, true, &text, err) < 0 ||
            oci_document_parse(text.data ? text.data : "", text.len, type, &media, err) <
                0)
            return -1;
        if (media == OCI_MEDIA_MANIFEST)
            return oci_image_set_manifest(image, text.data, text.len, type, err);
        dr_auto_index struct oci_index index = {0};
        if (oci_index_parse(text.data, text.len, type, &index, err) < 0)
            return -1;
        if (depth == 0)
            image->index_digest = at.digest;
        const struct oci_descriptor *chosen = oci_index_choose(&index, platform, err);
        if (!chosen)
            return -1;
        oci_descriptor_release(&at);
        oci_descriptor_copy(chosen, &at);
    }
    return dr_fail(err, DR_ERR_FORMAT, "indexes inside of indexes, more than %d deep",
                   OCI_INDEX_DEPTH_MAX);
}

/* What says no platform fits every one: older tools did not write it. */
static int check_platform(const struct oci_image *image, const struct oci_platform *want,
                          struct dr_error *err)
{
    const struct oci_platform *have = &image->config.platform;
    if ((!have->os[0] && !have->arch[0]) || oci_platform_match(want, have) > 0 ||
        image->index_digest.text[0])
        return 0;
    char a[OCI_PLATFORM_TEXT], b[OCI_PLATFORM_TEXT];
    oci_platform_text(want, a);
    oci_platform_text(have, b);
    return dr_fail(err, DR_ERR_NOT_FOUND, "no image for %s, there is only: %s", a, b);
}

static int resolve(struct archive *archive, const struct archive_image *from,
                   const struct oci_platform *platform, struct oci_image *image,
                   struct dr_error *err)
{
    dr_auto_buf struct dr_buf config = DR_BUF_INIT(OCI_MANIFEST_MAX);
    if (archive->kind == PLACE_DOCKER_ARCHIVE) {
        if (archive_resolve_docker(archive, from, image, err) < 0)
            return -1;
        return check_platform(image, platform, err);
    }
    if (find_manifest(archive, &from->descriptor, platform, image, err) < 0)
        return -1;
    const struct oci_descriptor *d = &image->manifest.config;
    if (read_document(archive, d, false, false, &config, err) < 0 ||
        oci_image_set_config(image, config.data ? config.data : "", config.len, err) < 0)
        return -1;
    return check_platform(image, platform, err);
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
