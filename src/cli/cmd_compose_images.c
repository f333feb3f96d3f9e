/* SPDX-License-Identifier: Apache-2.0 */
/* compose images: which image each container of a deployment was made of. */
#include <string.h>

#include "base/text.h"
#include "cli/compose.h"

static const struct cli_column columns[] = {{"ContainerName", "CONTAINER", true},
                                            {"Repository", "REPOSITORY", true},
                                            {"Tag", "TAG", true},
                                            {"ID", "IMAGE ID", true},
                                            {"Size", "SIZE", true},
                                            {"CreatedSince", "CREATED", true},
                                            {"Service", "SERVICE", false},
                                            {0}};

/* Borrowed; NULL: it was removed. */
static const json_t *image_of(const json_t *images, const char *id)
{
    const json_t *image;
    size_t i;
    json_array_foreach ((json_t *)images, i, image)
        if (id && strcmp(dr_json_str(image, "id") ?: "", id) == 0)
            return image;
    return NULL;
}

/* By the name that the container was made by: that may mean another image by now. */
static json_t *make_row(const struct dray_container *c, const json_t *image,
                        int64_t now_ns, bool no_trunc)
{
    json_t *row = json_object();
    dr_auto_free char *name = cli_familiar(c->image);
    char *slash = strrchr(name, '/'), *at = strchr(slash ?: name, '@'),
         *colon = strchr(slash ?: name, ':');
    char *cut = at && (!colon || at < colon) ? at : colon;
    int64_t created = dr_json_int(image, "created_ns", 0);
    cli_row_set(row, "Tag", dr_strdup(cut && cut != at ? cut + 1 : "<none>"));
    if (cut)
        *cut = '\0';
    cli_row_set(row, "ContainerName", dr_strdup(c->name));
    cli_row_set(row, "Service", dr_strdup(c->service));
    cli_row_set(row, "Repository", dr_strdup(name));
    cli_row_set(row, "ID", dr_strdup(no_trunc ? c->image_id : cli_short_id(c->image_id)));
    cli_row_set(row, "Size", dr_size_text(dr_json_int(image, "size", 0)));
    cli_row_set(row, "CreatedSince",
                created ? cli_ago(created, now_ns) : dr_strdup("N/A"));
    return row;
}

static int images(struct cli *cli, const struct compose_images_args *args,
                  const struct cli_members *members, struct dr_error *err)
{
    struct dray_error *failed = NULL;
    char *text = NULL;
    int rc = dray_image_list(cli->target, NULL, &text, &failed);
    dr_auto_json json_t *all = cli_rc_json(rc, &text, &failed, err);
    dr_auto_json json_t *rows = json_array(), *seen = json_object();
    if (!all)
        return -1;
    for (size_t i = 0; i < members->count; i++) {
        const struct dray_container *c = members->items[i];
        json_t *row = make_row(c, image_of(all, c->image_id), dr_now_ns(),
                               args->no_trunc || args->quiet);
        const char *id = dr_json_str(row, "ID");
        if (!args->quiet || !json_object_get(seen, id))
            json_array_append(rows, row);
        dr_json_set_bool(seen, id, true);
        json_decref(row);
    }
    return cli_list_print(args->quiet && !args->format ? "{{.ID}}" : args->format,
                          columns, rows, err);
}

int cmd_compose_images(struct cli *cli, void *arg)
{
    const struct compose_images_args *args = arg;
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    struct cli_members members;
    if (cli_format_check(args->format, &err) < 0)
        return cli_usage_error(cli, &err);
    if (cli_members_of(cli, &args->of, cli->words, CLI_ALL, &members, &err) < 0)
        return cli_error(cli, &err);
    int rc = images(cli, args, &members, &err);
    cli_members_release(&members);
    return rc < 0 ? cli_error(cli, &err) : CLI_OK;
}
