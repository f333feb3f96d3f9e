/* SPDX-License-Identifier: Apache-2.0 */
/* Completion for bash and zsh: tables and a reader of words that both understand, and for
 * each the few lines that talk to its editor. */
#include <string.h>

#include "cli/completion.h"

static void print_flags(FILE *out, const struct cli_option *options, bool values)
{
    bool first = true;
    for (const struct cli_option *o = options; o->name; o++) {
        if (values && o->type == CLI_BOOL)
            continue;
        fprintf(out, "%s--%s", first ? "" : " ", o->name);
        first = false;
        if (o->alias)
            fprintf(out, " --%s", o->alias);
        if (o->letter)
            fprintf(out, " -%c", o->letter);
    }
}

static void print_row(FILE *out, const char *name, const struct cli_verb *verb)
{
    const struct cli_option *options = verb ? verb->options : cli_global_options;
    fprintf(out, "    '%s')\n        flags='", name);
    print_flags(out, options, false);
    fputs(verb ? "' values='" : " --help' values='", out);
    print_flags(out, options, true);
    fputs("'", out);
    if (verb) {
        struct completion_words words = completion_words(verb);
        fprintf(out, " kind='%s' only='%s' second='%s' stops='%s'", words.kind,
                words.first_only ? "1" : "", words.second,
                verb->flags & CLI_VERB_STOPS ? "1" : "");
    }
    fputs("\n        ;;\n", out);
}

/* _dray_row VERB: what can stand behind it. */
static void print_rows(FILE *out)
{
    fputs("_dray_row() { # VERB\n    flags='' values='' kind='' only='' second='' "
          "stops=''\n"
          "    case $1 in\n",
          out);
    print_row(out, "", NULL);
    for (const struct cli_verb *v = cli_verbs; v->name; v++)
        print_row(out, v->name, v);
    fputs("    esac\n    [ -z \"$1\" ] || flags=\"$flags --help\"\n}\n\n", out);
}

static void print_value(FILE *out, const char *verb, const struct cli_option *option)
{
    const char *value = option->type == CLI_BOOL ? "" : completion_value(option);
    if (!*value)
        return;
    fprintf(out, "    '%s:--%s'", verb, option->name);
    if (option->letter)
        fprintf(out, " | '%s:-%c'", verb, option->letter);
    fprintf(out, ") echo '%s' ;;\n", value);
}

/* _dray_value VERB FLAG: what its value can be. */
static void print_values(FILE *out)
{
    fputs("_dray_value() { # VERB FLAG\n    case $1:$2 in\n", out);
    for (const struct cli_option *o = cli_global_options; o->name; o++)
        print_value(out, "", o);
    for (const struct cli_verb *v = cli_verbs; v->name; v++)
        for (const struct cli_option *o = v->options; o->name; o++)
            print_value(out, v->name, o);
    fputs("    esac\n}\n\n", out);
}

static void print_verbs(FILE *out)
{
    const char *group, *word, *meant;
    fputs("_dray_top='", out);
    for (const struct cli_verb *v = cli_verbs; v->name; v++)
        if (!strchr(v->name, ' '))
            fprintf(out, "%s ", v->name);
    for (size_t i = 0; (group = cli_group_name(i)); i++)
        fprintf(out, "%s%s", i ? " " : "", group);
    fputs("'\n\n_dray_group() { # GROUP: its words\n    case $1 in\n", out);
    for (size_t i = 0; (group = cli_group_name(i)); i++) {
        fprintf(out, "    %s) echo '", group);
        for (size_t j = 0; (word = cli_group_word(group, j, &meant)); j++)
            fprintf(out, "%s%s", j ? " " : "", word);
        fputs("' ;;\n", out);
    }
    fputs("    esac\n}\n\n_dray_find() { # WORD, or GROUP WORD: sets verb, or group\n"
          "    case $1 in\n",
          out);
    for (size_t i = 0; (group = cli_group_name(i)); i++)
        fprintf(out, "    %s) group=$1 ;;\n", group);
    for (const struct cli_verb *v = cli_verbs; v->name; v++)
        if (!strchr(v->name, ' '))
            fprintf(out, "    %s) verb=$1 ;;\n", v->name);
    for (size_t i = 0; (group = cli_group_name(i)); i++)
        for (size_t j = 0; (word = cli_group_word(group, j, &meant)); j++)
            fprintf(out, "    '%s %s') verb='%s' ;;\n", group, word, meant);
    fputs("    esac\n}\n\n", out);
}

/* Sets verb, group, count (of words behind the verb), wait (the flag whose value comes
 * now) and globals (the options before the verb). */
static const char scan[] =
    "_dray_scan() { # the words between dray and the cursor\n"
    "    local word letters\n"
    "    verb='' group='' count=0 wait='' ended=''\n"
    "    globals=()\n"
    "    _dray_row ''\n"
    "    for word in \"$@\"; do\n"
    "        [ -n \"$verb$group\" ] || case $word in -*) globals+=(\"$word\") ;; esac\n"
    "        if [ -n \"$wait\" ]; then\n"
    "            [ -n \"$verb$group\" ] || globals+=(\"$word\")\n"
    "            wait=''\n"
    "            continue\n"
    "        fi\n"
    "        case $word in\n"
    "        --) ended=1 ;;\n"
    "        --*=*) ;;\n"
    "        --*) case \" $values \" in *\" $word \"*) [ -n \"$ended\" ] || wait=$word "
    ";; "
    "esac ;;\n"
    "        -?*)\n"
    "            letters=${word#\"${word%?}\"}\n"
    "            case \" $values \" in *\" -$letters \"*) [ -n \"$ended\" ] || "
    "wait=-$letters ;; esac\n"
    "            ;;\n"
    "        *)\n"
    "            if [ -n \"$verb\" ]; then\n"
    "                count=$((count + 1))\n"
    "                [ -z \"$stops\" ] || ended=1\n"
    "            else\n"
    "                _dray_find \"${group:+$group }$word\"\n"
    "                [ -z \"$verb\" ] || _dray_row \"$verb\"\n"
    "            fi\n"
    "            ;;\n"
    "        esac\n"
    "    done\n"
    "}\n\n"
    "_dray_names() { # KIND\n"
    "    case $1 in\n"
    "    container | any | copy)\n"
    "        \"$program\" \"${globals[@]}\" ps -a --format '{{.Names}}' 2>/dev/null ;;\n"
    "    esac\n"
    "    case $1 in\n"
    "    image | any)\n"
    "        \"$program\" \"${globals[@]}\" images --format "
    "'{{.Repository}}:{{.Tag}}' 2>/dev/null |\n"
    "            while IFS= read -r word; do\n"
    "                case $word in *'<none>'*) ;; *) echo \"$word\" ;; esac\n"
    "            done ;;\n"
    "    esac\n"
    "    case $1 in\n"
    "    network | any)\n"
    "        \"$program\" \"${globals[@]}\" network ls --format '{{.Name}}' 2>/dev/null "
    ";;\n"
    "    esac\n"
    "    case $1 in\n"
    "    target) \"$program\" \"${globals[@]}\" target ls -q 2>/dev/null ;;\n"
    "    volume | any) \"$program\" \"${globals[@]}\" volume ls -q 2>/dev/null ;;\n"
    "    verb) echo \"$_dray_top\" ;;\n"
    "    shell) echo 'bash zsh fish' ;;\n"
    "    esac\n"
    "}\n\n"
    "_dray_answer() { # CURRENT WORD: what it can become; '@file' and '@dir' for paths\n"
    "    local flag\n"
    "    if [ -n \"$wait\" ]; then\n"
    "        _dray_value \"$verb\" \"$wait\"\n"
    "        return\n"
    "    fi\n"
    "    case $1 in\n"
    "    --*=*)\n"
    "        flag=${1%%=*}\n"
    "        for word in $(_dray_value \"$verb\" \"$flag\"); do\n"
    "            case $word in @*) ;; *) echo \"$flag=$word\" ;; esac\n"
    "        done\n"
    "        return ;;\n"
    "    -*)\n"
    "        [ -n \"$ended\" ] || echo \"$flags\"\n"
    "        return ;;\n"
    "    esac\n"
    "    if [ -z \"$verb\" ]; then\n"
    "        if [ -n \"$group\" ]; then _dray_group \"$group\"; else echo "
    "\"$_dray_top\"; fi\n"
    "    elif [ -n \"$second\" ] && [ \"$count\" -eq 1 ]; then\n"
    "        _dray_names \"$second\"\n"
    "    elif [ -z \"$kind\" ] || { [ -n \"$only\" ] && [ \"$count\" -gt 0 ]; }; then\n"
    "        echo @file\n"
    "    else\n"
    "        _dray_names \"$kind\"\n"
    "        [ \"$kind\" != copy ] || echo @file\n"
    "    fi\n"
    "}\n\n";

static void print_common(FILE *out)
{
    print_rows(out);
    print_values(out);
    print_verbs(out);
    fputs(scan, out);
}

void completion_bash(FILE *out)
{
    fputs("# bash completion for dray: source <(dray completion bash)\n\n", out);
    print_common(out);
    /* bash breaks words at ':' and '='; what stands before the last of them stays. */
    fputs("_dray() {\n"
          "    local line=${COMP_LINE:0:COMP_POINT} program=$1 cur prefix answer word\n"
          "    local verb group count wait ended flags values kind only second stops\n"
          "    local -a w globals\n"
          "    read -ra w <<<\"$line\"\n"
          "    [[ $line != *[[:space:]] ]] || w+=('')\n"
          "    cur=${w[${#w[@]} - 1]}\n"
          "    _dray_scan \"${w[@]:1:${#w[@]} - 2}\"\n"
          "    COMPREPLY=()\n"
          "    prefix=${cur%\"${cur##*[:=]}\"}\n"
          "    for answer in $(_dray_answer \"$cur\"); do\n"
          "        case $answer in\n"
          "        @dir) mapfile -t -O \"${#COMPREPLY[@]}\" COMPREPLY < <(compgen -d -- "
          "\"$cur\") ;;\n"
          "        @file) mapfile -t -O \"${#COMPREPLY[@]}\" COMPREPLY < <(compgen -f -- "
          "\"$cur\") ;;\n"
          "        \"$cur\"*)\n"
          "            [ \"$kind\" != copy ] || [[ $answer == -* ]] || answer=$answer:\n"
          "            COMPREPLY+=(\"${answer#\"$prefix\"}\") ;;\n"
          "        esac\n"
          "    done\n"
          "    [[ ${#COMPREPLY[@]} -ne 1 || ${COMPREPLY[0]} != *[:/] ]] || compopt -o "
          "nospace 2>/dev/null\n"
          "    return 0\n"
          "}\n"
          "complete -o filenames -o bashdefault -F _dray dray\n",
          out);
}

void completion_zsh(FILE *out)
{
    fputs("#compdef dray\n# zsh completion for dray: source <(dray completion zsh)\n\n",
          out);
    print_common(out);
    fputs(
        "_dray() {\n"
        "    local program=${words[1]} cur=${words[CURRENT]} answer word\n"
        "    local verb group count wait ended flags values kind only second stops\n"
        "    local -a globals answers\n"
        "    _dray_scan \"${(@)words[2,CURRENT-1]}\"\n"
        "    for answer in ${=\"$(_dray_answer \"$cur\")\"}; do\n"
        "        case $answer in\n"
        "        @dir) _files -/ ;;\n"
        "        @file) _files ;;\n"
        "        *) answers+=(\"$answer\") ;;\n"
        "        esac\n"
        "    done\n"
        "    if [[ $kind == copy && $cur != -* ]]; then\n"
        "        compadd -S: -- \"${answers[@]}\"\n"
        "    else\n"
        "        compadd -- \"${answers[@]}\"\n"
        "    fi\n"
        "}\n"
        "if [ \"${funcstack[1]}\" = _dray ]; then _dray \"$@\"; else compdef _dray dray; "
        "fi\n",
        out);
}
