/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `dray compose -f FILE up`: hands that know docker compose type what is about the files
 * before the verb. It is taken behind it, where it is parsed; there -f may mean another
 * thing (logs), so that it goes by its long name.
 */
#include <string.h>

#include "base/json.h"
#include "cli/compose.h"

static const struct {
    char letter;
    const char *name;
    bool alone; /* it has no value */
} flags[] = {{'f', "--file", false},
             {'p', "--project-name", false},
             {0, "--project-directory", false},
             {0, "--profile", false},
             {0, "--env-file", false},
             {0, "--secrets-file", false},
             {0, "--dry-run", true}};

/* 0: it is none of them; else how many words it takes. Appends it to *taken. */
static size_t take(char *const *words, char ***taken)
{
    for (size_t i = 0; i < DR_COUNT(flags); i++) {
        const char *word = words[0], *name = flags[i].name;
        size_t len = strlen(name);
        if (flags[i].alone && strcmp(word, name) == 0) {
            dr_strv_add(taken, name);
            return 1;
        }
        bool is_short = flags[i].letter && word[1] == flags[i].letter;
        const char *value = NULL;
        if (is_short && word[2])
            value = word + 2 + (word[2] == '=');
        else if (strncmp(word, name, len) == 0 && word[len] == '=')
            value = word + len + 1;
        else if (flags[i].alone || (!is_short && strcmp(word, name) != 0))
            continue;
        if (!value && !words[1])
            return 0;
        dr_strv_add(taken, name);
        dr_strv_add(taken, value ? value : words[1]);
        return value ? 1 : 2;
    }
    return 0;
}

bool cli_compose_option(const char *word)
{
    for (size_t i = 0; i < DR_COUNT(flags); i++)
        if (strcmp(word, flags[i].name) == 0 ||
            (flags[i].letter && word[0] == '-' && word[1] == flags[i].letter))
            return true;
    return false;
}

char **cli_compose_order(char *const *words)
{
    dr_auto_strv char **front = NULL;
    char **ordered = NULL;
    size_t i = 0, n;
    while (words[i] && words[i][0] == '-' && (n = take(words + i, &front)) > 0)
        i += n;
    if (words[i]) {
        dr_strv_add(&ordered, words[i]);
        i++;
    }
    for (size_t j = 0; front && front[j]; j++)
        dr_strv_add(&ordered, front[j]);
    for (; words[i]; i++)
        dr_strv_add(&ordered, words[i]);
    return ordered;
}
