/* SPDX-License-Identifier: Apache-2.0 */
#include "guest/net/pool.h"

#include <stdlib.h>

/* A /31 and a /32 have no addresses to spare; the last one of IPv4 is the broadcast, and
 * the first one of IPv6 is any router's (RFC 4291 2.6.1). */
static bool is_reserved(const struct dr_subnet *subnet, const struct dr_ip *ip)
{
    struct dr_ip base = dr_subnet_base(subnet), last = dr_subnet_last(subnet);
    return dr_ip_equal(ip, &base) || (ip->family == 4 && dr_ip_equal(ip, &last));
}

bool pool_first(const struct dr_subnet *subnet, struct dr_ip *ret)
{
    struct dr_ip ip = dr_subnet_base(subnet);
    if (!dr_ip_next(&ip) || !dr_subnet_contains(subnet, &ip) || is_reserved(subnet, &ip))
        return false;
    *ret = ip;
    return true;
}

static int outside(const struct pool *pool, const struct dr_ip *ip, const char *what,
                   struct dr_error *err)
{
    char text[DR_IP_TEXT], subnet[DR_SUBNET_TEXT];
    dr_ip_format(ip, text);
    dr_subnet_format(&pool->subnet, subnet);
    return dr_fail(err, DR_ERR_INVALID, "%s %s is not in the subnet %s", what, text,
                   subnet);
}

static bool usable(const struct pool *pool, const struct dr_ip *ip)
{
    return dr_subnet_contains(&pool->subnet, ip) && !is_reserved(&pool->subnet, ip) &&
           !(pool->gateway.family && dr_ip_equal(ip, &pool->gateway));
}

int pool_check_address(const struct pool *pool, const struct dr_ip *ip,
                       struct dr_error *err)
{
    char text[DR_IP_TEXT], subnet[DR_SUBNET_TEXT];
    dr_ip_format(ip, text);
    dr_subnet_format(&pool->subnet, subnet);
    if (!dr_subnet_contains(&pool->subnet, ip))
        return outside(pool, ip, "address", err);
    if (pool->gateway.family && dr_ip_equal(ip, &pool->gateway))
        return dr_fail(err, DR_ERR_INVALID, "address %s is the gateway's", text);
    if (is_reserved(&pool->subnet, ip))
        return dr_fail(err, DR_ERR_INVALID,
                       "address %s names the subnet %s or all of its members, none alone",
                       text, subnet);
    return 0;
}

int pool_check(const struct pool *pool, struct dr_error *err)
{
    char subnet[DR_SUBNET_TEXT], range[DR_SUBNET_TEXT];
    struct dr_ip ignored;
    dr_subnet_format(&pool->subnet, subnet);
    dr_subnet_format(&pool->range, range);
    struct dr_ip base = dr_subnet_base(&pool->subnet);
    if (!dr_ip_equal(&base, &pool->subnet.ip)) {
        struct dr_subnet right = {base, pool->subnet.prefix};
        char text[DR_SUBNET_TEXT];
        dr_subnet_format(&right, text);
        return dr_fail(err, DR_ERR_INVALID,
                       "subnet %s has bits of a host: did you mean %s?", subnet, text);
    }
    if (dr_ip_is_multicast(&base) || dr_ip_is_loopback(&base) || !pool->subnet.prefix)
        return dr_fail(err, DR_ERR_INVALID, "subnet %s is not one for hosts", subnet);
    if (pool->gateway.family) {
        if (!dr_subnet_contains(&pool->subnet, &pool->gateway))
            return outside(pool, &pool->gateway, "gateway", err);
        if (is_reserved(&pool->subnet, &pool->gateway)) {
            char text[DR_IP_TEXT];
            dr_ip_format(&pool->gateway, text);
            return dr_fail(err, DR_ERR_INVALID,
                           "gateway %s names the subnet %s or all of its members", text,
                           subnet);
        }
    }
    if (pool->range.ip.family && (pool->range.prefix < pool->subnet.prefix ||
                                  !dr_subnet_contains(&pool->subnet, &pool->range.ip)))
        return dr_fail(err, DR_ERR_INVALID, "ip-range %s is not in the subnet %s", range,
                       subnet);
    if (pool_pick(pool, NULL, 0, &ignored, err) < 0) {
        dr_error_release(err);
        return dr_fail(err, DR_ERR_INVALID,
                       "%s has no address for a container beside its "
                       "gateway",
                       pool->range.ip.family ? range : subnet);
    }
    return 0;
}

static int compare(const void *a, const void *b)
{
    return dr_ip_compare(a, b);
}

/* The first from `from` on that is usable and not used; used is sorted. */
static bool search(const struct pool *pool, const struct dr_subnet *range,
                   struct dr_ip from, const struct dr_ip *used, size_t count,
                   struct dr_ip *ret)
{
    size_t at = 0;
    for (struct dr_ip ip = from; dr_subnet_contains(range, &ip);) {
        while (at < count && dr_ip_compare(&used[at], &ip) < 0)
            at++;
        bool taken = at < count && dr_ip_equal(&used[at], &ip);
        if (!taken && usable(pool, &ip)) {
            *ret = ip;
            return true;
        }
        if (!dr_ip_next(&ip))
            return false;
    }
    return false;
}

int pool_pick(const struct pool *pool, struct dr_ip *used, size_t count,
              struct dr_ip *ret, struct dr_error *err)
{
    const struct dr_subnet *range = pool->range.ip.family ? &pool->range : &pool->subnet;
    char text[DR_SUBNET_TEXT];
    if (count)
        qsort(used, count, sizeof *used, compare);
    /* those outside the range are there by --ip */
    size_t last = count;
    while (last > 0 && !dr_subnet_contains(range, &used[last - 1]))
        last--;
    struct dr_ip next;
    if (last > 0 && (next = used[last - 1], dr_ip_next(&next)) &&
        search(pool, range, next, used, count, ret))
        return 0;
    if (search(pool, range, dr_subnet_base(range), used, count, ret))
        return 0;
    dr_subnet_format(range, text);
    return dr_fail(err, DR_ERR_NETWORK, "no address is free in %s (%zu are in use)", text,
                   count);
}
