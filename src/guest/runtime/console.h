/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A container's terminal. The runtime makes it, in the container's own /dev/pts, and
 * sends its master end over a unix socket (--console-socket; runc's
 * docs/terminals.md, "Detached").
 */
#ifndef DRAY_GUEST_CONSOLE_H
#define DRAY_GUEST_CONSOLE_H

#include "base/error.h"

struct console_socket {
    int fd;      /* listens */
    int dir_fd;  /* its directory; -1: the path fits a socket's address as it is */
    char *name;  /* owned; the file */
    char *reach; /* owned; the path for the runtime, valid while this process lives */
};
#define CONSOLE_SOCKET_INIT                                                              \
    {                                                                                    \
        -1, -1, NULL, NULL                                                               \
    }

/* Listens at <dir>/<name>, which may be longer than a socket's address. What is there by
 * that name is replaced. */
int console_listen(const char *dir, const char *name, struct console_socket *ret,
                   struct dr_error *err);
/* The master that a runtime which is done has sent, non-blocking. DR_ERR_START when there
 * is none. Does not wait. */
int console_take(const struct console_socket *socket, int *ret_master,
                 struct dr_error *err);
/* The file goes, too. */
void console_close(struct console_socket *socket);

/* The size, as the processes in it see it; they get SIGWINCH when it changes. 0 for
 * either: left as it is. */
void console_resize(int master, int64_t rows, int64_t columns);
/*
 * The other end, held: reading a master fails while no process has its terminal open, and
 * a container may close it and open it again. -1 when that is not possible.
 */
int console_hold(int master);

#endif
