/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Forwarding of packets, turned on while networks are up and put back after.
 *
 * IPv4 is turned on link by link, and for links to come, where `ip_forward` is off: that
 * stays off. So Docker, libvirt and the like find the machine as it is, do what they do
 * when they turn it on (Docker closes its FORWARD chain then), and keep what they have
 * turned on when dray puts its part back. IPv6 is done in the same way where the kernel
 * can (force_forwarding, 6.17). Before that there is only one switch for all links, and
 * links that learn their route from router advertisements would lose it: they are told to
 * go on listening (accept_ra 2) first.
 *
 * What was changed is noted in <run_root>/networks/forwarding before it is changed.
 */
#ifndef DRAY_GUEST_NET_FORWARDING_H
#define DRAY_GUEST_NET_FORWARDING_H

#include <stdbool.h>

#include "base/error.h"

/*
 * Idempotent. DR_ERR_NETWORK says what a person can do when forwarding is off and cannot
 * be turned on. v6: IPv6 too. shared: others of ours (with another run_root) are at work,
 * and what is found turned on beside the switch was their doing.
 */
int forwarding_on(const char *run_root, bool v6, bool shared, struct dr_error *err);
/* shared: leave it on for them. Never fails: what is gone needs no putting back. */
void forwarding_off(const char *run_root, bool shared);

#endif
