/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A container's network namespace: made before the runtime is, at a path that config.json
 * names (<run root>/<container id>/netns). It is a mount in the monitor's own mount
 * namespace, so it is gone with the monitor, however that ends.
 */
#ifndef DRAY_GUEST_NET_NAMESPACE_H
#define DRAY_GUEST_NET_NAMESPACE_H

#include <stdbool.h>

#include "base/error.h"

#define NETNS_FILE "netns"

/* A new one with lo up, mounted at path; what is there already is replaced. *ret_fd: the
 * namespace; *ret_socket: a NETLINK_ROUTE socket in it; *ret_lo false: lo is down, since
 * we have no CAP_NET_ADMIN. The calling thread is where it was afterwards. */
int netns_make(const char *path, int *ret_fd, int *ret_socket, bool *ret_lo,
               struct dr_error *err);
/* An existing one ("/proc/<pid>/ns/net") at path. */
int netns_borrow(const char *source, const char *path, struct dr_error *err);
/* A NETLINK_ROUTE socket in a namespace. */
int netns_socket(int ns_fd, int *ret_socket, struct dr_error *err);
/* Takes the mount away; the namespace goes when nobody is in it any more. */
void netns_drop(const char *path);

#endif
