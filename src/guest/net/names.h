/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How a container finds others: its hosts file and its resolv.conf. On a network that
 * somebody made, containers have each other's names, aliases and short ids; not on the
 * default one, as with Docker. The names are lines of the hosts file of every member,
 * written again when one comes or goes (hosts.h).
 */
#ifndef DRAY_GUEST_NET_NAMES_H
#define DRAY_GUEST_NET_NAMES_H

#include "guest/guest.h"

/* The guest, in every container that has a gateway. */
#define NAMES_HOST "host.dray.internal host.docker.internal"

/*
 * A container's own lines: itself, --add-host, the guest. A new array of strings for
 * NET_STATE, or NULL with DR_ERR_INVALID (host-gateway without a gateway).
 * request: the monitor's, {"hostname","domainname","extra_hosts":[…],…}; networks: what
 * it is on, as in NET_STATE.
 */
json_t *names_own(const json_t *request, const json_t *networks, struct dr_error *err);

/*
 * Writes hosts and resolv.conf of a container that is about to start. state: its
 * NET_STATE to be. What somebody changed in them in an earlier run stays. Warnings are
 * appended. Once NET_STATE is there names_sync() is called, for who came meanwhile.
 */
int names_write(const struct guest *guest, const char *id, const json_t *request,
                const json_t *state, char ***warnings, struct dr_error *err);

/* Somebody came to or left these networks ([{"id"}…]): the hosts files of who is there.
 * Where one cannot be written, the others are all the same. */
void names_sync(const struct guest *guest, const json_t *networks);

#endif
