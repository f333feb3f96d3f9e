/* SPDX-License-Identifier: Apache-2.0 */
/* compose kill, pause, unpause, wait, top, port, exec: what the verbs without `compose`
 * do, with the containers of services. */
#include <string.h>

#include "base/text.h"
#include "cli/compose.h"

enum which { RUNNING, PAUSED, NOT_PAUSED, ALL };

static bool is_one(const struct dray_container *c, enum which which)
{
    bool paused = c->state.phase == DRAY_PAUSED;
    return which == PAUSED ? paused : which == NOT_PAUSED ? !paused : true;
}

/* The replicas of the services that are named (none: all). */
static int members_of(struct cli *cli, const struct compose_args *of, enum which which,
                      struct cli_members *ret, struct dr_error *err)
{
    struct dray_deployment *deployment;
    dr_auto_free char *name = NULL;
    if (cli_deployment_or_name(of, &deployment, &name, err) < 0)
        return -1;
    dray_deployment_free(deployment);
    if (cli_members(cli, name, cli->words, which == ALL, ret, err) < 0)
        return -1;
    cli_members_drop_oneoffs(ret);
    if (ret->count == 0)
        cli_members_release(ret);
    size_t kept = 0;
    for (size_t i = 0; i < ret->count; i++)
        if (is_one(ret->items[i], which))
            ret->items[kept++] = ret->items[i];
    if (ret->count > 0) {
        ret->count = kept;
        return 0;
    }
    bool one = cli->words[0] && !cli->words[1];
    return dr_fail(err, DR_ERR_NOT_FOUND, "nothing of %s %s runs: `dray up` starts it",
                   one ? "service" : "deployment", one ? cli->words[0] : name);
}

/* Another verb, with the members instead of the words. */
static int with_members(struct cli *cli, const struct compose_args *of, enum which which,
                        int (*verb)(struct cli *cli, void *args), void *args)
{
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    struct cli_members members;
    if (members_of(cli, of, which, &members, &err) < 0)
        return cli_error(cli, &err);
    char **words = cli->words;
    size_t count = cli->word_count;
    dr_auto_free char **names = dr_alloc((members.count + 1) * sizeof(*names));
    for (size_t i = 0; i < members.count; i++)
        names[i] = (char *)members.items[i]->name;
    cli->words = names;
    cli->word_count = members.count;
    int code = members.count > 0 ? verb(cli, args) : CLI_OK;
    cli->words = words;
    cli->word_count = count;
    cli_members_release(&members);
    return code;
}

int cmd_compose_kill(struct cli *cli, void *arg)
{
    struct compose_kill_args *args = arg;
    return with_members(cli, &args->of, RUNNING, cmd_kill, &args->kill);
}

int cmd_compose_pause(struct cli *cli, void *arg)
{
    struct compose_each_args *args = arg;
    return with_members(cli, &args->of, NOT_PAUSED, cmd_pause, NULL);
}

int cmd_compose_unpause(struct cli *cli, void *arg)
{
    struct compose_each_args *args = arg;
    return with_members(cli, &args->of, PAUSED, cmd_unpause, NULL);
}

int cmd_compose_wait(struct cli *cli, void *arg)
{
    struct compose_each_args *args = arg;
    return with_members(cli, &args->of, ALL, cmd_wait, NULL);
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
    return with_members(cli, &args->of, RUNNING, top_each, NULL);
}

/* --- one of them --- */

/* The container of the service that is the first word: the replica of that number, 0: the
 * first that runs. Owned; NULL with err. */
static char *member_of(struct cli *cli, const struct compose_args *of, int64_t index,
                       struct dr_error *err)
{
    struct cli_members members;
    char *service[] = {cli->words[0], NULL}, **words = cli->words, *name = NULL;
    cli->words = service;
    int rc = members_of(cli, of, RUNNING, &members, err);
    cli->words = words;
    if (rc < 0)
        return NULL;
    for (size_t i = 0; i < members.count && !name; i++)
        if (index == 0 || members.items[i]->replica == index)
            name = dr_strdup(members.items[i]->name);
    cli_members_release(&members);
    if (!name)
        dr_fail(err, DR_ERR_NOT_FOUND, "service %s has no replica %lld that runs",
                cli->words[0], (long long)index);
    return name;
}

static int with_member(struct cli *cli, const struct compose_args *of, int64_t index,
                       int (*verb)(struct cli *cli, void *args), void *args)
{
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    dr_auto_free char *name = member_of(cli, of, index, &err);
    if (!name)
        return cli_error(cli, &err);
    char *service = cli->words[0];
    cli->words[0] = name;
    int code = verb(cli, args);
    cli->words[0] = service;
    return code;
}

int cmd_compose_port(struct cli *cli, void *arg)
{
    struct compose_each_args *args = arg;
    return with_member(cli, &args->of, args->index, cmd_port, NULL);
}

int cmd_compose_exec(struct cli *cli, void *arg)
{
    struct compose_exec_args *args = arg;
    bool terminal = isatty(STDIN_FILENO) && isatty(STDOUT_FILENO);
    args->exec.tty = terminal && !args->no_tty && !args->exec.detach;
    return with_member(cli, &args->of, args->index, cmd_exec, &args->exec);
}
