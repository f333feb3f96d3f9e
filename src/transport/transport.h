/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How to start the helper on a target. A transport gives a pair of pipes to `dray-guest
 * serve` over there, whatever that takes, and says how many processes it started.
 */
#ifndef DRAY_TRANSPORT_TRANSPORT_H
#define DRAY_TRANSPORT_TRANSPORT_H

#include <sys/types.h>

#include "base/error.h"

struct transport {
    int read_fd, write_fd; /* the helper's stdout and stdin; taken by the session */
    pid_t pid;             /* the local process to wait for */
    int spawn_count;       /* processes started in all, the installation included */
};

/* root: where the target keeps its things, e.g. "/var/lib/dray"; the helper is installed
 * below it as bin/<sha256>/dray-guest when it is not there yet. target: NULL or "local:".
 */
int transport_open(const char *target, const char *root, struct transport *ret,
                   struct dr_error *err);
/* Waits for the process after its pipes were closed; kills it after wait_ms. Its exit
 * status as waitpid gives it, or -1. */
int transport_close(struct transport *transport, int wait_ms);

#endif
