/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A growing byte buffer that is born with a maximum, for everything whose size a peer
 * decides.
 */
#ifndef DRAY_BASE_BUF_H
#define DRAY_BASE_BUF_H

#include "base/error.h"

struct dr_buf {
    char *data; /* owned; always NUL-terminated behind len once anything was added */
    size_t len, cap;
    size_t max; /* bytes, without the NUL */
};

#define DR_BUF_INIT(max_bytes) ((struct dr_buf){.max = (max_bytes)})
#define dr_auto_buf DR_CLEANUP(dr_buf_release)

void dr_buf_release(struct dr_buf *buf);
/* Keeps the memory, forgets the bytes. */
void dr_buf_reset(struct dr_buf *buf);
/* Fails with DR_ERR_FORMAT when max would be passed ("more than N bytes"); nothing is
 * added then. */
int dr_buf_add(struct dr_buf *buf, const void *data, size_t len, struct dr_error *err);
int dr_buf_addf(struct dr_buf *buf, struct dr_error *err, const char *fmt, ...)
    DR_PRINTF(3, 4);
/* Makes room for `more` bytes behind len, for reading into data + len. */
int dr_buf_reserve(struct dr_buf *buf, size_t more, struct dr_error *err);
/* Drops the first n bytes. */
void dr_buf_consume(struct dr_buf *buf, size_t n);
/* Takes the bytes out as a NUL-terminated string (never NULL); buf is empty after. */
char *dr_buf_take(struct dr_buf *buf);

#endif
