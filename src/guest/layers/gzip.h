/* SPDX-License-Identifier: Apache-2.0 */
/* Writing gzip, fast rather than small: by ISA-L (HAVE_ISAL) or zlib. */
#ifndef DRAY_GUEST_LAYERS_GZIP_H
#define DRAY_GUEST_LAYERS_GZIP_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

struct gzip;
typedef int (*gzip_write_fn)(void *arg, const void *data, size_t len,
                             struct dr_error *err);

struct gzip *gzip_new(gzip_write_fn write, void *arg);
void gzip_free(struct gzip *g); /* NULL is fine */
int gzip_add(struct gzip *g, const void *data, size_t len, struct dr_error *err);
/* The end of the member. */
int gzip_end(struct gzip *g, struct dr_error *err);

#endif
