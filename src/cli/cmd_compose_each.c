/* SPDX-License-Identifier: Apache-2.0 */
/* compose kill, pause, unpause, wait, stats, top: what the verbs without `compose` do,
 * with the containers of services. */
#include <string.h>

#include "cli/compose.h"

/* Another verb, with the members instead of the words. */
static int with_members(struct cli *cli, const struct compose_args *of,
                        enum cli_which which, int (*verb)(struct cli *cli, void *args),
                        void *args)
{
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    struct cli_members members;
    if (cli_members_of(cli, of, cli->words, which, &members, &err) < 0)
        return cli_error(cli, &err);
    int code = cli_with_members(cli, &members, verb, args);
    cli_members_release(&members);
    return code;
}

int cmd_compose_kill(struct cli *cli, void *arg)
{
    struct compose_kill_args *args = arg;
    return with_members(cli, &args->of, CLI_RUNNING, cmd_kill, &args->kill);
}

int cmd_compose_pause(struct cli *cli, void *arg)
{
    struct compose_each_args *args = arg;
    return with_members(cli, &args->of, CLI_NOT_PAUSED, cmd_pause, NULL);
}

int cmd_compose_unpause(struct cli *cli, void *arg)
{
    struct compose_each_args *args = arg;
    return with_members(cli, &args->of, CLI_PAUSED, cmd_unpause, NULL);
}

int cmd_compose_wait(struct cli *cli, void *arg)
{
    struct compose_each_args *args = arg;
    return with_members(cli, &args->of, CLI_ALL, cmd_wait, NULL);
}

/* --- one after the other --- */

static int top_each(struct cli *cli, void *args)
{
    char **names = cli->words;
    int code = CLI_OK;
    for (size_t i = 0; names[i]; i++) {
        char *one[] = {names[i], NULL};
        cli->words = one;
        cli->word_count = 1;
        if (i > 0)
            cli_line("");
        cli_line(names[i]);
        int failed = cmd_top(cli, args);
        code = code ? code : failed;
    }
    return code;
}

int cmd_compose_top(struct cli *cli, void *arg)
{
    struct compose_each_args *args = arg;
    return with_members(cli, &args->of, CLI_RUNNING, top_each, NULL);
}

int cmd_compose_stats(struct cli *cli, void *arg)
{
    struct compose_stats_args *args = arg;
    enum cli_which which = args->stats.all ? CLI_ALL : CLI_RUNNING;
    return with_members(cli, &args->of, which, cmd_stats, &args->stats);
}
