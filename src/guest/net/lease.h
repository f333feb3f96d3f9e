/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who is on a network: <run root>/networks/<network id>/, one file per member.
 * <container id>.json while it is there; renamed to <container id>.end when it leaves:
 * its address is not given to another one before its links are gone. Neither leaving nor
 * going needs any space (HAZARDS I7). A reboot takes them along, as what they describe.
 *
 * {"network": its name,"name","hostname","aliases":[…],"ip","ip6","mac","link","slot",
 * "names": others are found by name there}
 */
#ifndef DRAY_GUEST_NET_LEASE_H
#define DRAY_GUEST_NET_LEASE_H

#include "guest/net/network.h"

/* Members come and go one at a time, on whatever network: the kernel has one lock for its
 * links, too. Taken after networks_lock() where both are. */
int lease_lock(const struct guest *guest, int *ret_fd, struct dr_error *err);

/* Calls each with every member, those that are leaving too. json: NULL when its file is
 * torn. Something else than 0 stops it and is returned. */
int lease_each(const struct guest *guest, const char *network_id,
               int (*each)(void *arg, const char *id, bool leaving, const json_t *json),
               void *arg, struct dr_error *err);
/* How many members there are, without those that are leaving. */
int lease_count(const struct guest *guest, const char *network_id);

/* The caller holds the lock for these. */
int lease_write(const struct guest *guest, const char *network_id, const char *id,
                const json_t *json, struct dr_error *err);
/* A new reference; NULL: it is no member, or its file is torn. */
json_t *lease_read(const struct guest *guest, const char *network_id, const char *id);
/* Is it a member, leaving or not? */
bool lease_exists(const struct guest *guest, const char *network_id, const char *id);
/* False: it was leaving already. */
bool lease_leave(const struct guest *guest, const char *network_id, const char *id);
/* With the network's directory, when it was the last. */
void lease_remove(const struct guest *guest, const char *network_id, const char *id);

/* Calls each with the id of every network that has members. */
void lease_each_network(const struct guest *guest,
                        void (*each)(void *arg, const char *network_id), void *arg);

#endif
