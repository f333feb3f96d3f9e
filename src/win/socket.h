/* SPDX-License-Identifier: Apache-2.0 */
/* Sockets of Windows as descriptors; for the -win.c files that make them. */
#ifndef DRAY_WIN_SOCKET_H
#define DRAY_WIN_SOCKET_H

#include "win/fd.h"

/* Takes it over; -1 with errno. */
int win_socket_add(SOCKET socket);
/* INVALID_SOCKET: it is none. */
SOCKET win_socket_of(int fd);
/* The last failure of winsock as errno. */
int win_socket_errno(void);

#endif
