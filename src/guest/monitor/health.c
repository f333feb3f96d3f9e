/* SPDX-License-Identifier: Apache-2.0 */
/* When the container's health is looked at. What is done then is a process of its own
 * (probe/probe.h), of which there is one at a time. */
#include "guest/monitor/state.h"

#include <signal.h>
#include <sys/wait.h>

#include "base/text.h"
#include "guest/runtime/self.h"

/* Beyond its timeout a probe needs time for the runtime, and to write its result. One
 * that takes longer hangs. */
#define GRACE_MS 40000
#define NS_PER_MS 1000000

static void start_probe(struct monitor *m)
{
    char *argv[] = {(char *)"dray-guest", (char *)"probe", m->guest.root,
                    m->guest.run_root,    m->id,           NULL};
    const struct self_start how = {.argv = argv, .dies_with_us = true};
    self_start(&how, &m->probe);
}

/* The next probe, counted from now. */
static void plan_next(struct monitor *m)
{
    int64_t now = dr_clock_ms();
    int64_t delay_ns =
        health_delay_ns(&m->health, m->health_status, (now - m->started_ms) * NS_PER_MS);
    m->health_due_ms = now + (delay_ns + NS_PER_MS - 1) / NS_PER_MS;
}

void monitor_health_begin(struct monitor *m, const json_t *plan)
{
    m->has_health = plan != NULL;
    m->health_status = HEALTH_STARTING;
    if (!plan)
        return;
    m->health = health_check_of(plan);
    plan_next(m);
}

int monitor_health_wait_ms(const struct monitor *m)
{
    if (!m->has_health || m->init <= 0)
        return -1;
    int64_t left = m->health_due_ms - dr_clock_ms();
    return left <= 0 ? 0 : left < INT32_MAX ? (int)left : INT32_MAX;
}

void monitor_health_look(struct monitor *m)
{
    if (!m->has_health || m->init <= 0 || dr_clock_ms() < m->health_due_ms)
        return;
    if (m->probe > 0) {
        kill(m->probe, SIGKILL); /* its end is the next thing that we hear */
        m->health_due_ms = dr_clock_ms() + GRACE_MS;
        return;
    }
    start_probe(m);
    if (m->probe <= 0) { /* no memory, say */
        plan_next(m);
        return;
    }
    m->health_due_ms = dr_clock_ms() + m->health.timeout_ns / NS_PER_MS + GRACE_MS;
}

bool monitor_health_reaped(struct monitor *m, pid_t pid, int wait_status)
{
    if (m->probe <= 0 || pid != m->probe)
        return false;
    m->probe = 0;
    if (WIFEXITED(wait_status) && WEXITSTATUS(wait_status) <= HEALTH_UNHEALTHY)
        m->health_status = (enum health_status)WEXITSTATUS(wait_status);
    plan_next(m);
    return true;
}

void monitor_health_end(struct monitor *m)
{
    if (m->probe > 0) {
        kill(m->probe, SIGKILL);
        waitpid(m->probe, NULL, 0);
    }
    m->probe = 0;
    m->has_health = false;
}
