/* SPDX-License-Identifier: Apache-2.0 */
/* export, diff and commit: a container's file system as an archive, as a list of changes,
 * as an image. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "base/text.h"
#include "cli/args.h"
#include "cli/cli.h"

#define PATH_MAX_BYTES (64u << 10)

static int export_to(struct cli *cli, int fd, struct dr_error *err)
{
    struct dray_target *target = cli_target(cli, err);
    struct dray_pump pump = DRAY_PUMP_INIT;
    struct dray_stream *stream = NULL;
    struct dray_error *failed = NULL;
    struct dray_event end;
    if (!target ||
        cli_rc(dray_container_export(target, cli->words[0], NULL, &stream, &failed),
               &failed, err) < 0)
        return -1;
    pump.stdout_fd = fd;
    int rc = cli_rc(dray_stream_pump(stream, &pump, NULL, &end, &failed), &failed, err);
    dray_stream_free(stream);
    return rc < 0 ? -1 : 0;
}

/* The file is there whole or not at all: what was there before stays until then. */
static int export_file(struct cli *cli, const char *path, struct dr_error *err)
{
    struct stat info;
    if (stat(path, &info) == 0 && !S_ISREG(info.st_mode)) { /* a pipe, /dev/null */
        dr_auto_fd int fd = open(path, O_WRONLY | O_CLOEXEC);
        if (fd < 0)
            return dr_fail_errno(err, DR_ERR_NONE, "--output %s", path);
        return export_to(cli, fd, err);
    }
    dr_auto_free char *part = dr_printf("%s.XXXXXX", path);
    dr_auto_fd int fd = mkostemp(part, O_CLOEXEC);
    if (fd < 0)
        return dr_fail_errno(err, DR_ERR_NONE, "--output %s", path);
    mode_t mask = umask(0);
    umask(mask);
    int rc = export_to(cli, fd, err);
    if (rc == 0 && (fchmod(fd, 0666 & ~mask) < 0 || rename(part, path) < 0))
        rc = dr_fail_errno(err, DR_ERR_NONE, "--output %s", path);
    if (rc < 0)
        unlink(part);
    return rc;
}

int cmd_export(struct cli *cli, void *arg)
{
    const struct export_args *args = arg;
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    if (!args->output && isatty(STDOUT_FILENO)) {
        dr_fail(&err, DR_ERR_INVALID,
                "an archive is not for a terminal; use -o FILE, or redirect stdout");
        return cli_usage_error(cli, &err);
    }
    int rc = args->output ? export_file(cli, args->output, &err)
                          : export_to(cli, STDOUT_FILENO, &err);
    if (rc < 0 && err.kind == DR_ERR_CANCELLED && err.code == EPIPE)
        return CLI_PIPE;
    return rc < 0 ? cli_error(cli, &err) : CLI_OK;
}

/* "A/etc/x" is "A /etc/x" */
static int print_change(const char *record, struct dr_error *err)
{
    if (!strchr("ACD", *record) || record[1] != '/')
        return dr_fail(err, DR_ERR_FORMAT, "the target sent a change that is none");
    dr_auto_free char *line = dr_printf("%c %s", *record, record + 1);
    cli_line(line);
    return 0;
}

/* Records end with a NUL, wherever the pieces do. */
static int print_changes(struct dr_buf *rest, const struct dray_event *event,
                         struct dr_error *err)
{
    const char *data = event->data, *stop = data + event->len, *nul;
    for (; (nul = memchr(data, '\0', (size_t)(stop - data))); data = nul + 1) {
        if (dr_buf_add(rest, data, (size_t)(nul - data), err) < 0 ||
            print_change(rest->data, err) < 0)
            return -1;
        dr_buf_reset(rest);
    }
    return dr_buf_add(rest, data, (size_t)(stop - data), err);
}

static int diff(struct cli *cli, struct dr_error *err)
{
    struct dray_target *target = cli_target(cli, err);
    dr_auto_buf struct dr_buf rest = DR_BUF_INIT(PATH_MAX_BYTES);
    struct dray_stream *stream = NULL;
    struct dray_error *failed = NULL;
    struct dray_event event;
    if (!target ||
        cli_rc(dray_container_diff(target, cli->words[0], NULL, &stream, &failed),
               &failed, err) < 0)
        return -1;
    int rc, printed = 0;
    while (printed == 0 && (rc = dray_stream_next(stream, NULL, &event, &failed)) == 1)
        if (event.type == DRAY_EVENT_OUTPUT && event.len)
            printed = print_changes(&rest, &event, err);
    dray_stream_free(stream);
    return printed < 0 ? -1 : cli_rc(rc, &failed, err);
}

int cmd_diff(struct cli *cli, void *args)
{
    (void)args;
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    return diff(cli, &err) < 0 ? cli_error(cli, &err) : CLI_OK;
}

int cmd_commit(struct cli *cli, void *arg)
{
    const struct commit_args *args = arg;
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    struct dray_error *failed = NULL;
    char *id = NULL;
    struct dray_commit_options options = {
        .size = sizeof(options),
        .name = cli->words[1],
        .author = args->author,
        .message = args->message,
        .changes = (const char *const *)args->changes,
        .no_pause = !args->pause,
    };
    if (options.name) {
        int rc = dray_reference_normalize(options.name, &id, &failed);
        dray_free(id);
        id = NULL;
        if (cli_rc(rc, &failed, &err) < 0)
            return cli_usage_error(cli, &err);
    }
    struct dray_target *target = cli_target(cli, &err);
    if (!target ||
        cli_rc(dray_container_commit(target, cli->words[0], &options, NULL, &id, &failed),
               &failed, &err) < 0)
        return cli_error(cli, &err);
    dr_auto_free char *line = dr_printf("%s%s", strchr(id, ':') ? "" : "sha256:", id);
    dray_free(id);
    cli_line(line);
    return CLI_OK;
}
