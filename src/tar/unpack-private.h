/* SPDX-License-Identifier: Apache-2.0 */
/* What unpack.c shares with the files of each system. */
#ifndef DRAY_TAR_UNPACK_PRIVATE_H
#define DRAY_TAR_UNPACK_PRIVATE_H

#include <limits.h>

#include "tar/unpack.h"

struct unpack {
    const struct tar_unpack *how;
    struct tar_unpacked done;
    char path[PATH_MAX]; /* of the entry, below the base; "": the base itself */
};

/* errno, as an error that names the path. */
int unpack_failed(const char *what, const char *path, struct dr_error *err);
int unpack_conflict(const char *path, const char *why, struct dr_error *err);
int unpack_dangling(const struct unpack *u, const struct tar_entry *e,
                    struct dr_error *err);
int unpack_payload(const struct unpack *u, struct tar *tar, const struct tar_entry *e,
                   int fd, struct dr_error *err);
/* As the archive calls it, to how it is called here. */
int unpack_name(const struct tar_unpack *how, const char *name, const char *what,
                char ret[PATH_MAX], struct dr_error *err);

/* unpack-posix.c, unpack-win.c */
/* Zeros, but for what is the system's. */
struct unpack *unpack_new(void);
/* Can a file be called that here? */
int unpack_check_name(const char *path, struct dr_error *err);
/* Finishes what the path is not in, and makes its parents. */
int unpack_enter(struct unpack *u, struct dr_error *err);
int unpack_put(struct unpack *u, struct tar *tar, const struct tar_entry *e,
               struct dr_error *err);
/* What is still to be done, after a failure too; frees. */
int unpack_end(struct unpack *u, struct dr_error *err);

#endif
