/* SPDX-License-Identifier: Apache-2.0 */
/* C06, C17, C23, C29, C30, C31: the network of a container, asked for by a person and
 * recorded by who runs an overlay. */
#include "contract.h"

static const char *ip_of(const char *container)
{
    char *ip = NULL;
    OK(dray_container_ip(target, container, NULL, &ip, ERR));
    return ip ? keep(ip) : "";
}

/* The links of ours, a name and a space each. */
static const char *links(void)
{
    return shell(NULL, "grep -o 'dr-[0-9a-z]*' /proc/net/dev | tr '\\n' ' '");
}

static void C06_interface_names_are_deterministic_and_at_most_15_bytes(void **s)
{
    struct dray_spec *spec = spec_for("named", "sleep", "1000", NULL);
    set(spec, "network", "bridge");
    const char *id = started(spec);
    char *json = NULL;
    OK(dray_network_inspect(target, "bridge", NULL, &json, ERR));
    const char *network = str_at(parsed(json), "Id");
    HAS(links(), text("dr-%.10s0h ", id));
    HAS(links(), text("dr-%.12s ", network));
    SAME(shell(NULL, "grep -o 'dr-[^:]*' /proc/net/dev | awk 'length > 15'"), "");
    /* the container's end has the same name with a c, beside eth0 */
    HAS(shell(NULL, "nsenter -t %lld -n ip link show eth0", (long long)pid_of("named")),
        text("altname dr-%.10s0c", id));
}

static void C17_the_network_is_there_before_the_first_instruction(void **s)
{
    struct dray_spec *spec = spec_for("first", "ip", "-o", "-4", "addr", NULL);
    set(spec, "network", "bridge");
    struct result result = ran(spec);
    assert_int_equal(result.code, 0);
    HAS(result.out, "eth0    inet 10.");
    HAS(result.out, "127.0.0.1/8");
    /* and one that fails leaves no namespace behind, which the teardown compares */
    struct dray_stream *stream;
    spec = spec_for("never", "/no/such/command", NULL);
    set(spec, "network", "bridge");
    FAILS(DRAY_ERR_START, dray_container_run(target, spec, NULL, NULL, &stream, ERR));
    EVENTUALLY(!*links());
}

static void C23_the_address_is_there_while_it_is_live(void **s)
{
    struct dray_spec *spec = spec_for("live", "sleep", "1000", NULL);
    set(spec, "network", "bridge");
    created(spec);
    SAME(ip_of("live"), "");
    OK(dray_container_start(target, "live", NULL, ERR));
    const char *ip = ip_of("live");
    int status;
    shell(&status, "busybox ping -c1 -W5 %s", ip);
    assert_int_equal(status, 0);
    OK(dray_container_kill(target, "live", "KILL", NULL, ERR));
    waited("live");
    SAME(ip_of("live"), "");
}

static void C29_a_recorded_address_is_programmed_at_start(void **s)
{
    OK(dray_record_ip(target, "over", "10.91.7.20", NULL, ERR));
    OK(dray_record_gateway(target, "over", "10.91.7.1", NULL, ERR));
    OK(dray_record_ip(target, "beside", "10.91.7.21", NULL, ERR));
    OK(dray_record_ip(target, "six", "fd91::20", NULL, ERR));
    OK(dray_record_gateway(target, "six", "fd91::1", NULL, ERR));
    sleeper("over");
    SAME(ip_of("over"), "10.91.7.20");
    const char *seen = executed("over", "ip -o -4 addr show eth0; ip route").out;
    HAS(seen, "inet 10.91.7.20/24");
    HAS(seen, "default via 10.91.7.1 dev eth0");
    /* the gateway lives on the guest's end, and packets flow */
    assert_int_equal(executed("over", "ping -c1 -W5 10.91.7.1").exit_code, 0);
    /* without a gateway: a warning, and local traffic only */
    char *warnings = NULL;
    char id[DRAY_ID_SIZE];
    OK(dray_container_run_detached(target, spec_for("beside", "sleep", "1000", NULL),
                                   NULL, id, &warnings, ERR));
    HAS(keep(warnings), "no gateway is recorded");
    assert_int_equal(executed("beside", "ping -c1 -W5 10.91.7.20").exit_code, 0);
    LACKS(executed("beside", "ip route").out, "default");
    sleeper("six");
    SAME(ip_of("six"), "fd91::20");
    HAS(executed("six", "ip -o -6 addr show eth0").out, "fd91::20/64");
    assert_int_equal(executed("six", "ping -6 -c1 -W5 fd91::1").exit_code, 0);
    FAILS(DRAY_ERR_INVALID, dray_record_ip(target, "over", "10.91.7", NULL, ERR),
          "10.91.7");
    static const char *const all[] = {"over", "beside", "six"};
    for (size_t i = 0; i < 3; i++) {
        OK(dray_record_ip(target, all[i], NULL, NULL, ERR));
        OK(dray_record_gateway(target, all[i], NULL, NULL, ERR));
    }
}

static void C30_overlay_is_best_effort_and_a_person_s_network_strict(void **s)
{
    /* another route of the guest is in the way of the overlay */
    int status;
    shell(&status,
          "ip link add other type bridge && ip addr add 10.92.7.9/16 dev other && "
          "ip link set other up");
    assert_int_equal(status, 0);
    OK(dray_record_ip(target, "over", "10.92.7.20", NULL, ERR));
    char *warnings = NULL;
    char id[DRAY_ID_SIZE];
    int rc = dray_container_run_detached(target, spec_for("over", "sleep", "1000", NULL),
                                         NULL, id, &warnings, ERR);
    SAME(rc == 0 ? ip_of("over") : "did not start", "");
    SAME(executed("over", "readlink /proc/self/ns/net").out,
         text("%s\n", shell(NULL, "readlink /proc/self/ns/net")));
    HAS(keep(warnings), "the recorded address cannot be had");
    /* the same network by a person's wish */
    struct dray_spec *spec = spec_for("asked", "sleep", "1000", NULL);
    set(spec, "network", "no-such-network");
    FAILS(DRAY_ERR_NOT_FOUND, dray_container_create(target, spec, NULL, id, NULL, ERR),
          "no-such-network");
    /* a target that was told so does without the fallback */
    OK(dray_container_kill(target, "over", "KILL", NULL, ERR));
    waited("over");
    struct dray_open_options options = same_target();
    options.network_fallback = "fail";
    FAILS(DRAY_ERR_CONFLICT, dray_container_start(opened(&options), "over", NULL, ERR),
          "10.92.");
    OK(dray_container_start(target, "over", NULL, ERR));
    /* nothing is in the way any more: the next start has it */
    shell(&status, "ip link del other");
    OK(dray_container_kill(target, "over", "KILL", NULL, ERR));
    waited("over");
    OK(dray_container_start(target, "over", NULL, ERR));
    SAME(ip_of("over"), "10.92.7.20");
    OK(dray_record_ip(target, "over", NULL, NULL, ERR));
}

static void C31_teardown_removes_the_veth_and_never_fails_the_remove(void **s)
{
    struct dray_spec *spec = spec_for("torn", "sleep", "1000", NULL);
    set(spec, "network", "bridge");
    const char *id = started(spec);
    /* somebody else was faster */
    shell(NULL, "ip link del dr-%.10s0h", id);
    OK(dray_container_remove(target, "torn", true, true, NULL, ERR));
    SAME(links(), "");
    spec = spec_for("torn", "sleep", "1000", NULL);
    set(spec, "network", "bridge");
    started(spec);
    shell(NULL, "for l in $(grep -o 'dr-[0-9a-z]*' /proc/net/dev); do ip link del $l || "
                "true; done");
    OK(dray_container_remove(target, "torn", true, true, NULL, ERR));
    /* the lost monitor's is the next command's to take away */
    started(spec);
    shell(NULL, "kill -9 %lld", (long long)monitor_of("torn"));
    OK(dray_container_remove(target, "torn", true, true, NULL, ERR));
    EVENTUALLY(!*links());
}

static void C05_replicas_answer_to_the_name_of_their_service(void **s)
{
    static const char *const replicas[] = {"1", "2"};
    OK(dray_network_create(target, "shop", NULL, NULL, NULL, ERR));
    for (size_t i = 0; i < 2; i++) {
        struct dray_spec *spec = spec_for(NULL, "sleep", "1000", NULL);
        set(spec, "service", "api");
        set(spec, "replica", replicas[i]);
        set(spec, "network", "shop");
        started(spec);
    }
    struct dray_spec *spec = spec_for("client", "sleep", "1000", NULL);
    set(spec, "network", "shop");
    started(spec);
    assert_int_equal(executed("client", "ping -c1 -W5 api").exit_code, 0);
    assert_int_equal(executed("client", "ping -c1 -W5 api-rep-2").exit_code, 0);
    SAME(executed("client", "grep -cw 'api' /etc/hosts").out, "2\n");
    /* one of them goes: the other one has the name alone */
    OK(dray_container_remove(target, "api-rep-1", true, true, NULL, ERR));
    EVENTUALLY(
        strcmp(
            executed("client", "grep '[[:space:]]api ' /etc/hosts | grep -vc '^ *#'").out,
            "1\n") == 0);
    assert_int_equal(executed("client", "ping -c1 -W5 api").exit_code, 0);
    OK(dray_container_remove(target, "api-rep-2", true, true, NULL, ERR));
    OK(dray_container_remove(target, "client", true, true, NULL, ERR));
    OK(dray_network_remove(target, "shop", false, NULL, ERR));
}

TESTS(network_tests,
      ANY_RUNTIME(C06_interface_names_are_deterministic_and_at_most_15_bytes),
      TEST(C17_the_network_is_there_before_the_first_instruction),
      ANY_RUNTIME(C23_the_address_is_there_while_it_is_live),
      TEST(C29_a_recorded_address_is_programmed_at_start),
      TEST(C30_overlay_is_best_effort_and_a_person_s_network_strict),
      ANY_RUNTIME(C05_replicas_answer_to_the_name_of_their_service),
      ANY_RUNTIME(C31_teardown_removes_the_veth_and_never_fails_the_remove));
