/* SPDX-License-Identifier: Apache-2.0 */
/* POSIX extended regular expressions, as far as `ps --filter name=` takes them:
 * characters,
 * ".", "[...]" with ranges and [:classes:], "(...)", "|", "*", "+", "?", "{m,n}", "^",
 * "$". Bytes, not characters. */
#ifndef DRAY_WIN_REGEX_H
#define DRAY_WIN_REGEX_H

#include <stddef.h>

#define REG_EXTENDED 1
#define REG_NOSUB 8
#define REG_NOMATCH 1
#define REG_BADPAT 2

typedef struct {
    char *pattern; /* owned */
} regex_t;
typedef int regmatch_t;

/* 0, or REG_BADPAT. */
int regcomp(regex_t *regex, const char *pattern, int flags);
/* Whether it matches somewhere: 0, or REG_NOMATCH. count and matches: 0 and NULL. */
int regexec(const regex_t *regex, const char *text, size_t count, regmatch_t *matches,
            int flags);
size_t regerror(int code, const regex_t *regex, char *text, size_t room);
void regfree(regex_t *regex);

#endif
