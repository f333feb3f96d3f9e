/* SPDX-License-Identifier: Apache-2.0 */
/* The parts of the firewall, private to it. */
#ifndef DRAY_GUEST_NET_FIREWALL_PRIVATE_H
#define DRAY_GUEST_NET_FIREWALL_PRIVATE_H

#include "guest/net/firewall.h"

struct firewall {
    const char *run_root;
    const char *tag; /* "dray", or "dray-1a2b3c4d" for another run_root than the usual */
    const struct firewall_network *networks;
    size_t count;
    char ***warnings;
};

/* Owned. */
char *firewall_tag(const char *run_root);
bool firewall_is_tag(const char *table); /* anybody's */
/* Has any network a subnet of the family (4 or 6)? */
bool firewall_has_family(const struct firewall *f, int family);
void firewall_warn(const struct firewall *f, const char *fmt, ...) DR_PRINTF(2, 3);

/* firewall-nft.c: everything, and our rules in iptables-nft's FORWARD chains. ret_shared:
 * there are tables of dray's with another run_root. */
int firewall_nft(const struct firewall *f, bool *ret_shared, struct dr_error *err);
bool firewall_nft_has(const char *tag, const char *link);

/* firewall-iptables.c. What is there by the programs is noted in
 * <run_root>/networks/iptables before it is made, so that it is never asked in vain. */
/* Beside nf_tables: accepts in the FORWARD chain of iptables-legacy where it drops. */
int firewall_iptables_beside(const struct firewall *f, struct dr_error *err);
/* Instead of nf_tables: everything. */
int firewall_iptables_instead(const struct firewall *f, struct dr_error *err);
/* Is all of it there by the programs, as noted? They are not asked: that takes its time.
 */
bool firewall_iptables_noted(const char *run_root);

/* firewall-legacy.c: is there a table of iptables-legacy whose FORWARD chain drops?
 * family: 4 or 6. Asks nothing that would make one. */
bool firewall_legacy_drops(int family);

#endif
