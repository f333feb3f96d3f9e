/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Entries of a tar become files of a layer, in overlayfs form. Each layer is unpacked
 * alone into an empty root that nobody else touches; symlinks in it are hostile all the
 * same.
 *
 * Rules: HAZARDS H1, image-spec layer.md. Metadata goes by descriptor or without
 * following, in the order owner, xattrs, mode, times (a change of owner clears the
 * capability and the set-id bits). Device nodes are not made. Of several entries with one
 * name the last wins.
 */
#ifndef DRAY_GUEST_LAYERS_EXTRACT_H
#define DRAY_GUEST_LAYERS_EXTRACT_H

#include "base/buf.h"
#include "tar/tar.h"

struct extract;
struct split;

struct extract_stats {
    int64_t entries, disk_bytes, skipped_devices;
};

/*
 * root: the empty directory of the layer; work: a directory on the same file system for a
 * temporary file. Both stay the caller's. mask_is_zero: the calling thread's umask is 0,
 * so that modes given at creation need no second call. split: what later entries replace
 * is put aside there; borrowed.
 */
int extract_new(int root, int work, bool mask_is_zero, struct split *split,
                struct extract **ret, struct dr_error *err);
void extract_free(struct extract *x); /* NULL is fine */

/* Reads the entry's payload from tar. */
int extract_entry(struct extract *x, struct tar *tar, const struct tar_entry *entry,
                  struct dr_error *err);

/*
 * Directory times and modes. Adds to notes what a stack has to know of this layer
 * (stack.h); notes stays empty when there is nothing.
 */
int extract_finish(struct extract *x, struct dr_buf *notes, struct dr_error *err);

void extract_count(const struct extract *x, struct extract_stats *ret);

#endif
