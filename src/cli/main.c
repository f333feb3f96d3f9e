/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dray: finds the verb's row, takes its options apart, calls it. Nothing is done here
 * that `dray --help` does not need: starting dray takes about a millisecond.
 */
#include <fcntl.h>
#include <signal.h>
#include <string.h>

#include "base/nearest.h"
#include "base/text.h"
#include "cli/cli.h"
#include "cli/compose.h"

#define SETTING(value, variable)                                                         \
    do {                                                                                 \
        const char *env_ = getenv(variable);                                             \
        if (!(value) && env_ && *env_)                                                   \
            (value) = env_;                                                              \
    } while (0)

static void take_environment(struct cli_global *global)
{
    SETTING(global->target, "DRAY_TARGET");
    SETTING(global->root, "DRAY_ROOT");
    SETTING(global->run_root, "DRAY_RUN_ROOT");
    SETTING(global->runtime, "DRAY_RUNTIME");
    SETTING(global->cache_dir, "DRAY_CACHE");
}

/* Every word that may stand where the verb does. */
struct words_state {
    const struct cli_verb *verb;
    size_t group;
};

static const char *next_word(void *arg)
{
    struct words_state *state = arg;
    while (state->verb->name && strchr(state->verb->name, ' '))
        state->verb++; /* it stands behind its group's word only */
    if (state->verb->name)
        return state->verb++->name;
    return cli_group_name(state->group++);
}

static const char *next_group_word(void *arg)
{
    struct {
        const char *group;
        size_t index;
    } *state = arg;
    const char *verb;
    return cli_group_word(state->group, state->index++, &verb);
}

static int unknown_verb(struct cli *cli, const char *name)
{
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    const char *reason = cli_refused_verb(name);
    struct words_state state = {.verb = cli_verbs};
    const char *near = reason ? NULL : dr_nearest(name, next_word, &state);
    dr_auto_free char *safe = dr_escape(name, 100);
    if (reason)
        dr_fail(&err, DR_ERR_UNSUPPORTED, "%s is not supported yet (%s)", safe, reason);
    else if (near)
        dr_fail(&err, DR_ERR_INVALID, "unknown command: %s (did you mean %s?)", safe,
                near);
    else
        dr_fail(&err, DR_ERR_INVALID, "unknown command: %s", safe);
    cli_usage_error(cli, &err);
    return CLI_FAILED;
}

static int unknown_group_word(struct cli *cli, const char *group, const char *word)
{
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    struct {
        const char *group;
        size_t index;
    } state = {group, 0};
    const char *near = dr_nearest(word, next_group_word, &state);
    dr_auto_free char *both = dr_printf("%s %s", group, word),
                      *safe = dr_escape(both, 100);
    const char *reason = cli_refused_verb(both);
    if (reason)
        dr_fail(&err, DR_ERR_UNSUPPORTED, "%s is not supported yet (%s)", safe, reason);
    else
        dr_fail(&err, DR_ERR_INVALID, "unknown command: %s%s%s%s", safe,
                near ? " (did you mean " : "", near ? near : "", near ? "?)" : "");
    cli_usage_error(cli, &err);
    return CLI_FAILED;
}

/* `compose -f x`: options, and no word behind them that says what to do; or something
 * else that looks like an option. */
static int no_group_word(struct cli *cli, const char *group, const char *option)
{
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    dr_auto_free char *safe = dr_escape(option, 100);
    if (!cli_compose_option(option))
        dr_fail(&err, DR_ERR_INVALID, "unknown option before the command of %s: %s",
                group, safe);
    else
        dr_fail(&err, DR_ERR_INVALID,
                "%s has options, and no command behind them: `dray %s %s … up`, say",
                group, group, safe);
    cli_usage_error(cli, &err);
    fputc('\n', stderr);
    cli_help_group(stderr, group);
    return CLI_FAILED;
}

static int wrong_words(struct cli *cli)
{
    const struct cli_verb *verb = cli->verb;
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    if (verb->max_words == SIZE_MAX)
        dr_fail(&err, DR_ERR_INVALID, "it takes no arguments, and \"%s\" was given",
                cli->words[0]);
    else if (cli->word_count < verb->min_words)
        dr_fail(&err, DR_ERR_INVALID, "too few arguments; it is: dray %s %s", verb->name,
                verb->words);
    else
        dr_fail(&err, DR_ERR_INVALID, "too many arguments; it is: dray %s %s", verb->name,
                verb->words);
    cli_usage_error(cli, &err);
    return verb->flags & CLI_VERB_RUNS ? CLI_DRAY_FAILED : CLI_FAILED;
}

static int run_verb(struct cli *cli, char **argv)
{
    const struct cli_verb *verb = cli->verb;
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    dr_auto_free void *args = dr_alloc(verb->args_size);
    struct cli_parsed parsed;
    int flags = verb->flags & CLI_VERB_STOPS ? CLI_STOP_AT_WORD : 0;
    if (cli_parse(verb->options, verb->name, flags, argv, args, &parsed, &err) < 0)
        return cli_usage_error(cli, &err);
    cli->words = parsed.words;
    cli->word_count = parsed.word_count;
    size_t max = verb->max_words == SIZE_MAX ? 0
                 : verb->max_words           ? verb->max_words
                                             : SIZE_MAX;
    int code = CLI_OK;
    if (parsed.help)
        cli_help_verb(stdout, verb);
    else if (cli->word_count < verb->min_words || cli->word_count > max)
        code = wrong_words(cli);
    else
        code = verb->run(cli, args);
    dray_close(cli->target);
    dray_free(cli->current);
    cli_args_release(verb->options, args);
    cli_parsed_release(&parsed);
    return code;
}

static int dispatch(struct cli *cli, char **words)
{
    cli->verb = strchr(words[0], ' ') ? NULL : cli_verb_find(words[0]);
    if (cli->verb)
        return run_verb(cli, words + 1);
    bool files_first = strcmp(words[0], "compose") == 0 && words[1] && words[1][0] == '-';
    dr_auto_strv char **ordered = files_first ? cli_compose_order(words + 1) : NULL;
    char **rest = files_first ? ordered : words + 1;
    const char *group = cli_group_find(words[0], rest[0], &cli->verb);
    if (!group)
        return unknown_verb(cli, words[0]);
    cli->scope = group;
    if (cli->verb)
        return run_verb(cli, rest + 1);
    bool help = !rest[0] || strcmp(rest[0], "-h") == 0 || strcmp(rest[0], "--help") == 0;
    if (!help && files_first && rest[0][0] == '-')
        return no_group_word(cli, group, rest[0]);
    if (!help)
        return unknown_group_word(cli, group, rest[0]);
    cli_help_group(stdout, group);
    return CLI_OK;
}

/* With one of 0, 1, 2 closed the next pipe would get its number, and strangers' bytes. */
static void fill_standard_fds(void)
{
    for (int fd = 0; fd <= STDERR_FILENO; fd++)
        if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", O_RDWR) < 0)
            _exit(CLI_DRAY_FAILED);
}

int main(int argc, char **argv)
{
    struct cli cli = {0};
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    struct cli_parsed parsed;
    int code = CLI_OK;
    fill_standard_fds();
    /* A reader of our output that goes away is an error of write(2), and is told. */
    signal(SIGPIPE, SIG_IGN);
    if (argc < 1)
        return CLI_FAILED;
    if (cli_parse(cli_global_options, NULL, CLI_STOP_AT_WORD, argv + 1, &cli.global,
                  &parsed, &err) < 0)
        return cli_usage_error(&cli, &err);
    take_environment(&cli.global);
    if (cli.global.version)
        printf("dray version %s\n", DRAY_VERSION);
    else if (parsed.help || parsed.word_count == 0)
        cli_help_all(stdout);
    else
        code = dispatch(&cli, parsed.words);
    cli_parsed_release(&parsed);
    return cli_finish(code);
}
