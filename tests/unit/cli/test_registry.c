/* SPDX-License-Identifier: Apache-2.0 */
/* --creds and --password-stdin: a password is taken, and not left where it was. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>

#include "base/fs.h"
#include "cli/args.h"
#include "cli/cli.h"

static void type_in(const void *bytes, size_t len)
{
    int fd = memfd_create("stdin", 0);
    assert_int_equal(dr_write_full(fd, bytes, len), 0);
    lseek(fd, 0, SEEK_SET);
    dup2(fd, STDIN_FILENO);
    close(fd);
}

static void a_password_in_creds_leaves_the_command_line(void **state)
{
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    char word[] = "ann:s3:cret";
    struct registry_args args = {.creds = word, .tls_verify = true};
    cli_auto_registry struct cli_registry got = {0};
    assert_int_equal(cli_registry(&args, &got, &err), 0);
    assert_string_equal(word, "ann:*******");
    assert_string_equal(got.options.user, "ann");
    assert_string_equal(got.options.password, "s3:cret");
    assert_false(got.options.insecure);
}

static void a_password_on_stdin_loses_its_line_break_only(void **state)
{
    static const struct {
        const char *bytes, *password;
    } cases[] = {{"pw\n", "pw"}, {"pw", "pw"}, {"p w\r\n", "p w"}, {"pw\n\n", "pw\n"}};
    for (size_t i = 0; i < DR_COUNT(cases); i++) {
        dr_auto_error struct dr_error err = DR_ERROR_INIT;
        struct registry_args args = {.creds = "ann", .password_stdin = true};
        cli_auto_registry struct cli_registry got = {0};
        type_in(cases[i].bytes, strlen(cases[i].bytes));
        assert_int_equal(cli_registry(&args, &got, &err), 0);
        assert_string_equal(got.options.password, cases[i].password);
    }
}

static void what_makes_no_password_is_refused(void **state)
{
    static char big[64 * 1024 + 1];
    char both[] = "ann:pw";
    const struct {
        char *creds;
        bool password_stdin;
        const char *bytes;
        size_t len;
        const char *text;
    } cases[] = {
        {NULL, true, "pw", 2, "--password-stdin needs a user name: give --creds USER"},
        {(char[]){""}, false, "", 0, "--creds has no user name"},
        {(char[]){":pw"}, false, "", 0, "--creds has no user name"},
        {both, true, "pw", 2, "--password-stdin and a password in --creds"},
        {(char[]){"ann"}, true, "\n", 1, "the password on stdin is empty"},
        {(char[]){"ann"}, true, "", 0, "the password on stdin is empty"},
        {(char[]){"ann"}, true, "a\0b", 3, "has a NUL byte in it"},
        {(char[]){"ann"}, true, big, sizeof big, "more than 64 KiB"},
        {(char[]){"ann"}, false, "pw", 2, "standard input is no terminal"},
    };
    memset(big, 'x', sizeof big);
    for (size_t i = 0; i < DR_COUNT(cases); i++) {
        dr_auto_error struct dr_error err = DR_ERROR_INIT;
        struct registry_args args = {.creds = cases[i].creds,
                                     .password_stdin = cases[i].password_stdin};
        struct cli_registry got = {0};
        type_in(cases[i].bytes, cases[i].len);
        assert_int_equal(cli_registry(&args, &got, &err), -1);
        assert_int_equal(err.kind, DR_ERR_INVALID);
        if (!strstr(err.text, cases[i].text))
            fail_msg("'%s' is not in '%s'", cases[i].text, err.text);
        assert_null(got.password);
    }
    assert_string_equal(both, "ann:**"); /* in this case too */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_password_in_creds_leaves_the_command_line),
        cmocka_unit_test(a_password_on_stdin_loses_its_line_break_only),
        cmocka_unit_test(what_makes_no_password_is_refused),
    };
    return cmocka_run_group_tests_name("cli registry", tests, NULL, NULL);
}
