/* SPDX-License-Identifier: Apache-2.0 */
/* compose run: one more container of a service, for one command. */
#include <string.h>

#include "base/text.h"
#include "cli/compose.h"

struct one_off {
    struct cli *cli;
    const struct compose_run_args *args;
    const struct dray_deployment *deployment;
    const char *service;
    char id[DRAY_ID_SIZE];
    struct cli_attach attach;
};

/* What the service depends on, its networks, its image. */
static int prepare(struct one_off *r, struct dr_error *err)
{
    struct dray_plan_options options = DRAY_INIT(options);
    struct dray_error *failed = NULL;
    struct dray_plan *plan = NULL;
    const char *const services[] = {r->service, NULL};
    const struct cli_apply how = {.quiet = r->args->quiet, .stop_timeout_s = -1};
    struct dray_call call = {-1, cli_signals_cancel()};
    options.services = services;
    options.no_deps = r->args->no_deps;
    options.no_recreate = true;
    options.surroundings = true;
    options.pull = r->args->pull;
    options.waiting = cli_step_waiting;
    options.waiting_arg = (void *)dray_deployment_name(r->deployment);
    int rc = cli_rc(dray_deployment_plan(r->cli->target, r->deployment, &options, &call,
                                         &plan, &failed),
                    &failed, err);
    if (rc == 0)
        rc = cli_plan_apply(r->cli, plan, &how, &call, err);
    dray_plan_free(plan);
    cli_signals_default();
    return rc;
}

static int set(struct dray_spec *spec, const char *field, const char *value,
               struct dr_error *err)
{
    return value ? cli_spec_set(spec, field, value, err) : 0;
}

static int fill(struct one_off *r, struct dray_spec *spec, struct dr_error *err)
{
    const struct compose_run_args *args = r->args;
    struct dray_error *failed = NULL;
    dr_auto_strv char **env = NULL;
    if (cli_env_all(NULL, args->env, true, &env, err) < 0 ||
        cli_rc(dray_spec_add_all(spec, "env", env, &failed), &failed, err) < 0 ||
        set(spec, "name", args->name, err) < 0 ||
        set(spec, "user", args->user, err) < 0 ||
        set(spec, "workdir", args->workdir, err) < 0 ||
        set(spec, "entrypoint", args->entrypoint, err) < 0 ||
        set(spec, "rm", args->remove ? "true" : NULL, err) < 0 ||
        set(spec, "tty", r->attach.tty ? "true" : "false", err) < 0 ||
        set(spec, "interactive", r->attach.stdin_open ? "true" : "false", err) < 0)
        return -1;
    return 0;
}

static int make(struct one_off *r, struct dr_error *err)
{
    struct dray_error *failed = NULL;
    struct dray_spec *spec = NULL;
    const char *const *words =
        r->cli->word_count > 1 ? (const char *const *)r->cli->words + 1 : NULL;
    if (cli_rc(dray_deployment_oneoff(r->deployment, r->service, words, &spec, &failed),
               &failed, err) < 0)
        return -1;
    int rc = fill(r, spec, err);
    if (rc == 0)
        rc = cli_rc(dray_deployment_create_oneoff(r->cli->target, r->deployment,
                                                  r->service, spec, NULL, r->id, &failed),
                    &failed, err);
    dray_spec_free(spec);
    return rc;
}

static int run_detached(struct one_off *r, struct dr_error *err)
{
    struct dray_error *failed = NULL;
    if (cli_rc(dray_container_start(r->cli->target, r->id, NULL, &failed), &failed, err) <
        0)
        return -1;
    cli_line(r->id);
    return 0;
}

static int run_attached(struct one_off *r, struct dray_event *ret_end,
                        struct dr_error *err)
{
    struct dray_attach_options options = DRAY_INIT(options);
    struct dray_stream *stream = NULL;
    struct dray_error *failed = NULL;
    options.stdin_open = r->attach.stdin_open;
    if (cli_attach_begin(&r->attach, &options.rows, &options.columns, err) < 0)
        return -1;
    if (cli_rc(dray_container_start_attached(r->cli->target, r->id, &options,
                                             &r->attach.call, &stream, &failed),
               &failed, err) < 0) {
        cli_attach_run(&r->attach, NULL, ret_end, err);
        return -1;
    }
    return cli_attach_run(&r->attach, stream, ret_end, err);
}

/* Nothing stays of one that could not be started. */
static void undo(struct one_off *r)
{
    struct dray_error *ignored = NULL;
    if (*r->id &&
        dray_container_remove(r->cli->target, r->id, true, true, NULL, &ignored) < 0)
        dray_error_free(ignored);
}

static int run(struct one_off *r)
{
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    struct dray_event end = {0};
    int rc = cli_target(r->cli, &err) ? cli_attach_check(&r->attach, &err) : -1;
    if (rc == 0)
        rc = prepare(r, &err);
    if (rc == 0)
        rc = make(r, &err);
    if (rc == 0 && r->args->detach) {
        rc = run_detached(r, &err);
        if (rc == 0)
            return CLI_OK;
    } else if (rc == 0) {
        rc = run_attached(r, &end, &err);
    }
    /* cancelled with a code: it runs, and we cannot write what it says */
    if (rc < 0 && !(err.kind == DR_ERR_CANCELLED && err.code))
        undo(r);
    return cli_attach_code(r->cli, rc, &end, r->service, &err);
}

int cmd_compose_run(struct cli *cli, void *arg)
{
    const struct compose_run_args *args = arg;
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    bool terminal = isatty(STDIN_FILENO) && isatty(STDOUT_FILENO);
    struct one_off r = {.cli = cli,
                        .args = args,
                        .service = cli->words[0],
                        .attach = {.stdin_open = args->interactive && !args->detach,
                                   .tty = terminal && !args->no_tty && !args->detach}};
    r.attach.signals = !r.attach.tty;
    struct dray_deployment *deployment = cli_deployment(&args->of, &err);
    if (!deployment)
        return cli_error(cli, &err);
    r.deployment = deployment;
    int code = run(&r);
    dray_deployment_free(deployment);
    return code;
}
