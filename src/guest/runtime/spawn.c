/* SPDX-License-Identifier: Apache-2.0 */
#include "guest/runtime/runtime.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "base/fs.h"
#include "base/text.h"
#include "guest/runtime/children.h"
#include "guest/runtime/nofile.h"

/* How long a runtime may live on when nothing more of what it says is taken: its
 * complaint is full, and it may wait for us to read for ever. */
#define FULL_MS 5000

static void add_common(char ***argv, const struct runtime_call *call)
{
    dr_strv_add(argv, call->runtime->path);
    dr_strv_add(argv, "--root");
    dr_strv_add(argv, call->state_root);
    dr_strv_add(argv, "--log");
    /* crun takes what is before a colon for the kind of log */
    bool named = call->runtime->kind == RUNTIME_CRUN && strchr(call->log_path, ':');
    dr_auto_free char *log = dr_printf("%s%s", named ? "file:" : "", call->log_path);
    dr_strv_add(argv, log);
    dr_strv_add(argv, "--log-format");
    dr_strv_add(argv, call->runtime->traits->log_text ? "text" : "json");
}

static void add_detach(char ***argv, const struct runtime_call *call)
{
    dr_strv_add(argv, "--detach");
    if (call->console) {
        dr_strv_add(argv, "--console-socket");
        dr_strv_add(argv, call->console->path);
    }
    if (call->kept_count > 0) {
        dr_auto_free char *count = dr_printf("%zu", call->kept_count);
        dr_strv_add(argv, "--preserve-fds");
        dr_strv_add(argv, count);
    }
}

char **runtime_argv_run(const struct runtime_call *call, const char *bundle,
                        const char *pid_file)
{
    char **argv = NULL;
    add_common(&argv, call);
    dr_strv_add(&argv, "run");
    add_detach(&argv, call);
    dr_strv_add(&argv, "--bundle");
    dr_strv_add(&argv, bundle);
    dr_strv_add(&argv, "--pid-file");
    dr_strv_add(&argv, pid_file);
    dr_strv_add(&argv, call->id);
    return argv;
}

char **runtime_argv_exec(const struct runtime_call *call, const char *process_file,
                         const char *pid_file)
{
    char **argv = NULL;
    add_common(&argv, call);
    dr_strv_add(&argv, "exec");
    add_detach(&argv, call);
    dr_strv_add(&argv, "--pid-file");
    dr_strv_add(&argv, pid_file);
    /* never words and flags: CVE-2026-30892 */
    dr_strv_add(&argv, "--process");
    dr_strv_add(&argv, process_file);
    dr_strv_add(&argv, call->id);
    return argv;
}

/* As 3, 4 …; moved above them first, exe with them, so that none is overwritten. */
static int keep(const struct runtime_call *call, int *exe)
{
    int above = 3 + (int)call->kept_count, fds[RUNTIME_KEPT_MAX];
    if (*exe >= 0 && *exe < above)
        *exe = fcntl(*exe, F_DUPFD_CLOEXEC, above);
    for (size_t i = 0; i < call->kept_count; i++)
        if ((fds[i] = fcntl(call->kept[i], F_DUPFD, above)) < 0)
            return -1;
    for (size_t i = 0; i < call->kept_count; i++)
        if (dup2(fds[i], 3 + (int)i) < 0)
            return -1;
    return 0;
}

/*
 * What runs between vfork and exec: system calls only, since memory is the parent's. The
 * descriptors are first moved above 2, so that none is overwritten before it is used.
 */
static int become(const struct runtime_call *call, char *const *argv, pid_t parent,
                  int exe)
{
    int fds[3];
    /* Who waits for the runtime holds the container's lock: when it dies, a runtime that
     * went on would make things behind the back of the command that cleans up (I4). */
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || getppid() != parent)
        return errno ? errno : ECHILD;
    if (call->mount_ns >= 0 && setns(call->mount_ns, CLONE_NEWNS) < 0)
        return errno;
    for (int i = 0; i < 3; i++) {
        int from = call->stdio[i];
        fds[i] = from >= 0 ? fcntl(from, F_DUPFD, 3) : open("/dev/null", O_RDWR);
        if (fds[i] >= 0 && fds[i] < 3)
            fds[i] = fcntl(fds[i], F_DUPFD, 3);
        if (fds[i] < 0)
            return errno;
    }
    for (int i = 0; i < 3; i++)
        if (dup2(fds[i], i) < 0)
            return errno;
    if (keep(call, &exe) < 0)
        return errno;
    /* CVE-2024-21626: whatever else is open stays here; on exec, so that vfork's parent,
     * which shares no descriptor table but the code, is not disturbed */
    unsigned above = 3 + (unsigned)call->kept_count;
    if (syscall(SYS_close_range, above, ~0U, 4 /* CLOSE_RANGE_CLOEXEC */) < 0)
        for (int fd = (int)above; fd < 1024; fd++)
            fcntl(fd, F_SETFD, FD_CLOEXEC);
    nofile_restore();
    for (int number = 1; number < 65; number++)
        if (number != SIGKILL && number != SIGSTOP)
            signal(number, SIG_DFL);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    char *environment[] = {(char *)"PATH=" RUNTIME_PATH,
                           (char *)"_LIBCONTAINER_CLONED_BINARY=1", NULL};
    if (exe >= 0)
        execveat(exe, "", argv, environment, AT_EMPTY_PATH);
    environment[1] = NULL; /* a script, say, cannot be started that way */
    execve(argv[0], argv, environment);
    return errno;
}

/* The program by a read-only mount that is nowhere attached; -1 where the kernel (before
 * 5.12) cannot do that: then the runtime copies itself. */
static int read_only_program(const struct runtime *runtime)
{
    if (!runtime->traits->clones_itself)
        return -1;
    struct mount_attr attr = {.attr_set = MOUNT_ATTR_RDONLY};
    dr_auto_fd int fd = (int)syscall(SYS_open_tree, AT_FDCWD, runtime->path,
                                     OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
    if (fd < 0 ||
        syscall(SYS_mount_setattr, fd, "", AT_EMPTY_PATH, &attr, sizeof attr) < 0)
        return -1;
    return DR_TAKE_FD(fd);
}

int runtime_spawn(const struct runtime_call *call, char *const *argv, pid_t *ret_pid,
                  struct dr_error *err)
{
    /* No handler of ours may run in the child while it shares our memory. */
    dr_auto_fd int exe = read_only_program(call->runtime);
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    volatile int child_errno = 0;
    children_lock();
    pid_t parent = getpid(), pid = vfork();
    if (pid == 0) {
        child_errno = become(call, argv, parent, exe);
        _exit(127);
    }
    int fork_errno = errno;
    if (pid > 0)
        children_claim(pid);
    children_unlock();
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (pid < 0) {
        errno = fork_errno;
        return dr_fail_errno(err, DR_ERR_INTERNAL, "start %s", argv[0]);
    }
    if (child_errno) {
        children_wait(pid, NULL);
        errno = child_errno;
        return dr_fail_errno(err, DR_ERR_CONFIG, "start %s", argv[0]);
    }
    *ret_pid = pid;
    return 0;
}

int runtime_wait(pid_t pid, int64_t deadline_ms, int *ret_status, struct dr_error *err)
{
    dr_auto_fd int fd = (int)syscall(SYS_pidfd_open, pid, 0);
    if (fd >= 0 && deadline_ms > 0) {
        for (;;) {
            int64_t left = deadline_ms - dr_clock_ms();
            struct pollfd poll_fd = {.fd = fd, .events = POLLIN};
            int n = poll(&poll_fd, 1, left > 0 ? (int)left : 0);
            if (n > 0 || (n < 0 && errno != EINTR))
                break;
            if (n == 0 && dr_clock_ms() >= deadline_ms) {
                kill(pid, SIGKILL);
                children_wait(pid, ret_status);
                return dr_fail(err, DR_ERR_TIMEOUT, "the runtime did not answer in time");
            }
        }
    }
    if (children_wait(pid, ret_status) < 0)
        return dr_fail_errno(err, DR_ERR_INTERNAL, "wait for process %d", (int)pid);
    return 0;
}

#define TEXT_STEP 4096

/* Nothing more fits, and nothing may be thrown away: behind the runtime's words come the
 * container's. */
static bool is_full(const struct dr_buf *text)
{
    return text->len + TEXT_STEP > text->max;
}

/* What is there now; false when no more can be taken. */
static bool take_text(int fd, struct dr_buf *text)
{
    char more[TEXT_STEP];
    dr_auto_error struct dr_error full = DR_ERROR_INIT;
    while (!is_full(text)) {
        ssize_t n = read(fd, more, sizeof more);
        if (n < 0)
            return errno == EAGAIN || errno == EINTR;
        if (n == 0 || dr_buf_add(text, more, (size_t)n, &full) < 0)
            return false;
    }
    return false;
}

int runtime_wait_reading(pid_t pid, int stderr_fd, struct console *console,
                         int64_t deadline_ms, int *ret_status, struct dr_buf *ret_text,
                         struct dr_error *err)
{
    dr_auto_fd int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
    bool open = stderr_fd >= 0;
    while (pidfd >= 0 && dr_clock_ms() < deadline_ms) {
        struct pollfd fds[3] = {{.fd = pidfd, .events = POLLIN},
                                {.fd = open ? stderr_fd : -1, .events = POLLIN},
                                {.fd = console ? console->socket : -1, .events = POLLIN}};
        if (poll(fds, 3, (int)(deadline_ms - dr_clock_ms())) <= 0)
            continue;
        if (fds[2].revents)
            console_advance(console);
        if (fds[0].revents)
            break;
        if (fds[1].revents)
            open = take_text(stderr_fd, ret_text);
        if (!open && is_full(ret_text) && deadline_ms > dr_clock_ms() + FULL_MS)
            deadline_ms = dr_clock_ms() + FULL_MS;
    }
    if (runtime_wait(pid, deadline_ms, ret_status, err) < 0) {
        if (err->kind == DR_ERR_TIMEOUT && is_full(ret_text)) {
            dr_error_release(err);
            dr_fail(err, DR_ERR_START,
                    "the runtime was killed: it wrote more than %zu KiB "
                    "of errors, beginning with: %.200s",
                    ret_text->max >> 10, ret_text->data);
        }
        return -1;
    }
    if (open)
        take_text(stderr_fd, ret_text);
    return 0;
}

pid_t runtime_pid_read(const char *pid_file, struct dr_error *err)
{
    dr_auto_buf struct dr_buf text = DR_BUF_INIT(64);
    int64_t pid;
    if (dr_file_read(AT_FDCWD, pid_file, &text, err) < 0)
        return -1;
    while (text.len > 0 && text.data[text.len - 1] <= ' ')
        text.data[--text.len] = '\0';
    if (!text.data || !dr_int_parse(text.data, 1, INT32_MAX, &pid))
        return dr_fail(err, DR_ERR_FORMAT, "pid file %s holds no pid", pid_file);
    return (pid_t)pid;
}
