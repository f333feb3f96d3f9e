/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "base/text.h"
#include "cli/args.h"
#include "cli/cli.h"
#include "cli/images-filter.h"

#define NONE "<none>"

static const struct cli_column columns[] = {{"Repository", "REPOSITORY", true},
                                            {"Tag", "TAG", true},
                                            {"ID", "IMAGE ID", true},
                                            {"CreatedSince", "CREATED", true},
                                            {"Size", "SIZE", true},
                                            {"Digest", "DIGEST", false},
                                            {"CreatedAt", "CREATED AT", false},
                                            {0}};

static const struct cli_column digest_columns[] = {
    {"Repository", "REPOSITORY", true}, {"Tag", "TAG", true},
    {"Digest", "DIGEST", true},         {"ID", "IMAGE ID", true},
    {"CreatedSince", "CREATED", true},  {"Size", "SIZE", true},
    {"CreatedAt", "CREATED AT", false}, {0}};

/* tag: {"repository","tag","digest"} of one of its names; NULL: it has none. */
static json_t *image_row(const json_t *item, const json_t *tag,
                         const struct images_args *args, int64_t now_ns)
{
    const char *id = dr_json_str(item, "id");
    const char *digest = dr_json_str(item, "digest");
    const char *repository = dr_json_str(tag, "repository");
    const char *word = dr_json_str(tag, "tag");
    int64_t created = dr_json_int(item, "created_ns", 0);
    json_t *row = json_object();
    cli_row_set(row, "CreatedAt", created ? cli_timestamp(created) : NULL);
    cli_row_set(row, "CreatedSince",
                created ? cli_ago(created, now_ns) : dr_strdup("N/A"));
    cli_row_set(row, "Digest", dr_strdup(digest ? digest : NONE));
    if (args->no_trunc && id && !strchr(id, ':'))
        cli_row_set(row, "ID", dr_printf("sha256:%s", id));
    else
        cli_row_set(row, "ID", dr_strdup(args->no_trunc ? id : cli_short_id(id)));
    cli_row_set(row, "Repository", dr_strdup(repository ? repository : NONE));
    cli_row_set(row, "Size", dr_size_text(dr_json_int(item, "size", 0)));
    cli_row_set(row, "Tag", dr_strdup(word && *word ? word : NONE));
    return row;
}

/* "alpine" keeps every tag of it, "alpine:3" one. */
static bool wanted(const json_t *row, const char *filter)
{
    if (!filter)
        return true;
    const char *name = dr_json_str(row, "Repository"), *tag = dr_json_str(row, "Tag");
    const char *slash = strrchr(filter, '/');
    const char *colon = strchr(slash ? slash : filter, ':');
    size_t len = colon ? (size_t)(colon - filter) : strlen(filter);
    return strlen(name) == len && memcmp(name, filter, len) == 0 &&
           (!colon || strcmp(tag, colon + 1) == 0);
}

/* As Docker writes it: "docker.io/library/alpine" is "alpine". NULL with err. */
static char *filter_text(const char *word, struct dr_error *err)
{
    struct dray_error *failed = NULL;
    char *canonical = NULL;
    if (cli_rc(dray_reference_normalize(word, &canonical, &failed), &failed, err) < 0)
        return NULL;
    const char *slash = strrchr(word, '/');
    bool tagged = strchr(slash ? slash : word, ':') != NULL;
    char *familiar = cli_familiar(canonical);
    dray_free(canonical);
    slash = strrchr(familiar, '/');
    char *colon = strchr(slash ? slash : familiar, ':');
    if (!tagged && colon)
        *colon = '\0';
    return familiar;
}

static json_t *make_rows(const json_t *items, const struct images_args *args,
                         const char *filter, const struct images_filter *filters)
{
    json_t *rows = json_array();
    json_t *item;
    size_t i;
    int64_t now_ns = dr_now_ns();
    json_array_foreach ((json_t *)items, i, item) {
        json_t *tags = dr_json_array(item, "tags");
        size_t count = json_array_size(tags);
        for (size_t j = 0; j < (count ? count : 1); j++) {
            dr_auto_json json_t *row =
                image_row(item, json_array_get(tags, j), args, now_ns);
            if (wanted(row, filter) &&
                images_filter_match(filters, item, json_array_get(tags, j)))
                json_array_append(rows, row);
        }
    }
    return rows;
}

/* -q: each id once, however many names it has */
static int print_ids(const json_t *rows)
{
    dr_auto_json json_t *seen = json_object();
    for (size_t i = 0; i < json_array_size(rows); i++) {
        const char *id = dr_json_str(json_array_get(rows, i), "ID");
        if (json_object_get(seen, id))
            continue;
        dr_json_set_bool(seen, id, true);
        cli_line(id);
    }
    return 0;
}

static int images(struct cli *cli, const struct images_args *args, const char *filter,
                  struct images_filter *filters, struct dr_error *err)
{
    struct dray_target *target = cli_target(cli, err);
    struct dray_error *failed = NULL;
    char *text = NULL;
    if (!target)
        return -1;
    int rc = dray_image_list(target, NULL, &text, &failed);
    dr_auto_json json_t *items = cli_rc_json(rc, &text, &failed, err);
    if (!items || images_filter_bind(filters, items, err) < 0)
        return -1;
    dr_auto_json json_t *rows = make_rows(items, args, filter, filters);
    if (args->quiet && !args->format)
        return print_ids(rows);
    return cli_list_print(args->format, args->digests ? digest_columns : columns, rows,
                          err);
}

int cmd_images(struct cli *cli, void *arg)
{
    const struct images_args *args = arg;
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    dr_auto_free char *filter = NULL;
    if (cli_format_check(args->format, &err) < 0)
        return cli_usage_error(cli, &err);
    if (cli->words[0] && !(filter = filter_text(cli->words[0], &err)))
        return cli_usage_error(cli, &err);
    struct images_filter *filters;
    if (images_filter_parse(args->filters, dr_now_ns(), &filters, &err) < 0)
        return cli_usage_error(cli, &err);
    int rc = images(cli, args, filter, filters, &err);
    images_filter_free(filters);
    return rc < 0 ? cli_error(cli, &err) : CLI_OK;
}
