/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Files become entries of a tar. Works on trees that somebody hostile changes meanwhile:
 * everything goes by descriptor, nothing but regular files is ever opened for reading
 * (H1, H3), a file that shrinks is filled up with zeros, one that grows is cut. Sockets
 * are left away.
 *
 * Hard links between the files of one packer are kept as long as a table of 65536 of them
 * has room; what comes after is written as files of their own.
 */
#ifndef DRAY_TAR_PACK_H
#define DRAY_TAR_PACK_H

#include "tar/writer.h"

struct tar_packer;

/* w: stays the caller's. */
struct tar_packer *tar_packer_new(struct tar_writer *w);
void tar_packer_free(struct tar_packer *p); /* NULL is fine */

/* One object of the directory at, as entry `as`; of a directory only itself. name NULL:
 * what the descriptor at is itself (O_PATH will do). One that is gone is left away. */
int tar_pack_object(struct tar_packer *p, int at, const char *name, const char *as,
                    struct dr_error *err);
/* The directory dirfd as entry `as` ("." or "" for entries without a first component of
 * their own), and everything below it. walk_flags: base/walk.h. */
int tar_pack_tree(struct tar_packer *p, int dirfd, const char *as, unsigned walk_flags,
                  struct dr_error *err);

#endif
