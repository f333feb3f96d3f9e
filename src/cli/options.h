/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The option parser: a table per verb says what there is and where its value goes.
 *
 * Understood, as Docker's (pflag) does: --flag value, --flag=value, -f value, -fvalue,
 * -f=value, clustered booleans (-it), --flag=false, repetition, "--" as the end of
 * options. Nothing is ever ignored: what is not in the table is an error that names it.
 */
#ifndef DRAY_CLI_OPTIONS_H
#define DRAY_CLI_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/json.h"

enum cli_type {
    CLI_BOOL,  /* bool */
    CLI_TEXT,  /* const char *: borrowed from argv, the last one wins; NULL: not given */
    CLI_LIST,  /* char **: owned vector (base/json.h), in the order given */
    CLI_INT,   /* int64_t in min..max; `otherwise` when not given */
    CLI_BYTES, /* int64_t by dr_size_parse, at least min; `otherwise` when not given */
};

struct cli_option {
    char letter;      /* 0: none */
    const char *name; /* without dashes; NULL ends the table */
    enum cli_type type;
    size_t at; /* offsetof() in the verb's struct */
    const char
        *value; /* what the value is called in the help: "list"; NULL for CLI_BOOL */
    const char *help; /* one line, no full stop */
    int64_t min, max,
        otherwise;     /* CLI_INT, CLI_BYTES; for CLI_BOOL otherwise is 0 or 1 */
    const char *alias; /* a second long name, or NULL */
};

/* What the command line was taken apart into. */
struct cli_parsed {
    char **words; /* NULL-terminated; the vector is owned, the words are argv's */
    size_t word_count;
    bool help; /* --help stood there; parsing stopped */
};

enum cli_parse_flags {
    CLI_STOP_AT_WORD = 1, /* options end at the first word: the rest is the container's */
};

/*
 * Takes argv (NULL-terminated, without the verb) apart. args points to the verb's struct:
 * it is filled with defaults first. verb names the table of refused.c to look into when a
 * flag is unknown.
 * DR_ERR_INVALID, or DR_ERR_UNSUPPORTED for a flag that Docker has and dray does not. On
 * failure nothing is owned by the caller.
 */
int cli_parse(const struct cli_option *table, const char *verb, int flags, char **argv,
              void *args, struct cli_parsed *ret, struct dr_error *err);
void cli_parsed_release(struct cli_parsed *parsed);
/* Frees the lists in args. */
void cli_args_release(const struct cli_option *table, void *args);

/* Looks up a long name (its first len bytes) or a letter; NULL when there is none. */
const struct cli_option *cli_option_find(const struct cli_option *table, const char *name,
                                         size_t len);
const struct cli_option *cli_option_letter(const struct cli_option *table, char letter);

/* --- refused.c: what Docker has and dray does not --- */

struct cli_refused {
    const char *verb; /* NULL: of every verb */
    char letter;
    const char *name;
    const char *reason; /* why, or what to use instead */
};
/* By long name (len bytes), or by letter when name is NULL. */
const struct cli_refused *cli_refused_flag(const char *verb, const char *name, size_t len,
                                           char letter);
/* A verb of Docker's that dray does not have: why; else NULL. */
const char *cli_refused_verb(const char *name);

#endif
