/* SPDX-License-Identifier: Apache-2.0 */
/* compose attach, cp, exec, port: what the verbs without `compose` do, with one container
 * of a service. */
#include <string.h>

#include "base/text.h"
#include "cli/compose.h"

/* The container of a service: the replica of that number, 0: the first. Owned; NULL with
 * err. */
static char *member_of(struct cli *cli, const struct compose_args *of, char *service,
                       int64_t index, enum cli_which which, struct dr_error *err)
{
    struct cli_members members;
    char *services[] = {service, NULL}, *name = NULL;
    if (cli_members_of(cli, of, services, which, &members, err) < 0)
        return NULL;
    for (size_t i = 0; i < members.count && !name; i++)
        if (index == 0 || members.items[i]->replica == index)
            name = dr_strdup(members.items[i]->name);
    cli_members_release(&members);
    if (!name)
        dr_fail(err, DR_ERR_NOT_FOUND, "service %s has no replica %lld%s", service,
                (long long)index, which == CLI_ALL ? "" : " that runs");
    return name;
}

/* Another verb, with the container instead of the service that is the first word. */
static int with_member(struct cli *cli, const struct compose_args *of, int64_t index,
                       int (*verb)(struct cli *cli, void *args), void *args)
{
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    char *service = cli->words[0];
    dr_auto_free char *name = member_of(cli, of, service, index, CLI_RUNNING, &err);
    if (!name)
        return cli_error(cli, &err);
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

int cmd_compose_attach(struct cli *cli, void *arg)
{
    struct compose_attach_args *args = arg;
    return with_member(cli, &args->of, args->index, cmd_attach, &args->attach);
}

int cmd_compose_exec(struct cli *cli, void *arg)
{
    struct compose_exec_args *args = arg;
    bool terminal = isatty(STDIN_FILENO) && isatty(STDOUT_FILENO);
    args->exec.tty = terminal && !args->no_tty && !args->exec.detach;
    return with_member(cli, &args->of, args->index, cmd_exec, &args->exec);
}

/* --- cp --- */

/* cp, with the container's name for the service's in that word. */
static int cp_with(struct cli *cli, void *args, size_t word, const char *name)
{
    char *given = cli->words[word];
    dr_auto_free char *full = dr_printf("%s%s", name, strchr(given, ':'));
    cli->words[word] = full;
    int code = cmd_cp(cli, args);
    cli->words[word] = given;
    return code;
}

static int cp_one(struct cli *cli, struct compose_cp_args *args, size_t word,
                  char *service)
{
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    dr_auto_free char *name =
        member_of(cli, &args->of, service, args->index, CLI_ALL, &err);
    return name ? cp_with(cli, &args->cp, word, name) : cli_error(cli, &err);
}

static int cp_into_all(struct cli *cli, struct compose_cp_args *args, char *service)
{
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    struct cli_members members;
    char *services[] = {service, NULL};
    int code = CLI_OK;
    if (cli_members_of(cli, &args->of, services, CLI_ALL, &members, &err) < 0)
        return cli_error(cli, &err);
    if (members.count > 1 && strcmp(cli->words[0], "-") == 0) {
        dr_fail(&err, DR_ERR_INVALID,
                "an archive on stdin is for one of the %zu replicas of %s: name it with "
                "--index",
                members.count, service);
        code = cli_usage_error(cli, &err);
    }
    for (size_t i = 0; i < members.count && code == CLI_OK; i++)
        code = cp_with(cli, &args->cp, 1, members.items[i]->name);
    cli_members_release(&members);
    return code;
}

int cmd_compose_cp(struct cli *cli, void *arg)
{
    struct compose_cp_args *args = arg;
    dr_auto_free char *from = cli_cp_container(cli->words[0]),
                      *to = cli_cp_container(cli->words[1]);
    if (!from == !to) /* cp knows what to say of that */
        return cmd_cp(cli, &args->cp);
    if (to && args->index == 0)
        return cp_into_all(cli, args, to);
    return cp_one(cli, args, from ? 0 : 1, from ? from : to);
}
