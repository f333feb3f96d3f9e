/* SPDX-License-Identifier: Apache-2.0 */
/* The sockets of `dray forward`. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>

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
    const char *hint = why == EACCES          ? " (ports below 1024 are root's)"
                       : why == EADDRNOTAVAIL ? " (it is no address of this machine)"
                                              : "";
    return dr_fail_at(err, DR_AT_HOST, DR_ERR_NETWORK, why, "listen on %s: %s%s", shown,
                      strerrordesc_np(why), hint);
}

int forward_listen(struct forward *forward, struct dr_error *err)
{
    union address at = {0};
    socklen_t len = sizeof at.v4;
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
    dr_auto_fd int fd = socket(
        at.any.sa_family,
        (forward->udp ? SOCK_DGRAM : SOCK_STREAM) | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return fail(forward, errno, err);
    if (!forward->udp) { /* of udp it would let two have the same port */
        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &(int){1}, sizeof(int));
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int)); /* inherited */
    }
    if (at.any.sa_family == AF_INET6)
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &(int){1}, sizeof(int));
    if (bind(fd, &at.any, len) < 0 || (!forward->udp && listen(fd, SOMAXCONN) < 0) ||
        getsockname(fd, &at.any, &len) < 0)
        return fail(forward, errno, err);
    forward->local =
        ntohs(at.any.sa_family == AF_INET ? at.v4.sin_port : at.v6.sin6_port);
    forward->fd = DR_TAKE_FD(fd);
    return 0;
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
