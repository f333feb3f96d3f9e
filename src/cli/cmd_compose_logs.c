/* SPDX-License-Identifier: Apache-2.0 */
/* compose logs: of all services of a deployment, as one. */
#include <errno.h>
#include <string.h>

#include "base/text.h"
#include "cli/compose-logs.h"

/* Stays as it is when the flag was not given. */
static int set_time(int64_t *to, const char *flag, const char *text, struct dr_error *err)
{
    if (!text || cli_time_parse(text, dr_now_ns(), to, err) == 0)
        return 0;
    return dr_wrap(err, "%s", flag);
}

static int print(struct cli *cli, struct cli_logs *how, const char *name,
                 struct dr_error *err)
{
    struct dray_call call = {-1, how->follow ? cli_signals_cancel() : NULL};
    bool interrupted;
    how->interrupt = call.cancel;
    int rc = cli_logs_print(cli, name, how, &call, &interrupted, err);
    cli_signals_default();
    return rc;
}

int cmd_compose_logs(struct cli *cli, void *arg)
{
    const struct compose_logs_args *args = arg;
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    struct dray_deployment *deployment;
    dr_auto_free char *name = NULL;
    struct cli_logs how = {.follow = args->follow,
                           .timestamps = args->timestamps,
                           .no_color = args->no_color,
                           .no_prefix = args->no_prefix};
    if (cli_tail_parse(args->tail, &how.tail, &err) < 0 ||
        set_time(&how.since_ns, "--since", args->since, &err) < 0 ||
        set_time(&how.until_ns, "--until", args->until, &err) < 0)
        return cli_usage_error(cli, &err);
    if (cli_deployment_or_name(&args->of, &deployment, &name, &err) < 0)
        return cli_error(cli, &err);
    dray_deployment_free(deployment);
    if (print(cli, &how, name, &err) == 0)
        return CLI_OK;
    if (err.kind == DR_ERR_CANCELLED)
        return CLI_INTERRUPTED;
    return cli_error(cli, &err);
}
