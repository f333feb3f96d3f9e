/* SPDX-License-Identifier: Apache-2.0 */
#include "win/fd.h"

#define POLL_MAX 60 /* WaitForMultipleObjects takes 64 */

/* The event to wait for; NULL: it is ready at once. */
static HANDLE event_of(struct win_fd *fd, short events)
{
    bool in = (events & WIN_POLLIN) != 0;
    switch (fd->kind) {
    case WIN_INPUT:
        if (in)
            win_input_want(fd);
        return in ? fd->ready : NULL;
    case WIN_READER:
    case WIN_EVENT:
    case WIN_QUEUE_IN:
        return in ? fd->ready : NULL;
    case WIN_WRITER:
        return events & WIN_POLLOUT ? fd->ready : NULL;
    case WIN_SOCKET:
        return fd->ready;
    default:
        return NULL;
    }
}

static short look(struct win_fd *fd, short events)
{
    if (fd->kind == WIN_SOCKET)
        return win_socket_poll(fd, events);
    HANDLE event = event_of(fd, events);
    if (event && WaitForSingleObject(event, 0) != WAIT_OBJECT_0)
        return 0;
    return events & (WIN_POLLIN | WIN_POLLOUT);
}

int win_poll(struct win_pollfd *fds, nfds_t count, int timeout_ms)
{
    struct win_fd *got[POLL_MAX];
    HANDLE events[POLL_MAX];
    ULONGLONG until = GetTickCount64() + (timeout_ms > 0 ? (unsigned)timeout_ms : 0);
    DWORD waiting = 0;
    int ready = 0;
    if (count > POLL_MAX) {
        errno = EINVAL;
        return -1;
    }
    for (nfds_t i = 0; i < count; i++) {
        fds[i].revents = 0;
        got[i] = fds[i].fd >= 0 ? win_fd_get(fds[i].fd) : NULL;
        if (fds[i].fd >= 0 && !got[i])
            fds[i].revents = WIN_POLLNVAL;
        HANDLE event = got[i] ? event_of(got[i], fds[i].events) : NULL;
        if (event)
            events[waiting++] = event;
    }
    for (;;) {
        ready = 0;
        for (nfds_t i = 0; i < count; i++) {
            if (got[i])
                fds[i].revents = look(got[i], fds[i].events);
            ready += fds[i].revents != 0;
        }
        ULONGLONG now = GetTickCount64();
        if (ready > 0 || (timeout_ms >= 0 && now >= until))
            break;
        DWORD left = timeout_ms < 0 ? INFINITE : (DWORD)(until - now);
        if (waiting == 0)
            Sleep(left);
        else
            WaitForMultipleObjects(waiting, events, FALSE, left);
    }
    for (nfds_t i = 0; i < count; i++)
        if (got[i])
            win_fd_put(got[i]);
    return ready;
}
