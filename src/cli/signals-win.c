/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What Windows has of signals: Ctrl-C and Ctrl-Break, which are SIGINT to a container,
 * and the window's end, log-off and shutdown, which are SIGHUP. Windows calls a handler
 * on a thread of its own, and after the window's end only lets us live until that
 * returns. The window's size is looked at four times a second: its events would come with
 * the keys, and reading those as text loses them.
 */
#include "base/text.h"
#include "cli/cli.h"
#include "win/fd.h"

#define FORCE_COUNT 3
#define FORCE_MS 1000
#define SIZE_MS 250
#define FORCE_TEXT "dray: ended by the third signal; the container may still run\n"
/* Windows kills us after 5 s anyway. */
#define CLOSING_MS 4500

static int pipe_fds[2] = {-1, -1};
static struct dray_cancel *cancel, *second;
static volatile LONG passing, cancelling, starting, sizing, installed;
static volatile LONG again; /* the next one triggers the second token */
static int64_t recent_ms[FORCE_COUNT - 1];

static void tell(int number)
{
    unsigned char byte = (unsigned char)number;
    if (write(pipe_fds[1], &byte, 1) < 0)
        return; /* thousands wait there already */
}

static void force_end(void)
{
    int64_t ms = dr_clock_ms();
    if (recent_ms[0] && ms - recent_ms[0] <= FORCE_MS) {
        cli_terminal_restore();
        win_console_restore();
        if (write(STDERR_FILENO, FORCE_TEXT, sizeof(FORCE_TEXT) - 1) < 0)
            ExitProcess(CLI_FAILED);
        ExitProcess(CLI_FAILED);
    }
    recent_ms[0] = recent_ms[1];
    recent_ms[1] = ms;
}

static BOOL WINAPI on_control(DWORD what)
{
    bool closing = what != CTRL_C_EVENT && what != CTRL_BREAK_EVENT;
    if (InterlockedExchange(&cancelling, 0)) {
        dray_cancel_trigger(cancel);
    } else if (InterlockedExchange(&again, 0)) {
        dray_cancel_trigger(second);
    } else if (passing) {
        if (!closing)
            force_end();
        if (starting)
            dray_cancel_trigger(cancel);
        tell(closing ? SIGHUP : SIGINT);
    } else {
        cli_terminal_restore();
        return FALSE; /* the usual end */
    }
    if (closing)
        Sleep(CLOSING_MS); /* main ends the process meanwhile */
    return TRUE;
}

static DWORD WINAPI watch_size(void *arg)
{
    const int fds[] = {STDOUT_FILENO, STDIN_FILENO};
    unsigned rows = 0, columns = 0;
    for (bool first = true;; first = false) {
        unsigned now_rows = 0, now_columns = 0;
        for (size_t i = 0; i < DR_COUNT(fds) && now_rows == 0; i++)
            cli_terminal_size(fds[i], &now_rows, &now_columns);
        if (!first && sizing && (now_rows != rows || now_columns != columns))
            tell(SIGWINCH);
        rows = now_rows;
        columns = now_columns;
        Sleep(SIZE_MS);
    }
    return 0;
}

static void start_sizing(void)
{
    static bool started;
    InterlockedExchange(&sizing, 1);
    if (started)
        return;
    HANDLE thread = CreateThread(NULL, 0, watch_size, NULL, 0, NULL);
    started = thread != NULL; /* without it the size stays what it is */
    if (thread)
        CloseHandle(thread);
}

static void install(void)
{
    if (!InterlockedExchange(&installed, 1))
        SetConsoleCtrlHandler(on_control, TRUE);
}

int cli_signals_catch(int what, int *ret_fd, struct dr_error *err)
{
    if (pipe_fds[0] < 0 && pipe2(pipe_fds, O_CLOEXEC | O_NONBLOCK) < 0)
        return dr_fail_errno(err, DR_ERR_INTERNAL, "make a pipe for signals");
    InterlockedExchange(&passing, what & CLI_SIGNALS_PASS ? 1 : 0);
    if (what & CLI_SIGNALS_SIZE)
        start_sizing();
    install();
    *ret_fd = pipe_fds[0];
    return 0;
}

static struct dray_cancel *token(void)
{
    if (!cancel)
        cancel = dray_cancel_new();
    return cancel;
}

struct dray_cancel *cli_signals_starting(void)
{
    InterlockedExchange(&starting, token() ? 1 : 0);
    return cancel;
}

void cli_signals_started(void)
{
    InterlockedExchange(&starting, 0);
}

struct dray_cancel *cli_signals_cancel(void)
{
    if (!token())
        return NULL;
    InterlockedExchange(&cancelling, 1);
    install();
    return cancel;
}

struct dray_cancel *cli_signals_cancel_twice(struct dray_cancel **ret_second)
{
    *ret_second = second = second ? second : dray_cancel_new();
    if (!second || !cli_signals_cancel())
        return NULL;
    InterlockedExchange(&again, 1);
    return cancel;
}

void cli_signals_cancel_now(void)
{
    if (InterlockedExchange(&cancelling, 0))
        dray_cancel_trigger(cancel);
}

void cli_signals_default(void)
{
    InterlockedExchange(&again, 0);
    InterlockedExchange(&passing, 0);
    InterlockedExchange(&cancelling, 0);
    InterlockedExchange(&starting, 0);
    InterlockedExchange(&sizing, 0);
}
