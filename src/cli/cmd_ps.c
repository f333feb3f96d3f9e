/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "base/text.h"
#include "cli/args.h"
#include "cli/cli.h"
#include "cli/ps-filter.h"
#include "cli/ps.h"

static const struct cli_column columns[] = {{"ID", "CONTAINER ID", true},
                                            {"Image", "IMAGE", true},
                                            {"Command", "COMMAND", true},
                                            {"RunningFor", "CREATED", true},
                                            {"Status", "STATUS", true},
                                            {"Ports", "PORTS", true},
                                            {"Names", "NAMES", true},
                                            {"CreatedAt", "CREATED AT", false},
                                            {"Health", "HEALTH", false},
                                            {"Labels", "LABELS", false},
                                            {"Networks", "NETWORKS", false},
                                            {"State", "STATE", false},
                                            {"Size", "SIZE", false},
                                            {"Mounts", "MOUNTS", false},
                                            {"LocalVolumes", "LOCAL VOLUMES", false},
                                            {0}};

/* Newest first; the id decides between two of one moment, so that the order is stable. */
static int newest_first(const void *a, const void *b)
{
    const struct dray_container *left = *(const struct dray_container *const *)a;
    const struct dray_container *right = *(const struct dray_container *const *)b;
    int64_t l = left->state.created_ns, r = right->state.created_ns;
    return l != r ? (l < r ? 1 : -1) : strcmp(left->id, right->id);
}

/* An array of the rows to show: filtered, sorted, cut. sizes: by id, or NULL. */
static json_t *select_rows(const struct dray_container_list *list,
                           const struct ps_args *args, const struct ps_filter *filter,
                           const json_t *sizes)
{
    size_t count = 0;
    dr_auto_free const struct dray_container **chosen =
        dr_alloc((list->count + 1) * sizeof(*chosen));
    for (size_t i = 0; i < list->count; i++)
        if (ps_filter_match(filter, &list->items[i]))
            chosen[count++] = &list->items[i];
    qsort(chosen, count, sizeof(*chosen), newest_first);
    int64_t last = args->latest ? 1 : args->last;
    if (last >= 0 && (uint64_t)last < count)
        count = (size_t)last;
    json_t *rows = json_array();
    int64_t now_ns = dr_now_ns();
    for (size_t i = 0; i < count; i++) {
        json_t *row = ps_row(chosen[i], now_ns, args->no_trunc);
        int64_t written = dr_json_int(sizes, chosen[i]->id, 0);
        dr_auto_free char *own = dr_size_text(written);
        dr_auto_free char *all =
            dr_size_text(written + dr_json_int(sizes, chosen[i]->image_id, 0));
        dr_auto_free char *size = dr_printf("%s (virtual %s)", own, all);
        dr_json_set_str(row, "Size", size);
        json_array_append_new(rows, row);
    }
    return rows;
}

/* What each container has written, and what each image has, by id: {"<id>":N}. */
static json_t *get_sizes(struct cli *cli, struct dr_error *err)
{
    struct dray_error *failed = NULL;
    char *text = NULL;
    int rc = dray_disk_usage(cli->target, NULL, &text, &failed);
    dr_auto_json json_t *usage = cli_rc_json(rc, &text, &failed, err);
    if (!usage)
        return NULL;
    json_t *sizes = json_object(), *one;
    size_t i;
    static const char *const of[] = {"containers", "images"};
    for (size_t j = 0; j < DR_COUNT(of); j++)
        json_array_foreach (dr_json_array(usage, of[j]), i, one)
            dr_json_set_int(sizes, dr_json_str(one, "id"), dr_json_int(one, "size", 0));
    return sizes;
}

static int print_rows(const struct ps_args *args, const json_t *rows,
                      struct dr_error *err)
{
    struct cli_column shown[DR_COUNT(columns)];
    memcpy(shown, columns, sizeof(shown));
    for (size_t i = 0; i < DR_COUNT(shown) && shown[i].key; i++)
        if (strcmp(shown[i].key, "Size") == 0)
            shown[i].shown = args->size;
    if (!args->quiet || args->format)
        return cli_list_print(args->format, shown, rows, err);
    return cli_list_print("{{.ID}}", shown, rows, err);
}

static int ps(struct cli *cli, const struct ps_args *args, struct ps_filter *filter,
              struct dr_error *err)
{
    struct dray_target *target = cli_target(cli, err);
    struct dray_container_list list;
    struct dray_error *failed = NULL;
    bool all =
        args->all || args->latest || args->last >= 0 || ps_filter_wants_all(filter);
    /* a template may ask for it too */
    bool sized = args->size || (args->format && strstr(args->format, ".Size"));
    if (!target)
        return -1;
    dr_auto_json json_t *sizes = sized ? get_sizes(cli, err) : json_object();
    if (!sizes || ps_filter_ask(filter, target, err) < 0 ||
        cli_rc(dray_container_list(target, all, NULL, &list, &failed), &failed, err) < 0)
        return -1;
    dr_auto_json json_t *rows = select_rows(&list, args, filter, sizes);
    dray_container_list_free(&list);
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
