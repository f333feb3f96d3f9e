/* SPDX-License-Identifier: Apache-2.0 */
#include "guest/container/stop.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>

#include "base/fs.h"
#include "base/text.h"
#include "guest/cgroup/cgroup.h"
#include "guest/container/container.h"
#include "guest/container/event.h"
#include "guest/container/journal.h"
#include "guest/container/pause.h"
#include "guest/container/start.h"
#include "guest/monitor/monitor.h"

#define ASK_AGAIN_MS 250 /* for the lock, before the monitor is asked again */
#define CLEANUP_MS 20000 /* from SIGKILL to a monitor that has cleaned up */
#define KILL_MS 10000
#define BUSY_MS 20000 /* another command at work on it, or its monitor cleaning up */
#define TORN_MS 2000  /* the same for rm -f, which then takes the state for torn */
#define LOOK_MS 20    /* between two looks at what it has made of it */
#define ENDS_MAX 3    /* times that a container is ended that others start */

static int send_signal(int pidfd, int number)
{
    return (int)syscall(SYS_pidfd_send_signal, pidfd, number, NULL, 0);
}

/* A request on the socket; 0 or -1. signal: of "stop"; 0: none. */
static int ask(int monitor_fd, const char *op, int signal)
{
    dr_auto_json json_t *request = json_object();
    dr_json_set_str(request, "op", op);
    if (signal)
        dr_json_set_int(request, "signal", signal);
    return monitor_fd >= 0 ? monitor_send_json(monitor_fd, WIRE_REQUEST, request) : -1;
}

/* A connection on which the monitor will tell the end; -1: there is no monitor. */
static int subscribe(const struct container *c, const char *op, int signal)
{
    dr_auto_fd int fd = monitor_connect(c->run_dir);
    return ask(fd, op, signal) < 0 ? -1 : DR_TAKE_FD(fd);
}

static int not_running(const struct container *c, struct dr_error *err)
{
    if (strcmp(container_status(c), "running") == 0)
        /* its process is dead, its monitor is about to write that down */
        return dr_fail(err, DR_ERR_CONFLICT,
                       "container %s is not running: it has just ended",
                       container_name(c));
    return dr_fail(err, DR_ERR_CONFLICT, "container %s is not running (it is %s)",
                   container_name(c), container_status(c));
}

/* "stopping" while it may take its time (C20), and no pause from here on; a mark that
 * cannot be made is no loss. */
static void mark_stopping(const struct container *c)
{
    dr_auto_free char *mark = dr_path_join(c->run_dir, "stopping");
    dr_auto_fd int fd = open(mark, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
}

static void unmark_stopping(const struct container *c)
{
    dr_auto_free char *mark = dr_path_join(c->run_dir, "stopping");
    unlink(mark);
}

/*
 * As Docker's, a signal that is meant to end the container is also the end of its restart
 * policy; others are the container's own business. The monitor is told before the signal
 * can have its effect.
 */
int container_kill(struct guest *guest, const struct container *container, int signal,
                   struct dr_error *err)
{
    bool ends = signal == SIGKILL ||
                signal == dr_json_int(container->record, "stop_signal", SIGTERM);
    dr_auto_fd int pidfd = container_pidfd(container, NULL);
    bool waits = container_waits(container);
    if (pidfd < 0 && !(waits && ends))
        return not_running(container, err);
    dr_auto_fd int monitor_fd = ends ? subscribe(container, "stop", 0) : -1;
    if (signal == SIGKILL)
        mark_stopping(container);
    /* before its end can be told */
    container_event_int(guest, container, "kill", "signal", signal);
    if (pidfd >= 0 && send_signal(pidfd, signal) < 0) {
        if (errno == ESRCH)
            return not_running(container, err);
        return dr_fail_errno(err, DR_ERR_INTERNAL, "signal container %s",
                             container_name(container));
    }
    container_thaw(guest, container); /* as Docker: a paused one gets it, and runs on */
    if (monitor_fd >= 0 && (waits || signal == SIGKILL)) {
        dr_auto_error struct dr_error late = DR_ERROR_INIT;
        int64_t exit_code;
        container_wait_exit(NULL, monitor_fd, dr_clock_ms() + KILL_MS, &exit_code, &late);
    }
    return 0;
}

/* Kills what is left and waits for the monitor to clean up; does that itself when there
 * is no monitor. monitor_fd: a subscription or -1. */
static int kill_and_wait(struct guest *guest, const struct container *c, int monitor_fd,
                         struct dr_error *err)
{
    int64_t exit_code, deadline = dr_clock_ms() + CLEANUP_MS;
    dr_auto_fd int pidfd = container_pidfd(c, NULL);
    int asked = ask(monitor_fd, "stop", SIGKILL);
    if (pidfd >= 0) /* whatever the monitor is busy with */
        send_signal(pidfd, SIGKILL);
    mark_stopping(c);
    container_thaw(guest, c);
    if (asked == 0) {
        dr_auto_error struct dr_error late = DR_ERROR_INIT;
        if (container_wait_exit(NULL, monitor_fd, deadline, &exit_code, &late) == 1)
            return 0;
    }
    dr_auto_free char *cgroup = cgroup_path(c->id);
    deadline = dr_clock_ms() + CLEANUP_MS;
    for (;;) {
        if (cgroup_kill(cgroup, dr_clock_ms() + KILL_MS, err) < 0)
            return -1;
        if (container_settle(guest, c->id, ASK_AGAIN_MS, true, err) == 0)
            return 0;
        if (err->kind != DR_ERR_CONFLICT || dr_clock_ms() > deadline)
            return -1;
        /* One that takes it up again after a lost monitor did not listen yet when we
         * asked, and would start it for ever. */
        dr_auto_error struct dr_error late = DR_ERROR_INIT;
        dr_auto_fd int again_fd = monitor_connect(c->run_dir);
        if (ask(again_fd, "stop", SIGKILL) == 0 &&
            container_wait_exit(NULL, again_fd, deadline, &exit_code, &late) == 1) {
            dr_error_release(err);
            return 0;
        }
        dr_error_release(err);
    }
}

static int stop(struct guest *guest, const struct container *container, int64_t timeout_s,
                int signal, struct wire_chan *chan, struct dr_error *err)
{
    dr_auto_fd int monitor_fd = monitor_connect(container->run_dir);
    if (timeout_s < 0)
        timeout_s = dr_json_int(container->record, "stop_timeout_s", 10);
    int number =
        signal ? signal : (int)dr_json_int(container->record, "stop_signal", SIGTERM);
    if (monitor_fd < 0 || timeout_s == 0)
        return kill_and_wait(guest, container, monitor_fd, err);
    container_event_int(guest, container, "kill", "signal", number);
    mark_stopping(container);
    /* The monitor sends the signal: to whatever runs now, or to nothing when it waits for
     * the next run, which then does not come. */
    if (ask(monitor_fd, "stop", number) < 0)
        return kill_and_wait(guest, container, -1, err);
    container_thaw(guest, container);
    int64_t exit_code;
    dr_auto_error struct dr_error late = DR_ERROR_INIT;
    int ended = container_wait_exit(chan, monitor_fd, dr_clock_ms() + timeout_s * 1000,
                                    &exit_code, &late);
    if (ended == 1)
        return 0;
    if (ended < 0 && late.kind == DR_ERR_CANCELLED) {
        unmark_stopping(container);
        return dr_error_move(err, &late);
    }
    /* what runs now, if it was between two runs before */
    container_auto struct container now = {0};
    dr_auto_error struct dr_error ignored = DR_ERROR_INIT;
    bool same = container_load_state(guest, container->id, &now, &ignored) < 0;
    return kill_and_wait(guest, same ? container : &now, ended < 0 ? monitor_fd : -1,
                         err);
}

int container_stop_signal(const json_t *request, int *ret_signal, struct dr_error *err)
{
    int64_t number = dr_json_int(request, "signal", 0);
    if (number < 0 || number > 64)
        return dr_fail(err, DR_ERR_INVALID, "%lld is no signal", (long long)number);
    *ret_signal = (int)number;
    return 0;
}

int container_stop(struct guest *guest, const struct container *container,
                   int64_t timeout_s, int signal, struct wire_chan *chan,
                   struct dr_error *err)
{
    if (!container_is_up(container))
        return 0;
    if (stop(guest, container, timeout_s, signal, chan, err) < 0)
        return -1;
    container_event(guest, container, "stop", NULL, NULL);
    return 0;
}

/* What the state says of the end. */
static void known_end(const struct container *c, bool *ret_known, int64_t *ret_exit)
{
    json_t *code = json_object_get(c->state, "exit_code");
    *ret_known = json_is_integer(code);
    *ret_exit = json_integer_value(code);
}

static int never_started(const struct container *c, struct dr_error *err)
{
    return dr_fail(err, DR_ERR_CONFLICT, "container %s was never started",
                   container_name(c));
}

/* Was it stopped before its schedule's first time came? */
static bool never_ran(struct guest *guest, const char *id)
{
    container_auto struct container now = {0};
    dr_auto_error struct dr_error gone = DR_ERROR_INIT;
    return container_load_state(guest, id, &now, &gone) == 0 &&
           strcmp(container_status(&now), "created") == 0;
}

/* One look: 1 with the answer, 0: look again, -1. */
static int wait_once(struct guest *guest, const struct container *c,
                     struct wire_chan *chan, bool *ret_known, int64_t *ret_exit,
                     struct dr_error *err)
{
    if (strcmp(container_status(c), "created") == 0)
        return never_started(c, err);
    if (strcmp(container_status(c), "exited") == 0) {
        known_end(c, ret_known, ret_exit);
        return 1;
    }
    /* it runs, or is being removed with its end: then its monitor may still tell that */
    dr_auto_fd int fd = subscribe(c, "wait", 0);
    int told = fd >= 0 ? container_wait_exit(chan, fd, 0, ret_exit, err) : 0;
    if (told == 1 && *ret_exit < 0 && never_ran(guest, c->id))
        return never_started(c, err);
    if (told == 1)
        *ret_known = *ret_exit >= 0;
    return told;
}

int container_wait(struct guest *guest, const struct container *container,
                   struct wire_chan *chan, bool *ret_known, int64_t *ret_exit,
                   struct dr_error *err)
{
    int told = wait_once(guest, container, chan, ret_known, ret_exit, err);
    while (told == 0) {
        /* It ended just when we asked, or its monitor was killed; then it may be its
         * policy's turn. */
        container_auto struct container now = {0};
        dr_auto_error struct dr_error ignored = DR_ERROR_INIT;
        int settled = container_settle(guest, container->id, CLEANUP_MS, false, &ignored);
        dr_error_release(&ignored);
        *ret_known = false;
        if (container_load_state(guest, container->id, &now, &ignored) < 0) {
            if (ignored.kind != DR_ERR_NOT_FOUND)
                return 0;
            return dr_fail(err, DR_ERR_NOT_FOUND,
                           "container %s is gone; it was removed with its end",
                           container_name(container));
        }
        if (settled == 0 && container_is_up(&now)) {
            told = wait_once(guest, &now, chan, ret_known, ret_exit, err);
            continue;
        }
        known_end(&now, ret_known, ret_exit);
        return 0;
    }
    return told < 0 ? -1 : 0;
}

static int refuse_running(const struct container *c, struct dr_error *err)
{
    return dr_fail(err, DR_ERR_CONFLICT,
                   "container %s is %s; stop it first with `dray stop`, or use -f",
                   container_name(c), container_status(c));
}

/* Ends one that is up, for it to be removed. */
static int end_for_good(struct guest *guest, const struct container *c,
                        struct dr_error *err)
{
    dr_auto_fd int monitor_fd = monitor_connect(c->run_dir);
    if (kill_and_wait(guest, c, monitor_fd, err) == 0)
        return 0;
    if (err->code != ENOSPC && err->code != EDQUOT)
        return -1;
    dr_error_release(err); /* its end is not written down; it goes anyway (I7) */
    return 0;
}

/*
 * The lock of a container that nobody is at work on, as soon as that is so: who starts it
 * just now wins, and then it is a running one. Returns as journal_enter().
 */
static int take_lock(struct guest *guest, const struct container *container, bool force,
                     int *ret_lock, struct dr_error *err)
{
    int64_t deadline = dr_clock_ms() + (force ? TORN_MS : BUSY_MS);
    for (int ended = 0;;) {
        int taken = journal_enter(guest, container->id, LOOK_MS, ret_lock, err);
        if (taken != 1)
            return taken;
        container_auto struct container now = {0};
        dr_auto_error struct dr_error gone = DR_ERROR_INIT;
        bool up = container_load_state(guest, container->id, &now, &gone) == 0 &&
                  container_is_up(&now);
        if (up && !force)
            return refuse_running(&now, err);
        if (up && ended++ < ENDS_MAX) {
            if (end_for_good(guest, &now, err) < 0)
                return -1;
        } else if (dr_clock_ms() >= deadline) {
            return 1;
        }
    }
}

int container_remove(struct guest *guest, const struct container *container, bool force,
                     bool volumes, struct dr_error *err)
{
    if (container_is_up(container) && !force)
        return refuse_running(container, err);
    if (container_is_up(container) && end_for_good(guest, container, err) < 0)
        return -1;
    dr_auto_fd int lock = -1;
    int taken = take_lock(guest, container, force, &lock, err);
    if (taken == 1 && force) {
        /* Somebody has it whom its state does not tell of: the state is torn. Without
         * processes its monitor goes as well. */
        dr_auto_free char *cgroup = cgroup_path(container->id);
        if (cgroup_kill(cgroup, dr_clock_ms() + KILL_MS, err) < 0)
            return -1;
        taken = journal_enter(guest, container->id, CLEANUP_MS, &lock, err);
    }
    if (taken < 0)
        return -1;
    if (taken == 1)
        return dr_fail(err, DR_ERR_CONFLICT, "another command is at work on container %s",
                       container_name(container));
    return container_destroy_by_name(guest, container->id, volumes, err);
}
