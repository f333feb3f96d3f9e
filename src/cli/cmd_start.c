/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>

#include "cli/args.h"
#include "cli/cli.h"

static json_t *start_request(const char *id, bool attach)
{
    json_t *json = host_request("container.start");
    dr_json_set_str(json, "id", id);
    dr_json_set_bool(json, "attach", attach);
    return json;
}

static int start_one(struct cli *cli, const char *word, const void *arg, char **ret_line,
                     struct dr_error *err)
{
    (void)arg;
    if (cli_call(cli, start_request(word, false), NULL, err) < 0)
        return -1;
    *ret_line = dr_strdup(word);
    return 0;
}

static int start_attached(struct cli *cli)
{
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    dr_auto_json json_t *reply = NULL;
    struct cli_attach how = {.signals = true};
    if (cli_attach(cli, start_request(cli->words[0], true), &how, &reply, &err) < 0) {
        if (err.kind == DR_ERR_CANCELLED && err.code == EPIPE)
            return CLI_PIPE;
        return cli_error(cli, &err);
    }
    return cli_reply_code(reply, cli->words[0]);
}

int cmd_start(struct cli *cli, void *arg)
{
    const struct start_args *args = arg;
    if (!args->attach) /* in the order given: one may need another */
        return cli_each(cli, 1, start_one, NULL);
    if (cli->word_count > 1) {
        dr_auto_error struct dr_error err = DR_ERROR_INIT;
        dr_fail(&err, DR_ERR_INVALID, "-a attaches to one container, and %zu were named",
                cli->word_count);
        return cli_usage_error(cli, &err);
    }
    return start_attached(cli);
}
