/* SPDX-License-Identifier: Apache-2.0 */
/* src/win/regex.c under names of its own, beside the C library's. */
#define regcomp our_regcomp
#define regexec our_regexec
#define regerror our_regerror
#define regfree our_regfree
#include "win/regex.c"

/* 0: it matches, 1: not, 2: a bad pattern */
int our_match(const char *pattern, const char *text);
int our_match(const char *pattern, const char *text)
{
    regex_t regex;
    if (regcomp(&regex, pattern, REG_EXTENDED | REG_NOSUB) != 0)
        return 2;
    int rc = regexec(&regex, text, 0, NULL, 0);
    regfree(&regex);
    return rc;
}
