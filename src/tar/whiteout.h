/* SPDX-License-Identifier: Apache-2.0 */
/* Names of a layer's entries, told from whiteouts. */
#ifndef DRAY_TAR_WHITEOUT_H
#define DRAY_TAR_WHITEOUT_H

#include "tar/names.h"

enum whiteout {
    WHITEOUT_NONE,
    WHITEOUT_REMOVE, /* ".wh.NAME": NAME of the layers below is hidden */
    WHITEOUT_OPAQUE, /* ".wh..wh..opq": all of the layers below in this directory is */
    WHITEOUT_IGNORE, /* another ".wh..wh.*": aufs' own, never becomes visible */
};
/*
 * path: a clean name. Rule: image-spec layer.md, "Whiteouts". ".wh.", ".wh.." and
 * ".wh..." are refused with DR_ERR_FORMAT (they would remove a directory itself or its
 * parent), and so is a whiteout that is used as a directory.
 */
int tar_name_whiteout(const char *path, enum whiteout *ret, struct dr_error *err);

#define WHITEOUT_PREFIX ".wh."

#endif
