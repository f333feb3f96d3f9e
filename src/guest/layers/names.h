/* SPDX-License-Identifier: Apache-2.0 */
/* Names of entries: made relative to the layer's root, and told from whiteouts. */
#ifndef DRAY_GUEST_LAYERS_NAMES_H
#define DRAY_GUEST_LAYERS_NAMES_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"

#define LAYER_DEPTH_MAX 512 /* components of a path */

/*
 * "./a//b/../c/" becomes "a/c", "/" and "." become "": empty and "." components go, ".."
 * takes back the one before, as every other unpacker of layers does it. A ".." that leads
 * out, an empty name, a path of PATH_MAX or more bytes and one too deep are refused with
 * DR_ERR_FORMAT. This is not containment (symlinks, see parents.h), only one spelling.
 * what: "name" or "hard link target", for the text. *ret_len is strlen(ret).
 */
int layer_name_clean(const char *name, const char *what, char ret[PATH_MAX],
                     size_t *ret_len, struct dr_error *err);

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
int layer_name_whiteout(const char *path, enum whiteout *ret, struct dr_error *err);

#define WHITEOUT_PREFIX ".wh."

#endif
