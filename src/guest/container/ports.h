/* SPDX-License-Identifier: Apache-2.0 */
/* What a container's record and state say of its ports. */
#ifndef DRAY_GUEST_CONTAINER_PORTS_H
#define DRAY_GUEST_CONTAINER_PORTS_H

#include "guest/container/record.h"

/* What is to be published when it starts, as spec_port objects: those of -p and, with -P,
 * every other exposed one on a free port. Empty on the host's network. A new reference.
 */
json_t *container_ports(const struct container *container);
/* {"80/tcp":{},…}: what the image, --expose and -p expose, in Docker's shape; a new
 * reference, NULL when there is nothing. */
json_t *container_exposed(const struct container *container);
/* What the state says while it runs: published, an array of spec_port objects, and what
 * is exposed only, without a host_port. exposed: container_exposed()'s, or NULL. A new
 * reference. */
json_t *container_ports_shown(json_t *published, const json_t *exposed);
/* HostConfig.PortBindings of inspect: what was asked for. A new reference. */
json_t *container_port_bindings(const struct container *container);
/* NetworkSettings.Ports: what is published just now; an exposed port that is not is
 * null. Empty when it does not run. A new reference. */
json_t *container_ports_now(const struct container *container);

#endif
