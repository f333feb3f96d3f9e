/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What has to wait until every entry is unpacked: modes and times of directories
 * (whatever is made in a directory changes its times), and which directories stayed
 * implied.
 *
 * The list lives in an unlinked file, so that an archive of a million directories costs
 * no memory. Paths are resolved anew when their turn comes, inside the root and without
 * following the last component, because later entries may have put something else there
 * (CVE-2026-33056).
 */
#ifndef DRAY_GUEST_LAYERS_LATE_H
#define DRAY_GUEST_LAYERS_LATE_H

#include <stdbool.h>
#include <time.h>

#include <sys/types.h>

#include "base/error.h"

struct late;

/* work: an open directory on the file system of the layer; nothing stays in it. */
int late_new(int work, struct late **ret, struct dr_error *err);
void late_free(struct late *late); /* NULL is fine */

/* with_mode false: the directory has its mode already. */
int late_add_dir(struct late *late, const char *path, bool with_mode, mode_t mode,
                 const struct timespec times[2], struct dr_error *err);
int late_add_implied(struct late *late, const char *path, struct dr_error *err);

typedef int (*late_implied_fn)(void *arg, const char *path, struct dr_error *err);
/* Sets it all below root. still_implied is called for each directory that the layer used
 * and did not bring. */
int late_apply(struct late *late, int root, late_implied_fn still_implied, void *arg,
               struct dr_error *err);

#endif
