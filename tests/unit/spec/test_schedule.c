/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "spec/container.h"
#include "spec/schedule.h"

static struct spec_schedule good(const char *text)
{
    struct dr_error err = DR_ERROR_INIT;
    struct spec_schedule schedule = {0};
    if (spec_schedule_parse(text, &schedule, &err) < 0)
        fail_msg("'%s': %s", text, err.text);
    return schedule;
}

static void bad(const char *text, const char *first, const char *second)
{
    struct dr_error err = DR_ERROR_INIT;
    struct spec_schedule schedule;
    if (spec_schedule_parse(text, &schedule, &err) == 0)
        fail_msg("'%s' is taken", text);
    assert_int_equal(err.kind, DR_ERR_INVALID);
    if (!strstr(err.text, first) || !strstr(err.text, second))
        fail_msg("'%s': %s", text, err.text);
    dr_error_release(&err);
}

static void five_fields_are_sets(void **state)
{
    struct spec_schedule s = good("*/15 0-6,8 1 jan-mar mon-fri");
    assert_int_equal(s.minutes, 1ULL | 1ULL << 15 | 1ULL << 30 | 1ULL << 45);
    assert_int_equal(s.hours, 0x17f);
    assert_int_equal(s.days, 1u << 1);
    assert_int_equal(s.months, 0xe);
    assert_int_equal(s.weekdays, 0x3e);
    assert_true(s.either_day);
    assert_true(s.by_the_clock);
    assert_int_equal(s.every_ns, 0);
    s = good(" \t1-10/3\t5 \t * DEC sun ");
    assert_int_equal(s.minutes, 1u << 1 | 1u << 4 | 1u << 7 | 1u << 10);
    assert_int_equal(s.weekdays, 1);
    assert_false(s.either_day);
    assert_false(s.by_the_clock);
    assert_int_equal(good("59 23 31 12 *").minutes, 1ULL << 59);
}

static void sunday_is_0_and_7(void **state)
{
    assert_int_equal(good("0 0 * * 0").weekdays, 1);
    assert_int_equal(good("0 0 * * 7").weekdays, 1);
    assert_int_equal(good("0 0 * * 5-7").weekdays, 1 | 1 << 5 | 1 << 6);
    assert_int_equal(good("0 0 * * fri-sun").weekdays, 1 | 1 << 5 | 1 << 6);
    assert_int_equal(good("0 0 * * sun-tue").weekdays, 7);
    assert_int_equal(good("0 0 * * *").weekdays, 0x7f);
    assert_int_equal(good("0 0 * * */2").weekdays, 1 | 1 << 2 | 1 << 4 | 1 << 6);
}

static void words_stand_for_fields(void **state)
{
    static const char *const same[][2] = {
        {"@hourly", "0 * * * *"},    {"@daily", "0 0 * * *"},
        {"@midnight", "0 0 * * *"},  {"@weekly", "0 0 * * sun"},
        {"@monthly", "0 0 1 * *"},   {"@yearly", "0 0 1 1 *"},
        {" @annually ", "0 0 1 1 *"}};
    for (size_t i = 0; i < DR_COUNT(same); i++) {
        struct spec_schedule a = good(same[i][0]), b = good(same[i][1]);
        assert_int_equal(a.minutes, b.minutes);
        assert_int_equal(a.hours, b.hours);
        assert_int_equal(a.days, b.days);
        assert_int_equal(a.months, b.months);
        assert_int_equal(a.weekdays, b.weekdays);
        assert_int_equal(a.either_day, b.either_day);
    }
}

static void every_is_a_duration(void **state)
{
    assert_int_equal(good("@every 10s").every_ns, 10000000000LL);
    assert_int_equal(good("@every  1m30s").every_ns, 90000000000LL);
    bad("@every", "'@every'", "@every DURATION");
    bad("@every soon", "'@every soon'", "'soon' is not a duration");
    bad("@every 10ms", "'@every 10ms'", "from 1s");
    bad("@every 0", "'@every 0'", "from 1s");
    bad("@every 9000h", "'@every 9000h'", "to 8784h");
}

static void wrong_parts_are_named(void **state)
{
    bad("", "''", "it has 0 fields");
    bad("* * * *", "it has 4 fields", "MINUTE HOUR DAY");
    bad("0 * * * * *", "it has 6 fields", "'0 * * * * *'");
    bad("often", "it has 1 field:", "@daily");
    bad("@reboot", "'@reboot'", "@hourly");
    bad("@Daily", "'@Daily'", "expected");
    bad("60 * * * *", "'60' as minute", "from 0 to 59");
    bad("-1 * * * *", "'' as minute", "from 0 to 59");
    bad("* 24 * * *", "'24' as hour", "from 0 to 23");
    bad("* * 0 * *", "'0' as day of the month", "from 1 to 31");
    bad("* * * 13 *", "'13' as month", "from 1 to 12");
    bad("* * * janu *", "'janu' as month", "first three letters");
    bad("* * * * 8", "'8' as day of the week", "from 0 to 7");
    bad("* mon * * *", "'mon' as hour", "from 0 to 23");
    bad("1, * * * *", "'' as minute", "from 0 to 59");
    bad("1,,2 * * * *", "'' as minute", "from 0 to 59");
    bad("1- * * * *", "'' as minute", "from 0 to 59");
    bad("1-2-3 * * * *", "'2-3' as minute", "from 0 to 59");
    bad("*/0 * * * *", "'*/0' as minute", "out of range");
    bad("*/60 * * * *", "'*/60' as minute", "out of range");
    bad("*/ * * * *", "'*/' as minute", "out of range");
    bad("*/99999999999999999999 * * * *", "as minute", "out of range");
    bad("*/x * * * *", "'*/x' as minute", "no number");
    bad("*/2/3 * * * *", "'*/2/3' as minute", "no number");
    bad("5/10 * * * *", "'5/10' as minute", "5-59/10");
    bad("30-10 * * * *", "'30-10' as minute", "smaller value");
    bad("0 0 * * sat-mon", "'sat-mon' as day of the week", "smaller value");
    bad("1\n2 * * * *", "'1 2' as minute", "from 0 to 59");
    char text[600];
    memset(text, '1', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    bad(text, "longer than 512 bytes", "'1111");
}

static void what_never_comes_is_refused(void **state)
{
    bad("0 0 30 feb *", "none of its months has such a day", "'0 0 30 feb *'");
    bad("0 0 31 2,4,6,9,11 *", "none of its months", "31");
    good("0 0 31 2,4,6,9,12 *");
    good("0 0 29 2 *");
    good("0 0 30 2 mon"); /* on Mondays, then */
}

static void it_has_no_policy_beside_it_and_is_not_removed(void **state)
{
    static const struct {
        const char *json, *text;
    } cases[] = {
        {"{\"schedule\":\"@daily\",\"restart\":\"on-failure\"}", "no restart policy"},
        {"{\"schedule\":\"@daily\",\"auto_remove\":true}", "--rm"},
        {"{\"schedule\":\"0 0 30 2 *\"}", "schedule: '0 0 30 2 *': none of its months"},
    };
    for (size_t i = 0; i < DR_COUNT(cases); i++) {
        struct dr_error err = DR_ERROR_INIT;
        dr_auto_json json_t *json = json_loads(cases[i].json, 0, NULL);
        assert_null(spec_container_from_json(json, &err));
        assert_int_equal(err.kind, DR_ERR_INVALID);
        assert_non_null(strstr(err.text, cases[i].text));
        dr_error_release(&err);
    }
    struct dr_error err = DR_ERROR_INIT;
    dr_auto_json json_t *json =
        json_loads("{\"schedule\":\"@daily\",\"restart\":\"no\"}", 0, NULL);
    spec_auto_container struct spec_container *spec =
        spec_container_from_json(json, &err);
    assert_string_equal(spec->schedule, "@daily");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(five_fields_are_sets),
        cmocka_unit_test(sunday_is_0_and_7),
        cmocka_unit_test(words_stand_for_fields),
        cmocka_unit_test(every_is_a_duration),
        cmocka_unit_test(wrong_parts_are_named),
        cmocka_unit_test(what_never_comes_is_refused),
        cmocka_unit_test(it_has_no_policy_beside_it_and_is_not_removed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
