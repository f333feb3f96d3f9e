/* SPDX-License-Identifier: Apache-2.0 */
/* Owner, xattrs, mode and times of what was just made, in this order (HAZARDS H1). */
#ifndef DRAY_GUEST_LAYERS_ATTRS_H
#define DRAY_GUEST_LAYERS_ATTRS_H

#include "tar/tar.h"

/* path: for error texts. mode_is_set: the permission bits were right at creation. */
int attrs_set_file(int fd, const struct tar_entry *e, bool mode_is_set, const char *path,
                   struct dr_error *err);
/* Owner and xattrs only; mode and times come late (late.h). was_there: it has xattrs of
 * an earlier entry, and maybe the mark of an implied directory; those go. */
int attrs_set_dir(int at, const char *name, const struct tar_entry *e, bool was_there,
                  const char *path, struct dr_error *err);
int attrs_set_link(int at, const char *name, const struct tar_entry *e, const char *path,
                   struct dr_error *err);
int attrs_set_fifo(int at, const char *name, const struct tar_entry *e, const char *path,
                   struct dr_error *err);

/* A whiteout met a directory of its own layer: it is new, not the one of a lower layer.
 */
int attrs_opaque_instead_of_implied(int at, const char *name, struct dr_error *err);

#endif
