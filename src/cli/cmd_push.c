/* SPDX-License-Identifier: Apache-2.0 */
/* push: an image, or all tags of a repository, into a registry. */
#include <string.h>

#include "cli/args.h"
#include "cli/cli.h"

/* "docker.io/library/alpine:latest" → the part before the tag, and the tag. */
static size_t name_length(const char *canonical)
{
    const char *slash = strrchr(canonical, '/'), *last = slash ? slash : canonical;
    return (size_t)(last - canonical) + strcspn(last, ":@");
}

static char *canonical_of(const char *reference, struct dr_error *err)
{
    struct dray_error *failed = NULL;
    char *text = NULL;
    return cli_rc(dray_reference_normalize(reference, &text, &failed), &failed, err) < 0
               ? NULL
               : text;
}

static int push_one(struct cli *cli, const struct push_args *args, const char *reference,
                    const struct dray_registry_options *registry, struct dr_error *err)
{
    struct dray_target *target = cli_target(cli, err);
    struct dray_error *failed = NULL;
    char *text = NULL;
    if (!target)
        return -1;
    struct cli_progress *progress = args->quiet ? NULL : cli_progress_new(stdout);
    struct dray_push_options options = {.size = sizeof options,
                                        .registry = registry,
                                        .progress = progress ? cli_progress_step : NULL,
                                        .progress_arg = progress};
    struct dray_call call = {.cancel = cli_signals_cancel()};
    int rc = dray_image_push(target, reference, &options, &call, &text, &failed);
    cli_signals_default();
    cli_progress_end(progress);
    dr_auto_json json_t *pushed = cli_rc_json(rc, &text, &failed, err);
    if (!pushed)
        return -1;
    const char *ref = dr_json_str(pushed, "ref");
    const char *tag = ref + name_length(ref);
    if (args->quiet)
        printf("%s\n", ref);
    else
        printf("%s: digest: %s size: %lld\n", *tag ? tag + 1 : tag,
               dr_json_str(pushed, "digest"), (long long)dr_json_int(pushed, "size", 0));
    fflush(stdout);
    return 0;
}

/* Every tag of the repository that the target has; owned. */
static char **tags_of(struct cli *cli, const char *canonical, struct dr_error *err)
{
    struct dray_target *target = cli_target(cli, err);
    struct dray_error *failed = NULL;
    char *text = NULL, **tags = NULL;
    if (!target)
        return NULL;
    int rc = dray_image_list(target, NULL, &text, &failed);
    dr_auto_json json_t *images = cli_rc_json(rc, &text, &failed, err);
    size_t i, j, len = name_length(canonical);
    json_t *image, *ref;
    json_array_foreach (images, i, image)
        json_array_foreach (dr_json_array(image, "refs"), j, ref) {
            const char *one = json_string_value(ref);
            if (one && strncmp(one, canonical, len) == 0 && one[len] == ':' &&
                !strchr(one, '@'))
                dr_strv_add(&tags, one);
        }
    if (images && !tags)
        dr_fail(err, DR_ERR_NOT_FOUND, "no image of %.*s is on this target", (int)len,
                canonical);
    return tags;
}

static int push_all(struct cli *cli, const struct push_args *args, const char *canonical,
                    const struct dray_registry_options *registry, struct dr_error *err)
{
    const char *typed = strrchr(cli->words[0], '/');
    if (strpbrk(typed ? typed : cli->words[0], ":@"))
        return dr_fail(err, DR_ERR_INVALID,
                       "%s: with --all-tags the name has no tag and no digest",
                       cli->words[0]);
    dr_auto_strv char **tags = tags_of(cli, canonical, err);
    if (!tags)
        return -1;
    for (char **tag = tags; *tag; tag++)
        if (push_one(cli, args, *tag, registry, err) < 0)
            return -1;
    return 0;
}

int cmd_push(struct cli *cli, void *arg)
{
    const struct push_args *args = arg;
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    cli_auto_registry struct cli_registry registry = {0};
    if (cli_registry(&args->registry, &registry, &err) < 0)
        return cli_usage_error(cli, &err);
    dr_auto_free char *canonical = canonical_of(cli->words[0], &err);
    if (!canonical)
        return cli_error(cli, &err);
    if (!args->quiet)
        printf("The push refers to repository [%.*s]\n", (int)name_length(canonical),
               canonical);
    fflush(stdout);
    int rc = args->all_tags ? push_all(cli, args, canonical, &registry.options, &err)
                            : push_one(cli, args, cli->words[0], &registry.options, &err);
    return rc < 0 ? cli_error(cli, &err) : CLI_OK;
}
