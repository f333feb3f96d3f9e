/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writing images into files, of the kinds that archive.h reads. Each blob is written
 * once. The same images give the same bytes: nothing has a time or an owner.
 *
 * A file is written beside its place and renamed when all is there; a directory gets its
 * index.json last. What fails leaves no file, and of a directory only blobs that the next
 * write uses.
 */
#ifndef DRAY_ARCHIVE_WRITER_H
#define DRAY_ARCHIVE_WRITER_H

#include "archive/place.h"
#include "oci/image.h"

struct archive_writer;

/* path: of the file or directory; NULL: the tar goes to fd, which stays the caller's. */
int archive_writer_open(enum place_kind kind, const char *path, int fd,
                        struct archive_writer **ret, struct dr_error *err);
/* Layers have to be plain tars, under their diff ids (docker's). */
bool archive_writer_wants_plain(const struct archive_writer *w);
/* The blob is there already. */
bool archive_writer_has(struct archive_writer *w, const struct oci_digest *digest);

/* Where a blob's bytes come from: read gives up to len, 0 at the end, -1 with err. */
struct archive_bytes {
    struct oci_digest digest;
    int64_t size;
    ssize_t (*read)(void *arg, void *buf, size_t len, struct dr_error *err);
    void *arg;
};
/* Verifies size and digest. */
int archive_writer_blob(struct archive_writer *w, const struct archive_bytes *bytes,
                        struct dr_error *err);

/*
 * An image whose layers were written. names: canonical references, NULL-terminated; key:
 * in an OCI layout its ref.name instead (what was called so before loses it), or NULL.
 */
int archive_writer_image(struct archive_writer *w, const struct oci_image *image,
                         char *const *names, const char *key, struct dr_error *err);

/* Not of an image: a document as it is. Each manifest that an index leads to, and each
 * blob, was written; then the index, which is listed: under key, or under none. */
struct archive_document {
    struct oci_digest digest;
    const char *media_type, *data; /* borrowed */
    size_t len;
};
int archive_writer_manifest(struct archive_writer *w,
                            const struct archive_document *manifest,
                            struct dr_error *err);
/* DR_ERR_INVALID: docker's hold images of one platform only. */
int archive_writer_index(struct archive_writer *w, const struct archive_document *index,
                         const char *key, struct dr_error *err);

/* Frees it. ok false: what was begun is given up. */
int archive_writer_close(struct archive_writer *w, bool ok, struct dr_error *err);

#endif
