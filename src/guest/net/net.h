/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The network of one container's run (C17, C29 to C31): made by its monitor before the
 * runtime starts, taken away after its end, or by whoever finds what a crash has left.
 */
#ifndef DRAY_GUEST_NET_NET_H
#define DRAY_GUEST_NET_NET_H

#include "guest/guest.h"

/* In the run directory: what is true now, {"networks":[…member_join()'s…]}. */
#define NET_STATE "network.json"

/*
 * request: {"networks":[…spec_network…],"name","hostname"}. In the container's run
 * directory `netns` is the namespace to join then (none of its own with "host"), and
 * NET_STATE is written. After a failure nothing is left. DR_ERR_NOT_FOUND for an unknown
 * network, DR_ERR_CONFLICT and DR_ERR_NETWORK for what is in the way.
 */
int net_up(const struct guest *guest, const char *id, const json_t *request,
           struct dr_error *err);
/* From any state; never fails (C31). Called without a monitor too: the namespace was the
 * lost one's. */
void net_down(const struct guest *guest, const char *id);

/* It has another name: who is on its networks finds it by that now. */
void net_rename(const struct guest *guest, const char *id, const char *name);

/* What a teardown that failed midway has left of containers that are gone: members
 * without a run directory, rules without members. Cheap: for every command. */
void net_settle(const struct guest *guest);

/* After a reboot, of which a run directory on a disk knows nothing, or after one of this
 * distro alone, which takes no links away: who was on networks is not any more, and
 * bridges and rules of ours go. Nothing of this boot has been started yet. */
void net_sweep(const struct guest *guest);

/* NET_STATE of a container's run directory; NULL: it does not run, or on no network of
 * ours. A new reference. */
json_t *net_state(const char *run_dir);

int net_write_state(const char *run_dir, const json_t *state, struct dr_error *err);

/*
 * Can a container be made that is on the spec's networks? DR_ERR_NOT_FOUND. Another
 * container's network is by that one's id from here on: its name may become another's.
 */
struct spec_container;
int net_check(const struct guest *guest, struct spec_container *spec,
              struct dr_error *err);

#endif
