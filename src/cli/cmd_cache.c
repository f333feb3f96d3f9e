/* SPDX-License-Identifier: Apache-2.0 */
/* cache ls, df and prune: the blobs that are kept on this machine. No target is needed.
 */
#include <string.h>

#include "base/text.h"
#include "cli/args.h"
#include "cli/cli.h"

static const struct cli_column columns[] = {{"Digest", "DIGEST", true},
                                            {"Size", "SIZE", true},
                                            {"LastUsed", "LAST USED", true},
                                            {"State", "STATE", true},
                                            {0}};

static json_t *make_row(const json_t *item, bool no_trunc, int64_t now_ns)
{
    const char *digest = dr_json_str(item, "digest");
    dr_auto_free char *size = dr_size_text(dr_json_int(item, "size", 0));
    dr_auto_free char *used = cli_ago(dr_json_int(item, "used_ns", 0), now_ns);
    json_t *row = json_object();
    dr_json_set_str(row, "Digest", no_trunc ? digest : cli_short_id(digest));
    dr_json_set_str(row, "Size", size);
    dr_json_set_str(row, "LastUsed", used);
    dr_json_set_str(row, "State", dr_json_bool(item, "partial") ? "partial" : "complete");
    return row;
}

int cmd_cache_ls(struct cli *cli, void *arg)
{
    const struct cache_args *args = arg;
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    struct dray_error *failed = NULL;
    char *text = NULL;
    if (cli_format_check(args->format, &err) < 0)
        return cli_usage_error(cli, &err);
    int rc = dray_cache_list(cli->global.cache_dir, &text, &failed);
    dr_auto_json json_t *items = cli_rc_json(rc, &text, &failed, &err);
    if (!items)
        return cli_error(cli, &err);
    dr_auto_json json_t *rows = json_array();
    int64_t now_ns = dr_now_ns();
    for (size_t i = json_array_size(items); i-- > 0;) /* used last: first */
        json_array_append_new(rows,
                              make_row(json_array_get(items, i), args->no_trunc, now_ns));
    const char *format = args->quiet && !args->format ? "{{.Digest}}" : args->format;
    return cli_list_print(format, columns, rows, &err) < 0 ? cli_error(cli, &err)
                                                           : CLI_OK;
}

int cmd_cache_df(struct cli *cli, void *arg)
{
    static const struct cli_column shown[] = {{"Dir", "DIRECTORY", true},
                                              {"Blobs", "BLOBS", true},
                                              {"Size", "SIZE", true},
                                              {"Partials", "PARTIALS", true},
                                              {"PartialSize", "SIZE OF PARTIALS", true},
                                              {"Limit", "LIMIT", true},
                                              {0}};
    const struct cache_args *args = arg;
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    struct dray_error *failed = NULL;
    char *text = NULL;
    if (cli_format_check(args->format, &err) < 0)
        return cli_usage_error(cli, &err);
    int rc = dray_cache_usage(cli->global.cache_dir, &text, &failed);
    dr_auto_json json_t *usage = cli_rc_json(rc, &text, &failed, &err);
    if (!usage)
        return cli_error(cli, &err);
    dr_auto_free char *blobs =
        dr_printf("%lld", (long long)dr_json_int(usage, "blobs", 0));
    dr_auto_free char *partials =
        dr_printf("%lld", (long long)dr_json_int(usage, "partials", 0));
    dr_auto_free char *size = dr_size_text(dr_json_int(usage, "bytes", 0));
    dr_auto_free char *rest = dr_size_text(dr_json_int(usage, "partial_bytes", 0));
    int64_t most = dr_json_int(usage, "limit", -1);
    dr_auto_free char *limit = most < 0 ? dr_strdup("none") : dr_size_text(most);
    dr_auto_json json_t *rows = json_pack(
        "[{ssssssssssss}]", "Dir", dr_json_str(usage, "dir"), "Blobs", blobs, "Size",
        size, "Partials", partials, "PartialSize", rest, "Limit", limit);
    return cli_list_print(args->format, shown, rows, &err) < 0 ? cli_error(cli, &err)
                                                               : CLI_OK;
}

int cmd_cache_prune(struct cli *cli, void *arg)
{
    const struct cache_args *args = arg;
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    struct dray_error *failed = NULL;
    char *text = NULL;
    if (!args->force &&
        !cli_confirm(cli, args->keep_bytes > 0
                              ? "WARNING! This will remove blobs until the cache is as "
                                "small as --keep says.\n"
                              : "WARNING! This will remove all blobs of the cache; a "
                                "pull downloads them again.\n"))
        return CLI_FAILED;
    int rc = dray_cache_prune(cli->global.cache_dir, args->keep_bytes, &text, &failed);
    dr_auto_json json_t *reply = cli_rc_json(rc, &text, &failed, &err);
    if (!reply)
        return cli_error(cli, &err);
    dr_auto_free char *size = dr_size_text(dr_json_int(reply, "space_reclaimed", 0));
    dr_auto_free char *line = dr_printf("Total reclaimed space: %s", size);
    cli_line(line);
    return CLI_OK;
}
