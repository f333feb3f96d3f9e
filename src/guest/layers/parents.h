/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Directories of a layer that is being unpacked: finding the parent of an entry, and
 * making it when the layer did not bring it.
 *
 * Nothing leaves the root: paths go through
 * openat2(RESOLVE_IN_ROOT|RESOLVE_NO_MAGICLINKS) (Linux 5.6), or, where something has to
 * be made, through a walk that opens each component with O_NOFOLLOW and expands symlinks
 * itself. The last component of an entry is never followed by anybody (CVE-2026-17106,
 * HAZARDS H1).
 */
#ifndef DRAY_GUEST_LAYERS_PARENTS_H
#define DRAY_GUEST_LAYERS_PARENTS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"

/* On a directory that was made up and not brought: it is taken off again at the end (or
 * when the layer brings it after all). */
#define IMPLIED_XATTR "trusted.dray.implied"
#define OPAQUE_XATTR "trusted.overlay.opaque"

struct parents;

/* Told of each directory that had to be made up; path is free of symlinks. */
typedef int (*implied_fn)(void *arg, const char *path, struct dr_error *err);

/* root: stays the caller's. */
struct parents *parents_new(int root, implied_fn implied, void *arg);
void parents_free(struct parents *parents);

/*
 * An O_PATH descriptor of a directory, borrowed: good until two more calls were made.
 * path: clean (names.h), len bytes of it, "" is the root. Symlinks that this layer
 * brought are followed inside the root. parents_open makes what is missing; a component
 * that is no directory is DR_ERR_FORMAT. parents_find makes nothing: -2, err untouched,
 * when it is not there.
 */
int parents_open(struct parents *parents, const char *path, size_t len,
                 struct dr_error *err);
int parents_find(struct parents *parents, const char *path, size_t len,
                 struct dr_error *err);

/* A directory or symlink was removed or replaced: forget what was open. */
void parents_flush(struct parents *parents);

/* Opens a directory without following its last component. -1 with errno. */
int parents_open_in_root(int root, const char *path, int flags);

/* Marks a directory opaque for overlayfs, by name, not followed. */
int parents_set_opaque(int at, const char *name, struct dr_error *err);

#endif
