/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Completion for shells, written from the tables of verbs and options. The scripts know
 * the words and flags by heart and call dray for names of containers, images and volumes.
 */
#ifndef DRAY_CLI_COMPLETION_H
#define DRAY_CLI_COMPLETION_H

#include <stdio.h>

#include "cli/cli.h"

/* What stands behind a verb's options. */
struct completion_words {
    const char *
        kind; /* "container", "image", "volume", "target", "any", "copy", "verb", "shell";
                 "": a path or a name that nobody can guess */
    bool first_only;    /* what follows the first is something else: */
    const char *second; /* a kind again, or "" */
};
struct completion_words completion_words(const struct cli_verb *verb);

/* What an option's value can be: blank-separated words, "@file", "@dir", or "". */
const char *completion_value(const struct cli_option *option);

void completion_bash(FILE *out);
void completion_zsh(FILE *out);
void completion_fish(FILE *out);

#endif
