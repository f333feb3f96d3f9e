/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Published ports: the sockets that listen in the root network namespace. Whoever holds
 * them is the container's monitor, and they are gone with it. What is done with their
 * connections is proxy.h's.
 */
#ifndef DRAY_GUEST_NET_PORTS_H
#define DRAY_GUEST_NET_PORTS_H

#include <stdbool.h>

#include "base/ip.h"
#include "base/json.h"

struct port {
    struct dr_ip host_ip;
    int host_port;      /* 0: any that is free; what it is once it is open */
    int host_port_last; /* the end of a range to take one of; 0: there is none */
    int container_port;
    bool udp;
    int fd; /* -1: not open */
};

struct ports {
    struct port *items; /* owned */
    size_t count;
};

/* list: an array of spec_port objects (spec/container.h), or NULL. DR_ERR_INVALID. */
int ports_parse(const json_t *list, struct ports *ret, struct dr_error *err);
/* Binds and listens, all of them or none. DR_ERR_NETWORK names the port and says why it
 * cannot be had. */
int ports_open(struct ports *ports, struct dr_error *err);
void ports_close(struct ports *ports);
/* The inverse of ports_parse, with the ports that they are; a new reference. */
json_t *ports_json(const struct ports *ports);
/* "127.0.0.1:8080/tcp", "[::1]:53/udp" */
#define PORT_TEXT (DR_IP_TEXT + 16)
void port_format(const struct port *port, char ret[PORT_TEXT]);
/* Closes and frees. */
void ports_release(struct ports *ports);

#endif
