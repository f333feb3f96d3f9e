/* SPDX-License-Identifier: Apache-2.0 */
/* The rules of the firewall for the networks that have members now. */
#ifndef DRAY_GUEST_NET_WAYOUT_H
#define DRAY_GUEST_NET_WAYOUT_H

#include "guest/guest.h"

/*
 * Members came. networks: what they are on, as in NET_STATE. Rules that are there already
 * stay as they are; ones that somebody else has flushed come back. Warnings are appended,
 * for each who comes as long as there is something to warn of.
 * After a failure the caller lets the members leave and calls wayout_close().
 */
int wayout_open(const struct guest *guest, const json_t *networks, char ***warnings,
                struct dr_error *err);
/* Members left, and these networks may have none any more. */
void wayout_close(const struct guest *guest);
/* The last member has left, and whoever took it away did not come to wayout_close(). */
void wayout_settle(const struct guest *guest);

#endif
