/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "spec/container.h"

static void c22_names_of_any_form_are_known(void **state)
{
    static const struct {
        const char *text;
        int number;
    } good[] = {
        {"TERM", 15},     {"SIGTERM", 15}, {"term", 15},       {"sigTerm", 15},
        {"15", 15},       {"KILL", 9},     {"9", 9},           {"HUP", 1},
        {"USR1", 10},     {"sigusr2", 12}, {"CHLD", 17},       {"CLD", 17},
        {"IOT", 6},       {"ABRT", 6},     {"POLL", 29},       {"IO", 29},
        {"STKFLT", 16},   {"PWR", 30},     {"SYS", 31},        {"UNUSED", 31},
        {"RTMIN", 34},    {"RTMIN+0", 34}, {"SIGRTMIN+3", 37}, {"rtmin+30", 64},
        {"RTMAX", 64},    {"RTMAX-0", 64}, {"RTMAX-30", 34},   {"SIGRTMAX-14", 50},
        {"RTMIN+16", 50}, {"1", 1},        {"64", 64},         {"32", 32},
    };
    for (size_t i = 0; i < DR_COUNT(good); i++) {
        struct dr_error err = DR_ERROR_INIT;
        int number = 0;
        assert_int_equal(spec_signal_parse(good[i].text, &number, &err), 0);
        assert_int_equal(number, good[i].number);
    }
}

static void c22_all_64_signals_survive_a_round_trip(void **state)
{
    for (int i = 1; i <= 64; i++) {
        struct dr_error err = DR_ERROR_INIT;
        int number = 0;
        assert_int_equal(spec_signal_parse(spec_signal_name(i), &number, &err), 0);
        assert_int_equal(number, i);
    }
    assert_string_equal(spec_signal_name(15), "SIGTERM");
    assert_string_equal(spec_signal_name(37), "SIGRTMIN+3");
    assert_string_equal(spec_signal_name(0), "unknown signal");
    assert_string_equal(spec_signal_name(65), "unknown signal");
}

static void c22_unknown_signals_are_invalid(void **state)
{
    static const char *const bad[] = {
        "",
        "SIG",
        "FOO",
        "0",
        "65",
        "-1",
        "15 ",
        "RTMIN+31",
        "RTMAX-31",
        "RTMIN-1",
        "RTMAX+1",
        "RTMIN+",
        "RTMIN+-1",
        "TERMX",
        "SIGSIGTERM",
        "+15",
        "1e1",
        "999999999999999999999",
        "SIGAVERYLONGNAMEINDEED",
    };
    for (size_t i = 0; i < DR_COUNT(bad); i++) {
        struct dr_error err = DR_ERROR_INIT;
        int number = 77;
        assert_int_equal(spec_signal_parse(bad[i], &number, &err), -1);
        assert_int_equal(err.kind, DR_ERR_INVALID);
        assert_int_equal(number, 77);
        dr_auto_free char *named =
            dr_printf("invalid signal '%s': a name such as SIGTERM", bad[i]);
        assert_memory_equal(err.text, named, strlen(named));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(c22_names_of_any_form_are_known),
        cmocka_unit_test(c22_all_64_signals_survive_a_round_trip),
        cmocka_unit_test(c22_unknown_signals_are_invalid),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
