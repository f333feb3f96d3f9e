/* SPDX-License-Identifier: Apache-2.0 */
#include "guest/monitor/monitor.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "guest/runtime/children.h"

/* Between vfork and exec: system calls only. */
static int become(int client_fd, int lock_fd, char *const *argv)
{
    int null = open("/dev/null", O_RDWR);
    int client = fcntl(client_fd, F_DUPFD, MONITOR_LOCK_FD + 1);
    int lock = fcntl(lock_fd, F_DUPFD, MONITOR_LOCK_FD + 1);
    if (null < 0 || client < 0 || lock < 0)
        return errno;
    for (int i = 0; i < 3; i++)
        if (dup2(null, i) < 0)
            return errno;
    if (dup2(client, MONITOR_CLIENT_FD) < 0 || dup2(lock, MONITOR_LOCK_FD) < 0)
        return errno;
    /* what this process has open is nothing for a monitor that outlives it */
    if (syscall(SYS_close_range, MONITOR_LOCK_FD + 1, ~0U, 0) < 0)
        for (int fd = MONITOR_LOCK_FD + 1; fd < 1024; fd++)
            close(fd);
    setsid();
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    static char *const environment[] = {(char *)"PATH=/usr/sbin:/usr/bin:/sbin:/bin",
                                        NULL};
    execve("/proc/self/exe", argv, environment);
    return errno;
}

int monitor_spawn(int client_fd, int lock_fd, const char *name, pid_t *ret_pid,
                  struct dr_error *err)
{
    char *argv[] = {(char *)"dray-guest", (char *)"monitor", (char *)name, NULL};
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    volatile int child_errno = 0;
    children_lock(); /* held until a failed one is reaped; a monitor itself is nobody's */
    pid_t pid = vfork();
    if (pid == 0) {
        child_errno = become(client_fd, lock_fd, argv);
        _exit(127);
    }
    int why = pid < 0 ? errno : child_errno;
    if (pid > 0 && why)
        waitpid(pid, NULL, 0);
    children_unlock();
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    *ret_pid = pid;
    if (!why)
        return 0;
    errno = why;
    return dr_fail_errno(err, DR_ERR_START, "start the container's monitor");
}
