/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The proxy of published ports: a thread that takes connections and datagrams and passes
 * them on to the container. Bytes are moved by splice through pipes, never into this
 * process; each half of a connection ends when its other side's does, a reset is passed
 * on as a reset, and who does not read holds who writes to it back. What is held for slow
 * readers is bounded, as are descriptors: with none left nothing more is accepted until
 * some are free again.
 *
 * It is a thread of the monitor, and not a part of its loop, so that a log on a slow disk
 * does not stop connections; and not a process, so that it cannot die without the
 * monitor.
 */
#ifndef DRAY_GUEST_NET_PROXY_H
#define DRAY_GUEST_NET_PROXY_H

#include "guest/net/ports.h"

/* Where the container is. */
struct proxy_target {
    struct dr_ip ip, ip6; /* its addresses; family 0: it has none such */
    /* The network to connect from, in place of ours, for good: the addresses are loopback
     * ones then, say. -1: ours. Borrowed for the call. */
    int net_fd;
};

struct proxy;

/*
 * Starts the thread. ports: open, borrowed until proxy_stop(). Until there is a target
 * connections wait to be accepted.
 * *ret_log_fd: a pipe, readable when there is something to log: lines of text. The
 * proxy's.
 */
struct proxy *proxy_start(const struct ports *ports, int *ret_log_fd,
                          struct dr_error *err);
/* From now on connections go there; NULL: they are reset, there is no container just now.
 * Those that are there go on, until there is another target. */
int proxy_point(struct proxy *proxy, const struct proxy_target *target,
                struct dr_error *err);
/* Takes no more connections: on return the ports may be closed. Those that are there go
 * on. */
void proxy_refuse(struct proxy *proxy);
/* Passes on what the container has sent, wait_ms at most, ends everything, frees. NULL is
 * fine. */
void proxy_stop(struct proxy *proxy, int wait_ms);

#endif
