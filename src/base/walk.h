/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Walks a tree of files, by descriptor: no symlink is followed, no path is resolved
 * twice, depth costs neither stack nor descriptors, and a tree that changes meanwhile
 * cannot lead the walk out of it. A directory's names come sorted as long as they fit
 * into memory (4 MiB for all levels together), so that the same tree is walked in the
 * same order.
 */
#ifndef DRAY_BASE_WALK_H
#define DRAY_BASE_WALK_H

#include <stdbool.h>
#include <sys/stat.h>

#include "base/error.h"

#define DR_WALK_PATH_MAX ((size_t)64 << 10) /* bytes of a path below the start */

enum dr_walk_flags {
    DR_WALK_ONE_FS = 1,    /* what is mounted below is told, but not gone into */
    DR_WALK_LEAVE = 2,     /* directories are told once more after their content */
    DR_WALK_FORGIVING = 4, /* what cannot be read or is too deep is passed over */
};

/* Borrowed until the next call. */
struct dr_walk_entry {
    const char *path; /* below the start, "a/b" */
    size_t path_len;
    const char *name; /* its last component */
    int at;           /* descriptor of the directory that it is in */
    struct stat st;   /* lstat(2) */
    bool leaving;     /* DR_WALK_LEAVE: its content is done; st is as it was before */
};

struct dr_walk;

/* dirfd: a directory, which is not told itself; stays the caller's. */
int dr_walk_new(int dirfd, unsigned flags, struct dr_walk **ret, struct dr_error *err);
void dr_walk_free(struct dr_walk *walk); /* NULL is fine */

/* Returns 1, 0 at the end, -1. Entries that vanish meanwhile are passed over. A path of
 * more than DR_WALK_PATH_MAX bytes is DR_ERR_UNSUPPORTED. */
int dr_walk_next(struct dr_walk *walk, struct dr_walk_entry *ret, struct dr_error *err);
/* Does not go into the directory that was told last. */
void dr_walk_skip(struct dr_walk *walk);

#endif
