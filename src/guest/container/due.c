/* SPDX-License-Identifier: Apache-2.0 */
#include "guest/container/due.h"

#include <time.h>

/* 29 February on a certain day of the week: up to 40 years, where a century has no leap
 * day. */
#define YEARS_MAX 41
/* No zone moves its clock by more at once. */
#define CHANGE_S (6 * 3600)

static bool has(uint64_t set, int bit)
{
    return set >> bit & 1;
}

static bool local(int64_t at_s, struct tm *ret)
{
    time_t at = (time_t)at_s;
    return localtime_r(&at, ret);
}

static bool is_day(const struct spec_schedule *s, const struct tm *tm)
{
    return spec_schedule_has_day(s, tm->tm_mon + 1, tm->tm_mday, tm->tm_wday);
}

/* The moment at which the zone's offset changes, between two that have another one. */
static int64_t change_between(int64_t from_s, int64_t to_s)
{
    struct tm tm;
    if (!local(from_s, &tm))
        return to_s;
    long offset = tm.tm_gmtoff;
    while (to_s - from_s > 1) {
        int64_t middle = from_s + (to_s - from_s) / 2;
        if (local(middle, &tm) && tm.tm_gmtoff == offset)
            from_s = middle;
        else
            to_s = middle;
    }
    return to_s;
}

/* When a clock on the wall shows hour and minute of that day: the first time when it does
 * so twice; when it never does, the moment at which it is put forward. */
static int64_t moment_of(const struct tm *day, int hour, int minute)
{
    struct tm wanted = {.tm_year = day->tm_year,
                        .tm_mon = day->tm_mon,
                        .tm_mday = day->tm_mday,
                        .tm_hour = hour,
                        .tm_min = minute,
                        .tm_isdst = -1},
              got, before;
    int64_t at = (int64_t)mktime(&wanted);
    if (at < 0 || !local(at, &got) || !local(at - CHANGE_S, &before))
        return at;
    if (got.tm_hour != hour || got.tm_min != minute)
        return change_between(at - CHANGE_S, at + CHANGE_S);
    int64_t first = at - (before.tm_gmtoff - got.tm_gmtoff);
    if (first < at && local(first, &before) && before.tm_hour == hour &&
        before.tm_min == minute)
        return first;
    return at;
}

/* Noon of the day after, or of the one after that where there is none (Samoa, 2011). */
static bool next_day(struct tm *day)
{
    struct tm noon = {.tm_year = day->tm_year,
                      .tm_mon = day->tm_mon,
                      .tm_mday = day->tm_mday + 1,
                      .tm_hour = 12,
                      .tm_isdst = -1};
    int64_t at = (int64_t)mktime(&noon);
    int before = day->tm_yday;
    if (at < 0 || !local(at, day))
        return false;
    return day->tm_yday != before || local(at + 86400, day);
}

/* The schedule's times of a day, in their order. */
static int64_t due_on(const struct spec_schedule *s, const struct tm *day,
                      int64_t after_s)
{
    for (int hour = 0; hour < 24; hour++)
        for (int minute = 0; has(s->hours, hour) && minute < 60; minute++) {
            int64_t at = has(s->minutes, minute) ? moment_of(day, hour, minute) : -1;
            if (at > after_s)
                return at;
        }
    return -1;
}

#define DAY_MINUTES (27 * 60) /* with the hours that come twice */

/* What the clock shows of that day, minute by minute from at_s, a whole minute. */
static int64_t due_by_the_clock(const struct spec_schedule *s, const struct tm *day,
                                int64_t at_s)
{
    struct tm tm;
    for (int i = 0; i < DAY_MINUTES && local(at_s, &tm); i++, at_s += 60)
        if (tm.tm_mday == day->tm_mday && has(s->hours, tm.tm_hour) &&
            has(s->minutes, tm.tm_min))
            return at_s;
    return -1;
}

int64_t due_after(const struct spec_schedule *s, int64_t after_s)
{
    struct tm day;
    if (!local(after_s, &day))
        return -1;
    int last = day.tm_year + YEARS_MAX, second = day.tm_sec;
    for (bool today = true; day.tm_year <= last; today = false) {
        int64_t at = -1;
        if (is_day(s, &day) && !s->by_the_clock)
            at = due_on(s, &day, after_s);
        else if (is_day(s, &day))
            at = due_by_the_clock(s, &day,
                                  today ? after_s - second + 60 : moment_of(&day, 0, 0));
        if (at > after_s)
            return at;
        if (!next_day(&day))
            return -1;
    }
    return -1;
}
