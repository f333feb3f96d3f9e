/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>

#include "base/text.h"
#include "cli/args.h"
#include "cli/cli.h"

/* The words of a command cross as JSON, which has no way to say other bytes. */
static int check_words(char *const *words, struct dr_error *err)
{
    for (; *words; words++) {
        dr_auto_json json_t *text = json_string(*words);
        if (!text) {
            dr_auto_free char *safe = dr_escape(*words, 100);
            return dr_fail(err, DR_ERR_INVALID, "\"%s\" is not valid UTF-8", safe);
        }
    }
    return 0;
}

static json_t *exec_request(const struct cli *cli, const struct exec_args *args,
                            struct dr_error *err)
{
    dr_auto_strv char **env = NULL;
    if (args->workdir && *args->workdir != '/') {
        dr_fail(err, DR_ERR_INVALID, "--workdir %s: it must be an absolute path",
                args->workdir);
        return NULL;
    }
    if (check_words(cli->words, err) < 0 ||
        cli_env_all(args->env_files, args->env, false, &env, err) < 0)
        return NULL;
    json_t *json = host_request("container.exec");
    dr_json_set_str(json, "id", cli->words[0]);
    dr_json_set(json, "args", dr_json_from_strv(cli->words + 1));
    dr_json_set(json, "env", dr_json_from_strv(env));
    dr_json_set_str(json, "user", args->user);
    dr_json_set_str(json, "workdir", args->workdir);
    dr_json_set_bool(json, "privileged", args->privileged);
    dr_json_set_bool(json, "stdin", args->interactive && !args->detach);
    dr_json_set_bool(json, "detach", args->detach);
    return json;
}

/* Signals are not passed on, as in Docker: when this process ends, the helper loses its
 * peer and ends the command (C26). */
int cmd_exec(struct cli *cli, void *arg)
{
    const struct exec_args *args = arg;
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    dr_auto_json json_t *reply = NULL;
    struct cli_attach how = {.stdin_open = args->interactive && !args->detach};
    json_t *request = exec_request(cli, args, &err);
    if (!request)
        return cli_usage_error(cli, &err);
    if (cli_attach(cli, request, &how, &reply, &err) < 0) {
        if (err.kind == DR_ERR_CANCELLED && err.code == EPIPE)
            return CLI_PIPE;
        return cli_error(cli, &err);
    }
    return args->detach ? CLI_OK : cli_reply_code(reply, cli->words[0]);
}
