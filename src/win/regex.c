/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Matches by trying, straight on the pattern's text: names are short, and so are
 * patterns. What comes behind is a continuation, so that a group inside of a repetition
 * can be given back and tried otherwise.
 */
#include <ctype.h>
#include <regex.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DEPTH_MAX 2000
#define REPEAT_MAX 255

/* What is left to match when this is matched. */
struct rest {
    bool (*go)(const struct rest *rest, const char *at);
    const struct rest *next;
    const char *atom, *atom_end; /* of a repetition */
    const char *end;             /* of the alternatives that it belongs to */
    const char *behind;
    int left_min, left_max;
    const char *last; /* where the last round began: one that takes nothing is the last */
};

static const char *begin_of_text;
static int depth;

static bool branches(const char *p, const char *end, const char *at,
                     const struct rest *next);

/* Behind a "[...]" whose "[" p is at; NULL: it does not end. */
static const char *set_end(const char *p, const char *end)
{
    p += p[1] == '^' ? 2 : 1;
    for (const char *first = p; p < end; p++) {
        if (*p == '[' && p[1] == ':') {
            p = strstr(p, ":]");
            if (!p || p >= end)
                return NULL;
            p++;
        } else if (*p == ']' && p != first) {
            return p + 1;
        }
    }
    return NULL;
}

static bool in_class(const char *name, unsigned char c)
{
    static const struct {
        const char *name;
        int (*is)(int c);
    } classes[] = {{"alnum", isalnum}, {"alpha", isalpha},  {"digit", isdigit},
                   {"lower", islower}, {"upper", isupper},  {"punct", ispunct},
                   {"space", isspace}, {"xdigit", isxdigit}};
    for (size_t i = 0; i < sizeof classes / sizeof *classes; i++)
        if (strncmp(name, classes[i].name, strlen(classes[i].name)) == 0 &&
            name[strlen(classes[i].name)] == ':')
            return classes[i].is(c) != 0;
    return false;
}

static bool in_set(const char *p, const char *end, unsigned char c)
{
    bool not = p[1] == '^', found = false;
    for (p += not ? 2 : 1; p < end - 1; p++) {
        if (*p == '[' && p[1] == ':') {
            found = found || in_class(p + 2, c);
            p = strstr(p, ":]") + 1;
            continue;
        }
        unsigned char low = (unsigned char)*p, high = low;
        if (p[1] == '-' && p + 2 < end - 1) {
            high = (unsigned char)p[2];
            p += 2;
        }
        found = found || (c >= low && c <= high);
    }
    return found != not ;
}

/* Behind the atom at p; NULL: it is none. */
static const char *atom_end(const char *p, const char *end)
{
    if (*p == '\\')
        return p + 1 < end ? p + 2 : NULL;
    if (*p == '[')
        return set_end(p, end);
    if (*p != '(')
        return strchr("*+?{)", *p) ? NULL : p + 1;
    int open = 0;
    while (p < end) {
        if (*p == '\\' || *p == '[') {
            p = atom_end(p, end);
            if (!p)
                return NULL;
            continue;
        }
        open += (*p == '(') - (*p == ')');
        p++;
        if (open == 0)
            return p;
    }
    return NULL;
}

/* How often; behind it. NULL: bad. */
static const char *repetition(const char *p, const char *end, int *ret_min, int *ret_max)
{
    *ret_min = *ret_max = 1;
    if (p >= end)
        return p;
    if (*p == '*' || *p == '+' || *p == '?') {
        *ret_min = *p == '+';
        *ret_max = *p == '?' ? 1 : -1;
        return p + 1;
    }
    if (*p != '{')
        return p;
    char *after;
    if (!isdigit((unsigned char)p[1]))
        return NULL;
    long min = strtol(p + 1, &after, 10), max = min;
    if (*after == ',')
        max = isdigit((unsigned char)after[1]) ? strtol(after + 1, &after, 10)
                                               : (after++, -1);
    if (*after != '}' || min > REPEAT_MAX || max > REPEAT_MAX || (max >= 0 && max < min))
        return NULL;
    *ret_min = (int)min;
    *ret_max = (int)max;
    return after + 1;
}

static bool one(const char *p, const char *p_end, const char *at, const struct rest *next)
{
    unsigned char c = (unsigned char)*at;
    if (*p == '(')
        return branches(p + 1, p_end - 1, at, next);
    if (*p == '^')
        return at == begin_of_text && next->go(next, at);
    if (*p == '$')
        return c == '\0' && next->go(next, at);
    if (c == '\0')
        return false;
    bool fits = *p == '.'    ? true
                : *p == '['  ? in_set(p, p_end, c)
                : *p == '\\' ? p[1] == (char)c
                             : *p == (char)c;
    return fits && next->go(next, at + 1);
}

static bool sequence(const char *p, const char *end, const char *at,
                     const struct rest *next);

static bool after_atom(const struct rest *rest, const char *at)
{
    bool empty = at == rest->last;
    if (rest->left_max != 0 && !empty && depth < DEPTH_MAX) {
        struct rest again = *rest;
        again.left_min = rest->left_min > 0 ? rest->left_min - 1 : 0;
        again.left_max = rest->left_max > 0 ? rest->left_max - 1 : -1;
        again.last = at;
        depth++;
        bool matched = one(rest->atom, rest->atom_end, at, &again);
        depth--;
        if (matched)
            return true;
    }
    return (rest->left_min == 0 || empty) &&
           sequence(rest->behind, rest->end, at, rest->next);
}

static bool sequence(const char *p, const char *end, const char *at,
                     const struct rest *next)
{
    if (p >= end)
        return next->go(next, at);
    int min, max;
    const char *stop = atom_end(p, end);
    const char *behind = repetition(stop, end, &min, &max);
    struct rest rest = {.go = after_atom,
                        .next = next,
                        .atom = p,
                        .atom_end = stop,
                        .end = end,
                        .behind = behind,
                        .left_min = min,
                        .left_max = max};
    return after_atom(&rest, at);
}

/* The "|" of this level, or end. */
static const char *branch_end(const char *p, const char *end)
{
    while (p < end && *p != '|') {
        const char *stop = atom_end(p, end);
        p = stop ? stop : p + 1; /* a repetition's sign */
    }
    return p;
}

static bool branches(const char *p, const char *end, const char *at,
                     const struct rest *next)
{
    for (;;) {
        const char *stop = branch_end(p, end);
        if (sequence(p, stop, at, next))
            return true;
        if (stop >= end)
            return false;
        p = stop + 1;
    }
}

static bool found(const struct rest *rest, const char *at)
{
    (void)rest;
    (void)at;
    return true;
}

static bool valid(const char *p, const char *end)
{
    while (p < end) {
        int min, max;
        if (*p == '|') {
            p++;
            continue;
        }
        const char *stop = atom_end(p, end);
        if (!stop || (*p == '(' && !valid(p + 1, stop - 1)))
            return false;
        p = repetition(stop, end, &min, &max);
        if (!p)
            return false;
    }
    return true;
}

int regcomp(regex_t *regex, const char *pattern, int flags)
{
    (void)flags;
    if (!valid(pattern, pattern + strlen(pattern)))
        return REG_BADPAT;
    regex->pattern = strdup(pattern);
    return regex->pattern ? 0 : REG_BADPAT;
}

int regexec(const regex_t *regex, const char *text, size_t count, regmatch_t *matches,
            int flags)
{
    (void)count;
    (void)matches;
    (void)flags;
    const struct rest end = {.go = found};
    begin_of_text = text;
    depth = 0;
    for (const char *at = text;; at++) {
        if (branches(regex->pattern, regex->pattern + strlen(regex->pattern), at, &end))
            return 0;
        if (!*at)
            return REG_NOMATCH;
    }
}

size_t regerror(int code, const regex_t *regex, char *text, size_t room)
{
    (void)code;
    (void)regex;
    return (size_t)snprintf(text, room, "Invalid regular expression");
}

void regfree(regex_t *regex)
{
    free(regex->pattern);
    regex->pattern = NULL;
}
