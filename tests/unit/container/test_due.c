/* SPDX-License-Identifier: Apache-2.0 */
/* Zones are POSIX's own texts: no zone files are needed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "base/text.h"
#include "guest/container/due.h"

#define UTC "UTC0"
#define BERLIN "CET-1CEST,M3.5.0,M10.5.0/3"
#define NEW_YORK "EST5EDT,M3.2.0,M11.1.0"
#define LORD_HOWE "<+1030>-10:30<+11>-11,M10.1.0,M4.1.0" /* by half an hour */
#define BEIRUT "EET-2EEST,M3.5.0/0,M10.5.0/0"            /* at midnight */
#define ST_JOHNS "NST3:30NDT,M3.2.0/0:01,M11.1.0/0:01"   /* was so until 2011 */

/* RFC 3339, with the zone's offset of that moment. */
static int64_t seconds(const char *text)
{
    struct dr_error err = DR_ERROR_INIT;
    int64_t ns = -1;
    assert_int_equal(dr_time_parse(text, &ns, &err), 0);
    return ns / 1000000000;
}

/* The schedule's times behind `after` are those, one after the other. */
static void check(const char *zone, const char *text, const char *after,
                  const char *const *expected)
{
    struct dr_error err = DR_ERROR_INIT;
    struct spec_schedule schedule;
    setenv("TZ", zone, 1);
    tzset();
    assert_int_equal(spec_schedule_parse(text, &schedule, &err), 0);
    int64_t at = seconds(after);
    for (size_t i = 0; expected[i]; i++) {
        at = due_after(&schedule, at);
        char got[DR_TIME_TEXT], wanted[DR_TIME_TEXT];
        dr_time_format(at * 1000000000, got);
        dr_time_format(seconds(expected[i]) * 1000000000, wanted);
        if (strcmp(got, wanted) != 0)
            fail_msg("'%s' in %s, time %zu: %s, not %s", text, zone, i + 1, got, wanted);
    }
}

#define CHECK(zone, text, after, ...)                                                    \
    check(zone, text, after, (const char *const[]){__VA_ARGS__, NULL})

static void the_next_time_is_later_than_the_last(void **state)
{
    CHECK(UTC, "* * * * *", "2026-11-26T10:00:00Z", "2026-11-26T10:01:00Z",
          "2026-11-26T10:02:00Z");
    CHECK(UTC, "*/20 * * * *", "2026-11-26T23:40:59Z", "2026-11-27T00:00:00Z",
          "2026-11-27T00:20:00Z");
    CHECK(UTC, "0 12 * * *", "2026-11-26T12:00:00Z", "2026-11-27T12:00:00Z");
    CHECK(UTC, "0 12 * * *", "2026-11-26T11:59:59Z", "2026-11-26T12:00:00Z");
    CHECK(UTC, "59 23 31 12 *", "2026-12-31T23:58:00Z", "2026-12-31T23:59:00Z",
          "2027-12-31T23:59:00Z");
    CHECK(UTC, "5,35 0-1 * * *", "2026-11-26T00:00:00Z", "2026-11-26T00:05:00Z",
          "2026-11-26T00:35:00Z", "2026-11-26T01:05:00Z", "2026-11-26T01:35:00Z",
          "2026-11-27T00:05:00Z");
}

static void months_end_and_years_leap(void **state)
{
    CHECK(UTC, "0 0 31 * *", "2026-01-31T00:00:00Z", "2026-03-31T00:00:00Z",
          "2026-05-31T00:00:00Z");
    CHECK(UTC, "0 0 29 2 *", "2026-01-01T00:00:00Z", "2028-02-29T00:00:00Z",
          "2032-02-29T00:00:00Z");
    CHECK(UTC, "0 0 29 2 *", "2097-01-01T00:00:00Z", "2104-02-29T00:00:00Z");
    CHECK(UTC, "0 0 29 2 */7", "2064-01-01T00:00:00Z", "2088-02-29T00:00:00Z",
          "2128-02-29T00:00:00Z"); /* Sundays: 2100 has no such day */
    CHECK(UTC, "30 6 * feb *", "2028-02-28T06:30:00Z", "2028-02-29T06:30:00Z",
          "2029-02-01T06:30:00Z");
    CHECK(UTC, "@yearly", "2026-11-26T00:00:00Z", "2027-01-01T00:00:00Z");
}

static void a_day_of_the_month_or_one_of_the_week_is_enough(void **state)
{
    /* Friday the 27th, and the 1st, a Tuesday */
    CHECK(UTC, "0 0 1 * fri", "2026-11-26T00:00:00Z", "2026-11-27T00:00:00Z",
          "2026-12-01T00:00:00Z", "2026-12-04T00:00:00Z");
    /* with a '*' in front both must fit: crontab(5) */
    CHECK(UTC, "0 0 */2 * fri", "2026-11-26T00:00:00Z", "2026-11-27T00:00:00Z",
          "2026-12-11T00:00:00Z", "2026-12-25T00:00:00Z");
    CHECK(UTC, "@weekly", "2026-11-26T00:00:00Z", "2026-11-29T00:00:00Z");
    CHECK(UTC, "0 0 * * 7", "2026-11-26T00:00:00Z", "2026-11-29T00:00:00Z");
}

static void times_are_local(void **state)
{
    CHECK(BERLIN, "0 3 * * *", "2026-11-26T00:00:00Z", "2026-11-26T03:00:00+01:00");
    CHECK(BERLIN, "0 3 * * *", "2026-07-01T00:00:00Z", "2026-07-01T03:00:00+02:00");
    CHECK(NEW_YORK, "@daily", "2026-11-26T00:00:00Z", "2026-11-26T00:00:00-05:00");
}

static void an_hour_that_is_skipped_is_due_at_the_change(void **state)
{
    /* 29 March 2026: 2:00 becomes 3:00 */
    CHECK(BERLIN, "30 2 * * *", "2026-03-28T12:00:00Z", "2026-03-29T03:00:00+02:00",
          "2026-03-30T02:30:00+02:00");
    CHECK(BERLIN, "0,30 2,3 * * *", "2026-03-28T12:00:00Z", "2026-03-29T03:00:00+02:00",
          "2026-03-29T03:30:00+02:00", "2026-03-30T02:00:00+02:00");
    CHECK(LORD_HOWE, "15 2 * * *", "2026-10-03T10:00:00Z", "2026-10-04T02:30:00+11:00",
          "2026-10-05T02:15:00+11:00");
    CHECK(BEIRUT, "@daily", "2026-03-28T12:00:00Z", "2026-03-29T01:00:00+03:00",
          "2026-03-30T00:00:00+03:00");
    /* what goes by the clock does not miss it */
    CHECK(BERLIN, "30 * * * *", "2026-03-29T01:30:00+01:00", "2026-03-29T03:30:00+02:00");
    CHECK(BEIRUT, "*/30 0-1 * * *", "2026-03-28T12:00:00Z", "2026-03-29T01:00:00+03:00");
}

static void an_hour_that_comes_twice_is_due_once(void **state)
{
    /* 25 October 2026: 3:00 becomes 2:00 */
    CHECK(BERLIN, "30 2 * * *", "2026-10-24T12:00:00Z", "2026-10-25T02:30:00+02:00",
          "2026-10-26T02:30:00+01:00");
    CHECK(BERLIN, "0 2,3 * * *", "2026-10-24T12:00:00Z", "2026-10-25T02:00:00+02:00",
          "2026-10-25T03:00:00+01:00", "2026-10-26T02:00:00+01:00");
    CHECK(LORD_HOWE, "45 1 * * *", "2026-04-04T10:00:00Z", "2026-04-05T01:45:00+11:00",
          "2026-04-06T01:45:00+10:30");
    /* by the clock: both times */
    CHECK(BERLIN, "30 * * * *", "2026-10-25T01:30:00+02:00", "2026-10-25T02:30:00+02:00",
          "2026-10-25T02:30:00+01:00", "2026-10-25T03:30:00+01:00");
    CHECK(BEIRUT, "0 */12 * * *", "2026-10-24T12:00:00+03:00",
          "2026-10-25T00:00:00+02:00", "2026-10-25T12:00:00+02:00");
    CHECK(ST_JOHNS, "0 */6 * * *", "2026-10-31T13:00:00-02:30",
          "2026-10-31T18:00:00-02:30", "2026-11-01T00:00:00-02:30",
          "2026-11-01T00:00:00-03:30", "2026-11-01T06:00:00-03:30");
}

static void a_zone_of_a_file_is_read(void **state)
{
    CHECK("Europe/Berlin", "30 2 * * *", "2026-03-28T12:00:00Z",
          "2026-03-29T03:00:00+02:00");
    /* the 30th of December was left out */
    CHECK("Pacific/Apia", "0 9 * * *", "2011-12-29T10:00:00-10:00",
          "2011-12-31T09:00:00+14:00");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_next_time_is_later_than_the_last),
        cmocka_unit_test(months_end_and_years_leap),
        cmocka_unit_test(a_day_of_the_month_or_one_of_the_week_is_enough),
        cmocka_unit_test(times_are_local),
        cmocka_unit_test(an_hour_that_is_skipped_is_due_at_the_change),
        cmocka_unit_test(an_hour_that_comes_twice_is_due_once),
        cmocka_unit_test(a_zone_of_a_file_is_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
