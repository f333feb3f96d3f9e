/* SPDX-License-Identifier: Apache-2.0 */
/* See win/posix.h. */
#ifndef DRAY_WIN_POLL_H
#define DRAY_WIN_POLL_H

#undef POLLIN
#undef POLLOUT
#undef POLLNVAL
#define poll win_poll
#define pollfd win_pollfd
#define POLLIN WIN_POLLIN
#define POLLOUT WIN_POLLOUT
#define POLLNVAL WIN_POLLNVAL

#endif
