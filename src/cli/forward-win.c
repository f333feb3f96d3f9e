/* SPDX-License-Identifier: Apache-2.0 */
/* The sockets of `dray forward`. */
#include "win/socket.h"

#include <errno.h>
#include <ws2tcpip.h>

#include "cli/cli.h"
#include "cli/forward.h"

union address {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
};

static int fail(const struct forward *forward, int why, struct dr_error *err)
{
    dr_auto_free char *shown = forward_shown(forward);
    const char *hint = why == EACCES ? " (Windows has reserved it, see `netsh interface "
                                       "ipv4 show excludedportrange tcp`)"
                       : why == EADDRNOTAVAIL ? " (it is no address of this machine)"
                                              : "";
    return dr_fail_at(err, DR_AT_HOST, DR_ERR_NETWORK, why, "listen on %s: %s%s", shown,
                      strerrordesc_np(why), hint);
}

int forward_listen(struct forward *forward, struct dr_error *err)
{
    union address at = {0};
    int len = sizeof at.v4;
    if (inet_pton(AF_INET, forward->address, &at.v4.sin_addr) == 1) {
        at.v4.sin_family = AF_INET;
        at.v4.sin_port = htons((uint16_t)forward->local);
    } else if (inet_pton(AF_INET6, forward->address, &at.v6.sin6_addr) == 1) {
        at.v6.sin6_family = AF_INET6;
        at.v6.sin6_port = htons((uint16_t)forward->local);
        len = sizeof at.v6;
    } else {
        return dr_fail(err, DR_ERR_INVALID, "'%s' is no IP address", forward->address);
    }
    SOCKET s = socket(at.any.sa_family, forward->udp ? SOCK_DGRAM : SOCK_STREAM, 0);
    dr_auto_fd int fd = s == INVALID_SOCKET ? -1 : win_socket_add(s);
    if (fd < 0)
        return fail(forward, win_socket_errno(), err);
    /* nobody else may take the same port beside us */
    setsockopt(s, SOL_SOCKET, SO_EXCLUSIVEADDRUSE, (char *)&(int){1}, sizeof(int));
    if (!forward->udp)
        setsockopt(s, IPPROTO_TCP, TCP_NODELAY, (char *)&(int){1},
                   sizeof(int)); /* inherited */
    if (at.any.sa_family == AF_INET6)
        setsockopt(s, IPPROTO_IPV6, IPV6_V6ONLY, (char *)&(int){1}, sizeof(int));
    if (bind(s, &at.any, len) != 0 || (!forward->udp && listen(s, SOMAXCONN) != 0) ||
        getsockname(s, &at.any, &len) != 0)
        return fail(forward, win_socket_errno(), err);
    forward->local =
        ntohs(at.any.sa_family == AF_INET ? at.v4.sin_port : at.v6.sin6_port);
    forward->fd = DR_TAKE_FD(fd);
    return 0;
}

int forward_accept(int fd)
{
    SOCKET s = accept(win_socket_of(fd), NULL, NULL);
    if (s != INVALID_SOCKET)
        return win_socket_add(s);
    errno = win_socket_errno();
    return -1;
}

void forward_reset(int fd)
{
    struct linger now = {.l_onoff = 1};
    setsockopt(win_socket_of(fd), SOL_SOCKET, SO_LINGER, (char *)&now, sizeof now);
}

/* Only called when there is one: it does not wait. */
int forward_receive(int fd, void *data, size_t room, struct forward_client *ret_client)
{
    *ret_client = (struct forward_client){.len = 0};
    int len = sizeof ret_client->address;
    int n = recvfrom(win_socket_of(fd), data, (int)room, 0,
                     (struct sockaddr *)ret_client->address, &len);
    ret_client->len = len;
    return n == SOCKET_ERROR ? -1 : n;
}

void forward_send(int fd, const void *data, size_t len,
                  const struct forward_client *client)
{
    sendto(win_socket_of(fd), data, (int)len, 0, (const struct sockaddr *)client->address,
           client->len);
}
