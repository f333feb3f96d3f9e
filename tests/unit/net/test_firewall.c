/* SPDX-License-Identifier: Apache-2.0 */
/* The rules, by packets that get through or do not (see ground.h for who is where). */
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/netlink.h>
#include <linux/seccomp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "base/json.h"
#include "ground.h"
#include "guest/net/firewall.h"

#define RUN_ROOT "/run/netns/dray" /* on the test's own tmpfs */
#define TAG "dray-a0c225a9"        /* what is made of it */

/* Rules, and all switches of forwarding */
#define MACHINE                                                                          \
    "nft list ruleset; (iptables-legacy-save; ip6tables-legacy-save) 2>/dev/null | "     \
    "sed '/^#/d; s/\\[.*//'; cd /proc/sys/net; "                                         \
    "grep . ipv4/ip_forward ipv4/conf/*/forwarding ipv6/conf/*/*forwarding "             \
    "ipv6/conf/*/accept_ra; [ ! -e " RUN_ROOT " ] || find " RUN_ROOT " -type f"

static struct firewall_network network(const char *link, const char *v4, const char *v6)
{
    struct firewall_network network = {0};
    snprintf(network.link, sizeof network.link, "%s", link);
    assert_true(dr_subnet_parse(v4, &network.subnets[0]));
    if (v6)
        assert_true(dr_subnet_parse(v6, &network.subnets[1]));
    return network;
}

static void networks(struct firewall_network ret[3])
{
    ret[0] = network("dr-a", "192.0.2.1/25", "2001:db8:a::1/64");
    ret[1] = network("dr-b", "192.0.2.129/25", "2001:db8:b::1/64");
    ret[2] = network("dr-i", "198.51.100.1/24", NULL);
    ret[2].internal = true;
}

/* dr-a, dr-b and the internal dr-i, or the first n of them */
static char **sync_n(size_t n)
{
    struct firewall_network all[3];
    networks(all);
    char **warnings = NULL;
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    if (firewall_sync(RUN_ROOT, all, n, &warnings, &err) < 0)
        fail_msg("%s", err.text);
    return warnings;
}

static void sync_quietly(size_t n)
{
    dr_auto_strv char **warnings = sync_n(n);
    if (warnings)
        fail_msg("warning: %s", warnings[0]);
}

static void assert_sees(const char *from, const char *to, const char *address,
                        const char *who)
{
    char peer[DR_IP_TEXT] = "";
    if (!ground_connects(from, to, address, peer))
        fail_msg("%s does not reach %s", from, address);
    assert_string_equal(peer, who);
}

static void assert_cannot(const char *from, const char *to, const char *address)
{
    if (ground_connects(from, to, address, NULL))
        fail_msg("%s reaches %s", from, address);
}

/* The same in a process for which the kernel has no nf_tables. */
static int sync_without_nft(size_t n, char ret_error[DR_ERROR_TEXT_MAX])
{
    struct sock_filter program[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_socket, 0, 5),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[0])),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AF_NETLINK, 0, 3),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[2])),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, NETLINK_NETFILTER, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPROTONOSUPPORT),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog filter = {DR_COUNT(program), program};
    int fds[2], status;
    assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
    pid_t pid = fork();
    if (pid == 0) {
        char **warnings = NULL;
        struct firewall_network all[3];
        networks(all);
        dr_auto_error struct dr_error err = DR_ERROR_INIT;
        if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
            prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) < 0)
            _exit(99);
        int result = firewall_sync(RUN_ROOT, all, n, &warnings, &err);
        _exit(write(fds[1], err.text, strlen(err.text)) < 0 || warnings ? 98
              : result < 0                                              ? 1
                                                                        : 0);
    }
    close(fds[1]);
    ssize_t got = read(fds[0], ret_error, DR_ERROR_TEXT_MAX - 1);
    close(fds[0]);
    ret_error[got > 0 ? got : 0] = '\0';
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) < 2);
    return -WEXITSTATUS(status);
}

static void hide_programs(const char *names)
{
    ground_do("for p in %s; do p=$(realpath $(command -v $p)); "
              "mountpoint -q $p || mount --bind /dev/null $p; done",
              names);
}

/* The promise, whatever does it. */
static void assert_closed_and_open(void)
{
    /* out: masqueraded */
    assert_sees("in-a1", "out", "203.0.113.2", "203.0.113.1");
    assert_sees("in-b", "out", "203.0.113.2", "203.0.113.1");
    assert_sees("in-a1", "out", "2001:db8:f::2", "2001:db8:f::1");
    /* within a network, and with the guest: themselves */
    assert_sees("in-a1", "in-a2", "192.0.2.11", "192.0.2.10");
    assert_sees("in-a1", "in-a2", "2001:db8:a::11", "2001:db8:a::10");
    assert_sees("in-a1", NULL, "192.0.2.1", "192.0.2.10");
    assert_sees(NULL, "in-a1", "192.0.2.10", "192.0.2.1");
    assert_sees(NULL, "in-i", "198.51.100.10", "198.51.100.1");
    /* from network to network */
    assert_cannot("in-a1", "in-b", "192.0.2.130");
    assert_cannot("in-b", "in-a1", "192.0.2.10");
    assert_cannot("in-a1", "in-b", "2001:db8:b::10");
    /* into and out of an internal one */
    assert_cannot("in-i", "out", "203.0.113.2");
    assert_cannot("in-i", "in-a1", "192.0.2.10");
    assert_cannot("in-a1", "in-i", "198.51.100.10");
    /* from outside, by one who knows the way */
    ground_do("ip -n out route add 192.0.2.0/24 via 203.0.113.1");
    ground_do("ip -n out route add 198.51.100.0/24 via 203.0.113.1");
    assert_cannot("out", "in-a1", "192.0.2.10");
    assert_cannot("out", "in-i", "198.51.100.10");
    assert_sees("in-a1", "out", "203.0.113.2", "203.0.113.1");
}

static void networks_have_a_way_out_and_nothing_comes_in(void **state)
{
    (void)state;
    assert_cannot("in-a1", "out", "203.0.113.2"); /* without rules no answer comes back */
    sync_quietly(3);
    assert_closed_and_open();
}

static void frames_within_a_network_pass_where_bridges_are_filtered(void **state)
{
    (void)state;
    ground_do("echo 1 >/proc/sys/net/bridge/bridge-nf-call-iptables");
    ground_do("echo 1 >/proc/sys/net/bridge/bridge-nf-call-ip6tables");
    sync_quietly(3);
    assert_closed_and_open();
}

static void the_rules_are_one_table_and_go_with_the_last_network(void **state)
{
    (void)state;
    dr_auto_free char *before = ground_says(MACHINE);
    sync_quietly(2);
    sync_quietly(1);
    sync_quietly(1); /* again, as after a crash */
    dr_auto_free char *list = ground_says("nft list ruleset");
    assert_string_equal(list,
                        "table inet " TAG " {\n"
                        "\tchain forward {\n"
                        "\t\ttype filter hook forward priority filter; policy accept;\n"
                        "\t\tiifname \"dr-a\" oifname \"dr-a\" accept\n"
                        "\t\toifname \"dr-a\" ct state established,related accept\n"
                        "\t\toifname \"dr-a\" drop\n"
                        "\t}\n"
                        "\n"
                        "\tchain postrouting {\n"
                        "\t\ttype nat hook postrouting priority srcnat; policy accept;\n"
                        "\t\tip saddr 192.0.2.0/25 oifname != \"dr-a\" masquerade\n"
                        "\t\tip6 saddr 2001:db8:a::/64 oifname != \"dr-a\" masquerade\n"
                        "\t}\n"
                        "}\n");
    sync_quietly(0);
    sync_quietly(0);
    dr_auto_free char *after = ground_says(MACHINE);
    assert_string_equal(after, before);
}

static void rules_that_somebody_flushed_are_missed(void **state)
{
    (void)state;
    char error[DR_ERROR_TEXT_MAX];
    assert_false(firewall_has(RUN_ROOT, "dr-a"));
    sync_quietly(1);
    assert_true(firewall_has(RUN_ROOT, "dr-a"));
    assert_false(firewall_has(RUN_ROOT, "dr-"));
    assert_false(firewall_has(RUN_ROOT, "dr-b"));
    assert_false(firewall_has("/run/netns/other", "dr-a"));
    ground_do("nft flush ruleset");
    assert_false(firewall_has(RUN_ROOT, "dr-a"));
    sync_quietly(1);
    assert_true(firewall_has(RUN_ROOT, "dr-a"));
    sync_quietly(0);
    assert_int_equal(sync_without_nft(1, error), 0);
    assert_true(firewall_has(RUN_ROOT, "dr-a")); /* as noted */
}

static void beside_a_forward_chain_of_iptables_nft_that_drops(void **state)
{
    (void)state;
    ground_do("iptables-nft -P FORWARD DROP && ip6tables-nft -P FORWARD DROP");
    ground_do("iptables-nft -N DOCKER-USER && iptables-nft -A FORWARD -j DOCKER-USER");
    ground_do(
        "iptables-nft -A FORWARD -i up0 -o docker0 -m conntrack --ctstate NEW -j DROP");
    dr_auto_free char *before = ground_says("iptables-nft -S; ip6tables-nft -S");
    sync_quietly(3);
    dr_auto_free char *rules = ground_says("iptables-nft -S FORWARD");
    assert_non_null(
        strstr(rules, "-A FORWARD -j DOCKER-USER\n"
                      "-A FORWARD -i up0 -o docker0 -m conntrack --ctstate "
                      "NEW -j DROP\n"
                      "-A FORWARD -i dr-a -m comment --comment " TAG " -j ACCEPT\n"
                      "-A FORWARD -o dr-a -m comment --comment " TAG " -j ACCEPT\n"));
    sync_quietly(3);
    dr_auto_free char *again = ground_says("iptables-nft -S FORWARD");
    assert_string_equal(again, rules);
    assert_closed_and_open();
    sync_quietly(0);
    dr_auto_free char *after = ground_says("iptables-nft -S; ip6tables-nft -S");
    assert_string_equal(after, before);
}

static void beside_a_forward_chain_of_iptables_legacy_that_drops(void **state)
{
    (void)state;
    ground_do("iptables-legacy -P FORWARD DROP && ip6tables-legacy -P FORWARD DROP");
    dr_auto_free char *before = ground_says("iptables-legacy -S; ip6tables-legacy -S");
    sync_quietly(3);
    assert_closed_and_open();
    sync_quietly(0);
    dr_auto_free char *after = ground_says("iptables-legacy -S; ip6tables-legacy -S");
    assert_string_equal(after, before);
    ground_do("test ! -e " RUN_ROOT "/networks/iptables");
}

static void without_a_program_for_a_chain_that_drops_there_is_a_warning(void **state)
{
    (void)state;
    ground_do("iptables-legacy -P FORWARD DROP");
    hide_programs("iptables-legacy-restore");
    dr_auto_strv char **warnings = sync_n(1);
    assert_int_equal(dr_strv_len(warnings), 1);
    assert_string_equal(
        warnings[0],
        "the FORWARD chain of iptables-legacy drops what is forwarded, and "
        "containers cannot get out: iptables-legacy-restore is not installed");
    sync_quietly(0);
}

static void a_chain_of_somebody_that_drops_is_told_until_it_knows_us(void **state)
{
    (void)state;
    ground_do("nft add table inet mine");
    ground_do("nft add chain inet mine way '{ type filter hook forward priority 0; "
              "policy drop; }'");
    dr_auto_free char *before = ground_says("nft list ruleset");
    dr_auto_strv char **warnings = sync_n(1);
    assert_int_equal(dr_strv_len(warnings), 1);
    assert_string_equal(
        warnings[0],
        "the nftables chain 'way' of table inet mine drops what is forwarded: containers "
        "cannot get out until it has rules for them: nft add rule inet mine way iifname "
        "'\"dr-*\"' accept; nft add rule inet mine way oifname '\"dr-*\"' accept");
    assert_cannot("in-a1", "out", "203.0.113.2");
    /* what the warning says, word for word */
    char *commands = strstr(warnings[0], "nft add rule");
    ground_do("%s", commands);
    sync_quietly(1);
    assert_sees("in-a1", "out", "203.0.113.2", "203.0.113.1");
    sync_quietly(0);
    ground_do("nft flush chain inet mine way");
    dr_auto_free char *after = ground_says("nft list ruleset");
    assert_string_equal(after, before);
}

static void without_nf_tables_iptables_does_it(void **state)
{
    (void)state;
    char error[DR_ERROR_TEXT_MAX];
    ground_do("iptables-legacy -P FORWARD DROP && ip6tables-legacy -P FORWARD DROP");
    ground_do(
        "iptables-legacy -t nat -L >/dev/null; ip6tables-legacy -t nat -L >/dev/null");
    dr_auto_free char *before = ground_says(MACHINE);
    if (sync_without_nft(3, error) < 0)
        fail_msg("%s", error);
    assert_closed_and_open();
    assert_int_equal(sync_without_nft(1, error), 0);
    assert_int_equal(sync_without_nft(1, error), 0);
    dr_auto_free char *rules =
        ground_says("iptables-legacy -S; iptables-legacy -t nat -S");
    assert_string_equal(
        rules, "-P INPUT ACCEPT\n-P FORWARD DROP\n-P OUTPUT ACCEPT\n"
               "-N DRAY-A0C225A9-KEEP\n-N DRAY-A0C225A9-PASS\n"
               "-A FORWARD -j DRAY-A0C225A9-KEEP\n-A FORWARD -j DRAY-A0C225A9-PASS\n"
               "-A DRAY-A0C225A9-KEEP -i dr-a -o dr-a -j RETURN\n"
               "-A DRAY-A0C225A9-KEEP -o dr-a -m conntrack --ctstate "
               "RELATED,ESTABLISHED -j RETURN\n"
               "-A DRAY-A0C225A9-KEEP -o dr-a -j DROP\n"
               "-A DRAY-A0C225A9-PASS -i dr-a -j ACCEPT\n"
               "-A DRAY-A0C225A9-PASS -o dr-a -j ACCEPT\n"
               "-P PREROUTING ACCEPT\n-P INPUT ACCEPT\n-P OUTPUT ACCEPT\n"
               "-P POSTROUTING ACCEPT\n-N DRAY-A0C225A9-MASQ\n"
               "-A POSTROUTING -j DRAY-A0C225A9-MASQ\n"
               "-A DRAY-A0C225A9-MASQ -s 192.0.2.0/25 ! -o dr-a -j MASQUERADE\n");
    assert_int_equal(sync_without_nft(0, error), 0);
    dr_auto_free char *after = ground_says(MACHINE);
    assert_string_equal(after, before);
}

static void without_nf_tables_and_iptables_both_reasons_are_told(void **state)
{
    (void)state;
    char error[DR_ERROR_TEXT_MAX];
    hide_programs("iptables-legacy-restore iptables-nft-restore");
    dr_auto_free char *before = ground_says(MACHINE);
    assert_int_equal(sync_without_nft(1, error), -1);
    assert_string_equal(error, "no rules for networks of containers: talk to nf_tables: "
                               "Protocol not supported, and without it: iptables-restore "
                               "is not installed");
    assert_int_equal(sync_without_nft(0, error), 0);
    dr_auto_free char *after = ground_says(MACHINE);
    assert_string_equal(after, before);
}

static void forwarding_that_cannot_be_turned_on_is_an_error_that_says_how(void **state)
{
    (void)state;
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    dr_auto_strv char **warnings = NULL;
    struct firewall_network all[3];
    networks(all);
    ground_do("mount --bind /proc/sys /proc/sys && mount -o remount,bind,ro /proc/sys");
    dr_auto_free char *before = ground_says(MACHINE);
    assert_int_equal(firewall_sync(RUN_ROOT, all, 1, &warnings, &err), -1);
    assert_int_equal(err.kind, DR_ERR_NETWORK);
    assert_string_equal(
        err.text, "the guest forwards no packets, and dray cannot turn it on "
                  "(sysctl -w net.ipv4.ip_forward=1 does, or --network none or host): "
                  "/proc/sys/net/ipv4/conf: Read-only file system");
    sync_quietly(0);
    dr_auto_free char *after = ground_says(MACHINE);
    assert_string_equal(after, before);
    /* who has it on already needs nothing */
    ground_do("umount /proc/sys; echo 1 >/proc/sys/net/ipv4/ip_forward;"
              "echo 1 >/proc/sys/net/ipv6/conf/all/forwarding;"
              "mount --bind /proc/sys /proc/sys && mount -o remount,bind,ro /proc/sys");
    sync_quietly(3);
    assert_closed_and_open();
}

#define SWITCHES                                                                         \
    "cd /proc/sys/net/ipv4; cat ip_forward conf/up0/forwarding conf/dr-b/forwarding"

static void forwarding_is_put_back_but_what_others_turned_on_stays(void **state)
{
    (void)state;
    /* one that its owner had on */
    ground_do("echo 1 >/proc/sys/net/ipv4/conf/up0/forwarding");
    sync_quietly(1);
    dr_auto_free char *on = ground_says(SWITCHES);
    assert_string_equal(on, "0\n1\n1\n");
    /* a link that came later has it, too */
    ground_do("ip link add later type bridge");
    dr_auto_free char *later =
        ground_says("cat /proc/sys/net/ipv4/conf/later/forwarding");
    assert_string_equal(later, "1\n");
    sync_quietly(0);
    dr_auto_free char *off = ground_says(SWITCHES " conf/default/forwarding");
    assert_string_equal(off, "0\n1\n0\n0\n");
    /* somebody turns on everything meanwhile */
    sync_quietly(1);
    ground_do("echo 1 >/proc/sys/net/ipv4/ip_forward");
    sync_quietly(0);
    dr_auto_free char *all = ground_says(SWITCHES);
    assert_string_equal(all, "1\n1\n1\n");
}

static void forwarding_stays_on_for_another_run_root(void **state)
{
    (void)state;
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    dr_auto_strv char **warnings = NULL;
    struct firewall_network all[3];
    dr_auto_free char *before = ground_says(MACHINE);
    networks(all);
    sync_quietly(1);
    assert_int_equal(firewall_sync("/run/netns/other", all + 1, 1, &warnings, &err), 0);
    sync_quietly(0);
    assert_sees("in-b", "out", "203.0.113.2", "203.0.113.1");
    assert_int_equal(firewall_sync("/run/netns/other", NULL, 0, &warnings, &err), 0);
    dr_auto_free char *after = ground_says(MACHINE);
    assert_string_equal(after, before);
}

/* What kernels before 6.17 have: files of our own in the place of theirs. */
static void one_switch_for_ipv6_keeps_router_advertisements(void **state)
{
    (void)state;
    ground_do(
        "d=/run/netns/ipv6; mkdir -p $d/conf/all $d/conf/default $d/conf/up0; cd $d/conf;"
        "for l in all default up0; do echo 0 >$l/forwarding; echo 1 >$l/accept_ra; done;"
        "mount --bind $d /proc/sys/net/ipv6");
    dr_auto_free char *before = ground_says(MACHINE);
    sync_quietly(1);
    dr_auto_free char *on = ground_says("cd /proc/sys/net/ipv6/conf;"
                                        "cat all/forwarding up0/accept_ra");
    assert_string_equal(on, "1\n2\n");
    sync_quietly(0);
    dr_auto_free char *after = ground_says(MACHINE);
    assert_string_equal(after, before);
    /* a link of somebody who may rely on it */
    sync_quietly(1);
    ground_do("cd /proc/sys/net/ipv6/conf; cp -r up0 docker0");
    sync_quietly(0);
    dr_auto_free char *kept = ground_says("cat /proc/sys/net/ipv6/conf/all/forwarding");
    assert_string_equal(kept, "1\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(networks_have_a_way_out_and_nothing_comes_in,
                               ground_set_up),
        cmocka_unit_test_setup(frames_within_a_network_pass_where_bridges_are_filtered,
                               ground_set_up),
        cmocka_unit_test_setup(the_rules_are_one_table_and_go_with_the_last_network,
                               ground_set_up),
        cmocka_unit_test_setup(rules_that_somebody_flushed_are_missed, ground_set_up),
        cmocka_unit_test_setup(beside_a_forward_chain_of_iptables_nft_that_drops,
                               ground_set_up),
        cmocka_unit_test_setup(beside_a_forward_chain_of_iptables_legacy_that_drops,
                               ground_set_up),
        cmocka_unit_test_setup(
            without_a_program_for_a_chain_that_drops_there_is_a_warning, ground_set_up),
        cmocka_unit_test_setup(a_chain_of_somebody_that_drops_is_told_until_it_knows_us,
                               ground_set_up),
        cmocka_unit_test_setup(without_nf_tables_iptables_does_it, ground_set_up),
        cmocka_unit_test_setup(without_nf_tables_and_iptables_both_reasons_are_told,
                               ground_set_up),
        cmocka_unit_test_setup(
            forwarding_that_cannot_be_turned_on_is_an_error_that_says_how, ground_set_up),
        cmocka_unit_test_setup(forwarding_is_put_back_but_what_others_turned_on_stays,
                               ground_set_up),
        cmocka_unit_test_setup(forwarding_stays_on_for_another_run_root, ground_set_up),
        cmocka_unit_test_setup(one_switch_for_ipv6_keeps_router_advertisements,
                               ground_set_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
