/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How errors are told: the thing, the reason, the way out, on one line (HAZARDS H3).
 */
#include <errno.h>
#include <string.h>

#include "base/text.h"
#include "cli/cli.h"

#define LINE_MAX_CHARS 2000
#define OUTPUT_MAX_LINES 50
#define AS_ROOT "run it as root, for example with sudo"

/* The way out, for errors that do not say it themselves. The first row that fits wins:
 * kind NONE fits each, code 0 each, text NULL each; text must be part of the error's. */
static const struct {
    enum dr_kind kind;
    int code;
    const char *text, *hint;
} hints[] = {
    {DR_ERR_NONE, ENOSPC, NULL,
     "free some space: `dray rmi` and `dray rm` work on a full disk"},
    {DR_ERR_NONE, EROFS, NULL, "make it writable, or give another directory"},
    {DR_ERR_NONE, EACCES, NULL, AS_ROOT},
    {DR_ERR_NONE, EPERM, NULL, AS_ROOT},
    {DR_ERR_CONFLICT, 0, "it is paused", "`dray unpause` lets it go on"},
    {DR_ERR_CONFLICT, 0, "(it is scheduled)",
     "it runs at the next time of its schedule, see `dray ps`"},
    {DR_ERR_CONFLICT, 0, "is not running", "`dray start` starts it"},
    {DR_ERR_NOT_FOUND, 0, "no such volume", "`dray volume ls` lists the volumes"},
    {DR_ERR_NOT_FOUND, 0, "container", "`dray ps -a` lists the containers"},
    {DR_ERR_NOT_FOUND, 0, "image",
     "`dray images` lists the images, `dray pull` brings one"},
    {DR_ERR_START, CLI_NOT_FOUND, NULL,
     "look at the command's spelling and the image's PATH"},
    {DR_ERR_START, CLI_NOT_EXECUTABLE, NULL,
     "the file must be executable, and made for this architecture"},
    {DR_ERR_PULL, 401, "refuses the user name",
     "check both: some registries want a token in place of the password"},
    {DR_ERR_PULL, 0, "denies the push", "the account needs the right to write there"},
    {DR_ERR_PULL, 401, "dray login", "look at the name first"},
    {DR_ERR_PULL, 401, NULL, "look at the name, or log in again with `dray login`"},
    {DR_ERR_PULL, 403, NULL, "look at the name, or log in again with `dray login`"},
    {DR_ERR_PULL, 429, NULL, "wait a while, or use an account"},
    {DR_ERR_TIMEOUT, 0, NULL, "try again; a target that hangs shows with `dray info`"},
    {DR_ERR_INTERNAL, 0, NULL, "`dray --debug` tells more"},
};

const char *cli_hint(const struct dr_error *err)
{
    /* An error that names the way out already does so behind a semicolon. */
    if (strchr(err->text, ';') || err->kind == DR_ERR_CANCELLED)
        return NULL;
    for (size_t i = 0; i < DR_COUNT(hints); i++) {
        if (hints[i].kind != DR_ERR_NONE && hints[i].kind != err->kind)
            continue;
        if (hints[i].code && hints[i].code != err->code)
            continue;
        /* codes of the registry and of runtimes are not errno */
        bool ours = err->origin != DR_AT_REGISTRY && err->origin != DR_AT_RUNTIME;
        if (hints[i].code && hints[i].kind == DR_ERR_NONE && !ours)
            continue;
        if (hints[i].text && !strstr(err->text, hints[i].text))
            continue;
        /* root cannot be told to become root, and some errors say it already */
        if (strcmp(hints[i].hint, AS_ROOT) == 0 &&
            (geteuid() == 0 || strstr(err->text, "root")))
            continue;
        return hints[i].hint;
    }
    return NULL;
}

/* The command is not in the image, or cannot be executed. */
static bool is_command_error(const struct dr_error *err)
{
    return err->kind == DR_ERR_START &&
           (err->code == CLI_NOT_FOUND || err->code == CLI_NOT_EXECUTABLE);
}

static bool is_explained(const struct dr_error *err)
{
    return err->kind == DR_ERR_INVALID || err->kind == DR_ERR_CONFLICT ||
           err->kind == DR_ERR_UNSUPPORTED;
}

int cli_exit_code(const struct cli *cli, const struct dr_error *err)
{
    if (err->kind == DR_ERR_CANCELLED)
        return CLI_INTERRUPTED;
    if (cli->verb && (cli->verb->flags & CLI_VERB_RUNS))
        return is_command_error(err) ? err->code : CLI_DRAY_FAILED;
    if (err->kind == DR_ERR_UNAVAILABLE)
        return CLI_UNAVAILABLE;
    return err->kind == DR_ERR_CONFIG ? CLI_CONFIG : CLI_FAILED;
}

/* The failed program's words, when the line does not have them already. That a command is
 * not there, or no program, needs no more words. */
static void print_output(const struct dr_error *err)
{
    if (err->kind == DR_ERR_START &&
        (err->code == CLI_NOT_FOUND || err->code == CLI_NOT_EXECUTABLE))
        return;
    dr_auto_free char *copy = dr_strdup(err->output);
    char *save = NULL;
    int lines = 0;
    for (char *line = copy ? strtok_r(copy, "\n", &save) : NULL; line;
         line = strtok_r(NULL, "\n", &save)) {
        if (strstr(err->text, line))
            continue;
        if (++lines > OUTPUT_MAX_LINES) {
            fputs("  …\n", stderr);
            return;
        }
        dr_auto_free char *safe = dr_escape(line, LINE_MAX_CHARS);
        fprintf(stderr, "  %s\n", safe);
    }
}

static void print_line(const char *text)
{
    dr_auto_free char *whole = dr_escape(text, 0);
    /* escaping makes it longer: cut what it became */
    dr_auto_free char *safe = dr_escape(whole, LINE_MAX_CHARS - 1);
    fflush(stdout); /* so that the two come in order where they go to one place */
    fprintf(stderr, "%s\n", safe);
    fflush(stderr); /* where it is buffered: on Windows */
}

int cli_rc(int rc, struct dray_error **failed, struct dr_error *err)
{
    struct dray_error *from = *failed;
    if (rc >= 0)
        return rc;
    *failed = NULL;
    /* the kinds and origins of the two are the same numbers */
    dr_fail_at(err, (enum dr_origin)from->origin, (enum dr_kind)from->kind, from->code,
               "%s", from->text);
    err->output = dr_strdup(from->output);
    err->program = dr_strdup(from->program);
    err->status = from->status;
    dray_error_free(from);
    return -1;
}

json_t *cli_rc_json(int rc, char **text, struct dray_error **failed, struct dr_error *err)
{
    if (cli_rc(rc, failed, err) < 0)
        return NULL;
    json_t *json = dr_json_parse(*text, strlen(*text), SIZE_MAX, err);
    dray_free(*text);
    *text = NULL;
    return json;
}

int cli_error(const struct cli *cli, const struct dr_error *err)
{
    const char *hint = cli_hint(err);
    dr_auto_free char *line =
        dr_printf("dray: %s%s%s", err->text, hint ? "; " : "", hint ? hint : "");
    print_line(line);
    if (cli->global.debug)
        fprintf(stderr, "dray: debug: kind \"%s\", origin \"%s\", code %d\n",
                dr_kind_name(err->kind), dr_origin_name(err->origin), err->code);
    /* A command that is not there is the user's typing mistake, and the line has said it;
     * what all layers of a runtime say of it is of use to who looks for a bug. So it is
     * where the helper has found the reason by itself (guest/runtime/explain.c). */
    if (err->output &&
        (cli->global.debug || !(is_command_error(err) || is_explained(err))))
        print_output(err);
    return cli_exit_code(cli, err);
}

int cli_usage_error(const struct cli *cli, const struct dr_error *err)
{
    const char *verb = cli->verb ? cli->verb->name : NULL;
    const char *of = verb ? verb : cli->scope; /* whose help says more */
    dr_auto_free char *line =
        dr_printf("dray%s%s: %s; see `dray %s%s--help`", verb ? " " : "",
                  verb ? verb : "", err->text, of ? of : "", of ? " " : "");
    print_line(line);
    return CLI_DRAY_FAILED;
}

void cli_warn(const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    dr_auto_free char *text = dr_vprintf(fmt, ap);
    va_end(ap);
    dr_auto_free char *line = dr_printf("dray: %s", text);
    print_line(line);
}

void cli_warn_all(const char *text)
{
    dr_auto_error struct dr_error unused = DR_ERROR_INIT;
    dr_auto_json json_t *warnings =
        text ? dr_json_parse(text, strlen(text), 1u << 20, &unused) : NULL;
    for (size_t i = 0; i < json_array_size(warnings); i++) {
        const char *warning = json_string_value(json_array_get(warnings, i));
        cli_warn("warning: %s", warning ? warning : "");
    }
}
