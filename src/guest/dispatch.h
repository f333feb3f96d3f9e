/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The helper's session: says HELLO, waits for the host's, reconciles what a crash left,
 * then runs every request on a thread of its own until the host is gone.
 */
#ifndef DRAY_GUEST_DISPATCH_H
#define DRAY_GUEST_DISPATCH_H

#include <stdbool.h>

/* The session runs over read_fd and write_fd. fresh: this version has just come here, and
 * may take older ones away. Returns the process's exit status. */
int guest_serve(int read_fd, int write_fd, bool fresh);

#endif
