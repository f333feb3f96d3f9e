/* SPDX-License-Identifier: Apache-2.0 */
/* compose stop, start, restart, rm: with the containers that are there, in the order of
 * what they depend on. The files are not needed where a name will do. */
#include <string.h>

#include "cli/compose.h"

int cli_change(struct cli *cli, const struct cli_change *how,
               const struct dray_call *call, struct dr_error *err)
{
    struct dray_target *target = cli_target(cli, err);
    struct dray_change_options options = DRAY_INIT(options);
    struct dray_error *failed = NULL;
    struct dray_plan *plan = NULL;
    if (!target)
        return -1;
    options.services = (const char *const *)cli->words;
    options.no_deps = how->no_deps;
    options.running = how->running;
    options.volumes = how->volumes;
    options.show_only = how->apply.dry_run;
    options.waiting = cli_step_waiting;
    options.waiting_arg = (void *)how->name;
    int rc =
        cli_rc(dray_deployment_plan_change(target, how->name, how->deployment,
                                           how->change, &options, call, &plan, &failed),
               &failed, err);
    if (rc == 0)
        rc = cli_plan_apply(cli, plan, &how->apply, call, err);
    dray_plan_free(plan);
    return rc;
}

/* how without its name and deployment, which of says. removed: what goes, when a person
 * is to be asked first; else NULL. */
static int change(struct cli *cli, const struct compose_args *of, struct cli_change how,
                  const char *removed)
{
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    struct dray_deployment *deployment;
    dr_auto_free char *name = NULL;
    if (cli_deployment_or_name(of, &deployment, &name, &err) < 0)
        return cli_error(cli, &err);
    how.name = name;
    how.deployment = deployment;
    dr_auto_free char *warning =
        dr_printf("This will remove the %s%s.\n", removed ? removed : "", name);
    int code = CLI_FAILED;
    if (!removed || cli_confirm(cli, warning)) {
        const struct dray_call call = {-1, cli_signals_cancel()};
        code = cli_change(cli, &how, &call, &err) < 0 ? cli_error(cli, &err) : CLI_OK;
        cli_signals_default();
    }
    dray_deployment_free(deployment);
    return code;
}

int cmd_compose_rm(struct cli *cli, void *arg)
{
    const struct compose_rm_args *args = arg;
    const struct cli_change how = {.change = DRAY_CHANGE_REMOVE,
                                   .running = args->stop,
                                   .volumes = args->volumes,
                                   .apply = {.dry_run = args->dry_run,
                                             .quiet = args->quiet,
                                             .stop_timeout_s = args->timeout_s}};
    dr_auto_free char *removed =
        dr_printf("%scontainers of %s", args->stop ? "" : "stopped ",
                  cli->words[0] ? "services of " : "");
    return change(cli, &args->of, how, args->force || args->dry_run ? NULL : removed);
}

static int change_running(struct cli *cli, const struct compose_stop_args *args,
                          enum dray_change what)
{
    const struct cli_change how = {.change = what,
                                   .no_deps = args->no_deps,
                                   .apply = {.dry_run = args->dry_run,
                                             .quiet = args->quiet,
                                             .stop_timeout_s = args->timeout_s}};
    return change(cli, &args->of, how, NULL);
}

int cmd_compose_stop(struct cli *cli, void *args)
{
    return change_running(cli, args, DRAY_CHANGE_STOP);
}

int cmd_compose_restart(struct cli *cli, void *args)
{
    return change_running(cli, args, DRAY_CHANGE_RESTART);
}

int cmd_compose_start(struct cli *cli, void *args)
{
    return change_running(cli, args, DRAY_CHANGE_START);
}
