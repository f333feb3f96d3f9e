/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `exec -d -t`: the session that started the command ends at once, and a terminal whose
 * master is closed hangs up. So a process of its own holds it, as conmon does for podman;
 * not the monitor, which would have to take descriptors from its clients.
 */
#include "guest/container/hold.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "base/fs.h"
#include "guest/runtime/children.h"

enum { MASTER_FD = 3, PEER_FD, COMMAND_FD, FIRST_OTHER_FD };

/* Between vfork and exec: system calls only. */
static int become(const int fds[3])
{
    static char *const argv[] = {(char *)"dray-guest", (char *)"hold", NULL};
    static char *const environment[] = {NULL};
    int null = open("/dev/null", O_RDWR), high[3];
    for (int i = 0; i < 3; i++)
        high[i] = fcntl(fds[i], F_DUPFD, FIRST_OTHER_FD);
    for (int i = 0; i < 3; i++)
        if (dup2(null, i) < 0 || dup2(high[i], MASTER_FD + i) < 0)
            return errno;
    if (syscall(SYS_close_range, FIRST_OTHER_FD, ~0U, 0) < 0)
        for (int fd = FIRST_OTHER_FD; fd < 1024; fd++)
            close(fd);
    setsid();
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    execve("/proc/self/exe", argv, environment);
    return errno;
}

int hold_terminal(const struct console *console, pid_t pid, struct dr_error *err)
{
    dr_auto_fd int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
    if (pidfd < 0)
        return dr_fail_errno(err, DR_ERR_START, "watch process %d", (int)pid);
    const int fds[3] = {console->master, console->held, pidfd};
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    volatile int child_errno = 0;
    children_lock(); /* held until a failed one is reaped; one that runs is nobody's */
    pid_t holder = vfork();
    if (holder == 0) {
        child_errno = become(fds);
        _exit(127);
    }
    int why = holder < 0 ? errno : child_errno;
    if (holder > 0 && why)
        waitpid(holder, NULL, 0);
    children_unlock();
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (!why)
        return 0;
    errno = why;
    return dr_fail_errno(err, DR_ERR_START, "start the process that holds the terminal");
}

int hold_main(int argc, char **argv)
{
    (void)argc, (void)argv;
    struct pollfd fds[] = {{.fd = MASTER_FD, .events = POLLIN},
                           {.fd = COMMAND_FD, .events = POLLIN}};
    static char dropped[64 << 10];
    if (!isatty(MASTER_FD)) {
        fprintf(stderr, "dray-guest hold is started by dray-guest serve\n");
        return 2;
    }
    static const int ignored[] = {SIGHUP, SIGINT, SIGQUIT, SIGPIPE};
    for (size_t i = 0; i < sizeof ignored / sizeof *ignored; i++)
        signal(ignored[i], SIG_IGN);
    if (chdir("/") < 0)
        return 1;
    /* The other end is held as long as the command lives: it may close its terminal and
     * open it again. */
    while (!fds[1].revents) {
        if (poll(fds, 2, -1) < 0)
            continue;
        if (fds[0].revents && read(MASTER_FD, dropped, sizeof dropped) <= 0 &&
            errno != EAGAIN && errno != EINTR)
            fds[0].fd = -1; /* nobody reads it any more: the command's end is left */
    }
    return 0;
}
