/* SPDX-License-Identifier: Apache-2.0 */
/* C01 to C03: a target, its settings, and the two ways in which it cannot be had. */
#include "contract.h"

#include <sys/mount.h>
#include <unistd.h>

/* --- C01 --- */

static void
C01_root_run_root_bundle_root_and_log_root_are_settings_and_nothing_is_elsewhere(void **s)
{
    char *place = scratch(), *json;
    struct dray_open_options options = same_target();
    options.target = "local:";
    options.root = text("%s/root", place);
    options.run_root = text("%s/run", place);
    options.bundle_root = text("%s/bundles-here", place);
    options.log_root = text("%s/logs-here", place);
    struct dray_target *other = opened(&options);
    OK(dray_info(other, NULL, &json, ERR));
    json_t *info = parsed(json);
    SAME(str_at(info, "root"), options.root);
    SAME(str_at(info, "run_root"), options.run_root);
    SAME(str_at(info, "bundle_root"), options.bundle_root);
    SAME(str_at(info, "log_root"), options.log_root);

    OK(dray_image_pull(other, "hello", NULL, NULL, NULL, ERR));
    struct dray_spec *spec = keep_spec(dray_spec_new("hello"));
    struct dray_stream *stream;
    set(spec, "name", "placed");
    OK(dray_container_run(other, spec, NULL, NULL, &stream, ERR));
    assert_int_equal(drained(stream).code, 0);
    assert_true(exists(text("%s/placed/config.json", options.bundle_root)));
    assert_true(exists(text("%s/placed.log", options.log_root)));
    assert_false(exists(text("%s/bundles/placed", options.root)));
    assert_false(exists(text("%s/logs/placed.log", options.root)));
    SAME(names(), ""); /* not in the root beside it */
    OK(dray_container_remove(other, "placed", false, true, NULL, ERR));
    assert_false(exists(text("%s/placed", options.bundle_root)));
    assert_false(exists(text("%s/placed.log", options.log_root)));
}

static void C01_bundles_and_logs_are_below_the_root_by_default(void **s)
{
    char *json;
    OK(dray_info(target, NULL, &json, ERR));
    json_t *info = parsed(json);
    SAME(str_at(info, "bundle_root"), text("%s/bundles", root));
    SAME(str_at(info, "log_root"), text("%s/logs", root));
}

static void C01_the_defaults_are_var_lib_dray_and_run_dray(void **s)
{
    if (strcmp(getenv("CONTRACT_SANDBOX"), "sandboxed") != 0)
        SKIP("writes to /var/lib and /run: only in the sandbox");
    char *printed = shell(NULL,
                          "unshare -m sh -c 'mount -t tmpfs t /var/lib && mount -t tmpfs "
                          "t /run && CONTRACT_DEFAULTS=1 HOME=/run exec \"%s\" --open'",
                          getenv("CONTRACT"));
    json_t *info = parsed(strdup(printed));
    SAME(str_at(info, "root"), "/var/lib/dray");
    SAME(str_at(info, "run_root"), "/run/dray");
    SAME(str_at(info, "bundle_root"), "/var/lib/dray/bundles");
    SAME(str_at(info, "log_root"), "/var/lib/dray/logs");
}

static void C01_a_place_that_is_not_absolute_is_misconfigured(void **s)
{
    struct dray_target *other;
    struct dray_open_options options = same_target();
    options.root = "relative/place";
    FAILS(DRAY_ERR_CONFIG, dray_open(&options, &other, ERR), "relative/place");
    options = same_target();
    options.log_root = "logs";
    FAILS(DRAY_ERR_CONFIG, dray_open(&options, &other, ERR), "logs");
}

static void C01_options_of_older_and_newer_callers_are_understood(void **s)
{
    struct {
        struct dray_open_options known;
        const char *unknown;
    } options = {same_target(), NULL};
    struct dray_target *other;
    /* one that was compiled before there was a cache_dir */
    options.known.size = offsetof(struct dray_open_options, cache_dir);
    options.known.cache_dir = "not looked at";
    OK(dray_open(&options.known, &other, ERR));
    dray_close(other);
    /* one that knows more, and uses it or not */
    options.known = same_target();
    options.known.size = sizeof options;
    OK(dray_open(&options.known, &other, ERR));
    dray_close(other);
    options.unknown = "asked for";
    FAILS(DRAY_ERR_UNSUPPORTED, dray_open(&options.known, &other, ERR), "newer");
}

/* --- C02 --- */

static void
C02_a_target_that_cannot_be_reached_is_unavailable_with_its_own_words(void **s)
{
    /* what a broken connection does: words of the transport, and the end. The helper is
     * started by its content-addressed path: something else is put there. */
    char *place = scratch();
    struct dray_open_options options = same_target();
    struct dray_target *other;
    shell(NULL,
          "cp -r '%s/bin' '%s/bin' && for f in '%s'/bin/*/*; do printf "
          "'#!/bin/sh\\necho connect to host: No route to host\\nexit 255\\n' >\"$f\"; "
          "done",
          root, place, place);
    options.root = place;
    FAILS(DRAY_ERR_UNAVAILABLE, dray_open(&options, &other, ERR), "No route to host");
    assert_int_equal(last_error->origin, DRAY_AT_TRANSPORT);
}

static void C02_a_lazy_open_tells_at_the_first_call_that_needs_it(void **s)
{
    struct dray_open_options options = same_target();
    struct dray_target *other;
    char id[DRAY_ID_SIZE];
    options.runtime = "/no/such/runtime";
    OK(dray_open_lazy(&options, &other, ERR));
    keep_target(other);
    FAILS(DRAY_ERR_CONFIG,
          dray_container_run_detached(other, spec_for("unmade", "true", NULL), NULL, id,
                                      NULL, ERR),
          "/no/such/runtime");
    SAME(names(), "");
}

static void C02_a_kind_of_target_that_is_not_there_is_refused_by_name(void **s)
{
    struct dray_open_options options = same_target();
    struct dray_target *other;
    options.target = "nosuch://x";
    FAILS(DRAY_ERR_UNSUPPORTED, dray_open(&options, &other, ERR), "nosuch://x");
}

static void C01_a_named_target_has_the_settings_of_config_yaml(void **s)
{
    char *place = scratch(), *json;
    struct dray_target *other;
    struct dray_open_options options = DRAY_INIT(struct dray_open_options);
    setenv("XDG_CONFIG_HOME", place, 1);
    struct dray_target_settings settings = {.size = sizeof settings,
                                            .name = "named",
                                            .url = "exec://env",
                                            .root = text("%s/root", place),
                                            .run_root = text("%s/run", place),
                                            .runtime = runtime_path};
    OK(dray_target_add(&settings, ERR));
    FAILS(DRAY_ERR_EXISTS, dray_target_add(&settings, ERR), "named");
    OK(dray_target_use("named", ERR));
    OK(dray_target_current(&json, ERR));
    SAME(json, "named");
    dray_free(json);
    options.target = "named";
    other = opened(&options);
    OK(dray_info(other, NULL, &json, ERR));
    json_t *info = parsed(json);
    SAME(str_at(info, "root"), settings.root);
    SAME(str_at(info, "run_root"), settings.run_root);
    SAME(str_at(info, "runtime.path"), runtime_path);
    assert_int_equal(dray_spawn_count(other), 1); /* that brought the helper, too */
    options.target = "nmaed";
    FAILS(DRAY_ERR_CONFIG, dray_open(&options, &other, ERR), "nmaed", "named");
    OK(dray_target_forget("named", ERR));
    FAILS(DRAY_ERR_NOT_FOUND, dray_target_forget("named", ERR), "named");
    unsetenv("XDG_CONFIG_HOME");
}

static void C02_a_far_side_is_unavailable_or_misconfigured_with_its_own_words(void **s)
{
    static const struct {
        const char *target;
        enum dray_kind kind;
        const char *words;
    } cases[] = {
        {"exec://sh -c echo%20no%20route;exit%201", DRAY_ERR_UNAVAILABLE, "no route"},
        {"exec://no-such-program-here", DRAY_ERR_CONFIG, "no-such-program-here"},
        {"exec://script -qc sh /dev/null", DRAY_ERR_UNAVAILABLE, "script"},
        {"ssh://-oProxyCommand=id", DRAY_ERR_CONFIG, "begin with '-'"},
        {"ssh://127.0.0.1:1", DRAY_ERR_UNAVAILABLE, "127.0.0.1"},
        {"no-such-name", DRAY_ERR_CONFIG, "no-such-name"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct dray_open_options options = same_target();
        struct dray_target *other;
        options.target = cases[i].target;
        FAILS(cases[i].kind, dray_open(&options, &other, ERR), cases[i].words);
    }
}

static void C02_not_root_is_misconfigured_and_says_what_to_do(void **s)
{
    int status;
    char *place = scratch();
    shell(NULL, "chmod 755 '%s' '%s' && cp '%s' '%s/contract'", dir, place,
          getenv("CONTRACT"), place);
    char *printed = shell(&status,
                          "CONTRACT_DIR='%s' setpriv --reuid 65534 --regid 65534 "
                          "--clear-groups '%s/contract' --open",
                          place, place);
    HAS(printed, "root");
    HAS(printed, "sudo");
    assert_int_equal(status, DRAY_ERR_CONFIG);
}

static void C02_one_handle_is_one_process_over_there(void **s)
{
    struct dray_open_options options = same_target();
    struct dray_target *other = opened(&options);
    char *json;
    for (int i = 0; i < 5; i++) {
        OK(dray_info(other, NULL, &json, ERR));
        dray_free(json);
    }
    assert_int_equal(dray_spawn_count(other), 1);
    OK(dray_hello(other, &json, ERR));
    json_t *hello = parsed(json);
    assert_true(int_at(hello, "pid") > 0);
    SAME(str_at(hello, "os"), "linux");
    SAME(str_at(hello, "boot_id"), shell(NULL, "cat /proc/sys/kernel/random/boot_id"));
}

/* --- C03 --- */

static void C03_an_explicit_runtime_is_verified_and_used_verbatim(void **s)
{
    struct dray_open_options options = same_target();
    struct dray_target *other;
    char *json;
    options.runtime = text("%s/my-%s", scratch(), strrchr(runtime_path, '/') + 1);
    FAILS(DRAY_ERR_CONFIG, dray_open(&options, &other, ERR), options.runtime);
    spill(options.runtime, "no program\n", 0644);
    FAILS(DRAY_ERR_CONFIG, dray_open(&options, &other, ERR), options.runtime,
          "executable");
    unlink(options.runtime);
    assert_int_equal(symlink(runtime_path, options.runtime), 0);
    other = opened(&options);
    OK(dray_info(other, NULL, &json, ERR));
    SAME(str_at(parsed(json), "runtime.path"), options.runtime);
}

static void C03_a_runtime_that_is_a_directory_is_refused(void **s)
{
    struct dray_open_options options = same_target();
    struct dray_target *other;
    options.runtime = "/etc";
    FAILS(DRAY_ERR_CONFIG, dray_open(&options, &other, ERR), "/etc");
}

static void C03_a_runtime_by_name_is_looked_up(void **s)
{
    struct dray_open_options options = same_target();
    struct dray_target *other;
    options.runtime = "no-such-runtime";
    FAILS(DRAY_ERR_CONFIG, dray_open(&options, &other, ERR), "no-such-runtime",
          "install");
}

/* What is opened where only these of the runtimes can be found on the guest's PATH. */
static char *open_where_only(const char *runtimes, int *ret_status)
{
    char *place = scratch();
    return shell(
        ret_status,
        "cd '%s' && unshare -m sh -c '"
        "mkdir found; for n in %s; do cp \"%s\" found/$n; done; "
        "for d in /usr/local/sbin /usr/local/bin /usr/sbin /usr/bin; do for n in "
        "youki crun runc; do [ ! -e $d/$n ] || { cp /dev/null none; chmod 644 "
        "none; mount --bind none \"$(realpath $d/$n)\"; }; done; done; "
        "mount --bind found /usr/local/sbin; "
        "unset DRAY_RUNTIME; CONTRACT_DIR=\"%s\" exec \"%s\" --open'",
        place, runtimes, runtime_path, place, getenv("CONTRACT"));
}

static void C03_without_one_youki_then_crun_then_runc_is_taken(void **s)
{
    static const char *const found[][2] = {
        {"runc crun youki", "youki"}, {"runc crun", "crun"}, {"runc", "runc"}};
    for (size_t i = 0; i < 3; i++) {
        json_t *info = parsed(strdup(open_where_only(found[i][0], NULL)));
        SAME(str_at(info, "runtime.name"), found[i][1]);
        SAME(str_at(info, "runtime.path"), text("/usr/local/sbin/%s", found[i][1]));
    }
}

static void C03_none_found_is_misconfigured_with_the_command_that_installs_one(void **s)
{
    int status;
    char *printed = open_where_only("", &status);
    HAS(printed, "apt-get install crun");
    assert_int_equal(status, DRAY_ERR_CONFIG);
}

TESTS(
    target_tests,
    ANY_RUNTIME(
        C01_root_run_root_bundle_root_and_log_root_are_settings_and_nothing_is_elsewhere),
    ANY_RUNTIME(C01_bundles_and_logs_are_below_the_root_by_default),
    ANY_RUNTIME(C01_the_defaults_are_var_lib_dray_and_run_dray),
    ANY_RUNTIME(C01_a_place_that_is_not_absolute_is_misconfigured),
    ANY_RUNTIME(C01_options_of_older_and_newer_callers_are_understood),
    ANY_RUNTIME(C02_a_target_that_cannot_be_reached_is_unavailable_with_its_own_words),
    ANY_RUNTIME(C02_a_lazy_open_tells_at_the_first_call_that_needs_it),
    ANY_RUNTIME(C02_a_kind_of_target_that_is_not_there_is_refused_by_name),
    ANY_RUNTIME(C01_a_named_target_has_the_settings_of_config_yaml),
    ANY_RUNTIME(C02_a_far_side_is_unavailable_or_misconfigured_with_its_own_words),
    ANY_RUNTIME(C02_not_root_is_misconfigured_and_says_what_to_do),
    ANY_RUNTIME(C02_one_handle_is_one_process_over_there),
    TEST(C03_an_explicit_runtime_is_verified_and_used_verbatim),
    TEST(C03_a_runtime_that_is_a_directory_is_refused),
    TEST(C03_a_runtime_by_name_is_looked_up),
    TEST(C03_without_one_youki_then_crun_then_runc_is_taken),
    TEST(C03_none_found_is_misconfigured_with_the_command_that_installs_one));
