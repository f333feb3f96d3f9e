/* SPDX-License-Identifier: Apache-2.0 */
#include "host/lines.h"

#include <string.h>

void line_cutter_release(struct line_cutter *cutter)
{
    dr_buf_release(&cutter->held);
}

/* What was given out before is the caller's no longer. */
static void drop_given(struct line_cutter *cutter)
{
    if (cutter->given)
        dr_buf_reset(&cutter->held);
    cutter->given = false;
}

/* n bytes fit: held has the same maximum as a line */
static void hold(struct line_cutter *cutter, const char *data, size_t n)
{
    struct dr_error unused = DR_ERROR_INIT;
    dr_buf_add(&cutter->held, data, n, &unused);
}

static bool give_held(struct line_cutter *cutter, bool partial, struct line *ret_line)
{
    cutter->given = true;
    *ret_line = (struct line){cutter->held.data ? cutter->held.data : "",
                              cutter->held.len, partial};
    return true;
}

bool line_next(struct line_cutter *cutter, const char *chunk, size_t len, size_t *used,
               struct line *ret_line)
{
    drop_given(cutter);
    if (*used == len)
        return false;
    const char *start = chunk + *used;
    size_t left = len - *used, room = LINE_MAX_BYTES - cutter->held.len;
    size_t look = left < room + 1 ? left : room + 1; /* the end may be just behind */
    const char *newline = memchr(start, '\n', look);
    size_t n = newline ? (size_t)(newline - start) : look > room ? room : left;
    *used += n + (newline != NULL);
    bool partial = !newline && look > room;
    if (!newline && !partial) {
        hold(cutter, start, n);
        return false;
    }
    if (cutter->held.len == 0) {
        *ret_line = (struct line){start, n, partial};
        return true;
    }
    hold(cutter, start, n);
    return give_held(cutter, partial, ret_line);
}

bool line_last(struct line_cutter *cutter, struct line *ret_line)
{
    drop_given(cutter);
    return cutter->held.len > 0 && give_held(cutter, false, ret_line);
}
