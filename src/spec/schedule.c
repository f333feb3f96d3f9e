/* SPDX-License-Identifier: Apache-2.0 */
#include "spec/schedule.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/buf.h"
#include "base/json.h"
#include "base/text.h"

#define NS_PER_S 1000000000LL
#define TEXT_MAX 512 /* nobody needs more, and it stands in every list */
#define EVERY_MAX_NS (366 * 86400 * NS_PER_S)

struct field {
    const char *name;
    int min, max;
    const char *const *words; /* of min and what follows; NULL: numbers only */
};

static const char *const month_words[] = {"jan", "feb", "mar", "apr", "may", "jun", "jul",
                                          "aug", "sep", "oct", "nov", "dec", NULL};
static const char *const day_words[] = {"sun", "mon", "tue", "wed",
                                        "thu", "fri", "sat", NULL};

enum { MINUTE, HOUR, DAY, MONTH, WEEKDAY, FIELDS };

static const struct field fields[FIELDS] = {
    [MINUTE] = {"minute", 0, 59, NULL},
    [HOUR] = {"hour", 0, 23, NULL},
    [DAY] = {"day of the month", 1, 31, NULL},
    [MONTH] = {"month", 1, 12, month_words},
    [WEEKDAY] = {"day of the week", 0, 7, day_words}, /* 0 and 7 are Sunday */
};

static const char *const words[][2] = {
    {"@hourly", "0 * * * *"},   {"@daily", "0 0 * * *"},   {"@midnight", "0 0 * * *"},
    {"@weekly", "0 0 * * 0"},   {"@monthly", "0 0 1 * *"}, {"@yearly", "0 0 1 1 *"},
    {"@annually", "0 0 1 1 *"},
};

/* A part of a text: not ended by a NUL. */
struct part {
    const char *at;
    size_t len;
};

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

/* Up to the separator, which is passed over; false: nothing is left. */
static bool cut(struct part *rest, char separator, struct part *ret)
{
    if (!rest->at)
        return false;
    const char *end = memchr(rest->at, separator, rest->len);
    size_t len = end ? (size_t)(end - rest->at) : rest->len;
    *ret = (struct part){rest->at, len};
    rest->at = end ? end + 1 : NULL;
    rest->len -= end ? len + 1 : len;
    return true;
}

static int wrong(const struct field *field, struct part part, const char *why,
                 struct dr_error *err)
{
    dr_auto_free char *text = dr_strndup(part.at, part.len);
    dr_auto_free char *safe = dr_escape(text, 60);
    return dr_fail(err, DR_ERR_INVALID, "'%s' as %s: %s", safe, field->name, why);
}

static int out_of_range(const struct field *field, struct part part, struct dr_error *err)
{
    dr_auto_free char *why =
        dr_printf("expected *, or numbers%s from %d to %d, as 1,5-10 or */2",
                  field->words ? " (or the first three letters of an English name)" : "",
                  field->min, field->max);
    return wrong(field, part, why, err);
}

/* A number or a word. */
static int parse_value(const struct field *field, struct part part, int *ret,
                       struct dr_error *err)
{
    for (int i = 0; field->words && field->words[i]; i++)
        if (part.len == 3 && strncasecmp(part.at, field->words[i], 3) == 0) {
            *ret = field->min + i;
            return 0;
        }
    char digits[8];
    int64_t n;
    if (part.len == 0 || part.len >= sizeof digits)
        return out_of_range(field, part, err);
    memcpy(digits, part.at, part.len);
    digits[part.len] = '\0';
    if (strspn(digits, "0123456789") != part.len ||
        !dr_int_parse(digits, field->min, field->max, &n))
        return out_of_range(field, part, err);
    *ret = (int)n;
    return 0;
}

static int parse_step(const struct field *field, struct part whole, struct part part,
                      int *ret, struct dr_error *err)
{
    *ret = 0;
    for (size_t i = 0; i < part.len && *ret <= field->max; i++) {
        if (part.at[i] < '0' || part.at[i] > '9')
            return wrong(field, whole, "the step behind '/' is no number", err);
        *ret = *ret * 10 + (part.at[i] - '0');
    }
    if (*ret < 1 || *ret > field->max)
        return wrong(field, whole, "the step behind '/' is out of range", err);
    return 0;
}

/* One of a list: "*", "5", "5-10", "mon-fri", each but "5" with a step behind it. */
static int parse_item(const struct field *field, struct part item, uint64_t *set,
                      struct dr_error *err)
{
    struct part range, first, last, rest = item;
    int from = field->min, to = field->words == day_words ? 6 : field->max, by = 1;
    cut(&rest, '/', &range);
    bool has_step = rest.at, all = range.len == 1 && *range.at == '*';
    if (has_step && parse_step(field, item, rest, &by, err) < 0)
        return -1;
    if (!all) {
        cut(&range, '-', &first);
        bool is_range = range.at;
        last = is_range ? range : first;
        if (parse_value(field, first, &from, err) < 0 ||
            parse_value(field, last, &to, err) < 0)
            return -1;
        if (is_range && to == 0 && from > 0 && field->words == day_words)
            to = 7; /* "fri-sun" */
        if (is_range && to < from)
            return wrong(field, item,
                         "a range begins with the smaller value; two ranges with a comma "
                         "between them go over the end",
                         err);
        if (has_step && !is_range) {
            dr_auto_free char *why = dr_printf("a step needs a range: %d-%d/%d, or */%d",
                                               from, field->max, by, by);
            return wrong(field, item, why, err);
        }
    }
    for (int i = from; i <= to; i += by)
        *set |= 1ULL << (field->words == day_words ? i % 7 : i);
    return 0;
}

static int parse_field(const struct field *field, struct part text, uint64_t *ret,
                       struct dr_error *err)
{
    struct part item;
    *ret = 0;
    while (cut(&text, ',', &item))
        if (parse_item(field, item, ret, err) < 0)
            return -1;
    return 0;
}

bool spec_schedule_has_day(const struct spec_schedule *s, int month, int day, int weekday)
{
    bool in_month = s->days & 1u << day, in_week = s->weekdays & 1u << weekday;
    return (s->months & 1u << month) &&
           (s->either_day ? in_month || in_week : in_month && in_week);
}

/* Some day of some year fits. Weekdays alone always come; together with a day they do
 * within some years. */
static int check_comes(const struct spec_schedule *s, struct dr_error *err)
{
    static const int longest[] = {0, 31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    for (int month = 1; month <= 12; month++)
        for (int day = 1; day <= longest[month]; day++)
            for (int weekday = 0; weekday < 7; weekday++)
                if (spec_schedule_has_day(s, month, day, weekday))
                    return 0;
    return dr_fail(err, DR_ERR_INVALID, "none of its months has such a day");
}

static int parse_fields(const char *text, struct spec_schedule *ret, struct dr_error *err)
{
    struct part parts[FIELDS];
    uint64_t sets[FIELDS];
    size_t count = 0;
    for (const char *p = text; *p; count++) {
        size_t len = strcspn(p, " \t");
        if (count < FIELDS)
            parts[count] = (struct part){p, len};
        for (p += len; is_blank(*p); p++)
            ;
    }
    if (count != FIELDS)
        return dr_fail(err, DR_ERR_INVALID, "it has %zu field%s: expected %s", count,
                       count == 1 ? "" : "s", SPEC_SCHEDULE_FORM);
    for (size_t i = 0; i < FIELDS; i++)
        if (parse_field(&fields[i], parts[i], &sets[i], err) < 0)
            return -1;
    bool any_day = *parts[DAY].at == '*', any_weekday = *parts[WEEKDAY].at == '*';
    *ret = (struct spec_schedule){
        .minutes = sets[MINUTE],
        .hours = (uint32_t)sets[HOUR],
        .days = (uint32_t)sets[DAY],
        .months = (uint32_t)sets[MONTH],
        .weekdays = (uint32_t)sets[WEEKDAY],
        .either_day = !any_day && !any_weekday,
        .by_the_clock = *parts[MINUTE].at == '*' || *parts[HOUR].at == '*',
    };
    return check_comes(ret, err);
}

static int parse_every(const char *text, struct spec_schedule *ret, struct dr_error *err)
{
    int64_t ns;
    if (dr_duration_parse(text, &ns, err) < 0)
        return -1;
    if (ns < NS_PER_S || ns > EVERY_MAX_NS)
        return dr_fail(err, DR_ERR_INVALID, "from 1s to 8784h, a leap year");
    *ret = (struct spec_schedule){.every_ns = ns};
    return 0;
}

static int parse(const char *text, struct spec_schedule *ret, struct dr_error *err)
{
    if (strlen(text) > TEXT_MAX)
        return dr_fail(err, DR_ERR_INVALID, "it is longer than %d bytes", TEXT_MAX);
    if (*text != '@')
        return parse_fields(text, ret, err);
    if (strncmp(text, "@every", 6) == 0 && is_blank(text[6]))
        return parse_every(text + 6 + strspn(text + 6, " \t"), ret, err);
    for (size_t i = 0; i < DR_COUNT(words); i++)
        if (strcmp(text, words[i][0]) == 0)
            return parse_fields(words[i][1], ret, err);
    return dr_fail(err, DR_ERR_INVALID, "expected %s", SPEC_SCHEDULE_FORM);
}

int spec_schedule_parse(const char *text, struct spec_schedule *ret, struct dr_error *err)
{
    size_t len;
    struct spec_schedule schedule = {0};
    text += strspn(text, " \t");
    for (len = strlen(text); len > 0 && is_blank(text[len - 1]); len--)
        ;
    dr_auto_free char *trimmed = dr_strndup(text, len);
    if (parse(trimmed, &schedule, err) < 0) {
        dr_auto_free char *safe = dr_escape(trimmed, 100);
        return dr_wrap(err, "'%s'", safe);
    }
    *ret = schedule;
    return 0;
}
