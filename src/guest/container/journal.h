/* SPDX-License-Identifier: Apache-2.0 */
/*
 * <run_root>/<id>/: there is one as long as somebody is at work on the container, and
 * that somebody holds flock on its file `lock`. An entry whose lock is free was left by a
 * crash. The open lock is handed from the helper to the monitor, so that there is no gap.
 */
#ifndef DRAY_GUEST_CONTAINER_JOURNAL_H
#define DRAY_GUEST_CONTAINER_JOURNAL_H

#include "guest/guest.h"

/*
 * Makes the entry when needed and takes its lock. wait_ms: how long to wait for who holds
 * it now; 0 not at all. Returns 0; 1 when it is still held; -1 with err.
 * On a full disk *ret_fd is -1: removing works all the same (I7), and nothing else can
 * begin.
 */
int journal_enter(const struct guest *guest, const char *id, int64_t wait_ms, int *ret_fd,
                  struct dr_error *err);
/* Takes the lock of an entry that is there, without waiting. Returns as above; 1 also
 * when there is no entry. */
int journal_take(const struct guest *guest, const char *id, int *ret_fd,
                 struct dr_error *err);
/* Removes everything in the entry but its lock, which the caller holds. */
int journal_empty(const struct guest *guest, const char *id, struct dr_error *err);
/* Removes the entry with all that is in it, then lets go of the lock (fd may be -1). */
int journal_leave(const struct guest *guest, const char *id, int fd,
                  struct dr_error *err);

#endif
