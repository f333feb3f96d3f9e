/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "base/mem.h"
#include "registry/helper-process.h"

extern char **environ;

static int spawn(struct helper *h, const char *verb, int in, int out)
{
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    sigset_t none, ours;
    sigemptyset(&none);
    sigemptyset(&ours);
    sigaddset(&ours, SIGPIPE); /* ignored by dray, which a program would inherit */
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, in, 0);
    posix_spawn_file_actions_adddup2(&actions, out, 1);
    posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0);
    posix_spawnattr_init(&attributes);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setsigdefault(&attributes, &ours);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    char *argv[] = {h->program, (char *)verb, NULL};
    int number = posix_spawnp(&h->pid, h->program, &actions, &attributes, argv, environ);
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&actions);
    return number;
}

int helper_start(struct helper *h, const char *verb)
{
    int in[2], out[2];
    if (pipe2(in, O_CLOEXEC) < 0)
        return errno;
    if (pipe2(out, O_CLOEXEC) < 0) {
        int number = errno;
        close(in[0]);
        close(in[1]);
        return number;
    }
    int number = spawn(h, verb, in[0], out[1]);
    close(in[0]);
    close(out[1]);
    if (number != 0) {
        close(in[1]);
        close(out[0]);
        return number;
    }
    h->in = in[1];
    h->out = out[0];
    fcntl(h->in, F_SETFL, O_NONBLOCK);
    fcntl(h->out, F_SETFL, O_NONBLOCK);
    h->end_fd = (int)syscall(SYS_pidfd_open, h->pid, 0);
    return 0;
}

static void reap(struct helper *h, int flags)
{
    pid_t pid;
    int status = 0;
    while ((pid = waitpid(h->pid, &status, flags)) < 0 && errno == EINTR)
        ;
    h->ended = pid != 0;
    if (pid > 0 && WIFSIGNALED(status))
        h->signal = WTERMSIG(status);
    else if (pid > 0)
        h->status = WEXITSTATUS(status);
}

void helper_ended(struct helper *h)
{
    reap(h, WNOHANG);
}

void helper_kill(struct helper *h)
{
    kill(h->pid, SIGKILL);
    reap(h, 0);
}
