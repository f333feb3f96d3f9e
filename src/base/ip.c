/* SPDX-License-Identifier: Apache-2.0 */
#include "base/ip.h"

#include <stdio.h>
#include <string.h>

#include "base/text.h"

static int hex_digit(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

static bool parse_4(const char *p, unsigned char ret[4])
{
    for (int i = 0; i < 4; i++) {
        int n = 0, digits = 0;
        const char *first = p;
        for (; *p >= '0' && *p <= '9' && digits < 4; p++, digits++)
            n = n * 10 + (*p - '0');
        /* 010 is eight to some readers and ten to others */
        if (!digits || n > 255 || digits > 3 || (digits > 1 && *first == '0'))
            return false;
        if (*p++ != (i < 3 ? '.' : '\0'))
            return false;
        ret[i] = (unsigned char)n;
    }
    return true;
}

static bool parse_6(const char *p, unsigned char ret[16])
{
    unsigned char all[16] = {0};
    int len = 0, gap = -1;
    if (p[0] == ':' && p[1] != ':')
        return false;
    while (*p) {
        if (p[0] == ':' && p[1] == ':') {
            if (gap >= 0)
                return false;
            gap = len;
            p += 2;
            continue;
        }
        size_t word = strcspn(p, ":");
        if (memchr(p, '.', word)) { /* dotted, and then it is the end */
            if (p[word] || len > 12 || !parse_4(p, all + len))
                return false;
            len += 4;
            break;
        }
        int n = 0;
        if (!word || word > 4 || len > 14)
            return false;
        for (size_t i = 0; i < word; i++) {
            int digit = hex_digit(p[i]);
            if (digit < 0)
                return false;
            n = n * 16 + digit;
        }
        all[len++] = (unsigned char)(n >> 8);
        all[len++] = (unsigned char)n;
        p += word;
        if (*p == ':' && p[1] != ':' && !*++p)
            return false;
    }
    if (gap < 0 ? len != 16 : len > 14)
        return false;
    memset(ret, 0, 16);
    int head = gap < 0 ? len : gap;
    memcpy(ret, all, (size_t)head);
    memcpy(ret + 16 - (len - head), all + head, (size_t)(len - head));
    return true;
}

bool dr_ip_parse(const char *text, struct dr_ip *ret)
{
    struct dr_ip ip = {0};
    if (strchr(text, ':') ? parse_6(text, ip.bytes) : parse_4(text, ip.bytes)) {
        ip.family = strchr(text, ':') ? 6 : 4;
        *ret = ip;
        return true;
    }
    return false;
}

static int group(const struct dr_ip *ip, int i)
{
    return ip->bytes[2 * i] << 8 | ip->bytes[2 * i + 1];
}

/* The longest run of two zero groups or more, the first one of its length. */
static int longest_zeros(const struct dr_ip *ip, int *ret_len)
{
    int best = -1, best_len = 1;
    for (int i = 0; i < 8; i++) {
        int len = 0;
        while (i + len < 8 && group(ip, i + len) == 0)
            len++;
        if (len > best_len) {
            best = i;
            best_len = len;
        }
        i += len;
    }
    *ret_len = best_len;
    return best;
}

void dr_ip_format(const struct dr_ip *ip, char ret[DR_IP_TEXT])
{
    const unsigned char *b = ip->bytes;
    static const unsigned char mapped[12] = {[10] = 0xff, [11] = 0xff};
    ret[0] = '\0';
    if (ip->family == 4)
        snprintf(ret, DR_IP_TEXT, "%d.%d.%d.%d", b[0], b[1], b[2], b[3]);
    if (ip->family != 6)
        return;
    if (memcmp(b, mapped, sizeof mapped) == 0) {
        snprintf(ret, DR_IP_TEXT, "::ffff:%d.%d.%d.%d", b[12], b[13], b[14], b[15]);
        return;
    }
    int zeros, gap = longest_zeros(ip, &zeros);
    size_t len = 0;
    for (int i = 0; i < 8; i++) {
        if (i == gap) {
            len += (size_t)snprintf(ret + len, DR_IP_TEXT - len, "::");
            i += zeros - 1;
            continue;
        }
        const char *colon = i > 0 && ret[len - 1] != ':' ? ":" : "";
        len += (size_t)snprintf(ret + len, DR_IP_TEXT - len, "%s%x", colon, group(ip, i));
    }
}

int dr_ip_bits(const struct dr_ip *ip)
{
    return ip->family == 4 ? 32 : 128;
}

bool dr_subnet_parse(const char *text, struct dr_subnet *ret)
{
    const char *slash = strchr(text, '/');
    if (!slash || slash - text >= DR_IP_TEXT)
        return false;
    char address[DR_IP_TEXT];
    struct dr_subnet subnet = {0};
    int64_t prefix;
    memcpy(address, text, (size_t)(slash - text));
    address[slash - text] = '\0';
    if (slash[1] < '0' || slash[1] > '9' || !dr_ip_parse(address, &subnet.ip) ||
        !dr_int_parse(slash + 1, 0, dr_ip_bits(&subnet.ip), &prefix))
        return false;
    subnet.prefix = (int)prefix;
    *ret = subnet;
    return true;
}

void dr_subnet_format(const struct dr_subnet *subnet, char ret[DR_SUBNET_TEXT])
{
    char address[DR_IP_TEXT];
    dr_ip_format(&subnet->ip, address);
    ret[0] = '\0';
    if (address[0])
        snprintf(ret, DR_SUBNET_TEXT, "%s/%d", address, subnet->prefix);
}

bool dr_ip_equal(const struct dr_ip *a, const struct dr_ip *b)
{
    return a->family == b->family && dr_ip_compare(a, b) == 0;
}

int dr_ip_compare(const struct dr_ip *a, const struct dr_ip *b)
{
    return memcmp(a->bytes, b->bytes, a->family == 4 ? 4 : 16);
}

bool dr_ip_is_zero(const struct dr_ip *ip)
{
    static const unsigned char zero[16];
    return memcmp(ip->bytes, zero, sizeof zero) == 0;
}

bool dr_ip_is_multicast(const struct dr_ip *ip)
{
    return ip->family == 4 ? ip->bytes[0] >> 4 == 14 : ip->bytes[0] == 0xff;
}

bool dr_ip_is_loopback(const struct dr_ip *ip)
{
    static const unsigned char one[16] = {[15] = 1};
    return ip->family == 4 ? ip->bytes[0] == 127
                           : memcmp(ip->bytes, one, sizeof one) == 0;
}

bool dr_ip_next(struct dr_ip *ip)
{
    struct dr_ip next = *ip;
    for (int i = dr_ip_bits(ip) / 8 - 1; i >= 0; i--)
        if (++next.bytes[i]) {
            *ip = next;
            return true;
        }
    return false;
}

/* The address with the bits behind the prefix all cleared, or all set. */
static struct dr_ip masked(const struct dr_subnet *subnet, bool set)
{
    struct dr_ip ip = subnet->ip;
    for (int bit = subnet->prefix; bit < dr_ip_bits(&ip); bit++) {
        unsigned char mask = (unsigned char)(0x80 >> bit % 8);
        if (set)
            ip.bytes[bit / 8] |= mask;
        else
            ip.bytes[bit / 8] &= (unsigned char)~mask;
    }
    return ip;
}

struct dr_ip dr_subnet_base(const struct dr_subnet *subnet)
{
    return masked(subnet, false);
}

struct dr_ip dr_subnet_last(const struct dr_subnet *subnet)
{
    return masked(subnet, true);
}

bool dr_subnet_contains(const struct dr_subnet *subnet, const struct dr_ip *ip)
{
    struct dr_subnet other = {*ip, subnet->prefix};
    struct dr_ip mine = masked(subnet, false), its = masked(&other, false);
    return subnet->ip.family == ip->family && dr_ip_equal(&mine, &its);
}

bool dr_subnet_overlap(const struct dr_subnet *a, const struct dr_subnet *b)
{
    return a->prefix <= b->prefix ? dr_subnet_contains(a, &b->ip)
                                  : dr_subnet_contains(b, &a->ip);
}

bool dr_mac_parse(const char *text, unsigned char ret[6])
{
    unsigned char mac[6];
    if (strlen(text) != DR_MAC_TEXT - 1 || (text[2] != ':' && text[2] != '-'))
        return false;
    for (int i = 0; i < 6; i++) {
        int high = hex_digit(text[3 * i]), low = hex_digit(text[3 * i + 1]);
        if (high < 0 || low < 0 || (i < 5 && text[3 * i + 2] != text[2]))
            return false;
        mac[i] = (unsigned char)(high << 4 | low);
    }
    static const unsigned char zero[6];
    if (mac[0] & 1 || memcmp(mac, zero, 6) == 0)
        return false;
    memcpy(ret, mac, 6);
    return true;
}

void dr_mac_format(const unsigned char mac[6], char ret[DR_MAC_TEXT])
{
    snprintf(ret, DR_MAC_TEXT, "%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2],
             mac[3], mac[4], mac[5]);
}
