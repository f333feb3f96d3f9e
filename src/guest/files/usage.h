/* SPDX-License-Identifier: Apache-2.0 */
/* How much room things take: system.df. */
#ifndef DRAY_GUEST_FILES_USAGE_H
#define DRAY_GUEST_FILES_USAGE_H

#include <stdint.h>

#include "guest/guest.h"

/* Bytes on the disk of a file, or of the files below a directory, on its file system.
 * Directories count nothing, as Docker's; a file with several names counts in equal parts
 * for each; what cannot be read counts nothing, a path that is not there is 0. */
int64_t usage_of_path(const char *path);

/* The reply of system.df: {"images":[…],"containers":[…],"volumes":[…],"layers_size":N}.
 */
int usage_report(struct guest *guest, json_t **ret, struct dr_error *err);

#endif
