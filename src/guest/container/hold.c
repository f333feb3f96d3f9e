/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `exec -d -t`: the session that started the command ends at once, and a terminal whose
 * master is closed hangs up. So a process of its own holds it, as conmon does for podman;
 * not the monitor, which would have to take descriptors from its clients.
 */
#include "guest/container/hold.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/syscall.h>

#include "base/fs.h"
#include "guest/runtime/self.h"

enum { MASTER_FD = 3, PEER_FD, COMMAND_FD };

int hold_terminal(const struct console *console, pid_t pid, struct dr_error *err)
{
    dr_auto_fd int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
    if (pidfd < 0)
        return dr_fail_errno(err, DR_ERR_START, "watch process %d", (int)pid);
    static char *const argv[] = {(char *)"dray-guest", (char *)"hold", NULL};
    const int fds[] = {[MASTER_FD - 3] = console->master,
                       [PEER_FD - 3] = console->held,
                       [COMMAND_FD - 3] = pidfd};
    const struct self_start how = {.argv = argv, .fds = fds, .fd_count = DR_COUNT(fds)};
    pid_t holder;
    if (self_start(&how, &holder) < 0)
        return dr_fail_errno(err, DR_ERR_START,
                             "start the process that holds the terminal");
    return 0;
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
