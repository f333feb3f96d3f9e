/* SPDX-License-Identifier: Apache-2.0 */
/* C01, C02: what wsl.exe is given, and what its own words mean (WSL's own sources: its
 * errors come on stdout, in UTF-16LE or UTF-8, in the user's language). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/json.h"
#include "transport/far.h"

static void the_command_is_constant_and_the_distro_one_word(void **state)
{
    struct dr_error err = DR_ERROR_INIT;
    dr_auto_address struct transport_address a;
    dr_auto_strv char **argv = NULL;
    static const char *const want[] = {"wsl.exe", "-d",     "my 'distro $HOME",
                                       "-u",      "root",   "--cd",
                                       "/",       "--exec", "/bin/sh"};
    assert_int_equal(transport_address_parse("wsl://my%20'distro $HOME", &a, &err), 0);
    assert_int_equal(transport_wsl.argv(&a, 1000, &argv, &err), 0);
    assert_int_equal(dr_strv_len(argv), DR_COUNT(want));
    for (size_t i = 0; i < DR_COUNT(want); i++)
        assert_string_equal(argv[i], want[i]);
}

static void says(const char *bytes, size_t len, const char *want)
{
    dr_auto_free char *text = transport_wsl.text(bytes, len);
    assert_string_equal(text, want);
}
#define SAYS(bytes, want) says(bytes, sizeof(bytes) - 1, want)

static void its_words_are_read_in_both_encodings(void **state)
{
    SAYS("", "");
    SAYS("plain\r\n", "plain\r\n");
    SAYS("f\xc3\xbcr", "f\xc3\xbcr");
    SAYS("\xff\xfe"
         "a\0b\0",
         "ab");
    SAYS("W\0S\0L\0\r\0\n\0", "WSL\r\n");
    SAYS("f\0\xfc\0r\0 \0\xac\x20 \0", "f\xc3\xbcr \xe2\x82\xac ");
    SAYS("a\0b\0\x3d\xd8\x00\xde"
         "c\0d\0",
         "ab\xf0\x9f\x98\x80"
         "cd");
    SAYS("a\0b\0c\0\x3d\xd8", "abc\xef\xbf\xbd"); /* half a pair, at the end */
    SAYS("a\0b\0c\0d", "abc");                    /* half a character */
    SAYS("\xff\xfe", "");
    /* mostly Chinese, with the code at its end */
    SAYS("\x2d\x4e\x87\x65\x2d\x4e\x87\x65\x2d\x4e\x87\x65"
         "E\0_\0",
         "\xe4\xb8\xad\xe6\x96\x87\xe4\xb8\xad\xe6\x96\x87\xe4\xb8\xad\xe6\x96\x87"
         "E_");
    /* Chinese: no NUL at all, so only the mark tells */
    SAYS("\xff\xfe\x2d\x4e\x87\x65", "\xe4\xb8\xad\xe6\x96\x87");
}

static void only_its_codes_are_looked_at(void **state)
{
    static const struct {
        const char *words;
        int status;
        enum dr_kind kind;
        bool hint;
    } cases[] = {
        {"Irgendwas. Fehlercode: Wsl/Service/WSL_E_DISTRO_NOT_FOUND", 255, DR_ERR_CONFIG,
         true},
        {"xx Wsl/WSL_E_WSL_OPTIONAL_COMPONENT_REQUIRED", 255, DR_ERR_UNAVAILABLE, true},
        {"xx Wsl/Service/CreateInstance/CreateVm/HCS/HCS_E_HYPERV_NOT_INSTALLED", 255,
         DR_ERR_UNAVAILABLE, true},
        {"xx Wsl/Service/CreateInstance/E_ILLEGAL_STATE_CHANGE", 255, DR_ERR_UNAVAILABLE,
         true},
        {"There is no distribution with the supplied name.", 255, DR_ERR_UNAVAILABLE,
         false},
        {"", 127, DR_ERR_CONFIG, true},
    };
    for (size_t i = 0; i < DR_COUNT(cases); i++) {
        const char *hint = NULL;
        struct transport_end end = {
            .ended = true, .status = cases[i].status, .words = cases[i].words};
        assert_int_equal(transport_wsl.judge(&end, &hint), cases[i].kind);
        assert_int_equal(hint != NULL, cases[i].hint);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_command_is_constant_and_the_distro_one_word),
        cmocka_unit_test(its_words_are_read_in_both_encodings),
        cmocka_unit_test(only_its_codes_are_looked_at),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
