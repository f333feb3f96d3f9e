/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "base/text.h"
#include "cli/cli.h"
#include "cli/forward.h"

struct forwards {
    struct forward items[FORWARD_MAX];
    size_t count;
};

static int parse(struct cli *cli, struct forwards *ret, struct dr_error *err)
{
    size_t count = cli->word_count - 1;
    if (count > FORWARD_MAX)
        return dr_fail(err, DR_ERR_INVALID,
                       "%zu ports: at most %d can be forwarded at once", count,
                       FORWARD_MAX);
    for (; ret->count < count; ret->count++)
        if (forward_parse(cli->words[1 + ret->count], &ret->items[ret->count], err) < 0)
            return -1;
    return 0;
}

static int check_running(struct dray_target *target, const char *container,
                         struct dr_error *err)
{
    struct dray_error *failed = NULL;
    struct dray_state state;
    if (cli_rc(dray_container_state(target, container, NULL, &state, &failed), &failed,
               err) < 0)
        return -1;
    if (state.phase == DRAY_RUNNING || state.phase == DRAY_PAUSED ||
        state.phase == DRAY_RESTARTING || state.phase == DRAY_SCHEDULED)
        return 0;
    return dr_fail(err, DR_ERR_CONFLICT, "container %s is not running (it is %s)",
                   container, dray_phase_name(state.phase));
}

/* All of them or none. */
static int listen_all(struct forwards *all, struct dr_error *err)
{
    for (size_t i = 0; i < all->count; i++)
        if (forward_listen(&all->items[i], err) < 0)
            return -1;
    for (size_t i = 0; i < all->count; i++) {
        dr_auto_free char *shown = forward_shown(&all->items[i]);
        dr_auto_free char *line =
            dr_printf("Forwarding from %s -> %d%s", shown, all->items[i].port,
                      all->items[i].udp ? "/udp" : "");
        cli_line(line);
    }
    fflush(stdout);
    return 0;
}

static int forward(struct cli *cli, struct forwards *all, struct dr_error *err)
{
    struct dray_target *target = cli_target(cli, err);
    int signals;
    if (!target || check_running(target, cli->words[0], err) < 0 ||
        cli_signals_catch(CLI_SIGNALS_PASS, &signals, err) < 0 ||
        listen_all(all, err) < 0)
        return -1;
    return forward_serve(target, cli->words[0], all->items, all->count, signals, err);
}

/* Ctrl-C is how it ends. */
int cmd_forward(struct cli *cli, void *args)
{
    (void)args;
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    struct forwards all = {0};
    int code = CLI_OK;
    if (parse(cli, &all, &err) < 0)
        code = cli_usage_error(cli, &err);
    else if (forward(cli, &all, &err) < 0)
        code = cli_error(cli, &err);
    for (size_t i = 0; i < all.count; i++)
        forward_release(&all.items[i]);
    return code;
}
