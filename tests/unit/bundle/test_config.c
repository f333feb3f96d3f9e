/* SPDX-License-Identifier: Apache-2.0 */
/* config.json: C13, C16, H2, H3. What runtimes make of it is run-bundles' matter. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "facts.h"

static struct bundle_facts facts;
static uint32_t groups[] = {100, 10};
static struct bundle_user ann = {1000, 100, groups, 2, (char *)"/home/ann"};
static struct bundle_user root = {0, 0, groups, 0, (char *)"/root"};

static json_t *parse(const char *text)
{
    struct dr_error err = DR_ERROR_INIT;
    json_t *json = dr_json_parse(text, strlen(text), 1 << 20, &err);
    if (!json)
        fail_msg("%s: %s", text, err.text);
    return json;
}

/* config.json of a spec and an image's "config" section, both as JSON text */
static json_t *make(const char *spec_text, const char *image_text,
                    const struct bundle_user *user, struct dr_error *err)
{
    dr_auto_json json_t *spec_json = parse(spec_text);
    dr_auto_json json_t *image = json_object();
    dr_json_set(image, "config", parse(image_text));
    spec_auto_container struct spec_container *spec =
        spec_container_from_json(spec_json, err);
    if (!spec)
        return NULL;
    const char *sources[] = {"/vol/0", "/vol/1", "/vol/2", "/vol/3"};
    struct bundle_input in = {.spec = spec,
                              .image_config = image,
                              .facts = &facts,
                              .user = user,
                              .id = "0123456789abcdef",
                              .slug = "web",
                              .rootfs_path = "rootfs",
                              .cgroups_path = "/dray/x",
                              .hosts_file = "/c/hosts",
                              .hostname_file = "/c/hostname",
                              .resolv_file = "/c/resolv.conf",
                              .init_path = "/bin/dray-guest",
                              .volume_sources = sources,
                              .seccomp_bpf_base64 = "QQ=="};
    return bundle_config(&in, err);
}

/* The text of the member at "a/b/c" of the config.json */
static char *member(const json_t *config, const char *path)
{
    dr_auto_free char *copy = dr_strdup(path);
    const json_t *at = config;
    char *save = NULL;
    for (char *word = strtok_r(copy, "/", &save); word; word = strtok_r(NULL, "/", &save))
        at = json_object_get(at, word);
    return at ? dr_json_text(at) : dr_strdup("none");
}

static void expect_as(const struct bundle_user *user, const char *spec, const char *image,
                      const char *path, const char *value)
{
    struct dr_error err = DR_ERROR_INIT;
    dr_auto_json json_t *config = make(spec, image, user, &err);
    if (!config)
        fail_msg("%s: %s", spec, err.text);
    dr_auto_free char *got = member(config, path);
    assert_string_equal(got, value);
}

static void expect(const char *spec, const char *image, const char *path,
                   const char *value)
{
    expect_as(&root, spec, image, path, value);
}

static void expect_error(const char *spec, const char *image, enum dr_kind kind,
                         const char *text)
{
    struct dr_error err = DR_ERROR_INIT;
    assert_null(make(spec, image, &root, &err));
    assert_int_equal(err.kind, kind);
    if (!strstr(err.text, text))
        fail_msg("%s: '%s' instead of '%s'", spec, err.text, text);
}

#define IMAGE "{\"Entrypoint\":[\"/e\",\"x\"],\"Cmd\":[\"c\",\"d\"]}"

static void c13_entrypoint_and_cmd_combine_as_dockers(void **state)
{
    const char *args = "process/args";
    expect("{}", IMAGE, args, "[\"/e\",\"x\",\"c\",\"d\"]");
    expect("{\"args\":[\"a\"]}", IMAGE, args, "[\"/e\",\"x\",\"a\"]");
    expect("{\"has_entrypoint\":true,\"entrypoint\":[\"/n\"]}", IMAGE, args, "[\"/n\"]");
    expect("{\"has_entrypoint\":true,\"entrypoint\":[\"/n\"],\"args\":[\"a\"]}", IMAGE,
           args, "[\"/n\",\"a\"]");
    expect("{\"has_entrypoint\":true,\"args\":[\"a\",\"\"]}", IMAGE, args,
           "[\"a\",\"\"]");
    expect("{}", "{\"Cmd\":[\"c\"],\"Entrypoint\":null}", args, "[\"c\"]");
    expect("{}", "{\"Entrypoint\":\"/old\"}", args, "[\"/old\"]");
    expect("{\"init\":true}", "{\"Cmd\":[\"c\"]}", args,
           "[\"/sbin/docker-init\",\"--\",\"c\"]");
}

static void nothing_to_run_is_a_clear_error(void **state)
{
    expect_error("{}", "{}", DR_ERR_INVALID,
                 "the image has neither an entrypoint nor a cmd");
    expect_error("{\"has_entrypoint\":true}", IMAGE, DR_ERR_INVALID,
                 "the image has its entrypoint taken away");
    expect_error("{\"args\":[\"\"]}", "{}", DR_ERR_INVALID,
                 "the command is an empty word");
}

#define ENV_HEAD                                                                         \
    "[\"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/"                  \
    "bin\",\"HOSTNAME=web\""

static void env_is_merged_in_order(void **state)
{
    expect("{\"args\":[\"a\"]}", "{}", "process/env", ENV_HEAD ",\"HOME=/root\"]");
    expect("{\"args\":[\"a\"],\"env\":[\"B=2\",\"A\",\"C\",\"D==x=\"],\"tty\":true}",
           "{\"Env\":[\"A=1\",\"B=1\",\"NOTHING\",\"HOME=/h\",\"E=\"]}", "process/env",
           ENV_HEAD ",\"TERM=xterm\",\"B=2\",\"HOME=/h\",\"E=\",\"D==x=\"]");
    expect("{\"args\":[\"a\"],\"env\":[\"PATH=/p\",\"HOSTNAME\"]}", "{}", "process/env",
           "[\"PATH=/p\",\"HOME=/root\"]");
    expect_as(&ann, "{\"args\":[\"a\"],\"env\":[\"PATH\",\"HOSTNAME\"]}", "{}",
              "process/env", "[\"HOME=/home/ann\"]");
}

static void c13_hostname_is_the_slug_unless_given(void **state)
{
    expect("{\"args\":[\"a\"]}", "{}", "hostname", "\"web\"");
    expect("{\"args\":[\"a\"],\"hostname\":\"h\"}", "{}", "hostname", "\"h\"");
}

static void h3_working_directories_in_proc_are_refused(void **state)
{
    expect("{\"args\":[\"a\"]}", "{}", "process/cwd", "\"/\"");
    expect("{\"args\":[\"a\"]}", "{\"WorkingDir\":\"srv/./x/\"}", "process/cwd",
           "\"/srv/x\"");
    expect("{\"args\":[\"a\"],\"workdir\":\"/w/../v\"}", "{\"WorkingDir\":\"/srv\"}",
           "process/cwd", "\"/v\"");
    expect("{\"args\":[\"a\"],\"workdir\":\"/process\"}", "{}", "process/cwd",
           "\"/process\"");
    static const char *const bad[] = {"/proc/self/fd/7",         "/proc",
                                      "/x/../proc/1/fd/8/../..", "//proc//self/fd",
                                      "proc/self/fd/9",          "/dev/fd/8"};
    for (size_t i = 0; i < DR_COUNT(bad); i++) {
        dr_auto_free char *image = dr_printf("{\"WorkingDir\":\"%s\"}", bad[i]);
        expect_error("{\"args\":[\"a\"]}", image, DR_ERR_INVALID,
                     "is refused: it is inside");
    }
}

#define DEFAULT_CAPS                                                                     \
    "[\"CAP_CHOWN\",\"CAP_DAC_OVERRIDE\",\"CAP_FOWNER\",\"CAP_FSETID\",\"CAP_KILL\","    \
    "\"CAP_SETGID\",\"CAP_SETUID\",\"CAP_SETPCAP\",\"CAP_NET_BIND_SERVICE\","            \
    "\"CAP_NET_RAW\",\"CAP_SYS_CHROOT\",\"CAP_MKNOD\",\"CAP_AUDIT_WRITE\",\"CAP_"        \
    "SETFCAP\"]"

static void c16_capabilities_are_dockers(void **state)
{
    const char *bounding = "process/capabilities/bounding";
    expect("{\"args\":[\"a\"]}", "{}", bounding, DEFAULT_CAPS);
    expect("{\"args\":[\"a\"]}", "{}", "process/capabilities/effective", DEFAULT_CAPS);
    expect("{\"args\":[\"a\"]}", "{}", "process/capabilities/inheritable", "none");
    expect_as(&ann, "{\"args\":[\"a\"]}", "{}", bounding, DEFAULT_CAPS);
    expect_as(&ann, "{\"args\":[\"a\"]}", "{}", "process/capabilities/effective", "[]");
    expect_as(&ann, "{\"args\":[\"a\"]}", "{}", "process/capabilities/permitted", "[]");
    expect("{\"args\":[\"a\"],\"cap_drop\":[\"all\"],\"cap_add\":[\"Net_Admin\","
           "\"cap_chown\"]}",
           "{}", bounding, "[\"CAP_CHOWN\",\"CAP_NET_ADMIN\"]");
    expect("{\"args\":[\"a\"],\"cap_drop\":[\"CHOWN\",\"ALL\"]}", "{}", bounding, "[]");
    facts.caps = 7;
    expect("{\"args\":[\"a\"],\"cap_add\":[\"ALL\"],\"cap_drop\":[\"CHOWN\"]}", "{}",
           bounding, "[\"CAP_DAC_OVERRIDE\",\"CAP_DAC_READ_SEARCH\"]");
    expect("{\"args\":[\"a\"],\"privileged\":true,\"cap_drop\":[\"ALL\"]}", "{}",
           bounding, "[\"CAP_CHOWN\",\"CAP_DAC_OVERRIDE\",\"CAP_DAC_READ_SEARCH\"]");
    expect_error("{\"args\":[\"a\"],\"cap_add\":[\"SYS_ADMIN\"]}", "{}", DR_ERR_INVALID,
                 "CAP_SYS_ADMIN cannot be given: the guest itself does not have it");
    fixed_facts(&facts);
    expect_error("{\"args\":[\"a\"],\"cap_add\":[\"NET_ADMINX\"]}", "{}", DR_ERR_INVALID,
                 "cap-add: unknown capability 'NET_ADMINX'; there are ALL, CHOWN, ");
    expect_error("{\"args\":[\"a\"],\"cap_drop\":[\"\"]}", "{}", DR_ERR_INVALID,
                 "cap-drop: unknown capability ''");
}

static void limits_land_in_resources(void **state)
{
    expect("{\"args\":[\"a\"],\"memory_bytes\":67108864}", "{}", "linux/resources/memory",
           "{\"limit\":67108864,\"swap\":134217728}");
    expect("{\"args\":[\"a\"],\"nano_cpus\":1500000000,\"cpu_shares\":2}", "{}",
           "linux/resources/cpu", "{\"period\":100000,\"quota\":150000,\"shares\":2}");
    expect("{\"args\":[\"a\"],\"pids_limit\":50}", "{}", "linux/resources/pids",
           "{\"limit\":50}");
    expect("{\"args\":[\"a\"],\"pids_limit\":-1}", "{}", "linux/resources/pids", "none");
    expect("{\"args\":[\"a\"]}", "{}", "linux/resources/memory", "none");
    expect_error("{\"args\":[\"a\"],\"nano_cpus\":4500000000}", "{}", DR_ERR_INVALID,
                 "cpus: 4.50 is more than the guest has (4)");
    facts.swap_limit = false;
    expect("{\"args\":[\"a\"],\"memory_bytes\":67108864}", "{}", "linux/resources/memory",
           "{\"limit\":67108864}");
    fixed_facts(&facts);
}

#define NOFILE(soft, hard)                                                               \
    "{\"args\":[\"a\"],\"ulimits\":[{\"name\":\"nofile\",\"soft\":" soft                 \
    ",\"hard\":" hard "}]}"

static void a_ulimit_above_the_guests_is_a_clear_error(void **state)
{
    expect(NOFILE("10", "20"), "{}", "process/rlimits",
           "[{\"hard\":20,\"soft\":10,\"type\":\"RLIMIT_NOFILE\"}]");
    expect_error(NOFILE("10", "1048577"), "{}", DR_ERR_INVALID,
                 "ulimit nofile: 1048577 is above the guest's own hard limit of 1048576");
    facts.can_raise_rlimits = false;
    facts.rlimit_hard[7] = 20000;
    expect(NOFILE("10", "20000"), "{}", "process/rlimits",
           "[{\"hard\":20000,\"soft\":10,\"type\":\"RLIMIT_NOFILE\"}]");
    expect_error(NOFILE("10", "20001"), "{}", DR_ERR_INVALID,
                 "ulimit nofile: 20001 is above the guest's own hard limit of 20000");
    expect_error(NOFILE("10", "-1"), "{}", DR_ERR_INVALID,
                 "ulimit nofile: unlimited is above the guest's own hard limit of 20000");
    fixed_facts(&facts);
    expect("{\"args\":[\"a\"]}", "{}", "process/rlimits", "none");
}

static void unlimited_is_written_and_read_as_the_kernel_has_it(void **state)
{
    struct dr_error err = DR_ERROR_INIT;
    dr_auto_json json_t *config = make(
        "{\"args\":[\"a\",\"\\\"soft\\\":9223372036854775807,\"],\"ulimits\":[{\"name\":"
        "\"core\",\"soft\":0,\"hard\":-1},{\"name\":\"memlock\",\"soft\":-1,\"hard\":-1}]"
        "}",
        "{}", &root, &err);
    dr_auto_free char *text = bundle_text(config);
    assert_non_null(strstr(text, "{\"hard\":18446744073709551615,\"soft\":0,"));
    assert_non_null(
        strstr(text, "{\"hard\":18446744073709551615,\"soft\":18446744073709551615,"));
    assert_non_null(strstr(text, "\"\\\"soft\\\":9223372036854775807,\""));
    dr_auto_json json_t *back = bundle_parse(text, strlen(text), &err);
    assert_true(json_equal(config, back));
    assert_null(bundle_parse("{\"a", 3, &err));
    assert_int_equal(err.kind, DR_ERR_FORMAT);
    assert_non_null(strstr(err.text, "config.json: JSON line 1"));
}

static void only_namespaced_sysctls_are_taken(void **state)
{
    expect(
        "{\"args\":[\"a\"],\"sysctls\":[\"net.core.somaxconn=5\",\"kernel.sem=1 2 3 "
        "4\"]}",
        "{}", "linux/sysctl",
        "{\"kernel.sem\":\"1 2 3 4\",\"net.core.somaxconn\":\"5\","
        "\"net.ipv4.ip_unprivileged_port_start\":\"0\",\"net.ipv4.ping_group_range\":\"0 "
        "2147483647\"}");
    expect("{\"args\":[\"a\"],\"networks\":[{\"name\":\"host\"}]}", "{}", "linux/sysctl",
           "{}");
    static const char *const bad[] = {
        "kernel.core_pattern",  "vm.swappiness", "kernel.shm",
        "net.a/../../kernel/x", "net.a b",       "fs.file-max"};
    for (size_t i = 0; i < DR_COUNT(bad); i++) {
        dr_auto_free char *spec =
            dr_printf("{\"args\":[\"a\"],\"sysctls\":[\"%s=|/bin/x\"]}", bad[i]);
        expect_error(spec, "{}", DR_ERR_INVALID, "is not one of a container");
    }
    expect_error("{\"args\":[\"a\"],\"networks\":[{\"name\":\"host\"}],\"sysctls\":["
                 "\"net.core.a=1\"]}",
                 "{}", DR_ERR_INVALID, "is the guest's own with network host");
}

static void security_options_are_understood_or_refused(void **state)
{
    expect("{\"args\":[\"a\"],\"security_opts\":[\"no-new-privileges\"]}", "{}",
           "process/noNewPrivileges", "true");
    expect("{\"args\":[\"a\"],\"security_opts\":[\"no-new-privileges:true\","
           "\"no-new-privileges=false\"]}",
           "{}", "process/noNewPrivileges", "none");
    expect(
        "{\"args\":[\"a\"],\"security_opts\":[\"seccomp=unconfined\",\"label=disable\","
        "\"apparmor:unconfined\"]}",
        "{}", "linux/seccomp", "none");
    expect("{\"args\":[\"a\"],\"security_opts\":[\"systempaths=unconfined\"]}", "{}",
           "linux/maskedPaths", "none");
    expect("{\"args\":[\"a\"],\"privileged\":true}", "{}", "linux/seccomp", "none");
    expect("{\"args\":[\"a\"],\"privileged\":true}", "{}", "linux/readonlyPaths", "none");
#define OPT(text) "{\"args\":[\"a\"],\"security_opts\":[\"" text "\"]}"
    expect_error(OPT("apparmor=x"), "{}", DR_ERR_UNSUPPORTED,
                 "AppArmor profiles are not");
    expect_error(OPT("label=type:x"), "{}", DR_ERR_UNSUPPORTED, "SELinux labels are not");
    expect_error(OPT("no-new-privileges=maybe"), "{}", DR_ERR_INVALID,
                 "expected true or");
    expect_error(OPT("seccomp"), "{}", DR_ERR_INVALID, "expected seccomp=unconfined");
    expect_error(OPT("foo=1"), "{}", DR_ERR_INVALID,
                 "invalid security-opt 'foo=1': there");
    expect_error(OPT("seccomp={"), "{}", DR_ERR_INVALID, "seccomp profile: JSON line 1");
}

#define PROFILE(text) OPT("seccomp=" text)

static void seccomp_profiles_in_dockers_format_are_converted(void **state)
{
    expect(
        PROFILE("{\\\"defaultAction\\\":\\\"SCMP_ACT_ALLOW\\\",\\\"archMap\\\":[{"
                "\\\"architecture\\\":\\\"SCMP_ARCH_X86_64\\\",\\\"subArchitectures\\\":["
                "\\\"SCMP_ARCH_X86\\\"]},{\\\"architecture\\\":\\\"SCMP_ARCH_S390X\\\"}],"
                "\\\"syscalls\\\":[{\\\"name\\\":\\\"mount\\\",\\\"action\\\":"
                "\\\"SCMP_ACT_ERRNO\\\",\\\"errnoRet\\\":13,\\\"comment\\\":\\\"c\\\"},"
                "{\\\"names\\\":[\\\"a\\\"],\\\"action\\\":\\\"SCMP_ACT_LOG\\\","
                "\\\"includes\\\":{\\\"caps\\\":[\\\"CAP_SYS_ADMIN\\\"]}},"
                "{\\\"names\\\":[\\\"b\\\"],\\\"action\\\":\\\"SCMP_ACT_LOG\\\","
                "\\\"excludes\\\":{\\\"arches\\\":[\\\"amd64\\\"]}},"
                "{\\\"names\\\":[\\\"c\\\"],\\\"action\\\":\\\"SCMP_ACT_LOG\\\","
                "\\\"includes\\\":{\\\"minKernel\\\":\\\"6.2\\\"}},"
                "{\\\"names\\\":[\\\"d\\\"],\\\"action\\\":\\\"SCMP_ACT_LOG\\\","
                "\\\"includes\\\":{\\\"minKernel\\\":\\\"5.9\\\",\\\"arches\\\":["
                "\\\"amd64\\\"],\\\"caps\\\":[\\\"CAP_CHOWN\\\"]}}]}"),
        "{}", "linux/seccomp",
        "{\"architectures\":[\"SCMP_ARCH_X86_64\",\"SCMP_ARCH_X86\"],\"defaultAction\":"
        "\"SCMP_ACT_ALLOW\",\"syscalls\":[{\"action\":\"SCMP_ACT_ERRNO\",\"errnoRet\":13,"
        "\"names\":[\"mount\"]},{\"action\":\"SCMP_ACT_LOG\",\"names\":[\"d\"]}]}");
    expect_error(PROFILE("{}"), "{}", DR_ERR_INVALID, "action '' is not supported");
    expect_error(PROFILE("{\\\"defaultAction\\\":\\\"SCMP_ACT_NOTIFY\\\"}"), "{}",
                 DR_ERR_UNSUPPORTED, "action 'SCMP_ACT_NOTIFY' is not supported");
    expect_error(PROFILE("{\\\"listenerPath\\\":\\\"/x\\\"}"), "{}", DR_ERR_INVALID,
                 "it has the unknown member 'listenerPath'");
    expect_error(PROFILE("[]"), "{}", DR_ERR_INVALID, "it is not an object");
    expect_error(PROFILE("{\\\"defaultAction\\\":\\\"SCMP_ACT_LOG\\\",\\\"syscalls\\\":[{"
                         "\\\"action\\\":\\\"SCMP_ACT_LOG\\\"}]}"),
                 "{}", DR_ERR_INVALID, "a rule needs either 'names' or 'name'");
}

/* The source of the mount at a target: the last one there */
static char *source_of(const json_t *config, const char *target)
{
    const char *source = "none";
    size_t i;
    json_t *mount;
    json_array_foreach (json_object_get(config, "mounts"), i, mount)
        if (strcmp(dr_json_str(mount, "destination"), target) == 0)
            source = dr_json_str(mount, "source");
    return dr_strdup(source);
}

static void mounts_of_the_user_win_and_parents_come_first(void **state)
{
    struct dr_error err = DR_ERROR_INIT;
    dr_auto_json json_t *config = make(
        "{\"args\":[\"a\"],\"mounts\":["
        "{\"type\":\"bind\",\"source\":\"/h\",\"target\":\"/etc/hosts\"},"
        "{\"type\":\"bind\",\"source\":\"/deep\",\"target\":\"/a/b/c\"},"
        "{\"type\":\"volume\",\"source\":\"v\",\"target\":\"/a\",\"read_only\":true},"
        "{\"type\":\"tmpfs\",\"target\":\"/dev/shm\",\"options\":\"exec,size=1m\"}]}",
        "{}", &root, &err);
    json_t *mounts = json_object_get(config, "mounts"), *mount;
    char order[400] = "";
    size_t i;
    json_array_foreach (mounts, i, mount)
        strcat(strcat(order, dr_json_str(mount, "destination")), " ");
    assert_string_equal(order,
                        "/proc /dev /dev/pts /sys /sys/fs/cgroup /dev/mqueue /a "
                        "/etc/hosts /dev/shm /etc/resolv.conf /etc/hostname /a/b/c ");
    dr_auto_free char *hosts = source_of(config, "/etc/hosts");
    dr_auto_free char *volume = source_of(config, "/a");
    assert_string_equal(hosts, "/h");
    assert_string_equal(volume, "/vol/2");
    dr_auto_free char *options =
        dr_json_text(json_object_get(json_array_get(mounts, 6), "options"));
    assert_string_equal(options, "[\"rbind\",\"rprivate\",\"ro\"]");
    dr_auto_free char *shm =
        dr_json_text(json_object_get(json_array_get(mounts, 8), "options"));
    assert_string_equal(shm, "[\"nosuid\",\"nodev\",\"exec\",\"size=1m\"]");
    expect_error(
        "{\"args\":[\"a\"],\"mounts\":[{\"type\":\"tmpfs\",\"target\":\"/proc/x\"}]}",
        "{}", DR_ERR_INVALID, "a mount at '/proc/x' is refused");
}

static void missing_and_wrong_devices_are_named(void **state)
{
#define DEVICE(path)                                                                     \
    "{\"args\":[\"a\"],\"devices\":[{\"host_path\":\"" path                              \
    "\",\"container_path\":\"/dev/x\",\"permissions\":\"r\"}]}"
    expect(DEVICE("/dev/null"), "{}", "linux/resources/devices",
           "[{\"access\":\"rwm\",\"allow\":false},"
           "{\"access\":\"rwm\",\"allow\":true,\"major\":1,\"minor\":5,\"type\":\"c\"},"
           "{\"access\":\"rwm\",\"allow\":true,\"major\":1,\"minor\":3,\"type\":\"c\"},"
           "{\"access\":\"rwm\",\"allow\":true,\"major\":1,\"minor\":9,\"type\":\"c\"},"
           "{\"access\":\"rwm\",\"allow\":true,\"major\":1,\"minor\":8,\"type\":\"c\"},"
           "{\"access\":\"rwm\",\"allow\":true,\"major\":1,\"minor\":7,\"type\":\"c\"},"
           "{\"access\":\"rwm\",\"allow\":true,\"major\":5,\"minor\":0,\"type\":\"c\"},"
           "{\"access\":\"rwm\",\"allow\":true,\"major\":5,\"minor\":1,\"type\":\"c\"},"
           "{\"access\":\"r\",\"allow\":true,\"major\":1,\"minor\":3,\"type\":\"c\"}]");
    expect_error(DEVICE("/dev/no-such"), "{}", DR_ERR_NOT_FOUND,
                 "device /dev/no-such: No");
    expect_error(DEVICE("/etc/passwd"), "{}", DR_ERR_INVALID, "it is not a device");
    expect_error(DEVICE("/etc"), "{}", DR_ERR_INVALID,
                 "the directory has no devices in it");
}

/* H2: run.oci.* of crun would run commands in the guest */
static void h2_image_labels_and_annotations_never_arrive(void **state)
{
    struct dr_error err = DR_ERROR_INIT;
    dr_auto_json json_t *config =
        make("{\"args\":[\"a\"],\"labels\":[\"run.oci.handler=x\"],\"annotations\":["
             "\"run.oci.hooks.stderr=/x\"]}",
             "{\"Labels\":{\"run.oci.hooks.stdout\":\"/x\"},\"hooks\":{\"prestart\":[]},"
             "\"annotations\":{\"run.oci.x\":\"y\"}}",
             &root, &err);
    dr_auto_free char *annotations = member(config, "annotations");
    assert_string_equal(
        annotations,
        "{\"dray.home-added\":\"true\",\"run.oci.seccomp_bpf_data\":\"QQ==\"}");
    assert_null(json_object_get(config, "hooks"));
    dr_auto_free char *text = bundle_text(config);
    assert_null(strstr(text, "run.oci.h"));
    expect("{\"args\":[\"a\"],\"privileged\":true}", "{\"Env\":[\"HOME=/\"]}",
           "annotations", "{}"); /* no profile, no filter */
}

static void c16_namespaces_and_cgroup_are_real(void **state)
{
    expect(
        "{\"args\":[\"a\"]}", "{}", "linux/namespaces",
        "[{\"type\":\"pid\"},{\"type\":\"ipc\"},{\"type\":\"uts\"},{\"type\":\"mount\"},"
        "{\"type\":\"network\"},{\"type\":\"cgroup\"}]");
    expect("{\"args\":[\"a\"]}", "{}", "linux/cgroupsPath", "\"/dray/x\"");
    facts.cgroup_ns = false;
    facts.oom_score_adj = -500;
    expect("{\"args\":[\"a\"],\"networks\":[{\"name\":\"host\"}]}", "{}",
           "linux/namespaces",
           "[{\"type\":\"pid\"},{\"type\":\"ipc\"},{\"type\":\"uts\"},{\"type\":"
           "\"mount\"}]");
    expect("{\"args\":[\"a\"]}", "{}", "process/oomScoreAdj", "0");
    fixed_facts(&facts);
    expect("{\"args\":[\"a\"]}", "{}", "process/oomScoreAdj", "none");
}

static void image_volumes_are_listed_once_and_checked(void **state)
{
    struct dr_error err = DR_ERROR_INIT;
    dr_auto_json json_t *image = parse(
        "{\"config\":{\"Volumes\":{\"/z\":{},\"/data/\":{},\"/data\":{},\"/mine\":{}}}}");
    dr_auto_json json_t *bad = parse("{\"config\":{\"Volumes\":{\"/x/../proc/1\":{}}}}");
    dr_auto_json json_t *worse = parse("{\"config\":{\"Volumes\":{\"/..\":{}}}}");
    dr_auto_json json_t *spec_json =
        parse("{\"mounts\":[{\"type\":\"tmpfs\",\"target\":\"/mine/\"}]}");
    spec_auto_container struct spec_container *spec =
        spec_container_from_json(spec_json, &err);
    dr_auto_strv char **volumes = bundle_image_volumes(spec, image, &err);
    dr_auto_json json_t *list = dr_json_from_strv(volumes);
    dr_auto_free char *text = dr_json_text(list);
    assert_string_equal(text, "[\"/data\",\"/z\"]");
    dr_auto_strv char **none = bundle_image_volumes(spec, NULL, &err);
    assert_int_equal(dr_strv_len(none), 0);
    assert_null(bundle_image_volumes(spec, bad, &err));
    assert_int_equal(err.kind, DR_ERR_CREATE);
    assert_non_null(
        strstr(err.text, "wants a volume at '/x/../proc/1', where none can be"));
    assert_null(bundle_image_volumes(spec, worse, &err));
    assert_non_null(strstr(err.text, "'/..'"));
}

static void the_stop_signal_is_the_specs_then_the_images(void **state)
{
    dr_auto_json json_t *image = parse("{\"config\":{\"StopSignal\":\"SIGQUIT\"}}");
    dr_auto_json json_t *bad = parse("{\"config\":{\"StopSignal\":\"SIGNONE\"}}");
    spec_auto_container struct spec_container *spec = spec_container_new();
    assert_int_equal(bundle_stop_signal(spec, NULL), 15);
    assert_int_equal(bundle_stop_signal(spec, bad), 15);
    assert_int_equal(bundle_stop_signal(spec, image), 3);
    spec->stop_signal = dr_strdup("SIGINT");
    assert_int_equal(bundle_stop_signal(spec, image), 2);
}

static char *exec_member(const char *container, const struct bundle_exec *exec,
                         const char *path)
{
    struct dr_error err = DR_ERROR_INIT;
    dr_auto_json json_t *config = make(container, "{}", &root, &err);
    dr_auto_json json_t *process = bundle_process_for_exec(config, exec, &facts, &err);
    if (!process)
        fail_msg("%s", err.text);
    return member(process, path);
}

static void c25_exec_takes_over_from_the_container(void **state)
{
    char *args[] = {(char *)"ls", (char *)"a b", NULL}, *env[] = {(char *)"A=2", NULL};
    struct bundle_exec exec = {.args = args, .env = env};
    const char *spec =
        "{\"args\":[\"a\"],\"workdir\":\"/w\",\"env\":[\"A=1\",\"B=1\"],"
        "\"cap_drop\":[\"ALL\"],\"security_opts\":[\"no-new-privileges\"]}";
    dr_auto_free char *words = exec_member(spec, &exec, "args");
    assert_string_equal(words, "[\"ls\",\"a b\"]");
    dr_auto_free char *cwd = exec_member(spec, &exec, "cwd");
    assert_string_equal(cwd, "\"/w\"");
    dr_auto_free char *merged = exec_member(spec, &exec, "env");
    assert_string_equal(merged, ENV_HEAD ",\"A=2\",\"B=1\",\"HOME=/root\"]");
    dr_auto_free char *nnp = exec_member(spec, &exec, "noNewPrivileges");
    assert_string_equal(nnp, "true");
    dr_auto_free char *caps = exec_member(spec, &exec, "capabilities/effective");
    assert_string_equal(caps, "[]");
    exec.user = &ann;
    dr_auto_free char *other = exec_member(spec, &exec, "env");
    assert_string_equal(other, ENV_HEAD ",\"A=2\",\"B=1\",\"HOME=/home/ann\"]");
    dr_auto_free char *fixed =
        exec_member("{\"args\":[\"a\"],\"env\":[\"HOME=/h\"]}", &exec, "env");
    assert_string_equal(fixed, ENV_HEAD ",\"HOME=/h\",\"A=2\"]");
    exec.privileged = true;
    exec.user = &root;
    facts.caps = 3;
    dr_auto_free char *all =
        exec_member("{\"args\":[\"a\"]}", &exec, "capabilities/effective");
    assert_string_equal(all, "[\"CAP_CHOWN\",\"CAP_DAC_OVERRIDE\"]");
    fixed_facts(&facts);
}

static void c25_bad_execs_are_refused(void **state)
{
    char *none[] = {NULL}, *args[] = {(char *)"ls", NULL};
    static const struct {
        const char *workdir, *error;
    } bad[] = {{"x", "working directory 'x' is not an absolute path"},
               {"/proc/self/fd/3", "working directory '/proc/self/fd/3' is refused"}};
    struct dr_error err = DR_ERROR_INIT;
    dr_auto_json json_t *config = make("{\"args\":[\"a\"]}", "{}", &root, &err);
    struct bundle_exec exec = {.args = none};
    assert_null(bundle_process_for_exec(config, &exec, &facts, &err));
    assert_int_equal(err.kind, DR_ERR_INVALID);
    assert_string_equal(err.text, "exec: no command given");
    for (size_t i = 0; i < DR_COUNT(bad); i++) {
        dr_error_release(&err);
        exec = (struct bundle_exec){.args = args, .workdir = bad[i].workdir};
        assert_null(bundle_process_for_exec(config, &exec, &facts, &err));
        assert_int_equal(err.kind, DR_ERR_INVALID);
        assert_non_null(strstr(err.text, bad[i].error));
    }
}

int main(void)
{
    fixed_facts(&facts);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(c13_entrypoint_and_cmd_combine_as_dockers),
        cmocka_unit_test(nothing_to_run_is_a_clear_error),
        cmocka_unit_test(env_is_merged_in_order),
        cmocka_unit_test(c13_hostname_is_the_slug_unless_given),
        cmocka_unit_test(h3_working_directories_in_proc_are_refused),
        cmocka_unit_test(c16_capabilities_are_dockers),
        cmocka_unit_test(limits_land_in_resources),
        cmocka_unit_test(a_ulimit_above_the_guests_is_a_clear_error),
        cmocka_unit_test(unlimited_is_written_and_read_as_the_kernel_has_it),
        cmocka_unit_test(only_namespaced_sysctls_are_taken),
        cmocka_unit_test(security_options_are_understood_or_refused),
        cmocka_unit_test(seccomp_profiles_in_dockers_format_are_converted),
        cmocka_unit_test(mounts_of_the_user_win_and_parents_come_first),
        cmocka_unit_test(missing_and_wrong_devices_are_named),
        cmocka_unit_test(h2_image_labels_and_annotations_never_arrive),
        cmocka_unit_test(c16_namespaces_and_cgroup_are_real),
        cmocka_unit_test(image_volumes_are_listed_once_and_checked),
        cmocka_unit_test(the_stop_signal_is_the_specs_then_the_images),
        cmocka_unit_test(c25_exec_takes_over_from_the_container),
        cmocka_unit_test(c25_bad_execs_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
