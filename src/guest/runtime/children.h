/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The helper's children. It is a subreaper, so that the processes of `exec --detach`
 * become its own; with them come strays that nobody asked for, what a failing runtime
 * leaves say. A dead stray in a container's pid namespace keeps the container from ending
 * until it is reaped. So: who waits for a child claims it, and every dead child that
 * nobody claimed is reaped by the sweep. Thread-safe.
 */
#ifndef DRAY_GUEST_CHILDREN_H
#define DRAY_GUEST_CHILDREN_H

#include <sys/types.h>

/* Around a fork and the claim of its pid: no sweep comes in between. */
void children_lock(void);
void children_unlock(void);
void children_claim(pid_t pid); /* lock held */

/* waitpid for a claimed child, then a sweep. -1 with errno. */
int children_wait(pid_t pid, int *ret_status);

/* Between these a runtime starts a process whose pid is not known yet: nothing is swept.
 * pid: what came of it, claimed; 0: nothing. */
void children_expect(void);
void children_arrived(pid_t pid);

void children_sweep(void);

#endif
