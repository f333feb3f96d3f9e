/* SPDX-License-Identifier: Apache-2.0 */
#include "guest/monitor/monitor.h"

#include <fcntl.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/stat.h>

#include "base/fs.h"
#include "base/text.h"
#include "guest/cgroup/cgroup.h"
#include "guest/monitor/state.h"

#define REQUEST_MS 10000

static void take_paths(struct monitor *m, const json_t *request)
{
    m->guest.root = dr_strdup(dr_json_str(request, "root"));
    m->guest.run_root = dr_strdup(dr_json_str(request, "run_root"));
    m->guest.bundle_root = dr_strdup(dr_json_str(request, "bundle_root"));
    m->guest.log_root = dr_strdup(dr_json_str(request, "log_root"));
    m->guest.network_strict = dr_json_bool(request, "network_strict");
    const char *boot_id = dr_json_str(request, "boot_id");
    snprintf(m->guest.boot_id, sizeof m->guest.boot_id, "%s", boot_id ? boot_id : "");
    m->id = dr_strdup(dr_json_str(request, "id"));
    m->run_dir = dr_path_join(m->guest.run_root, m->id);
    m->state_root = dr_path_join(m->run_dir, "rt");
    m->rootfs = dr_path_join(dr_json_str(request, "bundle"), "rootfs");
    m->cgroup = cgroup_path(m->id);
    m->auto_remove = dr_json_bool(request, "auto_remove");
    m->tty = dr_json_bool(request, "tty");
    m->stdin_keep = dr_json_bool(request, "stdin_keep");
    monitor_schedule_take(m, request);
}

static int become_monitor(struct monitor *m)
{
    /* what the runtime leaves behind becomes our child: the container's first process */
    if (prctl(PR_SET_CHILD_SUBREAPER, 1) < 0)
        return -1;
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGCHLD);
    sigaddset(&set, SIGTERM);
    sigprocmask(SIG_BLOCK, &set, NULL);
    static const int ignored[] = {SIGHUP,  SIGINT,  SIGQUIT, SIGPIPE,
                                  SIGTSTP, SIGTTIN, SIGTTOU};
    for (size_t i = 0; i < DR_COUNT(ignored); i++)
        signal(ignored[i], SIG_IGN);
    umask(022);
    if (chdir("/") < 0)
        return -1;
    m->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    return m->signal_fd < 0 ? -1 : 0;
}

/* The first run, which a person waits for, or the wait for it. Returns the exit status of
 * a start that failed, 0 when the container runs. */
static int begin(struct monitor *m, const json_t *request)
{
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    struct monitor_client *client = monitor_client_add(m, MONITOR_CLIENT_FD);
    client->waits = true;
    client->attached = client->of_run = dr_json_bool(request, "attach");
    if (client->attached)
        monitor_client_widen(client);
    client->stdin_open = client->attached && dr_json_bool(request, "write_stdin");
    monitor_resize(m, request);
    if ((m->scheduled ? monitor_arm : monitor_start)(m, request, &err) < 0) {
        monitor_roll_back(m, dr_json_bool(request, "destroy_on_failure"), &err);
        dr_auto_json json_t *json = wire_error_to_json(&err, DR_AT_GUEST);
        fcntl(MONITOR_CLIENT_FD, F_SETFL, 0); /* the whole of it, however long it is */
        monitor_send_json(MONITOR_CLIENT_FD, WIRE_ERROR, json);
        return 1;
    }
    return 0;
}

/* Until the container has ended for good. runs: it does; else its turn comes first. */
static void live(struct monitor *m, bool runs)
{
    if (!runs && !monitor_resume(m)) {
        monitor_finish(m);
        return;
    }
    m->chunk = malloc(MONITOR_CHUNK);
    if (!m->chunk)
        abort();
    do {
        malloc_trim(0);
        monitor_take_end(m, monitor_loop(m));
    } while (monitor_restart(m));
    monitor_finish(m);
}

/* A container whose monitor was lost, or the guest's last boot: nobody waits for its
 * start, and it is tried until it succeeds. */
static void resume(struct monitor *m, json_t *request)
{
    json_t *code = json_object_get(request, "exit_code");
    close(MONITOR_CLIENT_FD);
    m->first_request = request;
    m->runs = 1; /* that was the lost one's */
    m->restart_count = dr_json_int(request, "restart_count", 0);
    m->exit_known = json_is_integer(code);
    m->exit_code = (int)json_integer_value(code);
    /* it can be stopped however long its start takes */
    m->listen_fd = monitor_listen(m->run_dir);
    if (m->scheduled) {
        monitor_schedule_plan(m);
        monitor_schedule_write(m);
    }
    live(m, false);
}

int monitor_main(int argc, char **argv)
{
    struct monitor m = {.listen_fd = -1,
                        .signal_fd = -1,
                        .timer_fd = -1,
                        .stdin_fd = -1,
                        .proxy_log_fd = -1,
                        .console = CONSOLE_INIT,
                        .output_fds = {-1, -1, -1},
                        .log = {.fd = -1}};
    struct stat st;
    if (fstat(MONITOR_CLIENT_FD, &st) < 0 || !S_ISSOCK(st.st_mode) ||
        fstat(MONITOR_LOCK_FD, &st) < 0) {
        fprintf(stderr, "dray-guest monitor is started by dray-guest serve\n");
        return 2;
    }
    fcntl(MONITOR_CLIENT_FD, F_SETFD, FD_CLOEXEC);
    fcntl(MONITOR_LOCK_FD, F_SETFD, FD_CLOEXEC);
    struct monitor_frame frame = {0};
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    if (become_monitor(&m) < 0 ||
        monitor_receive(MONITOR_CLIENT_FD, dr_clock_ms() + REQUEST_MS, &frame, &err) <= 0)
        return 1;
    if (!dr_json_str(frame.json, "id") || !dr_json_str(frame.json, "bundle"))
        return 1;
    take_paths(&m, frame.json);
    if (dr_json_bool(frame.json, "resume")) {
        resume(&m, frame.json);
    } else {
        int status = begin(&m, frame.json);
        if (status != 0)
            return status;
        json_decref(DR_TAKE(frame.json));
        live(&m, !m.scheduled);
    }
    return 0;
}
