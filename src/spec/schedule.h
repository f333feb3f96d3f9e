/* SPDX-License-Identifier: Apache-2.0 */
/*
 * When a container with a schedule is started: crontab(5)'s five fields, its words
 * (`@daily` …), and `@every DURATION`. What is here says what a text means; which moment
 * comes next is told where the local time is known (guest/container/due.h).
 */
#ifndef DRAY_SPEC_SCHEDULE_H
#define DRAY_SPEC_SCHEDULE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

#define SPEC_SCHEDULE_FORM                                                               \
    "MINUTE HOUR DAY MONTH WEEKDAY as in crontab(5), @hourly, @daily, @weekly, "         \
    "@monthly, @yearly, or @every DURATION"

/* Bit n of a set: n is one of them. */
struct spec_schedule {
    int64_t every_ns;  /* @every: at least a second; 0: the sets say when */
    uint64_t minutes;  /* 0 to 59 */
    uint32_t hours;    /* 0 to 23 */
    uint32_t days;     /* 1 to 31 */
    uint32_t months;   /* 1 to 12 */
    uint32_t weekdays; /* 0 to 6, from Sunday */
    /* both days and weekdays are given: either is enough; else both must fit */
    bool either_day;
    /* minute or hour begin with '*': the clock's face counts, also when the hour is
     * skipped or comes twice in a change of the time zone */
    bool by_the_clock;
};

/*
 * Names of months and days are English, three letters, any case. Sunday is 0 or 7.
 * Refuses what never comes (30 February). DR_ERR_INVALID names the text, the part of it
 * that is wrong, and what would be right.
 */
int spec_schedule_parse(const char *text, struct spec_schedule *ret,
                        struct dr_error *err);

/* Does the schedule have this day in it? weekday: from Sunday. */
bool spec_schedule_has_day(const struct spec_schedule *schedule, int month, int day,
                           int weekday);

#endif
