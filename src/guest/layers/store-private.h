/* SPDX-License-Identifier: Apache-2.0 */
/* What the files behind layers.h share: the open store, entries of tmp/, the common sync.
 */
#ifndef DRAY_GUEST_LAYERS_STORE_PRIVATE_H
#define DRAY_GUEST_LAYERS_STORE_PRIVATE_H

#include <pthread.h>

#include "guest/layers/layers.h"

#define LAYER_META_VERSION 1

struct layer_store {
    char *root; /* "/var/lib/dray" */
    int layers; /* "<root>/layers" */
    int tmp;    /* "<root>/layers/tmp" */
    struct layer_limits limits;
    pthread_mutex_t sync_lock;
    pthread_cond_t sync_changed;
    uint64_t sync_started, sync_done, sync_failed; /* counts of syncfs */
    int sync_errno;
    bool sync_running;
};

/* A directory of tmp/, locked: layer_store_reconcile of any process leaves it alone. */
struct layer_work {
    char name[33]; /* below tmp/ */
    int fd;        /* O_RDONLY; holds the lock */
};
#define LAYER_WORK_NAME 32

int layer_work_begin(struct layer_store *store, struct layer_work *ret,
                     struct dr_error *err);
/* Deletes it, if it was not renamed away, and lets go of the lock. */
void layer_work_end(struct layer_store *store, struct layer_work *work);

/*
 * Makes the work visible as "<root>/layers/<name>": syncfs, rename, fsync of the
 * directory (HAZARDS I1). Returns 0, also when somebody else was faster. syncs: what
 * layer_sync_mark gave before the first byte was written.
 */
int layer_work_commit(struct layer_store *store, struct layer_work *work,
                      const char *name, uint64_t sync_mark, struct dr_error *err);
uint64_t layer_sync_mark(struct layer_store *store);

/* Waits until nobody else makes this layer; *ret_fd is the lock (-1: none could be had,
 * or needed). -1: read was asked for nothing, and said that the caller gave up. */
int layer_turn_take(struct layer_store *store, const struct oci_digest *diff_id,
                    layer_read_fn read, void *arg, int *ret_fd, struct dr_error *err);

/* "<hex>" exists and is complete. */
bool layer_committed(struct layer_store *store, const char *name);
/* Moves "<root>/layers/<name>" away, then deletes it. Missing is success. */
int layer_discard(struct layer_store *store, const char *name, struct dr_error *err);

#endif
