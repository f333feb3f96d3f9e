/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "base/text.h"
#include "cli/args.h"
#include "cli/cli.h"
#include "oci/ref.h"

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

/* RFC 3339 text or nanoseconds; 0 when there is none. */
static int64_t created_ns(const json_t *item)
{
    dr_auto_error struct dr_error unused = DR_ERROR_INIT;
    const char *text = dr_json_str(item, "created");
    int64_t ns = dr_json_int(item, "created", 0);
    if (text && dr_time_parse(text, &ns, &unused) < 0)
        ns = 0;
    return ns;
}

static void set(json_t *row, const char *key, char *value)
{
    dr_json_set_str(row, key, value ? value : "");
    free(value);
}

/* name: canonical reference, or NULL for an image without one. */
static json_t *image_row(const json_t *item, const char *name,
                         const struct images_args *args, int64_t now_ns)
{
    dr_auto_error struct dr_error unused = DR_ERROR_INIT;
    dr_auto_ref struct oci_ref ref = OCI_REF_INIT;
    bool named = name && oci_ref_parse(name, &ref, &unused) == 0;
    const char *id = dr_json_str(item, "id");
    const char *digest = dr_json_str(item, "digest");
    int64_t created = created_ns(item);
    json_t *row = json_object();
    set(row, "CreatedAt", created ? cli_timestamp(created) : NULL);
    set(row, "CreatedSince", created ? cli_ago(created, now_ns) : dr_strdup("N/A"));
    set(row, "Digest", dr_strdup(digest ? digest : NONE));
    if (args->no_trunc && id && !strchr(id, ':'))
        set(row, "ID", dr_printf("sha256:%s", id));
    else
        set(row, "ID", dr_strdup(args->no_trunc ? id : cli_short_id(id)));
    set(row, "Repository", named ? oci_ref_familiar_name(&ref) : dr_strdup(NONE));
    set(row, "Size", dr_size_text(dr_json_int(item, "size", 0)));
    set(row, "Tag", dr_strdup(named && ref.tag ? ref.tag : NONE));
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
    dr_auto_ref struct oci_ref ref = OCI_REF_INIT;
    if (oci_ref_parse(word, &ref, err) < 0)
        return NULL;
    const char *slash = strrchr(word, '/');
    bool tagged = strchr(slash ? slash : word, ':') != NULL;
    dr_auto_free char *name = oci_ref_familiar_name(&ref);
    return dr_printf("%s%s%s", name, tagged ? ":" : "", tagged ? ref.tag : "");
}

static json_t *make_rows(const json_t *items, const struct images_args *args,
                         const char *filter)
{
    json_t *rows = json_array();
    json_t *item;
    size_t i;
    int64_t now_ns = dr_now_ns();
    json_array_foreach ((json_t *)items, i, item) {
        json_t *refs = dr_json_array(item, "refs");
        size_t count = json_array_size(refs);
        for (size_t j = 0; j < (count ? count : 1); j++) {
            const char *name = json_string_value(json_array_get(refs, j));
            dr_auto_json json_t *row = image_row(item, name, args, now_ns);
            if (wanted(row, filter))
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
                  struct dr_error *err)
{
    json_t *items_raw = NULL;
    struct host *host = cli_host(cli, err);
    if (!host || host_list(host, host_request("image.list"), &items_raw, err) < 0)
        return -1;
    dr_auto_json json_t *items = items_raw;
    dr_auto_json json_t *rows = make_rows(items, args, filter);
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
    return images(cli, args, filter, &err) < 0 ? cli_error(cli, &err) : CLI_OK;
}
