/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Entries of a tar become files below a directory that other things are in already. Both
 * the archive and the tree may be hostile, and the tree may change meanwhile: everything
 * goes by descriptor, the last component of an entry is never followed, and what is on
 * the way is resolved inside the root or not followed at all (HAZARDS H1).
 *
 * Rules, as docker cp's: a file replaces a file, and is there whole or not at all; a
 * directory joins a directory, whose owner, mode and times stay (with `owners` they
 * become the archive's); a directory never replaces something else, nor the other way
 * round (DR_ERR_CONFLICT). Missing parents are made. Entries that were unpacked before a
 * failure stay.
 */
#ifndef DRAY_TAR_UNPACK_H
#define DRAY_TAR_UNPACK_H

#include "tar/tar.h"

struct tar_unpack {
    int root; /* an open directory, O_PATH will do; the caller's */
    /* Below root, where names begin; "" or NULL: root itself. Not cleaned: symlinks in it
     * are resolved inside the root. */
    const char *base;
    bool follow; /* symlinks on the way to an entry are followed, inside the root; else an
                    entry behind one is DR_ERR_CONFLICT */
    bool owners; /* uid, gid and set-id bits as the archive has them */
    bool chown;  /* without owners: everything belongs to uid and gid below, set-id bits
                    stay; else to whoever unpacks, and set-id bits go */
    uid_t uid;
    gid_t gid;
    bool xattrs;  /* the portable ones (names.h) */
    bool devices; /* device nodes are made; else skipped. 0:0, which would be a whiteout
                     to overlayfs, never */
    /* The first component `from` becomes `to`, in names and hard links' targets; every
     * other first component is DR_ERR_FORMAT. "": `to` goes before every name. NULL:
     * names stay. */
    const char *from, *to;
};

struct tar_unpacked {
    int64_t entries, skipped; /* skipped: devices */
};

/* Reads tar to its end. ret (may be NULL) is written after a failure too: entries that
 * are there, whole. */
int tar_unpack(const struct tar_unpack *how, struct tar *tar, struct tar_unpacked *ret,
               struct dr_error *err);

#endif
