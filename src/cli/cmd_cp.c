/* SPDX-License-Identifier: Apache-2.0 */
/* cp: which side is the container's, and archives on stdin and stdout. What is copied
 * where, and safely, is the library's (dray_copy_from, dray_copy_to). */
#include <errno.h>
#include <string.h>

#include "base/text.h"
#include "cli/args.h"
#include "cli/cli.h"

#define CHUNK_BYTES (128u << 10)

struct side {
    char *container; /* owned; NULL: a path of this machine, or "-" */
    const char *path;
};

char *cli_cp_container(const char *word)
{
    const char *colon = strchr(word, ':');
    if (!colon || colon == word || cli_path_is_here(word, CLI_WINDOWS))
        return NULL;
    return dr_strndup(word, (size_t)(colon - word));
}

static struct side side_of(const char *word)
{
    char *container = cli_cp_container(word);
    return (struct side){container, container ? strchr(word, ':') + 1 : word};
}

static bool is_archive(const struct side *side)
{
    return !side->container && strcmp(side->path, "-") == 0;
}

static int to_stdout(struct cli *cli, const struct cp_args *args, const struct side *from,
                     struct dr_error *err)
{
    struct dray_pump pump = DRAY_PUMP_INIT;
    struct dray_stream *stream = NULL;
    struct dray_error *failed = NULL;
    struct dray_event end;
    if (cli_rc(dray_container_copy_out(cli->target, from->container, from->path,
                                       args->follow_link, NULL, &stream, &failed),
               &failed, err) < 0)
        return -1;
    pump.stdout_fd = STDOUT_FILENO;
    int rc = cli_rc(dray_stream_pump(stream, &pump, NULL, &end, &failed), &failed, err);
    dray_stream_free(stream);
    return rc < 0 ? -1 : 0;
}

/* What it says over there is the reason when writing fails: that only says that nobody
 * takes the archive any more. */
static int finish_copy_in(struct dray_stream *stream, struct dr_error *err)
{
    struct dray_error *failed = NULL;
    struct dray_event event;
    int rc;
    do
        rc = dray_stream_next(stream, NULL, &event, &failed);
    while (rc == 1);
    return cli_rc(rc, &failed, err);
}

static int from_stdin(struct cli *cli, const struct cp_args *args, const struct side *to,
                      struct dr_error *err)
{
    struct dray_stream *stream = NULL;
    struct dray_error *failed = NULL;
    dr_auto_free char *chunk = dr_alloc(CHUNK_BYTES);
    ssize_t n;
    if (cli_rc(dray_container_copy_in(cli->target, to->container, to->path, args->archive,
                                      NULL, &stream, &failed),
               &failed, err) < 0)
        return -1;
    int rc = 0;
    while (rc == 0 && (n = read(STDIN_FILENO, chunk, CHUNK_BYTES)) != 0) {
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0) {
            rc =
                dr_fail_errno(err, DR_ERR_INTERNAL, "cannot read the archive from stdin");
            dray_stream_free(stream); /* given up: no end comes that looks like its own */
            return rc;
        }
        rc = dray_stream_write(stream, chunk, (size_t)n, NULL, &failed);
    }
    if (rc == 0)
        rc = dray_stream_close_stdin(stream, &failed);
    dray_error_free(failed);
    rc = finish_copy_in(stream, err);
    dray_stream_free(stream);
    return rc;
}

static int copy(struct cli *cli, const struct cp_args *args, const struct side *from,
                const struct side *to, struct dr_error *err)
{
    struct dray_copy_options options = {
        .size = sizeof(options), .follow = args->follow_link, .owners = args->archive};
    struct dray_error *failed = NULL;
    int64_t skipped = 0;
    if (!cli_target(cli, err))
        return -1;
    if (is_archive(to))
        return to_stdout(cli, args, from, err);
    if (is_archive(from))
        return from_stdin(cli, args, to, err);
    if (to->container)
        return cli_rc(dray_copy_to(cli->target, from->path, to->container, to->path,
                                   &options, NULL, &failed),
                      &failed, err);
    if (cli_rc(dray_copy_from(cli->target, from->container, from->path, to->path,
                              &options, NULL, &skipped, &failed),
               &failed, err) < 0)
        return -1;
    if (skipped && !args->quiet)
        cli_warn("warning: %lld device(s) were not copied", (long long)skipped);
    return 0;
}

/* "c:/x" may well have meant the container c. */
static bool is_drive(const struct side *side)
{
    return CLI_WINDOWS && *side->path && side->path[1] == ':';
}

static int check(const struct side *from, const struct side *to, struct dr_error *err)
{
    if (from->container && to->container)
        return dr_fail(
            err, DR_ERR_UNSUPPORTED,
            "copying between containers is not supported; copy to this machine "
            "first, or use a pipe: dray cp %s:%s - | dray cp - %s:DIR",
            from->container, from->path, to->container);
    if (!from->container && !to->container)
        return dr_fail(err, DR_ERR_INVALID,
                       "one of the two must be in a container, as CONTAINER:PATH%s",
                       is_drive(from) || is_drive(to)
                           ? "; one letter is a drive, so a container of such a name "
                             "is given by its ID"
                           : "");
    const struct side *in = from->container ? from : to;
    if (!*in->path)
        return dr_fail(err, DR_ERR_INVALID, "%s: the path in the container is missing",
                       in->container);
    if (is_archive(to) && isatty(STDOUT_FILENO))
        return dr_fail(err, DR_ERR_INVALID,
                       "an archive is not for a terminal; redirect stdout");
    if (is_archive(from) && isatty(STDIN_FILENO))
        return dr_fail(err, DR_ERR_INVALID,
                       "an archive does not come from a terminal; redirect stdin");
    return 0;
}

int cmd_cp(struct cli *cli, void *arg)
{
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    struct side from = side_of(cli->words[0]), to = side_of(cli->words[1]);
    int code = CLI_OK;
    if (check(&from, &to, &err) < 0)
        code = cli_usage_error(cli, &err);
    else if (copy(cli, arg, &from, &to, &err) < 0)
        code = err.kind == DR_ERR_CANCELLED && err.code == EPIPE ? (int)CLI_PIPE
                                                                 : cli_error(cli, &err);
    free(from.container);
    free(to.container);
    return code;
}
