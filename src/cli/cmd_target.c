/* SPDX-License-Identifier: Apache-2.0 */
/* target: the targets that have a name, and how fit one is. */
#include <string.h>

#include "base/text.h"
#include "cli/args.h"
#include "cli/cli.h"
#include "transport/address.h"

static const struct cli_column columns[] = {
    {"Name", "NAME", true},        {"Current", "CURRENT", true}, {"URL", "URL", true},
    {"Runtime", "RUNTIME", false}, {"Root", "ROOT", false},      {0}};

static json_t *read_targets(struct dr_error *err)
{
    struct dray_error *failed = NULL;
    char *text = NULL;
    int rc = dray_targets(&text, &failed);
    return cli_rc_json(rc, &text, &failed, err);
}

static void add_row(json_t *rows, const char *name, const char *url, bool current,
                    const json_t *target)
{
    json_t *row = json_object();
    const char *runtime = dr_json_str(target, "runtime"),
               *root = dr_json_str(target, "root");
    dr_json_set_str(row, "Name", name);
    dr_json_set_str(row, "Current", current ? "*" : "");
    dr_json_set_str(row, "URL", url);
    dr_json_set_str(row, "Runtime", runtime ? runtime : "");
    dr_json_set_str(row, "Root", root ? root : "");
    json_array_append_new(rows, row);
}

int cmd_target_ls(struct cli *cli, void *arg)
{
    const struct target_ls_args *args = arg;
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    if (cli_format_check(args->format, &err) < 0)
        return cli_usage_error(cli, &err);
    dr_auto_json json_t *all = read_targets(&err);
    if (!all)
        return cli_error(cli, &err);
    dr_auto_json json_t *rows = json_array();
    const char *current = dr_json_str(all, "current");
    size_t i;
    json_t *one;
    bool local = !current || strcmp(current, "local") == 0;
    add_row(rows, "local", transport_default, local, NULL);
    json_array_foreach (dr_json_array(all, "targets"), i, one)
        add_row(rows, dr_json_str(one, "name"), dr_json_str(one, "url"),
                dr_json_bool(one, "current"), one);
    if (cli_list_print(args->quiet && !args->format ? "{{.Name}}" : args->format, columns,
                       rows, &err) < 0)
        return cli_error(cli, &err);
    return CLI_OK;
}

/* text NULL: the flag was not given. */
static int parse_time(const char *flag, const char *text, int64_t *ret_ms,
                      struct dr_error *err)
{
    dr_auto_error struct dr_error why = DR_ERROR_INIT;
    int64_t ns = 0;
    if (!text)
        return 0;
    if (dr_duration_parse(text, &ns, &why) < 0 || ns < 1000000)
        return dr_fail(err, DR_ERR_INVALID,
                       "invalid argument \"%s\" for \"--%s\" flag: it must be a time, as "
                       "10s",
                       text, flag);
    *ret_ms = ns / 1000000;
    return 0;
}

int cmd_target_add(struct cli *cli, void *arg)
{
    const struct target_add_args *args = arg;
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    struct dray_error *failed = NULL;
    struct dray_target_settings settings = {
        .size = sizeof settings,
        .name = cli->words[0],
        .url = cli->words[1],
        .root = args->root,
        .run_root = args->run_root,
        .bundle_root = args->bundle_root,
        .log_root = args->log_root,
        .runtime = args->runtime,
        .user = args->user,
        .network_fallback = args->network_fallback,
    };
    if (parse_time("connect-timeout", args->connect_timeout, &settings.connect_timeout_ms,
                   &err) < 0 ||
        parse_time("line-timeout", args->line_timeout, &settings.line_timeout_ms, &err) <
            0)
        return cli_usage_error(cli, &err);
    if (cli_rc(dray_target_add(&settings, &failed), &failed, &err) < 0 ||
        (args->use && cli_rc(dray_target_use(cli->words[0], &failed), &failed, &err) < 0))
        return cli_error(cli, &err);
    cli_line(cli->words[0]);
    return CLI_OK;
}

int cmd_target_use(struct cli *cli, void *args)
{
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    struct dray_error *failed = NULL;
    if (cli_rc(dray_target_use(cli->words[0], &failed), &failed, &err) < 0)
        return cli_error(cli, &err);
    cli_line(cli->words[0]);
    return CLI_OK;
}

static void print_step(void *arg, const char *text)
{
    dr_auto_free char *safe = dr_escape(text, 400);
    fprintf(stderr, "%s\n", safe);
}

int cmd_target_create(struct cli *cli, void *arg)
{
    const struct target_create_args *args = arg;
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    struct dray_error *failed = NULL;
    char *text = NULL;
    cli_auto_registry struct cli_registry registry = {0};
    if (strcmp(cli->words[0], "wsl") != 0) {
        dr_auto_free char *safe = dr_escape(cli->words[0], 100);
        dr_fail(&err, DR_ERR_INVALID,
                "only wsl can be created, as `dray target create wsl --from alpine %s`",
                safe);
        return cli_usage_error(cli, &err);
    }
    if (cli_registry(&args->registry, &registry, &err) < 0)
        return cli_usage_error(cli, &err);
    const struct dray_distro_options options = {.size = sizeof options,
                                                .from = args->from,
                                                .runtime_file = args->runtime_file,
                                                .dir = args->dir,
                                                .platform = args->platform,
                                                .cache_dir = cli->global.cache_dir,
                                                .registry = &registry.options,
                                                .use = args->use,
                                                .step = args->quiet ? NULL : print_step};
    const struct dray_call call = {.cancel = cli_signals_cancel()};
    int rc = dray_distro_create(cli->words[1], &options, &call, &text, &failed);
    cli_signals_default();
    dr_auto_json json_t *made = cli_rc_json(rc, &text, &failed, &err);
    if (!made)
        return cli_error(cli, &err);
    cli_line(dr_json_str(made, "name"));
    return CLI_OK;
}

static int remove_target(const char *name, bool with_distro, struct dr_error *err)
{
    struct dray_error *failed = NULL;
    if (!with_distro)
        return cli_rc(dray_target_forget(name, &failed), &failed, err);
    const struct dray_call call = {.cancel = cli_signals_cancel()};
    int rc = dray_distro_unregister(name, &call, &failed);
    cli_signals_default();
    return cli_rc(rc, &failed, err);
}

int cmd_target_rm(struct cli *cli, void *arg)
{
    const struct target_rm_args *args = arg;
    int code = CLI_OK;
    for (char **word = cli->words; *word; word++) {
        dr_auto_error struct dr_error err = DR_ERROR_INIT;
        if (remove_target(*word, args->unregister, &err) < 0)
            code = cli_error(cli, &err);
        else
            cli_line(*word);
    }
    return code;
}

/* One of the file's, or NULL with err; a new reference. */
static json_t *find_target(const json_t *all, const char *name, struct dr_error *err)
{
    size_t i;
    json_t *one;
    if (strcmp(name, "local") == 0)
        return json_pack("{s:s,s:s}", "name", "local", "url", transport_default);
    json_array_foreach (dr_json_array(all, "targets"), i, one)
        if (strcmp(dr_json_str(one, "name"), name) == 0)
            return json_incref(one);
    dr_auto_free char *safe = dr_escape(name, 100);
    dr_fail(err, DR_ERR_NOT_FOUND,
            "no target is called '%s'; `dray target ls` lists them", safe);
    return NULL;
}

/* "json" or a template, of the one thing */
static int print_as(const char *format, const json_t *data, struct dr_error *err)
{
    dr_auto_buf struct dr_buf buf = DR_BUF_INIT(1u << 20);
    if (cli_format(strcmp(format, "json") == 0 ? "{{json .}}" : format, data, &buf, err) <
        0)
        return -1;
    puts(buf.data ? buf.data : "");
    return 0;
}

int cmd_target_inspect(struct cli *cli, void *arg)
{
    const struct format_args *args = arg;
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    if (cli_format_check(args->format, &err) < 0)
        return cli_usage_error(cli, &err);
    dr_auto_json json_t *all = read_targets(&err);
    if (!all)
        return cli_error(cli, &err);
    const char *current = dr_json_str(all, "current");
    dr_auto_json json_t *list = json_array();
    const char *otherwise[] = {current ? current : "local", NULL};
    const char *const *words =
        cli->word_count ? (const char *const *)cli->words : otherwise;
    for (; *words; words++) {
        json_t *one = find_target(all, *words, &err);
        if (!one)
            return cli_error(cli, &err);
        json_array_append_new(list, one);
    }
    if (!args->format) {
        dr_auto_free char *text = json_dumps(list, JSON_INDENT(4));
        puts(text);
        return CLI_OK;
    }
    size_t i;
    json_t *one;
    json_array_foreach (list, i, one)
        if (print_as(args->format, one, &err) < 0)
            return cli_error(cli, &err);
    return CLI_OK;
}

static void print_finding(const json_t *one)
{
    const char *advice = dr_json_str(one, "advice");
    dr_auto_free char *text = dr_escape(dr_json_str(one, "text"), 0);
    printf("  %-8s %-14s %s\n", dr_json_str(one, "state"), dr_json_str(one, "what"),
           text);
    if (advice && *advice) {
        dr_auto_free char *safe = dr_escape(advice, 0);
        printf("  %-8s %-14s -> %s\n", "", "", safe);
    }
}

/* What the far side said when it was reached, in a line of its own. */
static json_t *hello_finding(struct dray_target *target, struct dr_error *err)
{
    struct dray_error *failed = NULL;
    char *text = NULL;
    int rc = dray_hello(target, &text, &failed);
    dr_auto_json json_t *hello = cli_rc_json(rc, &text, &failed, err);
    if (!hello)
        return NULL;
    dr_auto_free char *said =
        dr_printf("the helper %s for %s runs", dr_json_str(hello, "build"),
                  dr_json_str(hello, "arch"));
    return json_pack("{s:s,s:s,s:s}", "what", "connection", "state", "ok", "text", said);
}

int cmd_target_check(struct cli *cli, void *arg)
{
    const struct format_args *args = arg;
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    struct dray_error *failed = NULL;
    char *text = NULL;
    if (cli_format_check(args->format, &err) < 0)
        return cli_usage_error(cli, &err);
    if (cli->words[0])
        cli->global.target = cli->words[0];
    struct dray_target *target = cli_target(cli, &err);
    dr_auto_json json_t *first = target ? hello_finding(target, &err) : NULL;
    if (!first)
        return cli_error(cli, &err);
    int rc = dray_target_examine(target, NULL, &text, &failed);
    dr_auto_json json_t *all = cli_rc_json(rc, &text, &failed, &err);
    if (!all)
        return cli_error(cli, &err);
    json_array_insert(all, 0, first);
    bool fit = true;
    size_t i;
    json_t *one;
    json_array_foreach (all, i, one)
        fit = fit && strcmp(dr_json_str(one, "state"), "missing") != 0;
    if (args->format) {
        if (print_as(args->format, all, &err) < 0)
            return cli_error(cli, &err);
        return fit ? CLI_OK : CLI_CONFIG;
    }
    dr_auto_free char *name =
        dr_escape(cli->global.target ? cli->global.target : transport_default, 200);
    printf("%s:\n", name);
    json_array_foreach (all, i, one)
        print_finding(one);
    return fit ? CLI_OK : CLI_CONFIG;
}
