/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/text.h"
#include "base/words.h"

/* C25 */
static void every_word_goes_to_json_and_back(void **state)
{
    char every[256];
    for (int i = 0; i < 255; i++)
        every[i] = (char)(i + 1);
    every[255] = '\0';
    char *words[] = {(char *)"a",        (char *)"",     every,
                     (char *)"\xc3\xa4", (char *)"\xc3", NULL};
    dr_auto_json json_t *json = dr_words_to_json(words);
    dr_auto_free char *text = dr_json_text(json);
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    dr_auto_json json_t *parsed = dr_json_parse(text, strlen(text), 10000, &err);
    dr_auto_strv char **back = dr_words_from_json(parsed);
    assert_int_equal(dr_strv_len(back), DR_COUNT(words) - 1);
    for (size_t i = 0; words[i]; i++)
        assert_string_equal(back[i], words[i]);
    assert_false(dr_words_are_text(json));
    words[2] = words[4] = (char *)"x";
    dr_auto_json json_t *plain = dr_words_to_json(words);
    assert_true(dr_words_are_text(plain));
}

static void what_is_no_word_is_told(void **state)
{
    static const char *const bad[] = {
        "[1]",
        "[{}]",
        "[null]",
        "[{\"base64\":\"AGE=\"}]", /* a NUL */
        "[{\"base64\":\"a\"}]",
        "[{\"base64\":\"_w==\"}]",
        "[{\"base64\":\"/w==\",\"more\":1}]",
    };
    for (size_t i = 0; i < DR_COUNT(bad); i++) {
        dr_auto_error struct dr_error err = DR_ERROR_INIT;
        dr_auto_json json_t *json = dr_json_parse(bad[i], strlen(bad[i]), 1000, &err);
        assert_non_null(json);
        assert_false(dr_word_is_valid(json_array_get(json, 0)));
        dr_auto_strv char **words = dr_words_from_json(json);
        assert_int_equal(dr_strv_len(words), 0);
    }
}

static void people_see_u_fffd(void **state)
{
    char *words[] = {(char *)"a\xff\xc3\xa4\xe2\x82", (char *)"b", NULL};
    dr_auto_json json_t *json = dr_words_to_json(words);
    dr_auto_json json_t *shown = dr_words_shown(json);
    assert_string_equal(json_string_value(json_array_get(shown, 0)),
                        "a\xef\xbf\xbd\xc3\xa4\xef\xbf\xbd\xef\xbf\xbd");
    assert_string_equal(json_string_value(json_array_get(shown, 1)), "b");
    assert_null(dr_words_shown(NULL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_word_goes_to_json_and_back),
        cmocka_unit_test(what_is_no_word_is_told),
        cmocka_unit_test(people_see_u_fffd),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
