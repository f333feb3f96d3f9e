/* SPDX-License-Identifier: Apache-2.0 */
/* One gzip member at a time, by ISA-L (HAVE_ISAL) or zlib. Header, CRC-32 and length are
 * checked (RFC 1952). */
#ifndef DRAY_FLATE_GUNZIP_H
#define DRAY_FLATE_GUNZIP_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

struct gunzip;

struct gunzip *gunzip_new(void);
void gunzip_free(struct gunzip *g);  /* NULL is fine */
void gunzip_reset(struct gunzip *g); /* for the next member */

enum { GUNZIP_MORE = 0, GUNZIP_END = 1 };
/*
 * Goes on as far as input and room reach. Returns GUNZIP_MORE, GUNZIP_END when the member
 * is through (ret_used stands behind its trailer), or -1 with DR_ERR_FORMAT.
 */
int gunzip_step(struct gunzip *g, const uint8_t *in, size_t in_len, size_t *ret_used,
                uint8_t *out, size_t out_len, size_t *ret_made, struct dr_error *err);

#endif
