/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/compose.h"

#include <string.h>

#include "base/text.h"

#define PROBLEMS_MAX (1u << 20)
#define FILES_MAX (1u << 20)

/* --- which files --- */

/* Those that are meant when none is named; owned, or NULL. */
static char **find_files(struct dr_error *err)
{
    char *text = dray_deployment_find(NULL, NULL);
    dr_auto_json json_t *list = dr_json_parse(text, strlen(text), FILES_MAX, err);
    dray_free(text);
    if (!list)
        return NULL;
    char **files = dr_json_strv(list);
    if (files && files[0])
        return files;
    dr_strv_free(files);
    dr_fail(err, DR_ERR_CONFIG,
            "there is no dray.yaml and no compose.yaml, here or above: name one with "
            "--file");
    return NULL;
}

/* --- reading --- */

/* The files are wrong: all that is wrong with them, a line each. */
static int tell_problems(const char *text, struct dr_error *err)
{
    dr_auto_error struct dr_error unused = DR_ERROR_INIT;
    dr_auto_json json_t *problems =
        text ? dr_json_parse(text, strlen(text), PROBLEMS_MAX, &unused) : NULL;
    size_t i, count = json_array_size(problems);
    json_t *one;
    if (count < 2)
        return -1;
    json_array_foreach (problems, i, one)
        cli_warn("%s:%lld:%lld: %s", dr_json_str(one, "file") ?: "",
                 (long long)dr_json_int(one, "line", 0),
                 (long long)dr_json_int(one, "column", 0),
                 dr_json_str(one, "text") ?: "");
    dr_error_release(err);
    return dr_fail(err, DR_ERR_CONFIG, "%zu problems in the deployment's files", count);
}

static int parse(const struct dray_deployment_options *options,
                 struct dray_deployment **ret, struct dr_error *err)
{
    struct dray_error *failed = NULL;
    char *problems = NULL;
    int rc =
        cli_rc(dray_deployment_parse(options, ret, &problems, &failed), &failed, err);
    if (rc == 0) {
        dray_free(problems);
        problems = NULL;
        rc = cli_rc(dray_deployment_validate(*ret, &problems, &failed), &failed, err);
        if (rc < 0)
            dray_deployment_free(*ret);
    }
    if (rc < 0)
        tell_problems(problems, err);
    dray_free(problems);
    return rc;
}

static char *read_stdin(struct dr_error *err)
{
    struct dr_buf text = DR_BUF_INIT(4u << 20);
    char piece[16384];
    ssize_t n;
    while ((n = read(STDIN_FILENO, piece, sizeof piece)) > 0)
        if (dr_buf_add(&text, piece, (size_t)n, err) < 0)
            break;
    if (n < 0)
        dr_fail_errno(err, DR_ERR_NONE, "read stdin");
    if (n != 0) {
        dr_buf_release(&text);
        return NULL;
    }
    return dr_buf_take(&text);
}

struct dray_deployment *cli_deployment(const struct compose_args *args,
                                       struct dr_error *err)
{
    struct dray_deployment_options options = DRAY_INIT(options);
    struct dray_deployment *deployment = NULL;
    bool given = args->files && args->files[0];
    dr_auto_strv char **found = given ? NULL : find_files(err);
    dr_auto_free char *text = NULL;
    if (!given && !found)
        return NULL;
    for (size_t i = 0; given && args->files[i]; i++)
        if (strcmp(args->files[i], "-") == 0 && !text && !(text = read_stdin(err)))
            return NULL;
    options.files = (const char *const *)(given ? args->files : found);
    options.text = text;
    options.name = args->name;
    options.directory = args->directory;
    options.profiles = (const char *const *)args->profiles;
    options.env_files = (const char *const *)args->env_files;
    options.secrets_file = args->secrets_file;
    if (parse(&options, &deployment, err) < 0)
        return NULL;
    char *warnings = dray_deployment_warnings(deployment);
    cli_warn_all(warnings);
    dray_free(warnings);
    return deployment;
}

int cli_deployment_or_name(const struct compose_args *args,
                           struct dray_deployment **ret_deployment, char **ret_name,
                           struct dr_error *err)
{
    *ret_deployment = NULL;
    if (args->name && (!args->files || !args->files[0])) {
        *ret_name = dr_strdup(args->name);
        return 0;
    }
    *ret_deployment = cli_deployment(args, err);
    if (!*ret_deployment)
        return -1;
    *ret_name = dr_strdup(dray_deployment_name(*ret_deployment));
    return 0;
}

/* --- what is told --- */

void cli_step_waiting(void *arg)
{
    cli_warn("another command is at work on deployment %s: waiting for it",
             (const char *)arg);
}

static const char *done_word(const char *action)
{
    static const char *const words[][2] = {
        {"pull", "pulled"},   {"create", "created"},    {"recreate", "recreated"},
        {"start", "started"}, {"restart", "restarted"}, {"remove", "removed"},
        {"wait", "ready"},    {"stop", "stopped"}};
    for (size_t i = 0; i < DR_COUNT(words); i++)
        if (strcmp(words[i][0], action) == 0)
            return words[i][1];
    return action;
}

void cli_step(void *arg, const struct dray_step *step)
{
    const struct cli_telling *telling = arg;
    cli_warn_all(step->warnings);
    if (step->state == DRAY_STEP_BEGUN || telling->quiet)
        return;
    const char *word = step->state == DRAY_STEP_DONE        ? done_word(step->action)
                       : step->state == DRAY_STEP_UNCHANGED ? "unchanged"
                       : step->state == DRAY_STEP_SKIPPED   ? "not begun"
                                                            : "failed";
    dr_auto_free char *name = dr_escape(step->name, 0);
    const char *why = step->state == DRAY_STEP_DONE && strcmp(step->action, "wait") != 0
                          ? step->why
                          : NULL;
    bool plain = !why || strcmp(why, "missing") == 0 || strcmp(why, "asked for") == 0;
    dr_auto_free char *line =
        dr_printf("%s %s: %s%s%s%s", step->kind, name, word, plain ? "" : " (",
                  plain ? "" : why, plain ? "" : ")");
    if (telling->progress)
        cli_progress_line(telling->progress, line);
    else
        fprintf(stderr, "%s\n", line);
}

static json_t *plan_json(const struct dray_plan *plan)
{
    dr_auto_error struct dr_error unused = DR_ERROR_INIT;
    char *text = dray_plan_json(plan);
    json_t *json = dr_json_parse(text, strlen(text), SIZE_MAX, &unused);
    dray_free(text);
    return json;
}

void cli_plan_warn(const struct dray_plan *plan)
{
    dr_auto_json json_t *json = plan_json(plan);
    dr_auto_free char *warnings = dr_json_text(dr_json_array(json, "warnings"));
    cli_warn_all(warnings);
}

json_t *cli_plan_unchanged(const struct dray_plan *plan)
{
    dr_auto_json json_t *json = plan_json(plan);
    json_t *ids = json_object(), *one;
    size_t i;
    json_array_foreach (dr_json_array(json, "unchanged"), i, one)
        dr_json_set_bool(ids, dr_json_str(one, "id") ?: "", true);
    return ids;
}

int cli_plan_print(const struct dray_plan *plan, const char *format, struct dr_error *err)
{
    static const struct cli_column columns[] = {
        {"Action", "ACTION", true},   {"Kind", "KIND", true}, {"Name", "NAME", true},
        {"Service", "SERVICE", true}, {"Why", "WHY", true},   {0}};
    static const char *const members[][2] = {{"Action", "action"},
                                             {"Kind", "kind"},
                                             {"Name", "name"},
                                             {"Service", "service"},
                                             {"Why", "why"}};
    dr_auto_json json_t *json = plan_json(plan), *rows = json_array();
    size_t i;
    json_t *step;
    if (format && strcmp(format, "json") == 0) {
        dr_auto_free char *text = dr_json_text(json);
        cli_line(text);
        return 0;
    }
    json_array_foreach (dr_json_array(json, "steps"), i, step) {
        json_t *row = json_object();
        for (size_t m = 0; m < DR_COUNT(members); m++)
            dr_json_set_str(row, members[m][0], dr_json_str(step, members[m][1]) ?: "");
        json_array_append_new(rows, row);
    }
    return cli_list_print(format, columns, rows, err);
}

static void tell_retry(void *arg, const char *image, const struct dray_progress *step)
{
    (void)image;
    cli_progress_retry(arg, step);
}

int cli_plan_apply(struct cli *cli, struct dray_plan *plan, const struct cli_apply *how,
                   const struct dray_call *call, struct dr_error *err)
{
    struct dray_apply_options options = DRAY_APPLY_INIT;
    struct dray_error *failed = NULL;
    struct cli_telling telling = {.quiet = how->quiet};
    cli_plan_warn(plan);
    if (how->dry_run)
        return cli_plan_print(plan, how->format, err);
    options.stop_timeout_s = how->stop_timeout_s;
    options.progress = cli_step;
    options.progress_arg = &telling;
    options.registry = how->registry;
    options.lock_file = how->lock_file;
    options.lock_update = how->lock_update;
    if (!how->quiet && isatty(STDERR_FILENO))
        telling.progress = cli_progress_new(stderr);
    options.pull_progress = telling.progress ? cli_progress_image : tell_retry;
    options.pull_progress_arg = telling.progress;
    int rc =
        cli_rc(dray_plan_apply(cli->target, plan, &options, call, &failed), &failed, err);
    cli_progress_end(telling.progress);
    return rc;
}
