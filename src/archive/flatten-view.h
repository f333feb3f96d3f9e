/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is known of a tree of files while layers are put on top of each other: each path
 * that ever was, and which entry made it last. Entries are numbered in the order in which
 * they come, from 1 on; a directory that is emptied remembers up to which number, so that
 * nothing below it has to be visited.
 */
#ifndef DRAY_ARCHIVE_FLATTEN_VIEW_H
#define DRAY_ARCHIVE_FLATTEN_VIEW_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "tar/tar.h"

#define VIEW_ROOT 0u

struct view;

struct view *view_new(void);
void view_free(struct view *view); /* NULL is fine */

/*
 * The node of path, whose parents are followed where they are symbolic links, and made
 * (as directories that no entry brought, by entry `number`) where they are missing or no
 * directories. The last component is not followed.
 */
int view_make(struct view *view, const char *path, uint32_t number, uint32_t *ret_node,
              struct dr_error *err);
/* The same for what should be there: 1; 0 when it is not. */
int view_find(struct view *view, const char *path, uint32_t *ret_node,
              struct dr_error *err);

/* Entry `number` makes it what it is now. link: of a symbolic link. */
int view_put(struct view *view, uint32_t node, uint32_t number, enum tar_type type,
             const char *link, struct dr_error *err);
/* What entries up to `number` made of it is gone, and all below it. */
void view_remove(struct view *view, uint32_t node, uint32_t number);
/* The same for what is below it only. */
void view_empty(struct view *view, uint32_t node, uint32_t number);

bool view_is_there(const struct view *view, uint32_t node);
/* Which entry it is of; 0: of none. */
uint32_t view_number(const struct view *view, uint32_t node);
enum tar_type view_type(const struct view *view, uint32_t node);
/* Of a symbolic link; borrowed until the next view_make or view_put. */
const char *view_target(const struct view *view, uint32_t node);
/* "a/b", "." for the root. DR_ERR_UNSUPPORTED when it is longer than PATH_MAX. */
int view_path(const struct view *view, uint32_t node, char ret[PATH_MAX],
              struct dr_error *err);

#endif
