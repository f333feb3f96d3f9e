/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/sha256.h"
#include "spec/container.h"

static void c05_names_are_validated_not_sanitised(void **state)
{
    static const char *const good[] = {"a", "web", "web-1", "A.b_c-9", "0"};
    static const char *const bad[] = {"",   "-a",  ".a",       "_a",   "a b",
                                      "a/", "a:b", "\xc3\xa9", "a\nb", "a\x1b[0m"};
    for (size_t i = 0; i < DR_COUNT(good); i++) {
        struct dr_error err = DR_ERROR_INIT;
        assert_int_equal(spec_name_check(good[i], &err), 0);
    }
    for (size_t i = 0; i < DR_COUNT(bad); i++) {
        struct dr_error err = DR_ERROR_INIT;
        assert_int_equal(spec_name_check(bad[i], &err), -1);
        assert_int_equal(err.kind, DR_ERR_INVALID);
        assert_non_null(strstr(err.text, "only [a-zA-Z0-9][a-zA-Z0-9_.-]* is allowed"));
    }
}

static void c05_a_name_has_at_most_128_bytes(void **state)
{
    char name[130];
    struct dr_error err = DR_ERROR_INIT;
    memset(name, 'a', sizeof name);
    name[128] = '\0';
    assert_int_equal(spec_name_check(name, &err), 0);
    name[128] = 'a';
    name[129] = '\0';
    assert_int_equal(spec_name_check(name, &err), -1);
    assert_int_equal(err.kind, DR_ERR_INVALID);
    assert_non_null(strstr(err.text, "longer than 128 bytes"));
}

static void expect_slug(const char *id, const char *expected)
{
    dr_auto_free char *slug = spec_slug(id);
    assert_string_equal(slug, expected);
}

/* `base` and then the digits of the id's hash */
static void expect_hashed(const char *id, const char *base)
{
    char hex[DR_SHA256_HEX + 1];
    dr_sha256_of(id, strlen(id), hex);
    dr_auto_free char *expected = dr_printf("%s-%.8s", base, hex);
    expect_slug(id, expected);
}

static void c05_slug_keeps_what_needs_no_change(void **state)
{
    expect_slug("web", "web");
    expect_slug("Web_1-x", "Web_1-x");
    expect_slug("web-rep-12", "web-rep-12");
    expect_slug("a-", "a-");
}

static void c05_slug_of_a_changed_id_ends_in_its_hash(void **state)
{
    expect_hashed("a.b", "a-b");
    expect_hashed("a b", "a-b");
    expect_hashed("\xc3\xa9", "c");
    expect_hashed("-a", "a");
    expect_hashed("", "c");
    expect_hashed("..", "c");
    expect_hashed("../etc/passwd", "etc-passwd");
}

static void c05_no_two_ids_share_a_slug(void **state)
{
    char hex[DR_SHA256_HEX + 1];
    dr_sha256_of("a.b", 3, hex);
    dr_auto_free char *mimic = dr_printf("a-b-%.8s", hex);
    dr_auto_free char *mimic_rep = spec_service_slug("a.b", 1);
    char long_a[101], long_b[101];
    memset(long_a, 'a', 100);
    long_a[100] = '\0';
    memcpy(long_b, long_a, sizeof long_b);
    long_b[99] = 'b';
    const char *ids[] = {"a.b", "a-b",  "a b",  "a/b",     "-a-b", "--a-b", "a--b",
                         mimic, long_a, long_b, mimic_rep, "",     "c"};
    char *slugs[DR_COUNT(ids) + 1];
    for (size_t i = 0; i < DR_COUNT(ids); i++)
        slugs[i] = spec_slug(ids[i]);
    slugs[DR_COUNT(ids)] = spec_service_slug("a.b", 1);
    for (size_t i = 0; i <= DR_COUNT(ids); i++)
        for (size_t j = 0; j < i; j++)
            assert_string_not_equal(slugs[i], slugs[j]);
    for (size_t i = 0; i <= DR_COUNT(ids); i++)
        free(slugs[i]);
}

static void c05_slug_is_never_longer_than_63_nor_begins_with_a_dash(void **state)
{
    char id[301];
    for (size_t len = 1; len < sizeof id; len++) {
        memset(id, len % 2 ? 'a' : '-', len);
        id[len] = '\0';
        dr_auto_free char *slug = spec_slug(id);
        dr_auto_free char *service = spec_service_slug(id, 4294967295U);
        assert_in_range(strlen(slug), 1, 63);
        assert_in_range(strlen(service), 1, 63);
        assert_int_not_equal(slug[0], '-');
        assert_int_not_equal(service[0], '-');
        assert_string_equal(service + strlen(service) - 15, "-rep-4294967295");
    }
}

static void c05_service_slug_puts_the_hash_before_the_replica(void **state)
{
    dr_auto_free char *plain = spec_service_slug("web", 3);
    assert_string_equal(plain, "web-rep-3");
    char hex[DR_SHA256_HEX + 1];
    dr_sha256_of("a.b-rep-3", 9, hex);
    dr_auto_free char *expected = dr_printf("a-b-%.8s-rep-3", hex);
    dr_auto_free char *hashed = spec_service_slug("a.b", 3);
    assert_string_equal(hashed, expected);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(c05_names_are_validated_not_sanitised),
        cmocka_unit_test(c05_a_name_has_at_most_128_bytes),
        cmocka_unit_test(c05_slug_keeps_what_needs_no_change),
        cmocka_unit_test(c05_slug_of_a_changed_id_ends_in_its_hash),
        cmocka_unit_test(c05_no_two_ids_share_a_slug),
        cmocka_unit_test(c05_slug_is_never_longer_than_63_nor_begins_with_a_dash),
        cmocka_unit_test(c05_service_slug_puts_the_hash_before_the_replica),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
