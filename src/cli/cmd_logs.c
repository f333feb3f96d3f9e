/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <string.h>

#include "base/text.h"
#include "cli/args.h"
#include "cli/cli.h"

int cli_tail_parse(const char *text, int64_t *ret, struct dr_error *err)
{
    *ret = -1;
    if (!text || strcmp(text, "all") == 0)
        return 0;
    if (!dr_int_parse(text, INT64_MIN, INT64_MAX, ret)) {
        dr_auto_free char *safe = dr_escape(text, 100);
        return dr_fail(
            err, DR_ERR_INVALID,
            "invalid argument \"%s\" for \"-n, --tail\" flag: it must be a number "
            "of lines, or all",
            safe);
    }
    if (*ret < 0)
        *ret = -1;
    return 0;
}

/* Stays as it is when the flag was not given. */
static int set_time(int64_t *to, const char *flag, const char *text, struct dr_error *err)
{
    if (!text || cli_time_parse(text, dr_now_ns(), to, err) == 0)
        return 0;
    return dr_wrap(err, "%s", flag);
}

static int logs(struct cli *cli, const struct dray_logs_options *options, bool timestamps,
                struct dr_error *err)
{
    struct dray_target *target = cli_target(cli, err);
    struct dray_pump pump = DRAY_PUMP_INIT;
    struct dray_stream *stream = NULL;
    struct dray_error *failed = NULL;
    struct dray_event end;
    if (!target)
        return -1;
    if (cli_rc(dray_container_logs_raw(target, cli->words[0], options, timestamps, NULL,
                                       &stream, &failed),
               &failed, err) < 0)
        return -1;
    pump.stdout_fd = STDOUT_FILENO;
    pump.stderr_fd = STDERR_FILENO;
    int rc = cli_rc(dray_stream_pump(stream, &pump, NULL, &end, &failed), &failed, err);
    dray_stream_free(stream);
    return rc;
}

int cmd_logs(struct cli *cli, void *arg)
{
    const struct logs_args *args = arg;
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    struct dray_logs_options options = DRAY_LOGS_INIT;
    options.follow = args->follow;
    if (cli_tail_parse(args->tail, &options.tail, &err) < 0 ||
        set_time(&options.since_ns, "--since", args->since, &err) < 0 ||
        set_time(&options.until_ns, "--until", args->until, &err) < 0)
        return cli_usage_error(cli, &err);
    if (logs(cli, &options, args->timestamps, &err) >= 0)
        return CLI_OK;
    if (err.kind == DR_ERR_CANCELLED && err.code == EPIPE)
        return CLI_PIPE;
    int code = cli_error(cli, &err);
    return err.kind == DR_ERR_CANCELLED && err.code ? CLI_FAILED : code;
}
