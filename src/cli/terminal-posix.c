/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Our terminal, raw while a person talks to a container's. Handlers of signals use what
 * is here, so it is one terminal, and plain variables.
 */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>

#include "cli/cli.h"

static struct termios saved, raw;
static int raw_fd = -1;              /* written while `active` is 0 only */
static volatile sig_atomic_t active; /* `saved` and `raw` are of use */

void cli_terminal_size(int fd, unsigned *ret_rows, unsigned *ret_columns)
{
    struct winsize size = {0};
    if (ioctl(fd, TIOCGWINSZ, &size) < 0)
        memset(&size, 0, sizeof(size));
    *ret_rows = size.ws_row;
    *ret_columns = size.ws_col;
}

/* A process in the background is stopped when it changes its terminal, unless it blocks
 * the signal for that: whoever restores must come through. */
static void set(const struct termios *settings)
{
    sigset_t block, before;
    sigemptyset(&block);
    sigaddset(&block, SIGTTOU);
    pthread_sigmask(SIG_BLOCK, &block, &before);
    tcsetattr(raw_fd, TCSANOW, settings);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
}

static int change(int fd, bool hide, struct dr_error *err)
{
    if (active)
        return 0;
    if (tcgetattr(fd, &saved) < 0)
        return dr_fail_errno(err, DR_ERR_INTERNAL, "read the terminal's settings");
    raw = saved;
    if (hide)
        raw.c_lflag &= ~(tcflag_t)(ECHO | ECHOE | ECHOK | ECHONL);
    else
        cfmakeraw(&raw);
    raw_fd = fd;
    active = 1;
    if (tcsetattr(fd, TCSANOW, &raw) == 0)
        return 0;
    int number = errno;
    cli_terminal_restore();
    errno = number;
    return dr_fail_errno(err, DR_ERR_INTERNAL, "change the terminal's settings");
}

int cli_terminal_raw(int fd, struct dr_error *err)
{
    return change(fd, false, err);
}

int cli_terminal_hide(int fd, struct dr_error *err)
{
    return change(fd, true, err);
}

void cli_terminal_restore(void)
{
    cli_terminal_lend();
    active = 0;
}

void cli_terminal_lend(void)
{
    if (active)
        set(&saved);
}

void cli_terminal_resume(void)
{
    /* in the background it is the shell's; the next SIGCONT comes with the foreground */
    if (active && tcgetpgrp(raw_fd) == getpgrp())
        set(&raw);
}
