/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a layer's tar has and its tree has not: headers as they were written, their order,
 * padding, what follows the end. Recorded while the layer is unpacked, so that the same
 * bytes can be made again from the tree (rebuild.h): a layer that is saved or pushed must
 * have its diff id. (The idea is tar-split's.)
 *
 * "<root>/layers/<hex>/split" is gzip over records. A record begins with a number, seven
 * bits a byte, least first, the high bit saying that more follow; its lowest two bits
 * are the kind, the others n:
 *     0 zeros    n NUL bytes. n = 0: "moved", see below
 *     1 raw      n bytes, which follow
 *     2 content  n bytes of the file that the header before belongs to
 *     3 block    a block of 512 bytes (n = 0): a bit for each of its 64 words of 8 bytes
 *                that differs from the block before (8 bytes, LE), then those words
 * moved: what was at a path until now is in "<hex>/lost/<number>", because a later entry
 * took its place: number, length of the path, path.
 */
#ifndef DRAY_GUEST_LAYERS_SPLIT_H
#define DRAY_GUEST_LAYERS_SPLIT_H

#include <stdbool.h>

#include "base/buf.h"
#include "tar/tar.h"

enum split_kind { SPLIT_ZEROS, SPLIT_RAW, SPLIT_CONTENT, SPLIT_BLOCK };

/* More than that nobody gets back: the layer is kept without a split. */
#define SPLIT_MOVED_MAX 1024
#define SPLIT_BYTES_MAX ((int64_t)1 << 30) /* of the file */

struct split;

/* work: the directory that becomes "<root>/layers/<hex>"; stays the caller's. */
int split_new(int work, struct split **ret, struct dr_error *err);
void split_free(struct split *split); /* NULL is fine */

/* For tar_set_tap. */
struct tar_tap split_tap(struct split *split);

/*
 * Moves what is at name below `at` out of the tree, under "lost", and records that path
 * (clean, from the layer's root) is now there. Returns 1; 0 when there were too many and
 * the caller has to delete it himself; -1.
 */
int split_set_aside(struct split *split, int at, const char *name, const char *path,
                    struct dr_error *err);

/* Writes the rest. What was too much is removed again, and that is no failure. */
int split_end(struct split *split, struct dr_error *err);

#endif
