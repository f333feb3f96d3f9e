/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Finds a name among those of an array that only grows, without looking at each: files
 * may have a hundred thousand of them.
 */
#ifndef DRAY_DEPLOY_INDEX_H
#define DRAY_DEPLOY_INDEX_H

#include <stddef.h>
#include <stdint.h>

struct deploy_index {
    uint32_t *slots; /* 0: free; else a position and 1 */
    size_t room;     /* a power of two, or 0 */
    size_t known;    /* positions below this are in it */
};

/* The name at a position of whatever arg is; ends with '\0'. */
typedef const char *deploy_index_name(const void *arg, size_t at);

/* The first of count positions that has the name; count when none has. The index learns
 * the positions that it does not know yet. */
size_t deploy_index_find(struct deploy_index *index, const char *name, size_t count,
                         deploy_index_name *name_of, const void *arg);
/* To be called when a name changed or went away, and at the end. */
void deploy_index_release(struct deploy_index *index);

#endif
