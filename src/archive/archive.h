/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading images out of files: an OCI layout (a directory, or a tar of one), what `docker
 * save` writes, and the directory of skopeo's dir: transport. Rules: image-spec
 * image-layout.md; moby's image/spec (docker-archive); HAZARDS H2: digests and sizes are
 * verified, documents are bounded, names of an archive lead into the archive only.
 *
 * Errors: DR_ERR_FORMAT and DR_ERR_UNSUPPORTED say what is wrong with the archive,
 * DR_ERR_NOT_FOUND that the image is not in it, and what is.
 */
#ifndef DRAY_ARCHIVE_ARCHIVE_H
#define DRAY_ARCHIVE_ARCHIVE_H

#include <stdatomic.h>

#include "archive/files.h"
#include "archive/place.h"
#include "oci/image.h"
#include "store/store.h"

struct archive;

/* place: none of a registry. spool_dir: see files_open_tar. */
int archive_open(const struct place *place, const char *spool_dir, struct archive **ret,
                 struct dr_error *err);
/* A tar of either kind, told by what is in it. fd is taken over. */
int archive_open_fd(int fd, const char *spool_dir, struct archive **ret,
                    struct dr_error *err);
/* A path of any kind: a tar, an OCI layout or a dir: directory. */
int archive_open_path(const char *path, const char *spool_dir, struct archive **ret,
                      struct dr_error *err);
void archive_close(struct archive *archive); /* NULL is fine */

size_t archive_count(const struct archive *archive);
/* What the image is called in there, as references that parse; NULL-terminated, borrowed,
 * may be empty. */
char *const *archive_names(const struct archive *archive, size_t image);
enum place_kind archive_kind(const struct archive *archive);
/* Its org.opencontainers.image.ref.name in an OCI layout; borrowed; or NULL. */
const char *archive_key(const struct archive *archive, size_t image);
/* The one that is meant by a place's name; NULL: the only one. */
int archive_select(const struct archive *archive, const char *name, size_t *ret_image,
                   struct dr_error *err);

/* Manifest and config for the platform. An archive without manifests (docker's) gets one
 * made, with the same config. */
int archive_resolve(struct archive *archive, size_t image,
                    const struct oci_platform *platform, struct oci_image *ret,
                    struct dr_error *err);
/* A manifest or an index as it is: d's, or for NULL what the image begins with;
 * *ret_digest and *ret_type (owned, or NULL) then too. DR_ERR_UNSUPPORTED: docker's have
 * none. */
int archive_document(struct archive *archive, size_t image,
                     const struct oci_descriptor *d, struct dr_buf *buf, char **ret_type,
                     struct oci_digest *ret_digest, struct dr_error *err);
/* Where the bytes of a layer of a resolved image are. They are not verified yet. */
int archive_blob(struct archive *archive, const struct oci_descriptor *descriptor,
                 struct file_range *ret, struct dr_error *err);

struct archive_fetch {
    atomic_bool *cancel; /* may be NULL */
    void (*progress)(void *arg, size_t index, bool done);
    void *arg;
};
/* As registry_fetch_blobs: copies blobs into the store, whose digests it verifies. */
int archive_fetch_blobs(struct archive *archive, const struct archive_fetch *how,
                        struct store_fetch *const *fetches,
                        const struct oci_descriptor *descs, size_t n,
                        struct dr_error *err);

#endif
