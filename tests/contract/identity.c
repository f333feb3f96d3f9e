/* SPDX-License-Identifier: Apache-2.0 */
/* C05: names of services' replicas, names of persons. */
#include "contract.h"

#include <ctype.h>

static void expect_name(const char *service, uint32_t replica, const char *want)
{
    SAME(keep(dray_service_name(service, replica)), want);
}

static void C05_a_replica_is_called_service_rep_n(void **s)
{
    expect_name("web", 0, "web-rep-0");
    expect_name("web", 7, "web-rep-7");
    expect_name("Web_Server-2", 4294967295u, "Web_Server-2-rep-4294967295");
}

static void C05_what_is_replaced_adds_digits_of_the_hash_before_rep(void **s)
{
    /* the raw id is "a.b-rep-3" */
    char *digits = shell(NULL, "printf a.b-rep-3 | sha256sum | cut -c1-8");
    expect_name("a.b", 3, text("a-b-%s-rep-3", digits));
    digits = shell(NULL, "printf 'a b-rep-3' | sha256sum | cut -c1-8");
    expect_name("a b", 3, text("a-b-%s-rep-3", digits));
    expect_name("a-b", 3, "a-b-rep-3");
}

static void C05_two_services_never_share_a_name(void **s)
{
    static const char *const services[] = {
        "a.b",
        "a-b",
        "a b",
        "a_b",
        "a/b",
        "\xc3\xa4",
        "-a",
        "a-",
        ".a",
        "--",
        "",
        "a",
        /* one that looks as if it were hashed already */
        "a-b-0123abcd",
    };
    char *made[sizeof services / sizeof services[0] + 1];
    size_t count = 0;
    for (; count < sizeof services / sizeof services[0]; count++)
        made[count] = keep(dray_service_name(services[count], 1));
    made[count] = keep(dray_service_name(made[0], 1)); /* the name of another one */
    for (size_t i = 0; i <= count; i++)
        for (size_t j = 0; j < i; j++)
            if (strcmp(made[i], made[j]) == 0)
                fail_msg("%zu and %zu are both %s", i, j, made[i]);
}

static void C05_a_name_has_at_most_63_bytes_and_no_leading_dash(void **s)
{
    char lengthy[301];
    memset(lengthy, 'x', 300);
    lengthy[300] = '\0';
    for (int i = 0; i < 300; i++) {
        const char *made = keep(dray_service_name(lengthy + i, 4294967295u));
        assert_true(strlen(made) <= 63);
        HAS(made, "-rep-4294967295");
        for (const char *p = made; *p; p++)
            assert_true(isalnum((unsigned char)*p) || *p == '-' || *p == '_');
    }
    char *one = keep(dray_service_name(lengthy, 0)), *other;
    lengthy[299] = 'y'; /* a difference in what is cut off */
    other = keep(dray_service_name(lengthy, 0));
    assert_string_not_equal(one, other);
    assert_true(keep(dray_service_name("-----", 1))[0] != '-');
    assert_true(keep(dray_service_name("", 1))[0] != '-');
}

static void C05_a_person_s_name_is_validated_never_changed(void **s)
{
    static const char *const good[] = {"a", "web.1", "0", "A_b-c.D"};
    static const char *const bad[] = {"",    "-a",   ".a",       "_a",  "a b",
                                      "a/b", "../a", "\xc3\xa4", "a\n", "a:b"};
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
        OK(dray_name_check(good[i], ERR));
    struct dray_spec *spec = spec_for(NULL, "true", NULL);
    char id[DRAY_ID_SIZE];
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        FAILS(DRAY_ERR_INVALID, dray_name_check(bad[i], ERR));
        /* at once, or at the latest when it is made */
        if (dray_spec_set(spec, "name", bad[i], ERR) == 0 && *bad[i])
            FAILS(DRAY_ERR_INVALID,
                  dray_container_create(target, spec, NULL, id, NULL, ERR));
    }
    char lengthy[200];
    memset(lengthy, 'a', 199);
    lengthy[199] = '\0';
    FAILS(DRAY_ERR_INVALID, dray_name_check(lengthy, ERR), "128");
    lengthy[128] = '\0';
    OK(dray_name_check(lengthy, ERR));
    SAME(names(), "");
}

static void C05_a_service_names_its_containers_and_is_found_in_the_list(void **s)
{
    static const char *const services[] = {"a.b", "a-b"};
    for (int i = 0; i < 2; i++) {
        struct dray_spec *spec = spec_for(NULL, "true", NULL);
        set(spec, "service", services[i]);
        set(spec, "replica", "2");
        set(spec, "deployment", "shop");
        created(spec);
    }
    char *dotted = keep(dray_service_name("a.b", 2));
    SAME(names(), strcmp(dotted, "a-b-rep-2") < 0 ? text("%s a-b-rep-2", dotted)
                                                  : text("a-b-rep-2 %s", dotted));
    struct dray_container_list list;
    OK(dray_container_list(target, true, NULL, &list, ERR));
    int dots = 0;
    for (size_t i = 0; i < list.count; i++) {
        assert_int_equal(list.items[i].replica, 2);
        assert_string_equal(list.items[i].deployment, "shop");
        dots += strcmp(list.items[i].service, "a.b") == 0;
    }
    dray_container_list_free(&list);
    assert_int_equal(dots, 1);
}

static void C05_a_second_container_of_the_same_replica_is_refused(void **s)
{
    struct dray_spec *spec = spec_for(NULL, "true", NULL);
    char id[DRAY_ID_SIZE];
    set(spec, "service", "web");
    set(spec, "replica", "1");
    char *first = created(spec);
    FAILS(DRAY_ERR_EXISTS, dray_container_create(target, spec, NULL, id, NULL, ERR),
          "web-rep-1");
    SAME(str_at(inspected("web-rep-1"), "Id"), first);
}

static void C05_bundle_and_log_are_named_by_the_slug(void **s)
{
    struct dray_spec *spec = spec_for("dots.and-dashes", "true", NULL);
    struct result result = ran(spec);
    assert_int_equal(result.code, 0);
    char *digits = shell(NULL, "printf dots.and-dashes | sha256sum | cut -c1-8");
    char *slug = text("dots-and-dashes-%s", digits);
    assert_true(exists(text("%s/bundles/%s/config.json", root, slug)));
    assert_true(exists(text("%s/logs/%s.log", root, slug)));
}

TESTS(identity_tests, ANY_RUNTIME(C05_a_replica_is_called_service_rep_n),
      ANY_RUNTIME(C05_what_is_replaced_adds_digits_of_the_hash_before_rep),
      ANY_RUNTIME(C05_two_services_never_share_a_name),
      ANY_RUNTIME(C05_a_name_has_at_most_63_bytes_and_no_leading_dash),
      ANY_RUNTIME(C05_a_person_s_name_is_validated_never_changed),
      ANY_RUNTIME(C05_a_service_names_its_containers_and_is_found_in_the_list),
      ANY_RUNTIME(C05_a_second_container_of_the_same_replica_is_refused),
      ANY_RUNTIME(C05_bundle_and_log_are_named_by_the_slug));
