/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Restart policies: what comes after the end of a run. Docker's rules, as functions of
 * what the state says; the monitor acts on them, and the command that finds a container
 * whose monitor is gone.
 */
#ifndef DRAY_GUEST_CONTAINER_POLICY_H
#define DRAY_GUEST_CONTAINER_POLICY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/json.h"

#define RESTART_DELAY_MS 100       /* before the first restart, then twice as long … */
#define RESTART_DELAY_MAX_MS 60000 /* … up to this */
#define RESTART_RAN_MS 10000       /* who ran so long begins with the first delay again */

enum restart_policy {
    RESTART_NO,
    RESTART_ON_FAILURE,
    RESTART_ALWAYS,
    RESTART_UNLESS_STOPPED,
    RESTART_SCHEDULED /* at its next time; like unless-stopped otherwise */
};

struct restart_rule {
    enum restart_policy policy;
    int64_t max;   /* on-failure: so many restarts at most; 0: any number */
    int64_t count; /* restarts since a person started it */
};

/* The end of a run, or of a start that failed. */
struct restart_end {
    bool known; /* false: nobody saw it, which counts as a failure */
    int64_t exit_code;
    bool stopped; /* a person ended it */
};

/* From state.json's "schedule", "restart", "restart_max" and "restart_count". Unknown
 * words are no policy. */
struct restart_rule restart_rule_of(const json_t *state);

/* Directly after an end. */
bool restart_wanted(const struct restart_rule *rule, const struct restart_end *end);

/*
 * After the guest has booted, of a container that has run before: `always` comes back
 * even when a person had stopped it, the others do not.
 */
bool restart_wanted_after_boot(const struct restart_rule *rule,
                               const struct restart_end *end);

/* The next delay from the last one (0: there was none) and how long the run took. */
int64_t restart_delay_ms(int64_t last_ms, int64_t ran_ms);

#endif
