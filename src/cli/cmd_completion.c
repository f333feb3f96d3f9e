/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "base/text.h"
#include "cli/completion.h"

/* The table of verbs says it in its words: "CONTAINER [CONTAINER...]". */
struct completion_words completion_words(const struct cli_verb *verb)
{
    static const struct {
        const char *begin, *kind;
    } kinds[] = {{"CONTAINER:SRC", "copy"},   {"CONTAINER", "container"},
                 {"[CONTAINER", "container"}, {"IMAGE", "image"},
                 {"[REPOSITORY", "image"},    {"VOLUME", "volume"},
                 {"TARGET", "target"},        {"[TARGET", "target"},
                 {"NETWORK", "network"},      {"NAME|ID", "any"},
                 {"[COMMAND]", "verb"},       {"bash|", "shell"}};
    const char *again = strchr(verb->words, ' ');
    for (size_t i = 0; i < DR_COUNT(kinds); i++) {
        if (strncmp(verb->words, kinds[i].begin, strlen(kinds[i].begin)) != 0)
            continue;
        /* "CONTAINER [CONTAINER...]" and the like go on with the same */
        bool same =
            again && *kinds[i].begin != '[' && strstr(again, kinds[i].begin) != NULL;
        bool copy = strcmp(kinds[i].kind, "copy") == 0;
        bool container = again && strcmp(again, " CONTAINER") == 0;
        return (struct completion_words){kinds[i].kind, again && !same && !copy,
                                         container ? "container" : ""};
    }
    return (struct completion_words){"", false, ""};
}

const char *completion_value(const struct cli_option *option)
{
    static const struct {
        const char *name, *words;
    } rows[] = {{"attach", "stdin stdout stderr"},
                {"driver", "local"},
                {"env-file", "@file"},
                {"format", "json table"},
                {"label-file", "@file"},
                {"log-driver", "k8s-file none"},
                {"network", "bridge none host"},
                {"pull", "always missing newer never"},
                {"restart", "no on-failure always unless-stopped"},
                {"runtime", "youki crun runc"},
                {"schedule", "@hourly @daily @weekly @monthly @yearly"},
                {"signal", "HUP INT KILL QUIT TERM USR1 USR2"},
                {"stop-signal", "HUP INT KILL QUIT TERM USR1 USR2"},
                {"target", "local:"},
                {"type", "container image network volume"}};
    for (size_t i = 0; i < DR_COUNT(rows); i++)
        if (strcmp(rows[i].name, option->name) == 0)
            return rows[i].words;
    if (option->value && strcmp(option->value, "file") == 0)
        return "@file";
    return option->value && strcmp(option->value, "dir") == 0 ? "@dir" : "";
}

int cmd_completion(struct cli *cli, void *args)
{
    (void)args;
    static const struct {
        const char *shell;
        void (*print)(FILE *out);
    } shells[] = {
        {"bash", completion_bash}, {"zsh", completion_zsh}, {"fish", completion_fish}};
    for (size_t i = 0; i < DR_COUNT(shells); i++) {
        if (strcmp(shells[i].shell, cli->words[0]) != 0)
            continue;
        shells[i].print(stdout);
        return CLI_OK;
    }
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    dr_auto_free char *safe = dr_escape(cli->words[0], 100);
    dr_fail(&err, DR_ERR_INVALID,
            "there is no completion for \"%s\"; bash, zsh and fish are there", safe);
    return cli_usage_error(cli, &err);
}
