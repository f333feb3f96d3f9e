/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "base/text.h"
#include "cli/args.h"
#include "cli/cli.h"

#define DESCRIPTION_MAX 45 /* characters, as Docker cuts them */

static const struct cli_column columns[] = {{"Name", "NAME", true},
                                            {"Description", "DESCRIPTION", true},
                                            {"StarCount", "STARS", true},
                                            {"IsOfficial", "OFFICIAL", true},
                                            {0}};
static const char *const keys[] = {"is-official", "stars", NULL};

struct wanted {
    bool has_official, official;
    int64_t stars;
};

static int parse_filters(char *const *filters, struct wanted *ret, struct dr_error *err)
{
    const char *value;
    char *const *at = filters;
    if (cli_filters_check(filters, keys, err) < 0)
        return -1;
    while ((value = cli_filter_next(&at, "is-official"))) {
        ret->has_official = true;
        ret->official = strcmp(value, "true") == 0;
        if (!ret->official && strcmp(value, "false") != 0)
            return dr_fail(err, DR_ERR_INVALID,
                           "--filter is-official=%s: it must be true or false", value);
    }
    at = filters;
    while ((value = cli_filter_next(&at, "stars")))
        if (!dr_int_parse(value, 0, INT64_MAX, &ret->stars))
            return dr_fail(err, DR_ERR_INVALID, "--filter stars=%s: it must be a number",
                           value);
    return 0;
}

static json_t *make_row(const json_t *item, bool no_trunc)
{
    const char *description = dr_json_str(item, "description");
    dr_auto_free char *cut =
        dr_escape(description ? description : "", no_trunc ? 0 : DESCRIPTION_MAX);
    dr_auto_free char *stars =
        dr_printf("%lld", (long long)dr_json_int(item, "stars", 0));
    return json_pack("{ssssssss}", "Name", dr_json_str(item, "name"), "Description", cut,
                     "StarCount", stars, "IsOfficial",
                     dr_json_bool(item, "official") ? "[OK]" : "");
}

static json_t *make_rows(const json_t *items, const struct wanted *wanted, bool no_trunc)
{
    json_t *rows = json_array();
    for (size_t i = 0; i < json_array_size(items); i++) {
        const json_t *item = json_array_get(items, i);
        if ((!wanted->has_official ||
             wanted->official == dr_json_bool(item, "official")) &&
            dr_json_int(item, "stars", 0) >= wanted->stars)
            json_array_append_new(rows, make_row(item, no_trunc));
    }
    return rows;
}

int cmd_search(struct cli *cli, void *arg)
{
    const struct search_args *args = arg;
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    cli_auto_registry struct cli_registry registry = {0};
    struct dray_error *failed = NULL;
    struct wanted wanted = {0};
    char *text = NULL;
    if (cli_format_check(args->format, &err) < 0 ||
        parse_filters(args->filters, &wanted, &err) < 0 ||
        cli_registry(&args->registry, &registry, &err) < 0)
        return cli_usage_error(cli, &err);
    const struct dray_call call = {.cancel = cli_signals_cancel()};
    int rc = dray_registry_search(cli->words[0], (int)args->limit, &registry.options,
                                  &call, &text, &failed);
    cli_signals_default();
    dr_auto_json json_t *items = cli_rc_json(rc, &text, &failed, &err);
    if (!items)
        return cli_error(cli, &err);
    dr_auto_json json_t *rows = make_rows(items, &wanted, args->no_trunc);
    return cli_list_print(args->format, columns, rows, &err) < 0 ? cli_error(cli, &err)
                                                                 : CLI_OK;
}
