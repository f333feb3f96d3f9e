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

#define FORCE_COUNT 3
#define FORCE_MS 1000
#define FORCE_TEXT "dray: ended by the third signal; the container may still run\n"

static int write_fd = -1;
static atomic_bool cancelled;
/* When the last two SIGINT or SIGTERM came; only the handler uses it, and all its signals
 * are blocked while it runs. */
static int64_t recent_ms[FORCE_COUNT - 1];

static void force_end(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    int64_t ms = (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
    if (recent_ms[0] && ms - recent_ms[0] <= FORCE_MS) {
        if (write(STDERR_FILENO, FORCE_TEXT, sizeof(FORCE_TEXT) - 1) < 0)
            _exit(CLI_FAILED);
        _exit(CLI_FAILED);
    }
    recent_ms[0] = recent_ms[1];
    recent_ms[1] = ms;
}

/* async-signal-safe */
static void on_signal(int number)
{
    int saved = errno;
    unsigned char byte = (unsigned char)number;
    if (number == SIGINT || number == SIGTERM)
        force_end();
    /* A full pipe holds thousands: one more would tell the container nothing. */
    if (write(write_fd, &byte, 1) < 0)
        errno = saved;
    errno = saved;
}

static void on_cancel(int number)
{
    (void)number;
    atomic_store(&cancelled, true);
}

static void install(const int *numbers, size_t count, void (*handler)(int), int flags)
{
    struct sigaction action = {.sa_handler = handler, .sa_flags = flags};
    sigfillset(&action.sa_mask);
    for (size_t i = 0; i < count; i++)
        sigaction(numbers[i], &action, NULL);
}

int cli_signals_catch(int *ret_fd, struct dr_error *err)
{
    int fds[2];
    if (pipe2(fds, O_CLOEXEC | O_NONBLOCK) < 0)
        return dr_fail_errno(err, DR_ERR_INTERNAL, "make a pipe for signals");
    write_fd = fds[1]; /* stays open: a handler may run at any time */
    install(passed_on, DR_COUNT(passed_on), on_signal, SA_RESTART);
    *ret_fd = fds[0];
    return 0;
}

const atomic_bool *cli_signals_cancel(void)
{
    install(cancelling, DR_COUNT(cancelling), on_cancel,
            (int)(SA_RESTART | SA_RESETHAND));
    return &cancelled;
}

void cli_signals_default(void)
{
    install(passed_on, DR_COUNT(passed_on), SIG_DFL, 0);
}
