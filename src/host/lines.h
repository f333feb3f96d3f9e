/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Output cut into lines. Whole lines of a chunk are given out where they lie; only what
 * goes on in the next chunk is copied, and never more than LINE_MAX_BYTES of it.
 */
#ifndef DRAY_HOST_LINES_H
#define DRAY_HOST_LINES_H

#include "base/buf.h"

#include <stdbool.h>
#include <stdint.h>

#define LINE_MAX_BYTES (64u << 10)

struct line_cutter {
    struct dr_buf held; /* the beginning of a line that has not ended yet */
    bool given;         /* held was given out, and goes with the next call */
    bool continues;     /* for the caller: the last line was partial … */
    int64_t time_ns;    /* … and this was its time */
};

#define LINE_CUTTER_INIT ((struct line_cutter){.held = DR_BUF_INIT(LINE_MAX_BYTES)})
void line_cutter_release(struct line_cutter *cutter);

struct line {
    const char
        *data; /* without its end; until the next call, and while the chunk lives */
    size_t len;
    bool partial; /* a piece of a line of more than LINE_MAX_BYTES; it goes on */
};

/* The next line of a chunk. *used: bytes of the chunk that are done. false: the chunk has
 * no (more) whole line and was taken in. */
bool line_next(struct line_cutter *cutter, const char *chunk, size_t len, size_t *used,
               struct line *ret_line);
/* At the end of the stream: a last line without an end. false: there is none. */
bool line_last(struct line_cutter *cutter, struct line *ret_line);

#endif
