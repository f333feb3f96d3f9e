/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An image and the bytes of its layers, wherever they are: on a target, in an archive, in
 * the blob cache. What goes out to archives and registries comes through here.
 *
 * A layer of a target is the compressed blob that its manifest names, when the cache has
 * that; else the target makes its tar again (layer.get), which keeps the diff id, and
 * with it the image's id, but as a blob it is another one.
 */
#ifndef DRAY_HOST_IMAGE_SOURCE_H
#define DRAY_HOST_IMAGE_SOURCE_H

#include "archive/archive.h"
#include "archive/writer.h"
#include "host/target.h"
#include "oci/image.h"
#include "store/store.h"

struct image_source {
    struct store *store;        /* borrowed */
    struct dray_target *target; /* borrowed; or NULL */
    struct archive *archive;    /* borrowed; or NULL */
    const struct limits *limits;
    struct oci_image image;
    char **refs;        /* of a target: all canonical references that it has there */
    int64_t *tar_sizes; /* of a target: of the layers' tars */
};

#define dr_auto_source DR_CLEANUP(image_source_release)
void image_source_release(struct image_source *source);

/* image: as a person types it. source: with store, target and limits. */
int image_source_of_target(struct image_source *source, const char *image,
                           struct dr_error *err);

/* Only manifest and config, of a reference or an id as the target knows it. *ret_reply
 * (may be NULL): its "refs" and "tar_sizes". */
int image_source_read(struct image_source *source, const char *ref, json_t **ret_reply,
                      struct dr_error *err);

enum layer_form {
    LAYER_AS_IT_IS, /* as the manifest has it; where that cannot be had, gzip */
    LAYER_PLAIN     /* the tar */
};

/* A layer's bytes; read them once, from the start. */
struct image_layer {
    struct archive_bytes bytes; /* digest and size are known before they are read */
    char *media_type;           /* owned */
    bool changed;               /* another blob than the manifest says */
    struct layer_pipe *pipe;
};
/*
 * Layer `index` of the image. store_dir of the source's store holds what has to be kept
 * meanwhile. Whether the bytes are the right ones is only known at their end: a reader
 * must see the 0, or digest and size for itself.
 */
int image_layer_open(const struct image_source *source, size_t index,
                     enum layer_form form, struct image_layer *ret, struct dr_error *err);
void image_layer_close(struct image_layer *layer);
/* Layer `index`, compressed anew by the target, as a blob of the store: the one that was
 * made of it before, where that is still there. */
int image_layer_make(const struct image_source *source, size_t index,
                     struct oci_digest *ret_digest, int64_t *ret_size,
                     struct dr_error *err);

/*
 * The manifest with other layers: descriptors[i] is NULL where nothing changed. docker:
 * in the words of Docker's schema 2. *ret has the same config, and so the same id.
 */
struct layer_change {
    const char *media_type; /* NULL: unchanged */
    struct oci_digest digest;
    int64_t size;
};
int image_change_layers(const struct oci_image *image, const struct layer_change *changes,
                        bool docker, struct oci_image *ret, struct dr_error *err);

/* The whole image into an archive. Names as archive_writer_image. */
int image_source_write(const struct image_source *source, struct archive_writer *writer,
                       bool docker, char *const *names, const char *key,
                       struct dr_error *err);

#endif
