/* SPDX-License-Identifier: Apache-2.0 */
/* A thread that waits for the disk (fsync) while the others go on downloading. */
#ifndef DRAY_REGISTRY_COMMITTER_H
#define DRAY_REGISTRY_COMMITTER_H

#include "store/store.h"

struct committer;

/* room: how many fetches at most will be given to it. */
struct committer *committer_new(size_t room);
/* The fetch was verified; it is committed some time. */
void committer_add(struct committer *committer, struct store_fetch *fetch);
/* Has one failed? Then its error is in err and -1 is returned. */
int committer_check(struct committer *committer, struct dr_error *err);
/* Waits for all, ends the thread, frees. -1: as above. */
int committer_end(struct committer *committer, struct dr_error *err);

#endif
