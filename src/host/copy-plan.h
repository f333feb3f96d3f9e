/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What `docker cp SRC DEST` means, by what SRC and DEST are: into which directory, under
 * which name. Rule: docker container cp, "Extended description"; the same both ways.
 * Paths have '/' on both sides.
 */
#ifndef DRAY_HOST_COPY_PLAN_H
#define DRAY_HOST_COPY_PLAN_H

#include <stdbool.h>

#include "base/error.h"

enum copy_dest { COPY_DEST_MISSING, COPY_DEST_FILE, COPY_DEST_DIR };

struct copy_plan {
    char *dir;  /* directory that is written into; owned */
    char *name; /* what the source is called in it; owned. NULL: the source is a
                   directory whose content goes into dir */
};
#define COPY_PLAN_INIT ((struct copy_plan){0})
#define copy_auto_plan DR_CLEANUP(copy_plan_release)
void copy_plan_release(struct copy_plan *plan);

/* source_name: what it is called by itself; NULL: "SRC/.", the content alone.
 * DR_ERR_CONFLICT and DR_ERR_NOT_FOUND name dest. */
int copy_plan_make(const char *source_name, bool source_is_dir, const char *dest,
                   enum copy_dest dest_is, struct copy_plan *ret, struct dr_error *err);

/* The last component of path, owned: "dir" of "/a/dir/". NULL for what stands for a
 * content: "", ".", "/", and everything that ends in "/.". */
char *copy_name(const char *path);
bool copy_ends_with_slash(const char *path); /* "/", or "/." */

#endif
