/* SPDX-License-Identifier: Apache-2.0 */
/* Names of entries, made relative; which xattrs may travel. */
#ifndef DRAY_TAR_NAMES_H
#define DRAY_TAR_NAMES_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"

#define TAR_DEPTH_MAX 512 /* components of a path */

/*
 * "./a//b/../c/" becomes "a/c", "/" and "." become "": empty and "." components go, ".."
 * takes back the one before, as every other unpacker does it. A ".." that leads
 * out, an empty name, a path of PATH_MAX or more bytes and one too deep are refused with
 * DR_ERR_FORMAT. This is not containment (symlinks are somebody else's part), only one
 * spelling. what: "name" or "hard link target", for the text. *ret_len is strlen(ret).
 */
int tar_name_clean(const char *name, const char *what, char ret[PATH_MAX],
                   size_t *ret_len, struct dr_error *err);

/*
 * Which xattrs may travel into a root file system: security.capability, and user.* but
 * not user.overlay.*. trusted.* would speak to overlayfs, security.selinux and the like
 * belong to the guest, system.* (ACLs) would be inherited by what is unpacked later.
 */
bool tar_xattr_portable(const char *name);

#endif
