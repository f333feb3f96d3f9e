/* SPDX-License-Identifier: Apache-2.0 */
/* This program itself, as a file over here: <place>/bin/<sha256>/dray-guest. */
#ifndef DRAY_GUEST_HELPER_H
#define DRAY_GUEST_HELPER_H

#include "guest/guest.h"

/* The first start after it was sent: it is what its directory's name says, gets its own
 * name and survives a power cut. Otherwise it is removed. */
int helper_settle(struct dr_error *err);
/* Other versions below the root go, but for the two newest ones (somebody may use both in
 * turn) and those that a container's config.json names. Never fails. */
void helper_prune(const struct guest *guest);

#endif
