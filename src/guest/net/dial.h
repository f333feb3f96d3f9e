/* SPDX-License-Identifier: Apache-2.0 */
/* Connections into a container, without any program of the container's. */
#ifndef DRAY_GUEST_NET_DIAL_H
#define DRAY_GUEST_NET_DIAL_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/error.h"

/* The calling thread, and it alone, is in the network of process pid from here on.
 * DR_ERR_NETWORK. */
int net_enter(pid_t pid, struct dr_error *err);

/* Waits for events of poll(2); false when dr_clock_ms() has come to end_ms. */
bool net_wait(int fd, short events, int64_t end_ms);

/* A connected, non-blocking socket of type SOCK_STREAM or SOCK_DGRAM; -1 with errno.
 * host: an address as text, or NULL: this machine, by IPv4 and, when nobody listens
 * there, by IPv6. */
int net_connect(const char *host, int64_t port, int type, int64_t end_ms);

#endif
