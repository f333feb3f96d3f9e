/* SPDX-License-Identifier: Apache-2.0 */
/* up, down, scale: a deployment is brought to what its files say. */
#include <string.h>

#include "base/text.h"
#include "cli/compose-logs.h"

/* --- flags --- */

static int scale_one(struct dray_deployment *deployment, const char *text,
                     struct dr_error *err)
{
    const char *equals = strchr(text, '=');
    struct dray_error *failed = NULL;
    int64_t replicas;
    if (!equals || equals == text || !dr_int_parse(equals + 1, 0, 1000, &replicas))
        return dr_fail(err, DR_ERR_INVALID,
                       "'%s': it must be SERVICE=N, with N from 0 to 1000", text);
    dr_auto_free char *service = dr_strndup(text, (size_t)(equals - text));
    return cli_rc(dray_deployment_scale(deployment, service, replicas, &failed), &failed,
                  err);
}

static int scale_all(struct dray_deployment *deployment, char *const *texts,
                     struct dr_error *err)
{
    for (; texts && *texts; texts++)
        if (scale_one(deployment, *texts, err) < 0)
            return -1;
    return 0;
}

static int deadline(const char *text, int64_t *ret_ms, struct dr_error *err)
{
    int64_t ns;
    *ret_ms = -1;
    if (!text)
        return 0;
    if (dr_duration_parse(text, &ns, err) < 0)
        return dr_wrap(err, "--timeout");
    if (ns <= 0)
        return dr_fail(err, DR_ERR_INVALID, "--timeout %s: it must be above 0", text);
    *ret_ms = ns / 1000000 + 1;
    return 0;
}

static int check_up(const struct up_args *args, int64_t *ret_ms, struct dr_error *err)
{
    enum dray_pull_policy ignored;
    if (deadline(args->timeout, ret_ms, err) < 0 ||
        cli_format_check(args->format, err) < 0 ||
        (args->pull && cli_pull_policy(args->pull, &ignored, err) < 0))
        return -1;
    if (args->format && !args->dry_run)
        return dr_fail(err, DR_ERR_INVALID, "--format is for --dry-run");
    if (args->force_recreate && args->no_recreate)
        return dr_fail(err, DR_ERR_INVALID,
                       "--force-recreate and --no-recreate exclude each other");
    const char *end = args->exit_code_from     ? "--exit-code-from"
                      : args->abort_on_exit    ? "--abort-on-container-exit"
                      : args->abort_on_failure ? "--abort-on-container-failure"
                                               : NULL;
    const char *other = args->detach    ? "--detach"
                        : args->wait    ? "--wait"
                        : args->dry_run ? "--dry-run"
                        : args->abort_on_exit && args->abort_on_failure
                            ? "--abort-on-container-failure"
                            : NULL;
    if (end && other && end != other)
        return dr_fail(err, DR_ERR_INVALID, "%s and %s exclude each other", end, other);
    return 0;
}

static int check_exit_code_from(const struct dray_deployment *deployment,
                                const char *service, struct dr_error *err)
{
    struct dray_error *failed = NULL;
    char *text = NULL;
    if (!service)
        return 0;
    int rc = dray_deployment_config(deployment, "json", &text, &failed);
    dr_auto_json json_t *document = cli_rc_json(rc, &text, &failed, err);
    if (!document)
        return -1;
    if (json_object_get(dr_json_object(document, "services"), service))
        return 0;
    return dr_fail(err, DR_ERR_NOT_FOUND, "--exit-code-from: there is no service %s",
                   service);
}

/* --- doing --- */

/* What is left of a deadline for the next call. */
static struct dray_call left(const struct dray_call *call, int64_t begun_ms)
{
    struct dray_call rest = *call;
    if (rest.timeout_ms > 0) {
        rest.timeout_ms -= dr_clock_ms() - begun_ms;
        if (rest.timeout_ms <= 0)
            rest.timeout_ms = 1;
    }
    return rest;
}

static int bring_up(struct cli *cli, const struct up_args *args,
                    const struct dray_deployment *deployment, char *const *services,
                    const struct dray_registry_options *registry, int64_t timeout_ms,
                    json_t **ret_old, struct dr_error *err)
{
    struct dray_target *target = cli_target(cli, err);
    struct dray_plan_options options = DRAY_INIT(options);
    struct dray_error *failed = NULL;
    struct dray_plan *plan = NULL;
    if (!target)
        return -1;
    int64_t begun_ms = dr_clock_ms();
    struct dray_call call = {timeout_ms, cli_signals_cancel()};
    options.services = (const char *const *)services;
    options.no_deps = args->no_deps;
    options.force_recreate = args->force_recreate;
    options.no_recreate = args->no_recreate;
    options.remove_orphans = args->remove_orphans;
    options.wait = args->wait;
    options.images_only = args->images_only;
    options.pull = args->pull;
    options.lock_file = cli_lock_file(&args->lock);
    options.show_only = args->dry_run;
    options.waiting = cli_step_waiting;
    options.waiting_arg = (void *)dray_deployment_name(deployment);
    int rc =
        cli_rc(dray_deployment_plan(target, deployment, &options, &call, &plan, &failed),
               &failed, err);
    if (rc == 0) {
        struct dray_call rest = left(&call, begun_ms);
        *ret_old = cli_plan_unchanged(plan);
        const struct cli_apply how = {.dry_run = args->dry_run,
                                      .quiet = args->quiet,
                                      .format = args->format,
                                      .stop_timeout_s = args->stop_timeout_s,
                                      .registry = registry,
                                      .lock_file = options.lock_file,
                                      .lock_update = args->lock.update};
        rc = cli_plan_apply(cli, plan, &how, &rest, err);
    }
    dray_plan_free(plan);
    cli_signals_default();
    return rc;
}

static int kill_one(struct cli *cli, const char *word, const void *arg, char **ret_line,
                    struct dr_error *err)
{
    struct dray_error *failed = NULL;
    (void)arg;
    int rc = cli_rc(dray_container_kill(cli->target, word, "KILL", NULL, &failed),
                    &failed, err);
    if (rc == 0 || (err->kind != DR_ERR_NOT_FOUND && err->kind != DR_ERR_CONFLICT))
        return rc;
    dr_error_release(err); /* it has ended meanwhile */
    return 0;
}

static int kill_each(struct cli *cli, void *arg)
{
    return cli_each(cli, 16, kill_one, arg);
}

/* At once, whoever has the deployment's lock. */
static int kill_all(struct cli *cli, const char *name, struct dr_error *err)
{
    struct cli_members members;
    fprintf(stderr, "killing\n");
    if (cli_members(cli, name, cli->words, false, &members, err) < 0)
        return -1;
    cli_with_members(cli, &members, kill_each, NULL);
    cli_members_release(&members);
    return 0;
}

struct staying {
    struct cli *cli;
    const struct up_args *args;
    const struct dray_deployment *deployment;
    struct dray_cancel *second;
    /* what --abort-on-container-exit and the like are about */
    bool aborted; /* the first one has ended */
    int code;
};

/* The code is that of the first that ended, or of the service that was named, whenever
 * that ends: as docker compose. */
static void on_end(void *arg, const struct cli_logs_end *end)
{
    struct staying *s = arg;
    const struct up_args *args = s->args;
    bool failed = !end->known || end->code != 0;
    bool meant = args->exit_code_from && strcmp(args->exit_code_from, end->service) == 0;
    bool aborts =
        args->abort_on_exit || args->exit_code_from || (args->abort_on_failure && failed);
    if (!aborts && !s->aborted)
        return;
    if (meant || (!s->aborted && !args->exit_code_from))
        s->code = end->known ? end->code : CLI_FAILED;
    if (s->aborted)
        return;
    s->aborted = true;
    if (!args->quiet)
        fprintf(stderr, "%s has ended: the others are stopped\n", end->name);
    cli_signals_cancel_now();
}

/* As docker compose: in their order, and a second signal kills them. */
static void stop_all(void *arg)
{
    const struct staying *s = arg;
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    const struct dray_call call = {-1, s->second};
    const struct cli_change how = {
        .change = DRAY_CHANGE_STOP,
        .name = dray_deployment_name(s->deployment),
        .deployment = s->deployment,
        .apply = {.quiet = s->args->quiet, .stop_timeout_s = s->args->stop_timeout_s}};
    if (!s->args->quiet && !s->aborted)
        fprintf(stderr, "stopping; a second signal kills them\n");
    int rc = cli_change(s->cli, &how, &call, &err);
    if (rc < 0 && err.kind == DR_ERR_CANCELLED) {
        dr_error_release(&err);
        rc = kill_all(s->cli, how.name, &err);
    }
    if (rc < 0)
        cli_error(s->cli, &err);
}

/* Stays with them: what they say, until they have ended or a signal comes. */
static int stay(struct cli *cli, const struct up_args *args,
                const struct dray_deployment *deployment, const json_t *old)
{
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    struct staying staying = {cli, args, deployment, .code = CLI_OK};
    struct dray_cancel *first = cli_signals_cancel_twice(&staying.second);
    const struct dray_call call = {-1, staying.second};
    const struct cli_logs how = {.follow = true,
                                 .timestamps = args->timestamps,
                                 .no_color = args->no_color,
                                 .no_prefix = args->no_prefix,
                                 .tail = -1,
                                 .old = old,
                                 .interrupt = first,
                                 .interrupted = stop_all,
                                 .ended = on_end,
                                 .arg = &staying};
    bool interrupted;
    int code = CLI_OK, rc = cli_logs_print(cli, dray_deployment_name(deployment), &how,
                                           &call, &interrupted, &err);
    cli_signals_default();
    if (rc < 0)
        code = cli_error(cli, &err);
    return staying.aborted ? staying.code : interrupted ? CLI_INTERRUPTED : code;
}

int cmd_up(struct cli *cli, void *arg)
{
    const struct up_args *args = arg;
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    dr_auto_json json_t *old = NULL;
    int64_t timeout_ms;
    cli_auto_registry struct cli_registry registry = {0};
    if (check_up(args, &timeout_ms, &err) < 0 ||
        cli_registry(&args->registry, &registry, &err) < 0)
        return cli_usage_error(cli, &err);
    struct dray_deployment *deployment = cli_deployment(&args->of, &err);
    if (!deployment)
        return cli_error(cli, &err);
    int rc = scale_all(deployment, args->scale, &err);
    if (rc < 0)
        dr_wrap(&err, "--scale");
    if (rc == 0)
        rc = check_exit_code_from(deployment, args->exit_code_from, &err);
    if (rc == 0)
        rc = bring_up(cli, args, deployment, cli->words, &registry.options, timeout_ms,
                      &old, &err);
    int code = rc < 0 ? cli_error(cli, &err) : CLI_OK;
    if (rc == 0 && !args->detach && !args->wait && !args->dry_run)
        code = stay(cli, args, deployment, old);
    dray_deployment_free(deployment);
    return code;
}

int cmd_compose_pull(struct cli *cli, void *arg)
{
    struct up_args *args = arg;
    args->images_only = args->detach = true;
    args->pull = args->pull ? args->pull : "always";
    args->stop_timeout_s = -1;
    return cmd_up(cli, args);
}

static char **services_of(char *const *texts)
{
    char **services = NULL;
    for (; *texts; texts++) {
        dr_auto_free char *name = dr_strndup(*texts, strcspn(*texts, "="));
        dr_strv_add(&services, name);
    }
    return services;
}

int cmd_scale(struct cli *cli, void *arg)
{
    struct up_args *args = arg;
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    dr_auto_json json_t *old = NULL;
    dr_auto_strv char **services = services_of(cli->words);
    int64_t timeout_ms;
    args->stop_timeout_s = -1;
    if (check_up(args, &timeout_ms, &err) < 0)
        return cli_usage_error(cli, &err);
    struct dray_deployment *deployment = cli_deployment(&args->of, &err);
    if (!deployment)
        return cli_error(cli, &err);
    int rc = scale_all(deployment, cli->words, &err);
    if (rc == 0)
        rc = bring_up(cli, args, deployment, services, NULL, timeout_ms, &old, &err);
    dray_deployment_free(deployment);
    return rc < 0 ? cli_error(cli, &err) : CLI_OK;
}

static int take_down(struct cli *cli, const struct down_args *args, const char *name,
                     const struct dray_deployment *deployment, struct dr_error *err)
{
    struct dray_target *target = cli_target(cli, err);
    struct dray_down_options options = DRAY_INIT(options);
    struct dray_error *failed = NULL;
    struct dray_plan *plan = NULL;
    if (!target)
        return -1;
    struct dray_call call = {-1, cli_signals_cancel()};
    options.volumes = args->volumes;
    options.remove_orphans = args->remove_orphans;
    options.show_only = args->dry_run;
    options.waiting = cli_step_waiting;
    options.waiting_arg = (void *)name;
    int rc = cli_rc(dray_deployment_plan_down(target, name, deployment, &options, &call,
                                              &plan, &failed),
                    &failed, err);
    const struct cli_apply how = {.dry_run = args->dry_run,
                                  .quiet = args->quiet,
                                  .format = args->format,
                                  .stop_timeout_s = args->timeout_s};
    if (rc == 0)
        rc = cli_plan_apply(cli, plan, &how, &call, err);
    dray_plan_free(plan);
    cli_signals_default();
    return rc;
}

int cmd_down(struct cli *cli, void *arg)
{
    const struct down_args *args = arg;
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    struct dray_deployment *deployment;
    dr_auto_free char *name = NULL;
    if (cli_format_check(args->format, &err) < 0)
        return cli_usage_error(cli, &err);
    if (cli_deployment_or_name(&args->of, &deployment, &name, &err) < 0)
        return cli_error(cli, &err);
    int rc = take_down(cli, args, name, deployment, &err);
    dray_deployment_free(deployment);
    return rc < 0 ? cli_error(cli, &err) : CLI_OK;
}
