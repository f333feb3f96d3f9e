/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/pulse.h"

/* A thread that comes this much too late was only kept waiting by a busy machine. */
#define LATE_MS 2000

void pulse_begin(struct pulse *pulse, const struct wire_pulse *plan, int64_t now_ms)
{
    *pulse = (struct pulse){.plan = *plan, .looked_ms = now_ms};
}

int pulse_wait_ms(const struct pulse *pulse, int64_t now_ms)
{
    if (pulse->plan.every_ms <= 0)
        return -1;
    int64_t left = pulse->looked_ms + pulse->plan.every_ms - now_ms;
    return left <= 0 ? 0 : left < pulse->plan.every_ms ? (int)left : pulse->plan.every_ms;
}

void pulse_heard(struct pulse *pulse)
{
    pulse->heard = true;
}

bool pulse_look(struct pulse *pulse, int64_t now_ms, uint64_t sent, bool is_host,
                int limit_ms, bool *ret_say)
{
    int64_t passed = now_ms - pulse->looked_ms;
    bool awake = passed >= 0 && passed <= 2 * pulse->plan.every_ms + LATE_MS;
    pulse->looked_ms = now_ms;
    pulse->quiet_ms = pulse->heard || !awake ? 0 : pulse->quiet_ms + passed;
    *ret_say = pulse->sent == sent && (is_host || pulse->heard);
    pulse->sent = sent;
    pulse->heard = false;
    return limit_ms > 0 && pulse->quiet_ms >= limit_ms;
}
