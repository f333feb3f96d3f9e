/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "spec/container.h"

/* Every member, none at its default. */
static const char full[] =
    "{\"annotations\":[\"a=b\"],\"args\":[\"sh\",\"-c\",\"echo \\u00e9\"],"
    "\"auto_remove\":true,\"cap_add\":[\"net_admin\"],\"cap_drop\":[\"ALL\"],"
    "\"cpu_shares\":512,\"devices\":[{\"container_path\":\"/dev/b\",\"host_path\":"
    "\"/dev/a\",\"permissions\":\"rw\"}],\"entrypoint\":[\"/"
    "init\"],\"env\":[\"A=1\",\"B\"],"
    "\"has_entrypoint\":true,\"hostname\":\"h\",\"image\":\"docker.io/library/"
    "alpine:latest\","
    "\"init\":true,\"labels\":[\"l=1\"],\"log_driver\":\"none\",\"memory_bytes\":"
    "67108864,"
    "\"mounts\":[{\"options\":\"rslave\",\"read_only\":true,\"source\":\"/"
    "a\",\"target\":\"/"
    "b\",\"type\":\"bind\"},{\"no_copy\":true,\"source\":\"v\",\"target\":\"/"
    "c\",\"type\":"
    "\"volume\"},{\"options\":\"size=1m\",\"target\":\"/d\",\"type\":\"tmpfs\"}],"
    "\"domainname\":\"d.example\",\"dns\":[\"9.9.9.9\"],\"dns_options\":[\"ndots:1\"],"
    "\"dns_search\":[\"a.b\"],"
    "\"exposed\":[\"80/tcp\"],\"extra_hosts\":[\"a:10.0.0.1\"],"
    "\"name\":\"web\",\"nano_cpus\":1500000000,\"networks\":[{\"name\":\"host\"}],"
    "\"pids_limit\":-1,\"ports\":[{\"container_port\":80,\"host_ip\":\"::1\","
    "\"host_port\":8080,\"protocol\":\"tcp\"}],\"publish_all\":true,"
    "\"privileged\":true,\"read_only\":true,\"security_opts\":[\"no-new-privileges\"],"
    "\"shm_size_bytes\":1048576,\"stdin_keep\":true,\"stdin_open\":true,\"stop_signal\":"
    "\"SIGINT\","
    "\"stop_timeout_s\":0,\"sysctls\":[\"net.a=1\"],\"tty\":true,\"ulimits\":[{\"hard\":-"
    "1,"
    "\"name\":\"core\"}],\"user\":\"1000:100\",\"workdir\":\"/w\"}";

static struct spec_container *parse(const char *text, struct dr_error *err)
{
    dr_auto_json json_t *json = dr_json_parse(text, strlen(text), 1 << 20, err);
    return json ? spec_container_from_json(json, err) : NULL;
}

static void every_member_survives_a_round_trip(void **state)
{
    struct dr_error err = DR_ERROR_INIT;
    spec_auto_container struct spec_container *spec = parse(full, &err);
    assert_string_equal(err.text, "");
    dr_auto_json json_t *json = spec_container_to_json(spec);
    dr_auto_json json_t *wanted = dr_json_parse(full, strlen(full), 1 << 20, &err);
    dr_auto_free char *got = dr_json_text(json), *expected = dr_json_text(wanted);
    assert_string_equal(got, expected);
    assert_string_equal(spec->mounts[1].source, "v");
    assert_int_equal(spec->ulimits[0].hard, -1);
    assert_int_equal(spec->stop_timeout_s, 0);
}

static void defaults_are_left_out(void **state)
{
    struct dr_error err = DR_ERROR_INIT;
    spec_auto_container struct spec_container *spec = spec_container_new();
    dr_auto_json json_t *json = spec_container_to_json(spec);
    dr_auto_free char *text = dr_json_text(json);
    assert_string_equal(text, "{}");
    spec_auto_container struct spec_container *back = parse("{}", &err);
    assert_non_null(back);
    assert_int_equal(back->stop_timeout_s, -1);
}

static void an_empty_entrypoint_is_not_none(void **state)
{
    struct dr_error err = DR_ERROR_INIT;
    spec_auto_container struct spec_container *spec =
        parse("{\"has_entrypoint\":true,\"entrypoint\":[]}", &err);
    assert_true(spec->has_entrypoint);
    assert_int_equal(dr_strv_len(spec->entrypoint), 0);
}

static void items_are_taken_over(void **state)
{
    spec_auto_container struct spec_container *spec = spec_container_new();
    struct dr_error err = DR_ERROR_INIT;
    struct spec_mount mount;
    struct spec_device device;
    struct spec_ulimit ulimit;
    for (int i = 0; i < 3; i++) {
        assert_int_equal(spec_mount_parse("/a:/b", &mount, &err), 0);
        assert_int_equal(spec_device_parse("/dev/a", &device, &err), 0);
        assert_int_equal(spec_ulimit_parse("core=0", &ulimit, &err), 0);
        spec_container_add_mount(spec, &mount);
        spec_container_add_device(spec, &device);
        spec_container_add_ulimit(spec, &ulimit);
        assert_null(mount.target);
        assert_null(device.host_path);
        assert_null(ulimit.name);
    }
    assert_int_equal(spec->mount_count, 3);
    assert_int_equal(spec->device_count, 3);
    assert_int_equal(spec->ulimit_count, 3);
}

static void bad_specs_are_refused_and_the_member_named(void **state)
{
    static const struct {
        const char *text;
        enum dr_kind kind;
        const char *error;
    } bad[] = {
        {"[]", DR_ERR_INVALID, "container spec: must be an object"},
        {"{\"imagee\":\"x\"}", DR_ERR_INVALID, "container spec: imagee: unknown member"},
        {"{\"image\":1}", DR_ERR_INVALID, "container spec: image: must be a string"},
        {"{\"image\":null}", DR_ERR_INVALID, "container spec: image: must be a string"},
        {"{\"args\":\"x\"}", DR_ERR_INVALID,
         "container spec: args: must be an array of strings"},
        {"{\"args\":[\"a\",2]}", DR_ERR_INVALID,
         "container spec: args[1]: must be a string"},
        {"{\"init\":1}", DR_ERR_INVALID, "container spec: init: must be true or false"},
        {"{\"cpu_shares\":1.5}", DR_ERR_INVALID,
         "container spec: cpu_shares: must be an integer"},
        {"{\"cpu_shares\":262145}", DR_ERR_INVALID,
         "container spec: cpu_shares: 262145 is out of range (from 0 to 262144)"},
        {"{\"pids_limit\":-2}", DR_ERR_INVALID, "pids_limit: -2 is out of range"},
        {"{\"mounts\":[{\"type\":\"nfs\"}]}", DR_ERR_INVALID,
         "container spec: mounts[0].type: unknown word 'nfs'"},
        {"{\"mounts\":[1]}", DR_ERR_INVALID,
         "container spec: mounts[0]: must be an object"},
        {"{\"mounts\":{}}", DR_ERR_INVALID,
         "container spec: mounts: must be an array of objects"},
        {"{\"mounts\":[{\"type\":\"tmpfs\",\"target\":\"/"
         "a\"},{\"type\":\"tmpfs\",\"target\":"
         "\"/a/\"}]}",
         DR_ERR_INVALID, "container spec: mounts[1]: '/a' is mounted on twice"},
        {"{\"mounts\":[{\"type\":\"bind\",\"source\":\"./x\",\"target\":\"/a\"}]}",
         DR_ERR_INVALID,
         "container spec: mounts[0]: source './x' is not an absolute path"},
        {"{\"mounts\":[{\"type\":\"bind\",\"source\":\"/x\",\"target\":\"/"
         "a\",\"options\":"
         "\"rshared\"}]}",
         DR_ERR_INVALID, "container spec: mounts[0]: unknown option 'rshared'"},
        {"{\"mounts\":[{\"type\":\"volume\",\"source\":\"../x\",\"target\":\"/a\"}]}",
         DR_ERR_INVALID, "container spec: mounts[0]: '../x' is not a volume name"},
        {"{\"mounts\":[{\"type\":\"tmpfs\",\"target\":\"a\"}]}", DR_ERR_INVALID,
         "container spec: mounts[0]: target 'a' is not an absolute path"},
        {"{\"devices\":[{\"host_path\":\"/a\"}]}", DR_ERR_INVALID,
         "container spec: devices[0]: paths must be absolute"},
        {"{\"ulimits\":[{\"name\":\"x\"}]}", DR_ERR_INVALID,
         "container spec: ulimits[0]: there is no limit 'x'"},
        {"{\"name\":\"-x\"}", DR_ERR_INVALID,
         "container spec: name: invalid container name '-x'"},
        {"{\"workdir\":\"x\"}", DR_ERR_INVALID,
         "container spec: workdir: 'x' is not an absolute path"},
        {"{\"hostname\":\"a b\"}", DR_ERR_INVALID,
         "container spec: hostname: 'a b': only"},
        {"{\"hostname\":\"\"}", DR_ERR_INVALID,
         "container spec: hostname: '': from 1 to 64"},
        {"{\"networks\":[{\"name\":\"a/b\"}]}", DR_ERR_INVALID,
         "container spec: network: 'a/b' is no network's name"},
        {"{\"networks\":[{\"name\":\"a\"},{\"name\":\"a\"}]}", DR_ERR_INVALID,
         "container spec: network: 'a' is given twice"},
        {"{\"networks\":[{\"name\":\"a\"},{\"name\":\"none\"}]}", DR_ERR_INVALID,
         "container spec: network: 'none' goes with no other network"},
        {"{\"networks\":[{\"name\":\"host\",\"ip\":\"10.0.0.2\"}]}", DR_ERR_INVALID,
         "container spec: network: 'host' has no addresses and aliases of its own"},
        {"{\"networks\":[{\"name\":\"container:\"}]}", DR_ERR_INVALID,
         "container spec: network: 'container:': expected container: and"},
        {"{\"networks\":[{\"name\":\"a\",\"ip\":\"fd00::1\"}]}", DR_ERR_INVALID,
         "container spec: network: 'fd00::1' is not an IPv4 address"},
        {"{\"networks\":[{\"name\":\"a\",\"ip6\":\"10.0.0.1\"}]}", DR_ERR_INVALID,
         "container spec: network: '10.0.0.1' is not an IPv6 address"},
        {"{\"networks\":[{\"name\":\"a\",\"ip\":\"127.0.0.1\"}]}", DR_ERR_INVALID,
         "container spec: network: '127.0.0.1' is no address that a container can have"},
        {"{\"networks\":[{\"name\":\"a\",\"mac\":\"01:00:00:00:00:00\"}]}",
         DR_ERR_INVALID, "'01:00:00:00:00:00' is not a MAC address of one interface"},
        {"{\"networks\":[{\"name\":\"a\",\"aliases\":[\"a b\"]}]}", DR_ERR_INVALID,
         "container spec: network: alias 'a b' is no host name"},
        {"{\"stop_signal\":\"x\"}", DR_ERR_INVALID,
         "container spec: stop_signal: invalid signal 'x'"},
        {"{\"env\":[\"A=1\",\"=x\"]}", DR_ERR_INVALID,
         "container spec: env[1]: '=x' has no"},
        {"{\"labels\":[\"\"]}", DR_ERR_INVALID,
         "container spec: labels[0]: '' has no key"},
        {"{\"sysctls\":[\"x\"]}", DR_ERR_INVALID,
         "container spec: sysctls[0]: 'x': expected name=value"},
        {"{\"memory_bytes\":6291455}", DR_ERR_INVALID, "the smallest memory limit is 6m"},
        {"{\"nano_cpus\":9999999}", DR_ERR_INVALID, "the smallest CPU limit is 0.01"},
    };
    for (size_t i = 0; i < DR_COUNT(bad); i++) {
        struct dr_error err = DR_ERROR_INIT;
        assert_null(parse(bad[i].text, &err));
        assert_int_equal(err.kind, bad[i].kind);
        if (!strstr(err.text, bad[i].error))
            fail_msg("%s: '%s' instead of '%s'", bad[i].text, err.text, bad[i].error);
    }
}

/* C25: words may be any bytes, and nothing else may */
static void c25_text_that_json_cannot_carry_is_refused(void **state)
{
    struct dr_error err = DR_ERROR_INIT;
    spec_auto_container struct spec_container *spec = spec_container_new();
    dr_strv_add(&spec->args, "echo");
    dr_strv_add(&spec->args, "\xff\xfe");
    assert_int_equal(spec_container_check(spec, &err), 0);
    dr_strv_add(&spec->labels, "a=1");
    dr_strv_add(&spec->labels, "b=\xff");
    assert_int_equal(spec_container_check(spec, &err), -1);
    assert_int_equal(err.kind, DR_ERR_INVALID);
    assert_non_null(strstr(err.text, "labels[1]: not UTF-8"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_member_survives_a_round_trip),
        cmocka_unit_test(defaults_are_left_out),
        cmocka_unit_test(an_empty_entrypoint_is_not_none),
        cmocka_unit_test(items_are_taken_over),
        cmocka_unit_test(bad_specs_are_refused_and_the_member_named),
        cmocka_unit_test(c25_text_that_json_cannot_carry_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
