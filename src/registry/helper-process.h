/* SPDX-License-Identifier: Apache-2.0 */
/* The process of a credential helper: helper-posix.c, helper-win.c. */
#ifndef DRAY_REGISTRY_HELPER_PROCESS_H
#define DRAY_REGISTRY_HELPER_PROCESS_H

#include <stdbool.h>
#include <sys/types.h>

struct helper {
    char *program;
    pid_t pid;
    int in, out;        /* our ends of its stdin and stdout, non-blocking; -1: closed */
    int end_fd;         /* readable once it has ended; -1: this system has none */
    int status, signal; /* of its end; signal 0: it exited */
    bool ended;
};

/* Its stderr goes nowhere. 0, or an errno value. */
int helper_start(struct helper *h, const char *verb);
/* Looks whether it has. */
void helper_ended(struct helper *h);
void helper_kill(struct helper *h);

#endif
