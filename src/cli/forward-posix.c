/* SPDX-License-Identifier: Apache-2.0 */
/* The sockets of `dray forward`. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include "cli/cli.h"
#include "cli/forward-address.h"
#include "cli/forward.h"

const char forward_forbidden[] = "ports below 1024 are root's";

int forward_open(const struct dr_ip *ip, bool udp, int *port)
{
    union forward_address at;
    socklen_t len = forward_address_of(ip, *port, &at);
    dr_auto_fd int fd =
        socket(at.any.sa_family,
               (udp ? SOCK_DGRAM : SOCK_STREAM) | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return -1;
    if (!udp) { /* of udp it would let two have the same port */
        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &(int){1}, sizeof(int));
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int)); /* inherited */
    }
    if (ip->family != 4)
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &(int){1}, sizeof(int));
    if (bind(fd, &at.any, len) < 0 || (!udp && listen(fd, SOMAXCONN) < 0) ||
        getsockname(fd, &at.any, &len) < 0)
        return -1;
    *port = ntohs(at.v6.sin6_port);
    return DR_TAKE_FD(fd);
}

int forward_accept(int fd)
{
    return accept4(fd, NULL, NULL, SOCK_CLOEXEC);
}

void forward_reset(int fd)
{
    struct linger now = {.l_onoff = 1};
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
}

int forward_receive(int fd, void *data, size_t room, struct forward_client *ret_client)
{
    *ret_client = (struct forward_client){.len = 0};
    socklen_t len = sizeof ret_client->address;
    ssize_t n = recvfrom(fd, data, room, MSG_DONTWAIT,
                         (struct sockaddr *)ret_client->address, &len);
    ret_client->len = (int)len;
    return (int)n;
}

void forward_send(int fd, const void *data, size_t len,
                  const struct forward_client *client)
{
    sendto(fd, data, len, MSG_DONTWAIT, (const struct sockaddr *)client->address,
           (socklen_t)client->len);
}
