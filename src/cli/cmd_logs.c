/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <string.h>

#include "base/text.h"
#include "cli/args.h"
#include "cli/cli.h"

/* -1: all. Docker takes "all" and numbers; a negative number is all too. */
static int tail_parse(const char *text, int64_t *ret, struct dr_error *err)
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

/* Sets the member when the flag was given. */
static int add_time(json_t *request, const char *key, const char *flag, const char *text,
                    struct dr_error *err)
{
    int64_t ns;
    if (!text)
        return 0;
    if (cli_time_parse(text, dr_now_ns(), &ns, err) < 0)
        return dr_wrap(err, "%s", flag);
    dr_json_set_int(request, key, ns);
    return 0;
}

static json_t *logs_request(const struct cli *cli, const struct logs_args *args,
                            struct dr_error *err)
{
    int64_t tail;
    if (tail_parse(args->tail, &tail, err) < 0)
        return NULL;
    json_t *request = host_request("container.logs");
    dr_json_set_str(request, "id", cli->words[0]);
    dr_json_set_bool(request, "follow", args->follow);
    dr_json_set_bool(request, "timestamps", args->timestamps);
    dr_json_set_int(request, "tail", tail);
    if (add_time(request, "since_ns", "--since", args->since, err) < 0 ||
        add_time(request, "until_ns", "--until", args->until, err) < 0) {
        json_decref(request);
        return NULL;
    }
    return request;
}

int cmd_logs(struct cli *cli, void *arg)
{
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    struct cli_attach how = {0};
    json_t *reply_raw = NULL;
    json_t *request = logs_request(cli, arg, &err);
    if (!request)
        return cli_usage_error(cli, &err);
    if (cli_attach(cli, request, &how, &reply_raw, &err) < 0) {
        if (err.kind == DR_ERR_CANCELLED && err.code == EPIPE)
            return CLI_PIPE;
        int code = cli_error(cli, &err);
        return err.kind == DR_ERR_CANCELLED && err.code ? CLI_FAILED : code;
    }
    json_decref(reply_raw);
    return CLI_OK;
}
