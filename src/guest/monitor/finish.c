/* SPDX-License-Identifier: Apache-2.0 */
#include "guest/monitor/state.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/wait.h>

#include "base/fs.h"
#include "base/text.h"
#include "guest/cgroup/cgroup.h"
#include "guest/container/again.h"
#include "guest/container/container.h"
#include "guest/container/event.h"
#include "guest/container/journal.h"
#include "guest/container/record.h"
#include "guest/net/net.h"

#define KILL_MS 10000

void monitor_unmount(struct monitor *m)
{
    if (m->rootfs)
        umount2(m->rootfs, MNT_DETACH);
}

/* Processes that the container left in its cgroup (there are none when it had a pid
 * namespace), then the cgroup. */
static int clear_cgroup(const struct monitor *m, struct dr_error *err)
{
    dr_auto_error struct dr_error busy = DR_ERROR_INIT;
    if (cgroup_remove(m->cgroup, &busy) == 0)
        return 0;
    if (cgroup_kill(m->cgroup, dr_clock_ms() + KILL_MS, err) < 0)
        return -1;
    return cgroup_remove(m->cgroup, err);
}

/* A full disk must not cost the exit code: the run directory, mostly another file system,
 * takes it until the next command (reconcile) can write it where it belongs. */
static int write_end(struct container *c, struct dr_error *err)
{
    if (container_note_state(c, err) == 0)
        return 0;
    dr_auto_error struct dr_error ignored = DR_ERROR_INIT;
    dr_auto_free char *path = dr_path_join(c->run_dir, CONTAINER_KEPT_END);
    dr_auto_free char *text = dr_json_text(c->state);
    dr_file_write(AT_FDCWD, path, text, strlen(text), 0600, 0, &ignored);
    return -1;
}

/* The event of a run's end, once its state says the same: who hears it looks there. */
static void tell_end(struct monitor *m)
{
    if (!m->end_untold)
        return;
    m->end_untold = false;
    container_auto struct container c = {0};
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    if (container_load_state(&m->guest, m->id, &c, &err) < 0 || !c.state)
        return;
    if (m->oom_killed)
        container_event(&m->guest, &c, "oom", NULL, NULL);
    container_event_int(&m->guest, &c, "die", "exitCode", m->exit_code);
}

void monitor_take_end(struct monitor *m, int wait_status)
{
    m->exit_known = true;
    m->exit_code =
        WIFEXITED(wait_status) ? WEXITSTATUS(wait_status) : 128 + WTERMSIG(wait_status);
    /* only a kill can be the OOM killer's; looking costs some calls */
    m->oom_killed = m->exit_code == 137 && cgroup_oom_kills(m->cgroup) > 0;
    m->end_untold = true;
}

static json_t *exit_code_json(const struct monitor *m)
{
    return m->exit_known ? json_integer(m->exit_code) : json_null();
}

int monitor_write_end(struct monitor *m, const char *status, const char *error)
{
    container_auto struct container c = {0};
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    dr_auto_fd int lock = container_state_lock(&m->guest, m->id);
    if (container_load_state(&m->guest, m->id, &c, &err) < 0 || !c.state)
        return -1;
    bool waits = strcmp(status, "restarting") == 0 || strcmp(status, "scheduled") == 0;
    bool never_ran = m->scheduled && m->run_count == 0;
    dr_json_set_str(c.state, "status", never_ran && !waits ? "created" : status);
    if (!never_ran) {
        dr_json_set(c.state, "exit_code", exit_code_json(m));
        dr_json_set_int(c.state, "finished_ns", dr_now_ns());
    }
    dr_json_set_bool(c.state, "oom_killed", m->oom_killed);
    dr_json_set_int(c.state, "pid", 0);
    dr_json_set_int(c.state, "restart_count", m->restart_count);
    if (!waits) /* which keeps them */
        json_object_del(c.state, "ports");
    monitor_schedule_note(m, c.state, waits);
    if (error)
        dr_json_set_str(c.state, "error", error);
    if (m->stopped)
        dr_json_set_bool(c.state, "stopped", true);
    if (m->log.lost_bytes > 0)
        dr_json_set_int(c.state, "log_lost_bytes", m->log.lost_bytes);
    int result = write_end(&c, &err);
    tell_end(m);
    return result;
}

int monitor_clear_run(struct monitor *m, struct dr_error *err)
{
    net_down(&m->guest, m->id);
    if (clear_cgroup(m, err) < 0)
        return -1;
    return dr_remove_all(AT_FDCWD, m->state_root, err);
}

#define LATE_MS 200 /* between a client's connect and its first words */

/* Who connected while we were cleaning up wants to know as well. The socket's name is
 * gone by now, so nobody comes after these. */
static void hear_late_clients(struct monitor *m)
{
    monitor_accept(m);
    for (struct monitor_client *client = m->clients; client; client = client->next) {
        struct pollfd fd = {.fd = client->fd, .events = POLLIN};
        if (!client->waits && !client->leaving && poll(&fd, 1, LATE_MS) > 0)
            monitor_client_read(m, client);
    }
}

static void let_go(struct monitor *m)
{
    close(m->listen_fd);
    m->listen_fd = -1;
    close(MONITOR_LOCK_FD);
}

void monitor_client_exited(struct monitor *m, struct monitor_client *client,
                           bool restarting)
{
    dr_auto_json json_t *event = json_object();
    dr_json_set_str(event, "event", "exited");
    dr_json_set(event, "exit_code", exit_code_json(m));
    dr_json_set_bool(event, "oom_killed", m->oom_killed);
    if (restarting)
        dr_json_set_bool(event, "restarting", true);
    dr_auto_free char *text = dr_json_text(event);
    monitor_client_send(client, WIRE_EVENT, 0, text, strlen(text));
    client->attached = client->waits = client->stdin_open = false;
    client->leaving = true;
}

static void tell_clients(struct monitor *m)
{
    for (struct monitor_client *client = m->clients; client; client = client->next)
        if (client->waits)
            monitor_client_exited(m, client, false);
}

/* Of a container that goes with its end: those who attached or stopped it hear when it is
 * gone, the others now. */
static void tell_who_asks(struct monitor *m)
{
    bool written = false;
    for (struct monitor_client *client = m->clients; client; client = client->next) {
        if (!client->waits || !client->asks_code)
            continue;
        if (!written)
            monitor_write_end(m, "exited", NULL);
        written = true;
        monitor_client_exited(m, client, false);
    }
}

/* The last output of slow readers, who do not wait for each other; one that is gone is
 * dropped. */
static void flush_clients(struct monitor *m)
{
    monitor_clients_sweep(m);
    while (monitor_flush_clients(m))
        ;
}

/* A restart wants it back (container/again.c). */
static bool is_kept(const struct monitor *m)
{
    dr_auto_free char *mark = dr_path_join(m->run_dir, CONTAINER_KEEP);
    return access(mark, F_OK) == 0;
}

/*
 * Who waits hears the end as soon as it is written. What comes then may take its time:
 * letting go of the root file system writes to the disk whatever was changed in it, and
 * others' things with it. Whoever wants the container next waits for the lock.
 */
static void finish(struct monitor *m)
{
    container_auto struct container c = {0};
    dr_auto_error struct dr_error err = DR_ERROR_INIT, ignored = DR_ERROR_INIT;
    /* the end first: cleaning up can be done again, an exit status cannot be got back */
    int written = monitor_write_end(m, "exited", NULL);
    if (written == 0)
        tell_clients(m);
    monitor_unmount(m);
    if (written == 0 && container_load_state(&m->guest, m->id, &c, &err) == 0)
        container_sync_state(&c);
    dr_error_release(&err);
    net_down(&m->guest, m->id);
    if (clear_cgroup(m, &err) == 0 && written == 0)
        journal_leave(&m->guest, m->id, -1, &err);
    else /* the entry stays, for the next command to finish */
        dr_remove_all(AT_FDCWD, m->state_root, &ignored);
}

void monitor_finish(struct monitor *m)
{
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    log_close(&m->log);
    monitor_ports_close(m); /* who hears of the end may want them */
    if (m->auto_remove && !is_kept(m)) {
        tell_who_asks(m);
        tell_end(m);
        monitor_unmount(m);
        /* it is gone for everybody; the kernel takes its time with links, which nobody
         * needs to wait for */
        if (container_destroy_files(&m->guest, m->id, true, &err) == 0) {
            tell_clients(m);
            container_destroy_rest(&m->guest, m->id, &err);
        }
    } else {
        finish(m);
    }
    hear_late_clients(m);
    let_go(m);
    tell_clients(m);
    flush_clients(m);
    monitor_ports_end(m, true);
}

/*
 * What a runtime that died had forked is ours now, and may not be in the cgroup yet: it
 * would go on and make one behind our back (youki's and crun's intermediate processes).
 */
static void kill_children(void)
{
    for (int64_t end = dr_clock_ms() + KILL_MS; dr_clock_ms() < end;) {
        FILE *file = fopen("/proc/thread-self/children", "re");
        if (!file)
            return;
        long pid;
        while (fscanf(file, "%ld", &pid) == 1)
            kill((pid_t)pid, SIGKILL);
        fclose(file);
        pid_t reaped;
        while ((reaped = waitpid(-1, NULL, WNOHANG)) > 0)
            ;
        if (reaped < 0 && errno == ECHILD)
            return;
        poll(NULL, 0, 1);
    }
}

void monitor_roll_back(struct monitor *m, bool destroy, const struct dr_error *why)
{
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    log_close(&m->log);
    monitor_ports_end(m, false);
    kill_children();
    monitor_unmount(m);
    if (destroy) {
        container_destroy_by_name(&m->guest, m->id, true, &err);
    } else {
        container_auto struct container c = {0};
        /* a runtime that was killed at the wrong moment has started the container: its
         * processes go first, or each hierarchy is tried for a second in vain */
        if (cgroup_kill(m->cgroup, dr_clock_ms() + KILL_MS, &err) == 0)
            clear_cgroup(m, &err);
        dr_error_release(&err);
        net_down(&m->guest, m->id);
        dr_auto_fd int lock = container_state_lock(&m->guest, m->id);
        if (container_load_state(&m->guest, m->id, &c, &err) == 0 && c.state) {
            dr_json_set_str(c.state, "error", why->text);
            if (why->code > 0)
                dr_json_set_int(c.state, "exit_code", why->code);
            dr_error_release(&err);
            container_write_state(&c, &err);
        }
        dr_error_release(&err);
        journal_leave(&m->guest, m->id, -1, &err);
    }
    close(MONITOR_LOCK_FD);
}
