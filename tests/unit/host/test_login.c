/* SPDX-License-Identifier: Apache-2.0 */
/* C08: logins are asked for, kept where Docker and Podman keep them, and forgotten. */
#include "registry/fixture.h"

#include "base/json.h"
#include "dray.h"
#include "host/registries.h"

#define REFRESH "refresh-token-of-ann"
#define FILE_NAME "config.json"

/* Nobody's files but the test's. */
static int login_setup(void **state)
{
    setup(state);
    struct fixture *f = *state;
    dr_auto_free char *xdg = in_dir(f, "xdg"), *run = in_dir(f, "run");
    unsetenv("REGISTRY_AUTH_FILE");
    setenv("HOME", f->dir, 1);
    setenv("DOCKER_CONFIG", f->dir, 1);
    setenv("XDG_CONFIG_HOME", xdg, 1);
    setenv("XDG_RUNTIME_DIR", run, 1);
    return 0;
}

static char *registry_name(const struct fixture *f)
{
    return dr_printf("127.0.0.1:%d", f->port);
}

static int login(struct fixture *f, const char *user, const char *password,
                 json_t **ret_reply, struct dray_error **ret_err)
{
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    dr_auto_free char *name = registry_name(f);
    struct dray_registry_options options = {
        .size = sizeof options, .user = user, .password = password};
    char *text = NULL;
    int rc = dray_registry_login(name, &options, NULL, &text, ret_err);
    if (rc == 0 && ret_reply)
        *ret_reply = dr_json_parse(text, strlen(text), 1 << 20, &err);
    free(text);
    return rc;
}

static json_t *kept(struct fixture *f, const char *file)
{
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    dr_auto_free char *path = in_dir(f, file), *text = read_all(path);
    return dr_json_parse(text, strlen(text), 1 << 20, &err);
}

static const json_t *entry_of(const json_t *doc, const char *key)
{
    return json_object_get(dr_json_object(doc, "auths"), key);
}

static void assert_refused(struct dray_error *err, enum dray_kind kind, int code,
                           const char *part)
{
    assert_non_null(err);
    if (err->kind != kind || !strstr(err->text, part))
        fail_msg("%s: %s", dray_kind_name(err->kind), err->text);
    assert_int_equal(err->code, code);
    dray_error_free(err);
}

static void a_login_is_kept_with_all_else_of_the_file_C08(void **state)
{
    struct fixture *f = *state;
    dr_auto_free char *path = in_dir(f, FILE_NAME), *link = in_dir(f, "real.json");
    start_registry(f, "--auth", "basic", "--user", "ann", "--password", "s:3", NULL);
    dr_auto_free char *name = registry_name(f);
    dr_auto_free char *old = dr_printf(
        "{\"HttpHeaders\":{\"a\":\"b\"},\"auths\":{\"other.io\":{\"auth\":\"eDp5\"},"
        "\"https://%s/v1/"
        "\":{\"auth\":\"eDp5\"},\"%s\":{\"auth\":\"eDp5\",\"email\":\"e\"}},"
        "\"psFormat\":\"x\"}",
        name, name);
    write_all(link, old);
    chmod(link, 0644);
    assert_int_equal(symlink("real.json", path), 0);
    dr_auto_json json_t *reply = NULL;
    struct dray_error *err = NULL;
    if (login(f, "ann", "s:3", &reply, &err) < 0)
        fail_msg("%s", err->text);
    assert_string_equal(dr_json_str(reply, "user"), "ann");
    assert_string_equal(dr_json_str(reply, "file"), path);
    dr_auto_json json_t *doc = kept(f, "real.json");
    assert_string_equal(dr_json_str(entry_of(doc, name), "auth"), "YW5uOnM6Mw==");
    assert_string_equal(dr_json_str(entry_of(doc, name), "email"), "e");
    assert_int_equal(json_object_size(dr_json_object(doc, "auths")), 2);
    assert_non_null(entry_of(doc, "other.io"));
    assert_string_equal(dr_json_str(dr_json_object(doc, "HttpHeaders"), "a"), "b");
    assert_string_equal(dr_json_str(doc, "psFormat"), "x");
    struct stat st;
    assert_int_equal(lstat(path, &st), 0);
    assert_true(S_ISLNK(st.st_mode));
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    /* and it is of use: without a user, those that are kept are asked about */
    assert_int_equal(login(f, NULL, NULL, NULL, &err), 0);
}

static void a_login_that_is_refused_changes_nothing_C08(void **state)
{
    struct fixture *f = *state;
    static const char *const kinds[] = {"basic", "token"};
    dr_auto_free char *path = in_dir(f, FILE_NAME);
    for (size_t i = 0; i < DR_COUNT(kinds); i++) {
        struct dray_error *err = NULL;
        start_registry(f, "--auth", kinds[i], "--user", "ann", "--password", "right",
                       NULL);
        assert_int_equal(login(f, "ann", "wrong-secret", NULL, &err), -1);
        assert_null(strstr(err->text, "wrong-secret"));
        assert_refused(err, DRAY_ERR_PULL, 401,
                       "refuses the user name and password (401) [UNAUTHORIZED: ");
        assert_int_equal(access(path, F_OK), -1);
        assert_int_equal(login(f, NULL, NULL, NULL, &err), -1);
        assert_refused(err, DRAY_ERR_NOT_FOUND, 0, "there are no credentials for 127");
    }
}

static void count_retry(void *arg, const struct dray_progress *step)
{
    int *retries = arg;
    assert_int_equal(step->what, DRAY_PROGRESS_RETRY);
    assert_non_null(strstr(step->why, "503"));
    assert_true(step->wait_ms > 0);
    ++*retries;
}

static void a_login_and_a_search_tell_that_they_try_again(void **state)
{
    struct fixture *f = *state;
    struct dray_error *err = NULL;
    int retries = 0;
    start_registry(f, "--fault", "status=503@1", "--auth", "basic", "--user", "ann",
                   "--password", "pw", NULL);
    struct dray_registry_options options = {.size = sizeof options,
                                            .user = "ann",
                                            .password = "pw",
                                            .progress = count_retry,
                                            .progress_arg = &retries};
    dr_auto_free char *name = registry_name(f), *term = dr_printf("%s/app", name);
    if (dray_registry_login(name, &options, NULL, NULL, &err) < 0)
        fail_msg("%s", err->text);
    assert_int_equal(retries, 1);
    char *text = NULL;
    assert_int_equal(dray_registry_search(term, 0, &options, NULL, &text, &err), -1);
    assert_refused(err, DRAY_ERR_UNSUPPORTED, 404, "the registry has no search");
    assert_int_equal(retries, 3); /* a search, and a list */
}

static void a_refresh_token_is_kept_instead_of_the_password_C08(void **state)
{
    struct fixture *f = *state;
    struct dray_error *err = NULL;
    start_registry(f, "--auth", "token", "--user", "ann", "--password", "pw-secret",
                   "--refresh-token", REFRESH, NULL);
    if (login(f, "ann", "pw-secret", NULL, &err) < 0)
        fail_msg("%s", err->text);
    dr_auto_free char *name = registry_name(f), *path = in_dir(f, FILE_NAME);
    dr_auto_json json_t *doc = kept(f, FILE_NAME);
    assert_string_equal(dr_json_str(entry_of(doc, name), "identitytoken"), REFRESH);
    assert_string_equal(dr_json_str(entry_of(doc, name), "auth"), "YW5uOg==");
    /* no scope is asked for, and the token is good for the next time */
    assert_int_equal(logged(f, "/token?account=ann&client_id=dray&offline_token=true&"
                               "service=fake 200"),
                     1);
    if (login(f, NULL, NULL, NULL, &err) < 0)
        fail_msg("%s", err->text);
    assert_int_equal(logged(f, "POST /token 200"), 1);
}

static void make_helper(struct fixture *f)
{
    dr_auto_free char *path = in_dir(f, "docker-credential-test");
    dr_auto_free char *script = dr_printf(
        "#!/bin/sh\ncd %s\necho \"$*\" >>calls\ncase $1 in\n"
        "store) cat >stored ;;\n"
        "get) [ -f stored ] || { echo credentials not found; exit 1; }; cat stored ;;\n"
        "erase) rm stored ;;\n"
        "list) echo '{\"127.0.0.1:%d\":\"ann\"}' ;;\nesac\n",
        f->dir, f->port);
    write_all(path, script);
    chmod(path, 0700);
    dr_auto_free char *search = dr_printf("%s:/usr/bin:/bin", f->dir);
    setenv("PATH", search, 1);
}

static void a_helper_gets_the_secret_on_stdin_only_and_gives_it_up_again_C08(void **state)
{
    struct fixture *f = *state;
    struct dray_error *err = NULL;
    start_registry(f, "--auth", "basic", "--user", "ann", "--password", "pw-secret",
                   NULL);
    make_helper(f);
    dr_auto_free char *name = registry_name(f), *path = in_dir(f, FILE_NAME);
    dr_auto_free char *calls = in_dir(f, "calls"), *stored = in_dir(f, "stored");
    for (int all = 0; all < 2; all++) {
        char *text = NULL;
        dr_auto_json json_t *reply = NULL;
        dr_auto_free char *config = dr_printf(
            "{\"auths\":{\"%s\":{\"auth\":\"eDp5\"}},\"credsStore\":\"test\"}", name);
        write_all(path, config);
        if (login(f, "ann", "pw-secret", &reply, &err) < 0)
            fail_msg("%s", err->text);
        assert_string_equal(dr_json_str(reply, "helper"), "docker-credential-test");
        dr_auto_json json_t *doc = kept(f, FILE_NAME);
        assert_int_equal(json_object_size(entry_of(doc, name)), 0); /* as Docker: {} */
        assert_non_null(entry_of(doc, name));
        dr_auto_free char *got = read_all(stored), *asked = read_all(calls);
        dr_auto_free char *want = dr_printf(
            "{\"ServerURL\":\"%s\",\"Username\":\"ann\",\"Secret\":\"pw-secret\"}", name);
        assert_string_equal(got, want);
        assert_null(strstr(asked, "secret"));
        assert_int_equal(login(f, NULL, NULL, NULL, &err), 0);
        assert_int_equal(dray_registry_logout(all ? NULL : name, NULL, &text, &err), 0);
        dr_auto_free char *removed =
            dr_printf("{\"removed\":[\"%s in %s\"]}", name, path);
        assert_string_equal(text, removed);
        free(text);
        assert_int_equal(access(stored, F_OK), -1);
        dr_auto_json json_t *after = kept(f, FILE_NAME);
        assert_null(entry_of(after, name));
        assert_string_equal(dr_json_str(after, "credsStore"), "test");
    }
}

static void a_broken_helper_keeps_nothing_in_the_file_instead_H4(void **state)
{
    struct fixture *f = *state;
    struct dray_error *err = NULL;
    start_registry(f, "--auth", "basic", "--user", "ann", "--password", "pw-secret",
                   NULL);
    dr_auto_free char *path = in_dir(f, FILE_NAME);
    static const char config[] = "{\"credsStore\":\"no-such-helper\"}";
    write_all(path, config);
    assert_int_equal(login(f, "ann", "pw-secret", NULL, &err), -1);
    assert_refused(err, DRAY_ERR_CONFIG, ENOENT,
                   "docker-credential-no-such-helper cannot be started");
    dr_auto_free char *after = read_all(path);
    assert_string_equal(after, config);
    write_all(path, "{\"auths\": secret");
    assert_int_equal(login(f, "ann", "pw-secret", NULL, &err), -1);
    assert_null(strstr(err->text, "secret"));
    assert_refused(err, DRAY_ERR_CONFIG, 0, "config.json: it is not a JSON object");
}

static void
token_servers_are_the_call_s_the_target_s_or_the_environment_s_H4(void **state)
{
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    struct dray_registry_options call = DRAY_INIT(call), target = DRAY_INIT(target);
    struct registry_options to = {0};
    setenv("DRAY_TOKEN_SERVERS", "env.example", 1);
    assert_int_equal(registries_options(&call, &target, &to, &err), 0);
    assert_string_equal(to.token_servers, "env.example");
    target.token_servers = "target.example";
    assert_int_equal(registries_options(&call, &target, &to, &err), 0);
    assert_string_equal(to.token_servers, "target.example");
    call.token_servers = "call.example";
    assert_int_equal(registries_options(&call, &target, &to, &err), 0);
    assert_string_equal(to.token_servers, "call.example");
    unsetenv("DRAY_TOKEN_SERVERS");
    assert_int_equal(registries_options(NULL, NULL, &to, &err), 0);
    assert_null(to.token_servers);
}

static void a_login_goes_where_it_is_found_first(void **state)
{
    struct fixture *f = *state;
    struct dray_error *err = NULL;
    start_registry(f, "--auth", "basic", "--user", "ann", "--password", "pw", NULL);
    dr_auto_free char *name = registry_name(f), *xdg = in_dir(f, "xdg/containers");
    dr_auto_free char *podman = in_dir(f, "xdg/containers/auth.json");
    dr_auto_free char *docker = in_dir(f, FILE_NAME);
    dr_auto_error struct dr_error problem = DR_ERROR_INIT;
    assert_int_equal(dr_mkdir_all(xdg, 0700, &problem), 0);
    dr_auto_free char *old = dr_printf("{\"auths\":{\"%s\":{\"auth\":\"eDp5\"}}}", name);
    write_all(podman, old);
    dr_auto_json json_t *reply = NULL;
    assert_int_equal(login(f, "ann", "pw", &reply, &err), 0);
    assert_string_equal(dr_json_str(reply, "file"), podman);
    assert_int_equal(access(docker, F_OK), -1);
    /* another registry's: to Docker's; and all of them go from everywhere */
    write_all(docker,
              "{\"auths\":{\"https://index.docker.io/v1/\":{},\"r.io/team\":{}}}");
    char *text = NULL;
    assert_int_equal(dray_registry_logout(NULL, NULL, &text, &err), 0);
    dr_auto_free char *want = dr_printf("{\"removed\":[\"%s in %s\",\"docker.io in %s\","
                                        "\"r.io/team in %s\"]}",
                                        name, podman, docker, docker);
    assert_string_equal(text, want);
    free(text);
}

static void what_is_no_registry_is_refused(void **state)
{
    static const char *const bad[] = {
        "",       "nodot",   "r.io:x", "ftp://r.io", "r.io/a:1",
        "r.io/A", "http://", "a b.io", "-r.io",      "r.io/x@sha256:1"};
    for (size_t i = 0; i < DR_COUNT(bad); i++) {
        struct dray_error *err = NULL;
        if (dray_registry_logout(bad[i], NULL, NULL, &err) != -1)
            fail_msg("accepted: %s", bad[i]);
        assert_refused(err, DRAY_ERR_INVALID, 0, "is not the name of a registry");
    }
}

static void two_logins_at_once_keep_both(void **state)
{
    enum { COUNT = 8 };
    struct fixture *f = *state;
    pid_t pids[COUNT];
    start_registry(f, "--auth", "basic", "--user", "ann", "--password", "pw", NULL);
    dr_auto_free char *name = registry_name(f);
    struct dray_registry_options options = {
        .size = sizeof options, .user = "ann", .password = "pw"};
    for (int i = 0; i < COUNT; i++) {
        dr_auto_free char *below = dr_printf("%s/team%d", name, i);
        if ((pids[i] = fork()) == 0)
            _exit(dray_registry_login(below, &options, NULL, NULL, NULL) < 0);
    }
    for (int i = 0; i < COUNT; i++) {
        int status;
        waitpid(pids[i], &status, 0);
        assert_int_equal(status, 0);
    }
    dr_auto_json json_t *doc = kept(f, FILE_NAME);
    assert_int_equal(json_object_size(dr_json_object(doc, "auths")), COUNT);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, login_setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_login_is_kept_with_all_else_of_the_file_C08),
        TEST(a_login_that_is_refused_changes_nothing_C08),
        TEST(a_login_and_a_search_tell_that_they_try_again),
        TEST(a_refresh_token_is_kept_instead_of_the_password_C08),
        TEST(a_helper_gets_the_secret_on_stdin_only_and_gives_it_up_again_C08),
        TEST(a_broken_helper_keeps_nothing_in_the_file_instead_H4),
        TEST(a_login_goes_where_it_is_found_first),
        TEST(token_servers_are_the_call_s_the_target_s_or_the_environment_s_H4),
        TEST(what_is_no_registry_is_refused),
        TEST(two_logins_at_once_keep_both),
    };
    return cmocka_run_group_tests_name("host login", tests, NULL, NULL);
}
