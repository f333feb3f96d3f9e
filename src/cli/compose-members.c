/* SPDX-License-Identifier: Apache-2.0 */
/* The containers of a deployment: who is there, and verbs of containers done with them.
 */
#include "cli/compose.h"

#include <string.h>

#include "base/text.h"

char *cli_label(const struct dray_container *container, const char *key)
{
    dr_auto_error struct dr_error unused = DR_ERROR_INIT;
    dr_auto_json json_t *labels =
        dr_json_parse(container->labels, strlen(container->labels), SIZE_MAX, &unused);
    return dr_strdup(dr_json_str(labels, key));
}

static int by_service(const void *a, const void *b)
{
    const struct dray_container *left = *(const struct dray_container *const *)a;
    const struct dray_container *right = *(const struct dray_container *const *)b;
    int order = strcmp(left->service ?: "", right->service ?: "");
    if (order == 0 && left->replica != right->replica)
        order = left->replica < right->replica ? -1 : 1;
    return order ? order : strcmp(left->name, right->name);
}

static bool is_one_of(const char *name, char *const *names)
{
    bool any = false;
    for (; names && *names; names++) {
        any = true;
        if (name && strcmp(*names, name) == 0)
            return true;
    }
    return !any;
}

int cli_members(struct cli *cli, const char *name, char *const *services, bool all,
                struct cli_members *ret, struct dr_error *err)
{
    struct dray_target *target = cli_target(cli, err);
    struct dray_error *failed = NULL;
    struct cli_members found = {0};
    if (!target || cli_rc(dray_container_list(target, all, NULL, &found.list, &failed),
                          &failed, err) < 0)
        return -1;
    found.items = dr_alloc((found.list.count + 1) * sizeof(*found.items));
    for (size_t i = 0; i < found.list.count; i++) {
        const struct dray_container *c = &found.list.items[i];
        if (c->deployment && strcmp(c->deployment, name) == 0 &&
            is_one_of(c->service, services))
            found.items[found.count++] = c;
    }
    qsort(found.items, found.count, sizeof(*found.items), by_service);
    *ret = found;
    return 0;
}

void cli_members_drop_oneoffs(struct cli_members *members)
{
    size_t kept = 0;
    for (size_t i = 0; i < members->count; i++) {
        dr_auto_free char *oneoff = cli_label(members->items[i], "dray.oneoff");
        if (!oneoff)
            members->items[kept++] = members->items[i];
    }
    members->count = kept;
}

void cli_members_release(struct cli_members *members)
{
    dray_container_list_free(&members->list);
    free(members->items);
    *members = (struct cli_members){0};
}

int cli_with_members(struct cli *cli, const struct cli_members *members,
                     int (*verb)(struct cli *cli, void *args), void *args)
{
    char **words = cli->words;
    size_t count = cli->word_count;
    dr_auto_free char **names = dr_alloc((members->count + 1) * sizeof(*names));
    for (size_t i = 0; i < members->count; i++)
        names[i] = (char *)members->items[i]->name;
    cli->words = names;
    cli->word_count = members->count;
    int code = members->count > 0 ? verb(cli, args) : CLI_OK;
    cli->words = words;
    cli->word_count = count;
    return code;
}

/* --- of a command line --- */

static bool is_one(const struct dray_container *c, enum cli_which which)
{
    bool paused = c->state.phase == DRAY_PAUSED;
    return which == CLI_PAUSED ? paused : which == CLI_NOT_PAUSED ? !paused : true;
}

int cli_members_of(struct cli *cli, const struct compose_args *of, char *const *services,
                   enum cli_which which, struct cli_members *ret, struct dr_error *err)
{
    struct dray_deployment *deployment;
    dr_auto_free char *name = NULL;
    if (cli_deployment_or_name(of, &deployment, &name, err) < 0)
        return -1;
    dray_deployment_free(deployment);
    if (cli_members(cli, name, services, which == CLI_ALL, ret, err) < 0)
        return -1;
    cli_members_drop_oneoffs(ret);
    if (ret->count == 0)
        cli_members_release(ret);
    size_t kept = 0;
    for (size_t i = 0; i < ret->count; i++)
        if (is_one(ret->items[i], which))
            ret->items[kept++] = ret->items[i];
    if (ret->count > 0) {
        ret->count = kept;
        return 0;
    }
    bool one = services[0] && !services[1];
    return dr_fail(err, DR_ERR_NOT_FOUND, "nothing of %s %s %s: `dray up` %s it",
                   one ? "service" : "deployment", one ? services[0] : name,
                   which == CLI_ALL ? "is there" : "runs",
                   which == CLI_ALL ? "makes" : "starts");
}
