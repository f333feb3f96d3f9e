/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What can be in the way of a container's network: an error that says what and the way
 * out, and links, addresses, routes, rules, mounts and records as before. Real networks,
 * no containers; a kernel that lacks something is a failing nl_run() (--wrap).
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "base/fs.h"
#include "base/json.h"
#include "base/text.h"
#include "ground.h"
#include "guest/container/record.h"
#include "guest/net/lease.h"
#include "guest/net/netlink.h"
#include "guest/net/net.h"

static struct guest guest;
static char top[64];
static struct dr_error err;

/* --- a kernel that says no --- */

static struct {
    const char *about; /* what the first failing message is about; NULL: whatever it is */
    int at;            /* the call, from 0; -1: none fails */
    int code;
    int calls;
} refuse;

int __real_nl_run(int fd, struct nl_batch *batch, struct dr_error *error);
int __wrap_nl_run(int fd, struct nl_batch *batch, struct dr_error *error);
int __wrap_nl_run(int fd, struct nl_batch *batch, struct dr_error *error)
{
    const char *what = batch->count ? batch->about[0].what : "";
    bool now = refuse.about ? strcmp(refuse.about, what) == 0
                            : batch->count && refuse.calls++ == refuse.at;
    if (!now)
        return __real_nl_run(fd, batch, error);
    batch->len = batch->count = 0;
    errno = refuse.code;
    return dr_fail_errno(error, DR_ERR_NETWORK, "%s", what);
}

static void kernel_refuses(const char *about, int at, int code)
{
    refuse.about = about;
    refuse.at = at;
    refuse.code = code;
    refuse.calls = 0;
}

/* --- a guest --- */

static const char *id_of(char digit)
{
    static char ids[16][CONTAINER_ID_HEX + 1];
    static unsigned next;
    char *id = ids[next++ % 16];
    memset(id, digit, CONTAINER_ID_HEX);
    return id;
}

static int set_up(void **state)
{
    (void)state;
    if (geteuid() != 0)
        skip();
    static int home = -1; /* from where the first test began */
    if (home < 0)
        home = open("/proc/self/ns/mnt", O_RDONLY | O_CLOEXEC);
    assert_int_equal(setns(home, CLONE_NEWNS), 0);
    assert_int_equal(unshare(CLONE_NEWNET | CLONE_NEWNS), 0);
    assert_int_equal(mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL), 0);
    ground_do("ip link set lo up; ip link add up0 type veth peer name up1; ip link set "
              "up1 up; ip addr add 203.0.113.1/24 dev up0; ip link set up0 up");
    snprintf(top, sizeof top, "/tmp/dray-test-up.XXXXXX");
    assert_non_null(mkdtemp(top));
    guest = (struct guest){.root = dr_printf("%s/root", top),
                           .run_root = dr_printf("%s/run", top)};
    err = DR_ERROR_INIT;
    kernel_refuses(NULL, -1, 0);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    ground_do("umount -q -l %s/run/*/netns %s/run 2>/dev/null; true", top, top);
    dr_error_release(&err);
    if (dr_remove_all(AT_FDCWD, top, &err) < 0)
        fail_msg("%s", err.text);
    free(guest.root);
    free(guest.run_root);
    dr_error_release(&err);
    return 0;
}

/* All that a network is made of, and our records of it; not what the kernel gives each
 * link by itself when it comes to it (fe80::/64, ff00::/8), which goes with the link. */
static char *machine(void)
{
    return ground_says(
        "{ ip -o link | cut -d: -f2; ip route show table all; ip -6 route show table "
        "all; "
        "ip -o addr | cut -d' ' -f2-7; } | grep -v -e fe80 -e ff00::/8; nft list "
        "ruleset; "
        "cut -d' ' -f4-5 /proc/self/mountinfo; cat /proc/sys/net/ipv4/ip_forward; cd %s; "
        "[ ! -d run/networks ] || find run/networks -name '*.json' -o -name '*.end'",
        top);
}

/* Links go a grace period after their container: waits for it. */
static void assert_same(char *(*look)(void), const char *before)
{
    int64_t end = dr_clock_ms() + 10000;
    for (;;) {
        dr_auto_free char *now = look();
        if (strcmp(now, before) == 0)
            return;
        if (dr_clock_ms() < end)
            continue;
        dr_auto_free char *diff =
            ground_says("diff - /dev/fd/3 3<<'B' <<'A'\n%sB\n%sA\n", now, before);
        fail_msg("left behind or lost (> now):\n%s", diff);
    }
}

static void assert_as(const char *before)
{
    assert_same(machine, before);
}

static json_t *request_of(const char *networks)
{
    dr_auto_free char *text =
        dr_printf("{\"name\":\"c\",\"hostname\":\"c\",\"networks\":[%s]}", networks);
    json_t *json = dr_json_parse(text, strlen(text), 1 << 16, &err);
    assert_non_null(json);
    return json;
}

/* networks: objects of spec_network */
static int up(char digit, const char *networks)
{
    const char *id = id_of(digit);
    dr_auto_free char *dir = container_dir(&guest, id);
    dr_auto_free char *run_dir = container_run_dir(&guest, id);
    dr_auto_json json_t *request = request_of(networks);
    assert_int_equal(dr_mkdir_all(dir, 0700, &err), 0);
    assert_int_equal(dr_mkdir_all(run_dir, 0700, &err), 0);
    ground_do("cd %s; >hosts; >resolv.conf", dir);
    return net_up(&guest, id, request, &err);
}

static void is_up(char digit, const char *networks)
{
    if (up(digit, networks) < 0)
        fail_msg("%s", err.text);
}

static void refused(char digit, const char *networks, enum dr_kind kind, const char *text)
{
    assert_int_equal(up(digit, networks), -1);
    if (err.kind != kind || !strstr(err.text, text))
        fail_msg("got %s: %s; want %s: …%s…", dr_kind_name(err.kind), err.text,
                 dr_kind_name(kind), text);
    dr_error_release(&err);
}

static void assert_has(const char *text, const char *part)
{
    if (!text || !strstr(text, part))
        fail_msg("'%s' is not in: %s", part, text ? text : "(nothing)");
}

static void create(const char *request)
{
    network_auto struct network network = {0};
    dr_auto_json json_t *json = dr_json_parse(request, strlen(request), 1 << 16, &err);
    if (network_create(&guest, json, &network, &err) < 0)
        fail_msg("%s", err.text);
}

static void cannot_create(const char *request, enum dr_kind kind, const char *text)
{
    network_auto struct network network = {0};
    dr_auto_json json_t *json = dr_json_parse(request, strlen(request), 1 << 16, &err);
    assert_int_equal(network_create(&guest, json, &network, &err), -1);
    assert_int_equal(err.kind, kind);
    if (!strstr(err.text, text))
        fail_msg("got: %s", err.text);
    dr_error_release(&err);
}

/* --- the tests --- */

static void a_kernel_without_bridges_names_the_networks_that_work(void **state)
{
    (void)state;
    dr_auto_free char *before = machine();
    kernel_refuses("make the bridge", 0, EOPNOTSUPP);
    refused('1', "", DR_ERR_NETWORK,
            "network bridge: the guest's kernel has no bridges (is the module there?); "
            "--network none and host need none");
    kernel_refuses("make the veth pair", 0, EOPNOTSUPP);
    refused('1', "", DR_ERR_NETWORK, "no veth pairs (is the module there?)");
    kernel_refuses("make the bridge", 0, EPERM);
    refused('1', "", DR_ERR_NETWORK,
            "networks need CAP_NET_ADMIN in the guest; --network none and host do not");
    assert_as(before);
    is_up('1', "{\"name\":\"none\"}");
    net_down(&guest, id_of('1'));
    is_up('1', "{\"name\":\"host\"}");
    net_down(&guest, id_of('1'));
    assert_as(before);
}

static void whichever_step_fails_nothing_is_left(void **state)
{
    (void)state;
    create("{\"name\":\"web\",\"subnets\":[{\"subnet\":\"10.77.0.0/24\"},{\"subnet\":"
           "\"fd77::/64\"}]}");
    dr_auto_free char *before = machine();
    int at = 0;
    for (;; at++) {
        kernel_refuses(NULL, at, EIO);
        if (up('1', "{\"name\":\"web\"},{\"name\":\"bridge\"}") == 0)
            break;
        assert_has(err.text, "Input/output error");
        dr_error_release(&err);
        assert_as(before);
    }
    assert_true(at >= 7); /* lo; bridge, its addresses, the pair, its inside: twice */
    kernel_refuses(NULL, -1, 0);
    net_down(&guest, id_of('1'));
    assert_as(before);
}

static void ipv6_that_is_off_is_told_and_ipv4_works_without_it(void **state)
{
    (void)state;
    create("{\"name\":\"six\",\"ipv6\":true}");
    create("{\"name\":\"small\",\"mtu\":1000}"); /* too small for IPv6 */
    ground_do("cd /proc/sys/net/ipv6/conf; echo 1 >all/disable_ipv6; echo 1 "
              ">default/disable_ipv6");
    dr_auto_free char *before = machine();
    refused('1', "{\"name\":\"six\"}", DR_ERR_NETWORK,
            "network six: IPv6 is off in the guest, and the network has an IPv6 subnet: "
            "turn it on (sysctl net.ipv6.conf.all.disable_ipv6=0)");
    assert_as(before);
    is_up('1', "{\"name\":\"bridge\"},{\"name\":\"small\"}");
    net_down(&guest, id_of('1'));
    assert_as(before);
}

static void subnets_that_overlap_with_routes(void **state)
{
    (void)state;
    create("{\"name\":\"mine\",\"subnets\":[{\"subnet\":\"10.77.0.0/24\"}]}");
    is_up('1', ""); /* the default one is 10.208.0.0/20 now */
    net_down(&guest, id_of('1'));
    ground_do("ip route add 10.77.0.128/25 dev up0; ip route add 10.208.0.0/16 dev up0");
    dr_auto_free char *before = machine();
    refused('1', "{\"name\":\"mine\"}", DR_ERR_CONFLICT,
            "network mine: subnet 10.77.0.0/24 overlaps with 10.77.0.128/25, a route of "
            "the guest");
    cannot_create("{\"name\":\"x\",\"subnets\":[{\"subnet\":\"10.208.32.0/24\"}]}",
                  DR_ERR_CONFLICT, "overlaps with 10.208.0.0/16");
    /* a subnet that nobody asked for gives way */
    is_up('1', "");
    dr_auto_free char *run_dir = container_run_dir(&guest, id_of('1'));
    dr_auto_json json_t *now = net_state(run_dir);
    assert_has(dr_json_str(json_array_get(dr_json_array(now, "networks"), 0), "ip"),
               "10.209.0.");
    net_down(&guest, id_of('1'));
    assert_as(before);
    /* everything that we would choose is behind a route */
    ground_do(
        "ip route add 10.208.0.0/12 dev up0; ip route add 172.16.0.0/12 dev up0; ip "
        "route add 192.168.0.0/16 dev up0");
    dr_auto_free char *full = machine();
    refused('1', "", DR_ERR_NETWORK,
            "every subnet that dray would choose overlaps with a network or a route of "
            "the guest: give one with --subnet");
    cannot_create("{\"name\":\"x\"}", DR_ERR_NETWORK, "every subnet");
    create("{\"name\":\"other\",\"subnets\":[{\"subnet\":\"100.64.0.0/24\"}]}");
    is_up('1', "{\"name\":\"other\"}");
    net_down(&guest, id_of('1'));
    assert_as(full);
}

static void leaving_needs_no_space(void **state)
{
    (void)state;
    assert_int_equal(dr_mkdir_all(guest.run_root, 0700, &err), 0);
    ground_do("mount -t tmpfs -o size=256k none %s", guest.run_root);
    dr_auto_free char *before = machine();
    is_up('1', "");
    is_up('2', "");
    ground_do("cat /dev/zero >%s/filler 2>/dev/null; true", guest.run_root);
    net_down(&guest, id_of('1'));
    ground_do("cat /dev/zero >%s/more 2>/dev/null; true", guest.run_root);
    assert_int_equal(up('3', ""), -1);
    assert_has(err.text, "No space left on device");
    dr_error_release(&err);
    net_down(&guest, id_of('2'));
    assert_as(before);
    ground_do("rm %s/filler %s/more", guest.run_root, guest.run_root);
    is_up('3', "");
    net_down(&guest, id_of('3'));
    assert_as(before);
}

static char *links_and_rules(void)
{
    return ground_says("ip -o link | cut -d: -f2; nft list ruleset");
}

/* The run directory is on a disk that outlives the boot. */
static void after_a_reboot_the_records_go_and_the_addresses_are_free(void **state)
{
    (void)state;
    create("{\"name\":\"tight\",\"subnets\":[{\"subnet\":\"10.77.0.0/30\"}]}");
    is_up('1', "{\"name\":\"tight\"}");
    assert_int_equal(unshare(CLONE_NEWNET), 0);
    ground_do("umount -l %s/run/%s/netns; ip link set lo up", top, id_of('1'));
    dr_auto_free char *before = links_and_rules();
    net_sweep(&guest);
    is_up('2', "{\"name\":\"tight\",\"ip\":\"10.77.0.2\"}");
    net_down(&guest, id_of('2'));
    assert_same(links_and_rules, before);
}

static void a_teardown_that_failed_midway_is_finished_by_the_next_command(void **state)
{
    (void)state;
    dr_auto_free char *before = machine();
    is_up('1', "");
    ground_do("umount -l %s/run/*/netns; rm -r %s/run/%s", top, top, id_of('1'));
    net_settle(&guest);
    assert_as(before);
    /* rules alone */
    is_up('1', "");
    ground_do(
        "rm -r %s/run/networks/*/; rm -r %s/run/%s 2>/dev/null; ip link del $(ip -o link "
        "show type bridge | grep -o 'dr-[0-9a-f]*')",
        top, top, id_of('1'));
    ground_do("umount -l %s/run/*/netns; rm -r %s/run/%s", top, top, id_of('1'));
    net_settle(&guest);
    assert_as(before);
    /* who is there stays */
    is_up('2', "");
    dr_auto_free char *now = machine();
    net_settle(&guest);
    assert_as(now);
    net_down(&guest, id_of('2'));
    assert_as(before);
}

/* Distros of WSL share their links: what ends with one distro are processes and /run. */
static void after_the_end_of_a_distro_alone_bridges_and_rules_go_too(void **state)
{
    (void)state;
    create("{\"name\":\"web\",\"subnets\":[{\"subnet\":\"10.77.0.0/24\"}]}");
    dr_auto_free char *before = machine();
    is_up('1', "{\"name\":\"web\"}");
    is_up('2', "");
    ground_do("umount -l %s/run/*/netns; rm -rf %s/run", top, top);
    net_sweep(&guest);
    assert_as(before);
}

static void what_a_crash_left_of_the_same_names_is_replaced(void **state)
{
    (void)state;
    create("{\"name\":\"web\",\"subnets\":[{\"subnet\":\"10.77.0.0/24\"}]}");
    network_auto struct network web = {0};
    assert_int_equal(network_load(&guest, "web", &web, &err), 0);
    dr_auto_free char *before = machine();
    char bridge[LINK_NAME];
    network_link_name(&web, bridge);
    ground_do("ip link add %s type bridge; ip addr add 10.77.0.1/24 dev %s; ip link set "
              "%s up; ip link add dr-11111111110h type veth peer name dr-left",
              bridge, bridge, bridge);
    is_up('1', "{\"name\":\"web\"}");
    dr_auto_free char *links = ground_says("ip -o link show type veth");
    assert_null(strstr(links, "dr-left"));
    net_down(&guest, id_of('1'));
    assert_as(before);
}

static void an_address_that_is_about_to_be_given_back_is_waited_for(void **state)
{
    (void)state;
    create("{\"name\":\"tight\",\"subnets\":[{\"subnet\":\"10.77.0.0/30\"}]}");
    is_up('1', "{\"name\":\"tight\"}");
    refused('2', "{\"name\":\"tight\"}", DR_ERR_NETWORK,
            "network tight: no address is free in 10.77.0.0/30 (1 are in use)");
    /* as while the kernel takes its time with the other one's link */
    ground_do("cd %s/run/networks/*/ && mv %s.json %s.end && { (sleep 0.2; rm *.end) & }",
              top, id_of('1'), id_of('1'));
    is_up('2', "{\"name\":\"tight\"}");
    net_down(&guest, id_of('2'));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_kernel_without_bridges_names_the_networks_that_work),
        TEST(whichever_step_fails_nothing_is_left),
        TEST(ipv6_that_is_off_is_told_and_ipv4_works_without_it),
        TEST(subnets_that_overlap_with_routes),
        TEST(leaving_needs_no_space),
        TEST(after_a_reboot_the_records_go_and_the_addresses_are_free),
        TEST(a_teardown_that_failed_midway_is_finished_by_the_next_command),
        TEST(after_the_end_of_a_distro_alone_bridges_and_rules_go_too),
        TEST(an_address_that_is_about_to_be_given_back_is_waited_for),
        TEST(what_a_crash_left_of_the_same_names_is_replaced),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
