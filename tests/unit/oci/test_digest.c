/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "oci/digest.h"

#define EMPTY "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

static void digest_of_bytes_parses_again(void **state)
{
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    struct oci_digest a, b;
    oci_digest_of("", 0, &a);
    assert_string_equal(a.text, EMPTY);
    assert_int_equal(oci_digest_parse(EMPTY, strlen(EMPTY), &b, &err), 0);
    assert_true(oci_digest_equal(&a, &b));
    assert_string_equal(oci_digest_hex(&b), EMPTY + 7);
    /* no NUL is needed behind it */
    assert_int_equal(oci_digest_parse(EMPTY "xx", strlen(EMPTY), &b, &err), 0);
}

static void refused(const char *text, enum dr_kind kind, const char *why)
{
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    struct oci_digest digest;
    if (oci_digest_parse(text, strlen(text), &digest, &err) == 0)
        fail_msg("accepted: %s", text);
    if (err.kind != kind || !strstr(err.text, why))
        fail_msg("%s: %s: %s", text, dr_kind_name(err.kind), err.text);
}

static void digest_refuses_upper_case_hex(void **state)
{
    refused("sha256:E3B0C44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
            DR_ERR_FORMAT, "bad byte at offset 7");
}

static void digest_refuses_what_would_leave_the_directory_CVE_2024_3727_H2(void **state)
{
    refused("sha256:../../../../../../../../../../../../../../../../../../etc/passwd0000",
            DR_ERR_FORMAT, "bad byte at offset 7");
    refused("sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b85/",
            DR_ERR_FORMAT, "bad byte at offset 70");
}

static void digest_refuses_other_lengths(void **state)
{
    refused("", DR_ERR_FORMAT, "bad byte at offset 0");
    refused("sha256", DR_ERR_FORMAT, "bad byte at offset 6");
    refused("sha256:", DR_ERR_FORMAT, "ends too early, at offset 7");
    refused("sha256:e3b0", DR_ERR_FORMAT, "ends too early, at offset 11");
    refused(EMPTY "0", DR_ERR_FORMAT, "too long, bad byte at offset 71");
    struct oci_digest digest;
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    static const char nul[71] =
        "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca4959";
    assert_int_equal(oci_digest_parse(nul, sizeof nul, &digest, &err), -1);
    assert_non_null(strstr(err.text, "bad byte at offset 60"));
}

static void digest_names_the_algorithm_it_does_not_know(void **state)
{
    refused("sha512:00", DR_ERR_UNSUPPORTED, "'sha512' is not supported, only sha256 is");
    refused("blake3:00", DR_ERR_UNSUPPORTED, "'blake3' is not supported");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(digest_of_bytes_parses_again),
        cmocka_unit_test(digest_refuses_upper_case_hex),
        cmocka_unit_test(digest_refuses_what_would_leave_the_directory_CVE_2024_3727_H2),
        cmocka_unit_test(digest_refuses_other_lengths),
        cmocka_unit_test(digest_names_the_algorithm_it_does_not_know),
    };
    return cmocka_run_group_tests_name("oci digest", tests, NULL, NULL);
}
