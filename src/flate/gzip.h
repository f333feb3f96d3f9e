/* SPDX-License-Identifier: Apache-2.0 */
/* Writing gzip: by ISA-L (HAVE_ISAL), which is fast rather than small whatever level is
 * asked for, or zlib. The same bytes and level give the same gzip. */
#ifndef DRAY_FLATE_GZIP_H
#define DRAY_FLATE_GZIP_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

struct gzip;
typedef int (*gzip_write_fn)(void *arg, const void *data, size_t len,
                             struct dr_error *err);

#define GZIP_FAST 1
#define GZIP_USUAL 6

struct gzip *gzip_new(int level, gzip_write_fn write, void *arg);
void gzip_free(struct gzip *g); /* NULL is fine */
int gzip_add(struct gzip *g, const void *data, size_t len, struct dr_error *err);
/* The end of the member. */
int gzip_end(struct gzip *g, struct dr_error *err);

#endif
