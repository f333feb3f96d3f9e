/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A container's terminal. The runtime makes it, in the container's own /dev/pts, and
 * sends its master end over a unix socket (--console-socket; runc's docs/terminals.md,
 * "Detached").
 */
#ifndef DRAY_GUEST_CONSOLE_H
#define DRAY_GUEST_CONSOLE_H

#include "base/json.h"

struct console {
    int socket; /* where the runtime sends it: listening, then connected; −1: not any more
                 */
    bool connected;
    int dir_fd;  /* the socket's directory; −1: its path fits an address as it is */
    char *path;  /* owned; of the socket, valid while this process lives */
    int master;  /* non-blocking; −1: it has not come */
    int held;    /* the other end, see console_hold(); −1 */
    int64_t uid; /* of the container's process */
    int64_t rows, columns; /* 0: not known */
};
#define CONSOLE_INIT                                                                     \
    {                                                                                    \
        -1, false, -1, NULL, -1, -1, 0, 0, 0                                             \
    }

/* Listens at <dir>/<name>, which may be longer than a socket's address. What is there by
 * that name is replaced. ret: CONSOLE_INIT, uid and size filled in. */
int console_listen(struct console *console, const char *dir, const char *name,
                   struct dr_error *err);
/*
 * Takes the master if it is there; does not wait. To be called when `socket` is readable,
 * while the runtime is at work: the terminal then has its size and its owner before the
 * container's first instruction with youki (0.7), too, which does not care for either.
 * (An exec by crun does not wait: its command may see the size come, as SIGWINCH.)
 */
void console_advance(struct console *console);
/* The runtime is done: DR_ERR_START when it has sent no terminal. The socket goes. */
int console_take(struct console *console, struct dr_error *err);
/* Closes all of it, the file goes, too. */
void console_close(struct console *console);

/* The size, as the processes in it see it; they get SIGWINCH when it changes. 0 for
 * either: left as it is. */
void console_resize(int master, int64_t rows, int64_t columns);
/*
 * The other end, held: reading a master fails while no process has its terminal open, and
 * a container may close it and open it again. -1 when that is not possible.
 */
int console_hold(int master);

#endif
