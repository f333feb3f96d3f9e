/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "base/text.h"
#include "cli/args.h"
#include "cli/cli.h"

#define CREATED_BY_WIDTH 45

static const struct cli_column columns[] = {{"ID", "IMAGE", true},
                                            {"CreatedSince", "CREATED", true},
                                            {"CreatedBy", "CREATED BY", true},
                                            {"Size", "SIZE", true},
                                            {"Comment", "COMMENT", true},
                                            {"CreatedAt", "CREATED AT", false},
                                            {0}};

/* "2006-01-02T15:04:05Z" */
static char *whole_seconds(int64_t ns)
{
    char text[DR_TIME_TEXT];
    dr_time_format(ns, text);
    return dr_printf("%.19sZ", text);
}

static json_t *history_row(const json_t *item, const struct history_args *args,
                           int64_t now_ns)
{
    const char *id = dr_json_str(item, "id");
    int64_t created = dr_json_int(item, "created_ns", 0);
    int64_t size = dr_json_int(item, "size", 0);
    bool known = id && *id && strcmp(id, "<missing>") != 0;
    dr_auto_free char *by = dr_escape(dr_json_str(item, "created_by"), 0);
    json_t *row = json_object();
    cli_row_set(row, "Comment", dr_strdup(dr_json_str(item, "comment")));
    cli_row_set(row, "CreatedAt", created ? whole_seconds(created) : NULL);
    cli_row_set(row, "CreatedBy",
                dr_escape(by, args->no_trunc ? 0 : CREATED_BY_WIDTH - 1));
    cli_row_set(row, "CreatedSince",
                !created      ? dr_strdup("N/A")
                : args->human ? cli_ago(created, now_ns)
                              : whole_seconds(created));
    cli_row_set(row, "ID",
                !known            ? dr_strdup("<missing>")
                : !args->no_trunc ? dr_strdup(cli_short_id(id))
                : strchr(id, ':') ? dr_strdup(id)
                                  : dr_printf("sha256:%s", id));
    cli_row_set(row, "Size",
                args->human ? dr_size_text(size) : dr_printf("%lld", (long long)size));
    return row;
}

static int history(struct cli *cli, const struct history_args *args, struct dr_error *err)
{
    struct dray_target *target = cli_target(cli, err);
    struct dray_error *failed = NULL;
    char *text = NULL;
    if (!target)
        return -1;
    int rc = dray_image_history(target, cli->words[0], NULL, &text, &failed);
    dr_auto_json json_t *items = cli_rc_json(rc, &text, &failed, err);
    if (!items)
        return -1;
    dr_auto_json json_t *rows = json_array();
    int64_t now_ns = dr_now_ns();
    for (size_t i = 0; i < json_array_size(items); i++)
        json_array_append_new(rows, history_row(json_array_get(items, i), args, now_ns));
    return cli_list_print(args->quiet && !args->format ? "{{.ID}}" : args->format,
                          columns, rows, err);
}

int cmd_history(struct cli *cli, void *arg)
{
    const struct history_args *args = arg;
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    if (cli_format_check(args->format, &err) < 0)
        return cli_usage_error(cli, &err);
    return history(cli, args, &err) < 0 ? cli_error(cli, &err) : CLI_OK;
}
