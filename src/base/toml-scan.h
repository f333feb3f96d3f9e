/* SPDX-License-Identifier: Apache-2.0 */
/* TOML's words: blanks, comments, strings, keys, and values that are one word. What they
 * make together is toml.c's. */
#ifndef DRAY_BASE_TOML_SCAN_H
#define DRAY_BASE_TOML_SCAN_H

#include <stdbool.h>

#include "base/json.h"

struct toml_scan {
    const char *start, *p, *end; /* p: where we are */
    size_t max_bytes;            /* of a string */
    struct dr_error *err;
};

/* DR_ERR_FORMAT with the line and the column of where we are; -1. */
int toml_bad(struct toml_scan *s, const char *why);
/* NUL behind the end: callers need not look at both. */
char toml_peek(const struct toml_scan *s);
bool toml_at(const struct toml_scan *s, const char *word);

void toml_skip_blanks(struct toml_scan *s);
/* A comment, if there is one, up to its line's end. */
int toml_skip_comment(struct toml_scan *s);
bool toml_take_line_end(struct toml_scan *s);
/* Blanks, comments and line ends: what may stand between things in an array. */
int toml_skip_all(struct toml_scan *s);

/* A string in quotes, which is next; key: of one line. Owned. */
int toml_read_string(struct toml_scan *s, bool key, char **ret);
/* One part of a key, bare or in quotes. Owned. */
int toml_read_key(struct toml_scan *s, char **ret);
/* A boolean, a number or a date. NULL with err. */
json_t *toml_read_word(struct toml_scan *s);

#endif
