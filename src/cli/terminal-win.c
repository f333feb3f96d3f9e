/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Our console, raw while a person talks to a container's terminal: keys come one by one,
 * as the escape sequences that terminals of Linux send. Ctrl-C and the window's end come
 * on threads of their own, and whoever is first gives the console back.
 */
#include <errno.h>

#include "cli/cli.h"
#include "win/fd.h"

#define VIRTUAL_TERMINAL_INPUT 0x200

static HANDLE console;
static DWORD saved, raw;
static volatile LONG active;

void cli_terminal_size(int fd, unsigned *ret_rows, unsigned *ret_columns)
{
    struct winsize size = {0};
    if (ioctl(fd, TIOCGWINSZ, &size) < 0)
        size = (struct winsize){0};
    *ret_rows = size.ws_row;
    *ret_columns = size.ws_col;
}

static int change(int fd, bool hide, struct dr_error *err)
{
    if (active)
        return 0;
    console = win_handle(fd);
    if (!GetConsoleMode(console, &saved)) {
        win_fail();
        return dr_fail_errno(err, DR_ERR_INTERNAL, "read the console's settings");
    }
    raw = hide ? saved & ~(DWORD)ENABLE_ECHO_INPUT
               : (saved & ~(DWORD)(ENABLE_ECHO_INPUT | ENABLE_LINE_INPUT |
                                   ENABLE_PROCESSED_INPUT | ENABLE_QUICK_EDIT_MODE)) |
                     ENABLE_EXTENDED_FLAGS | VIRTUAL_TERMINAL_INPUT;
    active = 1;
    /* consoles before Windows 10 know no escape sequences */
    if (SetConsoleMode(console, raw) ||
        SetConsoleMode(console, raw &= ~(DWORD)VIRTUAL_TERMINAL_INPUT))
        return 0;
    win_fail();
    int number = errno;
    cli_terminal_restore();
    errno = number;
    return dr_fail_errno(err, DR_ERR_INTERNAL, "change the console's settings");
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
    if (InterlockedExchange(&active, 0))
        SetConsoleMode(console, saved);
}

void cli_terminal_lend(void)
{
    if (active)
        SetConsoleMode(console, saved);
}

void cli_terminal_resume(void)
{
    if (active)
        SetConsoleMode(console, raw);
}
