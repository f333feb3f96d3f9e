/* SPDX-License-Identifier: Apache-2.0 */
/* container, image, network, volume and system prune: asking first, and saying what went.
 */
#include <string.h>

#include "base/text.h"
#include "cli/args.h"
#include "cli/cli.h"

/* What one prune removed, over all its parts. */
struct pruned {
    struct dr_buf text;
    int64_t bytes;
};
#define TEXT_MAX_BYTES (64u << 20)

static const char *const time_keys[] = {"label", "label!", "until", NULL};
static const char *const volume_keys[] = {"label", "label!", NULL};

/* Docker's question. Anything but y is a no, and so is an end of stdin. */
static bool confirm(const char *warning)
{
    char line[100];
    fputs(warning, stdout);
    fputs("Are you sure you want to continue? [y/N] ", stdout);
    fflush(stdout);
    if (!fgets(line, sizeof(line), stdin))
        line[0] = '\0';
    if (!isatty(STDIN_FILENO))
        putchar('\n'); /* nobody typed the one behind the answer */
    size_t len = strcspn(line, "\r\n");
    return len == 1 && (line[0] == 'y' || line[0] == 'Y');
}

static int not_confirmed(const struct cli *cli)
{
    cli_warn("%s: not confirmed, nothing was removed; -f does not ask", cli->verb->name);
    return CLI_FAILED;
}

bool cli_confirm(const struct cli *cli, const char *warning)
{
    if (confirm(warning))
        return true;
    not_confirmed(cli);
    return false;
}

/* "Deleted Images:", then a line each, as Docker lists them. */
static int add_lines(struct pruned *p, const char *heading, const json_t *reply,
                     const char *key, const char *prefix, struct dr_error *err)
{
    json_t *items = dr_json_array(reply, key);
    if (*heading && json_array_size(items) &&
        dr_buf_addf(&p->text, err, "%s:\n", heading) < 0)
        return -1;
    for (size_t i = 0; i < json_array_size(items); i++) {
        dr_auto_free char *safe =
            dr_escape(json_string_value(json_array_get(items, i)), 0);
        if (dr_buf_addf(&p->text, err, "%s%s\n", prefix, safe) < 0)
            return -1;
    }
    return 0;
}

static int prune_containers(struct cli *cli, char *const *filters, struct pruned *p,
                            struct dr_error *err)
{
    struct dray_error *failed = NULL;
    char *text = NULL;
    int rc = dray_container_prune(cli->target, filters, NULL, &text, &failed);
    dr_auto_json json_t *reply = cli_rc_json(rc, &text, &failed, err);
    if (!reply || add_lines(p, "Deleted Containers", reply, "deleted", "", err) < 0)
        return -1;
    p->bytes += dr_json_int(reply, "space_reclaimed", 0);
    return json_array_size(dr_json_array(reply, "deleted"))
               ? dr_buf_addf(&p->text, err, "\n")
               : 0;
}

static int prune_images(struct cli *cli, bool all, char *const *filters, struct pruned *p,
                        struct dr_error *err)
{
    struct dray_error *failed = NULL;
    char *text = NULL;
    int rc = dray_image_prune(cli->target, all, filters, NULL, &text, &failed);
    dr_auto_json json_t *reply = cli_rc_json(rc, &text, &failed, err);
    if (!reply)
        return -1;
    bool any = json_array_size(dr_json_array(reply, "untagged")) ||
               json_array_size(dr_json_array(reply, "deleted"));
    p->bytes += dr_json_int(reply, "space_reclaimed", 0);
    if (!any)
        return 0;
    if (dr_buf_addf(&p->text, err, "Deleted Images:\n") < 0 ||
        add_lines(p, "", reply, "untagged", "untagged: ", err) < 0 ||
        add_lines(p, "", reply, "deleted", "deleted: ", err) < 0)
        return -1;
    return dr_buf_addf(&p->text, err, "\n");
}

static int prune_networks(struct cli *cli, char *const *filters, struct pruned *p,
                          struct dr_error *err)
{
    struct dray_error *failed = NULL;
    char *text = NULL;
    int rc = dray_network_prune(cli->target, filters, NULL, &text, &failed);
    dr_auto_json json_t *reply = cli_rc_json(rc, &text, &failed, err);
    if (!reply || add_lines(p, "Deleted Networks", reply, "deleted", "", err) < 0)
        return -1;
    return json_array_size(dr_json_array(reply, "deleted"))
               ? dr_buf_addf(&p->text, err, "\n")
               : 0;
}

static int prune_volumes(struct cli *cli, bool all, char *const *filters,
                         struct pruned *p, struct dr_error *err)
{
    struct dray_error *failed = NULL;
    char *text = NULL;
    int rc = dray_volume_prune(cli->target, all, filters, NULL, &text, &failed);
    dr_auto_json json_t *reply = cli_rc_json(rc, &text, &failed, err);
    if (!reply || add_lines(p, "Deleted Volumes", reply, "deleted", "", err) < 0)
        return -1;
    p->bytes += dr_json_int(reply, "space_reclaimed", 0);
    return json_array_size(dr_json_array(reply, "deleted"))
               ? dr_buf_addf(&p->text, err, "\n")
               : 0;
}

enum parts { CONTAINERS = 1, IMAGES = 2, VOLUMES = 4, NETS = 8 };

/* In this order: what containers held can go after them. What went before a failure is
 * told too. */
static int prune_parts(struct cli *cli, const struct prune_args *args, int parts,
                       struct pruned *p, struct dr_error *err)
{
    if (!cli_target(cli, err))
        return -1;
    if ((parts & CONTAINERS) && prune_containers(cli, args->filters, p, err) < 0)
        return -1;
    if ((parts & NETS) && prune_networks(cli, args->filters, p, err) < 0)
        return -1;
    /* system prune takes anonymous volumes only, and volumes have no age */
    bool only = parts == VOLUMES;
    if ((parts & VOLUMES) &&
        prune_volumes(cli, only && args->all, only ? args->filters : NULL, p, err) < 0)
        return -1;
    if ((parts & IMAGES) && prune_images(cli, args->all, args->filters, p, err) < 0)
        return -1;
    return 0;
}

static int prune(struct cli *cli, const struct prune_args *args, int parts,
                 const char *warning)
{
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    struct pruned p = {.text = DR_BUF_INIT(TEXT_MAX_BYTES)};
    const char *const *keys = parts == VOLUMES ? volume_keys : time_keys;
    if (cli_filters_check(args->filters, keys, &err) < 0)
        return cli_usage_error(cli, &err);
    if (!args->force && !confirm(warning))
        return not_confirmed(cli);
    int rc = prune_parts(cli, args, parts, &p, &err);
    dr_auto_free char *bytes = dr_size_text(p.bytes);
    fputs(p.text.data ? p.text.data : "", stdout);
    if (parts != NETS && (rc == 0 || p.text.len)) /* networks take up no disk */
        printf("Total reclaimed space: %s\n", bytes);
    dr_buf_release(&p.text);
    return rc < 0 ? cli_error(cli, &err) : CLI_OK;
}

int cmd_container_prune(struct cli *cli, void *args)
{
    return prune(cli, args, CONTAINERS,
                 "WARNING! This will remove all stopped containers.\n");
}

int cmd_image_prune(struct cli *cli, void *arg)
{
    const struct prune_args *args = arg;
    return prune(cli, args, IMAGES,
                 args->all ? "WARNING! This will remove all images without at least one "
                             "container associated to them.\n"
                           : "WARNING! This will remove all dangling images.\n");
}

int cmd_network_prune(struct cli *cli, void *arg)
{
    return prune(cli, arg, NETS,
                 "WARNING! This will remove all networks not used by at least one "
                 "container.\n");
}

int cmd_volume_prune(struct cli *cli, void *arg)
{
    const struct prune_args *args = arg;
    return prune(cli, args, VOLUMES,
                 args->all ? "WARNING! This will remove all local volumes not used by at "
                             "least one container.\n"
                           : "WARNING! This will remove anonymous local volumes not used "
                             "by at least one container.\n");
}

int cmd_system_prune(struct cli *cli, void *arg)
{
    const struct prune_args *args = arg;
    dr_auto_free char *warning = dr_printf(
        "WARNING! This will remove:\n  - all stopped containers\n"
        "  - all networks not used by at least one container\n%s%s\n",
        args->volumes ? "  - all anonymous volumes not used by at least one container\n"
                      : "",
        args->all ? "  - all images without at least one container associated to them\n"
                  : "  - all dangling images\n");
    return prune(cli, args, CONTAINERS | NETS | IMAGES | (args->volumes ? VOLUMES : 0),
                 warning);
}
