/* SPDX-License-Identifier: Apache-2.0 */
/* stop, kill, rm, wait and rmi: one request for each word, all tried, several at a time.
 */
#include <string.h>

#include "cli/args.h"
#include "cli/cli.h"

/* Stopping takes seconds when a container does not listen: they wait together. */
#define THREADS 16

static json_t *named(const char *op, const char *id)
{
    json_t *json = host_request(op);
    dr_json_set_str(json, "id", id);
    return json;
}

static int stop_one(struct cli *cli, const char *word, const void *arg, char **ret_line,
                    struct dr_error *err)
{
    const struct stop_args *args = arg;
    json_t *request = named("container.stop", word);
    if (args->timeout_s >= 0)
        dr_json_set_int(request, "timeout_s", args->timeout_s);
    else
        json_object_set_new(request, "timeout_s", json_null());
    if (cli_call(cli, request, NULL, err) < 0)
        return -1;
    *ret_line = dr_strdup(word);
    return 0;
}

int cmd_stop(struct cli *cli, void *args)
{
    return cli_each(cli, THREADS, stop_one, args);
}

static int kill_one(struct cli *cli, const char *word, const void *arg, char **ret_line,
                    struct dr_error *err)
{
    const int *number = arg;
    json_t *request = named("container.kill", word);
    dr_json_set_int(request, "signal", *number);
    if (cli_call(cli, request, NULL, err) < 0)
        return -1;
    *ret_line = dr_strdup(word);
    return 0;
}

int cmd_kill(struct cli *cli, void *arg)
{
    const struct kill_args *args = arg;
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    int number;
    if (spec_signal_parse(args->signal ? args->signal : "KILL", &number, &err) < 0) {
        dr_wrap(&err, "--signal");
        return cli_usage_error(cli, &err);
    }
    return cli_each(cli, THREADS, kill_one, &number);
}

static int rm_one(struct cli *cli, const char *word, const void *arg, char **ret_line,
                  struct dr_error *err)
{
    const struct rm_args *args = arg;
    json_t *request = named("container.remove", word);
    dr_json_set_bool(request, "force", args->force);
    dr_json_set_bool(request, "volumes", args->volumes);
    if (cli_call(cli, request, NULL, err) < 0) {
        if (!args->force || err->kind != DR_ERR_NOT_FOUND)
            return -1;
        dr_error_release(err); /* C19: it is gone, as was asked for */
        return 0;
    }
    *ret_line = dr_strdup(word);
    return 0;
}

int cmd_rm(struct cli *cli, void *args)
{
    return cli_each(cli, THREADS, rm_one, args);
}

static int wait_one(struct cli *cli, const char *word, const void *arg, char **ret_line,
                    struct dr_error *err)
{
    (void)arg;
    dr_auto_json json_t *reply = NULL;
    if (cli_call(cli, named("container.wait", word), &reply, err) < 0)
        return -1;
    int64_t code = dr_json_int(reply, "exit_code", -1);
    if (code < 0) { /* C21: never made up */
        *ret_line = dr_strdup("unknown");
        return dr_fail(err, DR_ERR_NOT_FOUND,
                       "%s: its exit code is unknown; the process that waited for it was "
                       "lost",
                       word);
    }
    *ret_line = dr_printf("%lld", (long long)code);
    return 0;
}

int cmd_wait(struct cli *cli, void *args)
{
    (void)args;
    return cli_each(cli, THREADS, wait_one, NULL);
}

/* "Untagged: alpine:latest\0", "Deleted: sha256:…": several lines in one text. */
static char *removed_lines(const json_t *reply)
{
    struct dr_buf buf = DR_BUF_INIT(1u << 20);
    dr_auto_error struct dr_error unused = DR_ERROR_INIT;
    static const struct {
        const char *key, *word;
    } parts[] = {{"untagged", "Untagged"}, {"deleted", "Deleted"}};
    for (size_t i = 0; i < DR_COUNT(parts); i++) {
        json_t *items = dr_json_array(reply, parts[i].key);
        for (size_t j = 0; j < json_array_size(items); j++) {
            const char *item = json_string_value(json_array_get(items, j));
            const char *prefix = i == 1 && item && !strchr(item, ':') ? "sha256:" : "";
            dr_buf_addf(&buf, &unused, "%s%s: %s%s", buf.len ? "\n" : "", parts[i].word,
                        prefix, item ? item : "");
        }
    }
    return dr_buf_take(&buf);
}

static int rmi_one(struct cli *cli, const char *word, const void *arg, char **ret_line,
                   struct dr_error *err)
{
    const struct rmi_args *args = arg;
    dr_auto_json json_t *reply = NULL;
    dr_auto_free char *name = cli_image_ref(cli, word, err);
    if (!name)
        return -1;
    json_t *request = host_request("image.remove");
    dr_json_set_str(request, "ref", name);
    dr_json_set_bool(request, "force", args->force);
    if (cli_call(cli, request, &reply, err) < 0) {
        if (!args->force || err->kind != DR_ERR_NOT_FOUND)
            return -1;
        dr_error_release(err);
        return 0;
    }
    *ret_line = removed_lines(reply);
    return 0;
}

/* One after the other: which name was the last of an image depends on the order. */
int cmd_rmi(struct cli *cli, void *args)
{
    return cli_each(cli, 1, rmi_one, args);
}
