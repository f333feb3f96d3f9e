/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The files of one container's cgroup, wherever this host has them. root is CGROUP_ROOT,
 * or a tree of the tests' making; path is cgroup_path().
 */
#ifndef DRAY_GUEST_CGROUP_FILE_H
#define DRAY_GUEST_CGROUP_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

#define CGROUP_FILE_MAX 16384 /* bytes of a file that are looked at */

/*
 * Opens <root>/<controller>/<path>/<v1>, or <root>/<path>/<v2>, or in the unified
 * hierarchy of a hybrid host <root>/unified/<path>/<v2>: the first that is there. v1 or
 * v2 may be NULL. *ret_v2 (may be NULL) says which. -1 with errno.
 */
int cgroup_file_open(const char *root, const char *path, const char *controller,
                     const char *v1, const char *v2, int flags, bool *ret_v2);
/* Reads it, at most size - 1 bytes, NUL-terminated; length, or -1 with errno. */
long cgroup_file_read(const char *root, const char *path, const char *controller,
                      const char *v1, const char *v2, char *ret_text, size_t size,
                      bool *ret_v2);
/* Writes text in one write. -1 with errno: the kernel's own word on the value. */
int cgroup_file_write(const char *root, const char *path, const char *controller,
                      const char *v1, const char *v2, const char *text);

#endif
