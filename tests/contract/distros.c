/* SPDX-License-Identifier: Apache-2.0 */
/* C04: distros of dray's own, with a stand-in for wsl.exe (tests/e2e/lib/wsl.bash). */
#include "contract.h"

/* Functions of the suites' shell libraries, with a directory of their own. */
static char *in_bash(const char *place, const char *words)
{
    int status;
    char *out =
        shell(&status,
              "E2E='%s' E2E_LIB='%s' bash -ec 'bats_require_minimum_version() { :; "
              "}; . \"$E2E_LIB/common.bash\"; . \"$E2E_LIB/wsl.bash\"; %s' 2>&1",
              place, getenv("CONTRACT_LIB"), words);
    if (status != 0)
        fail_msg("%s: %s", words, out);
    return out;
}

struct wsl {
    char *place, *path;
};

static void stop_wsl(void *arg)
{
    struct wsl *wsl = arg;
    in_bash(wsl->place, "wsl_stop");
    setenv("PATH", wsl->path, 1);
    unsetenv("WSL_TWIN_PORT");
    unsetenv("XDG_CONFIG_HOME");
    unsetenv("XDG_DATA_HOME");
    free(wsl->path);
    free(wsl);
}

/* Its directory, in which wsl/root.tar is a root file system with crun. */
static char *start_wsl(void)
{
    struct wsl *wsl = malloc(sizeof *wsl);
    wsl->place = scratch();
    wsl->path = strdup(getenv("PATH"));
    char *port = in_bash(wsl->place, "wsl_start 1 >/dev/null; echo $WSL_TWIN_PORT");
    port[strcspn(port, "\n")] = '\0';
    defer(stop_wsl, wsl);
    setenv("WSL_TWIN_PORT", port, 1);
    setenv("PATH", text("%s/wsl/bin:%s", wsl->place, wsl->path), 1);
    setenv("XDG_CONFIG_HOME", text("%s/config", wsl->place), 1);
    setenv("XDG_DATA_HOME", text("%s/data", wsl->place), 1);
    return wsl->place;
}

static char *distros(void)
{
    return shell(NULL, "WSL_UTF8=1 wsl.exe --list --all --quiet | tr -d '\\r'");
}

static void hello_runs_on(const char *name)
{
    struct dray_target *there;
    struct dray_stream *stream;
    const struct dray_open_options options = {.size = sizeof options, .target = name};
    OK(dray_open(&options, &there, ERR));
    keep_target(there);
    OK(dray_image_pull(there, "hello", NULL, NULL, NULL, ERR));
    struct dray_spec *spec = keep_spec(dray_spec_new("hello"));
    OK(dray_container_run(there, spec, NULL, NULL, &stream, ERR));
    struct result result = drained(stream);
    assert_int_equal(result.code, 0);
    HAS(result.out, "Hello");
    OK(dray_container_remove(there, result.id, false, true, NULL, ERR));
}

static void C04_a_distro_can_be_bootstrapped_from_a_tarball_or_an_image(void **s)
{
    SKIP_SANITIZED("the helper is not static, and finds no libraries in a distro");
    char *place = start_wsl(), *json;
    char *layout = text("%s/layout", place), *tarball = text("%s/wsl/root.tar", place);
    struct dray_distro_options options = {.size = sizeof options, .from = tarball};
    SAME(distros(), "dray");

    OK(dray_distro_create("from-tar", &options, NULL, &json, ERR));
    json_t *made = parsed(json);
    SAME(str_at(made, "url"), "wsl://from-tar");
    SAME(str_at(made, "dir"), text("%s/data/dray/distros/from-tar", place));
    SAME(str_at(made, "runtime.name"), "crun");
    hello_runs_on("from-tar");

    shell(NULL,
          "umoci init --layout '%s' && umoci new --image '%s:1' && umoci raw add-layer "
          "--image '%s:1' '%s'",
          layout, layout, layout, tarball);
    options.from = text("oci:%s:1", layout);
    OK(dray_distro_create("from-image", &options, NULL, NULL, ERR));
    hello_runs_on("from-image");
    SAME(distros(), "dray\nfrom-tar\nfrom-image");

    /* nothing half-made, and nothing of anybody else's */
    options.from = busybox;
    FAILS(DRAY_ERR_CONFIG, dray_distro_create("third", &options, NULL, NULL, ERR),
          "no OCI runtime", "runtime-file");
    FAILS(DRAY_ERR_EXISTS, dray_distro_create("dray", &options, NULL, NULL, ERR),
          "a distro dray is there already");
    OK(dray_distro_unregister("from-tar", NULL, ERR));
    OK(dray_distro_unregister("from-image", NULL, ERR));
    const struct dray_target_settings other = {
        .size = sizeof other, .name = "other", .url = "wsl://dray"};
    OK(dray_target_add(&other, ERR));
    FAILS(DRAY_ERR_CONFLICT, dray_distro_unregister("other", NULL, ERR),
          "not made by dray", "wsl --unregister dray");
    SAME(distros(), "dray");
    SAME(shell(NULL, "cd '%s/data/dray/distros' && ls -A . .making", place),
         ".:\n.making\n\n.making:");
}

TESTS(distro_tests,
      ANY_RUNTIME(C04_a_distro_can_be_bootstrapped_from_a_tarball_or_an_image));
