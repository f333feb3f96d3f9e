/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "guest/net/pool.h"
#include "guest/net/subnets.h"

static struct pool pool_of(const char *subnet, const char *gateway, const char *range)
{
    struct pool pool = {0};
    assert_true(dr_subnet_parse(subnet, &pool.subnet));
    if (gateway)
        assert_true(dr_ip_parse(gateway, &pool.gateway));
    if (range)
        assert_true(dr_subnet_parse(range, &pool.range));
    return pool;
}

/* used: addresses with blanks between them; "": there is none to be had. */
static void picks(const char *subnet, const char *gateway, const char *range,
                  const char *used, const char *want)
{
    struct pool pool = pool_of(subnet, gateway, range);
    struct dr_ip ips[300], ip;
    size_t count = 0;
    char text[DR_IP_TEXT] = "";
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    dr_auto_free char *words = dr_strdup(used);
    for (char *rest, *word = strtok_r(words, " ", &rest); word;
         word = strtok_r(NULL, " ", &rest))
        assert_true(dr_ip_parse(word, &ips[count++]));
    if (pool_pick(&pool, ips, count, &ip, &err) == 0)
        dr_ip_format(&ip, text);
    else
        assert_int_equal(err.kind, DR_ERR_NETWORK);
    assert_string_equal(text, want);
}

static void an_address_is_given_that_nobody_has(void **state)
{
    picks("10.0.0.0/24", "10.0.0.1", NULL, "", "10.0.0.2");
    picks("10.0.0.0/24", "10.0.0.1", NULL, "10.0.0.2", "10.0.0.3");
    /* the next above the highest: one that was given back comes again late */
    picks("10.0.0.0/24", "10.0.0.1", NULL, "10.0.0.9 10.0.0.3", "10.0.0.10");
    /* from the beginning when there is none, over the gateway and what is used */
    picks("10.0.0.0/29", "10.0.0.2", NULL, "10.0.0.6 10.0.0.1", "10.0.0.3");
    picks("10.0.0.0/29", "10.0.0.1", NULL, "10.0.0.3 10.0.0.2 10.0.0.4 10.0.0.6",
          "10.0.0.5");
    picks("10.0.0.0/30", "10.0.0.1", NULL, "", "10.0.0.2");
    picks("10.0.0.0/30", "10.0.0.1", NULL, "10.0.0.2", "");
    picks("10.0.0.0/30", NULL, NULL, "10.0.0.1", "10.0.0.2");
    picks("255.255.255.252/30", "255.255.255.253", NULL, "255.255.255.254", "");
    picks("fd00::/64", "fd00::1", NULL, "fd00::2", "fd00::3");
    picks("fd00::/126", "fd00::1", NULL, "fd00::2", "fd00::3"); /* no broadcast there */
    picks("ffff:ffff:ffff:ffff:ffff:ffff:ffff:fffc/126", NULL, NULL,
          "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
          "ffff:ffff:ffff:ffff:ffff:ffff:ffff:fffd");
}

static void a_range_is_kept_to_and_others_may_be_outside(void **state)
{
    picks("10.0.0.0/24", "10.0.0.1", "10.0.0.128/25", "", "10.0.0.128");
    picks("10.0.0.0/24", "10.0.0.1", "10.0.0.0/25", "10.0.0.200", "10.0.0.2");
    picks("10.0.0.0/24", "10.0.0.1", "10.0.0.8/30", "10.0.0.8 10.0.0.9 10.0.0.10",
          "10.0.0.11");
    picks("10.0.0.0/24", "10.0.0.9", "10.0.0.8/30", "10.0.0.8 10.0.0.10 10.0.0.11", "");
    picks("10.0.0.0/24", "10.0.0.1", "10.0.0.252/30", "10.0.0.254", "10.0.0.252");
}

static void a_whole_subnet_is_given_out_once(void **state)
{
    struct pool pool = pool_of("10.0.0.0/24", "10.0.0.77", NULL);
    struct dr_ip used[256];
    size_t count = 0;
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    while (pool_pick(&pool, used, count, &used[count], &err) == 0) {
        for (size_t i = 0; i < count; i++)
            assert_false(dr_ip_equal(&used[i], &used[count]));
        assert_false(dr_ip_equal(&used[count], &pool.gateway));
        count++;
    }
    assert_int_equal(count, 253);
    assert_string_equal(err.text, "no address is free in 10.0.0.0/24 (253 are in use)");
}

static void pools_that_cannot_be_are_refused(void **state)
{
    static const struct {
        const char *subnet, *gateway, *range, *error;
    } bad[] = {
        {"10.0.0.5/24", NULL, NULL,
         "subnet 10.0.0.5/24 has bits of a host: did you mean 10.0.0.0/24?"},
        {"0.0.0.0/0", NULL, NULL, "subnet 0.0.0.0/0 is not one for hosts"},
        {"224.0.0.0/24", NULL, NULL, "subnet 224.0.0.0/24 is not one for hosts"},
        {"127.0.0.0/24", NULL, NULL, "subnet 127.0.0.0/24 is not one for hosts"},
        {"ff00::/64", NULL, NULL, "subnet ff00::/64 is not one for hosts"},
        {"10.0.0.0/24", "10.0.1.1", NULL,
         "gateway 10.0.1.1 is not in the subnet 10.0.0.0/24"},
        {"10.0.0.0/24", "fd00::1", NULL,
         "gateway fd00::1 is not in the subnet 10.0.0.0/24"},
        {"10.0.0.0/24", "10.0.0.255", NULL,
         "gateway 10.0.0.255 names the subnet 10.0.0.0/24 or all of its members"},
        {"10.0.0.0/24", NULL, "10.0.0.0/23",
         "ip-range 10.0.0.0/23 is not in the subnet 10.0.0.0/24"},
        {"10.0.0.0/24", NULL, "10.0.1.0/25",
         "ip-range 10.0.1.0/25 is not in the subnet 10.0.0.0/24"},
        {"10.0.0.0/31", NULL, NULL,
         "10.0.0.0/31 has no address for a container beside its gateway"},
        {"10.0.0.0/24", "10.0.0.9", "10.0.0.9/32",
         "10.0.0.9/32 has no address for a container beside its gateway"},
    };
    for (size_t i = 0; i < DR_COUNT(bad); i++) {
        struct pool pool = pool_of(bad[i].subnet, bad[i].gateway, bad[i].range);
        dr_auto_error struct dr_error err = DR_ERROR_INIT;
        assert_int_equal(pool_check(&pool, &err), -1);
        assert_int_equal(err.kind, DR_ERR_INVALID);
        assert_string_equal(err.text, bad[i].error);
    }
}

static void a_subnet_is_chosen_that_overlaps_with_nothing(void **state)
{
    struct dr_subnet first, second, all;
    struct subnet_use uses[3] = {0};
    struct subnets subnets = {.items = uses};
    assert_true(subnets_free(&subnets, 4, &first));
    uses[subnets.count++].subnet = first;
    assert_true(subnets_free(&subnets, 4, &second));
    assert_false(dr_subnet_overlap(&first, &second));
    assert_true(dr_subnet_parse("10.0.0.0/8", &all)); /* a VPN's, say */
    uses[subnets.count++].subnet = all;
    assert_true(subnets_free(&subnets, 4, &second));
    assert_false(dr_subnet_overlap(&all, &second));
    assert_true(dr_subnet_parse("128.0.0.0/1", &uses[subnets.count++].subnet));
    assert_false(subnets_free(&subnets, 4, &second));
    assert_true(subnets_free(&subnets, 6, &second) && second.ip.bytes[0] == 0xfd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_address_is_given_that_nobody_has),
        cmocka_unit_test(a_range_is_kept_to_and_others_may_be_outside),
        cmocka_unit_test(a_whole_subnet_is_given_out_once),
        cmocka_unit_test(pools_that_cannot_be_are_refused),
        cmocka_unit_test(a_subnet_is_chosen_that_overlaps_with_nothing),
    };
    return cmocka_run_group_tests_name("net pool", tests, NULL, NULL);
}
