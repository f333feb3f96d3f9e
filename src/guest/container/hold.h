/* SPDX-License-Identifier: Apache-2.0 */
/* The terminal of a detached exec: somebody has to have its other end. */
#ifndef DRAY_GUEST_CONTAINER_HOLD_H
#define DRAY_GUEST_CONTAINER_HOLD_H

#include <sys/types.h>

#include "base/error.h"
#include "guest/runtime/console.h"

/*
 * Starts a process (the role "hold") that reads the terminal, so that the command never
 * waits for a reader, drops what it says, and ends with it. pid: of the command, a child
 * that is not reaped yet. The console stays the caller's, who may close it.
 */
int hold_terminal(const struct console *console, pid_t pid, struct dr_error *err);

/* The role: descriptor 3 is the terminal's master, 4 its other end, 5 the command's
 * pidfd. */
int hold_main(int argc, char **argv);

#endif
