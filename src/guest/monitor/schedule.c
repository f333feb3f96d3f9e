/* SPDX-License-Identifier: Apache-2.0 */
/* The time between two runs of a container that has a schedule. */
#include "guest/monitor/state.h"

#include <errno.h>
#include <malloc.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "base/text.h"
#include "guest/container/due.h"
#include "guest/container/record.h"

#define NS_PER_S 1000000000LL
/* A clock that is put back by less runs nothing again that has run: cron(8). What goes by
 * the clock does so again after a minute. */
#define BACK_NS (3 * 3600 * NS_PER_S)
#define BACK_BY_THE_CLOCK_NS (60 * NS_PER_S)

void monitor_schedule_take(struct monitor *m, const json_t *request)
{
    dr_auto_error struct dr_error ignored = DR_ERROR_INIT; /* it was checked at create */
    const char *text = dr_json_str(request, "schedule");
    m->scheduled = text && spec_schedule_parse(text, &m->schedule, &ignored) == 0;
    m->run_count = dr_json_int(request, "run_count", 0);
    m->failed_count = dr_json_int(request, "failed_count", 0);
    if (m->scheduled) { /* what stays the last end until there is another one */
        json_t *code = json_object_get(request, "exit_code");
        m->exit_known = json_is_integer(code);
        m->exit_code = (int)json_integer_value(code);
    }
}

/* Time that also passes while the machine sleeps, and that nobody sets. */
static int64_t since_boot_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_BOOTTIME, &now);
    return now.tv_sec * NS_PER_S + now.tv_nsec;
}

/* @every: counted from the last one's time; those that have passed are left out. */
static void plan_every(struct monitor *m)
{
    int64_t now = since_boot_ns(), every = m->schedule.every_ns;
    if (m->every_due_ns == 0)
        m->every_due_ns = now;
    m->every_due_ns += (1 + (now - m->every_due_ns) / every) * every;
    m->due_ns = dr_now_ns() + m->every_due_ns - now;
}

static void plan_at(struct monitor *m)
{
    int64_t after = dr_now_ns();
    int64_t back = m->schedule.by_the_clock ? BACK_BY_THE_CLOCK_NS : BACK_NS;
    if (m->last_due_ns > after && m->last_due_ns - after < back)
        after = m->last_due_ns;
    tzset(); /* the guest's zone may have changed */
    int64_t due_s = due_after(&m->schedule, after / NS_PER_S);
    m->due_ns = due_s < 0 ? INT64_MAX : due_s * NS_PER_S;
}

void monitor_schedule_plan(struct monitor *m)
{
    if (m->schedule.every_ns > 0)
        plan_every(m);
    else
        plan_at(m);
}

void monitor_schedule_note(const struct monitor *m, json_t *state, bool waits)
{
    if (!m->scheduled)
        return;
    dr_json_set_int(state, "run_count", m->run_count);
    dr_json_set_int(state, "failed_count", m->failed_count);
    if (waits)
        dr_json_set_int(state, "next_run_ns", m->due_ns);
    else
        json_object_del(state, "next_run_ns");
}

/* The timer goes off at due_ns, and when somebody sets the clock or the machine has
 * slept.
 */
static void set_timer(struct monitor *m)
{
    const struct itimerspec at = {
        .it_value = {.tv_sec = m->due_ns / NS_PER_S, .tv_nsec = m->due_ns % NS_PER_S}};
    while (timerfd_settime(m->timer_fd, TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET, &at,
                           NULL) < 0)
        if (errno != ECANCELED) /* it is set: the clock was, too, meanwhile */
            return;
}

static bool is_due(const struct monitor *m)
{
    return m->schedule.every_ns > 0 ? since_boot_ns() >= m->every_due_ns
                                    : dr_now_ns() >= m->due_ns;
}

void monitor_schedule_write(const struct monitor *m)
{
    container_auto struct container c = {0};
    dr_auto_error struct dr_error ignored = DR_ERROR_INIT;
    dr_auto_fd int lock = container_state_lock(&m->guest, m->id);
    if (container_load_state(&m->guest, m->id, &c, &ignored) < 0 || !c.state)
        return;
    monitor_schedule_note(m, c.state, true);
    container_note_state(&c, &ignored);
}

/* Did the timer go off? When it did because the clock was set, a time that has come by
 * that is due, once however many they were; else the next one may be another one now. */
static bool look_at_timer(struct monitor *m)
{
    uint64_t times;
    if (read(m->timer_fd, &times, sizeof times) == (ssize_t)sizeof times)
        return is_due(m);
    if (errno != ECANCELED)
        return false;
    if (is_due(m))
        return true;
    if (m->schedule.every_ns > 0)
        m->due_ns = dr_now_ns() + m->every_due_ns - since_boot_ns();
    else
        plan_at(m);
    monitor_schedule_write(m);
    set_timer(m);
    return false;
}

bool monitor_schedule_wait(struct monitor *m)
{
    int status;
    bool due = false;
    m->timer_fd = timerfd_create(CLOCK_REALTIME, TFD_CLOEXEC | TFD_NONBLOCK);
    set_timer(m);
    malloc_trim(0); /* it may be long */
    while (!due && !m->stopped && !m->shutting_down) {
        monitor_turn(m, -1, &status);
        due = look_at_timer(m);
    }
    close(m->timer_fd);
    m->timer_fd = -1;
    m->last_due_ns = m->due_ns;
    return due && !m->stopped && !m->shutting_down;
}
