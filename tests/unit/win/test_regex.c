/* SPDX-License-Identifier: Apache-2.0 */
#include <regex.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

int our_match(const char *pattern, const char *text);

static int their_match(const char *pattern, const char *text)
{
    regex_t regex;
    if (regcomp(&regex, pattern, REG_EXTENDED | REG_NOSUB) != 0)
        return 2;
    int rc = regexec(&regex, text, 0, NULL, 0) != 0;
    regfree(&regex);
    return rc;
}

static void patterns_mean_what_they_mean_to_the_c_library(void **state)
{
    static const char *const patterns[] = {"",
                                           "a",
                                           "^a",
                                           "a$",
                                           "^a$",
                                           "a|b",
                                           "^(a|b)$",
                                           "^(ab)+$",
                                           "a*",
                                           "^a*$",
                                           "x?y",
                                           "[a-c]+$",
                                           "^[^a-c]+$",
                                           "web-[0-9]+",
                                           "^/web-1?2$",
                                           "^a{2}$",
                                           "^a{2,3}$",
                                           "^a{2,}$",
                                           "(a*)*b",
                                           "(a|b)*c",
                                           "^(a?)*$",
                                           "^(a|ab)(c|bcd)(d*)$",
                                           "a\\.b",
                                           "a.c",
                                           "[]a]",
                                           "a||b",
                                           "()",
                                           "[[:digit:]]+",
                                           "[[:alpha:]_]+$",
                                           "(",
                                           "[",
                                           "a{3,2}",
                                           "(a"};
    static const char *const texts[] = {
        "",        "a",      "b",     "ab",  "abab", "aa",  "aaa", "aaaa", "abc", "abcd",
        "/web-12", "/web-2", "/web-", "a.b", "axb",  "xyz", "]",   "c",    "aab", "A_b"};
    for (size_t i = 0; i < sizeof patterns / sizeof *patterns; i++)
        for (size_t j = 0; j < sizeof texts / sizeof *texts; j++)
            if (our_match(patterns[i], texts[j]) != their_match(patterns[i], texts[j]))
                fail_msg("'%s' on '%s': %d", patterns[i], texts[j],
                         our_match(patterns[i], texts[j]));
}

static void a_sign_of_repetition_alone_is_refused(void **state)
{
    assert_int_equal(our_match("*a", "a"), 2);
    assert_int_equal(our_match("a)", "a)"), 2);
    assert_int_equal(our_match("a\\", "a"), 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(patterns_mean_what_they_mean_to_the_c_library),
        cmocka_unit_test(a_sign_of_repetition_alone_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
