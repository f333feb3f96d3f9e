/* SPDX-License-Identifier: Apache-2.0 */
/* This program, started anew beside us: a monitor, the holder of a terminal, a probe. */
#ifndef DRAY_GUEST_SELF_H
#define DRAY_GUEST_SELF_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#define SELF_FDS_MAX 3

struct self_start {
    char *const *argv;
    const int *fds; /* borrowed; 3, 4 … there, where nothing else but 0 to 2 is open */
    size_t fd_count;
    bool dies_with_us; /* with this thread; else it has a session of its own */
};

/* 0 to 2 are /dev/null there, no signal is blocked, and the environment is a PATH alone.
 * It is nobody's in runtime/children.h: only who reaps all of its children hears of the
 * end. -1 with errno when the program could not be executed: then nothing is left. */
int self_start(const struct self_start *how, pid_t *ret_pid);

#endif
