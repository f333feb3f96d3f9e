/* SPDX-License-Identifier: Apache-2.0 */
#include "transport/process.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "base/text.h"

extern char **environ;

static int make_pipes(int in[2], int out[2], struct dr_error *err)
{
    /* what we write to is a socket: a helper that is gone raises no SIGPIPE then */
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, in) < 0 ||
        pipe2(out, O_CLOEXEC) < 0) {
        dr_fail_errno(err, DR_ERR_NONE, "make a pipe");
        dr_cleanup_fd(&in[0]);
        dr_cleanup_fd(&in[1]);
        return -1;
    }
    /* few and large reads and writes; a refusal changes nothing */
    setsockopt(in[1], SOL_SOCKET, SO_SNDBUFFORCE, &(int){1 << 20}, sizeof(int));
    fcntl(out[0], F_SETPIPE_SZ, 1 << 20);
    return 0;
}

/* Ours and one more, which comes first: that one counts. Members are borrowed. */
static char **environment(const char *more)
{
    size_t count = 0;
    while (environ[count])
        count++;
    char **all = dr_alloc((count + 2) * sizeof *all);
    memcpy(all + 1, environ, count * sizeof *all);
    all[0] = (char *)more;
    return all;
}

static int spawn(const struct process_options *o, int in, int out, pid_t *ret_pid)
{
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attr;
    sigset_t none, defaults;
    short flags = POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF;
    sigemptyset(&none);
    sigemptyset(&defaults);
    sigaddset(&defaults, SIGPIPE);
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, in, 0);
    posix_spawn_file_actions_adddup2(&actions, out, 1);
    if (o->words_fd >= 0)
        posix_spawn_file_actions_adddup2(&actions, o->words_fd, 2);
    posix_spawnattr_init(&attr);
    posix_spawnattr_setsigmask(&attr, &none);
    posix_spawnattr_setsigdefault(&attr, &defaults);
    if (o->apart)
        flags |= POSIX_SPAWN_SETSID;
    posix_spawnattr_setflags(&attr, flags);
    dr_auto_free char **with = o->env ? environment(o->env) : NULL;
    char **env = with ? with : environ;
    int rc = o->path ? posix_spawn(ret_pid, o->path, &actions, &attr,
                                   (char *const *)o->argv, env)
                     : posix_spawnp(ret_pid, o->argv[0], &actions, &attr,
                                    (char *const *)o->argv, env);
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attr);
    return rc;
}

int process_start(const struct process_options *options, struct transport *ret,
                  struct dr_error *err)
{
    int in[2] = {-1, -1}, out[2] = {-1, -1};
    if (make_pipes(in, out, err) < 0)
        return -1;
    int rc = spawn(options, in[0], out[1], &ret->pid);
    close(in[0]);
    close(out[1]);
    if (rc != 0) {
        close(in[1]);
        close(out[0]);
        ret->pid = -1;
        errno = rc;
        return dr_fail_errno(err, DR_ERR_NONE, "start %s",
                             options->path ? options->path : options->argv[0]);
    }
    ret->read_fd = out[0];
    ret->write_fd = in[1];
    ret->spawn_count++;
    return 0;
}

/* Readable once it has ended. */
static int pidfd_open(pid_t pid)
{
    return (int)syscall(SYS_pidfd_open, pid, 0);
}

int process_end(pid_t pid, int wait_ms)
{
    int status = -1;
    dr_auto_fd int fd = pidfd_open(pid);
    struct pollfd wait = {.fd = fd, .events = POLLIN};
    /* without a descriptor (none is left, say) it has no time at all: nothing here waits
     * for a process without an end */
    if (fd < 0 || poll(&wait, 1, wait_ms) == 0)
        kill(pid, SIGKILL);
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    return status;
}

bool process_ended(pid_t pid, int wait_ms, int *ret_status)
{
    siginfo_t info = {0};
    dr_auto_fd int fd = pidfd_open(pid);
    struct pollfd wait = {.fd = fd, .events = POLLIN};
    if (fd < 0 || poll(&wait, 1, wait_ms) <= 0 ||
        waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT) < 0 || !info.si_pid)
        return false;
    *ret_status = info.si_code == CLD_EXITED ? info.si_status : 128 + info.si_status;
    return true;
}

int words_new(void)
{
    int fd = memfd_create("dray-words", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (fd < 0)
        return -1;
    if (ftruncate(fd, WORDS_BYTES) < 0 ||
        fcntl(fd, F_ADD_SEALS, F_SEAL_GROW | F_SEAL_SHRINK) < 0) {
        close(fd);
        return -1;
    }
    return fd;
}

char *words_read(int fd, size_t max)
{
    /* whoever writes shares our offset: it is how much was written */
    off_t end = fd >= 0 ? lseek(fd, 0, SEEK_CUR) : 0;
    if (end <= 0)
        return dr_strdup("");
    size_t len = (size_t)end < max ? (size_t)end : max;
    char *text = dr_alloc(len + 1);
    ssize_t n = pread(fd, text, len, end - (off_t)len);
    text[n > 0 ? n : 0] = '\0';
    return text;
}

/* Until the descriptor is ready. */
static int await(int fd, short events, int64_t deadline_ms, int cancel_fd,
                 struct dr_error *err)
{
    for (;;) {
        struct pollfd fds[] = {{.fd = fd, .events = events},
                               {.fd = cancel_fd, .events = POLLIN}};
        int64_t left = deadline_ms - dr_clock_ms();
        int n = left > 0 ? poll(fds, 2, left > INT32_MAX ? INT32_MAX : (int)left) : 0;
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return dr_fail_errno(err, DR_ERR_INTERNAL, "wait for a pipe");
        if (n == 0)
            return dr_fail(err, DR_ERR_TIMEOUT, "no answer within the deadline");
        if (fds[1].revents)
            return dr_fail(err, DR_ERR_CANCELLED, "given up");
        return 0;
    }
}

int pipe_read_byte(int fd, char *ret, int64_t deadline_ms, int cancel_fd,
                   struct dr_error *err)
{
    for (;;) {
        if (await(fd, POLLIN, deadline_ms, cancel_fd, err) < 0)
            return -1;
        ssize_t n = read(fd, ret, 1);
        if (n >= 0)
            return (int)n;
        if (errno == ECONNRESET || errno == EIO)
            return 0;
        if (errno != EINTR && errno != EAGAIN)
            return dr_fail_errno(err, DR_ERR_UNAVAILABLE, "read from the other side");
    }
}

int pipe_write(int fd, const void *data, size_t len, int64_t deadline_ms, int cancel_fd,
               struct dr_error *err)
{
    const char *at = data;
    while (len > 0) {
        if (await(fd, POLLOUT, deadline_ms, cancel_fd, err) < 0)
            return -1;
        ssize_t n = send(fd, at, len, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n < 0 && (errno == EINTR || errno == EAGAIN))
            continue;
        if (n < 0)
            return dr_fail_errno(err, DR_ERR_UNAVAILABLE, "write to the other side");
        at += n;
        len -= (size_t)n;
    }
    return 0;
}

bool process_has_terminal(void)
{
    int fd = open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY);
    if (fd >= 0)
        close(fd);
    return fd >= 0;
}
