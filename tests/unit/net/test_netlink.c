/* SPDX-License-Identifier: Apache-2.0 */
/* Messages as bytes: what is read back out of them is what went in. That the kernel
 * understands them is for the tests with real containers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <net/if.h>

#include "base/mem.h"
#include "guest/net/link.h"

static const struct nlmsghdr *message(const struct nl_batch *batch, unsigned i)
{
    const struct nlmsghdr *header = (const void *)(batch->data + batch->at[i]);
    size_t end = i + 1 < batch->count ? batch->at[i + 1] : batch->len;
    assert_int_equal(batch->at[i] % NLMSG_ALIGNTO, 0);
    assert_int_equal(NLMSG_ALIGN(header->nlmsg_len), end - batch->at[i]);
    assert_int_equal(header->nlmsg_seq, i + 1);
    assert_true(header->nlmsg_flags & NLM_F_REQUEST);
    return header;
}

/* An attribute within an attribute. */
static const struct nlattr *inside(const void *data, size_t len, int type)
{
    for (const unsigned char *at = data, *end = at + len; at + NLA_HDRLEN <= end;) {
        const struct nlattr *attr = (const struct nlattr *)at;
        assert_true(attr->nla_len >= NLA_HDRLEN && at + attr->nla_len <= end);
        if ((attr->nla_type & NLA_TYPE_MASK) == type)
            return attr;
        at += NLA_ALIGN(attr->nla_len);
    }
    fail_msg("attribute %d is not there", type);
    return NULL;
}

static const void *data_of(const struct nlattr *attr, size_t *ret_len)
{
    *ret_len = attr->nla_len - (size_t)NLA_HDRLEN;
    return (const unsigned char *)attr + NLA_HDRLEN;
}

static void a_veth_pair_is_one_message_with_its_other_end_within(void **state)
{
    struct nl_batch batch = {.len = 0};
    static const unsigned char mac[6] = {2, 0xd4, 10, 0, 0, 2};
    struct link_shape here = {.name = "dr-0123456789h", .mtu = 1300, .group = 0x40000001};
    struct link_shape there = {.name = "eth0", .mac = mac, .mtu = 1300};
    link_add_veth(&batch, &here, &there, 77);
    link_set_up(&batch, 0, "dr-0123456789h", 5, true);
    assert_int_equal(batch.count, 3);
    const struct nlmsghdr *add = message(&batch, 0), *off = message(&batch, 1),
                          *up = message(&batch, 2);
    assert_int_equal(add->nlmsg_type, RTM_NEWLINK);
    assert_true(add->nlmsg_flags & NLM_F_EXCL);
    const size_t body = sizeof(struct ifinfomsg);
    size_t len;
    assert_string_equal(nl_find(add, body, IFLA_IFNAME, &len), "dr-0123456789h");
    assert_int_equal(len, sizeof "dr-0123456789h");
    assert_int_equal(*(const uint32_t *)nl_find(add, body, IFLA_MTU, NULL), 1300);
    assert_int_equal(*(const uint32_t *)nl_find(add, body, IFLA_GROUP, NULL), 0x40000001);
    const void *info = nl_find(add, body, IFLA_LINKINFO, &len);
    size_t kind_len, data_len, peer_len;
    assert_string_equal(data_of(inside(info, len, IFLA_INFO_KIND), &kind_len), "veth");
    const void *data = data_of(inside(info, len, IFLA_INFO_DATA), &data_len);
    const unsigned char *peer =
        data_of(inside(data, data_len, VETH_INFO_PEER), &peer_len);
    const unsigned char *attrs = peer + sizeof(struct ifinfomsg);
    size_t attrs_len = peer_len - sizeof(struct ifinfomsg);
    assert_string_equal(data_of(inside(attrs, attrs_len, IFLA_IFNAME), &len), "eth0");
    assert_memory_equal(data_of(inside(attrs, attrs_len, IFLA_ADDRESS), &len), mac, 6);
    assert_int_equal(
        *(const uint32_t *)data_of(inside(attrs, attrs_len, IFLA_NET_NS_FD), &len), 77);
    const struct ifinfomsg *flags = NLMSG_DATA(up);
    assert_true(flags->ifi_flags & flags->ifi_change & IFF_UP);
    assert_int_equal(*(const uint32_t *)nl_find(up, body, IFLA_MASTER, NULL), 5);
    /* a kernel that refuses this one brings the link up all the same */
    assert_non_null(nl_find(off, body, IFLA_AF_SPEC, NULL));
    assert_null(nl_find(up, body, IFLA_AF_SPEC, NULL));
}

static void addresses_and_routes_say_their_family(void **state)
{
    struct nl_batch batch = {.len = 0};
    struct dr_subnet four, six;
    struct dr_ip gateway;
    assert_true(dr_subnet_parse("10.0.0.2/24", &four));
    assert_true(dr_subnet_parse("fd00::2/64", &six));
    assert_true(dr_ip_parse("fd00::1", &gateway));
    link_add_address(&batch, 3, &four);
    link_add_address(&batch, 3, &six);
    link_add_default_route(&batch, &gateway);
    const struct ifaddrmsg *a = NLMSG_DATA(message(&batch, 0));
    const struct ifaddrmsg *b = NLMSG_DATA(message(&batch, 1));
    const struct rtmsg *route = NLMSG_DATA(message(&batch, 2));
    static const unsigned char broadcast[4] = {10, 0, 0, 255};
    size_t len;
    assert_int_equal(a->ifa_family, AF_INET);
    assert_int_equal(a->ifa_prefixlen, 24);
    assert_int_equal(a->ifa_index, 3);
    assert_memory_equal(nl_find(message(&batch, 0), sizeof *a, IFA_BROADCAST, &len),
                        broadcast, 4);
    assert_int_equal(b->ifa_family, AF_INET6);
    assert_true(b->ifa_flags & IFA_F_NODAD); /* usable at once (C17) */
    assert_null(nl_find(message(&batch, 1), sizeof *b, IFA_BROADCAST, NULL));
    assert_int_equal(route->rtm_family, AF_INET6);
    assert_int_equal(route->rtm_dst_len, 0);
    nl_find(message(&batch, 2), sizeof *route, RTA_GATEWAY, &len);
    assert_int_equal(len, 16);
}

static void torn_attributes_end_the_search(void **state)
{
    struct nl_batch batch = {.len = 0};
    struct ifinfomsg info = {0};
    nl_begin(&batch, "x", RTM_NEWLINK, 0, &info, sizeof info);
    nl_attr_str(&batch, IFLA_IFNAME, "eth0");
    nl_attr_u32(&batch, IFLA_MTU, 1500);
    struct nlmsghdr *header = (struct nlmsghdr *)batch.data;
    struct nlattr *first =
        (struct nlattr *)((unsigned char *)NLMSG_DATA(header) + sizeof info);
    assert_non_null(nl_find(header, sizeof info, IFLA_MTU, NULL));
    for (unsigned len = 0; len < 4; len++) {
        first->nla_len = (uint16_t)len; /* would go round for ever */
        assert_null(nl_find(header, sizeof info, IFLA_MTU, NULL));
    }
    first->nla_len = 4000;
    assert_null(nl_find(header, sizeof info, IFLA_IFNAME, NULL));
    header->nlmsg_len = 3; /* less than its own header */
    assert_null(nl_find(header, sizeof info, IFLA_MTU, NULL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_veth_pair_is_one_message_with_its_other_end_within),
        cmocka_unit_test(addresses_and_routes_say_their_family),
        cmocka_unit_test(torn_attributes_end_the_search),
    };
    return cmocka_run_group_tests_name("net netlink", tests, NULL, NULL);
}
