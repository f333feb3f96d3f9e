/* SPDX-License-Identifier: Apache-2.0 */
/* system df: what takes up the disk over there, in sum or one by one. */
#include <string.h>

#include "base/text.h"
#include "cli/args.h"
#include "cli/cli.h"

static const struct cli_column sum_columns[] = {{"Type", "TYPE", true},
                                                {"TotalCount", "TOTAL", true},
                                                {"Active", "ACTIVE", true},
                                                {"Size", "SIZE", true},
                                                {"Reclaimable", "RECLAIMABLE", true},
                                                {0}};
static const struct cli_column image_columns[] = {{"Repository", "REPOSITORY", true},
                                                  {"Tag", "TAG", true},
                                                  {"ID", "IMAGE ID", true},
                                                  {"Size", "SIZE", true},
                                                  {"SharedSize", "SHARED SIZE", true},
                                                  {"UniqueSize", "UNIQUE SIZE", true},
                                                  {"Containers", "CONTAINERS", true},
                                                  {0}};
static const struct cli_column container_columns[] = {
    {"ID", "CONTAINER ID", true}, {"Image", "IMAGE", true}, {"Size", "SIZE", true},
    {"Status", "STATUS", true},   {"Names", "NAMES", true}, {0}};
static const struct cli_column volume_columns[] = {
    {"Name", "VOLUME NAME", true}, {"Links", "LINKS", true}, {"Size", "SIZE", true}, {0}};

static char *number(int64_t value)
{
    return dr_printf("%lld", (long long)value);
}

struct sum {
    int64_t count, active, bytes, reclaimable_bytes;
};

static json_t *sum_row(const char *type, const struct sum *sum)
{
    json_t *row = json_object();
    dr_auto_free char *bytes = dr_size_text(sum->reclaimable_bytes);
    dr_json_set_str(row, "Type", type);
    cli_row_set(row, "TotalCount", number(sum->count));
    cli_row_set(row, "Active", number(sum->active));
    cli_row_set(row, "Size", dr_size_text(sum->bytes));
    cli_row_set(row, "Reclaimable",
                sum->bytes > 0
                    ? dr_printf("%s (%lld%%)", bytes,
                                (long long)(sum->reclaimable_bytes * 100 / sum->bytes))
                    : dr_strdup(bytes));
    return row;
}

static json_t *sum_rows(const json_t *usage)
{
    struct sum images = {0}, containers = {0}, volumes = {0};
    json_t *rows = json_array(), *one;
    size_t i;
    json_array_foreach (dr_json_array(usage, "images"), i, one) {
        bool used = dr_json_int(one, "containers", 0) > 0;
        images.count++;
        images.active += used;
        if (!used)
            images.reclaimable_bytes +=
                dr_json_int(one, "size", 0) - dr_json_int(one, "shared_size", 0);
    }
    images.bytes = dr_json_int(usage, "layers_size", 0);
    json_array_foreach (dr_json_array(usage, "containers"), i, one) {
        const char *status = dr_json_str(one, "status");
        int64_t bytes = dr_json_int(one, "size", 0);
        bool ended =
            status && (strcmp(status, "exited") == 0 || strcmp(status, "created") == 0 ||
                       strcmp(status, "dead") == 0);
        containers.count++;
        containers.active += !ended;
        containers.bytes += bytes;
        containers.reclaimable_bytes += ended ? bytes : 0;
    }
    json_array_foreach (dr_json_array(usage, "volumes"), i, one) {
        bool used = dr_json_int(one, "containers", 0) > 0;
        volumes.count++;
        volumes.active += used;
        volumes.bytes += dr_json_int(one, "size", 0);
        volumes.reclaimable_bytes += used ? 0 : dr_json_int(one, "size", 0);
    }
    json_array_append_new(rows, sum_row("Images", &images));
    json_array_append_new(rows, sum_row("Containers", &containers));
    json_array_append_new(rows, sum_row("Local Volumes", &volumes));
    return rows;
}

/* "alpine" and "3" of "alpine:3" */
static void set_name(json_t *row, const char *name)
{
    const char *slash = name ? strrchr(name, '/') : NULL;
    const char *colon = name ? strchr(slash ? slash : name, ':') : NULL;
    cli_row_set(row, "Repository",
                !name   ? dr_strdup("<none>")
                : colon ? dr_strndup(name, (size_t)(colon - name))
                        : dr_strdup(name));
    dr_json_set_str(row, "Tag", colon ? colon + 1 : "<none>");
}

static json_t *image_rows(const json_t *usage)
{
    json_t *rows = json_array(), *one;
    size_t i;
    json_array_foreach (dr_json_array(usage, "images"), i, one) {
        int64_t size = dr_json_int(one, "size", 0);
        int64_t shared = dr_json_int(one, "shared_size", 0);
        json_t *names = dr_json_array(one, "names"), *row = json_object();
        set_name(row, json_string_value(json_array_get(names, 0)));
        dr_json_set_str(row, "ID", cli_short_id(dr_json_str(one, "id")));
        cli_row_set(row, "Size", dr_size_text(size));
        cli_row_set(row, "SharedSize", dr_size_text(shared));
        cli_row_set(row, "UniqueSize", dr_size_text(size - shared));
        cli_row_set(row, "Containers", number(dr_json_int(one, "containers", 0)));
        json_array_append_new(rows, row);
    }
    return rows;
}

static json_t *container_rows(const json_t *usage)
{
    json_t *rows = json_array(), *one;
    size_t i;
    json_array_foreach (dr_json_array(usage, "containers"), i, one) {
        const char *status = dr_json_str(one, "status"), *name = dr_json_str(one, "name");
        json_t *row = json_object();
        dr_json_set_str(row, "ID", cli_short_id(dr_json_str(one, "id")));
        cli_row_set(row, "Image", cli_familiar(dr_json_str(one, "image")));
        cli_row_set(row, "Size", dr_size_text(dr_json_int(one, "size", 0)));
        dr_json_set_str(row, "Status", status ? status : "");
        dr_json_set_str(row, "Names", name ? name : "");
        json_array_append_new(rows, row);
    }
    return rows;
}

static json_t *volume_rows(const json_t *usage)
{
    json_t *rows = json_array(), *one;
    size_t i;
    json_array_foreach (dr_json_array(usage, "volumes"), i, one) {
        const char *name = dr_json_str(one, "name");
        json_t *row = json_object();
        dr_json_set_str(row, "Name", name ? name : "");
        cli_row_set(row, "Links", number(dr_json_int(one, "containers", 0)));
        cli_row_set(row, "Size", dr_size_text(dr_json_int(one, "size", 0)));
        json_array_append_new(rows, row);
    }
    return rows;
}

static const struct {
    const char *heading, *key;
    const struct cli_column *columns;
    json_t *(*rows)(const json_t *usage);
} parts[] = {
    {"Images space usage:\n\n", "Images", image_columns, image_rows},
    {"\nContainers space usage:\n\n", "Containers", container_columns, container_rows},
    {"\nLocal Volumes space usage:\n\n", "Volumes", volume_columns, volume_rows}};

static int print_verbose(const struct df_args *args, const json_t *usage,
                         struct dr_error *err)
{
    dr_auto_json json_t *all = json_object();
    for (size_t i = 0; i < DR_COUNT(parts); i++) {
        json_t *rows = parts[i].rows(usage);
        dr_json_set(all, parts[i].key, rows);
        if (args->format)
            continue;
        fputs(parts[i].heading, stdout);
        if (cli_list_print(NULL, parts[i].columns, rows, err) < 0)
            return -1;
    }
    if (!args->format)
        return 0;
    dr_auto_json json_t *one = json_pack("[O]", all);
    return cli_list_print(args->format, parts[0].columns, one, err);
}

static int df(struct cli *cli, const struct df_args *args, struct dr_error *err)
{
    struct dray_target *target = cli_target(cli, err);
    struct dray_error *failed = NULL;
    char *text = NULL;
    if (!target)
        return -1;
    int rc = dray_disk_usage(target, NULL, &text, &failed);
    dr_auto_json json_t *usage = cli_rc_json(rc, &text, &failed, err);
    if (!usage)
        return -1;
    if (args->verbose)
        return print_verbose(args, usage, err);
    dr_auto_json json_t *rows = sum_rows(usage);
    return cli_list_print(args->format, sum_columns, rows, err);
}

int cmd_system_df(struct cli *cli, void *arg)
{
    const struct df_args *args = arg;
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    bool table = args->format && strncmp(args->format, "table", 5) == 0;
    if (args->verbose && table)
        dr_fail(&err, DR_ERR_INVALID,
                "-v prints three tables, and --format table is for one; leave one away");
    if (err.kind != DR_ERR_NONE || cli_format_check(args->format, &err) < 0)
        return cli_usage_error(cli, &err);
    return df(cli, args, &err) < 0 ? cli_error(cli, &err) : CLI_OK;
}
