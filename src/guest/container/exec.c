/* SPDX-License-Identifier: Apache-2.0 */
#include "guest/container/event.h"
#include "guest/container/pause.h"
#include "guest/container/exec.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "base/fs.h"
#include "base/text.h"
#include "base/words.h"
#include "guest/bundle/bundle.h"
#include "guest/cgroup/cgroup.h"
#include "guest/cgroup/stats.h"
#include "guest/container/create.h"
#include "guest/container/hold.h"
#include "guest/container/pump.h"
#include "guest/init/carry.h"
#include "guest/runtime/children.h"
#include "guest/runtime/console.h"
#include "guest/runtime/runtime.h"

#define RUNTIME_MS 120000
#define DROP_MS 1000         /* for an exec that nobody listens to any more to die */
#define PIPE_BYTES (1 << 20) /* fewer and larger reads */
#define COMPLAINT_MAX (256u << 10)

struct exec {
    struct guest *guest;
    const struct container *container;
    struct runtime runtime;
    char *process_file, *pid_file, *log_file; /* owned; in the run directory */
    char *command;                            /* its first word; owned */
    char *cwd;                                /* owned */
    int ours[3], theirs[3];                   /* −1: none */
    struct console console;
    struct carried carried;
    bool tty;
};

static int resolve_user(const struct container *c, const char *user,
                        struct bundle_user *ret, struct dr_error *err)
{
    pid_t pid = -1;
    dr_auto_fd int pidfd = container_pidfd(c, &pid);
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/root", (int)pid);
    dr_auto_fd int root = pidfd < 0 ? -1 : open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (root < 0)
        return dr_fail(err, DR_ERR_CONFLICT, "container %s is not running",
                       container_name(c));
    return bundle_resolve_user(&root, 1, user, ret, err);
}

static int write_process(struct exec *x, const json_t *request, struct dr_error *err)
{
    const struct container *c = x->container;
    dr_auto_strv char **args = dr_words_from_json(dr_json_array(request, "args"));
    dr_auto_strv char **env = dr_words_from_json(dr_json_array(request, "env"));
    const char *user_text = dr_json_str(request, "user");
    bundle_auto_user struct bundle_user user = {0};
    if (dr_strv_len(args) == 0 || !*args[0])
        return dr_fail(err, DR_ERR_INVALID, "exec needs a command");
    x->command = dr_utf8_text(args[0], strlen(args[0]));
    if (user_text && resolve_user(c, user_text, &user, err) < 0)
        return -1;
    dr_auto_free char *path =
        dr_path_join(dr_json_str(c->record, "bundle") ?: "", "config.json");
    dr_auto_buf struct dr_buf text = DR_BUF_INIT(RECORD_MAX);
    if (dr_file_read(AT_FDCWD, path, &text, err) < 0)
        return -1;
    dr_auto_json json_t *config = bundle_parse(text.data ? text.data : "", text.len, err);
    if (!config)
        return -1;
    /* what a runtime cannot read is in the record alone */
    json_object_set(dr_json_object(config, "process"), "env",
                    dr_json_array(dr_json_object(c->record, "process"), "env"));
    struct bundle_exec exec = {.args = args,
                               .env = env,
                               .workdir = dr_json_str(request, "workdir"),
                               .user = user_text ? &user : NULL,
                               .tty = x->tty,
                               .rows = x->console.rows,
                               .columns = x->console.columns,
                               .privileged = dr_json_bool(request, "privileged")};
    dr_auto_json json_t *process =
        bundle_process_for_exec(config, &exec, container_facts(), err);
    if (!process)
        return -1;
    x->cwd = dr_strdup(dr_json_str(process, "cwd"));
    x->console.uid = dr_json_int(dr_json_object(process, "user"), "uid", 0);
    if (carry_open(process, &x->carried, err) < 0)
        return -1;
    carry_process(process);
    dr_auto_free char *json = bundle_text(process);
    if (dr_file_write(AT_FDCWD, x->process_file, json, strlen(json), 0600, 0, err) == 0)
        return 0;
    if (err->code == ENOENT) /* its run directory goes with its end */
        return dr_fail(err, DR_ERR_CONFLICT, "container %s is not running any more",
                       container_name(x->container));
    return -1;
}

static int make_pipes(struct exec *x, const json_t *request, struct dr_error *err)
{
    /* with a terminal: what the runtime says, and nothing of the command's */
    bool wanted[3] = {dr_json_bool(request, "stdin") && !x->tty, !x->tty, true};
    bool detach = dr_json_bool(request, "detach"); /* /dev/null for all three */
    if (x->tty) {
        const char *name = strrchr(x->process_file, '/') + 1;
        dr_auto_free char *socket = dr_printf("%.*s.sock", (int)strcspn(name, "."), name);
        if (console_listen(&x->console, x->container->run_dir, socket, err) < 0)
            return -1;
    }
    for (int i = 0; i < 3; i++) {
        int fds[2];
        if (!wanted[i] || detach)
            continue;
        if (pipe2(fds, O_CLOEXEC) < 0)
            return dr_fail_errno(err, DR_ERR_START, "make pipes");
        x->ours[i] = fds[i == 0 ? 1 : 0];
        x->theirs[i] = fds[i == 0 ? 0 : 1];
        fcntl(x->ours[i], F_SETFL, O_NONBLOCK);
        fcntl(x->ours[i], F_SETPIPE_SZ, PIPE_BYTES); /* a refusal changes nothing */
    }
    return 0;
}

static void close_fds(int fds[3])
{
    for (int i = 0; i < 3; i++)
        if (fds[i] >= 0)
            close(fds[i]);
    fds[0] = fds[1] = fds[2] = -1;
}

/* The terminal takes the place of the pipes. */
static int take_terminal(struct exec *x, const json_t *request, struct dr_error *err)
{
    if (console_take(&x->console, err) < 0)
        return -1;
    close_fds(x->ours);
    x->ours[1] = fcntl(x->console.master, F_DUPFD_CLOEXEC, 3);
    if (dr_json_bool(request, "stdin"))
        x->ours[0] = fcntl(x->console.master, F_DUPFD_CLOEXEC, 3);
    return 0;
}

/* crun has to see the cgroups as the monitor showed them to it at the start. */
static int monitor_mounts(const struct exec *x)
{
    char path[64];
    if (!x->runtime.traits->no_hybrid_cgroup || cgroup_mode() != CGROUP_HYBRID)
        return -1;
    snprintf(path, sizeof path, "/proc/%d/ns/mnt",
             (int)dr_json_int(x->container->state, "monitor_pid", 0));
    return open(path, O_RDONLY | O_CLOEXEC);
}

static void explain(const struct exec *x, pid_t init, struct dr_error *err)
{
    struct cgroup_stats used = {0};
    dr_auto_free char *cgroup = cgroup_path(x->container->id);
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/root", (int)init);
    dr_auto_fd int root = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    cgroup_stats_read(CGROUP_ROOT, cgroup, &used);
    const struct runtime_blame blame = {
        .root = root, .cwd = x->cwd, .pids = used.pids, .pids_limit = used.pids_limit};
    runtime_explain(&x->runtime, &blame, err);
}

/* Runs the runtime; what comes on stderr is kept for its complaint, or is the command's.
 */
static int run(struct exec *x, struct dr_buf *early, pid_t *ret_pid, struct dr_error *err)
{
    dr_auto_free char *state_root = dr_path_join(x->container->run_dir, "rt");
    dr_auto_fd int mounts = monitor_mounts(x);
    struct runtime_call call = {.runtime = &x->runtime,
                                .state_root = state_root,
                                .log_path = x->log_file,
                                .id = x->container->id,
                                .stdio = {x->theirs[0], x->theirs[1], x->theirs[2]},
                                .mount_ns = mounts,
                                .kept = x->carried.fds,
                                .kept_count = x->carried.count,
                                .console = x->tty ? &x->console : NULL};
    dr_auto_strv char **argv = runtime_argv_exec(&call, x->process_file, x->pid_file);
    pid_t runtime_pid;
    int status;
    if (runtime_spawn(&call, argv, &runtime_pid, err) < 0)
        return -1;
    close_fds(x->theirs);
    if (runtime_wait_reading(runtime_pid, x->ours[2], call.console,
                             dr_clock_ms() + RUNTIME_MS, &status, early, err) < 0)
        return -1;
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0) {
        *ret_pid = runtime_pid_read(x->pid_file, err);
        if (*ret_pid > 0 &&
            carry_wait(&x->carried, dr_clock_ms() + RUNTIME_MS, err) < 0) {
            kill(*ret_pid, SIGKILL); /* nobody claims it: it is reaped by a sweep */
            return -1;
        }
        return *ret_pid > 0 ? 0 : -1;
    }
    pid_t init = 0;
    dr_auto_fd int alive = container_pidfd(x->container, &init);
    if (alive < 0) /* what the runtime says then is about its own bookkeeping */
        return dr_fail(err, DR_ERR_CONFLICT,
                       "container %s ended before the command could be started in it",
                       container_name(x->container));
    runtime_failed(&call, "exec", status, early->data, err);
    explain(x, init, err);
    return err->origin == DR_AT_RUNTIME ? dr_wrap(err, "%s", x->command) : -1;
}

static int send_started(struct wire_chan *chan, pid_t pid, struct dr_error *err)
{
    dr_auto_json json_t *event = json_object();
    dr_json_set_str(event, "event", "started");
    dr_json_set_int(event, "pid", pid);
    return wire_event(chan, event, err);
}

/* Waits for a process that is our child. Dead and not reaped it would keep the whole
 * container from ending: its pid namespace waits for it. So nobody else is waited for
 * meanwhile, its output's reader least of all. */
struct reaper {
    pthread_t thread;
    atomic_int users; /* the thread, and who wants to know */
    pid_t pid;
    int status, why; /* errno when the status is lost, 0 */
};

static void reaper_leave(struct reaper *reaper)
{
    if (atomic_fetch_sub(&reaper->users, 1) == 1)
        free(reaper);
}

static void *reap_main(void *arg)
{
    struct reaper *reaper = arg;
    if (children_wait(reaper->pid, &reaper->status) < 0)
        reaper->why = errno;
    reaper_leave(reaper);
    return NULL;
}

static struct reaper *reaper_start(pid_t pid)
{
    struct reaper *reaper = dr_alloc(sizeof *reaper);
    pthread_attr_t attr;
    reaper->pid = pid;
    atomic_init(&reaper->users, 2);
    pthread_attr_init(&attr);
    pthread_attr_setstacksize(&attr, 64u << 10);
    if (pthread_create(&reaper->thread, &attr, reap_main, reaper) != 0)
        abort(); /* no memory for a small stack: as malloc */
    pthread_attr_destroy(&attr);
    return reaper;
}

/* Nobody wants to know. */
static void reaper_detach(struct reaper *reaper)
{
    pthread_detach(reaper->thread);
    reaper_leave(reaper);
}

/* Its status, once it is dead; -1 with errno when that is lost. */
static int reaper_join(struct reaper *reaper, int *ret_status)
{
    pthread_join(reaper->thread, NULL);
    int why = reaper->why;
    *ret_status = reaper->status;
    reaper_leave(reaper);
    errno = why;
    return why ? -1 : 0;
}

/* A detached process stays our child as long as this session lives. */
static void reap_detached(pid_t pid)
{
    reaper_detach(reaper_start(pid));
}

/* The process is our child: the runtime left it to the nearest subreaper. */
static int follow(struct exec *x, struct wire_chan *chan, pid_t pid, struct dr_buf *early,
                  int64_t *ret_exit, struct dr_error *err)
{
    dr_auto_fd int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
    struct reaper *reaper = reaper_start(pid);
    int result = send_started(chan, pid, err);
    if (result == 0 && early->len > 0 && x->console.master < 0)
        result = wire_write(chan, WIRE_STDERR, early->data, early->len, err);
    if (result == 0)
        result = pump_run(chan, pidfd, x->ours, x->console.master, err);
    if (result < 0 && pidfd >= 0) { /* C26: nobody listens any more */
        struct pollfd dead = {.fd = pidfd, .events = POLLIN};
        syscall(SYS_pidfd_send_signal, pidfd, SIGKILL, NULL, 0);
        /* a frozen one (paused, cgroup v1) dies when it runs on, and nobody waits for
         * that (C33) */
        if (poll(&dead, 1, DROP_MS) == 0) {
            reaper_detach(reaper);
            return -1;
        }
    }
    int status, got = reaper_join(reaper, &status);
    if (result < 0)
        return -1;
    if (got < 0)
        return dr_fail_errno(err, DR_ERR_INTERNAL, "the exit code of process %d is lost",
                             (int)pid);
    *ret_exit = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    return 0;
}

/* As Docker: "exec_start: sh -c …" */
static void tell_started(const struct exec *x, const json_t *request)
{
    dr_auto_buf struct dr_buf action = DR_BUF_INIT(1024);
    dr_auto_error struct dr_error full = DR_ERROR_INIT;
    dr_auto_json json_t *words = dr_words_shown(dr_json_array(request, "args"));
    size_t i;
    json_t *word;
    dr_buf_addf(&action, &full, "exec_start:");
    json_array_foreach (words, i, word)
        if (dr_buf_addf(&action, &full, " %s", json_string_value(word)) < 0)
            break;
    container_event(x->guest, x->container, action.data, NULL, NULL);
}

/* Until its process is there, which is our child then. */
static int begin(struct exec *x, const json_t *request, struct dr_buf *early,
                 pid_t *ret_pid, struct dr_error *err)
{
    pid_t pid = -1;
    if (write_process(x, request, err) < 0 || make_pipes(x, request, err) < 0)
        return -1;
    children_expect();
    int started = run(x, early, &pid, err);
    children_arrived(started == 0 ? pid : 0);
    *ret_pid = pid;
    return started;
}

static int exec_locked(struct exec *x, const json_t *request, struct wire_chan *chan,
                       int64_t *ret_exit, struct dr_error *err)
{
    dr_auto_buf struct dr_buf early = DR_BUF_INIT(COMPLAINT_MAX);
    pid_t pid = -1;
    if (begin(x, request, &early, &pid, err) < 0)
        return -1;
    if (x->tty && take_terminal(x, request, err) < 0) {
        kill(pid, SIGKILL);
        reap_detached(pid);
        return -1;
    }
    bool detach = dr_json_bool(request, "detach");
    if (detach && x->tty && hold_terminal(&x->console, pid, err) < 0) {
        kill(pid, SIGKILL);
        reap_detached(pid);
        return -1;
    }
    tell_started(x, request);
    if (detach) {
        *ret_exit = 0;
        reap_detached(pid);
        return send_started(chan, pid, err);
    }
    return follow(x, chan, pid, &early, ret_exit, err);
}

static int exec_open(struct exec *x, struct guest *guest,
                     const struct container *container, struct dr_error *err)
{
    if (strcmp(container_status(container), "running") != 0)
        return dr_fail(err, DR_ERR_CONFLICT, "container %s is not running (it is %s)",
                       container_name(container), container_status(container));
    if (container_is_paused(container))
        return dr_fail(err, DR_ERR_CONFLICT,
                       "container %s is paused, unpause the container before exec",
                       container_name(container));
    *x = (struct exec){.guest = guest,
                       .container = container,
                       .ours = {-1, -1, -1},
                       .theirs = {-1, -1, -1},
                       .console = CONSOLE_INIT,
                       .carried = CARRIED_INIT};
    /* the runtime that made it, whatever this session would choose */
    if (runtime_find(dr_json_str(container->state, "runtime"), &x->runtime, err) < 0)
        return -1;
    char random[17];
    dr_random_hex(16, random);
    x->process_file = dr_printf("%s/exec-%s.json", container->run_dir, random);
    x->pid_file = dr_printf("%s/exec-%s.pid", container->run_dir, random);
    x->log_file = dr_printf("%s/exec-%s.log", container->run_dir, random);
    return 0;
}

static void exec_close(struct exec *x)
{
    unlink(x->process_file);
    unlink(x->pid_file);
    unlink(x->log_file);
    close_fds(x->ours);
    close_fds(x->theirs);
    console_close(&x->console);
    carry_close(&x->carried);
    free(x->process_file);
    free(x->pid_file);
    free(x->log_file);
    free(x->command);
    free(x->cwd);
    runtime_release(&x->runtime);
}

int container_exec(struct guest *guest, const struct container *container,
                   const json_t *request, struct wire_chan *chan, int64_t *ret_exit,
                   struct dr_error *err)
{
    struct exec x;
    if (exec_open(&x, guest, container, err) < 0)
        return -1;
    x.tty = dr_json_bool(request, "tty");
    x.console.rows = dr_json_int(request, "rows", 0);
    x.console.columns = dr_json_int(request, "columns", 0);
    int result = exec_locked(&x, request, chan, ret_exit, err);
    if (result == 0 && !dr_json_bool(request, "detach"))
        container_event_int(guest, container, "exec_die", "exitCode", *ret_exit);
    exec_close(&x);
    return result;
}

/* --- without a channel --- */

/* What is there now; beyond what output takes it is dropped. */
static void take_output(int *fd, struct dr_buf *output)
{
    char more[4096];
    ssize_t n;
    while ((n = read(*fd, more, sizeof more)) > 0) {
        dr_auto_error struct dr_error full = DR_ERROR_INIT;
        size_t room = output->max - output->len;
        dr_buf_add(output, more, (size_t)n < room ? (size_t)n : room, &full);
    }
    if (n == 0 || (errno != EAGAIN && errno != EINTR)) {
        close(*fd);
        *fd = -1;
    }
}

static int capture(struct exec *x, pid_t pid, int64_t timeout_ms, struct dr_buf *output,
                   int64_t *ret_exit)
{
    dr_auto_fd int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
    int64_t end = dr_clock_ms() + timeout_ms, left = timeout_ms;
    bool dead = pidfd < 0;
    while (!dead && left > 0) {
        struct pollfd fds[3] = {{.fd = pidfd, .events = POLLIN},
                                {.fd = x->ours[1], .events = POLLIN},
                                {.fd = x->ours[2], .events = POLLIN}};
        poll(fds, 3, (int)(left < INT_MAX ? left : INT_MAX));
        for (int i = 1; i < 3; i++)
            if (fds[i].revents)
                take_output(&x->ours[i], output);
        dead = fds[0].revents != 0;
        left = end - dr_clock_ms();
    }
    for (int i = 1; i < 3; i++)
        if (x->ours[i] >= 0)
            take_output(&x->ours[i], output);
    *ret_exit = -1;
    if (!dead) {
        syscall(SYS_pidfd_send_signal, pidfd, SIGKILL, NULL, 0);
        return 0; /* not waited for: it may be frozen */
    }
    int status;
    if (children_wait(pid, &status) == 0)
        *ret_exit = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    return 0;
}

int container_exec_capture(struct guest *guest, const struct container *container,
                           const json_t *request, int64_t timeout_ms,
                           struct dr_buf *output, int64_t *ret_exit, struct dr_error *err)
{
    dr_auto_buf struct dr_buf early = DR_BUF_INIT(COMPLAINT_MAX);
    dr_auto_error struct dr_error full = DR_ERROR_INIT;
    struct exec x;
    pid_t pid;
    if (exec_open(&x, guest, container, err) < 0)
        return -1;
    int result = begin(&x, request, &early, &pid, err);
    if (result == 0) {
        size_t room = output->max - output->len;
        dr_buf_add(output, early.data, early.len < room ? early.len : room, &full);
        result = capture(&x, pid, timeout_ms, output, ret_exit);
    }
    exec_close(&x);
    return result;
}
