/* SPDX-License-Identifier: Apache-2.0 */
/* The time between two runs: the end of one is written down, the policy is asked, the
 * next one is started, as often as it takes. */
#include "guest/monitor/state.h"

#include <fcntl.h>
#include <signal.h>
#include <string.h>

#include "base/fs.h"
#include "base/text.h"
#include "guest/container/policy.h"
#include "guest/container/record.h"
#include "guest/container/start.h"

void monitor_stop(struct monitor *m, int signal)
{
    dr_auto_free char *mark = dr_path_join(m->run_dir, CONTAINER_STOPPED);
    /* for who comes when this process is killed; without room it is still in memory */
    dr_auto_fd int fd = open(mark, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    m->stopped = true;
    if (signal > 0 && m->init > 0)
        kill(m->init, signal);
}

/* The state says what the policy is: it can be changed while the container runs. */
static bool wanted(struct monitor *m)
{
    container_auto struct container c = {0};
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    if (m->auto_remove || m->stopped || m->shutting_down ||
        container_load_state(&m->guest, m->id, &c, &err) < 0 || !c.state)
        return false;
    struct restart_rule rule = restart_rule_of(c.state);
    rule.count = m->restart_count;
    struct restart_end end = {.known = m->exit_known, .exit_code = m->exit_code};
    return restart_wanted(&rule, &end);
}

/* Docker's clients are detached at a restart; who waits hears the last end only. */
static void detach_clients(struct monitor *m)
{
    for (struct monitor_client *client = m->clients; client; client = client->next)
        if (client->of_run)
            monitor_client_exited(m, client, true);
    monitor_clients_sweep(m);
}

/* Serves clients until the next run's turn. False: there is to be none. */
static bool wait_turn(struct monitor *m)
{
    if (m->scheduled)
        return monitor_schedule_wait(m);
    int64_t due = dr_clock_ms() + m->delay_ms, left;
    int status;
    while (!m->stopped && !m->shutting_down && (left = due - dr_clock_ms()) > 0)
        monitor_turn(m, (int)left, &status);
    return !m->stopped && !m->shutting_down;
}

/* What it is between two runs. */
static const char *waiting(const struct monitor *m)
{
    return m->scheduled ? "scheduled" : "restarting";
}

static void count_restart(struct monitor *m, int64_t ran_ms)
{
    m->restart_count++;
    m->delay_ms = restart_delay_ms(m->delay_ms, ran_ms);
}

/* A start that failed counts as a run that did: with the error, and the code of it. */
static void take_failure(struct monitor *m, const struct dr_error *why)
{
    dr_auto_error struct dr_error ignored = DR_ERROR_INIT;
    m->init = 0;
    monitor_clear_run(m, &ignored);
    if (m->scheduled)
        monitor_schedule_plan(m);
    m->failed_count++;
    m->exit_known = true;
    m->exit_code = why->code > 0 && why->code < 256 ? why->code : 128;
    m->oom_killed = false;
    monitor_write_end(m, waiting(m), why->text);
}

static int start_again(struct monitor *m)
{
    container_auto struct container c = {0};
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    dr_auto_json json_t *request = NULL;
    if (m->first_request)
        request = json_incref(m->first_request); /* it was never prepared */
    else if (container_load(&m->guest, m->id, &c, &err) == 0)
        request = container_run_request(&c);
    m->run_count++;
    if (request && monitor_start(m, request, &err) == 0) {
        json_decref(DR_TAKE(m->first_request));
        return 0;
    }
    take_failure(m, &err);
    return -1;
}

bool monitor_resume(struct monitor *m)
{
    while (wait_turn(m)) {
        if (start_again(m) == 0)
            return true;
        if (!wanted(m))
            return false;
        if (!m->scheduled)
            count_restart(m, 0);
    }
    return false;
}

bool monitor_restart(struct monitor *m)
{
    dr_auto_error struct dr_error ignored = DR_ERROR_INIT;
    if (!m->exit_known || m->exit_code != 0)
        m->failed_count++;
    if (!wanted(m))
        return false;
    if (m->scheduled)
        monitor_schedule_plan(m);
    else
        count_restart(m, dr_clock_ms() - m->started_ms);
    monitor_ports_pause(m);
    monitor_write_end(m, waiting(m), NULL);
    /* what cannot be removed now makes the next start fail, which is tried again */
    monitor_clear_run(m, &ignored);
    detach_clients(m);
    return monitor_resume(m);
}
