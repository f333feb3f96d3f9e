/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The policy of iptables-legacy's FORWARD chain, which nf_tables knows nothing of: as the
 * program itself reads it, by getsockopt(2).
 */
#include <net/if.h> /* before the kernel's own */

#include <arpa/inet.h>
#include <linux/netfilter.h>
#include <linux/netfilter/x_tables.h>
#include <linux/netfilter_ipv4/ip_tables.h>
#include <linux/netfilter_ipv6/ip6_tables.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "guest/net/firewall-private.h"

#define RULES_MAX (64u << 20)

/* Asking for a table makes it: only one that is there already is asked for. */
static bool is_loaded(const char *list)
{
    char name[64];
    bool found = false;
    FILE *file = fopen(list, "re");
    while (file && !found && fgets(name, sizeof name, file))
        found = strcmp(name, "filter\n") == 0;
    if (file)
        fclose(file);
    return found;
}

/* A policy is the verdict of the chain's last entry, whose target begins behind what it
 * matches. Verdicts are negative: -NF_DROP - 1. */
static bool entry_drops(const char *entries, size_t size, size_t at, size_t target_offset)
{
    struct xt_standard_target target;
    if (at > size || target_offset > size - at ||
        size - at - target_offset < sizeof target)
        return false;
    memcpy(&target, entries + at + target_offset, sizeof target);
    return target.target.u.user.name[0] == '\0' && target.verdict == -NF_DROP - 1;
}

static bool drops4(int fd)
{
    struct ipt_getinfo info = {.name = "filter"};
    socklen_t len = sizeof info;
    if (getsockopt(fd, IPPROTO_IP, IPT_SO_GET_INFO, &info, &len) < 0 ||
        info.size > RULES_MAX)
        return false;
    len = (socklen_t)(sizeof(struct ipt_get_entries) + info.size);
    dr_auto_free struct ipt_get_entries *rules = dr_alloc(len);
    *rules = (struct ipt_get_entries){.name = "filter", .size = info.size};
    size_t at = info.underflow[NF_INET_FORWARD];
    struct ipt_entry entry;
    if (getsockopt(fd, IPPROTO_IP, IPT_SO_GET_ENTRIES, rules, &len) < 0 ||
        at > info.size || info.size - at < sizeof entry)
        return false;
    const char *entries =
        (const char *)rules + offsetof(struct ipt_get_entries, entrytable);
    memcpy(&entry, entries + at, sizeof entry);
    return entry_drops(entries, info.size, at, entry.target_offset);
}

static bool drops6(int fd)
{
    struct ip6t_getinfo info = {.name = "filter"};
    socklen_t len = sizeof info;
    if (getsockopt(fd, IPPROTO_IPV6, IP6T_SO_GET_INFO, &info, &len) < 0 ||
        info.size > RULES_MAX)
        return false;
    len = (socklen_t)(sizeof(struct ip6t_get_entries) + info.size);
    dr_auto_free struct ip6t_get_entries *rules = dr_alloc(len);
    *rules = (struct ip6t_get_entries){.name = "filter", .size = info.size};
    size_t at = info.underflow[NF_INET_FORWARD];
    struct ip6t_entry entry;
    if (getsockopt(fd, IPPROTO_IPV6, IP6T_SO_GET_ENTRIES, rules, &len) < 0 ||
        at > info.size || info.size - at < sizeof entry)
        return false;
    const char *entries =
        (const char *)rules + offsetof(struct ip6t_get_entries, entrytable);
    memcpy(&entry, entries + at, sizeof entry);
    return entry_drops(entries, info.size, at, entry.target_offset);
}

bool firewall_legacy_drops(int family)
{
    if (!is_loaded(family == 4 ? "/proc/net/ip_tables_names"
                               : "/proc/net/ip6_tables_names"))
        return false;
    dr_auto_fd int fd =
        socket(family == 4 ? AF_INET : AF_INET6, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_RAW);
    return fd >= 0 && (family == 4 ? drops4(fd) : drops6(fd));
}
