/* SPDX-License-Identifier: Apache-2.0 */
/* compose ls: which deployments are there. */
#include <string.h>

#include "base/text.h"
#include "cli/compose.h"

static const struct cli_column columns[] = {
    {"Name", "NAME", true}, {"Status", "STATUS", true}, {0}};

/* {"NAME": {"running": 2, …}} */
static json_t *count_all(const struct dray_container_list *list)
{
    json_t *all = json_object();
    for (size_t i = 0; i < list->count; i++) {
        const struct dray_container *c = &list->items[i];
        if (!c->deployment)
            continue;
        json_t *one = json_object_get(all, c->deployment);
        if (!one)
            json_object_set_new(all, c->deployment, one = json_object());
        const char *phase = dray_phase_name(c->state.phase);
        dr_json_set_int(one, phase, dr_json_int(one, phase, 0) + 1);
    }
    return all;
}

/* "exited(1), running(2)" */
static char *status_of(const json_t *counts)
{
    dr_auto_json json_t *again = json_object();
    char *text = dr_strdup("");
    const char *phase;
    json_t *count;
    json_object_update(again, (json_t *)counts);
    json_object_foreach (again, phase, count) {
        char *more = dr_printf("%s%s%s(%lld)", text, *text ? ", " : "", phase,
                               (long long)json_integer_value(count));
        free(text);
        text = more;
    }
    return text;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

int cmd_compose_ls(struct cli *cli, void *arg)
{
    const struct compose_ls_args *args = arg;
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    struct dray_container_list list;
    struct dray_error *failed = NULL;
    if (cli_format_check(args->format, &err) < 0)
        return cli_usage_error(cli, &err);
    if (!cli_target(cli, &err) ||
        cli_rc(dray_container_list(cli->target, args->all, NULL, &list, &failed), &failed,
               &err) < 0)
        return cli_error(cli, &err);
    dr_auto_json json_t *all = count_all(&list), *rows = json_array(), *one;
    size_t count = 0;
    dr_auto_free const char **names =
        dr_alloc((json_object_size(all) + 1) * sizeof(*names));
    const char *key;
    json_object_foreach (all, key, one)
        names[count++] = key;
    qsort(names, count, sizeof(*names), by_name);
    for (size_t i = 0; i < count; i++) {
        json_t *row = json_object();
        dr_auto_free char *status = status_of(json_object_get(all, names[i]));
        dr_json_set_str(row, "Name", names[i]);
        dr_json_set_str(row, "Status", status);
        json_array_append_new(rows, row);
    }
    dray_container_list_free(&list);
    if (cli_list_print(args->quiet && !args->format ? "{{.Name}}" : args->format, columns,
                       rows, &err) < 0)
        return cli_error(cli, &err);
    return CLI_OK;
}
