/* SPDX-License-Identifier: Apache-2.0 */
/* IP addresses, subnets and MAC addresses: text and arithmetic, no sockets, so that both
 * ends and every platform have the same. */
#ifndef DRAY_BASE_IP_H
#define DRAY_BASE_IP_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

struct dr_ip {
    int family; /* 4, 6; 0: none */
    unsigned char bytes[16];
};

/* An address and how many of its first bits name the subnet. */
struct dr_subnet {
    struct dr_ip ip;
    int prefix;
};

#define DR_IP_TEXT 46
#define DR_SUBNET_TEXT 50
#define DR_MAC_TEXT 18

/* Dotted decimal of four numbers without leading zeros, or RFC 4291 2.2 (the last 32 bits
 * may be dotted); no zone, no blanks. */
bool dr_ip_parse(const char *text, struct dr_ip *ret);
/* RFC 5952; an IPv4-mapped address as it is (::ffff:a.b.c.d). "" for none. */
void dr_ip_format(const struct dr_ip *ip, char ret[DR_IP_TEXT]);
/* "10.0.0.0/24". Host bits are kept: dr_subnet_base() says what they stand in. */
bool dr_subnet_parse(const char *text, struct dr_subnet *ret);
void dr_subnet_format(const struct dr_subnet *subnet, char ret[DR_SUBNET_TEXT]);

int dr_ip_bits(const struct dr_ip *ip); /* 32 or 128 */
bool dr_ip_equal(const struct dr_ip *a, const struct dr_ip *b);
/* Of one family: <0, 0, >0 as memcmp. */
int dr_ip_compare(const struct dr_ip *a, const struct dr_ip *b);
bool dr_ip_is_zero(const struct dr_ip *ip);
bool dr_ip_is_multicast(const struct dr_ip *ip);
bool dr_ip_is_loopback(const struct dr_ip *ip);
/* The next address; false: there is none (all ones), *ip is unchanged. */
bool dr_ip_next(struct dr_ip *ip);

/* First and last address of the subnet: its base, and for IPv4 its broadcast. */
struct dr_ip dr_subnet_base(const struct dr_subnet *subnet);
struct dr_ip dr_subnet_last(const struct dr_subnet *subnet);
bool dr_subnet_contains(const struct dr_subnet *subnet, const struct dr_ip *ip);
/* Of different families: never. */
bool dr_subnet_overlap(const struct dr_subnet *a, const struct dr_subnet *b);

/* "02:42:ac:11:00:02", also with '-', any case: a unicast address that is not zero. */
bool dr_mac_parse(const char *text, unsigned char ret[6]);
void dr_mac_format(const unsigned char mac[6], char ret[DR_MAC_TEXT]);

#endif
