/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The way out of the networks of containers, and what is closed: rules in a table of
 * dray's own, `inet dray`, written again whole whenever a network comes or goes.
 *
 *  - What leaves a network gets the address of the link that it leaves by (masquerading).
 *  - Nothing comes in from outside but what belongs to a connection that a container
 *    opened: containers are reached by their published ports, and by the guest itself.
 *    That keeps networks apart from each other, too.
 *  - An internal network has no way out, and none in.
 *
 * Other firewalls stay as they are, with one exception: where the FORWARD chain of
 * iptables drops what nobody lets through (Docker's and ufw's doing), an accept in a
 * table of ours changes nothing. Then rules for our links, marked with the table's name,
 * go to the end of that chain: what the others refuse stays refused.
 *
 * Forwarding is turned on meanwhile (forwarding.h).
 *
 * A kernel without nf_tables, or without parts of it, gets the same by the iptables
 * programs (firewall-iptables.c).
 */
#ifndef DRAY_GUEST_NET_FIREWALL_H
#define DRAY_GUEST_NET_FIREWALL_H

#include <net/if.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/ip.h"

/* A network that is up. */
struct firewall_network {
    char link[IFNAMSIZ];         /* its bridge, or the guest's end of its veth */
    struct dr_subnet subnets[2]; /* of each family at most one; family 0: not there */
    bool internal;
};

/*
 * Makes the rules these. count 0: nothing of ours is left. The caller holds what keeps
 * others with the same run_root from doing this at the same time, and says again the same
 * after any crash: it is idempotent. Warnings are sentences, appended to *warnings.
 * run_root: others on the machine have tables of their own.
 *
 * DR_ERR_NETWORK when neither nf_tables nor iptables does it, or forwarding cannot be
 * turned on. The caller says what was up before, then; with count 0 nothing is left.
 */
int firewall_sync(const char *run_root, const struct firewall_network *networks,
                  size_t count, char ***warnings, struct dr_error *err);

/* Are there rules for this link? Cheap: for every container that starts. */
bool firewall_has(const char *run_root, const char *link);

#endif
