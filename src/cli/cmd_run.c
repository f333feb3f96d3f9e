/* SPDX-License-Identifier: Apache-2.0 */
/*
 * run and create: one request, and only when the image turns out to be missing a pull and
 * the request again, all in one session.
 */
#include <errno.h>
#include <string.h>

#include "base/fs.h"
#include "cli/args.h"
#include "cli/cli.h"

struct running {
    struct cli *cli;
    const struct run_args *args;
    struct spec_container *spec;
    enum host_pull_policy policy;
    int cid_fd; /* --cidfile; -1: none */
    char *id;   /* of the container, once it is there */
};

static void on_created(void *arg, const char *id)
{
    struct running *r = arg;
    free(r->id);
    r->id = dr_strdup(id);
    if (r->cid_fd >= 0 && dr_write_full(r->cid_fd, id, strlen(id)) < 0)
        cli_warn("warning: --cidfile %s: %s", r->args->cidfile, strerror(errno));
}

/* Made before anything else, so that a file that is there costs no container. */
static int open_cidfile(struct running *r, struct dr_error *err)
{
    const char *path = r->args->cidfile;
    if (!path)
        return 0;
    r->cid_fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    if (r->cid_fd >= 0)
        return 0;
    if (errno == EEXIST)
        return dr_fail(
            err, DR_ERR_EXISTS,
            "--cidfile %s exists: another container may be using it; remove the "
            "file, or name another",
            path);
    return dr_fail_errno(err, DR_ERR_NONE, "--cidfile %s", path);
}

/* A file without an id in it would only be in the way of the next try. */
static void close_cidfile(struct running *r)
{
    if (r->cid_fd < 0)
        return;
    close(r->cid_fd);
    if (!r->id)
        unlink(r->args->cidfile);
}

static int pull(struct running *r, enum host_pull_policy policy, struct dr_error *err)
{
    dr_auto_json json_t *image = NULL;
    struct cli_pull request = {
        .reference = r->cli->words[0],
        .platform = r->args->platform,
        .policy = policy,
        .plain_http = !r->args->tls_verify,
        .quiet = r->args->quiet,
        .out = stderr,
    };
    return cli_pull(r->cli, &request, &image, err);
}

static json_t *request(const struct running *r, const char *op, bool attach)
{
    json_t *json = host_request(op);
    dr_json_set(json, "spec", spec_container_to_json(r->spec));
    if (strcmp(op, "container.run") == 0)
        dr_json_set_bool(json, "attach", attach);
    return json;
}

/* Creates, and starts and attaches when asked to. */
static int ask(struct running *r, bool run, json_t **ret_reply, struct dr_error *err)
{
    bool attach = run && !r->args->detach;
    if (!run) {
        if (cli_call(r->cli, request(r, "container.create", false), ret_reply, err) < 0)
            return -1;
        const char *id = dr_json_str(*ret_reply, "id");
        json_t *warnings = dr_json_array(*ret_reply, "warnings");
        for (size_t i = 0; i < json_array_size(warnings); i++)
            cli_warn("warning: %s", json_string_value(json_array_get(warnings, i)));
        on_created(r, id ? id : "");
        return 0;
    }
    struct cli_attach how = {
        .stdin_open = attach && r->args->interactive,
        .signals = attach && r->args->sig_proxy,
        .on_created = on_created,
        .arg = r,
    };
    return cli_attach(r->cli, request(r, "container.run", attach), &how, ret_reply, err);
}

static bool image_missing(const struct running *r, const struct dr_error *err)
{
    return err->kind == DR_ERR_NOT_FOUND && !r->id && strstr(err->text, "image");
}

static int ask_and_pull(struct running *r, bool run, json_t **ret_reply,
                        struct dr_error *err)
{
    char *image = cli_image_ref(r->cli, r->cli->words[0], err);
    if (!image)
        return -1;
    free(r->spec->image);
    r->spec->image = image;
    /* A platform that was asked for must be looked at before an image is used. */
    bool first = r->policy == HOST_PULL_ALWAYS || r->policy == HOST_PULL_NEWER ||
                 (r->args->platform && r->policy != HOST_PULL_NEVER);
    if (first && pull(r, r->policy, err) < 0)
        return -1;
    if (ask(r, run, ret_reply, err) == 0)
        return 0;
    if (first || !image_missing(r, err))
        return -1;
    if (r->policy == HOST_PULL_NEVER)
        return dr_fail(
            err, DR_ERR_NOT_FOUND,
            "image %s is not on the target, and --pull never was given; pull it "
            "with `dray pull`, or leave --pull away",
            r->cli->words[0]);
    dr_error_release(err);
    if (!r->args->quiet)
        fprintf(stderr, "Unable to find image '%s' locally\n", r->cli->words[0]);
    if (pull(r, HOST_PULL_MISSING, err) < 0)
        return -1;
    return ask(r, run, ret_reply, err);
}

/* Some runtimes say "permission denied" and not of what. */
static void name_command(const struct running *r, struct dr_error *err)
{
    const char *entrypoint = r->args->entrypoint, *word = r->cli->words[1];
    const char *command = entrypoint && *entrypoint ? entrypoint : word;
    bool about = err->code == CLI_NOT_FOUND || err->code == CLI_NOT_EXECUTABLE;
    if (err->kind == DR_ERR_START && about && command && !strstr(err->text, command))
        dr_wrap(err, "%s", command);
}

static int failed(const struct running *r, struct dr_error *err)
{
    if (err->kind == DR_ERR_CANCELLED && err->code == EPIPE)
        return CLI_PIPE; /* nobody is there to read a complaint */
    name_command(r, err);
    int code = cli_error(r->cli, err);
    return err->kind == DR_ERR_CANCELLED && err->code ? CLI_DRAY_FAILED : code;
}

static int run_or_create(struct cli *cli, const struct run_args *args, bool run)
{
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    dr_auto_json json_t *reply = NULL;
    struct running r = {.cli = cli, .args = args, .cid_fd = -1};
    spec_auto_container struct spec_container *spec = NULL;
    int code = CLI_OK;
    if (cli_pull_policy(args->pull, &r.policy, &err) < 0)
        return cli_usage_error(cli, &err);
    r.spec = spec = cli_spec(args, cli->words, &err);
    if (!spec)
        return cli_usage_error(cli, &err);
    if (open_cidfile(&r, &err) < 0)
        return cli_error(cli, &err);
    if (ask_and_pull(&r, run, &reply, &err) < 0)
        code = failed(&r, &err);
    else if (run && !args->detach)
        code = cli_reply_code(reply, r.id ? r.id : "the container");
    else
        cli_line(r.id ? r.id : "");
    close_cidfile(&r);
    free(r.id);
    return code;
}

int cmd_run(struct cli *cli, void *args)
{
    return run_or_create(cli, args, true);
}

int cmd_create(struct cli *cli, void *args)
{
    return run_or_create(cli, args, false);
}
