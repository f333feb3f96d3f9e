/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/options.h"

#include <string.h>

#include "base/nearest.h"
#include "base/text.h"

struct parser {
    const struct cli_option *table;
    const char *verb;
    void *args;
};

const struct cli_option *cli_option_find(const struct cli_option *table, const char *name,
                                         size_t len)
{
    for (const struct cli_option *o = table; o && o->name; o++) {
        if (strlen(o->name) == len && memcmp(o->name, name, len) == 0)
            return o;
        if (o->alias && strlen(o->alias) == len && memcmp(o->alias, name, len) == 0)
            return o;
    }
    return NULL;
}

const struct cli_option *cli_option_letter(const struct cli_option *table, char letter)
{
    for (const struct cli_option *o = table; o && o->name; o++)
        if (o->letter && o->letter == letter)
            return o;
    return NULL;
}

static void *slot(const struct parser *p, const struct cli_option *option)
{
    return (char *)p->args + option->at;
}

static void set_defaults(const struct parser *p)
{
    for (const struct cli_option *o = p->table; o && o->name; o++) {
        if (o->type == CLI_BOOL)
            *(bool *)slot(p, o) = o->otherwise != 0;
        else if (o->type == CLI_INT || o->type == CLI_BYTES)
            *(int64_t *)slot(p, o) = o->otherwise;
        else
            *(void **)slot(p, o) = NULL;
    }
}

/* "-n, --last", as Docker names a flag in its errors */
static char *flag_name(const struct cli_option *option)
{
    return option->letter ? dr_printf("-%c, --%s", option->letter, option->name)
                          : dr_printf("--%s", option->name);
}

static int bad_value(const struct cli_option *option, const char *value, const char *why,
                     struct dr_error *err)
{
    dr_auto_free char *flag = flag_name(option);
    dr_auto_free char *safe = dr_escape(value, 200);
    return dr_fail(err, DR_ERR_INVALID, "invalid argument \"%s\" for \"%s\" flag: %s",
                   safe, flag, why);
}

/* The words that Go's strconv.ParseBool knows. */
static int bool_parse(const char *text)
{
    static const char *const yes[] = {"1", "t", "T", "true", "TRUE", "True"};
    static const char *const no[] = {"0", "f", "F", "false", "FALSE", "False"};
    for (size_t i = 0; i < DR_COUNT(yes); i++) {
        if (strcmp(text, yes[i]) == 0)
            return 1;
        if (strcmp(text, no[i]) == 0)
            return 0;
    }
    return -1;
}

static int set_int(const struct parser *p, const struct cli_option *option,
                   const char *value, struct dr_error *err)
{
    int64_t number;
    if (!dr_int_parse(value, option->min, option->max, &number)) {
        dr_auto_free char *why =
            option->max == INT64_MAX
                ? dr_printf("it must be a whole number of at least %lld",
                            (long long)option->min)
                : dr_printf("it must be a whole number from %lld to %lld",
                            (long long)option->min, (long long)option->max);
        return bad_value(option, value, why, err);
    }
    *(int64_t *)slot(p, option) = number;
    return 0;
}

static int set_bytes(const struct parser *p, const struct cli_option *option,
                     const char *value, struct dr_error *err)
{
    dr_auto_error struct dr_error why = DR_ERROR_INIT;
    int64_t bytes;
    if (dr_size_parse(value, &bytes, &why) < 0)
        return bad_value(option, value,
                         "it must be a size: a number with b, k, m or g behind it", err);
    if (bytes < option->min) {
        dr_auto_free char *text =
            dr_printf("the minimum is %lldm", (long long)(option->min >> 20));
        return bad_value(option, value, text, err);
    }
    *(int64_t *)slot(p, option) = bytes;
    return 0;
}

static int set_value(const struct parser *p, const struct cli_option *option,
                     const char *value, struct dr_error *err)
{
    switch (option->type) {
    case CLI_BOOL: {
        int parsed = bool_parse(value);
        if (parsed < 0)
            return bad_value(option, value, "it must be true or false", err);
        *(bool *)slot(p, option) = parsed;
        return 0;
    }
    case CLI_TEXT:
        *(const char **)slot(p, option) = value;
        return 0;
    case CLI_LIST:
        dr_strv_add((char ***)slot(p, option), value);
        return 0;
    case CLI_INT:
        return set_int(p, option, value, err);
    case CLI_BYTES:
        return set_bytes(p, option, value, err);
    }
    return dr_fail(err, DR_ERR_INTERNAL, "--%s has no type", option->name);
}

static const char *next_option_name(void *state)
{
    const struct cli_option **at = state;
    return (*at)->name ? (*at)++->name : NULL;
}

/* Names what is missing, or what was probably meant: nothing is ever ignored. */
static int unknown(const struct parser *p, const char *name, size_t len, char letter,
                   struct dr_error *err)
{
    const struct cli_refused *refused = cli_refused_flag(p->verb, name, len, letter);
    if (refused)
        return dr_fail(err, DR_ERR_UNSUPPORTED, "--%s is not supported yet (%s)",
                       refused->name, refused->reason);
    if (!name) {
        char text[2] = {letter, '\0'};
        dr_auto_free char *safe = dr_escape(text, 1);
        return dr_fail(err, DR_ERR_INVALID, "unknown shorthand flag: -%s", safe);
    }
    dr_auto_free char *given = dr_strndup(name, len);
    dr_auto_free char *safe = dr_escape(given, 100);
    const struct cli_option *at = p->table;
    const char *near = at ? dr_nearest(given, next_option_name, &at) : NULL;
    if (near)
        return dr_fail(err, DR_ERR_INVALID, "unknown flag: --%s (did you mean --%s?)",
                       safe, near);
    return dr_fail(err, DR_ERR_INVALID, "unknown flag: --%s", safe);
}

static int missing(const struct cli_option *option, struct dr_error *err)
{
    dr_auto_free char *flag = flag_name(option);
    return dr_fail(err, DR_ERR_INVALID, "flag needs an argument: %s %s", flag,
                   option->value);
}

/* arg: "--name" or "--name=value". *at stands on it and is moved on over what was used.
 */
static int parse_long(const struct parser *p, char ***at, bool *ret_help,
                      struct dr_error *err)
{
    const char *name = **at + 2;
    size_t len = strcspn(name, "=");
    const char *value = name[len] == '=' ? name + len + 1 : NULL;
    const struct cli_option *option = cli_option_find(p->table, name, len);
    (*at)++;
    if (!option && len == 4 && memcmp(name, "help", 4) == 0) {
        *ret_help = true;
        return 0;
    }
    if (!option)
        return unknown(p, name, len, 0, err);
    if (!value && option->type == CLI_BOOL)
        value = "true";
    if (!value && !**at)
        return missing(option, err);
    if (!value)
        value = *(*at)++;
    return set_value(p, option, value, err);
}

/* arg: "-abc", "-n5", "-n=5" or "-n" with its value in the next word */
static int parse_short(const struct parser *p, char ***at, bool *ret_help,
                       struct dr_error *err)
{
    const char *letters = *(*at)++ + 1;
    for (; *letters; letters++) {
        const struct cli_option *option = cli_option_letter(p->table, *letters);
        if (!option && *letters == 'h') {
            *ret_help = true;
            return 0;
        }
        if (!option)
            return unknown(p, NULL, 0, *letters, err);
        if (option->type == CLI_BOOL && letters[1] != '=') {
            *(bool *)slot(p, option) = true;
            continue;
        }
        const char *value = letters + 1;
        if (*value == '=')
            value++;
        else if (!*value && !**at)
            return missing(option, err);
        else if (!*value)
            value = *(*at)++;
        return set_value(p, option, value, err);
    }
    return 0;
}

int cli_parse(const struct cli_option *table, const char *verb, int flags, char **argv,
              void *args, struct cli_parsed *ret, struct dr_error *err)
{
    struct parser p = {.table = table, .verb = verb, .args = args};
    size_t count = 0;
    while (argv[count])
        count++;
    dr_auto_free char **words = dr_alloc((count + 1) * sizeof(*words));
    size_t word_count = 0;
    bool help = false;
    set_defaults(&p);
    for (char **at = argv; *at && !help;) {
        int rc = 0;
        if (strcmp(*at, "--") == 0) {
            while (*++at)
                words[word_count++] = *at;
        } else if (strncmp(*at, "--", 2) == 0) {
            rc = parse_long(&p, &at, &help, err);
        } else if ((*at)[0] == '-' && (*at)[1]) {
            rc = parse_short(&p, &at, &help, err);
        } else if (flags & CLI_STOP_AT_WORD) {
            for (; *at; at++)
                words[word_count++] = *at;
        } else {
            words[word_count++] = *at++;
        }
        if (rc < 0) {
            cli_args_release(table, args);
            return -1;
        }
    }
    *ret = (struct cli_parsed){DR_TAKE(words), word_count, help};
    return 0;
}

void cli_parsed_release(struct cli_parsed *parsed)
{
    free(parsed->words);
    *parsed = (struct cli_parsed){0};
}

void cli_args_release(const struct cli_option *table, void *args)
{
    for (const struct cli_option *o = table; o && o->name; o++) {
        if (o->type != CLI_LIST)
            continue;
        char ***list = (char ***)((char *)args + o->at);
        dr_strv_free(*list);
        *list = NULL;
    }
}
