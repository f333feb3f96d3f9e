/* SPDX-License-Identifier: Apache-2.0 */
/* Our stdin, stdout, stderr, signals and terminal, connected to a container's. */
#include <errno.h>
#include <string.h>

#include "base/text.h"
#include "cli/cli.h"

#define DETACH_KEYS "ctrl-p,ctrl-q"

/* Whose size counts: the terminal that people look at, else the one they type into. */
static int terminal_fd(void)
{
    return isatty(STDOUT_FILENO)  ? STDOUT_FILENO
           : isatty(STDIN_FILENO) ? STDIN_FILENO
                                  : -1;
}

static bool makes_raw(const struct cli_attach *attach)
{
    return attach->tty && attach->stdin_open;
}

int cli_attach_check(const struct cli_attach *attach, struct dr_error *err)
{
    struct dray_error *failed = NULL;
    if (attach->detach_keys && *attach->detach_keys &&
        cli_rc(dray_detach_keys_check(attach->detach_keys, &failed), &failed, err) < 0)
        return dr_wrap(err, "--detach-keys");
    if (makes_raw(attach) && !isatty(STDIN_FILENO))
        return dr_fail(err, DR_ERR_INVALID,
                       "the input device is not a TTY; leave -t away, or -i");
    return 0;
}

int cli_attach_begin(struct cli_attach *attach, unsigned *ret_rows, unsigned *ret_columns,
                     struct dr_error *err)
{
    int what = (attach->signals ? CLI_SIGNALS_PASS : 0) |
               (attach->tty && terminal_fd() >= 0 ? CLI_SIGNALS_SIZE : 0);
    *ret_rows = *ret_columns = 0;
    attach->control_fd = -1;
    if (attach->tty && terminal_fd() >= 0)
        cli_terminal_size(terminal_fd(), ret_rows, ret_columns);
    if (!what && !makes_raw(attach))
        return 0;
    if (cli_signals_catch(what, &attach->control_fd, err) < 0)
        return -1;
    if (attach->signals)
        attach->call.cancel = cli_signals_starting();
    return 0;
}

static void on_created(const struct cli_attach *attach, const struct dray_event *event)
{
    cli_warn_all(event->json);
    if (attach->on_created && event->id)
        attach->on_created(attach->arg, event->id);
}

static void on_event(void *arg, const struct dray_event *event)
{
    const struct cli_attach *attach = arg;
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    if (event->type == DRAY_EVENT_CREATED)
        on_created(attach, event);
    if (event->type == DRAY_EVENT_STARTED)
        cli_warn_all(event->json);
    /* Not before: until then it is a person's terminal, with pulls and errors on it. */
    if (event->type == DRAY_EVENT_STARTED && makes_raw(attach) &&
        cli_terminal_raw(STDIN_FILENO, &err) < 0)
        cli_warn("warning: %s", err.text);
}

int cli_attach_run(struct cli_attach *attach, struct dray_stream *stream,
                   struct dray_event *ret_end, struct dr_error *err)
{
    struct dray_pump pump = DRAY_PUMP_INIT;
    struct dray_error *failed = NULL;
    cli_signals_started();
    pump.stdin_fd = attach->stdin_open ? STDIN_FILENO : -1;
    pump.stdout_fd = attach->no_stdout ? -1 : STDOUT_FILENO;
    pump.stderr_fd = attach->no_stderr ? -1 : STDERR_FILENO;
    pump.on_event = on_event;
    pump.arg = attach;
    pump.control_fd = attach->control_fd;
    pump.tty_fd = attach->tty ? terminal_fd() : -1;
    if (makes_raw(attach))
        pump.detach_keys = attach->detach_keys ? attach->detach_keys : DETACH_KEYS;
    int rc = -1;
    if (stream)
        rc =
            cli_rc(dray_stream_pump(stream, &pump, NULL, ret_end, &failed), &failed, err);
    dray_stream_free(stream);
    cli_terminal_restore();
    if (attach->control_fd >= 0)
        cli_signals_default();
    if (rc == 1 && makes_raw(attach)) {
        fputs("read escape sequence\n", stderr);
        fflush(stderr);
    }
    return rc;
}

int cli_attach_code(const struct cli *cli, int rc, const struct dray_event *end,
                    const char *what, const struct dr_error *err)
{
    if (rc < 0 && err->kind == DR_ERR_CANCELLED && err->code == EPIPE)
        return CLI_PIPE; /* nobody is there to read a complaint */
    if (rc < 0) {
        int code = cli_error(cli, err);
        return err->kind == DR_ERR_CANCELLED && err->code ? CLI_DRAY_FAILED : code;
    }
    if (rc == 1)
        return CLI_OK;
    if (end->exit_known && end->exit_code >= 0 && end->exit_code <= 255)
        return end->exit_code;
    cli_warn(
        "%s: its exit code is unknown, because the process that waited for it was lost",
        what);
    return CLI_DRAY_FAILED;
}
