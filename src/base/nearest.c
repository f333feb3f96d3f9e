/* SPDX-License-Identifier: Apache-2.0 */
#include "base/nearest.h"

#include <stdbool.h>
#include <string.h>

#define WORD_MAX 40 /* longer words are no typos of ours */

static size_t least(size_t a, size_t b, size_t c)
{
    size_t ab = a < b ? a : b;
    return ab < c ? ab : c;
}

/* Insertions, deletions, replacements and swaps of neighbours that turn a into b. */
static size_t distance(const char *a, const char *b)
{
    size_t la = strlen(a), lb = strlen(b);
    size_t rows[3][WORD_MAX + 1];
    size_t *before = rows[0], *last = rows[1], *now = rows[2];
    for (size_t j = 0; j <= lb; j++)
        last[j] = j;
    for (size_t i = 1; i <= la; i++) {
        now[0] = i;
        for (size_t j = 1; j <= lb; j++) {
            size_t change = a[i - 1] != b[j - 1];
            now[j] = least(last[j] + 1, now[j - 1] + 1, last[j - 1] + change);
            bool swapped = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
            if (swapped && before[j - 2] + 1 < now[j])
                now[j] = before[j - 2] + 1;
        }
        size_t *free_row = before;
        before = last;
        last = now;
        now = free_row;
    }
    return last[lb];
}

const char *dr_nearest(const char *text, const char *(*next)(void *state), void *state)
{
    size_t len = strlen(text);
    if (len < 2 || len > WORD_MAX)
        return NULL;
    /* one slip for short words, up to three for long ones */
    size_t best = len / 4 + 1 > 3 ? 3 : len / 4 + 1;
    const char *found = NULL, *candidate;
    while ((candidate = next(state))) {
        if (strlen(candidate) > WORD_MAX)
            continue;
        size_t d = distance(text, candidate);
        if (d < best || (d == best && !found)) {
            best = d;
            found = candidate;
        }
    }
    return found;
}
