/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The layers of an image become one tar: what a container would see of them. For what
 * takes a root file system and knows nothing of layers.
 *
 * Rules: image-spec layer.md; HAZARDS H1. Layers are applied base first: whiteouts act on
 * the layers below only, and before anything else of their own layer; a directory joins a
 * directory, everything else replaces; parents that are symbolic links of what is there
 * by then are followed, inside the root; a hard link's file stays when the name that it
 * was linked to goes. Devices are left away. Nothing is unpacked: the layers are read
 * three times (the base twice), and what is remembered of them is bounded, some 50 bytes
 * a path.
 */
#ifndef DRAY_ARCHIVE_FLATTEN_H
#define DRAY_ARCHIVE_FLATTEN_H

#include "oci/digest.h"
#include "tar/writer.h"

#define FLATTEN_PATHS_MAX (1u << 20)
#define FLATTEN_TEXT_MAX ((size_t)32 << 20) /* bytes of all names and link targets */
#define FLATTEN_BYTES_MAX ((int64_t)1 << 40)

/* Plain tars, base first, that can be read again. */
struct flatten_layers {
    size_t count;
    /* What they hash to; NULL: not known. Verified each time when a layer was read whole.
     */
    const struct oci_digest *diff_ids;
    int (*open)(void *arg, size_t layer, void **ret_stream, struct dr_error *err);
    /* Up to len bytes; 0 at the end. */
    ssize_t (*read)(void *stream, void *buf, size_t len, struct dr_error *err);
    void (*close)(void *stream);
    void *arg;
};

struct flatten;

/* Looks at all of them. layers is borrowed until the end. DR_ERR_FORMAT and
 * DR_ERR_UNSUPPORTED say what is wrong with them. */
int flatten_look(const struct flatten_layers *layers, struct flatten **ret,
                 struct dr_error *err);
/* Is there something of that name (clean, relative) in the end? */
bool flatten_has(struct flatten *f, const char *path);
/* Writes what is left of them: no two entries have one name, none leads through a
 * symbolic link, a hard link comes behind what it is linked to. The end is the caller's
 * to write. */
int flatten_write(struct flatten *f, struct tar_writer *w, struct dr_error *err);
void flatten_free(struct flatten *f); /* NULL is fine */

#endif
