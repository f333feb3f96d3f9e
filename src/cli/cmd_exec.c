/* SPDX-License-Identifier: Apache-2.0 */
#include "base/text.h"
#include "cli/args.h"
#include "cli/cli.h"

static int check(const struct cli *cli, const struct exec_args *args,
                 const struct cli_attach *attach, struct dr_error *err)
{
    if (args->workdir && *args->workdir != '/')
        return dr_fail(err, DR_ERR_INVALID, "--workdir %s: it must be an absolute path",
                       args->workdir);
    return args->detach ? 0 : cli_attach_check(attach, err);
}

static int exec_detached(struct cli *cli, const struct dray_exec_options *options,
                         struct dr_error *err)
{
    struct dray_target *target = cli_target(cli, err);
    struct dray_error *failed = NULL;
    if (!target)
        return -1;
    return cli_rc(dray_exec_detached(target, cli->words[0], options, NULL, &failed),
                  &failed, err);
}

static int exec_attached(struct cli *cli, struct dray_exec_options *options,
                         struct cli_attach *attach, struct dray_event *ret_end,
                         struct dr_error *err)
{
    struct dray_target *target = cli_target(cli, err);
    struct dray_error *failed = NULL;
    struct dray_stream *stream = NULL;
    if (!target || cli_attach_begin(attach, &options->rows, &options->columns, err) < 0)
        return -1;
    if (cli_rc(dray_exec(target, cli->words[0], options, NULL, &stream, &failed), &failed,
               err) < 0) {
        cli_attach_run(attach, NULL, ret_end, err);
        return -1;
    }
    return cli_attach_run(attach, stream, ret_end, err);
}

/* Signals are not passed on, as in Docker: when this process ends, the helper loses its
 * peer and ends the command (C26). */
int cmd_exec(struct cli *cli, void *arg)
{
    const struct exec_args *args = arg;
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    dr_auto_strv char **env = NULL;
    struct dray_event end = {0};
    struct cli_attach attach = {
        .stdin_open = args->interactive && !args->detach,
        .tty = args->tty,
        .detach_keys = args->detach_keys,
    };
    if (check(cli, args, &attach, &err) < 0 ||
        cli_env_all(args->env_files, args->env, false, &env, &err) < 0)
        return cli_usage_error(cli, &err);
    struct dray_exec_options options = {
        .size = sizeof(options),
        .argv = (const char *const *)cli->words + 1,
        .env = (const char *const *)env,
        .user = args->user,
        .workdir = args->workdir,
        .tty = args->tty,
        .privileged = args->privileged,
        .stdin_open = attach.stdin_open,
    };
    if (args->detach)
        return exec_detached(cli, &options, &err) < 0 ? cli_error(cli, &err) : CLI_OK;
    int rc = exec_attached(cli, &options, &attach, &end, &err);
    return cli_attach_code(cli, rc, &end, cli->words[0], &err);
}
