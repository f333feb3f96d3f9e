/* SPDX-License-Identifier: Apache-2.0 */
#include "guest/container/policy.h"

#include <string.h>

struct restart_rule restart_rule_of(const json_t *state)
{
    static const char *const names[] = {[RESTART_NO] = "no",
                                        [RESTART_ON_FAILURE] = "on-failure",
                                        [RESTART_ALWAYS] = "always",
                                        [RESTART_UNLESS_STOPPED] = "unless-stopped"};
    struct restart_rule rule = {.max = dr_json_int(state, "restart_max", 0),
                                .count = dr_json_int(state, "restart_count", 0)};
    const char *name = dr_json_str(state, "restart");
    for (size_t i = 0; name && i < DR_COUNT(names); i++)
        if (strcmp(name, names[i]) == 0)
            rule.policy = (enum restart_policy)i;
    if (dr_json_str(state, "schedule"))
        rule.policy = RESTART_SCHEDULED;
    return rule;
}

/* Without the question whether a person stopped it. */
static bool policy_wants(const struct restart_rule *rule, const struct restart_end *end)
{
    switch (rule->policy) {
    case RESTART_NO:
        return false;
    case RESTART_ON_FAILURE:
        return (!end->known || end->exit_code != 0) &&
               (rule->max == 0 || rule->count < rule->max);
    case RESTART_ALWAYS:
    case RESTART_UNLESS_STOPPED:
    case RESTART_SCHEDULED:
        return true;
    }
    return false;
}

bool restart_wanted(const struct restart_rule *rule, const struct restart_end *end)
{
    return !end->stopped && policy_wants(rule, end);
}

bool restart_wanted_after_boot(const struct restart_rule *rule,
                               const struct restart_end *end)
{
    if (end->stopped && rule->policy != RESTART_ALWAYS)
        return false;
    return policy_wants(rule, end);
}

int64_t restart_delay_ms(int64_t last_ms, int64_t ran_ms)
{
    if (last_ms <= 0 || ran_ms >= RESTART_RAN_MS)
        return RESTART_DELAY_MS;
    return last_ms < RESTART_DELAY_MAX_MS / 2 ? last_ms * 2 : RESTART_DELAY_MAX_MS;
}
