/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/ip.h"
#include "base/mem.h"

static void addresses_are_written_as_rfc_5952_has_it(void **state)
{
    static const char *const good[][2] = {
        {"0.0.0.0", NULL},
        {"255.1.20.3", NULL},
        {"::", NULL},
        {"::1", NULL},
        {"1::", NULL},
        {"2001:DB8::0001", "2001:db8::1"},
        {"2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1"},
        {"2001:db8:0:1:1:1:1:1", NULL},
        {"1:0:0:2:0:0:0:3", "1:0:0:2::3"},
        {"::ffff:10.0.0.1", NULL},
        {"fd00::1.2.3.4", "fd00::102:304"},
        {"1:2:3:4:5:6:7::", "1:2:3:4:5:6:7:0"},
        {"1:2:3:4:5:6:7:8", NULL},
        {"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", NULL},
    };
    for (size_t i = 0; i < DR_COUNT(good); i++) {
        struct dr_ip ip;
        char text[DR_IP_TEXT];
        if (!dr_ip_parse(good[i][0], &ip))
            fail_msg("%s is refused", good[i][0]);
        dr_ip_format(&ip, text);
        assert_string_equal(text, good[i][1] ? good[i][1] : good[i][0]);
    }
}

static void what_is_no_address_is_refused(void **state)
{
    static const char *const bad[] = {"",
                                      "1",
                                      "1.2.3",
                                      "1.2.3.4.5",
                                      "1.2.3.256",
                                      "01.2.3.4",
                                      "1.2.3.4 ",
                                      " 1.2.3.4",
                                      "1.2.3.",
                                      "1..2.3",
                                      "-1.2.3.4",
                                      "0x1.2.3.4",
                                      ":",
                                      ":1",
                                      "1:",
                                      ":::",
                                      "1::2::3",
                                      "1:2:3:4:5:6:7",
                                      "1:2:3:4:5:6:7:8:9",
                                      "12345::",
                                      "g::",
                                      "fe80::1%eth0",
                                      "::1.2.3",
                                      "1.2.3.4::",
                                      "1:2:3:4:5:6:7:1.2.3.4",
                                      "::1/64",
                                      "1:2:3:4:5:6:7:8::"};
    struct dr_ip ip;
    for (size_t i = 0; i < DR_COUNT(bad); i++)
        if (dr_ip_parse(bad[i], &ip))
            fail_msg("'%s' is taken", bad[i]);
}

static struct dr_subnet subnet(const char *text)
{
    struct dr_subnet net;
    assert_true(dr_subnet_parse(text, &net));
    return net;
}

static void subnets_know_their_ends_and_what_is_inside(void **state)
{
    static const char *const cases[][3] = {
        {"172.17.3.4/16", "172.17.0.0", "172.17.255.255"},
        {"10.0.0.5/30", "10.0.0.4", "10.0.0.7"},
        {"10.0.0.5/32", "10.0.0.5", "10.0.0.5"},
        {"0.0.0.0/0", "0.0.0.0", "255.255.255.255"},
        {"fd00:1::5/64", "fd00:1::", "fd00:1::ffff:ffff:ffff:ffff"},
        {"fd00::ff/121", "fd00::80", "fd00::ff"},
    };
    for (size_t i = 0; i < DR_COUNT(cases); i++) {
        struct dr_subnet net = subnet(cases[i][0]);
        char text[DR_SUBNET_TEXT];
        struct dr_ip base = dr_subnet_base(&net), last = dr_subnet_last(&net);
        dr_ip_format(&base, text);
        assert_string_equal(text, cases[i][1]);
        dr_ip_format(&last, text);
        assert_string_equal(text, cases[i][2]);
        assert_true(dr_subnet_contains(&net, &base) && dr_subnet_contains(&net, &last));
        bool whole = net.prefix == 0;
        assert_true(whole || (dr_ip_next(&last) && !dr_subnet_contains(&net, &last)));
        dr_subnet_format(&net, text);
        assert_string_equal(text, cases[i][0]);
    }
    struct dr_subnet ignored;
    static const char *const bad[] = {"10.0.0.0",    "10.0.0.0/",  "10.0.0.0/33",
                                      "10.0.0.0/-1", "fd00::/129", "/8",
                                      "10.0.0.0/8 ", "10.0.0.0/+8"};
    for (size_t i = 0; i < DR_COUNT(bad); i++)
        assert_false(dr_subnet_parse(bad[i], &ignored));
}

static void overlapping_subnets_are_told(void **state)
{
    static const struct {
        const char *a, *b;
        bool overlap;
    } cases[] = {
        {"10.0.0.0/8", "10.5.0.0/16", true},   {"10.0.0.0/9", "10.128.0.0/9", false},
        {"10.0.0.0/24", "10.0.0.7/32", true},  {"0.0.0.0/0", "1.2.3.4/32", true},
        {"0.0.0.0/0", "fd00::/64", false},     {"fd00::/64", "fd00:0:0:1::/64", false},
        {"fd00::/48", "fd00:0:0:1::/64", true}};
    for (size_t i = 0; i < DR_COUNT(cases); i++) {
        struct dr_subnet a = subnet(cases[i].a), b = subnet(cases[i].b);
        assert_int_equal(dr_subnet_overlap(&a, &b), cases[i].overlap);
        assert_int_equal(dr_subnet_overlap(&b, &a), cases[i].overlap);
    }
}

static void the_next_address_carries_and_ends(void **state)
{
    struct dr_ip ip;
    char text[DR_IP_TEXT];
    assert_true(dr_ip_parse("10.0.255.255", &ip) && dr_ip_next(&ip));
    dr_ip_format(&ip, text);
    assert_string_equal(text, "10.1.0.0");
    assert_true(dr_ip_parse("255.255.255.255", &ip));
    assert_false(dr_ip_next(&ip));
    dr_ip_format(&ip, text);
    assert_string_equal(text, "255.255.255.255");
}

static void mac_addresses_are_of_one_interface(void **state)
{
    unsigned char mac[6];
    char text[DR_MAC_TEXT];
    assert_true(dr_mac_parse("02-42-aC-11-00-02", mac));
    dr_mac_format(mac, text);
    assert_string_equal(text, "02:42:ac:11:00:02");
    static const char *const bad[] = {"",
                                      "02:42:ac:11:00",
                                      "02:42:ac:11:00:0",
                                      "02:42:ac:11:00:02:",
                                      "02:42-ac:11:00:02",
                                      "0g:42:ac:11:00:02",
                                      "01:42:ac:11:00:02",
                                      "ff:ff:ff:ff:ff:ff",
                                      "00:00:00:00:00:00",
                                      "0242ac110002     "};
    for (size_t i = 0; i < DR_COUNT(bad); i++)
        assert_false(dr_mac_parse(bad[i], mac));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(addresses_are_written_as_rfc_5952_has_it),
        cmocka_unit_test(what_is_no_address_is_refused),
        cmocka_unit_test(subnets_know_their_ends_and_what_is_inside),
        cmocka_unit_test(overlapping_subnets_are_told),
        cmocka_unit_test(the_next_address_carries_and_ends),
        cmocka_unit_test(mac_addresses_are_of_one_interface),
    };
    return cmocka_run_group_tests_name("base ip", tests, NULL, NULL);
}
