/* SPDX-License-Identifier: Apache-2.0 */
/* start and attach: joining a container that is made already. */
#include <string.h>

#include "cli/args.h"
#include "cli/cli.h"

static int start_one(struct cli *cli, const char *word, const void *arg, char **ret_line,
                     struct dr_error *err)
{
    (void)arg;
    struct dray_error *failed = NULL;
    char *warnings = NULL;
    if (cli_rc(dray_container_start_warned(cli->target, word, NULL, &warnings, &failed),
               &failed, err) < 0)
        return -1;
    cli_warn_all(warnings);
    dray_free(warnings);
    *ret_line = dr_strdup(word);
    return 0;
}

/* What a container was made with: whether it has a terminal, and a stdin to write to. */
static int look(struct cli *cli, struct cli_attach *attach, char **ret_status,
                struct dr_error *err)
{
    struct dray_target *target = cli_target(cli, err);
    struct dray_error *failed = NULL;
    char *text = NULL;
    if (!target)
        return -1;
    int rc = dray_container_inspect(target, cli->words[0], NULL, &text, &failed);
    dr_auto_json json_t *json = cli_rc_json(rc, &text, &failed, err);
    if (!json)
        return -1;
    const json_t *config = dr_json_object(json, "Config");
    attach->tty = dr_json_bool(config, "Tty");
    attach->stdin_open = attach->stdin_open && dr_json_bool(config, "OpenStdin");
    /* with a terminal Ctrl-C is a key, as in Docker */
    attach->signals = attach->signals && !attach->tty;
    *ret_status = dr_strdup(dr_json_str(dr_json_object(json, "State"), "Status"));
    return cli_attach_check(attach, err);
}

static int join(struct cli *cli, bool start, struct cli_attach *attach,
                struct dray_event *ret_end, struct dr_error *err)
{
    struct dray_attach_options options = {.size = sizeof(options),
                                          .stdin_open = attach->stdin_open};
    struct dray_stream *stream = NULL;
    struct dray_error *failed = NULL;
    if (cli_attach_begin(attach, &options.rows, &options.columns, err) < 0)
        return -1;
    int rc = start ? dray_container_start_attached(cli->target, cli->words[0], &options,
                                                   &attach->call, &stream, &failed)
                   : dray_container_attach(cli->target, cli->words[0], &options,
                                           &attach->call, &stream, &failed);
    if (cli_rc(rc, &failed, err) < 0) {
        cli_attach_run(attach, NULL, ret_end, err);
        return -1;
    }
    return cli_attach_run(attach, stream, ret_end, err);
}

static int start_attached(struct cli *cli, const struct start_args *args)
{
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    dr_auto_free char *status = NULL;
    struct dray_event end = {0};
    struct cli_attach attach = {.stdin_open = args->interactive,
                                .signals = true,
                                .detach_keys = args->detach_keys};
    int rc = look(cli, &attach, &status, &err);
    bool runs =
        status && strcmp(status, "running") == 0; /* then it is joined, as Docker */
    if (rc == 0)
        rc = join(cli, !runs, &attach, &end, &err);
    return cli_attach_code(cli, rc, &end, cli->words[0], &err);
}

int cmd_start(struct cli *cli, void *arg)
{
    const struct start_args *args = arg;
    if (!args->attach &&
        !args->interactive) /* in the order given: one may need another */
        return cli_each(cli, 1, start_one, NULL);
    if (cli->word_count > 1) {
        dr_auto_error struct dr_error err = DR_ERROR_INIT;
        dr_fail(&err, DR_ERR_INVALID, "-%c attaches to one container, and %zu were named",
                args->attach ? 'a' : 'i', cli->word_count);
        return cli_usage_error(cli, &err);
    }
    return start_attached(cli, args);
}

/* Why a container of that status cannot be joined; NULL when it can. */
static const char *why_not(const char *status)
{
    static const struct {
        const char *status, *why;
    } rows[] = {{"paused", "is paused; `dray unpause` lets it go on"},
                {"restarting", "is between two runs; try again when it is up"},
                {"created", "is not running; `dray start -a` starts and attaches"},
                {"exited", "is not running; `dray start -a` starts and attaches"}};
    for (size_t i = 0; status && i < DR_COUNT(rows); i++)
        if (strcmp(rows[i].status, status) == 0)
            return rows[i].why;
    return NULL;
}

int cmd_attach(struct cli *cli, void *arg)
{
    const struct attach_args *args = arg;
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    dr_auto_free char *status = NULL;
    struct dray_event end = {0};
    struct cli_attach attach = {.stdin_open = !args->no_stdin,
                                .signals = args->sig_proxy,
                                .detach_keys = args->detach_keys};
    struct dray_error *failed = NULL;
    if (args->detach_keys && *args->detach_keys &&
        cli_rc(dray_detach_keys_check(args->detach_keys, &failed), &failed, &err) < 0) {
        dr_wrap(&err, "--detach-keys");
        return cli_usage_error(cli, &err);
    }
    int rc = look(cli, &attach, &status, &err);
    const char *why = rc == 0 ? why_not(status) : NULL;
    if (why)
        rc = dr_fail(&err, DR_ERR_CONFLICT, "container %s %s", cli->words[0], why);
    if (rc == 0)
        rc = join(cli, false, &attach, &end, &err);
    return cli_attach_code(cli, rc, &end, cli->words[0], &err);
}
