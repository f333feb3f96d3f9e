/* SPDX-License-Identifier: Apache-2.0 */
/*
 * run and create: one request, and only when the image turns out to be missing a pull and
 * the request again, all in one session.
 */
#include <errno.h>
#include <string.h>
#include <strings.h>

#include "base/fs.h"
#include "cli/args.h"
#include "cli/cli.h"

struct running {
    struct cli *cli;
    const struct run_args *args;
    struct dray_spec *spec;
    enum dray_pull_policy policy;
    struct cli_attach attach;
    bool attached; /* run without -d: we stay with it */
    int cid_fd;    /* --cidfile; -1: none */
    char *id;      /* of the container, once it is there */
    struct cli_registry registry;
    char *loaded; /* what the image of an archive is called now; NULL: it was none */
};

static void on_created(void *arg, const char *id)
{
    struct running *r = arg;
    free(r->id);
    r->id = dr_strdup(id);
    if (r->cid_fd >= 0 && dr_write_full(r->cid_fd, id, strlen(id)) < 0)
        cli_warn("warning: --cidfile %s: %s", r->args->cidfile, strerror(errno));
    /* nobody sees its output then: its name is what there is to see, as Docker has it */
    if (r->attached && r->attach.no_stdout && r->attach.no_stderr) {
        cli_line(id);
        fflush(stdout);
    }
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

/* run oci:./layout: the image comes onto the target first, under its own name or none. */
static int load_place(struct running *r, struct dr_error *err)
{
    struct dray_error *failed = NULL;
    dr_auto_json json_t *image = NULL;
    bool local = false;
    if (cli_rc(dray_place_check(r->cli->words[0], &local, &failed), &failed, err) < 0)
        return -1;
    if (!local)
        return 0;
    if (cli_lock_file(&r->args->lock))
        return dr_fail(
            err, DR_ERR_INVALID,
            "--lock pins what tags of registries mean, and %s is on this machine",
            r->cli->words[0]);
    struct dray_target *target = cli_target(r->cli, err);
    const struct dray_pull_options options = {.size = sizeof options,
                                              .platform = r->args->platform,
                                              .registry = &r->registry.options};
    const struct dray_call call = {.cancel = cli_signals_cancel()};
    char *text = NULL;
    if (!target)
        return -1;
    int rc = dray_image_pull(target, r->cli->words[0], &options, &call, &text, &failed);
    cli_signals_default();
    if (!(image = cli_rc_json(rc, &text, &failed, err)))
        return -1;
    r->loaded = dr_strdup(dr_json_str(image, "ref"));
    r->cli->words[0] = r->loaded;
    r->policy = DRAY_PULL_NEVER;
    return 0;
}

static int pull(struct running *r, enum dray_pull_policy policy, bool quiet,
                struct dr_error *err)
{
    dr_auto_json json_t *image = NULL;
    struct cli_pull request = {
        .reference = r->cli->words[0],
        .platform = r->args->platform,
        .policy = policy,
        .registry = &r->registry.options,
        .lock_file = cli_lock_file(&r->args->lock),
        .quiet = quiet,
        .out = stderr,
    };
    if (cli_pull(r->cli, &request, &image, err) < 0)
        return -1;
    /* what was looked at is what is used: the name may mean another one by then */
    const char *id = dr_json_str(image, "id");
    return request.lock_file && id ? cli_spec_set(r->spec, "image_id", id, err) : 0;
}

static int ask_detached(struct running *r, bool run, struct dr_error *err)
{
    struct dray_target *target = cli_target(r->cli, err);
    struct dray_error *failed = NULL;
    char id[DRAY_ID_SIZE], *warnings = NULL;
    if (!target)
        return -1;
    int rc =
        run ? dray_container_run_detached(target, r->spec, NULL, id, &warnings, &failed)
            : dray_container_create(target, r->spec, NULL, id, &warnings, &failed);
    if (cli_rc(rc, &failed, err) < 0)
        return -1;
    cli_warn_all(warnings);
    dray_free(warnings);
    on_created(r, id);
    return 0;
}

/* 0 and 1 as cli_attach_run's. */
static int ask_attached(struct running *r, struct dray_event *ret_end,
                        struct dr_error *err)
{
    struct dray_target *target = cli_target(r->cli, err);
    struct dray_attach_options options = {
        .size = sizeof(options),
        .stdin_open = r->attach.stdin_open,
        .no_output = r->attach.no_stdout && r->attach.no_stderr,
    };
    struct dray_stream *stream = NULL;
    struct dray_error *failed = NULL;
    if (!target || cli_attach_begin(&r->attach, &options.rows, &options.columns, err) < 0)
        return -1;
    if (cli_rc(dray_container_run(target, r->spec, &options, &r->attach.call, &stream,
                                  &failed),
               &failed, err) < 0) {
        cli_attach_run(&r->attach, NULL, ret_end, err);
        return -1;
    }
    return cli_attach_run(&r->attach, stream, ret_end, err);
}

static int ask(struct running *r, bool run, struct dray_event *ret_end,
               struct dr_error *err)
{
    return r->attached ? ask_attached(r, ret_end, err) : ask_detached(r, run, err);
}

static bool image_missing(const struct running *r, const struct dr_error *err)
{
    return err->kind == DR_ERR_NOT_FOUND && !r->id && strstr(err->text, "image");
}

/* Sees to it that the image is what the lock file pins: without a word and without the
 * registry when it is there. */
static int pull_pinned(struct running *r, struct dr_error *err)
{
    dr_auto_error struct dr_error not_there = DR_ERROR_INIT;
    if (r->policy == DRAY_PULL_ALWAYS || r->policy == DRAY_PULL_NEWER)
        return pull(r, r->policy, r->args->quiet, err);
    if (pull(r, DRAY_PULL_NEVER, true, &not_there) == 0)
        return 0;
    if (r->policy == DRAY_PULL_NEVER || not_there.kind != DR_ERR_NOT_FOUND)
        return dr_error_move(err, &not_there);
    return pull(r, DRAY_PULL_MISSING, r->args->quiet, err);
}

static int ask_and_pull(struct running *r, bool run, struct dray_event *ret_end,
                        struct dr_error *err)
{
    /* A platform that was asked for must be looked at before an image is used. */
    bool first = r->policy == DRAY_PULL_ALWAYS || r->policy == DRAY_PULL_NEWER ||
                 (r->args->platform && r->policy != DRAY_PULL_NEVER);
    if (cli_lock_file(&r->args->lock)) {
        if (pull_pinned(r, err) < 0)
            return -1;
        first = true;
    } else if (first && pull(r, r->policy, r->args->quiet, err) < 0) {
        return -1;
    }
    int rc = ask(r, run, ret_end, err);
    if (rc >= 0 || first || !image_missing(r, err))
        return rc;
    if (r->policy == DRAY_PULL_NEVER)
        return dr_fail(
            err, DR_ERR_NOT_FOUND,
            "image %s is not on the target, and --pull never was given; pull it "
            "with `dray pull`, or leave --pull away",
            r->cli->words[0]);
    dr_error_release(err);
    if (!r->args->quiet) {
        fprintf(stderr, "Unable to find image '%s' locally\n", r->cli->words[0]);
        fflush(stderr);
    }
    if (pull(r, DRAY_PULL_MISSING, r->args->quiet, err) < 0)
        return -1;
    return ask(r, run, ret_end, err);
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

/* -a: which of our streams; without it all that the container has. Docker's stdin goes
 * nowhere when -a is given and does not name it. */
static int choose_streams(struct running *r, bool run, struct dr_error *err)
{
    static const char *const names[] = {"stdin", "stdout", "stderr"};
    const struct run_args *args = r->args;
    bool chosen[DR_COUNT(names)] = {false};
    size_t count = dr_strv_len(args->attach);
    for (size_t i = 0; i < count; i++) {
        size_t j = 0;
        while (j < DR_COUNT(names) && strcasecmp(names[j], args->attach[i]) != 0)
            j++;
        if (j == DR_COUNT(names))
            return dr_fail(err, DR_ERR_INVALID,
                           "invalid argument \"%s\" for \"-a, --attach\" flag: it must "
                           "be stdin, stdout or stderr",
                           args->attach[i]);
        chosen[j] = true;
    }
    if (count && args->detach)
        return dr_fail(err, DR_ERR_INVALID,
                       "-a and -d cannot be together: one attaches, one does not");
    r->attached = run && !args->detach;
    if (!r->attached)
        return 0;
    r->attach = (struct cli_attach){
        .stdin_open = args->interactive && (!count || chosen[0]),
        .tty = args->tty,
        .signals = args->sig_proxy,
        .no_stdout = count && !chosen[1],
        .no_stderr = count && !chosen[2],
        .detach_keys = args->detach_keys,
        .on_created = on_created,
        .arg = r,
    };
    return cli_attach_check(&r->attach, err);
}

static int finish(struct running *r, int rc, const struct dray_event *end,
                  struct dr_error *err)
{
    if (rc < 0)
        name_command(r, err);
    if (r->attached || rc < 0)
        return cli_attach_code(r->cli, rc, end, r->id ? r->id : "the container", err);
    cli_line(r->id);
    return CLI_OK;
}

static int run_or_create(struct cli *cli, const struct run_args *args, bool run)
{
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    struct dray_event end = {0};
    struct running r = {.cli = cli, .args = args, .cid_fd = -1};
    if (cli_pull_policy(args->pull, &r.policy, &err) < 0 ||
        choose_streams(&r, run, &err) < 0)
        return cli_usage_error(cli, &err);
    if (args->registry.password_stdin && args->interactive) {
        dr_fail(&err, DR_ERR_INVALID,
                "--password-stdin takes all of standard input, nothing would be left for "
                "-i; use `dray login`, or pull first");
        return cli_usage_error(cli, &err);
    }
    if (cli_registry(&args->registry, &r.registry, &err) < 0)
        return cli_usage_error(cli, &err);
    int code;
    if (load_place(&r, &err) < 0)
        code = cli_error(cli, &err);
    else if (!(r.spec = cli_spec(args, cli->words, &err)))
        code = cli_usage_error(cli, &err);
    else if (open_cidfile(&r, &err) < 0)
        code = cli_error(cli, &err);
    else
        code = finish(&r, ask_and_pull(&r, run, &end, &err), &end, &err);
    close_cidfile(&r);
    cli_registry_release(&r.registry);
    dray_spec_free(r.spec);
    free(r.loaded);
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
