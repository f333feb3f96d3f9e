/* SPDX-License-Identifier: Apache-2.0 */
/* A directory for archives, an image to put into them, and archives with something wrong.
 */
#ifndef DRAY_TESTS_ARCHIVE_SHELF_H
#define DRAY_TESTS_ARCHIVE_SHELF_H

#include "archive/archive.h"
#include "archive/writer.h"
#include "tarball.h"

struct shelf {
    char dir[64];
    struct tarball layer; /* a plain tar of one file */
    struct oci_digest diff_id, config_digest, manifest_digest;
    char *config, *manifest; /* linux/amd64, the layer as it is */
};
int shelf_setup(void **state);
int shelf_teardown(void **state);

/* "<dir>/<name>"; static buffer. */
const char *shelf_path(const struct shelf *shelf, const char *name);
/* Writes the tarball (ended here) there. */
void shelf_write(const struct shelf *shelf, const char *name, struct tarball *t);
/* A file of a tarball. */
void shelf_add(struct tarball *t, const char *name, const char *data, size_t len);
void shelf_add_text(struct tarball *t, const char *name, const char *text);
/* "blobs/sha256/<hex>" of data, and a descriptor of it. */
char *shelf_add_blob(struct tarball *t, const char *media_type, const char *data,
                     size_t len);
/* The shelf's image as an OCI layout but for its index.json, and its descriptor. */
char *shelf_add_image(const struct shelf *shelf, struct tarball *t);
/* index.json with these descriptors. */
void shelf_add_index(struct tarball *t, const char *descriptors);

/* Opens the tar of that name and resolves image i for linux/amd64: fails with kind and
 * text. */
void shelf_refuses(const struct shelf *shelf, const char *name, enum dr_kind kind,
                   const char *text);
struct archive *shelf_open(const struct shelf *shelf, const char *name);
void shelf_resolve(struct archive *archive, size_t i, struct oci_image *ret);

#endif
