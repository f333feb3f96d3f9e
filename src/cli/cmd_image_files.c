/* SPDX-License-Identifier: Apache-2.0 */
/* save, load, import and copy: images to files and back, and from place to place. */
#include <string.h>

#include "base/text.h"
#include "cli/args.h"
#include "cli/cli.h"

static const struct {
    const char *word;
    enum dray_archive_format format;
} formats[] = {{"docker-archive", DRAY_DOCKER_ARCHIVE},
               {"oci-archive", DRAY_OCI_ARCHIVE},
               {"oci-dir", DRAY_OCI_DIR},
               {"docker-dir", DRAY_DOCKER_DIR}};

static int no_terminal(int fd, const char *flag, struct dr_error *err)
{
    return isatty(fd)
               ? dr_fail(err, DR_ERR_INVALID,
                         "an archive is not for a terminal; use %s, or redirect it", flag)
               : 0;
}

static int save_options(const struct save_args *args, struct dray_save_options *ret,
                        struct dr_error *err)
{
    const char *word = args->format ? args->format : formats[0].word;
    size_t i = 0;
    while (i < DR_COUNT(formats) && strcmp(formats[i].word, word) != 0)
        i++;
    if (i == DR_COUNT(formats))
        return dr_fail(err, DR_ERR_INVALID,
                       "invalid argument \"%s\" for \"--format\" flag: it must be "
                       "docker-archive, oci-archive, oci-dir or docker-dir",
                       word);
    *ret = (struct dray_save_options){.size = sizeof *ret,
                                      .format = formats[i].format,
                                      .path = args->output,
                                      .fd = STDOUT_FILENO};
    return args->output ? 0 : no_terminal(STDOUT_FILENO, "-o FILE", err);
}

int cmd_save(struct cli *cli, void *arg)
{
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    struct dray_save_options options;
    struct dray_error *failed = NULL;
    if (save_options(arg, &options, &err) < 0)
        return cli_usage_error(cli, &err);
    struct dray_target *target = cli_target(cli, &err);
    if (!target)
        return cli_error(cli, &err);
    const struct dray_call call = {.cancel = cli_signals_cancel()};
    int rc = dray_image_save(target, (const char *const *)cli->words, &options, &call,
                             &failed);
    cli_signals_default();
    return cli_rc(rc, &failed, &err) < 0 ? cli_error(cli, &err) : CLI_OK;
}

static void print_loaded(const json_t *images)
{
    for (size_t i = 0; i < json_array_size(images); i++) {
        const json_t *image = json_array_get(images, i);
        const json_t *names = dr_json_array(image, "names");
        for (size_t j = 0; j < json_array_size(names); j++) {
            dr_auto_free char *line = dr_printf(
                "Loaded image: %s", json_string_value(json_array_get(names, j)));
            cli_line(line);
        }
        if (json_array_size(names) == 0) {
            dr_auto_free char *line =
                dr_printf("Loaded image ID: %s", dr_json_str(image, "id"));
            cli_line(line);
        }
    }
}

int cmd_load(struct cli *cli, void *arg)
{
    const struct load_args *args = arg;
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    struct dray_error *failed = NULL;
    char *text = NULL;
    if (!args->input && no_terminal(STDIN_FILENO, "-i FILE", &err) < 0)
        return cli_usage_error(cli, &err);
    struct dray_target *target = cli_target(cli, &err);
    if (!target)
        return cli_error(cli, &err);
    struct cli_progress *progress = args->quiet ? NULL : cli_progress_new(stderr);
    const struct dray_load_options options = {.size = sizeof options,
                                              .path = args->input,
                                              .fd = STDIN_FILENO,
                                              .platform = args->platform,
                                              .progress =
                                                  progress ? cli_progress_step : NULL,
                                              .progress_arg = progress,
                                              .signature_policy = args->signature_policy};
    const struct dray_call call = {.cancel = cli_signals_cancel()};
    int rc = dray_image_load(target, &options, &call, &text, &failed);
    cli_signals_default();
    cli_progress_end(progress);
    dr_auto_json json_t *images = cli_rc_json(rc, &text, &failed, &err);
    if (!images)
        return cli_error(cli, &err);
    print_loaded(images);
    return CLI_OK;
}

int cmd_import(struct cli *cli, void *arg)
{
    const struct import_args *args = arg;
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    struct dray_error *failed = NULL;
    const char *from = cli->words[0];
    bool piped = strcmp(from, "-") == 0;
    char *id = NULL;
    bool url = strncmp(from, "http://", 7) == 0 || strncmp(from, "https://", 8) == 0;
    cli_auto_registry struct cli_registry registry = {0};
    if (piped && no_terminal(STDIN_FILENO, "a FILE", &err) < 0)
        return cli_usage_error(cli, &err);
    struct dray_target *target = cli_target(cli, &err);
    if (!target)
        return cli_error(cli, &err);
    if (cli_registry(&args->registry, &registry, &err) < 0)
        return cli_usage_error(cli, &err);
    /* what stands behind '?' may be as good as a password */
    dr_auto_free char *message =
        args->message ? dr_strdup(args->message)
                      : dr_printf("Imported from %.*s",
                                  (int)(url ? strcspn(from, "?#") : strlen(from)), from);
    struct cli_progress *progress = url ? cli_progress_new(stderr) : NULL;
    const struct dray_import_options options = {
        .size = sizeof options,
        .path = piped || url ? NULL : from,
        .url = url ? from : NULL,
        .registry = &registry.options,
        .progress = progress ? cli_progress_step : NULL,
        .progress_arg = progress,
        .fd = STDIN_FILENO,
        .name = cli->words[1],
        .message = message,
        .platform = args->platform,
        .changes = (const char *const *)args->changes};
    const struct dray_call call = {.cancel = cli_signals_cancel()};
    int rc = dray_image_import(target, &options, &call, &id, &failed);
    cli_signals_default();
    cli_progress_end(progress);
    if (cli_rc(rc, &failed, &err) < 0)
        return cli_error(cli, &err);
    cli_line(id);
    dray_free(id);
    return CLI_OK;
}

/* What is said of one side wins over what is said of both. */
static int side(const struct registry_args *own, const struct cli_registry *both,
                struct cli_registry *ret, struct dr_error *err)
{
    struct cli_registry one = {0};
    if (cli_registry(own, &one, err) < 0)
        return -1;
    struct dray_registry_options *o = &one.options;
    const struct dray_registry_options *b = &both->options;
    if (!o->user) {
        o->user = o->auth_file ? NULL : b->user; /* a file says who one is */
        o->password = o->auth_file ? NULL : b->password;
    }
    o->auth_file = o->auth_file ? o->auth_file : b->auth_file;
    o->cert_dir = o->cert_dir ? o->cert_dir : b->cert_dir;
    o->ca_file = o->ca_file ? o->ca_file : b->ca_file;
    o->insecure = o->insecure || b->insecure;
    o->signature_policy = b->signature_policy;
    *ret = one;
    return 0;
}

int cmd_copy(struct cli *cli, void *arg)
{
    const struct copy_args *args = arg;
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    cli_auto_registry struct cli_registry both = {0};
    cli_auto_registry struct cli_registry from = {0};
    cli_auto_registry struct cli_registry to = {0};
    struct dray_error *failed = NULL;
    char *text = NULL;
    if (cli_registry(&args->registry, &both, &err) < 0 ||
        side(&args->from, &both, &from, &err) < 0 ||
        side(&args->to, &both, &to, &err) < 0)
        return cli_usage_error(cli, &err);
    struct cli_progress *progress = args->quiet ? NULL : cli_progress_new(stderr);
    const struct dray_transfer_options options = {.size = sizeof options,
                                                  .from = &from.options,
                                                  .to = &to.options,
                                                  .cache_dir = cli->global.cache_dir,
                                                  .platform = args->platform,
                                                  .all = args->all,
                                                  .progress =
                                                      progress ? cli_progress_step : NULL,
                                                  .progress_arg = progress};
    const struct dray_call call = {.cancel = cli_signals_cancel()};
    int rc =
        dray_image_copy(cli->words[0], cli->words[1], &options, &call, &text, &failed);
    cli_signals_default();
    cli_progress_end(progress);
    dr_auto_json json_t *image = cli_rc_json(rc, &text, &failed, &err);
    if (!image)
        return cli_error(cli, &err);
    if (!args->quiet)
        cli_line(dr_json_str(image, "digest"));
    return CLI_OK;
}
