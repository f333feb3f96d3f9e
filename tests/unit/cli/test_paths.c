/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "cli/cli.h"

static void a_volume_of_this_machine_becomes_absolute(void **state)
{
    static const struct {
        const char *volume;
        bool windows;
        const char *want;
    } rows[] = {
        {"./x:/y", false, "/here/./x:/y"},
        {"~:/y", false, "/home/u:/y"},
        {"~/x:/y:ro", false, "/home/u/x:/y:ro"},
        {"/x:/y", false, "/x:/y"},
        {"x:/y", false, "x:/y"},
        {"..", false, ".."},
        /* a backslash is part of a name there */
        {".\\x:/y", false, "/here/.\\x:/y"},
        {"\\x:/y", false, "\\x:/y"},
        {".\\x:/y", true, "C:\\here\\.\\x:/y"},
        {"..:/y:ro", true, "C:\\here\\..:/y:ro"},
        {"./x:/y", true, "C:\\here\\./x:/y"},
        {"\\x:/y", true, "C:\\x:/y"},
        {"~\\x:/y", true, "C:\\Users\\me\\x:/y"},
        {"~:/y", true, "C:\\Users\\me:/y"},
        {"D:\\x:/y", true, "D:\\x:/y"},
        {"\\\\s\\x:/y", true, "\\\\s\\x:/y"},
        {"/x:/y", true, "/x:/y"},
        {"x:/y", true, "x:/y"},
    };
    for (size_t i = 0; i < DR_COUNT(rows); i++) {
        dr_auto_error struct dr_error err = DR_ERROR_INIT;
        bool windows = rows[i].windows;
        dr_auto_free char *volume =
            cli_volume_absolute(rows[i].volume, windows, windows ? "C:\\here" : "/here",
                                windows ? "C:\\Users\\me" : "/home/u", &err);
        assert_string_equal(err.text, "");
        assert_string_equal(volume, rows[i].want);
    }
}

static void what_cannot_be_absolute_is_refused(void **state)
{
    static const struct {
        const char *volume, *text;
        bool windows;
    } rows[] = {
        {"~other/x:/y",
         "-v ~other/x:/y: ~other/x: only ~ and ~/… can stand for a home directory; write "
         "the absolute path",
         false},
        {"~\\x:/y",
         "-v ~\\x:/y: ~\\x: only ~ and ~\\… can stand for a home directory; write the "
         "absolute path",
         true},
        {"./x:/y", "-v ./x:/y: the current directory is gone; write the absolute path",
         false},
    };
    for (size_t i = 0; i < DR_COUNT(rows); i++) {
        dr_auto_error struct dr_error err = DR_ERROR_INIT;
        assert_null(
            cli_volume_absolute(rows[i].volume, rows[i].windows, NULL, NULL, &err));
        assert_int_equal(err.kind, DR_ERR_INVALID);
        assert_string_equal(err.text, rows[i].text);
    }
}

static void cp_knows_a_path_of_this_machine(void **state)
{
    static const struct {
        const char *word;
        bool on_linux, on_windows;
    } rows[] = {
        {"/a:b", true, true},        {"./a:b", true, true}, {"web:/a", false, false},
        {"C:\\a", false, true},      {"c:/a", false, true}, {"\\a", false, true},
        {"\\\\s\\a", false, true},   {"C:a", false, true},  {"7:a", false, false},
        {"web:C:\\a", false, false},
    };
    for (size_t i = 0; i < DR_COUNT(rows); i++) {
        assert_int_equal(cli_path_is_here(rows[i].word, false), rows[i].on_linux);
        assert_int_equal(cli_path_is_here(rows[i].word, true), rows[i].on_windows);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_volume_of_this_machine_becomes_absolute),
        cmocka_unit_test(what_cannot_be_absolute_is_refused),
        cmocka_unit_test(cp_knows_a_path_of_this_machine),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
