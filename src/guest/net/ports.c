/* SPDX-License-Identifier: Apache-2.0 */
#include "guest/net/ports.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "base/text.h"

union address {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
};

int ports_parse(const json_t *list, struct ports *ret, struct dr_error *err)
{
    struct ports ports = {
        .items = dr_alloc((json_array_size(list) + 1) * sizeof *ports.items)};
    size_t i;
    json_t *one;
    json_array_foreach ((json_t *)list, i, one) {
        struct port *port = &ports.items[ports.count++];
        const char *ip = dr_json_str(one, "host_ip") ?: "127.0.0.1";
        *port = (struct port){
            .host_port = (int)dr_json_int(one, "host_port", 0),
            .host_port_last = (int)dr_json_int(one, "host_port_last", 0),
            .container_port = (int)dr_json_int(one, "container_port", 0),
            .udp = strcmp(dr_json_str(one, "protocol") ?: "tcp", "udp") == 0,
            .fd = -1};
        if (!dr_ip_parse(ip, &port->host_ip)) {
            dr_auto_free char *safe = dr_escape(ip, 100);
            ports_release(&ports);
            return dr_fail(err, DR_ERR_INVALID, "ports: '%s' is no IP address", safe);
        }
    }
    *ret = ports;
    return 0;
}

json_t *ports_json(const struct ports *ports)
{
    json_t *list = json_array();
    for (size_t i = 0; i < ports->count; i++) {
        const struct port *port = &ports->items[i];
        json_t *one = json_object();
        char ip[DR_IP_TEXT];
        dr_ip_format(&port->host_ip, ip);
        dr_json_set_str(one, "host_ip", ip);
        dr_json_set_int(one, "host_port", port->host_port);
        dr_json_set_int(one, "container_port", port->container_port);
        dr_json_set_str(one, "protocol", port->udp ? "udp" : "tcp");
        json_array_append_new(list, one);
    }
    return list;
}

void port_format(const struct port *port, char ret[PORT_TEXT])
{
    char ip[DR_IP_TEXT];
    bool v6 = port->host_ip.family == 6;
    dr_ip_format(&port->host_ip, ip);
    snprintf(ret, PORT_TEXT, "%s%s%s:%d/%s", v6 ? "[" : "", ip, v6 ? "]" : "",
             port->host_port, port->udp ? "udp" : "tcp");
}

static socklen_t address_of(const struct port *port, int number, union address *ret)
{
    *ret = (union address){0};
    if (port->host_ip.family == 4) {
        ret->v4.sin_family = AF_INET;
        ret->v4.sin_port = htons((uint16_t)number);
        memcpy(&ret->v4.sin_addr, port->host_ip.bytes, 4);
        return sizeof ret->v4;
    }
    ret->v6.sin6_family = AF_INET6;
    ret->v6.sin6_port = htons((uint16_t)number);
    memcpy(&ret->v6.sin6_addr, port->host_ip.bytes, 16);
    return sizeof ret->v6;
}

/* What is set here every accepted connection inherits. A peer that is gone for good is
 * noticed after some minutes, so that it does not keep its descriptors for ever. */
static void set_options(const struct port *port, int fd)
{
    static const struct {
        int level, name, value;
    } tcp[] = {{SOL_SOCKET, SO_REUSEADDR, 1}, /* not in the way: ended connections */
               {SOL_SOCKET, SO_KEEPALIVE, 1},    {IPPROTO_TCP, TCP_KEEPIDLE, 120},
               {IPPROTO_TCP, TCP_KEEPINTVL, 30}, {IPPROTO_TCP, TCP_KEEPCNT, 6},
               {IPPROTO_TCP, TCP_NODELAY, 1}};
    for (size_t i = 0; i < DR_COUNT(tcp) && !port->udp; i++)
        setsockopt(fd, tcp[i].level, tcp[i].name, &tcp[i].value, sizeof tcp[i].value);
    if (port->host_ip.family == 6)
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &(int){1}, sizeof(int));
    /* an answer leaves from the address that was asked */
    if (port->udp && dr_ip_is_zero(&port->host_ip)) {
        if (port->host_ip.family == 4)
            setsockopt(fd, IPPROTO_IP, IP_PKTINFO, &(int){1}, sizeof(int));
        else
            setsockopt(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, &(int){1}, sizeof(int));
    }
}

/* The socket, or -1 with errno. */
static int open_at(const struct port *port, int number, int *ret_number)
{
    union address at;
    socklen_t len = address_of(port, number, &at);
    int type = port->udp ? SOCK_DGRAM : SOCK_STREAM;
    dr_auto_fd int fd = socket(at.any.sa_family, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return -1;
    set_options(port, fd);
    if (bind(fd, &at.any, len) < 0 || (!port->udp && listen(fd, SOMAXCONN) < 0) ||
        getsockname(fd, &at.any, &len) < 0)
        return -1;
    *ret_number = ntohs(port->host_ip.family == 4 ? at.v4.sin_port : at.v6.sin6_port);
    return DR_TAKE_FD(fd);
}

static const char *hint_of(int why)
{
    switch (why) {
    case EADDRINUSE:
        return "something else listens there";
    case EACCES:
    case EPERM:
        return "ports below 1024 need CAP_NET_BIND_SERVICE";
    case EADDRNOTAVAIL:
        return "it is no address of this machine";
    case EAFNOSUPPORT:
        return "IPv6 is off on this machine";
    case EMFILE:
    case ENFILE:
        return "no file descriptor is left";
    default:
        return NULL;
    }
}

static int open_port(struct port *port, struct dr_error *err)
{
    int last = port->host_port_last ? port->host_port_last : port->host_port;
    for (int number = port->host_port; number <= last; number++) {
        port->fd = open_at(port, number, &port->host_port);
        if (port->fd >= 0)
            return 0;
        if (errno != EADDRINUSE)
            break;
    }
    int why = errno;
    char text[PORT_TEXT];
    port_format(port, text);
    const char *hint = hint_of(why);
    if (port->host_port_last && why == EADDRINUSE)
        return dr_fail_at(err, DR_AT_GUEST, DR_ERR_NETWORK, why,
                          "publish %s and up to %d: all these ports are in use", text,
                          port->host_port_last);
    return dr_fail_at(err, DR_AT_GUEST, DR_ERR_NETWORK, why, "publish port %s: %s%s%s%s",
                      text, strerrordesc_np(why), hint ? " (" : "", hint ? hint : "",
                      hint ? ")" : "");
}

int ports_open(struct ports *ports, struct dr_error *err)
{
    /* those that are named first: a free one must not be what another one asks for */
    for (int free_ones = 0; free_ones < 2; free_ones++)
        for (size_t i = 0; i < ports->count; i++)
            if ((ports->items[i].host_port == 0) == free_ones && ports->items[i].fd < 0 &&
                open_port(&ports->items[i], err) < 0) {
                ports_close(ports);
                return -1;
            }
    return 0;
}

void ports_close(struct ports *ports)
{
    for (size_t i = 0; i < ports->count; i++) {
        if (ports->items[i].fd >= 0)
            close(ports->items[i].fd);
        ports->items[i].fd = -1;
    }
}

void ports_release(struct ports *ports)
{
    ports_close(ports);
    free(ports->items);
    *ports = (struct ports){0};
}
