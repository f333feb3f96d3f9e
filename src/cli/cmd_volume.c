/* SPDX-License-Identifier: Apache-2.0 */
/* volume create, ls and rm; inspect is with the others, prune with its own. */
#include <string.h>

#include "base/text.h"
#include "cli/args.h"
#include "cli/cli.h"

static const struct cli_column columns[] = {
    {"Driver", "DRIVER", true},  {"Name", "VOLUME NAME", true},
    {"Labels", "LABELS", false}, {"Mountpoint", "MOUNTPOINT", false},
    {"Scope", "SCOPE", false},   {0}};

static int create(struct cli *cli, char *const *labels, struct dr_error *err)
{
    struct dray_target *target = cli_target(cli, err);
    struct dray_error *failed = NULL;
    char *name = NULL;
    if (!target ||
        cli_rc(dray_volume_create(target, cli->words[0], labels, NULL, &name, &failed),
               &failed, err) < 0)
        return -1;
    cli_line(name);
    dray_free(name);
    return 0;
}

int cmd_volume_create(struct cli *cli, void *arg)
{
    const struct volume_create_args *args = arg;
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    dr_auto_strv char **labels = NULL;
    struct dray_error *failed = NULL;
    if (args->driver && strcmp(args->driver, "local") != 0) {
        dr_fail(&err, DR_ERR_UNSUPPORTED,
                "--driver %s is not supported; volumes are directories of the target, "
                "which is what local means",
                args->driver);
        return cli_usage_error(cli, &err);
    }
    if (cli->words[0] &&
        cli_rc(dray_name_check(cli->words[0], &failed), &failed, &err) < 0)
        return cli_usage_error(cli, &err);
    for (size_t i = 0; args->labels && args->labels[i]; i++) {
        dr_auto_free char *pair =
            dr_printf("%s%s", args->labels[i], strchr(args->labels[i], '=') ? "" : "=");
        dr_strv_add(&labels, pair);
    }
    return create(cli, labels, &err) < 0 ? cli_error(cli, &err) : CLI_OK;
}

static char *labels_text(const json_t *volume)
{
    struct dr_buf buf = DR_BUF_INIT(1u << 20);
    dr_auto_error struct dr_error unused = DR_ERROR_INIT;
    const char *key;
    json_t *value;
    json_object_foreach (dr_json_object(volume, "Labels"), key, value) {
        const char *text = json_string_value(value);
        dr_buf_addf(&buf, &unused, "%s%s=%s", buf.len ? "," : "", key, text ? text : "");
    }
    return dr_buf_take(&buf);
}

/* used: by name how many containers have it; NULL when nobody asked for that. */
static bool wanted(const json_t *volume, char *const *filters, const json_t *used)
{
    const char *name = dr_json_str(volume, "Name"), *value;
    const json_t *labels = dr_json_object(volume, "Labels");
    bool any = true;
    char *const *at = filters;
    while (at && (value = cli_filter_next(&at, "label"))) {
        size_t len = strcspn(value, "=");
        dr_auto_free char *key = dr_strndup(value, len);
        const char *is = dr_json_str(labels, key);
        if (!is || (value[len] && strcmp(is, value + len + 1) != 0))
            return false;
    }
    for (at = filters; at && (value = cli_filter_next(&at, "driver"));)
        if (strcmp(value, "local") != 0)
            return false;
    for (at = filters; at && (value = cli_filter_next(&at, "dangling"));)
        if ((strcmp(value, "true") == 0) == (dr_json_int(used, name, 0) > 0))
            return false;
    for (at = filters; at && (value = cli_filter_next(&at, "name"));) {
        any = strstr(name, value) != NULL; /* a part is enough, and one of several */
        if (any)
            break;
    }
    return any;
}

static json_t *count_users(struct cli *cli, struct dr_error *err)
{
    struct dray_error *failed = NULL;
    char *text = NULL;
    int rc = dray_disk_usage(cli->target, NULL, &text, &failed);
    dr_auto_json json_t *usage = cli_rc_json(rc, &text, &failed, err);
    if (!usage)
        return NULL;
    json_t *used = json_object(), *one;
    size_t i;
    json_array_foreach (dr_json_array(usage, "volumes"), i, one)
        dr_json_set_int(used, dr_json_str(one, "name"),
                        dr_json_int(one, "containers", 0));
    return used;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(dr_json_str(*(json_t *const *)a, "Name"),
                  dr_json_str(*(json_t *const *)b, "Name"));
}

static json_t *make_rows(const json_t *volumes, char *const *filters, const json_t *used)
{
    size_t count = 0, all = json_array_size(volumes);
    dr_auto_free json_t **chosen = dr_alloc((all + 1) * sizeof(*chosen));
    for (size_t i = 0; i < all; i++) {
        json_t *volume = json_array_get(volumes, i);
        if (dr_json_str(volume, "Name") && wanted(volume, filters, used))
            chosen[count++] = volume;
    }
    qsort(chosen, count, sizeof(*chosen), by_name);
    json_t *rows = json_array();
    for (size_t i = 0; i < count; i++) {
        static const char *const keys[] = {"Driver", "Name", "Mountpoint", "Scope"};
        json_t *row = json_object();
        for (size_t k = 0; k < DR_COUNT(keys); k++) {
            const char *text = dr_json_str(chosen[i], keys[k]);
            dr_json_set_str(row, keys[k], text ? text : "");
        }
        dr_auto_free char *labels = labels_text(chosen[i]);
        dr_json_set_str(row, "Labels", labels);
        json_array_append_new(rows, row);
    }
    return rows;
}

static int ls(struct cli *cli, const struct volume_ls_args *args, struct dr_error *err)
{
    struct dray_target *target = cli_target(cli, err);
    struct dray_error *failed = NULL;
    dr_auto_json json_t *used = NULL;
    char *const *at = args->filters;
    char *text = NULL;
    if (!target)
        return -1;
    if (at && cli_filter_next(&at, "dangling") && !(used = count_users(cli, err)))
        return -1;
    int rc = dray_volume_list(target, NULL, &text, &failed);
    dr_auto_json json_t *volumes = cli_rc_json(rc, &text, &failed, err);
    if (!volumes)
        return -1;
    dr_auto_json json_t *rows = make_rows(volumes, args->filters, used);
    return cli_list_print(args->quiet && !args->format ? "{{.Name}}" : args->format,
                          columns, rows, err);
}

static int check_dangling(char *const *filters, struct dr_error *err)
{
    const char *value;
    while (filters && (value = cli_filter_next(&filters, "dangling")))
        if (strcmp(value, "true") != 0 && strcmp(value, "false") != 0)
            return dr_fail(err, DR_ERR_INVALID,
                           "--filter dangling=%s: it must be true or false", value);
    return 0;
}

int cmd_volume_ls(struct cli *cli, void *arg)
{
    static const char *const keys[] = {"dangling", "driver", "label", "name", NULL};
    const struct volume_ls_args *args = arg;
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    if (cli_format_check(args->format, &err) < 0 ||
        cli_filters_check(args->filters, keys, &err) < 0 ||
        check_dangling(args->filters, &err) < 0)
        return cli_usage_error(cli, &err);
    return ls(cli, args, &err) < 0 ? cli_error(cli, &err) : CLI_OK;
}

static int rm_one(struct cli *cli, const char *word, const void *arg, char **ret_line,
                  struct dr_error *err)
{
    const struct volume_rm_args *args = arg;
    struct dray_error *failed = NULL;
    if (cli_rc(dray_volume_remove(cli->target, word, args->force, NULL, &failed), &failed,
               err) < 0)
        return -1;
    *ret_line = dr_strdup(word);
    return 0;
}

int cmd_volume_rm(struct cli *cli, void *args)
{
    return cli_each(cli, 1, rm_one, args);
}
