/* SPDX-License-Identifier: Apache-2.0 */
/* Pulling with something to look at: for the verb pull, and for run and create. */
#include <string.h>

#include "cli/args.h"
#include "cli/cli.h"

int cli_pull_policy(const char *text, enum dray_pull_policy *ret, struct dr_error *err)
{
    static const struct {
        const char *word;
        enum dray_pull_policy policy;
    } words[] = {{"missing", DRAY_PULL_MISSING},
                 {"always", DRAY_PULL_ALWAYS},
                 {"newer", DRAY_PULL_NEWER},
                 {"never", DRAY_PULL_NEVER}};
    for (size_t i = 0; i < DR_COUNT(words); i++) {
        if (!text || strcmp(words[i].word, text) == 0) {
            *ret = words[i].policy;
            return 0;
        }
    }
    return dr_fail(
        err, DR_ERR_INVALID,
        "invalid argument \"%s\" for \"--pull\" flag: it must be always, missing, "
        "newer or never",
        text);
}

/* "Using default tag: latest", "latest: Pulling from library/alpine" */
static int print_head(const struct cli_pull *pull, struct dr_error *err)
{
    struct dray_error *failed = NULL;
    char *canonical = NULL;
    bool local = false;
    if (cli_rc(dray_place_check(pull->reference, &local, &failed), &failed, err) < 0)
        return -1;
    if (local)
        return 0;
    if (cli_rc(dray_reference_normalize(pull->reference, &canonical, &failed), &failed,
               err) < 0)
        return -1;
    const char *slash = strchr(canonical, '/'), *path = slash ? slash + 1 : canonical;
    size_t len = strcspn(path, ":@");
    const char *at = strchr(path, '@');
    const char *target = at ? at + 1 : path[len] == ':' ? path + len + 1 : "";
    const char *last = strrchr(pull->reference, '/');
    bool given = strpbrk(last ? last : pull->reference, ":@") != NULL;
    if (!pull->quiet && !given && *target)
        fprintf(pull->out, "Using default tag: %s\n", target);
    if (!pull->quiet)
        fprintf(pull->out, "%s: Pulling from %.*s\n", target, (int)len, path);
    fflush(pull->out);
    dray_free(canonical);
    return 0;
}

static void print_tail(const struct cli_pull *pull, const json_t *image)
{
    const char *digest = dr_json_str(image, "digest");
    const char *familiar = dr_json_str(image, "familiar");
    const char *what = dr_json_bool(image, "pulled") ? "Downloaded newer image for"
                                                     : "Image is up to date for";
    if (pull->quiet)
        return;
    if (digest)
        fprintf(pull->out, "Digest: %s\n", digest);
    fprintf(pull->out, "Status: %s %s\n", what, familiar ? familiar : pull->reference);
    fflush(pull->out);
}

const char *cli_lock_file(const struct lock_args *args)
{
    return args->file ? args->file : args->lock || args->update ? "dray.lock" : NULL;
}

/* What has no line of Docker's: said to people, not to programs. */
static void print_pin(const struct cli_pull *pull, const json_t *image)
{
    const char *pinned = dr_json_str(image, "pinned");
    const char *moved = dr_json_str(image, "tag_digest");
    if (pull->quiet || !pinned)
        return;
    fprintf(pull->out, "Pinned: %s in %s\n", pinned, pull->lock_file);
    if (moved)
        cli_warn("note: the registry's tag means %s now; %s keeps what it meant before, "
                 "until `dray pull --lock-update %s`",
                 moved, pull->lock_file, pull->reference);
}

int cli_pull(struct cli *cli, const struct cli_pull *pull, json_t **ret_image,
             struct dr_error *err)
{
    struct dray_target *target = cli_target(cli, err);
    struct dray_error *failed = NULL;
    char *text = NULL;
    if (!target || print_head(pull, err) < 0)
        return -1;
    struct cli_progress *progress = pull->quiet ? NULL : cli_progress_new(pull->out);
    struct dray_pull_options options = {
        .size = sizeof(options),
        .policy = pull->policy,
        .platform = pull->platform,
        .registry = pull->registry,
        .lock_file = pull->lock_file,
        .lock_update = pull->lock_update,
        .progress = progress ? cli_progress_step : NULL,
        .progress_arg = progress,
    };
    struct dray_call call = {.cancel = cli_signals_cancel()};
    int rc = dray_image_pull(target, pull->reference, &options, &call, &text, &failed);
    cli_signals_default();
    cli_progress_end(progress);
    *ret_image = cli_rc_json(rc, &text, &failed, err);
    if (!*ret_image)
        return -1;
    print_tail(pull, *ret_image);
    print_pin(pull, *ret_image);
    return 0;
}

int cmd_pull(struct cli *cli, void *arg)
{
    const struct pull_args *args = arg;
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    dr_auto_json json_t *image = NULL;
    cli_auto_registry struct cli_registry registry = {0};
    if (cli_registry(&args->registry, &registry, &err) < 0)
        return cli_usage_error(cli, &err);
    struct cli_pull pull = {
        .reference = cli->words[0],
        .platform = args->platform,
        .policy = DRAY_PULL_ALWAYS,
        .registry = &registry.options,
        .lock_file = cli_lock_file(&args->lock),
        .lock_update = args->lock.update,
        .quiet = args->quiet,
        .out = stdout,
    };
    if (cli_pull(cli, &pull, &image, &err) < 0)
        return cli_error(cli, &err);
    const char *ref = dr_json_str(image, "ref");
    cli_line(ref ? ref : cli->words[0]);
    return CLI_OK;
}
