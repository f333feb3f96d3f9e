/* SPDX-License-Identifier: Apache-2.0 */
#include "guest/net/dial.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <sys/socket.h>

#include "base/text.h"

int net_enter(pid_t pid, struct dr_error *err)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/ns/net", (int)pid);
    dr_auto_fd int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || setns(fd, CLONE_NEWNET) < 0)
        return dr_fail_errno(err, DR_ERR_NETWORK, "enter the container's network");
    return 0;
}

bool net_wait(int fd, short events, int64_t end_ms)
{
    for (;;) {
        int64_t left = end_ms - dr_clock_ms();
        struct pollfd poll_fd = {.fd = fd, .events = events};
        int n = left > 0 ? poll(&poll_fd, 1, (int)left) : 0;
        if (n >= 0 || errno != EINTR)
            return n > 0;
    }
}

static int connect_to(const char *host, int64_t port, int type, int64_t end_ms)
{
    struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6,
                              .sin6_port = htons((uint16_t)port)};
    bool is_v4 = inet_pton(AF_INET, host, &v4.sin_addr) == 1;
    if (!is_v4 && inet_pton(AF_INET6, host, &v6.sin6_addr) != 1) {
        errno = EADDRNOTAVAIL;
        return -1;
    }
    dr_auto_fd int fd =
        socket(is_v4 ? AF_INET : AF_INET6, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    int why = 0;
    socklen_t len = sizeof why;
    const struct sockaddr *to = is_v4 ? (struct sockaddr *)&v4 : (struct sockaddr *)&v6;
    if (fd < 0)
        return -1;
    if (connect(fd, to, is_v4 ? sizeof v4 : sizeof v6) < 0) {
        if (errno != EINPROGRESS)
            return -1;
        if (!net_wait(fd, POLLOUT, end_ms))
            why = ETIMEDOUT;
        else
            getsockopt(fd, SOL_SOCKET, SO_ERROR, &why, &len);
    }
    errno = why;
    return why ? -1 : DR_TAKE_FD(fd);
}

int net_connect(const char *host, int64_t port, int type, int64_t end_ms)
{
    int fd = connect_to(host ? host : "127.0.0.1", port, type, end_ms);
    int why = errno;
    if (fd >= 0 || host || why != ECONNREFUSED)
        return fd;
    fd = connect_to("::1", port, type, end_ms);
    if (fd < 0)
        errno = why;
    return fd;
}
