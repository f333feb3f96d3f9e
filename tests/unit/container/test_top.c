/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "guest/container/top-columns.h"

#define NANO 1000000000LL

/* A name with blanks and parentheses, ticks of 250 + 50, started at tick 1000. */
#define STAT                                                                             \
    "42 (a (b) c) S 7 40 42 34817 40 4194560 120 0 0 0 250 50 0 0 20 0 3 0 1000 "        \
    "10485760 256 18446744073709551615 1 1 0 0 0 0 0 0 0 0 0 0 17 1 0 0 0 0 0\n"
#define STATUS                                                                           \
    "Name:\ta (b) c\nUmask:\t0022\nUid:\t1000\t1001\t1000\t1000\n"                       \
    "Gid:\t5\t6\t5\t5\nFDSize:\t64\n"
#define CMDLINE "sh\0-c\0echo \xff\x1b[1m\0\0"

static struct top_process process(const char *stat)
{
    struct top_process p;
    assert_true(top_process_parse(stat, STATUS, CMDLINE, sizeof CMDLINE - 1, &p));
    return p;
}

/* 110 seconds after the boot, so 100 after the process began. */
static struct top_context context(void)
{
    return (struct top_context){.now_ns = 1700000110 * NANO,
                                .boot_ns = 1700000000 * NANO,
                                .ticks = 100,
                                .page_bytes = 4096,
                                .memory_bytes = 104857600,
                                .passwd = "root:x:0:0::/:/bin/sh\nbroken\n:x:1001:1:\n"
                                          "alice:x:1001:1001::/:/bin/sh\n"
                                          "alice2:x:1001:1001::/:/bin/sh",
                                .group = "wheel:x:6:alice\n"};
}

static void assert_cell(const struct top_process *p, const char *column, const char *want)
{
    struct top_context c = context();
    char *is = top_value(column, p, &c);
    assert_non_null(is);
    assert_string_equal(is, want);
    free(is);
}

static void columns_say_what_ps_says(void **state)
{
    static const char *const want[][2] = {
        {"pid", "42"},
        {"ppid", "7"},
        {"pgid", "40"},
        {"sid", "42"},
        {"uid", "1001"},
        {"user", "alice"},
        {"gid", "6"},
        {"group", "wheel"},
        {"comm", "a (b) c"},
        {"time", "00:00:03"},
        {"etime", "01:40"},
        {"etimes", "100"},
        {"pcpu", "3.0"},
        {"%cpu", "3.0"},
        {"c", "3"},
        {"pmem", "1.0"},
        {"rss", "1024"},
        {"vsz", "10240"},
        {"stat", "Ssl+"},
        {"s", "S"},
        {"nlwp", "3"},
        {"ni", "0"},
        {"pri", "19"},
        {"tty", "pts/1"},
        {"args", "sh -c echo \\xff\\x1b[1m"},
        {"PID", "42"},
    };
    struct top_process p = process(STAT);
    for (size_t i = 0; i < DR_COUNT(want); i++)
        assert_cell(&p, want[i][0], want[i][1]);
    struct top_context c = context();
    assert_null(top_value("colour", &p, &c));
    assert_null(top_value("", &p, &c));
    top_process_release(&p);
}

static void times_grow_by_hours_and_days(void **state)
{
    struct top_process p = process(STAT);
    p.cpu_ticks = 100 * (2 * 86400 + 3 * 3600 + 4 * 60 + 5);
    assert_cell(&p, "time", "02-03:04:05");
    top_process_release(&p);
}

static void terminals_have_their_names(void **state)
{
    static const struct {
        int64_t number;
        const char *name;
    } want[] = {{0, "?"},
                {0x401, "tty1"},
                {0x441, "ttyS1"},
                {136 << 8, "pts/0"},
                {137 << 8 | 4, "pts/260"},
                {5 << 8 | 1, "5:1"}};
    struct top_process p = process(STAT);
    for (size_t i = 0; i < DR_COUNT(want); i++) {
        p.tty = want[i].number;
        assert_cell(&p, "tty", want[i].name);
    }
    top_process_release(&p);
}

static void process_without_words_is_shown_by_its_name(void **state)
{
    struct top_process p;
    assert_true(top_process_parse(STAT, STATUS, "", 0, &p));
    assert_cell(&p, "cmd", "[a (b) c]");
    top_process_release(&p);
}

static void unknown_users_are_numbers(void **state)
{
    struct top_process p = process(STAT);
    struct top_context c = context();
    p.uid = 77;
    char *cell = top_value("user", &p, &c);
    assert_string_equal(cell, "77");
    free(cell);
    c.passwd = NULL;
    p.uid = 0;
    cell = top_value("user", &p, &c);
    assert_string_equal(cell, "0");
    free(cell);
    top_process_release(&p);
}

static void start_is_a_time_of_today_or_a_date(void **state)
{
    struct top_process p = process(STAT);
    struct top_context c = context();
    setenv("TZ", "UTC", 1);
    tzset();
    char *cell = top_value("stime", &p, &c);
    assert_string_equal(cell, "22:13"); /* 1700000010 is 2023-11-14 22:13:30 */
    free(cell);
    c.now_ns += 86400 * NANO;
    cell = top_value("stime", &p, &c);
    assert_string_equal(cell, "Nov14");
    free(cell);
    c.now_ns += 365 * 86400 * NANO;
    cell = top_value("stime", &p, &c);
    assert_string_equal(cell, "2023");
    free(cell);
    top_process_release(&p);
}

static void texts_that_are_no_process_are_refused(void **state)
{
    static const char *const bad[] = {"", "42", "42 (x", "42 (x) S 1 2", ") 42 ("};
    struct top_process p;
    for (size_t i = 0; i < DR_COUNT(bad); i++)
        assert_false(top_process_parse(bad[i], STATUS, "", 0, &p));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(columns_say_what_ps_says),
        cmocka_unit_test(times_grow_by_hours_and_days),
        cmocka_unit_test(terminals_have_their_names),
        cmocka_unit_test(process_without_words_is_shown_by_its_name),
        cmocka_unit_test(unknown_users_are_numbers),
        cmocka_unit_test(start_is_a_time_of_today_or_a_date),
        cmocka_unit_test(texts_that_are_no_process_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
