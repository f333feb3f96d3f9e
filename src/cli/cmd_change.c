/* SPDX-License-Identifier: Apache-2.0 */
/* rename, update and tag: what can be changed of a thing that is there. */
#include <string.h>

#include "cli/args.h"
#include "cli/cli.h"

int cmd_rename(struct cli *cli, void *args)
{
    (void)args;
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    struct dray_error *failed = NULL;
    const char *container = cli->words[0], *name = cli->words[1];
    if (cli_rc(dray_name_check(name, &failed), &failed, &err) < 0)
        return cli_usage_error(cli, &err);
    struct dray_target *target = cli_target(cli, &err);
    if (!target || cli_rc(dray_container_rename(target, container, name, NULL, &failed),
                          &failed, &err) < 0)
        return cli_error(cli, &err);
    return CLI_OK;
}

/* As dray_container_update takes them: pairs of field and text, NULL at the end. */
#define FIELDS_MAX 5
struct fields {
    const char *pairs[2 * FIELDS_MAX + 1];
    char *texts[FIELDS_MAX]; /* owned */
    size_t count;
};

static void add_field(struct fields *f, const char *field, char *text)
{
    if (!text)
        return;
    f->texts[f->count] = text;
    f->pairs[2 * f->count] = field;
    f->pairs[2 * f->count + 1] = text;
    f->count++;
}

static char *number(int64_t value)
{
    return value ? dr_printf("%lld", (long long)value) : NULL;
}

static int update_one(struct cli *cli, const char *word, const void *arg, char **ret_line,
                      struct dr_error *err)
{
    const struct fields *fields = arg;
    struct dray_error *failed = NULL;
    if (cli_rc(dray_container_update(cli->target, word, fields->pairs, NULL, &failed),
               &failed, err) < 0)
        return -1;
    *ret_line = dr_strdup(word);
    return 0;
}

/* What makes no sense for any container is told before one is touched. */
static int check_fields(const struct fields *f, struct dr_error *err)
{
    struct dray_spec *spec = dray_spec_new(NULL);
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < f->count; i++)
        rc = cli_spec_set(spec, f->pairs[2 * i], f->texts[i], err);
    dray_spec_free(spec);
    return rc;
}

int cmd_update(struct cli *cli, void *arg)
{
    const struct update_args *args = arg;
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    struct fields f = {0};
    int code;
    add_field(&f, "cpus", dr_strdup(args->cpus));
    add_field(&f, "restart", dr_strdup(args->restart));
    add_field(&f, "memory", number(args->memory_bytes));
    add_field(&f, "cpu_shares", number(args->cpu_shares));
    add_field(&f, "pids_limit", number(args->pids_limit));
    if (f.count == 0) {
        dr_fail(&err, DR_ERR_INVALID,
                "nothing to change: one of --cpus, --cpu-shares, --memory, --pids-limit "
                "and --restart is needed");
        code = cli_usage_error(cli, &err);
    } else if (check_fields(&f, &err) < 0) {
        code = cli_usage_error(cli, &err);
    } else {
        code = cli_each(cli, 1, update_one, &f);
    }
    for (size_t i = 0; i < f.count; i++)
        free(f.texts[i]);
    return code;
}

int cmd_tag(struct cli *cli, void *args)
{
    (void)args;
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    struct dray_error *failed = NULL;
    for (size_t i = 0; i < 2; i++) {
        char *canonical = NULL;
        int rc = dray_reference_normalize(cli->words[i], &canonical, &failed);
        dray_free(canonical);
        if (cli_rc(rc, &failed, &err) < 0)
            return cli_usage_error(cli, &err);
    }
    struct dray_target *target = cli_target(cli, &err);
    if (!target ||
        cli_rc(dray_image_tag(target, cli->words[0], cli->words[1], NULL, &failed),
               &failed, &err) < 0)
        return cli_error(cli, &err);
    return CLI_OK;
}
