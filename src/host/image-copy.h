/* SPDX-License-Identifier: Apache-2.0 */
/* Shared by the files that copy images from place to place. */
#ifndef DRAY_HOST_IMAGE_COPY_H
#define DRAY_HOST_IMAGE_COPY_H

#include "host/image-source.h"
#include "oci/ref.h"
#include "registry/registry.h"

/* A place that is read from. */
struct origin_place {
    struct image_source source; /* its image: when it was resolved */
    struct place place;
    struct oci_ref ref;
    struct store *store;
    struct registry *registry;
    struct archive *archive;
    size_t image; /* in the archive */
};

/* Manifest and config of what is at `text`; with all: what they are is still to be found
 * out. always: see place_parse. */
int origin_open(const char *text, bool always,
                const struct dray_transfer_options *options, const struct limits *limits,
                struct origin_place *ret, struct dr_error *err);
void origin_release(struct origin_place *o);
/* Layers that nobody has yet come into the cache: those of skip (may be NULL), a bit for
 * each layer of the manifest, do not. */
int origin_fetch_layers(struct origin_place *o, const bool *skip, struct dr_error *err);
/* Brings blobs into the store: each digest once. */
int origin_fetch(struct origin_place *o, const struct oci_descriptor *descs, size_t n,
                 struct dr_error *err);
/* What a copy's registry options are, to where it reads from or to where it writes. */
int copy_registry_options(const struct dray_transfer_options *options, bool write,
                          struct store *store, const struct limits *limits,
                          struct registry_options *ret, struct dr_error *err);
/* A registry's name to write to: a tag. */
int copy_target_ref(const struct place *to, struct oci_ref *ret, struct dr_error *err);

/* image-copy-all.c: everything that an index leads to, of all platforms, byte by byte.
 * *ret_digest: of the index. */
int copy_all(struct origin_place *o, const struct place *to,
             const struct dray_transfer_options *options, struct oci_digest *ret_digest,
             struct dr_error *err);

#endif
