/* SPDX-License-Identifier: Apache-2.0 */
#include "guest/monitor/state.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/fs.h"
#include "base/text.h"
#include "guest/bundle/bundle.h"
#include "guest/cgroup/cgroup.h"
#include "guest/container/event.h"
#include "guest/container/filter.h"
#include "guest/container/ports.h"
#include "guest/container/record.h"
#include "guest/init/carry.h"
#include "guest/monitor/setup.h"
#include "guest/net/net.h"
#include "guest/runtime/children.h"
#include "guest/runtime/runtime.h"

#define RUNTIME_MS 120000          /* a runtime that takes longer hangs */
#define COMPLAINT_MAX (256u << 10) /* what a failing runtime may say on stderr */

/* Both ends of what the runtime gets as 0, 1 and 2. Of a container with a terminal that
 * is only the runtime's stderr, and the container gets what comes by the socket. */
struct stdio {
    int ours[3], theirs[3];
};

static void stdio_close(int fds[3])
{
    for (int i = 0; i < 3; i++)
        if (fds[i] >= 0)
            close(fds[i]);
    fds[0] = fds[1] = fds[2] = -1;
}

static int make_stdio(struct monitor *m, struct stdio *io, bool with_stdin,
                      struct dr_error *err)
{
    if (m->tty && console_listen(&m->console, m->run_dir, "tty.sock", err) < 0)
        return -1;
    for (int i = m->tty ? 2 : with_stdin ? 0 : 1; i < 3; i++) {
        int fds[2];
        if (pipe2(fds, O_CLOEXEC) < 0)
            return dr_fail_errno(err, DR_ERR_START, "make pipes");
        io->ours[i] = fds[i == 0 ? 1 : 0];
        io->theirs[i] = fds[i == 0 ? 0 : 1];
        fcntl(io->ours[i], F_SETFL, O_NONBLOCK); /* of our end alone */
        fcntl(io->ours[i], F_SETPIPE_SZ, MONITOR_PIPE);
    }
    return 0;
}

/* The terminal takes the place of the pipes. */
static int take_terminal(struct monitor *m, struct stdio *io, bool with_stdin,
                         struct dr_error *err)
{
    if (console_take(&m->console, err) < 0)
        return -1;
    stdio_close(io->ours); /* the runtime's stderr: what it said is read */
    io->ours[1] = fcntl(m->console.master, F_DUPFD_CLOEXEC, 3);
    if (with_stdin)
        io->ours[0] = fcntl(m->console.master, F_DUPFD_CLOEXEC, 3);
    if (io->ours[1] < 0 || (with_stdin && io->ours[0] < 0))
        return dr_fail_errno(err, DR_ERR_START, "take the terminal");
    return 0;
}

/* Once in the monitor's life: its mounts, its log, its socket. After a failure nothing of
 * it is left and it can be tried again. */
static int prepare(struct monitor *m, const json_t *request,
                   const struct runtime *runtime, struct dr_error *err)
{
    bool hide = runtime->traits->no_hybrid_cgroup && cgroup_mode() == CGROUP_HYBRID;
    const char *log = dr_json_str(request, "log");
    dr_auto_free char *dir = container_dir(&m->guest, m->id);
    dr_auto_free char *upper = dr_path_join(dir, "upper");
    dr_auto_free char *work = dr_path_join(dir, "work");
    setup_wait_viewers(upper);
    if (monitor_ports_open(m, dr_json_array(request, "ports"), err) < 0)
        return -1; /* a busy port is told before anything was made */
    if (setup_namespace(hide, err) < 0 ||
        setup_overlay(dr_json_array(request, "lowers"), upper, work, m->rootfs,
                      m->auto_remove, err) < 0) {
        monitor_ports_end(m, false);
        return -1;
    }
    int result = setup_mount_points(m->rootfs, err);
    if (result == 0)
        result = setup_workdir(
            m->rootfs, dr_json_str(dr_json_object(request, "process"), "cwd"), err);
    if (result == 0)
        result = setup_volumes(m->rootfs, dr_json_array(request, "volumes"), err);
    if (result == 0 && log)
        result = log_open(&m->log, log, dr_json_int(request, "log_max_size_bytes", 0),
                          (unsigned)dr_json_int(request, "log_max_files", 0), err);
    if (result == 0 && m->listen_fd < 0 &&
        (m->listen_fd = monitor_listen(m->run_dir)) < 0)
        result = dr_fail_errno(err, DR_ERR_START, "listen in %s", m->run_dir);
    if (result < 0) {
        log_close(&m->log);
        monitor_unmount(m);
        monitor_ports_end(m, false);
    }
    m->prepared = result == 0;
    return result;
}

/* Before every other run: the last one may have put anything in these places. */
static int put_right(struct monitor *m, const json_t *request, struct dr_error *err)
{
    if (setup_mount_points(m->rootfs, err) < 0)
        return -1;
    return setup_workdir(m->rootfs,
                         dr_json_str(dr_json_object(request, "process"), "cwd"), err);
}

/* One that `run` has made becomes a container with that. */
static int write_start(const struct container *c, const json_t *request,
                       struct dr_error *err)
{
    bool first = dr_json_bool(c->state, "for_run");
    json_object_del(c->state, "for_run");
    return first ? container_commit_state(c, dr_json_str(request, "bundle"), err)
                 : container_write_state(c, err);
}

static int record_start(struct monitor *m, const struct runtime *runtime,
                        const json_t *request, struct dr_error *err)
{
    container_auto struct container c = {0};
    dr_auto_fd int lock = container_state_lock(&m->guest, m->id);
    if (container_load_state(&m->guest, m->id, &c, err) < 0)
        return -1;
    if (!c.state)
        return dr_fail(err, DR_ERR_START, "the container's state is gone");
    dr_json_set_str(c.state, "status", "running");
    dr_json_set_int(c.state, "pid", m->init);
    dr_json_set_int(c.state, "pid_start", container_pid_start(m->init));
    dr_json_set_int(c.state, "monitor_pid", getpid());
    dr_json_set_str(c.state, "boot_id", m->guest.boot_id);
    dr_json_set_str(c.state, "runtime", runtime->path);
    dr_json_set_int(c.state, "started_ns", dr_now_ns());
    dr_json_set(c.state, "exit_code", json_null()); /* finished_ns: still the last end */
    dr_json_set_bool(c.state, "oom_killed", false);
    json_object_del(c.state, "error");
    dr_json_set_int(c.state, "restart_count", m->restart_count);
    dr_auto_json json_t *published = ports_json(&m->ports);
    dr_auto_json json_t *ports =
        container_ports_shown(published, dr_json_object(request, "exposed"));
    if (json_array_size(ports) > 0)
        dr_json_set(c.state, "ports", json_incref(ports));
    if (dr_json_object(request, "health"))
        dr_json_set_str(c.state, "health", health_status_name(HEALTH_STARTING));
    json_object_del(c.state, "stopped");
    monitor_schedule_note(m, c.state, false);
    if (write_start(&c, request, err) < 0)
        return -1;
    container_event(&m->guest, &c, "start", NULL, NULL);
    if (c.end_is_kept) { /* of the run before, and nothing any more */
        dr_auto_free char *path = dr_path_join(m->run_dir, CONTAINER_KEPT_END);
        unlink(path);
    }
    return 0;
}

/* What is in the root file system and in config.json counts for more than the runtime's
 * words. */
static void explain(const struct monitor *m, const json_t *request,
                    const struct runtime *runtime, struct dr_error *err)
{
    const json_t *process = dr_json_object(request, "process");
    const char *bundle = dr_json_str(request, "bundle");
    int code = setup_command_code(m->rootfs, process);
    if (code) {
        err->code = code;
        return;
    }
    dr_auto_free char *path = dr_path_join(bundle ? bundle : "", "config.json");
    dr_auto_buf struct dr_buf text = DR_BUF_INIT(RECORD_MAX);
    dr_auto_error struct dr_error ignored = DR_ERROR_INIT;
    dr_auto_json json_t *config = NULL;
    if (dr_file_read(AT_FDCWD, path, &text, &ignored) == 0)
        config = bundle_parse(text.data ? text.data : "", text.len, &ignored);
    const json_t *resources =
        dr_json_object(dr_json_object(config, "linux"), "resources");
    dr_auto_fd int root = open(m->rootfs, O_PATH | O_DIRECTORY | O_CLOEXEC);
    const struct runtime_blame blame = {
        .root = root,
        .cwd = dr_json_str(process, "cwd"),
        .pids_limit = dr_json_int(dr_json_object(resources, "pids"), "limit", 0),
        .mounts = dr_json_array(config, "mounts")};
    runtime_explain(runtime, &blame, err);
}

/* Runs the runtime; m->init is the container's first process then. */
static int run(struct monitor *m, const json_t *request, const struct runtime_call *call,
               struct carried *carried, int stderr_fd, struct dr_buf *early,
               struct dr_error *err)
{
    dr_auto_free char *pid_file = dr_path_join(m->run_dir, "pid");
    dr_auto_strv char **argv =
        runtime_argv_run(call, dr_json_str(request, "bundle"), pid_file);
    pid_t pid;
    int status;
    if (runtime_spawn(call, argv, &pid, err) < 0 ||
        runtime_wait_reading(pid, stderr_fd, call->console, dr_clock_ms() + RUNTIME_MS,
                             &status, early, err) < 0)
        return -1;
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
        runtime_failed(call, "run", status, early->data, err);
        explain(m, request, call->runtime, err);
        return -1;
    }
    m->init = runtime_pid_read(pid_file, err);
    if (m->init > 0 && carry_wait(carried, dr_clock_ms() + RUNTIME_MS, err) == 0)
        return 0;
    if (m->init > 0) {
        kill(m->init, SIGKILL);
        waitpid(m->init, NULL, 0);
    }
    m->init = 0;
    return -1;
}

static int start_runtime(struct monitor *m, const json_t *request,
                         const struct runtime *runtime, struct stdio *io,
                         struct dr_error *err)
{
    dr_auto_free char *log_path = dr_path_join(m->run_dir, "runtime.log");
    dr_auto_buf struct dr_buf early = DR_BUF_INIT(COMPLAINT_MAX);
    struct runtime_call call = {.runtime = runtime,
                                .state_root = m->state_root,
                                .log_path = log_path,
                                .id = m->id,
                                .stdio = {io->theirs[0], io->theirs[1], io->theirs[2]},
                                .mount_ns = -1,
                                .console = m->tty ? &m->console : NULL};
    carried_auto struct carried carried = CARRIED_INIT;
    if (carry_open(dr_json_object(request, "process"), &carried, err) < 0)
        return -1;
    call.kept = carried.fds;
    call.kept_count = carried.count;
    children_expect(); /* its exit status is the loop's to see, however soon it comes */
    int result = run(m, request, &call, &carried, io->ours[2], &early, err);
    children_arrived(result == 0 ? m->init : 0);
    stdio_close(io->theirs);
    if (result == 0 && m->tty)
        result = take_terminal(m, io, dr_json_bool(request, "stdin"), err);
    if (result == 0)
        result = monitor_ports_serve(m, err);
    if (result < 0 || record_start(m, runtime, request, err) < 0)
        return -1;
    monitor_log_time(m);
    if (!m->runs++) /* of a restart nobody hears */
        for (struct monitor_client *client = m->clients; client; client = client->next)
            monitor_client_started(m, client);
    unlink(log_path); /* the runtime keeps it open nowhere, and it said nothing */
    filter_keep(dr_json_str(request, "filter"), m->state_root, m->id);
    if (early.len > 0 && !m->tty) /* with a terminal these are the runtime's words */
        monitor_output(m, LOG_STDERR, early.data, early.len);
    return 0;
}

static int record_arm(struct monitor *m, const struct runtime *runtime,
                      const json_t *request, struct dr_error *err)
{
    container_auto struct container c = {0};
    dr_auto_fd int lock = container_state_lock(&m->guest, m->id);
    if (container_load_state(&m->guest, m->id, &c, err) < 0)
        return -1;
    if (!c.state)
        return dr_fail(err, DR_ERR_START, "the container's state is gone");
    dr_json_set_str(c.state, "status", "scheduled");
    dr_json_set_int(c.state, "monitor_pid", getpid());
    dr_json_set_str(c.state, "boot_id", m->guest.boot_id);
    dr_json_set_str(c.state, "runtime", runtime->path);
    static const char *const gone[] = {"error", "stopped"};
    for (size_t i = 0; i < DR_COUNT(gone); i++)
        json_object_del(c.state, gone[i]);
    monitor_schedule_note(m, c.state, true);
    if (write_start(&c, request, err) < 0)
        return -1;
    char next[DR_TIME_TEXT];
    dr_time_format(m->due_ns, next);
    container_event(&m->guest, &c, "schedule", "next", next);
    return 0;
}

int monitor_arm(struct monitor *m, const json_t *request, struct dr_error *err)
{
    struct runtime runtime = {0};
    monitor_schedule_plan(m);
    int result = runtime_find(dr_json_str(request, "runtime"), &runtime, err);
    if (result == 0)
        result = prepare(m, request, &runtime, err);
    if (result == 0)
        result = record_arm(m, &runtime, request, err);
    if (result == 0) {
        monitor_ports_pause(m); /* nobody is there yet */
        m->runs = 1;            /* nobody hears of the first one either */
        for (struct monitor_client *client = m->clients; client; client = client->next)
            monitor_client_started(m, client);
    }
    runtime_release(&runtime);
    return result;
}

int monitor_start(struct monitor *m, const json_t *request, struct dr_error *err)
{
    struct runtime runtime = {0};
    m->console.uid =
        dr_json_int(dr_json_object(dr_json_object(request, "process"), "user"), "uid", 0);
    struct stdio io = {{-1, -1, -1}, {-1, -1, -1}};
    int result = runtime_find(dr_json_str(request, "runtime"), &runtime, err);
    if (result == 0)
        result =
            m->prepared ? put_right(m, request, err) : prepare(m, request, &runtime, err);
    if (result == 0) /* the first instruction sees its address (C17) */
        result = net_up(&m->guest, m->id, request, err);
    if (result == 0 && mkdir(m->state_root, 0700) < 0 && errno != EEXIST)
        result = dr_fail_errno(err, DR_ERR_START, "make %s", m->state_root);
    if (result == 0)
        result = make_stdio(m, &io, dr_json_bool(request, "stdin"), err);
    if (result == 0)
        result = start_runtime(m, request, &runtime, &io, err);
    if (result < 0) {
        stdio_close(io.ours);
        console_close(&m->console);
    }
    m->stdin_fd = io.ours[0];
    m->output_fds[1] = io.ours[1];
    m->output_fds[2] = io.ours[2];
    m->started_ms = dr_clock_ms();
    if (result == 0)
        monitor_health_begin(m, dr_json_object(request, "health"));
    stdio_close(io.theirs);
    runtime_release(&runtime);
    return result;
}
