/* SPDX-License-Identifier: Apache-2.0 */
/* compose ps: the containers of a deployment. */
#include <string.h>

#include "base/text.h"
#include "cli/compose.h"
#include "cli/ps.h"

static const struct cli_column columns[] = {{"Name", "NAME", true},
                                            {"Image", "IMAGE", true},
                                            {"Command", "COMMAND", true},
                                            {"Service", "SERVICE", true},
                                            {"RunningFor", "CREATED", true},
                                            {"Status", "STATUS", true},
                                            {"Ports", "PORTS", true},
                                            {"ID", "ID", false},
                                            {"State", "STATE", false},
                                            {"Health", "HEALTH", false},
                                            {"ExitCode", "EXIT CODE", false},
                                            {"Project", "PROJECT", false},
                                            {"Labels", "LABELS", false},
                                            {"Networks", "NETWORKS", false},
                                            {"CreatedAt", "CREATED AT", false},
                                            {0}};

static json_t *make_row(const struct dray_container *c, const char *name, int64_t now_ns,
                        bool no_trunc)
{
    json_t *row = ps_row(c, now_ns, no_trunc);
    dr_auto_free char *code =
        dr_printf("%d", c->state.exit_known ? c->state.exit_code : 0);
    dr_json_set_str(row, "Name", c->name);
    dr_json_set_str(row, "Service", c->service ?: "");
    dr_json_set_str(row, "Project", name);
    dr_json_set_str(row, "ExitCode", code);
    return row;
}

static int ps(struct cli *cli, const struct compose_ps_args *args, const char *name,
              struct dr_error *err)
{
    struct cli_members members;
    dr_auto_json json_t *rows = json_array();
    int64_t now_ns = dr_now_ns();
    if (cli_members(cli, name, cli->words, args->all, &members, err) < 0)
        return -1;
    for (size_t i = 0; i < members.count; i++)
        json_array_append_new(rows, make_row(members.items[i], name, now_ns,
                                             args->no_trunc || args->quiet));
    cli_members_release(&members);
    return cli_list_print(args->quiet && !args->format ? "{{.ID}}" : args->format,
                          columns, rows, err);
}

int cmd_compose_ps(struct cli *cli, void *arg)
{
    const struct compose_ps_args *args = arg;
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    struct dray_deployment *deployment;
    dr_auto_free char *name = NULL;
    if (cli_format_check(args->format, &err) < 0)
        return cli_usage_error(cli, &err);
    if (cli_deployment_or_name(&args->of, &deployment, &name, &err) < 0)
        return cli_error(cli, &err);
    dray_deployment_free(deployment);
    return ps(cli, args, name, &err) < 0 ? cli_error(cli, &err) : CLI_OK;
}
