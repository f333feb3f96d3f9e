/* SPDX-License-Identifier: Apache-2.0 */
/* Ports in `dray ps`: the column, and the filters publish= and expose=. */
#ifndef DRAY_CLI_PS_PORTS_H
#define DRAY_CLI_PS_PORTS_H

#include <dray.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

/* "127.0.0.1:8080->80/tcp, 443/tcp": as Docker shows them, neighbours in one range;
 * owned.
 */
char *ps_ports(const struct dray_container *container);

struct ps_port_filter {
    int64_t first, last;
    bool udp;
};
/* "80", "80/udp", "8000-8010/tcp"; false: it is no such thing. */
bool ps_port_filter_parse(const char *text, struct ps_port_filter *ret);
/* published: by the port of the host, else by the container's, published or not. */
bool ps_port_filter_match(const struct ps_port_filter *filter, bool published,
                          const struct dray_container *container);

#endif
