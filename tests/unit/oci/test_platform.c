/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "oci/platform.h"

static struct oci_platform platform(const char *text)
{
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    struct oci_platform p;
    if (oci_platform_parse(text, &p, &err) < 0)
        fail_msg("%s", err.text);
    return p;
}

static void words_are_normalised_C09(void **state)
{
    static const struct {
        const char *text, *is;
    } cases[] = {
        {"linux/amd64", "linux/amd64"},
        {"x86_64", "linux/amd64"},
        {"aarch64", "linux/arm64"},
        {"linux/arm64/v8", "linux/arm64"},
        {"linux/arm64/8", "linux/arm64"},
        {"linux/arm", "linux/arm/v7"},
        {"linux/arm/7", "linux/arm/v7"},
        {"armhf", "linux/arm/v7"},
        {"armel", "linux/arm/v6"},
        {"armv7l", "linux/arm/v7"},
        {"i686", "linux/386"},
        {"linux/amd64/v1", "linux/amd64"},
        {"linux/amd64/v3", "linux/amd64/v3"},
        {"Linux/AMD64", "linux/amd64"},
        {"macos/arm64", "darwin/arm64"},
        {"windows/amd64", "windows/amd64"},
        {"linux/riscv64", "linux/riscv64"},
    };
    for (size_t i = 0; i < DR_COUNT(cases); i++) {
        struct oci_platform p = platform(cases[i].text);
        char text[OCI_PLATFORM_TEXT];
        oci_platform_text(&p, text);
        assert_string_equal(text, cases[i].is);
    }
}

static void what_is_no_platform_is_refused_by_name(void **state)
{
    static const char *const bad[] = {
        "",
        "/",
        "linux/",
        "/amd64",
        "linux/amd64/v1/x",
        "potato",
        "linux/am d",
        "linux//v7",
        "linux/\033",
        "linux/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"};
    for (size_t i = 0; i < DR_COUNT(bad); i++) {
        dr_auto_error struct dr_error err = DR_ERROR_INIT;
        struct oci_platform p;
        if (oci_platform_parse(bad[i], &p, &err) == 0)
            fail_msg("accepted: %s", bad[i]);
        assert_int_equal(err.kind, DR_ERR_INVALID);
        assert_non_null(
            strstr(err.text, "is not a platform: write os/architecture[/variant]"));
        assert_null(strchr(err.text, '\033'));
    }
}

static void the_best_of_several_is_taken_as_containerd_does_C09(void **state)
{
    static const struct {
        const char *want, *best[6]; /* in this order, those after NULL not at all */
        const char *never[4];
    } cases[] = {
        {"linux/amd64",
         {"linux/amd64", "linux/386"},
         {"linux/amd64/v2", "linux/arm64", "windows/amd64"}},
        {"linux/amd64/v3",
         {"linux/amd64/v3", "linux/amd64/v2", "linux/amd64", "linux/386"},
         {"linux/amd64/v4"}},
        {"linux/arm64",
         {"linux/arm64", "linux/arm/v8", "linux/arm/v7", "linux/arm/v6", "linux/arm/v5"},
         {"linux/amd64", "linux/arm64/v9"}},
        {"linux/arm/v7",
         {"linux/arm/v7", "linux/arm/v6", "linux/arm/v5"},
         {"linux/arm/v8", "linux/arm64"}},
        {"linux/arm/v6", {"linux/arm/v6", "linux/arm/v5"}, {"linux/arm/v7"}},
        {"linux/s390x", {"linux/s390x"}, {"linux/ppc64le"}},
    };
    for (size_t i = 0; i < DR_COUNT(cases); i++) {
        struct oci_platform want = platform(cases[i].want);
        int before = 1 << 20;
        for (size_t j = 0; j < 6 && cases[i].best[j]; j++) {
            struct oci_platform have = platform(cases[i].best[j]);
            int score = oci_platform_match(&want, &have);
            if (score <= 0 || score >= before)
                fail_msg("%s on %s: %d", cases[i].best[j], cases[i].want, score);
            before = score;
        }
        for (size_t j = 0; j < 4 && cases[i].never[j]; j++) {
            struct oci_platform have = platform(cases[i].never[j]);
            if (oci_platform_match(&want, &have) != 0)
                fail_msg("%s on %s", cases[i].never[j], cases[i].want);
        }
    }
    struct oci_platform want = platform("linux/amd64"), odd;
    oci_platform_set(&odd, NULL, NULL, NULL);
    assert_int_equal(oci_platform_match(&want, &odd), 0);
    oci_platform_set(&odd, "linux", "amd64/../..", NULL);
    assert_int_equal(oci_platform_match(&want, &odd), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(words_are_normalised_C09),
        cmocka_unit_test(what_is_no_platform_is_refused_by_name),
        cmocka_unit_test(the_best_of_several_is_taken_as_containerd_does_C09),
    };
    return cmocka_run_group_tests_name("oci platform", tests, NULL, NULL);
}
