/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <stdio.h>

#include "base/fs.h"
#include "cli/cli.h"

static char path[] = "/tmp/dray-envfile-XXXXXX";

static int setup(void **state)
{
    int fd = mkstemp(path);
    close(fd);
    setenv("DRAY_TEST_HERE", "from here", 1);
    unsetenv("DRAY_TEST_GONE");
    return fd < 0;
}

static int teardown(void **state)
{
    return unlink(path);
}

static char **read_text(const char *text, size_t len, struct dr_error *err)
{
    char **env = NULL;
    assert_int_equal(dr_file_write(AT_FDCWD, path, text, len, 0600, 0, err), 0);
    if (cli_env_file(path, &env, err) == 0)
        return env;
    dr_strv_free(env);
    return NULL;
}

static void values_are_taken_verbatim(void **state)
{
    static const char text[] = "\xef\xbb\xbf"
                               "A=1\r\n# comment\n\n  B= \"two\"  \n\t#x\nC=a=b#c\nD=\n"
                               "DRAY_TEST_HERE\nDRAY_TEST_GONE\nE=\xc3\xa9";
    static const char *const wanted[] = {
        "A=1", "B= \"two\"  ", "C=a=b#c", "D=", "DRAY_TEST_HERE=from here", "E=\xc3\xa9"};
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    dr_auto_strv char **env = read_text(text, sizeof(text) - 1, &err);
    assert_int_equal(dr_strv_len(env), DR_COUNT(wanted));
    for (size_t i = 0; i < DR_COUNT(wanted); i++)
        assert_string_equal(env[i], wanted[i]);
}

static void bad_lines_are_named_by_file_and_line(void **state)
{
    static const struct {
        const char *text, *reason;
    } rows[] = {
        {"A=1\n=x\n", "line 2: no variable name in \"=x\""},
        {"A B=1\n", "line 1: variable \"A B\" contains whitespace"},
        {"A=1\n\nB C", "line 3: variable \"B C\" contains whitespace"},
        {"A=\xff\n", "line 1: it is not valid UTF-8"},
    };
    for (size_t i = 0; i < DR_COUNT(rows); i++) {
        dr_auto_error struct dr_error err = DR_ERROR_INIT;
        char wanted[200];
        assert_null(read_text(rows[i].text, strlen(rows[i].text), &err));
        snprintf(wanted, sizeof(wanted), "--env-file %s, %s", path, rows[i].reason);
        assert_string_equal(err.text, wanted);
        assert_int_equal(err.kind, DR_ERR_INVALID);
    }
}

static void a_nul_byte_is_refused(void **state)
{
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    assert_null(read_text("A=1\0B", 5, &err));
    assert_non_null(strstr(err.text, "it has NUL bytes"));
    assert_int_equal(err.kind, DR_ERR_INVALID);
}

static void utf_16_is_named(void **state)
{
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    assert_null(read_text("\xff\xfe"
                          "A\0=\0",
                          6, &err));
    assert_non_null(strstr(err.text, "it is UTF-16, as PowerShell's > writes it"));
    assert_int_equal(err.kind, DR_ERR_INVALID);
}

static void a_missing_file_is_named(void **state)
{
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    dr_auto_strv char **env = NULL;
    assert_int_equal(cli_env_file("/does/not/exist", &env, &err), -1);
    assert_int_equal(err.kind, DR_ERR_NOT_FOUND);
    assert_non_null(strstr(err.text, "--env-file"));
    assert_non_null(strstr(err.text, "/does/not/exist"));
}

static void an_empty_file_has_no_variables(void **state)
{
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    dr_auto_strv char **env = NULL;
    assert_int_equal(dr_file_write(AT_FDCWD, path, "", 0, 0600, 0, &err), 0);
    assert_int_equal(cli_env_file(path, &env, &err), 0);
    assert_int_equal(dr_strv_len(env), 0);
}

static void words_take_this_environments_values(void **state)
{
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    dr_auto_strv char **env = NULL;
    assert_int_equal(cli_env_word("DRAY_TEST_HERE", false, &env, &err), 0);
    assert_int_equal(cli_env_word("DRAY_TEST_GONE", false, &env, &err), 0);
    assert_int_equal(cli_env_word("DRAY_TEST_GONE", true, &env, &err), 0);
    assert_int_equal(cli_env_word("X=", false, &env, &err), 0);
    assert_int_equal(dr_strv_len(env), 3);
    assert_string_equal(env[0], "DRAY_TEST_HERE=from here");
    assert_string_equal(env[1], "DRAY_TEST_GONE");
    assert_string_equal(env[2], "X=");
    assert_int_equal(cli_env_word("=x", false, &env, &err), -1);
    assert_string_equal(err.text,
                        "invalid environment variable \"=x\": it must be NAME or "
                        "NAME=VALUE");
}

static void files_come_before_words(void **state)
{
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    dr_auto_strv char **env = NULL;
    char *files[] = {path, NULL}, *words[] = {(char *)"A=word", NULL};
    assert_int_equal(dr_file_write(AT_FDCWD, path, "A=file", 6, 0600, 0, &err), 0);
    assert_int_equal(cli_env_all(files, words, true, &env, &err), 0);
    assert_string_equal(env[0], "A=file");
    assert_string_equal(env[1], "A=word");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_are_taken_verbatim),
        cmocka_unit_test(bad_lines_are_named_by_file_and_line),
        cmocka_unit_test(a_nul_byte_is_refused),
        cmocka_unit_test(utf_16_is_named),
        cmocka_unit_test(a_missing_file_is_named),
        cmocka_unit_test(an_empty_file_has_no_variables),
        cmocka_unit_test(words_take_this_environments_values),
        cmocka_unit_test(files_come_before_words),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
