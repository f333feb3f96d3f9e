/* SPDX-License-Identifier: Apache-2.0 */
/* See win/posix.h. */
#ifndef DRAY_WIN_SOCKET_NAMES_H
#define DRAY_WIN_SOCKET_NAMES_H

#define send win_send
#define shutdown win_shutdown
#define MSG_NOSIGNAL 0
#define MSG_DONTWAIT 0x40
#define SHUT_RD 0
#define SHUT_WR 1
#define SHUT_RDWR 2

#endif
