/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "base/text.h"
#include "cli/args.h"
#include "cli/cli.h"

#define OUTPUT_MAX_BYTES (256u << 20)

typedef int (*inspect_one)(struct dray_target *, const char *, const struct dray_call *,
                           char **, struct dray_error **);

/* What there is to inspect, in the order in which a name is looked for. */
static const struct {
    const char *type;
    inspect_one inspect;
} types[] = {{"container", dray_container_inspect},
             {"image", dray_image_inspect},
             {"volume", dray_volume_inspect},
             {"network", dray_network_inspect}};

/* A container of that name, else an image, else a volume. NULL type: any. */
static json_t *get_object(struct cli *cli, const char *type, bool sized, const char *name,
                          struct dr_error *err)
{
    struct dray_target *target = cli_target(cli, err);
    for (size_t i = 0; target && i < DR_COUNT(types); i++) {
        struct dray_error *failed = NULL;
        char *text = NULL;
        if (type && strcmp(type, types[i].type) != 0)
            continue;
        dr_error_release(err);
        inspect_one inspect = types[i].inspect;
        if (sized && inspect == dray_container_inspect)
            inspect = dray_container_inspect_sized;
        int rc = inspect(target, name, NULL, &text, &failed);
        json_t *object = cli_rc_json(rc, &text, &failed, err);
        if (object)
            return object;
        /* a word that can be no image's name may have been meant as a container's */
        bool no_name =
            err->kind == DR_ERR_INVALID && types[i].inspect == dray_image_inspect;
        if (type || (err->kind != DR_ERR_NOT_FOUND && !no_name))
            return NULL;
    }
    if (target)
        dr_fail(
            err, DR_ERR_NOT_FOUND,
            "no such object: %s; `dray ps -a`, `dray images`, `dray volume ls` and `dray "
            "network ls` list what there is",
            name);
    return NULL;
}

/* Where it is, and no target is asked. */
static json_t *get_remote(struct cli *cli, const struct inspect_args *args,
                          const struct dray_registry_options *registry, const char *name,
                          struct dr_error *err)
{
    const struct dray_transfer_options options = {.size = sizeof options,
                                                  .from = registry,
                                                  .cache_dir = cli->global.cache_dir,
                                                  .platform = args->platform};
    struct dray_error *failed = NULL;
    char *text = NULL;
    int rc = dray_image_inspect_remote(name, &options, NULL, &text, &failed);
    return cli_rc_json(rc, &text, &failed, err);
}

static int print_all(const char *format, const json_t *objects, struct dr_error *err)
{
    if (!format || strcmp(format, "json") == 0) {
        char *text = json_dumps(objects, format ? JSON_COMPACT | JSON_ENSURE_ASCII
                                                : JSON_INDENT(4) | JSON_ENSURE_ASCII);
        /* jansson escapes every control but DEL, which ends no line and starts no escape
         */
        puts(text);
        free(text);
        return 0;
    }
    dr_auto_buf struct dr_buf buf = DR_BUF_INIT(OUTPUT_MAX_BYTES);
    for (size_t i = 0; i < json_array_size(objects); i++)
        if (cli_format(format, json_array_get(objects, i), &buf, err) < 0 ||
            dr_buf_add(&buf, "\n", 1, err) < 0)
            return -1;
    fwrite(buf.data ? buf.data : "", 1, buf.len, stdout);
    return 0;
}

static int check_type(const char *type, struct dr_error *err)
{
    for (size_t i = 0; i < DR_COUNT(types); i++)
        if (!type || strcmp(type, types[i].type) == 0)
            return 0;
    return dr_fail(err, DR_ERR_INVALID,
                   "invalid argument \"%s\" for \"--type\" flag: it must be container, "
                   "image, volume or network",
                   type);
}

/* --remote is about images; what else there is of flags is about --remote. */
static int check_remote(const struct inspect_args *args, const char *type,
                        struct dr_error *err)
{
    const struct registry_args *r = &args->registry;
    if (args->remote)
        return !type || strcmp(type, "image") == 0
                   ? 0
                   : dr_fail(err, DR_ERR_INVALID, "--remote is about images");
    if (args->platform)
        return dr_fail(err, DR_ERR_INVALID,
                       "--platform goes with --remote: a target has one platform of an "
                       "image");
    if (r->authfile || r->cert_dir || r->creds || r->password_stdin ||
        r->signature_policy || r->tls_ca || !r->tls_verify)
        return dr_fail(err, DR_ERR_INVALID,
                       "the flags about registries go with --remote: else none is asked");
    return 0;
}

int cmd_inspect(struct cli *cli, void *arg)
{
    const struct inspect_args *args = arg;
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    dr_auto_json json_t *objects = json_array();
    const char *type = args->type ? args->type : cli->scope;
    int code = CLI_OK;
    if (check_type(type, &err) < 0 || cli_format_check(args->format, &err) < 0)
        return cli_usage_error(cli, &err);
    cli_auto_registry struct cli_registry registry = {0};
    if (check_remote(args, type, &err) < 0 ||
        (args->remote && cli_registry(&args->registry, &registry, &err) < 0))
        return cli_usage_error(cli, &err);
    dr_auto_free struct dr_error *failures =
        dr_alloc((cli->word_count + 1) * sizeof(*failures));
    size_t failed = 0;
    for (size_t i = 0; i < cli->word_count; i++) {
        json_t *object = args->remote ? get_remote(cli, args, &registry.options,
                                                   cli->words[i], &failures[failed])
                                      : get_object(cli, type, args->size, cli->words[i],
                                                   &failures[failed]);
        if (object)
            json_array_append_new(objects, object);
        else if (failures[failed++].kind == DR_ERR_UNAVAILABLE)
            break; /* it will not get better */
    }
    /* what was found first, as Docker does, so that its reader gets whole JSON */
    if (print_all(args->format, objects, &err) < 0)
        code = cli_error(cli, &err);
    for (size_t i = 0; i < failed; i++) {
        int one = cli_error(cli, &failures[i]);
        code = code ? code : one;
        dr_error_release(&failures[i]);
    }
    return code;
}
