/* SPDX-License-Identifier: Apache-2.0 */
#include "guest/runtime/self.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "guest/runtime/children.h"
#include "guest/runtime/nofile.h"

/* Between vfork and exec: system calls only. The descriptors are moved above their places
 * first, so that none is overwritten before it is used. */
static int become(const struct self_start *how, pid_t parent)
{
    static char *const environment[] = {(char *)"PATH=/usr/sbin:/usr/bin:/sbin:/bin",
                                        NULL};
    int null = open("/dev/null", O_RDWR), above = 3 + (int)how->fd_count;
    int fds[SELF_FDS_MAX];
    nofile_restore();
    if (!how->dies_with_us)
        setsid();
    else if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || getppid() != parent)
        return errno ? errno : ECHILD;
    for (size_t i = 0; i < how->fd_count; i++)
        if ((fds[i] = fcntl(how->fds[i], F_DUPFD, above)) < 0)
            return errno;
    for (int i = 0; i < 3; i++)
        if (dup2(null, i) < 0)
            return errno;
    for (size_t i = 0; i < how->fd_count; i++)
        if (dup2(fds[i], 3 + (int)i) < 0)
            return errno;
    /* what this process has open is nothing for one that may outlive it */
    if (syscall(SYS_close_range, above, ~0U, 0) < 0)
        for (int fd = above; fd < 1024; fd++)
            close(fd);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    execve("/proc/self/exe", how->argv, environment);
    return errno;
}

int self_start(const struct self_start *how, pid_t *ret_pid)
{
    /* No handler of ours may run in the child while it shares our memory. */
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    volatile int child_errno = 0;
    children_lock(); /* held until a failed one is reaped */
    pid_t parent = getpid(), pid = vfork();
    if (pid == 0) {
        child_errno = become(how, parent);
        _exit(127);
    }
    int why = pid < 0 ? errno : child_errno;
    if (pid > 0 && why)
        waitpid(pid, NULL, 0);
    children_unlock();
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    errno = why;
    if (why)
        return -1;
    *ret_pid = pid;
    return 0;
}
