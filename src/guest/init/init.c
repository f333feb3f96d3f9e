/* SPDX-License-Identifier: Apache-2.0 */
#include "guest/init/init.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* Signals that say something about this process itself are not the command's business. */
static const int own_signals[] = {SIGFPE,  SIGILL, SIGSEGV, SIGBUS, SIGABRT,
                                  SIGTRAP, SIGSYS, SIGTTIN, SIGTTOU};

static void run_command(char **argv, const sigset_t *mask)
{
    setpgid(0, 0);
    if (isatty(0)) /* the command is in the foreground, so that Ctrl-C reaches it */
        tcsetpgrp(0, getpid());
    sigprocmask(SIG_SETMASK, mask, NULL);
    execvp(argv[0], argv);
    int code = errno == ENOENT ? 127 : 126;
    fprintf(stderr, "exec %s: %s\n", argv[0], strerror(errno));
    _exit(code);
}

/* Reaps what ended. Returns the command's exit status once it was among them, else -1. */
static int reap(pid_t command)
{
    int status, result = -1;
    pid_t pid;
    while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
        if (pid == command)
            result = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    return result;
}

int init_main(int argc, char **argv)
{
    int first = argc > 1 && strcmp(argv[1], "--") == 0 ? 2 : 1;
    if (first >= argc) {
        fprintf(stderr, "init: no command\n");
        return 127;
    }
    sigset_t all, before;
    sigfillset(&all);
    for (size_t i = 0; i < sizeof own_signals / sizeof *own_signals; i++)
        sigdelset(&all, own_signals[i]);
    sigprocmask(SIG_SETMASK, &all, &before);
    signal(SIGTTOU, SIG_IGN);

    pid_t command = fork();
    if (command < 0) {
        fprintf(stderr, "init: fork: %s\n", strerror(errno));
        return 126;
    }
    if (command == 0) {
        signal(SIGTTOU, SIG_DFL);
        run_command(argv + first, &before);
    }
    for (;;) {
        siginfo_t info;
        int number = sigwaitinfo(&all, &info);
        if (number == SIGCHLD) {
            int status = reap(command);
            if (status >= 0)
                return status;
        } else if (number > 0) {
            kill(command, number);
        }
    }
}
