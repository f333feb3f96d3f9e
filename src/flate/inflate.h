/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Inflating a layer: gzip (ISA-L, or zlib where that is missing), zstd, or plain. A pull
 * reader in bounded memory; no external program, ever (CVE-2026-41567).
 *
 * gzip: concatenated members are all read (RFC 1952, 2.2); NUL bytes behind the last one
 * are padding; anything else there, and a stream that ends early, is refused. zstd:
 * several frames and skippable frames (RFC 8878, 3.1.2); a window above 128 MiB is
 * refused.
 */
#ifndef DRAY_FLATE_INFLATE_H
#define DRAY_FLATE_INFLATE_H

#include <stdint.h>
#include <sys/types.h>

#include "base/error.h"

#define INFLATE_WINDOW_LOG_MAX 27 /* 128 MiB, HAZARDS H1 */

enum inflate_format { INFLATE_PLAIN, INFLATE_GZIP, INFLATE_ZSTD };

struct inflate;

/* Gives up to len compressed bytes; 0 at the end, -1 with err filled. May block. */
typedef ssize_t (*inflate_read_fn)(void *arg, void *buf, size_t len,
                                   struct dr_error *err);

/*
 * media_type: of a layer's descriptor; NULL or "" when unknown: then any bytes that are
 * not compressed are plain ones. Reads the first bytes to see what it is.
 * DR_ERR_UNSUPPORTED for a type that is no layer; DR_ERR_FORMAT when the bytes are
 * neither what the type says nor another known format.
 */
int inflate_open(const char *media_type, inflate_read_fn read, void *arg,
                 struct inflate **ret, struct dr_error *err);
void inflate_close(struct inflate *z); /* NULL is fine */

/* Fills buf as far as the stream goes: less than len only at its end, 0 behind it.
 * -1: what read failed with, or DR_ERR_FORMAT, or DR_ERR_UNSUPPORTED (window). */
ssize_t inflate_read(struct inflate *z, void *buf, size_t len, struct dr_error *err);

int64_t inflate_taken(const struct inflate *z); /* compressed bytes read so far */
enum inflate_format inflate_format(const struct inflate *z);

#endif
