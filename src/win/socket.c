/* SPDX-License-Identifier: Apache-2.0 */
/* Sockets among the descriptors. They are never blocking for Windows (WSAEventSelect);
 * who reads one that should be, waits here. */
#include "win/socket.h"

int win_socket_errno(void)
{
    switch (WSAGetLastError()) {
    case WSAEWOULDBLOCK:
        return EAGAIN;
    case WSAECONNRESET:
    case WSAENETRESET:
        return ECONNRESET;
    case WSAECONNABORTED:
        return ECONNABORTED;
    case WSAECONNREFUSED:
        return ECONNREFUSED;
    case WSAEADDRINUSE:
        return EADDRINUSE;
    case WSAEADDRNOTAVAIL:
        return EADDRNOTAVAIL;
    case WSAEACCES:
        return EACCES;
    case WSAEMFILE:
        return EMFILE;
    case WSAENOTCONN:
        return ENOTCONN;
    case WSAESHUTDOWN:
        return EPIPE;
    case WSAEINVAL:
        return EINVAL;
    case WSAEAFNOSUPPORT:
        return EAFNOSUPPORT;
    default:
        return EIO;
    }
}

int win_socket_add(SOCKET socket)
{
    struct win_fd *fd = win_fd_new(WIN_SOCKET, NULL);
    fd->socket = socket;
    fd->ready = CreateEventW(NULL, TRUE, FALSE, NULL);
    if (!fd->ready)
        abort();
    WSAEventSelect(socket, fd->ready, FD_READ | FD_WRITE | FD_ACCEPT | FD_CLOSE);
    return win_fd_add(fd);
}

SOCKET win_socket_of(int number)
{
    struct win_fd *fd = win_fd_get(number);
    SOCKET socket = fd ? fd->socket : INVALID_SOCKET;
    if (fd)
        win_fd_put(fd);
    return socket;
}

short win_socket_poll(struct win_fd *fd, short events)
{
    WSAPOLLFD p = {.fd = fd->socket,
                   .events = (short)((events & WIN_POLLIN ? POLLRDNORM : 0) |
                                     (events & WIN_POLLOUT ? POLLWRNORM : 0))};
    ResetEvent(fd->ready); /* first: what comes after the look sets it again */
    if (WSAPoll(&p, 1, 0) <= 0)
        return 0;
    short is = 0;
    if (p.revents &
        (POLLRDNORM | 1 | 2 | 4)) /* ready, or an error or an end to be read */
        is |= events & WIN_POLLIN;
    if (p.revents & (POLLWRNORM | 1 | 2 | 4))
        is |= events & WIN_POLLOUT;
    return is;
}

ssize_t win_socket_read(struct win_fd *fd, void *data, size_t len)
{
    for (;;) {
        int n = recv(fd->socket, data, len > INT_MAX ? INT_MAX : (int)len, 0);
        if (n >= 0)
            return n;
        errno = win_socket_errno();
        if (errno != EAGAIN || fd->nonblock)
            return -1;
        WaitForSingleObject(fd->ready, 100);
    }
}

ssize_t win_socket_write(struct win_fd *fd, const void *data, size_t len)
{
    int n = send(fd->socket, data, len > INT_MAX ? INT_MAX : (int)len, 0);
    if (n >= 0)
        return n;
    errno = win_socket_errno();
    return -1;
}

ssize_t win_send(int number, const void *data, size_t len, int flags)
{
    (void)flags;
    struct win_fd *fd = win_fd_get(number);
    if (!fd)
        return -1;
    ssize_t n = -1;
    errno = ENOTSOCK;
    if (fd->kind == WIN_SOCKET)
        n = win_socket_write(fd, data, len);
    win_fd_put(fd);
    return n;
}

int win_shutdown(int number, int how)
{
    SOCKET socket = win_socket_of(number);
    if (socket == INVALID_SOCKET) {
        errno = ENOTSOCK;
        return -1;
    }
    if (shutdown(socket, how) == 0)
        return 0;
    errno = win_socket_errno();
    return -1;
}
