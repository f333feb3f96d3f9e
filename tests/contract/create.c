/* SPDX-License-Identifier: Apache-2.0 */
/* C13 to C16: what create makes: the bundle, its config, the root file system. */
#include "contract.h"

static json_t *bundle_config(const char *slug)
{
    return parsed(strdup(slurp(text("%s/bundles/%s/config.json", root, slug))));
}

static bool has_text(const json_t *list, const char *word)
{
    for (size_t i = 0; i < json_array_size(list); i++) {
        const char *value = json_string_value(json_array_get(list, i));
        if (value && strcmp(value, word) == 0)
            return true;
    }
    return false;
}

/* The member of a list of objects whose key has this value. */
static const json_t *member(const json_t *list, const char *key, const char *value)
{
    for (size_t i = 0; i < json_array_size(list); i++)
        if (strcmp(str_at(json_array_get(list, i), key), value) == 0)
            return json_array_get(list, i);
    return NULL;
}

/* --- C13 --- */

static void C13_the_bundle_is_at_its_place_with_rootfs_and_config(void **s)
{
    struct dray_spec *spec = spec_for("bundled", "sleep", "1000", NULL);
    created(spec);
    assert_true(exists(text("%s/bundles/bundled/config.json", root)));
    assert_true(exists(text("%s/bundles/bundled/rootfs", root)));
    SAME(str_at(bundle_config("bundled"), "process.args.0"), "sleep");
    OK(dray_container_remove(target, "bundled", false, false, NULL, ERR));
    assert_false(exists(text("%s/bundles/bundled", root)));
}

static void C13_an_image_s_id_counts_more_than_who_has_its_name(void **s)
{
    char id[DRAY_ID_SIZE];
    struct dray_spec *spec = spec_for("by-id", "true", NULL);
    const char *is = str_at(image_inspected(busybox), "Id");
    set(spec, "image", "no.such/name:1");
    set(spec, "image_id", is);
    created(spec);
    SAME(str_at(inspected("by-id"), "Image"), is);
    SAME(str_at(inspected("by-id"), "Config.Image"), "no.such/name:1");
    OK(dray_container_remove(target, "by-id", false, false, NULL, ERR));
    spec = spec_for("by-id", "true", NULL);
    set(spec, "image_id", text("sha256:%064d", 7));
    FAILS(DRAY_ERR_NOT_FOUND, dray_container_create(target, spec, NULL, id, NULL, ERR),
          "is not on this target");
}

static void C13_the_hostname_is_the_slug_unless_given(void **s)
{
    struct dray_spec *spec = spec_for("named.host", "hostname", NULL);
    set(spec, "rm", "true");
    HAS(ran(spec).out, "named-host-");
    spec = spec_for("other", "hostname", NULL);
    set(spec, "rm", "true");
    set(spec, "hostname", "given");
    SAME(ran(spec).out, "given\n");
}

static void C13_entrypoint_command_env_workdir_and_user_come_from_the_image(void **s)
{
    struct dray_spec *spec = keep_spec(dray_spec_new(conf));
    set(spec, "rm", "true");
    SAME(ran(spec).out, "entry cmd\n");
    add(spec, "args", "mine");
    SAME(ran(spec).out, "entry mine\n");
    spec = keep_spec(dray_spec_new(conf));
    set(spec, "rm", "true");
    add(spec, "entrypoint", "sh");
    add(spec, "env", "SHARED=mine");
    add(spec, "args", "-c");
    add(spec, "args", "id -u; pwd; echo $FROM_IMAGE $SHARED");
    SAME(ran(spec).out, "1000\n/made/by/dray\nyes mine\n");
}

static void C13_the_spec_wins_over_the_image(void **s)
{
    struct dray_spec *spec = keep_spec(dray_spec_new(conf));
    set(spec, "rm", "true");
    set(spec, "user", "svc");
    set(spec, "workdir", "/tmp");
    set(spec, "entrypoint", "");
    add(spec, "args", "sh");
    add(spec, "args", "-c");
    add(spec, "args", "id -u; id -g; pwd");
    SAME(ran(spec).out, "1001\n50\n/tmp\n");
}

/* --- C14 --- */

static void C14_layers_are_applied_base_first_with_whiteouts_and_metadata(void **s)
{
    pull(image("layers:1"));
    struct dray_spec *spec = keep_spec(dray_spec_new(image("layers:1")));
    set(spec, "name", "layered");
    add(spec, "args", "/anything");
    created(spec);
    /* no shell in this image: its tree is looked at through stat_path */
    struct dray_path_stat stat;
    OK(dray_container_stat_path(target, "layered", "/dir/file", false, NULL, &stat, ERR));
    SAME(stat.name, "file");
    assert_int_equal(stat.mode & 0170000, 0100000);
    dray_path_stat_release(&stat);
    static const char *const gone[] = {"/gone-file", "/gone-dir/a", "/opaque/old-1"};
    for (size_t i = 0; i < sizeof gone / sizeof gone[0]; i++)
        FAILS(DRAY_ERR_NOT_FOUND, dray_container_stat_path(target, "layered", gone[i],
                                                           false, NULL, &stat, ERR));
    OK(dray_container_stat_path(target, "layered", "/link-up", false, NULL, &stat, ERR));
    SAME(stat.link_target, "../../../etc/passwd");
    dray_path_stat_release(&stat);
}

static void C14_a_layer_is_unpacked_once_and_shared_never_copied(void **s)
{
    char *layers = shell(NULL, "ls '%s/layers'", root);
    created(spec_for("first", "true", NULL));
    int64_t before = atoll(shell(NULL, "sync; du -s --block-size=1 '%s'", root));
    created(spec_for("second", "true", NULL));
    int64_t after = atoll(shell(NULL, "sync; du -s --block-size=1 '%s'", root));
    SAME(shell(NULL, "ls '%s/layers'", root), layers);
    assert_true(after - before < 200000); /* busybox alone has two megabytes */
}

static void C14_containers_do_not_see_each_other_s_writes(void **s)
{
    struct dray_spec *writer = spec_sh("writer", "echo x >/etc/passwd; rm /bin/ls");
    assert_int_equal(ran(writer).code, 0);
    struct result result = ran_sh("grep -c app /etc/passwd; ls /bin/ls");
    SAME(result.out, "1\n/bin/ls\n");
}

/* --- C15 --- */

static void C15_a_name_in_use_is_exists_and_the_other_one_is_untouched(void **s)
{
    char id[DRAY_ID_SIZE], *first = sleeper("twin");
    int64_t pid = pid_of("twin");
    struct dray_spec *spec = spec_for("twin", "true", NULL);
    FAILS(DRAY_ERR_EXISTS, dray_container_create(target, spec, NULL, id, NULL, ERR),
          "twin");
    FAILS(DRAY_ERR_EXISTS, dray_container_run_detached(target, spec, NULL, id, NULL, ERR),
          "twin");
    SAME(str_at(inspected("twin"), "Id"), first);
    assert_int_equal(pid_of("twin"), pid);
    SAME(names(), "twin");
}

static void C15_an_image_that_is_not_there_is_not_found_and_nothing_is_left(void **s)
{
    char id[DRAY_ID_SIZE];
    struct dray_spec *spec = keep_spec(dray_spec_new(image("not-pulled:1")));
    set(spec, "name", "none");
    FAILS(DRAY_ERR_NOT_FOUND, dray_container_create(target, spec, NULL, id, NULL, ERR),
          "not-pulled:1");
    SAME(names(), "");
}

/* Each of these fails at another step of create: nothing of the container may stay. */
static void C15_a_create_that_fails_leaves_nothing_from_any_step(void **s)
{
    static const struct {
        const char *field, *value;
    } bad[] = {
        {"user", "no-such-user"},
        {"workdir", "/proc/self/fd/7"},
        {"volume", "/no\\such:relative"},
        {"sysctl", "kernel.hostname=x"},
        {"device", "/dev/no-such-device"},
        {"network", "no-such-network"},
        {"security_opt", "seccomp=/no/such/file"},
    };
    char id[DRAY_ID_SIZE];
    char *before = baseline();
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct dray_spec *spec = spec_for("failing", "true", NULL);
        const char *field = bad[i].field;
        add(spec, "volume", "/anonymous");
        int result = strcmp(field, "user") == 0 || strcmp(field, "workdir") == 0 ||
                             strcmp(field, "network") == 0
                         ? dray_spec_set(spec, field, bad[i].value, ERR)
                         : dray_spec_add(spec, field, bad[i].value, ERR);
        if (result == 0)
            result = dray_container_create(target, spec, NULL, id, NULL, ERR);
        if (result == 0) { /* an error of start then, with --rm's promise */
            result = dray_container_start(target, "failing", NULL, ERR);
            OK(dray_container_remove(target, "failing", true, true, NULL,
                                     &(struct dray_error *){NULL}));
        }
        if (result == 0)
            fail_msg("%s=%s was accepted", field, bad[i].value);
        SAME(names(), "");
        expect_baseline(before);
    }
}

static void C15_a_place_that_cannot_be_written_rolls_back_to_nothing(void **s)
{
    static const char *const places[] = {"bundle_root", "log_root"};
    char id[DRAY_ID_SIZE], *before = baseline();
    for (int i = 0; i < 2; i++) {
        struct dray_open_options options = same_target();
        char *file = text("%s/file", scratch());
        spill(file, "a file, no directory", 0600);
        if (i == 0)
            options.bundle_root = file;
        else
            options.log_root = file;
        struct dray_target *other;
        struct dray_spec *spec = spec_for("unplaced", "true", NULL);
        add(spec, "volume", "/anonymous");
        /* seen when it is opened, made or started: an error with the place's name */
        int result = dray_open(&options, &other, ERR);
        if (result == 0)
            result = dray_container_run_detached(other, spec, NULL, id, NULL, ERR);
        if (result == 0)
            fail_msg("%s was not needed", places[i]);
        HAS(last_error->text, file);
        if (last_error->kind != DRAY_ERR_CONFIG)
            dray_close(other);
        SAME(names(), "");
    }
    expect_baseline(before);
}

/* --- C16 --- */

static void C16_config_json_has_docker_s_defaults(void **s)
{
    static const char *const caps[] = {
        "CAP_CHOWN",       "CAP_DAC_OVERRIDE",     "CAP_FSETID", "CAP_FOWNER",
        "CAP_MKNOD",       "CAP_NET_RAW",          "CAP_SETGID", "CAP_SETUID",
        "CAP_SETFCAP",     "CAP_SETPCAP",          "CAP_KILL",   "CAP_SYS_CHROOT",
        "CAP_AUDIT_WRITE", "CAP_NET_BIND_SERVICE",
    };
    char *id = created(spec_for("defaults", "true", NULL));
    json_t *config = bundle_config("defaults");
    HAS(str_at(config, "ociVersion"), "1.");
    for (size_t i = 0; i < 14; i++)
        assert_true(has_text(at(config, "process.capabilities.bounding"), caps[i]));
    assert_int_equal(json_array_size(at(config, "process.capabilities.bounding")), 14);
    assert_true(has_text(at(config, "linux.maskedPaths"), "/proc/kcore"));
    assert_true(has_text(at(config, "linux.readonlyPaths"), "/proc/sys"));
    SAME(str_at(config, "linux.seccomp.defaultAction"), "SCMP_ACT_ERRNO");
    SAME(str_at(config, "linux.cgroupsPath"), text("/dray/%s", id));
    static const char *const namespaces[] = {"pid",   "ipc",     "uts",
                                             "mount", "network", "cgroup"};
    for (size_t i = 0; i < 6; i++)
        assert_non_null(member(at(config, "linux.namespaces"), "type", namespaces[i]));
    static const char *const mounted[] = {
        "/proc", "/dev", "/sys", "/etc/resolv.conf", "/etc/hosts", "/etc/hostname"};
    for (size_t i = 0; i < 6; i++)
        assert_non_null(member(at(config, "mounts"), "destination", mounted[i]));
}

static void C16_the_kernel_has_what_the_config_says(void **s)
{
    struct result result =
        ran_sh("grep -E 'CapBnd|Seccomp:|NoNewPrivs' /proc/self/status; "
               "cat /proc/kcore | head -c 1 | wc -c; "
               "echo x >/proc/sys/kernel/domainname || echo read-only");
    HAS(result.out, "CapBnd:\t00000000a80425fb");
    HAS(result.out, "Seccomp:\t2");
    HAS(result.out, "\n0\n");
    HAS(result.out, "read-only");
}

static void C16_named_users_are_those_of_the_image_never_silently_root(void **s)
{
    struct dray_spec *spec = spec_sh(NULL, "id -u; id -g; id -G");
    set(spec, "rm", "true");
    set(spec, "user", "svc");
    SAME(ran(spec).out, "1001\n50\n50 60\n");
    set(spec, "user", "app:staff");
    HAS(ran(spec).out, "1000\n50\n");
    set(spec, "user", "4242:4243");
    HAS(ran(spec).out, "4242\n4243\n");
    struct dray_stream *stream;
    set(spec, "user", "nobody-here");
    int result = dray_container_run(target, spec, NULL, NULL, &stream, ERR);
    if (result == 0) {
        struct dray_event event;
        while ((result = dray_stream_next(stream, NULL, &event, ERR)) > 0)
            assert_int_not_equal(event.type, DRAY_EVENT_STARTED);
        dray_stream_free(stream);
    }
    assert_int_equal(result, -1);
    HAS(last_error->text, "nobody-here");
}

static void C16_resolv_conf_hosts_and_hostname_are_there(void **s)
{
    struct dray_spec *spec = spec_sh(NULL, "cat /etc/hostname; grep -c localhost "
                                           "/etc/hosts; grep -c web /etc/hosts; "
                                           "test -f /etc/resolv.conf && echo resolv");
    set(spec, "rm", "true");
    set(spec, "hostname", "web");
    struct result result = ran(spec);
    HAS(result.out, "web\n");
    HAS(result.out, "resolv\n");
    LACKS(result.out, "\n0\n");
}

static void C16_limits_are_in_the_container_s_own_cgroup(void **s)
{
    struct dray_spec *spec = spec_for("limited", "sleep", "1000", NULL);
    set(spec, "memory", "64m");
    set(spec, "pids_limit", "17");
    set(spec, "cpus", "0.5");
    char *id = started(spec);
    char *found = shell(NULL,
                        "cat $(find /sys/fs/cgroup -path '*dray/%s*' -name "
                        "memory.limit_in_bytes -o -path '*dray/%s*' -name memory.max "
                        "-o -path '*dray/%s*' -name pids.max) | sort -u | tr '\\n' ' '",
                        id, id, id);
    HAS(found, "67108864");
    HAS(found, "17");
}

static void C16_a_container_sees_three_descriptors_and_its_own_processes(void **s)
{
    SAME(ran_sh("ls /proc/self/fd | tr '\\n' ' '; set -- /proc/[0-9]*; echo $#").out,
         "0 1 2 3 1\n"); /* 3 is ls' own directory */
}

TESTS(create_tests, TEST(C13_the_bundle_is_at_its_place_with_rootfs_and_config),
      TEST(C13_an_image_s_id_counts_more_than_who_has_its_name),
      TEST(C13_the_hostname_is_the_slug_unless_given),
      TEST(C13_entrypoint_command_env_workdir_and_user_come_from_the_image),
      TEST(C13_the_spec_wins_over_the_image),
      TEST(C14_layers_are_applied_base_first_with_whiteouts_and_metadata),
      ANY_RUNTIME(C14_a_layer_is_unpacked_once_and_shared_never_copied),
      TEST(C14_containers_do_not_see_each_other_s_writes),
      ANY_RUNTIME(C15_a_name_in_use_is_exists_and_the_other_one_is_untouched),
      ANY_RUNTIME(C15_an_image_that_is_not_there_is_not_found_and_nothing_is_left),
      TEST(C15_a_create_that_fails_leaves_nothing_from_any_step),
      ANY_RUNTIME(C15_a_place_that_cannot_be_written_rolls_back_to_nothing),
      TEST(C16_config_json_has_docker_s_defaults),
      TEST(C16_the_kernel_has_what_the_config_says),
      TEST(C16_named_users_are_those_of_the_image_never_silently_root),
      TEST(C16_resolv_conf_hosts_and_hostname_are_there),
      TEST(C16_limits_are_in_the_container_s_own_cgroup),
      TEST(C16_a_container_sees_three_descriptors_and_its_own_processes));
