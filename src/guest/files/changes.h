/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a container changed against its image, told from its upper directory. Rule: kernel
 * Documentation/filesystems/overlayfs.rst; what is shown and what is not as docker diff:
 * a file whose type, owner, mode, size and time are the image's is not changed, a
 * directory is when it or something in it is, and what a start makes by itself (/proc,
 * /dev, /etc/hosts …) is not the container's doing.
 */
#ifndef DRAY_GUEST_FILES_CHANGES_H
#define DRAY_GUEST_FILES_CHANGES_H

#include <stdbool.h>

#include "base/error.h"

enum change_kind { CHANGE_ADDED = 'A', CHANGE_MODIFIED = 'C', CHANGE_DELETED = 'D' };

struct change {
    enum change_kind kind;
    const char *path; /* "etc/passwd"; borrowed */
    /* for_layer: a directory whose content in the layers below is hidden; everything that
     * it has is told as added */
    bool opaque;
};

typedef int (*change_fn)(void *arg, const struct change *change, struct dr_error *err);

/*
 * upper: the container's; lower: the image's root as one tree. Parents come before their
 * content. for_layer: told is what a layer needs, which is more: every file of upper, and
 * opaque directories as such instead of a deletion for each name below.
 */
int changes_each(int upper, int lower, bool for_layer, change_fn each, void *arg,
                 struct dr_error *err);

#endif
