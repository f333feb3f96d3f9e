/* SPDX-License-Identifier: Apache-2.0 */
/* Our stdin, stdout, stderr and signals, connected to a container's. */
#include <errno.h>
#include <poll.h>
#include <string.h>

#include "base/text.h"
#include "cli/cli.h"

struct attached {
    const struct cli_attach *attach;
    int write_errno;
};

/* All of it, whatever the descriptor is: a pipe that somebody set to O_NONBLOCK too. */
static int write_all(int fd, const char *data, size_t len)
{
    while (len) {
        ssize_t n = write(fd, data, len);
        if (n >= 0) {
            data += n;
            len -= (size_t)n;
        } else if (errno == EAGAIN) {
            struct pollfd wait = {.fd = fd, .events = POLLOUT};
            poll(&wait, 1, -1);
        } else if (errno != EINTR) {
            return -1;
        }
    }
    return 0;
}

static int on_output(void *arg, int stream, const void *data, size_t len)
{
    struct attached *attached = arg;
    int fd = stream == WIRE_STDERR ? STDERR_FILENO : STDOUT_FILENO;
    if (write_all(fd, data, len) == 0)
        return 0;
    attached->write_errno = errno;
    return -1;
}

static void on_event(void *arg, const json_t *event)
{
    struct attached *attached = arg;
    const char *name = dr_json_str(event, "event");
    const char *id = dr_json_str(event, "id");
    if (!name || strcmp(name, "created") != 0)
        return;
    json_t *warnings = dr_json_array(event, "warnings");
    for (size_t i = 0; i < json_array_size(warnings); i++) {
        const char *warning = json_string_value(json_array_get(warnings, i));
        cli_warn("warning: %s", warning ? warning : "");
    }
    if (attached->attach->on_created && id)
        attached->attach->on_created(attached->attach->arg, id);
}

int cli_attach(struct cli *cli, json_t *request, const struct cli_attach *attach,
               json_t **ret_reply, struct dr_error *err)
{
    struct attached attached = {.attach = attach};
    struct host_streams streams = {
        .stdin_fd = attach->stdin_open ? STDIN_FILENO : -1,
        .on_output = on_output,
        .on_event = on_event,
        .arg = &attached,
        .signal_fd = -1,
    };
    struct host *host = cli_host(cli, err);
    if (!host || (attach->signals && cli_signals_catch(&streams.signal_fd, err) < 0)) {
        json_decref(request);
        return -1;
    }
    int rc = host_stream(host, request, &streams, ret_reply, err);
    if (attach->signals) {
        cli_signals_default();
        close(streams.signal_fd);
    }
    if (rc < 0 && attached.write_errno) {
        dr_error_release(err);
        errno = attached.write_errno;
        dr_fail_errno(err, DR_ERR_CANCELLED, "cannot write the container's output");
    }
    return rc;
}

int cli_reply_code(const json_t *reply, const char *what)
{
    int64_t code = dr_json_int(reply, "exit_code", -1);
    if (code >= 0 && code <= 255)
        return (int)code;
    cli_warn(
        "%s: its exit code is unknown, because the process that waited for it was lost",
        what);
    return CLI_DRAY_FAILED;
}
