/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "cli/completion.h"

/* In fish's single quotes only \ and ' are special. */
static void print_quoted(FILE *out, const char *text)
{
    fputc('\'', out);
    for (; *text; text++) {
        if (*text == '\'' || *text == '\\')
            fputc('\\', out);
        fputc(*text, out);
    }
    fputc('\'', out);
}

/* Which verb the words before the cursor name, and how many stand behind it. Options and
 * the values of those that take one are passed over. */
static void print_scan(FILE *out)
{
    const char *group, *word, *meant;
    fputs(
        "function __dray_scan\n"
        "    set -g __dray_verb ''\n"
        "    set -g __dray_group ''\n"
        "    set -g __dray_count 0\n"
        "    set -g __dray_globals\n"
        "    set -l words (commandline -opc)\n"
        "    set -l skip 0\n"
        "    for word in $words[2..]\n"
        "        if test -z \"$__dray_verb$__dray_group\"; and begin; test $skip = 1; or "
        "string match -q -- '-*' $word; end\n"
        "            set -a __dray_globals $word\n"
        "        end\n"
        "        if test $skip = 1\n"
        "            set skip 0\n"
        "            continue\n"
        "        end\n"
        "        switch $word\n"
        "        case '--*=*'\n"
        "        case '-*'\n"
        "            __dray_takes_value $__dray_verb $word; and set skip 1\n"
        "        case '*'\n"
        "            if test -n \"$__dray_verb\"\n"
        "                set __dray_count (math $__dray_count + 1)\n"
        "            else\n"
        "                __dray_find (string trim \"$__dray_group $word\")\n"
        "            end\n"
        "        end\n"
        "    end\n"
        "end\n\n"
        "function __dray_find\n    switch \"$argv\"\n",
        out);
    for (size_t i = 0; (group = cli_group_name(i)); i++)
        fprintf(out, "    case %s\n        set -g __dray_group %s\n", group, group);
    for (const struct cli_verb *v = cli_verbs; v->name; v++)
        if (!strchr(v->name, ' '))
            fprintf(out, "    case %s\n        set -g __dray_verb %s\n", v->name,
                    v->name);
    for (size_t i = 0; (group = cli_group_name(i)); i++)
        for (size_t j = 0; (word = cli_group_word(group, j, &meant)); j++)
            fprintf(out, "    case '%s %s'\n        set -g __dray_verb '%s'\n", group,
                    word, meant);
    fputs("    end\nend\n\n", out);
}

static void print_valued(FILE *out, const char *verb, const struct cli_option *options)
{
    bool any = false;
    for (const struct cli_option *o = options; o->name; o++) {
        if (o->type == CLI_BOOL)
            continue;
        if (!any)
            fprintf(out, "    case '%s'\n        contains -- $argv[2]", verb);
        any = true;
        fprintf(out, " --%s", o->name);
        if (o->letter)
            fprintf(out, " -%c", o->letter);
    }
    if (any)
        fputs("; and return 0\n", out);
}

static void print_takes_value(FILE *out)
{
    fputs("function __dray_takes_value\n    test (count $argv) = 1; and set argv '' "
          "$argv\n    switch \"$argv[1]\"\n",
          out);
    print_valued(out, "", cli_global_options);
    for (const struct cli_verb *v = cli_verbs; v->name; v++)
        print_valued(out, v->name, v->options);
    fputs("    end\n    return 1\nend\n\n", out);
}

static void print_option(FILE *out, const char *condition, const struct cli_option *o)
{
    fprintf(out, "complete -c dray -n \"%s\" -l %s", condition, o->name);
    if (o->letter)
        fprintf(out, " -s %c", o->letter);
    if (o->type != CLI_BOOL) {
        const char *value = completion_value(o);
        if (*value == '@') {
            fputs(" -r -F", out);
        } else {
            fputs(" -x", out);
            if (*value) {
                fputs(" -a ", out);
                print_quoted(out, value);
            }
        }
    }
    fputs(" -d ", out);
    print_quoted(out, o->help);
    fputc('\n', out);
}

static void print_words(FILE *out, const struct cli_verb *verb)
{
    static const struct {
        const char *kind, *words;
    } kinds[] = {{"container", "(__dray_containers)"},
                 {"copy", "(__dray_containers):"},
                 {"image", "(__dray_images)"},
                 {"volume", "(__dray_volumes)"},
                 {"target", "(__dray_targets)"},
                 {"network", "(__dray_networks)"},
                 {"any", "(__dray_containers; __dray_images; __dray_volumes; "
                         "__dray_networks)"},
                 {"shell", "bash zsh fish"}};
    struct completion_words words = completion_words(verb);
    for (size_t i = 0; i < DR_COUNT(kinds); i++)
        if (strcmp(kinds[i].kind, words.kind) == 0)
            fprintf(out, "complete -c dray -n \"__dray_in '%s'%s\" -a '%s'\n", verb->name,
                    words.first_only ? " 0" : "", kinds[i].words);
    for (size_t i = 0; i < DR_COUNT(kinds); i++)
        if (strcmp(kinds[i].kind, words.second) == 0)
            fprintf(
                out,
                "complete -c dray -n \"__dray_in '%s' 1; and not __dray_in '%s' 0\" -a "
                "'%s'\n",
                verb->name, verb->name, kinds[i].words);
    if (*words.second)
        return;
    if (words.first_only || !*words.kind || strcmp(words.kind, "copy") == 0)
        fprintf(out, "complete -c dray -n \"__dray_in '%s'\" -F\n", verb->name);
}

void completion_fish(FILE *out)
{
    const char *group, *word, *meant;
    fputs("# fish completion for dray: dray completion fish | source\n\n", out);
    print_takes_value(out);
    print_scan(out);
    fputs("function __dray_in # VERB [MOST WORDS BEHIND IT]\n"
          "    __dray_scan\n"
          "    test \"$__dray_verb\" = \"$argv[1]\"; or return 1\n"
          "    test (count $argv) = 1; or test $__dray_count -le $argv[2]\n"
          "end\n"
          "function __dray_needs_verb # [GROUP]\n"
          "    __dray_scan\n"
          "    test -z \"$__dray_verb\" -a \"$__dray_group\" = \"$argv[1]\"\n"
          "end\n"
          "function __dray_program\n    set -l words (commandline -opc)\n    $words[1] "
          "$__dray_globals $argv 2>/dev/null\nend\n"
          "function __dray_containers\n    __dray_program ps -a --format "
          "'{{.Names}}'\nend\n"
          "function __dray_images\n    __dray_program images --format "
          "'{{.Repository}}:{{.Tag}}' | string match -v '*<none>*'\nend\n"
          "function __dray_targets\n    __dray_program target ls -q\nend\n"
          "function __dray_volumes\n    __dray_program volume ls -q\nend\n"
          "function __dray_networks\n    __dray_program network ls --format "
          "'{{.Name}}'\nend\n\n"
          "complete -c dray -f\ncomplete -c dray -l help -d 'Show help'\n",
          out);
    for (const struct cli_option *o = cli_global_options; o->name; o++)
        print_option(out, "__dray_needs_verb ''", o);
    for (const struct cli_verb *v = cli_verbs; v->name; v++) {
        dr_auto_free char *condition = dr_printf("__dray_in '%s'", v->name);
        if (!strchr(v->name, ' ')) {
            fprintf(out, "complete -c dray -n \"__dray_needs_verb ''\" -a %s -d ",
                    v->name);
            print_quoted(out, v->summary);
            fputc('\n', out);
        }
        for (const struct cli_option *o = v->options; o->name; o++)
            print_option(out, condition, o);
        print_words(out, v);
    }
    for (size_t i = 0; (group = cli_group_name(i)); i++) {
        fprintf(out, "complete -c dray -n \"__dray_needs_verb ''\" -a %s\n", group);
        for (size_t j = 0; (word = cli_group_word(group, j, &meant)); j++) {
            fprintf(out, "complete -c dray -n \"__dray_needs_verb %s\" -a %s -d ", group,
                    word);
            print_quoted(out, cli_verb_find(meant)->summary);
            fputc('\n', out);
        }
    }
}
