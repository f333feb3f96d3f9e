/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/text.h"

/* H3: terminal escapes in anything that dray itself prints are escaped */
static void h3_escape_makes_hostile_text_harmless(void **state)
{
    static const struct {
        const char *in, *out;
        size_t max;
    } cases[] = {
        {"plain", "plain", 0},
        {"\x1b[31mred", "\\x1b[31mred", 0},
        {"two\nlines\tand tabs", "two lines and tabs", 0},
        {"caf\xc3\xa9 \xe2\x82\xac", "caf\xc3\xa9 \xe2\x82\xac", 0},
        {"\xc2\x9b"
         "31m",
         "\\xc2\\x9b31m", 0}, /* C1 CSI in UTF-8 */
        {"bad \xff\xc3(", "bad \\xff\\xc3(", 0},
        {"\xed\xa0\x80", "\\xed\\xa0\\x80", 0}, /* a surrogate */
        {"\xc0\xaf", "\\xc0\\xaf", 0},          /* overlong */
        {"\x7f", "\\x7f", 0},
        {"abcdef", "abc…", 3},
        {NULL, "", 0},
    };
    for (size_t i = 0; i < DR_COUNT(cases); i++) {
        dr_auto_free char *out = dr_escape(cases[i].in, cases[i].max);
        assert_string_equal(out, cases[i].out);
    }
}

static void sizes_are_read_as_docker_reads_them(void **state)
{
    static const struct {
        const char *text;
        int64_t bytes;
    } good[] = {
        {"0", 0},
        {"512", 512},
        {"512b", 512},
        {"64k", 65536},
        {"64KB", 65536},
        {"64KiB", 65536},
        {"1.5m", 1572864},
        {"2g", 2147483648},
        {"512Mi", 536870912},
        {"1t", 1099511627776},
    };
    for (size_t i = 0; i < DR_COUNT(good); i++) {
        struct dr_error err = DR_ERROR_INIT;
        int64_t bytes = -1;
        assert_int_equal(dr_size_parse(good[i].text, &bytes, &err), 0);
        assert_int_equal(bytes, good[i].bytes);
    }
    static const char *const bad[] = {"",    "m",   "-1",  "1x",  "1 m", "0x10",
                                      "1mm", "nan", "inf", "1bb", "1kbx"};
    for (size_t i = 0; i < DR_COUNT(bad); i++) {
        struct dr_error err = DR_ERROR_INIT;
        int64_t bytes = 7;
        assert_int_equal(dr_size_parse(bad[i], &bytes, &err), -1);
        assert_int_equal(err.kind, DR_ERR_INVALID);
        dr_auto_free char *text =
            dr_printf("'%s' is not a size: use a number with b, k, m or g", bad[i]);
        assert_string_equal(err.text, text);
        assert_int_equal(bytes, 7);
    }
}

static void size_that_overflows_is_refused(void **state)
{
    struct dr_error err = DR_ERROR_INIT;
    int64_t bytes;
    assert_int_equal(dr_size_parse("99999999t", &bytes, &err), -1);
    assert_int_equal(err.kind, DR_ERR_INVALID);
    assert_string_equal(err.text, "'99999999t' is too large a size");
}

static void sizes_are_written_as_docker_writes_them(void **state)
{
    static const struct {
        int64_t bytes;
        const char *text;
    } cases[] = {{0, "0B"},        {999, "999B"},       {1000, "1kB"},
                 {1234, "1.23kB"}, {5610000, "5.61MB"}, {7340000000, "7.34GB"}};
    for (size_t i = 0; i < DR_COUNT(cases); i++) {
        dr_auto_free char *text = dr_size_text(cases[i].bytes);
        assert_string_equal(text, cases[i].text);
    }
}

static void durations_are_read_as_go_writes_them(void **state)
{
    static const struct {
        const char *text;
        int64_t ns;
    } good[] = {{"10s", 10000000000},
                {"1m30s", 90000000000},
                {"250ms", 250000000},
                {"1h", 3600000000000},
                {"5", 5000000000},
                {"1.5s", 1500000000},
                {"0", 0},
                {"100us", 100000},
                {"1h2m3s", 3723000000000}};
    for (size_t i = 0; i < DR_COUNT(good); i++) {
        struct dr_error err = DR_ERROR_INIT;
        int64_t ns = -1;
        assert_int_equal(dr_duration_parse(good[i].text, &ns, &err), 0);
        assert_int_equal(ns, good[i].ns);
    }
    static const char *const bad[] = {"", "s", "10x", "-1s", "1s5", "1d", "s1"};
    for (size_t i = 0; i < DR_COUNT(bad); i++) {
        struct dr_error err = DR_ERROR_INIT;
        int64_t ns;
        assert_int_equal(dr_duration_parse(bad[i], &ns, &err), -1);
        assert_int_equal(err.kind, DR_ERR_INVALID);
        dr_auto_free char *text =
            dr_printf("'%s' is not a duration: use for example 10s or 1m30s", bad[i]);
        assert_string_equal(err.text, text);
    }
}

static void times_survive_formatting_and_parsing(void **state)
{
    static const struct {
        const char *text;
        int64_t ns;
    } cases[] = {{"1970-01-01T00:00:00.000000000Z", 0},
                 {"2016-10-06T00:17:09.669794202Z", 1475713029669794202},
                 {"1969-12-31T23:59:59.500000000Z", -500000000}};
    for (size_t i = 0; i < DR_COUNT(cases); i++) {
        struct dr_error err = DR_ERROR_INIT;
        char text[DR_TIME_TEXT];
        int64_t ns;
        dr_time_format(cases[i].ns, text);
        assert_string_equal(text, cases[i].text);
        assert_int_equal(dr_time_parse(text, &ns, &err), 0);
        assert_int_equal(ns, cases[i].ns);
    }
    struct dr_error err = DR_ERROR_INIT;
    int64_t a, b;
    assert_int_equal(dr_time_parse("2020-01-02T03:04:05+02:00", &a, &err), 0);
    assert_int_equal(dr_time_parse("2020-01-02T01:04:05Z", &b, &err), 0);
    assert_int_equal(a, b);
}

static void bad_times_are_refused_by_name(void **state)
{
    static const char *const bad[] = {"",
                                      "now",
                                      "2020-01-02",
                                      "2020-13-02T03:04:05Z",
                                      "2020-01-02T03:04:05",
                                      "2020-01-02T03:04:05Zx"};
    for (size_t i = 0; i < DR_COUNT(bad); i++) {
        struct dr_error err = DR_ERROR_INIT;
        int64_t ns;
        assert_int_equal(dr_time_parse(bad[i], &ns, &err), -1);
        assert_int_equal(err.kind, DR_ERR_FORMAT);
        dr_auto_free char *start = dr_printf("'%s' is not an RFC 3339 time", bad[i]);
        assert_memory_equal(err.text, start, strlen(start));
    }
}

static void base64_is_the_standard_one(void **state)
{
    static const char *const cases[][2] = {
        {"", ""}, {"f", "Zg=="}, {"fo", "Zm8="}, {"foo", "Zm9v"}, {"foobar", "Zm9vYmFy"}};
    for (size_t i = 0; i < DR_COUNT(cases); i++) {
        dr_auto_free char *text = dr_base64(cases[i][0], strlen(cases[i][0]));
        assert_string_equal(text, cases[i][1]);
    }
}

static void random_hex_has_its_length_and_differs(void **state)
{
    char a[65], b[65];
    dr_random_hex(64, a);
    dr_random_hex(64, b);
    assert_int_equal(strspn(a, "0123456789abcdef"), 64);
    assert_string_not_equal(a, b);
    dr_random_hex(7, a);
    assert_int_equal(strlen(a), 7);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(h3_escape_makes_hostile_text_harmless),
        cmocka_unit_test(sizes_are_read_as_docker_reads_them),
        cmocka_unit_test(size_that_overflows_is_refused),
        cmocka_unit_test(sizes_are_written_as_docker_writes_them),
        cmocka_unit_test(durations_are_read_as_go_writes_them),
        cmocka_unit_test(times_survive_formatting_and_parsing),
        cmocka_unit_test(bad_times_are_refused_by_name),
        cmocka_unit_test(base64_is_the_standard_one),
        cmocka_unit_test(random_hex_has_its_length_and_differs),
    };
    return cmocka_run_group_tests_name("base text", tests, NULL, NULL);
}
