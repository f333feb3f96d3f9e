/* SPDX-License-Identifier: Apache-2.0 */
/* Help, made from the table of verbs. */
#include <string.h>

#include "cli/cli.h"

#define LINE_WIDTH 90

static void print_options(FILE *out, const struct cli_option *options)
{
    size_t width = 0;
    for (const struct cli_option *o = options; o->name; o++) {
        size_t len = strlen(o->name) + (o->value ? strlen(o->value) + 1 : 0);
        width = len > width ? len : width;
    }
    for (const struct cli_option *o = options; o->name; o++) {
        char letter[5] = "    ";
        if (o->letter)
            snprintf(letter, sizeof(letter), "-%c, ", o->letter);
        int used = fprintf(out, "  %s--%s%s%s", letter, o->name, o->value ? " " : "",
                           o->value ? o->value : "");
        fprintf(out, "%*s%s\n", (int)width + 11 - used, "", o->help);
    }
}

void cli_help_all(FILE *out)
{
    fputs("Usage:  dray [OPTIONS] COMMAND\n\n"
          "Run Linux containers across a short boundary, without a daemon\n",
          out);
    const char *group = "";
    for (const struct cli_verb *v = cli_verbs; v->name; v++) {
        if (strcmp(group, v->group) != 0)
            fprintf(out, "\n%s:\n", v->group);
        group = v->group;
        fprintf(out, "  %-15s  %s\n", v->name, v->summary);
    }
    fputs("\nThe same, as Docker groups them:\n", out);
    for (size_t i = 0; (group = cli_group_name(i)); i++) {
        const char *word, *verb;
        int used = fprintf(out, "  %-15s ", group);
        for (size_t j = 0; (word = cli_group_word(group, j, &verb)); j++) {
            if (used + (int)strlen(word) + 1 > LINE_WIDTH)
                used = fprintf(out, "\n%18s", "") - 1;
            used += fprintf(out, " %s", word);
        }
        fputc('\n', out);
    }
    fputs("\nGlobal options, before the command:\n", out);
    print_options(out, cli_global_options);
    fputs("\nRun 'dray COMMAND --help' for more about a command.\n", out);
}

void cli_help_verb(FILE *out, const struct cli_verb *verb)
{
    bool options = verb->options->name != NULL;
    fprintf(out, "Usage:  dray %s%s%s%s\n\n%s\n", verb->name, options ? " [OPTIONS]" : "",
            *verb->words ? " " : "", verb->words, verb->summary);
    bool heading = false;
    const char *group;
    for (size_t i = 0; (group = cli_group_name(i)); i++) {
        const char *word, *meant;
        for (size_t j = 0; (word = cli_group_word(group, j, &meant)); j++) {
            dr_auto_free char *both = dr_printf("%s %s", group, word);
            if (strcmp(meant, verb->name) != 0 || strcmp(both, verb->name) == 0)
                continue;
            fprintf(out, "%sdray %s %s", heading ? ", " : "\nAliases:\n  ", group, word);
            heading = true;
        }
    }
    if (heading)
        fputc('\n', out);
    if (options) {
        fputs("\nOptions:\n", out);
        print_options(out, verb->options);
    }
}

void cli_help_group(FILE *out, const char *group)
{
    const char *word, *meant;
    fprintf(out, "Usage:  dray %s COMMAND\n\nCommands:\n", group);
    for (size_t i = 0; (word = cli_group_word(group, i, &meant)); i++)
        fprintf(out, "  %-8s  %s\n", word, cli_verb_find(meant)->summary);
    fprintf(out, "\nRun 'dray %s COMMAND --help' for more about a command.\n", group);
}

int cmd_help(struct cli *cli, void *args)
{
    const char *name = cli->words[0];
    const struct cli_verb *verb = cli_verb_find(name);
    const char *group = cli_group_find(name, name ? cli->words[1] : NULL, &verb);
    if (!name) {
        cli_help_all(stdout);
    } else if (verb) {
        cli_help_verb(stdout, verb);
    } else if (group && !cli->words[1]) {
        cli_help_group(stdout, group);
    } else {
        dr_auto_error struct dr_error err = DR_ERROR_INIT;
        dr_fail(&err, DR_ERR_INVALID, "unknown command: %s%s%s", name,
                cli->words[1] ? " " : "", cli->words[1] ? cli->words[1] : "");
        cli->verb = NULL; /* point to the list of all commands */
        cli_usage_error(cli, &err);
        return CLI_FAILED;
    }
    return CLI_OK;
}
