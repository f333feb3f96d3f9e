/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "cli/cli.h"

#define MINUTE 60
#define HOUR 3600
#define DAY 86400
#define SECOND_NS INT64_C(1000000000)

static void durations_are_dockers_words(void **state)
{
    static const struct {
        int64_t seconds;
        const char *text;
    } rows[] = {
        {-5, "Less than a second"},
        {0, "Less than a second"},
        {1, "1 second"},
        {2, "2 seconds"},
        {59, "59 seconds"},
        {60, "About a minute"},
        {119, "About a minute"},
        {120, "2 minutes"},
        {59 * MINUTE + 59, "59 minutes"},
        {60 * MINUTE, "About an hour"},
        {89 * MINUTE, "About an hour"},
        {90 * MINUTE, "2 hours"},
        {47 * HOUR, "47 hours"},
        {48 * HOUR, "2 days"},
        {13 * DAY, "13 days"},
        {14 * DAY, "2 weeks"},
        {59 * DAY, "8 weeks"},
        {60 * DAY, "2 months"},
        {729 * DAY, "24 months"},
        {730 * DAY, "2 years"},
        {3650 * DAY, "10 years"},
    };
    for (size_t i = 0; i < DR_COUNT(rows); i++) {
        dr_auto_free char *text = cli_duration(rows[i].seconds);
        assert_string_equal(text, rows[i].text);
    }
}

static void ages_and_timestamps(void **state)
{
    dr_auto_free char *ago = cli_ago(1000 * SECOND_NS, 1180 * SECOND_NS);
    assert_string_equal(ago, "3 minutes ago");
    dr_auto_free char *never = cli_ago(0, 1180 * SECOND_NS);
    assert_string_equal(never, "");
    dr_auto_free char *stamp = cli_timestamp(1700000000 * SECOND_NS);
    assert_string_equal(stamp, "2023-11-14 22:13:20 +0000 UTC");
}

static void every_form_of_a_time_is_understood(void **state)
{
    static const struct {
        const char *text;
        int64_t ns;
    } rows[] = {
        {"1700000000", 1700000000 * SECOND_NS},
        {"1700000000.25", 1700000000 * SECOND_NS + SECOND_NS / 4},
        {"2023-11-14T22:13:20Z", 1700000000 * SECOND_NS},
        {"2023-11-14T22:13:20.5Z", 1700000000 * SECOND_NS + SECOND_NS / 2},
        {"2023-11-14T23:13:20+01:00", 1700000000 * SECOND_NS},
        {"2023-11-14T22:13:20", 1700000000 * SECOND_NS}, /* TZ is UTC in this test */
        {"2023-11-14T22:13", 1699999980 * SECOND_NS},
        {"2023-11-14", 1699920000 * SECOND_NS},
        {"10m", 2000000000 * SECOND_NS - 600 * SECOND_NS},
        {"1h30m", 2000000000 * SECOND_NS - 5400 * SECOND_NS},
    };
    setenv("TZ", "UTC0", 1);
    for (size_t i = 0; i < DR_COUNT(rows); i++) {
        dr_auto_error struct dr_error err = DR_ERROR_INIT;
        int64_t ns = 0;
        assert_int_equal(cli_time_parse(rows[i].text, 2000000000 * SECOND_NS, &ns, &err),
                         0);
        assert_true(ns == rows[i].ns);
    }
}

static void what_is_no_time_is_refused(void **state)
{
    static const char *const rows[] = {"",    "yesterday", "2023-13-14",
                                       "10x", "1.2.3",     "99999999999999999999"};
    for (size_t i = 0; i < DR_COUNT(rows); i++) {
        dr_auto_error struct dr_error err = DR_ERROR_INIT;
        int64_t ns;
        assert_int_equal(cli_time_parse(rows[i], 0, &ns, &err), -1);
        assert_int_equal(err.kind, DR_ERR_INVALID);
        assert_non_null(strstr(err.text, "is no time: 2006-01-02T15:04:05Z"));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(durations_are_dockers_words),
        cmocka_unit_test(ages_and_timestamps),
        cmocka_unit_test(every_form_of_a_time_is_understood),
        cmocka_unit_test(what_is_no_time_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
