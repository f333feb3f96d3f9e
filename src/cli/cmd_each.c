/* SPDX-License-Identifier: Apache-2.0 */
/* stop, kill, pause, rm, wait … and rmi: a request or two for each word, all tried,
 * several at a time. */
#include <string.h>

#include "cli/args.h"
#include "cli/cli.h"

/* Stopping takes seconds when a container does not listen: they wait together. */
#define THREADS 16

/* What a verb without options asks of one container. */
typedef int (*call_one)(struct dray_target *, const char *, const struct dray_call *,
                        struct dray_error **);

static int simple_one(struct cli *cli, const char *word, const void *arg, char **ret_line,
                      struct dr_error *err)
{
    const call_one *call = arg;
    struct dray_error *failed = NULL;
    if (cli_rc((*call)(cli->target, word, NULL, &failed), &failed, err) < 0)
        return -1;
    *ret_line = dr_strdup(word);
    return 0;
}

int cmd_pause(struct cli *cli, void *args)
{
    (void)args;
    const call_one call = dray_container_pause;
    return cli_each(cli, THREADS, simple_one, &call);
}

int cmd_unpause(struct cli *cli, void *args)
{
    (void)args;
    const call_one call = dray_container_unpause;
    return cli_each(cli, THREADS, simple_one, &call);
}

static int stop_one(struct cli *cli, const char *word, const void *arg, char **ret_line,
                    struct dr_error *err)
{
    const struct stop_args *args = arg;
    struct dray_error *failed = NULL;
    if (cli_rc(dray_container_stop_by(cli->target, word, args->signal, args->timeout_s,
                                      NULL, &failed),
               &failed, err) < 0)
        return -1;
    *ret_line = dr_strdup(word);
    return 0;
}

/* signal NULL: none was given. 0, or the code of a command line that makes no sense. */
static int bad_signal(const struct cli *cli, const char *signal)
{
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    if (!signal || cli_signal_check(signal, &err) == 0)
        return 0;
    dr_wrap(&err, "--signal");
    return cli_usage_error(cli, &err);
}

int cmd_stop(struct cli *cli, void *arg)
{
    const struct stop_args *args = arg;
    int bad = bad_signal(cli, args->signal);
    return bad ? bad : cli_each(cli, THREADS, stop_one, args);
}

static int restart_one(struct cli *cli, const char *word, const void *arg,
                       char **ret_line, struct dr_error *err)
{
    const struct stop_args *args = arg;
    struct dray_error *failed = NULL;
    if (cli_rc(dray_container_restart_by(cli->target, word, args->signal, args->timeout_s,
                                         NULL, &failed),
               &failed, err) < 0)
        return -1;
    *ret_line = dr_strdup(word);
    return 0;
}

int cmd_restart(struct cli *cli, void *arg)
{
    const struct stop_args *args = arg;
    int bad = bad_signal(cli, args->signal);
    return bad ? bad : cli_each(cli, THREADS, restart_one, args);
}

static int kill_one(struct cli *cli, const char *word, const void *arg, char **ret_line,
                    struct dr_error *err)
{
    struct dray_error *failed = NULL;
    if (cli_rc(dray_container_kill(cli->target, word, arg, NULL, &failed), &failed, err) <
        0)
        return -1;
    *ret_line = dr_strdup(word);
    return 0;
}

int cmd_kill(struct cli *cli, void *arg)
{
    const struct kill_args *args = arg;
    const char *signal = args->signal ? args->signal : "KILL";
    int bad = bad_signal(cli, signal);
    return bad ? bad : cli_each(cli, THREADS, kill_one, signal);
}

static int rm_one(struct cli *cli, const char *word, const void *arg, char **ret_line,
                  struct dr_error *err)
{
    const struct rm_args *args = arg;
    struct dray_error *failed = NULL;
    struct dray_state state;
    /* The library finds that an unknown one is gone (C19); a person mistyped it. */
    if (cli_rc(dray_container_state(cli->target, word, NULL, &state, &failed), &failed,
               err) < 0) {
        if (err->kind == DR_ERR_NOT_FOUND && !args->force)
            return -1;
        bool gone = err->kind == DR_ERR_NOT_FOUND;
        dr_error_release(err);
        if (gone)
            return 0;
    }
    if (cli_rc(dray_container_remove(cli->target, word, args->force, args->volumes, NULL,
                                     &failed),
               &failed, err) < 0)
        return -1;
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
    struct dray_error *failed = NULL;
    bool known;
    int code;
    if (cli_rc(dray_container_wait(cli->target, word, NULL, &known, &code, &failed),
               &failed, err) < 0)
        return -1;
    if (!known) { /* C21: never made up */
        *ret_line = dr_strdup("unknown");
        return dr_fail(err, DR_ERR_NOT_FOUND,
                       "%s: its exit code is unknown; the process that waited for it was "
                       "lost",
                       word);
    }
    *ret_line = dr_printf("%d", code);
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
    struct dray_error *failed = NULL;
    char *text = NULL;
    int rc = dray_image_remove(cli->target, word, args->force, NULL, &text, &failed);
    dr_auto_json json_t *reply = cli_rc_json(rc, &text, &failed, err);
    if (reply) {
        *ret_line = removed_lines(reply);
        return 0;
    }
    if (!args->force || err->kind != DR_ERR_NOT_FOUND)
        return -1;
    dr_error_release(err);
    return 0;
}

/* One after the other: which name was the last of an image depends on the order. */
int cmd_rmi(struct cli *cli, void *args)
{
    return cli_each(cli, 1, rmi_one, args);
}
