/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <time.h>

#include "cli/cli.h"

/* What `docker run` passes on, of the signals that people and supervisors send. */
static const int passed_on[] = {SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2};
static const int cancelling[] = {SIGHUP, SIGINT, SIGTERM};
/* The ends that nobody plans: the terminal must not stay raw after them either. */
static const int crashes[] = {SIGABRT, SIGSEGV, SIGBUS};
/* What may have a handler of ours. */
static const int all[] = {SIGHUP,  SIGINT,  SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2,
                          SIGABRT, SIGSEGV, SIGBUS,  SIGTSTP, SIGCONT, SIGWINCH};

#define FORCE_COUNT 3
#define FORCE_MS 1000
#define FORCE_TEXT "dray: ended by the third signal; the container may still run\n"

static int pipe_fds[2] = {-1, -1};
static struct dray_cancel *cancel, *second;
static volatile sig_atomic_t cancelled; /* on_cancel_twice was called */
static volatile sig_atomic_t starting;
/* When the last two SIGINT or SIGTERM came; only the handler uses it, and all its signals
 * are blocked while it runs. */
static int64_t recent_ms[FORCE_COUNT - 1];

static void force_end(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    int64_t ms = (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
    if (recent_ms[0] && ms - recent_ms[0] <= FORCE_MS) {
        cli_terminal_restore();
        if (write(STDERR_FILENO, FORCE_TEXT, sizeof(FORCE_TEXT) - 1) < 0)
            _exit(CLI_FAILED);
        _exit(CLI_FAILED);
    }
    recent_ms[0] = recent_ms[1];
    recent_ms[1] = ms;
}

/* All handlers are async-signal-safe, and every signal is blocked while one runs. */
static void on_signal(int number)
{
    int saved = errno;
    unsigned char byte = (unsigned char)number;
    if (number == SIGINT || number == SIGTERM)
        force_end();
    if (starting && (number == SIGINT || number == SIGTERM || number == SIGHUP))
        dray_cancel_trigger(cancel);
    /* A full pipe holds thousands: one more would tell the container nothing. */
    if (write(pipe_fds[1], &byte, 1) < 0)
        errno = saved;
    errno = saved;
}

/* The handler is gone already (SA_RESETHAND): the signal has its effect on return. */
static void on_end(int number)
{
    cli_terminal_restore();
    raise(number);
}

/* The shell gets its terminal as it was. */
static void on_stop(int number)
{
    int saved = errno;
    (void)number;
    cli_terminal_lend();
    raise(SIGSTOP);
    cli_terminal_resume();
    errno = saved;
}

static void on_continue(int number)
{
    int saved = errno;
    unsigned char byte = SIGWINCH; /* it may have another size now */
    (void)number;
    cli_terminal_resume();
    if (write(pipe_fds[1], &byte, 1) < 0)
        errno = saved;
    errno = saved;
}

static void on_cancel(int number)
{
    (void)number;
    dray_cancel_trigger(cancel);
}

static void install(const int *numbers, size_t count, void (*handler)(int), int flags);

/* timeout(1) sends its signal to the process and to its group: that is one. */
#define TWICE_MS 200

static void on_cancel_twice(int number)
{
    static int64_t first_ms;
    struct timespec now;
    (void)number;
    clock_gettime(CLOCK_MONOTONIC, &now);
    int64_t ms = (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
    if (!cancelled)
        first_ms = ms;
    else if (ms - first_ms < TWICE_MS)
        return;
    dray_cancel_trigger(cancelled ? second : cancel);
    if (cancelled)
        install(cancelling, DR_COUNT(cancelling), SIG_DFL, 0);
    cancelled = 1;
}

static void install(const int *numbers, size_t count, void (*handler)(int), int flags)
{
    struct sigaction action = {.sa_handler = handler, .sa_flags = flags};
    sigfillset(&action.sa_mask);
    for (size_t i = 0; i < count; i++)
        sigaction(numbers[i], &action, NULL);
}

static void install_one(int number, void (*handler)(int), int flags)
{
    install(&number, 1, handler, flags);
}

/* What is ignored stays so (nohup), and a sanitizer keeps its handlers. */
static void install_where_default(const int *numbers, size_t count, void (*handler)(int))
{
    for (size_t i = 0; i < count; i++) {
        struct sigaction now;
        if (sigaction(numbers[i], NULL, &now) == 0 && now.sa_handler == SIG_DFL)
            install_one(numbers[i], handler, (int)(SA_RESTART | SA_RESETHAND));
    }
}

int cli_signals_catch(int what, int *ret_fd, struct dr_error *err)
{
    /* It stays open: a handler may run at any time. */
    if (pipe_fds[0] < 0 && pipe2(pipe_fds, O_CLOEXEC | O_NONBLOCK) < 0)
        return dr_fail_errno(err, DR_ERR_INTERNAL, "make a pipe for signals");
    if (what & CLI_SIGNALS_PASS)
        install(passed_on, DR_COUNT(passed_on), on_signal, SA_RESTART);
    else
        install_where_default(passed_on, DR_COUNT(passed_on), on_end);
    install_where_default(crashes, DR_COUNT(crashes), on_end);
    if (what & CLI_SIGNALS_SIZE)
        install_one(SIGWINCH, on_signal, SA_RESTART);
    install_one(SIGTSTP, on_stop, SA_RESTART);
    install_one(SIGCONT, on_continue, SA_RESTART);
    *ret_fd = pipe_fds[0];
    return 0;
}

/* NULL: no descriptor is left, and signals keep their usual effect. */
static struct dray_cancel *token(void)
{
    if (!cancel)
        cancel = dray_cancel_new(); /* kept: a handler may run at any time */
    return cancel;
}

struct dray_cancel *cli_signals_starting(void)
{
    starting = token() != NULL;
    return cancel;
}

void cli_signals_started(void)
{
    starting = 0;
}

struct dray_cancel *cli_signals_cancel(void)
{
    if (!token())
        return NULL;
    install(cancelling, DR_COUNT(cancelling), on_cancel,
            (int)(SA_RESTART | SA_RESETHAND));
    return cancel;
}

struct dray_cancel *cli_signals_cancel_twice(struct dray_cancel **ret_second)
{
    *ret_second = second = second ? second : dray_cancel_new();
    if (!second || !cli_signals_cancel())
        return NULL;
    cancelled = 0;
    install(cancelling, DR_COUNT(cancelling), on_cancel_twice, SA_RESTART);
    return cancel;
}

void cli_signals_cancel_now(void)
{
    cancelled = 1;
    dray_cancel_trigger(cancel);
}

void cli_signals_default(void)
{
    static void (*const ours[])(int) = {on_signal,   on_end,    on_stop,
                                        on_continue, on_cancel, on_cancel_twice};
    starting = 0;
    for (size_t i = 0; i < DR_COUNT(all); i++) {
        struct sigaction now;
        if (sigaction(all[i], NULL, &now) < 0)
            continue;
        for (size_t j = 0; j < DR_COUNT(ours); j++)
            if (now.sa_handler == ours[j])
                install_one(all[i], SIG_DFL, 0);
    }
}
