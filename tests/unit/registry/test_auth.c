/* SPDX-License-Identifier: Apache-2.0 */
/* Passwords and tokens: they get where they belong and nowhere else (C08, H4). */
#include "fixture.h"
#include "registry/internal.h"

#define REFRESH "refresh-token-of-ann"

static void basic_asks_first_and_sends_the_password_after_C08(void **state)
{
    struct fixture *f = *state;
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    make_image(f, "1", "--layer", "10", NULL);
    start_registry(f, "--auth", "basic", "--user", "ann", "--password", "p:w d", NULL);
    f->options.user = "ann";
    f->options.password = "p:w d";
    if (pull_image(f, "app:1", &err) < 0)
        fail_msg("%s", err.text);
    assert_int_equal(logged(f, " 401 - -"), 1);
    assert_int_equal(logged(f, " 401 "), 1);
}

static void a_wrong_password_is_said_and_not_tried_again(void **state)
{
    static const char *const kinds[] = {"basic", "token"};
    static const size_t requests[] = {2, 2};
    struct fixture *f = *state;
    make_image(f, "1", NULL);
    for (size_t i = 0; i < DR_COUNT(kinds); i++) {
        dr_auto_error struct dr_error err = DR_ERROR_INIT;
        start_registry(f, "--auth", kinds[i], "--user", "ann", "--password", "right",
                       NULL);
        f->options.user = "ann";
        f->options.password = "wrong-secret";
        assert_int_equal(pull_image(f, "app:1", &err), -1);
        assert_null(strstr(err.text, "wrong-secret"));
        assert_error(&err, DR_ERR_PULL, 401, "the user name or password is wrong");
        assert_int_equal(logged(f, "main"), requests[i]);
    }
}

static void no_password_where_one_is_needed_says_login(void **state)
{
    struct fixture *f = *state;
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    make_image(f, "1", NULL);
    start_registry(f, "--auth", "basic", "--user", "ann", "--password", "right", NULL);
    assert_int_equal(pull_image(f, "app:1", &err), -1);
    assert_error(&err, DR_ERR_PULL, 401,
                 "denies access (401): the image does not exist, or a login is needed: "
                 "dray login 127.0.0.1:");
    assert_int_equal(pull_image(f, "app:1", &err), -1);
    assert_error(&err, DR_ERR_PULL, 401, " [UNAUTHORIZED: authentication required]");
}

static void one_token_serves_the_whole_pull_C08(void **state)
{
    struct fixture *f = *state;
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    make_image(f, "1", "--layer", "10", "--layer", "11", "--layer", "12", NULL);
    start_registry(f, "--auth", "token", NULL);
    if (pull_image(f, "team/app:1", &err) < 0)
        fail_msg("%s", err.text);
    assert_int_equal(logged(f, "/token?"), 1);
    assert_int_equal(
        logged(f, "/token?service=fake&scope=repository:team/app:pull 200 - -"), 1);
    assert_int_equal(logged(f, " 401 "), 1);
}

static void a_token_that_ends_in_the_middle_is_fetched_anew_H4(void **state)
{
    struct fixture *f = *state;
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    make_image(f, "1", "--layer", "200000", "--layer", "200001", "--layer", "200002",
               NULL);
    /* it lives half a second, and says five minutes: only a 401 tells */
    start_registry(f, "--auth", "token", "--user", "ann", "--password", "pw",
                   "--token-life", "0.5", "--fault", "slow=400000", NULL);
    f->options.user = "ann";
    f->options.password = "pw";
    f->options.max_parallel = 1;
    if (pull_image(f, "app:1", &err) < 0)
        fail_msg("%s", err.text);
    assert_true(logged(f, "/token?") >= 2);
}

/* An auth.json with it, for the registry that runs; options.auth_file is owned. */
static void use_refresh_token(struct fixture *f)
{
    char *file = in_dir(f, "auth.json");
    dr_auto_free char *text = dr_printf(
        "{\"auths\":{\"127.0.0.1:%d\":{\"identitytoken\":\"" REFRESH "\"}}}", f->port);
    write_all(file, text);
    f->options.auth_file = file;
}

static void a_refresh_token_goes_by_post_C08(void **state)
{
    struct fixture *f = *state;
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    make_image(f, "1", "--layer", "10", NULL);
    start_registry(f, "--auth", "token", "--user", "ann", "--password", "pw",
                   "--refresh-token", REFRESH, NULL);
    use_refresh_token(f);
    if (pull_image(f, "app:1", &err) < 0)
        fail_msg("%s", err.text);
    assert_int_equal(logged(f, "POST /token 200"), 1);
    assert_int_equal(logged(f, REFRESH), 0); /* never in a URL */
    free((char *)f->options.auth_file);
}

static void the_password_goes_to_the_own_token_server_only_CVE_2020_15157_H4(void **state)
{
    static const struct {
        const char *realm, *text;
    } cases[] = {
        {"https://evil.example.com/token",
         "wants the password to be sent to another host, evil.example.com: refused"},
        {"http://evil.example.com/token",
         "wants the password to be sent to another host"},
        {"https://127.0.0.1.example.com/token", "to be sent to another host"},
        {"http://169.254.169.254/latest", "names 169.254.169.254 as its token server, an "
                                          "address of this machine or of its link"},
        {"http://[fe80::1]/x", "an address of this machine or of its link"},
        {"ftp://127.0.0.1/x", "is not an http or https URL"},
        {"http://ann@127.0.0.1/x", "a URL has a user name in it"},
    };
    struct fixture *f = *state;
    make_image(f, "1", NULL);
    f->options.user = "ann";
    f->options.password = "secret";
    for (size_t i = 0; i < DR_COUNT(cases); i++) {
        dr_auto_error struct dr_error err = DR_ERROR_INIT;
        dr_auto_free char *fault = dr_printf("realm=%s", cases[i].realm);
        start_registry(f, "--auth", "token", "--fault", fault, NULL);
        assert_int_equal(pull_image(f, "app:1", &err), -1);
        assert_text(&err, cases[i].text);
        assert_null(strstr(err.text, "secret"));
    }
    /* a refresh token is as good as a password */
    f->options.user = f->options.password = NULL;
    for (size_t i = 0; i < DR_COUNT(cases); i++) {
        dr_auto_error struct dr_error err = DR_ERROR_INIT;
        dr_auto_free char *fault = dr_printf("realm=%s", cases[i].realm);
        start_registry(f, "--auth", "token", "--refresh-token", REFRESH, "--fault", fault,
                       NULL);
        use_refresh_token(f);
        assert_int_equal(pull_image(f, "app:1", &err), -1);
        assert_text(&err, cases[i].text);
        assert_null(strstr(err.text, REFRESH));
        free((char *)f->options.auth_file);
    }
    f->options.auth_file = "";
}

static void
a_token_server_without_tls_is_refused_where_the_registry_has_it_H4(void **state)
{
    struct fixture *f = *state;
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    dr_auto_free char *cert = NULL, *key = NULL;
    make_image(f, "1", NULL);
    make_certificate(f, &cert, &key);
    f->options.ca_file = cert;
    /* without a password, too: whoever answers there could give a token of his own */
    start_registry(f, "--tls", cert, key, "--auth", "token", "--fault",
                   "realm=http://127.0.0.1:1/token", NULL);
    assert_int_equal(pull_image(f, "app:1", &err), -1);
    assert_error(&err, DR_ERR_PULL, 401,
                 "names a token server without TLS (http://127.0.0.1): refused");
}

static void at_80_percent_of_its_life_a_token_is_fetched_anew_H4(void **state)
{
    struct fixture *f = *state;
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    struct registry *reg;
    struct oci_digest digest;
    make_image(f, "1", NULL);
    start_registry(f, "--auth", "token", NULL);
    open_registry(f, "app:1", &reg);
    int64_t before_ms = dr_clock_ms();
    assert_int_equal(registry_head_digest(reg, &digest, &err), 0);
    assert_true(reg->auth.refresh_ms >= before_ms + 240000); /* it lives 300 s */
    assert_true(reg->auth.refresh_ms <= dr_clock_ms() + 240000);
    assert_int_equal(registry_head_digest(reg, &digest, &err), 0);
    assert_int_equal(logged(f, "/token?"), 1);
    reg->auth.refresh_ms = dr_clock_ms();
    assert_int_equal(registry_head_digest(reg, &digest, &err), 0);
    assert_int_equal(logged(f, "/token?"), 2);
    assert_int_equal(logged(f, " 401 "), 1); /* at the beginning */
    registry_close(reg);
}

static void an_allowed_token_server_may_have_the_password_over_tls(void **state)
{
    struct fixture *f = *state;
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    dr_auto_free char *cert = NULL, *key = NULL;
    make_image(f, "1", "--layer", "10", NULL);
    make_certificate(f, &cert, &key);
    f->options.ca_file = cert;
    f->options.user = "ann";
    f->options.password = "pw";
    /* the port is known only after the start: start twice on it */
    start_registry(f, "--tls", cert, key, NULL);
    dr_auto_free char *port = dr_printf("%d", f->port);
    dr_auto_free char *realm = dr_printf("realm=https://localhost:%d/token", f->port);
    start_registry(f, "--tls", cert, key, "--port", port, "--auth", "token", "--user",
                   "ann", "--password", "pw", "--fault", realm, NULL);
    assert_int_equal(pull_image(f, "app:1", &err), -1);
    assert_error(&err, DR_ERR_PULL, 401,
                 "to be sent to another host, localhost: refused; if you trust that one, "
                 "allow it: DRAY_TOKEN_SERVERS=localhost");
    dr_error_release(&err);
    f->options.token_servers = "local, localhost.example,xlocalhost ,";
    assert_int_equal(pull_image(f, "app:1", &err), -1);
    assert_text(&err, "to be sent to another host, localhost: refused");
    dr_error_release(&err);
    f->options.token_servers = "auth.example.com, LocalHost";
    if (pull_image(f, "app:1", &err) < 0)
        fail_msg("%s", err.text);
}

static void broken_token_servers_are_named(void **state)
{
    static const struct {
        const char *fault;
        int code;
        const char *text;
    } cases[] = {
        {"token-bad", 200, "the token server 127.0.0.1 sent no token"},
        {"token-status=500", 500, "127.0.0.1 is in trouble (500)"},
        {"token-status=403", 403, "127.0.0.1 denies access (403)"},
        {"challenge=Bearer realm=\"x", 0,
         "WWW-Authenticate header is malformed at offset 13"},
        {"challenge=Negotiate", 401, "denies access (401)"},
    };
    struct fixture *f = *state;
    make_image(f, "1", NULL);
    for (size_t i = 0; i < DR_COUNT(cases); i++) {
        dr_auto_error struct dr_error err = DR_ERROR_INIT;
        start_registry(f, "--auth", "token", "--fault", cases[i].fault, NULL);
        assert_int_equal(pull_image(f, "app:1", &err), -1);
        assert_error(&err, DR_ERR_PULL, cases[i].code, cases[i].text);
    }
}

static void tls_is_found_on_loopback_and_checked(void **state)
{
    struct fixture *f = *state;
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    dr_auto_free char *cert = NULL, *key = NULL;
    make_image(f, "1", "--layer", "10", NULL);
    make_certificate(f, &cert, &key);
    start_registry(f, "--tls", cert, key, NULL);
    assert_int_equal(pull_image(f, "app:1", &err), -1);
    assert_error(&err, DR_ERR_PULL, 0, "is not trusted");
    f->options.ca_file = cert;
    if (pull_image(f, "app:1", &err) < 0)
        fail_msg("%s", err.text);
    start_registry(f, NULL); /* plain HTTP, where TLS is insisted on */
    assert_int_equal(pull_image(f, "app:1", &err), -1);
    assert_text(&err, ": if it speaks plain HTTP, say so with --tls-verify=false");
    assert_error(&err, DR_ERR_PULL, 0, "/app:1: no TLS connection to 127.0.0.1:");
}

static void from_https_to_http_only_verified_bytes_and_no_authorization_H4(void **state)
{
    struct fixture *f = *state;
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    dr_auto_free char *cert = NULL, *key = NULL;
    make_image(f, "1", "--layer", "10", NULL);
    make_certificate(f, &cert, &key);
    f->options.ca_file = cert;
    f->options.user = "ann";
    f->options.password = "pw";
    start_registry(f, "--tls", cert, key, "--auth", "basic", "--user", "ann",
                   "--password", "pw", "--fault", "redirect-http", NULL);
    if (pull_image(f, "app:1", &err) < 0)
        fail_msg("%s", err.text);
    assert_int_equal(logged(f, "side GET"), 2);
    assert_int_equal(logged(f, "?sig=1 200 - -"), 2);
    /* a tag's manifest is verified by nothing but the connection */
    start_registry(f, "--tls", cert, key, "--fault", "redirect-to=http://127.0.0.1:1/x",
                   NULL);
    assert_int_equal(pull_image(f, "app:1", &err), -1);
    assert_error(&err, DR_ERR_PULL, 307, "redirects from https to http://127.0.0.1");
}

/* Asked without a network: whoever may have the password would be sent it next, which
 * the cancelled call does not. */
static void
known_token_servers_are_those_of_their_registries_CVE_2020_15157_H4(void **state)
{
    static const struct {
        const char *image, *realm;
        bool allowed;
    } cases[] = {
        {"alpine", "auth.docker.io", true},
        {"alpine", "AUTH.docker.io", true},
        {"registry.gitlab.com/x", "gitlab.com", true},
        {"alpine", "gitlab.com", false},
        {"alpine", "docker.io", false},
        {"alpine", "auth.docker.io.example.com", false},
        {"alpine", "auth.docker.iot", false},
        {"alpine", "evil-auth.docker.io", false},
        {"alpine", "x.auth.docker.io", false},
        {"registry.gitlab.com/x", "auth.docker.io", false},
        {"registry.gitlab.com/x", "pages.gitlab.com", false},
        {"r.example.com/x", "auth.docker.io", false},
        {"x.registry-1.docker.io/x", "auth.docker.io", false},
        {"registry-1.docker.io.example.com/x", "auth.docker.io", false},
    };
    struct fixture *f = *state;
    atomic_bool cancel = true;
    f->options.cancel = &cancel;
    f->options.user = "ann";
    f->options.password = "pw";
    for (size_t i = 0; i < DR_COUNT(cases); i++) {
        dr_auto_error struct dr_error err = DR_ERROR_INIT;
        dr_auto_ref struct oci_ref ref = OCI_REF_INIT;
        dr_auto_free char *challenge =
            dr_printf("Bearer realm=\"https://%s/token\",service=\"x\"", cases[i].realm);
        struct registry *reg;
        assert_int_equal(oci_ref_parse(cases[i].image, &ref, &err), 0);
        assert_int_equal(registry_open(&ref, &f->options, &reg, &err), 0);
        assert_int_equal(auth_answer(reg, challenge, &err), -1);
        registry_close(reg);
        if (err.kind != (cases[i].allowed ? DR_ERR_CANCELLED : DR_ERR_PULL))
            fail_msg("%s, %s: %s", cases[i].image, cases[i].realm, err.text);
        if (!cases[i].allowed)
            assert_text(&err, "wants the password to be sent to another host, ");
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(basic_asks_first_and_sends_the_password_after_C08),
        TEST(a_wrong_password_is_said_and_not_tried_again),
        TEST(no_password_where_one_is_needed_says_login),
        TEST(one_token_serves_the_whole_pull_C08),
        TEST(a_token_that_ends_in_the_middle_is_fetched_anew_H4),
        TEST(a_refresh_token_goes_by_post_C08),
        TEST(the_password_goes_to_the_own_token_server_only_CVE_2020_15157_H4),
        TEST(a_token_server_without_tls_is_refused_where_the_registry_has_it_H4),
        TEST(at_80_percent_of_its_life_a_token_is_fetched_anew_H4),
        TEST(an_allowed_token_server_may_have_the_password_over_tls),
        TEST(broken_token_servers_are_named),
        TEST(tls_is_found_on_loopback_and_checked),
        TEST(from_https_to_http_only_verified_bytes_and_no_authorization_H4),
        TEST(known_token_servers_are_those_of_their_registries_CVE_2020_15157_H4),
    };
    return cmocka_run_group_tests_name("registry auth", tests, NULL, NULL);
}
