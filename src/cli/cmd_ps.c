/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "base/text.h"
#include "cli/args.h"
#include "cli/cli.h"
#include "cli/ps-filter.h"
#include "cli/ps.h"

static const struct cli_column columns[] = {
    {"ID", "CONTAINER ID", true}, {"Image", "IMAGE", true},
    {"Command", "COMMAND", true}, {"RunningFor", "CREATED", true},
    {"Status", "STATUS", true},   {"Ports", "PORTS", true},
    {"Names", "NAMES", true},     {"CreatedAt", "CREATED AT", false},
    {"Labels", "LABELS", false},  {"Networks", "NETWORKS", false},
    {"State", "STATE", false},    {0}};

/* Newest first; the id decides between two of one moment, so that the order is stable. */
static int newest_first(const void *a, const void *b)
{
    const json_t *left = *(json_t *const *)a, *right = *(json_t *const *)b;
    int64_t l = dr_json_int(left, "created_ns", 0),
            r = dr_json_int(right, "created_ns", 0);
    if (l != r)
        return l < r ? 1 : -1;
    const char *lid = dr_json_str(left, "id"), *rid = dr_json_str(right, "id");
    return strcmp(lid ? lid : "", rid ? rid : "");
}

/* An array of the rows to show: borrowed items, filtered, sorted, cut. */
static json_t *select_rows(json_t *items, const struct ps_args *args,
                           const struct ps_filter *filter)
{
    size_t count = 0, all = json_array_size(items);
    dr_auto_free json_t **chosen = dr_alloc((all + 1) * sizeof(*chosen));
    for (size_t i = 0; i < all; i++) {
        json_t *item = json_array_get(items, i);
        if (json_is_object(item) && ps_filter_match(filter, item))
            chosen[count++] = item;
    }
    qsort(chosen, count, sizeof(*chosen), newest_first);
    int64_t last = args->latest ? 1 : args->last;
    if (last >= 0 && (uint64_t)last < count)
        count = (size_t)last;
    json_t *rows = json_array();
    int64_t now_ns = dr_now_ns();
    for (size_t i = 0; i < count; i++)
        json_array_append_new(rows, ps_row(chosen[i], now_ns, args->no_trunc));
    return rows;
}

static int print_rows(const struct ps_args *args, const json_t *rows,
                      struct dr_error *err)
{
    if (!args->quiet || args->format)
        return cli_list_print(args->format, columns, rows, err);
    return cli_list_print("{{.ID}}", columns, rows, err);
}

static int ps(struct cli *cli, const struct ps_args *args, const struct ps_filter *filter,
              struct dr_error *err)
{
    json_t *items_raw = NULL;
    bool all =
        args->all || args->latest || args->last >= 0 || ps_filter_wants_all(filter);
    struct host *host = cli_host(cli, err);
    if (!host)
        return -1;
    json_t *request = host_request("container.list");
    dr_json_set_bool(request, "all", all);
    if (host_list(host, request, &items_raw, err) < 0)
        return -1;
    dr_auto_json json_t *items = items_raw;
    dr_auto_json json_t *rows = select_rows(items, args, filter);
    return print_rows(args, rows, err);
}

int cmd_ps(struct cli *cli, void *arg)
{
    const struct ps_args *args = arg;
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    if (cli_format_check(args->format, &err) < 0)
        return cli_usage_error(cli, &err);
    struct ps_filter *filter = ps_filter_new(args->filters, &err);
    if (!filter)
        return cli_usage_error(cli, &err);
    int rc = ps(cli, args, filter, &err);
    ps_filter_free(filter);
    return rc < 0 ? cli_error(cli, &err) : CLI_OK;
}
