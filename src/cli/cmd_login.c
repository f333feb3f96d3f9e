/* SPDX-License-Identifier: Apache-2.0 */
/* login and logout: who one is to a registry. */
#include <string.h>

#include "cli/args.h"
#include "cli/cli.h"

#define DEFAULT_REGISTRY "docker.io"

static int ask_registry(const char *registry, const struct cli_registry *as,
                        json_t **ret_reply, struct dr_error *err)
{
    struct dray_error *failed = NULL;
    struct dray_call call = {.cancel = cli_signals_cancel()};
    char *text = NULL;
    int rc = dray_registry_login(registry, &as->options, &call, &text, &failed);
    cli_signals_default();
    *ret_reply = cli_rc_json(rc, &text, &failed, err);
    return *ret_reply ? 0 : -1;
}

/* 1: those that are kept are good; 0: somebody must be asked. */
static int try_kept(const char *registry, const struct cli_registry *as,
                    json_t **ret_reply, struct dr_error *err)
{
    dr_auto_error struct dr_error failed = DR_ERROR_INIT;
    if (ask_registry(registry, as, ret_reply, &failed) == 0)
        return 1;
    bool refused =
        failed.kind == DR_ERR_PULL && (failed.code == 401 || failed.code == 403);
    if (failed.kind == DR_ERR_NOT_FOUND)
        return 0;
    if (!refused || !isatty(STDIN_FILENO))
        return dr_error_move(err, &failed);
    cli_warn("the credentials that are kept are not good any more: %s", failed.text);
    return 0;
}

static int ask_person(const struct login_args *args, struct cli_registry *as,
                      struct dr_error *err)
{
    if (args->username)
        as->user = dr_strdup(args->username);
    else if (cli_prompt("Username", false, &as->user, err) < 0)
        return -1;
    if (!*as->user || strchr(as->user, ':'))
        return dr_fail(err, DR_ERR_INVALID,
                       *as->user ? "a user name has no colon in it"
                                 : "the user name is empty");
    int rc = args->registry.password_stdin
                 ? cli_password_stdin(&as->password, err)
                 : cli_prompt("Password", true, &as->password, err);
    if (rc == 0 && !*as->password)
        rc = dr_fail(err, DR_ERR_INVALID, "the password is empty");
    as->options.user = as->user;
    as->options.password = as->password;
    return rc;
}

static void print_success(const json_t *reply)
{
    const char *file = dr_json_str(reply, "file"), *helper = dr_json_str(reply, "helper");
    if (file && !helper)
        cli_warn("warning: the password is kept unencrypted in %s; name a credential "
                 "helper there (\"credsStore\") to keep it safer",
                 file);
    cli_line("Login Succeeded");
}

int cmd_login(struct cli *cli, void *arg)
{
    const struct login_args *args = arg;
    const char *registry = cli->words[0] ? cli->words[0] : DEFAULT_REGISTRY;
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    dr_auto_json json_t *reply = NULL;
    cli_auto_registry struct cli_registry as = {0};
    struct registry_args how = args->registry;
    how.password_stdin = false; /* read below, for the user of -u */
    if (args->registry.password_stdin && !args->username)
        dr_fail(&err, DR_ERR_INVALID, "--password-stdin needs a user name: give -u USER");
    if (err.kind != DR_ERR_NONE || cli_registry(&how, &as, &err) < 0)
        return cli_usage_error(cli, &err);
    int rc = args->username ? 0 : try_kept(registry, &as, &reply, &err);
    if (rc == 0)
        rc = ask_person(args, &as, &err) < 0 ? -1
                                             : ask_registry(registry, &as, &reply, &err);
    if (rc < 0)
        return cli_error(cli, &err);
    print_success(reply);
    return CLI_OK;
}

int cmd_logout(struct cli *cli, void *arg)
{
    const struct logout_args *args = arg;
    const char *registry = cli->words[0] ? cli->words[0] : DEFAULT_REGISTRY;
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    struct dray_error *failed = NULL;
    char *text = NULL;
    struct dray_registry_options options = {.size = sizeof(options),
                                            .auth_file = args->registry.authfile};
    if (args->all && cli->words[0]) {
        dr_fail(&err, DR_ERR_INVALID, "--all and a registry: give one of them");
        return cli_usage_error(cli, &err);
    }
    int rc = dray_registry_logout(args->all ? NULL : registry, &options, &text, &failed);
    dr_auto_json json_t *reply = cli_rc_json(rc, &text, &failed, &err);
    if (!reply)
        return cli_error(cli, &err);
    const json_t *removed = dr_json_array(reply, "removed");
    for (size_t i = 0; i < json_array_size(removed); i++) {
        dr_auto_free char *line =
            dr_printf("Removed the credentials for %s",
                      json_string_value(json_array_get(removed, i)));
        cli_line(line);
    }
    if (json_array_size(removed) == 0 && args->all) {
        cli_line("Not logged in anywhere");
    } else if (json_array_size(removed) == 0) {
        dr_auto_free char *line = dr_printf("Not logged in to %s", registry);
        cli_line(line);
    }
    return CLI_OK;
}
