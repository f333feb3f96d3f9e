/* SPDX-License-Identifier: Apache-2.0 */
/* Passing on between a channel and the pipes of a process that is our own child. */
#ifndef DRAY_GUEST_CONTAINER_PUMP_H
#define DRAY_GUEST_CONTAINER_PUMP_H

#include "wire/mux.h"

/*
 * fds: by stream number, stdin's write end and the read ends of stdout and stderr, −1 for
 * none; non-blocking. Closed and set to −1 as they end. console: its terminal, of which
 * these are duplicates then, for its size; −1: it has none. Returns 0 when pidfd is dead
 * and what it wrote was sent; −1 when the host gave up or is gone.
 */
int pump_run(struct wire_chan *chan, int pidfd, int fds[3], int console,
             struct dr_error *err);

#endif
