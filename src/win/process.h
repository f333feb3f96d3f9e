/* SPDX-License-Identifier: Apache-2.0 */
/* Starting programs; for the -win.c files that do. */
#ifndef DRAY_WIN_PROCESS_H
#define DRAY_WIN_PROCESS_H

#include "win/fd.h"

struct win_spawn {
    const char *const *argv; /* argv[0]: looked for on PATH unless it has a slash */
    const char *env;         /* "K=V", besides ours; NULL: none */
    /* its standard handles, inheritable; nothing else is inherited. NULL: NUL */
    HANDLE in, out, err;
    bool apart; /* it gets no console: Ctrl-C and the window's end are not for it */
};

/* It ends when we do, whatever ends us (a job object), with the processes that it starts.
 * *ret: its handle. -1 with errno; ENOENT: there is no such program. */
int win_spawn(const struct win_spawn *spawn, HANDLE *ret);
/* A descriptor that is readable once the process has ended. */
int win_process_fd(HANDLE process);

/* One command line of words, as CommandLineToArgvW takes it apart; owned. */
wchar_t *win_command_line(const char *const *argv);

#endif
