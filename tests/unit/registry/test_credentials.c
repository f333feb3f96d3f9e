/* SPDX-License-Identifier: Apache-2.0 */
/* Docker's and Podman's files, and credential helpers (C08, H4). */
#include "fixture.h"
#include "base/json.h"
#include "registry/credentials.h"
#include "registry/helper.h"

/* base64 of "ann:pw" is YW5uOnB3, of "bob:x:y" is Ym9iOng6eQ== */
static int find(struct fixture *f, const char *json, const char *image,
                struct credentials *ret, struct dr_error *err)
{
    dr_auto_ref struct oci_ref ref = OCI_REF_INIT;
    dr_auto_free char *file = in_dir(f, "auth.json");
    write_all(file, json);
    assert_int_equal(oci_ref_parse(image, &ref, err), 0);
    return credentials_find(&ref, file, ret, err);
}

static void the_entry_of_the_registry_is_found_C08(void **state)
{
    static const struct {
        const char *json, *image, *user, *password;
    } cases[] = {
        {"{\"auths\":{\"r.example.com\":{\"auth\":\"YW5uOnB3\"}}}", "r.example.com/x",
         "ann", "pw"},
        {"{\"auths\":{\"r.example.com\":{\"auth\":\"Ym9iOng6eQ==\"}}}", "r.example.com/x",
         "bob", "x:y"},
        {"{\"auths\":{\"r.example.com\":{\"auth\":\"YW5uOnB3\"}}}",
         "r.example.com:5000/x", NULL, NULL},
        {"{\"auths\":{\"https://r.example.com/v1/\":{\"auth\":\"YW5uOnB3\"}}}",
         "r.example.com/x", "ann", "pw"},
        {"{\"auths\":{\"https://index.docker.io/v1/\":{\"auth\":\"YW5uOnB3\"}}}",
         "alpine", "ann", "pw"},
        {"{\"auths\":{\"docker.io\":{\"auth\":\"YW5uOnB3\"}}}", "alpine", "ann", "pw"},
        {"{\"auths\":{\"docker.io.evil.com\":{\"auth\":\"YW5uOnB3\"}}}", "alpine", NULL,
         NULL},
        {"{\"auths\":{\"https://r.io.evil.com/v1/\":{\"auth\":\"YW5uOnB3\"}}}", "r.io/x",
         NULL, NULL},
        {"{\"auths\":{\"https://r.io:5000\":{\"auth\":\"YW5uOnB3\"}}}", "r.io/x", NULL,
         NULL},
        {"{\"auths\":{\"r.io/"
         "team\":{\"auth\":\"YW5uOnB3\"},\"r.io\":{\"auth\":\"Ym9iOng6eQ==\"}}}",
         "r.io/team/app", "ann", "pw"},
        {"{\"auths\":{\"r.io/"
         "team\":{\"auth\":\"YW5uOnB3\"},\"r.io\":{\"auth\":\"Ym9iOng6eQ==\"}}}",
         "r.io/teamwork/app", "bob", "x:y"},
        {"{\"auths\":{\"r.io\":{\"username\":\"ann\",\"password\":\"pw\"}}}", "r.io/x",
         "ann", "pw"},
        {"{\"auths\":{\"r.io\":{}}}", "r.io/x", NULL, NULL},
        {"{}", "r.io/x", NULL, NULL},
    };
    struct fixture *f = *state;
    for (size_t i = 0; i < DR_COUNT(cases); i++) {
        dr_auto_error struct dr_error err = DR_ERROR_INIT;
        dr_auto_credentials struct credentials c = {0};
        int rc = find(f, cases[i].json, cases[i].image, &c, &err);
        if (rc < 0)
            fail_msg("%s", err.text);
        assert_int_equal(rc, cases[i].user != NULL);
        if (rc) {
            assert_string_equal(c.user, cases[i].user);
            assert_string_equal(c.password, cases[i].password);
        }
    }
}

static void a_broken_file_is_an_error_and_never_shown_CVE_2021_41092(void **state)
{
    static const struct {
        const char *json, *text;
    } cases[] = {
        {"{\"auths\":{\"r.io\":{\"auth\":\"secret!!\"}}}",
         "an 'auth' in it is not base64 of user:password"},
        {"{\"auths\":{\"r.io\":{\"auth\":\"c2VjcmV0\"}}}", "not base64 of user:password"},
        {"{\"auths\": secret", "auth.json: it is not a JSON object: correct it"},
        {"[\"secret\"]", "is not a JSON object"},
        {"", "is not a JSON object"},
        {"{\"credsStore\":\"../../bin/secret\"}",
         "is not the name of a credential helper"},
        {"{\"credsStore\":\"no-such-helper-here\"}",
         "the credential helper docker-credential-no-such-helper-here cannot be started"},
        {"{\"credHelpers\":{\"r.io\":\"no-such-helper-here\"}}", "cannot be started"},
    };
    struct fixture *f = *state;
    for (size_t i = 0; i < DR_COUNT(cases); i++) {
        dr_auto_error struct dr_error err = DR_ERROR_INIT;
        dr_auto_credentials struct credentials c = {0};
        if (find(f, cases[i].json, "r.io/x", &c, &err) != -1)
            fail_msg("accepted: %s", cases[i].json);
        if (!strstr(cases[i].json, "bin/secret"))
            assert_null(strstr(err.text, "secret"));
        assert_error(&err, DR_ERR_CONFIG, err.code, cases[i].text);
    }
}

static void make_helper(struct fixture *f, const char *script)
{
    dr_auto_free char *path = in_dir(f, "docker-credential-test");
    write_all(path, script);
    chmod(path, 0700);
    dr_auto_free char *search = dr_printf("%s:/usr/bin:/bin", f->dir);
    setenv("PATH", search, 1);
}

static void a_helper_is_asked_by_its_protocol_C08(void **state)
{
    struct fixture *f = *state;
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    dr_auto_credentials struct credentials c = {0};
    make_helper(
        f, "#!/bin/sh\nread host\n[ \"$1 $host\" = 'get r.io' ] || exit 9\n"
           "echo '{\"ServerURL\":\"r.io\",\"Username\":\"ann\",\"Secret\":\"pw\"}'\n");
    if (find(f, "{\"credsStore\":\"test\"}", "r.io/x", &c, &err) != 1)
        fail_msg("%s", err.text);
    assert_string_equal(c.user, "ann");
    assert_string_equal(c.password, "pw");
    credentials_release(&c);
    assert_int_equal(find(f, "{\"credHelpers\":{\"r.io\":\"test\"}}", "r.io/x", &c, &err),
                     1);
    credentials_release(&c);
    assert_int_equal(find(f, "{\"credHelpers\":{\"q.io\":\"test\"}}", "r.io/x", &c, &err),
                     0);
    make_helper(f, "#!/bin/sh\necho '{\"Username\":\"<token>\",\"Secret\":\"tok\"}'\n");
    assert_int_equal(find(f, "{\"credsStore\":\"test\"}", "r.io/x", &c, &err), 1);
    assert_string_equal(c.identity_token, "tok");
    assert_null(c.user);
    credentials_release(&c);
    make_helper(f,
                "#!/bin/sh\necho 'credentials not found in native keychain'\nexit 1\n");
    assert_int_equal(find(f, "{\"credsStore\":\"test\"}", "r.io/x", &c, &err), 0);
    /* what is in the file comes behind everybody's helper, and not behind a host's own */
#define IN_FILE "\"auths\":{\"r.io\":{\"auth\":\"YW5uOnB3\"}}"
    assert_int_equal(find(f, "{\"credsStore\":\"test\"," IN_FILE "}", "r.io/x", &c, &err),
                     1);
    credentials_release(&c);
    assert_int_equal(
        find(f, "{\"credHelpers\":{\"r.io\":\"test\"}," IN_FILE "}", "r.io/x", &c, &err),
        0);
}

static void docker_hub_is_asked_for_by_its_old_name(void **state)
{
    struct fixture *f = *state;
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    dr_auto_credentials struct credentials c = {0};
    make_helper(
        f,
        "#!/bin/sh\nread host\n[ \"$host\" = 'https://index.docker.io/v1/' ] || exit 9\n"
        "echo '{\"Username\":\"ann\",\"Secret\":\"pw\"}'\n");
    assert_int_equal(find(f, "{\"credsStore\":\"test\"}", "alpine", &c, &err), 1);
}

static void a_broken_helper_is_an_error_and_what_it_says_stays_secret_H4(void **state)
{
    static const struct {
        const char *script, *text;
    } cases[] = {
        {"#!/bin/sh\necho secret; echo secret >&2; exit 1\n",
         "the credential helper docker-credential-test failed at 'get' (status 1), its "
         "words "
         "are not shown; try 'docker-credential-test list' yourself"},
        {"#!/bin/sh\necho secret\n", "gave no Username and Secret"},
        {"#!/bin/sh\nexec head -c 100000 /dev/zero\n", "printed more than 64 KiB"},
        {"#!/bin/sh\nkill -9 $$\n", "failed at 'get' (signal 9)"},
        {"#!/bin/sh\nexec 0<&-\nexit 3\n", "failed at 'get' (status 3)"},
    };
    struct fixture *f = *state;
    for (size_t i = 0; i < DR_COUNT(cases); i++) {
        dr_auto_error struct dr_error err = DR_ERROR_INIT;
        dr_auto_credentials struct credentials c = {0};
        make_helper(f, cases[i].script);
        assert_int_equal(find(f, "{\"credsStore\":\"test\"}", "r.io/x", &c, &err), -1);
        assert_null(strstr(err.text, "secret"));
        assert_error(&err, DR_ERR_CONFIG, 0, cases[i].text);
    }
}

static void a_helper_that_does_not_answer_is_ended_H4(void **state)
{
    struct fixture *f = *state;
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    dr_auto_buf struct dr_buf output = DR_BUF_INIT(HELPER_OUTPUT_MAX);
    make_helper(f, "#!/bin/sh\nexec sleep 1000\n");
    assert_int_equal(HELPER_DEADLINE_MS, 30000);
    assert_int_equal(helper_call_within("test", "get", "r.io\n", 1000, &output, &err),
                     -1);
    assert_error(&err, DR_ERR_CONFIG, 0,
                 "the credential helper docker-credential-test gave no answer in 1 s");
    assert_int_equal(waitpid(0, NULL, WNOHANG), -1); /* no child of our group is left */
    /* one that answered is not waited for because of what it left behind */
    make_helper(f, "#!/bin/sh\nsleep 1000 & echo $!\n");
    assert_int_equal(helper_call_within("test", "get", "r.io\n", 30000, &output, &err),
                     1);
    assert_int_equal(kill(atoi(output.data), SIGKILL), 0);
}

/* Whatever is asked: the verb is all that others on the machine can see. What it says on
 * stderr would come between our lines, on the terminal as it is. */
static void a_helper_gets_secrets_by_stdin_only_and_is_silent_H4(void **state)
{
    struct fixture *f = *state;
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    dr_auto_ref struct oci_ref ref = OCI_REF_INIT;
    dr_auto_credentials struct credentials c = {.user = dr_strdup("ann"),
                                                .password = dr_strdup("s3cret-word")};
    dr_auto_free char *file = in_dir(f, "auth.json"), *seen = in_dir(f, "seen");
    dr_auto_free char *given = in_dir(f, "given"), *said = in_dir(f, "said");
    dr_auto_free char *where = NULL, *helper = NULL;
    dr_auto_free char *script =
        dr_printf("#!/bin/sh\n{ tr '\\0' ' ' </proc/$$/cmdline; echo; env; } >>%s\n"
                  "cat >>%s\necho loud >&2\necho '{\"Username\":\"ann\","
                  "\"Secret\":\"s3cret-word\"}'\n",
                  seen, given);
    char **removed = NULL;
    make_helper(f, script);
    write_all(file, "{\"credsStore\":\"test\"}");
    assert_int_equal(credentials_registry_parse("r.io", &ref, &err), 0);
    int out = open(said, O_WRONLY | O_CREAT | O_CLOEXEC, 0600), before = dup(2);
    dup2(out, 2);
    int stored = credentials_store(&ref, file, &c, &where, &helper, &err);
    credentials_release(&c);
    int found = credentials_find(&ref, file, &c, &err);
    int erased = credentials_erase(&ref, file, &removed, &err);
    dup2(before, 2);
    close(before);
    close(out);
    if (stored != 0 || found != 1 || erased != 0)
        fail_msg("%d %d %d %s", stored, found, erased, err.text);
    dr_strv_free(removed);
    dr_auto_free char *words = read_all(seen), *input = read_all(given);
    dr_auto_free char *loud = read_all(said);
    assert_int_equal(count_in(words, "docker-credential-test store \n"), 1);
    assert_true(count_in(words, "docker-credential-test get \n") >= 1);
    assert_int_equal(count_in(words, "docker-credential-test erase \n"), 1);
    assert_null(strstr(words, "s3cret-word"));
    assert_int_equal(count_in(input, "s3cret-word"), 1);
    assert_string_equal(loud, "");
}

static void the_usual_places_are_looked_through(void **state)
{
    struct fixture *f = *state;
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    dr_auto_credentials struct credentials c = {0};
    dr_auto_ref struct oci_ref ref = OCI_REF_INIT;
    unsetenv("REGISTRY_AUTH_FILE");
    unsetenv("XDG_RUNTIME_DIR");
    setenv("XDG_CONFIG_HOME", "/nonexistent", 1);
    setenv("DOCKER_CONFIG", f->dir, 1);
    assert_int_equal(oci_ref_parse("r.io/x", &ref, &err), 0);
    assert_int_equal(credentials_find(&ref, NULL, &c, &err), 0);
    dr_auto_free char *file = in_dir(f, "config.json");
    write_all(file, "{\"auths\":{\"r.io\":{\"auth\":\"YW5uOnB3\"}}}");
    assert_int_equal(credentials_find(&ref, NULL, &c, &err), 1);
    credentials_release(&c);
    setenv("REGISTRY_AUTH_FILE", "/nonexistent/auth.json", 1);
    assert_int_equal(credentials_find(&ref, NULL, &c, &err), -1);
    assert_error(&err, DR_ERR_CONFIG, ENOENT,
                 "credentials: /nonexistent/auth.json: open /nonexistent/auth.json");
    unsetenv("REGISTRY_AUTH_FILE");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(the_entry_of_the_registry_is_found_C08),
        TEST(a_broken_file_is_an_error_and_never_shown_CVE_2021_41092),
        TEST(a_helper_is_asked_by_its_protocol_C08),
        TEST(docker_hub_is_asked_for_by_its_old_name),
        TEST(a_broken_helper_is_an_error_and_what_it_says_stays_secret_H4),
        TEST(a_helper_that_does_not_answer_is_ended_H4),
        TEST(a_helper_gets_secrets_by_stdin_only_and_is_silent_H4),
        TEST(the_usual_places_are_looked_through),
    };
    return cmocka_run_group_tests_name("registry credentials", tests, NULL, NULL);
}
