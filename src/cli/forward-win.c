/* SPDX-License-Identifier: Apache-2.0 */
/* The sockets of `dray forward`. */
#include "win/socket.h"

#include <errno.h>
#include <ws2tcpip.h>

#include "cli/cli.h"
#include "cli/forward-address.h"
#include "cli/forward.h"

const char forward_forbidden[] = "Windows has reserved it, see `netsh interface ipv4 "
                                 "show excludedportrange tcp`";

int forward_open(const struct dr_ip *ip, bool udp, int *port)
{
    union forward_address at;
    socklen_t len = forward_address_of(ip, *port, &at);
    SOCKET s = socket(at.any.sa_family, udp ? SOCK_DGRAM : SOCK_STREAM, 0);
    dr_auto_fd int fd = s == INVALID_SOCKET ? -1 : win_socket_add(s);
    if (fd < 0) {
        errno = win_socket_errno();
        return -1;
    }
    /* nobody else may take the same port beside us */
    setsockopt(s, SOL_SOCKET, SO_EXCLUSIVEADDRUSE, (char *)&(int){1}, sizeof(int));
    if (!udp)
        setsockopt(s, IPPROTO_TCP, TCP_NODELAY, (char *)&(int){1},
                   sizeof(int)); /* inherited */
    if (ip->family != 4)
        setsockopt(s, IPPROTO_IPV6, IPV6_V6ONLY, (char *)&(int){1}, sizeof(int));
    if (bind(s, &at.any, len) != 0 || (!udp && listen(s, SOMAXCONN) != 0) ||
        getsockname(s, &at.any, &len) != 0) {
        errno = win_socket_errno();
        return -1;
    }
    *port = ntohs(at.v6.sin6_port);
    return DR_TAKE_FD(fd);
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
