/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A real registry (Debian's docker-registry) behind a line that breaks, stalls, lies and
 * lets tokens expire (tests/fake/proxy.py): what arrives is whole, and not much of it
 * arrives twice. Skipped where the parts are not installed.
 */
#include "real.h"

static pid_t proxy, tokens;
static int registry_port, token_port, proxy_port;

static int line_teardown(void **state)
{
    stop_fake(&proxy);
    stop_fake(&tokens);
    unsetenv("REGISTRY_HTTP_TLS_CERTIFICATE");
    unsetenv("REGISTRY_HTTP_TLS_KEY");
    return teardown(state);
}

/* In front of the registry, with these rules; pulls go through it from now on. "--raw":
 * bytes only. One that runs gets the new rules. */
static void start_proxy(struct fixture *f, ...)
{
    dr_auto_free char *upstream = dr_printf("127.0.0.1:%d", registry_port);
    dr_auto_free char *path = in_dir(f, "rules");
    const char *words[] = {"--upstream", upstream, "--log", f->log,
                           "--rules",    path,     NULL,    NULL};
    dr_auto_buf struct dr_buf rules = DR_BUF_INIT(4096);
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    va_list ap;
    va_start(ap, f);
    for (const char *word; (word = va_arg(ap, const char *));)
        if (word[0] == '-')
            words[6] = word;
        else
            dr_buf_addf(&rules, &err, "%s\n", word);
    va_end(ap);
    write_all(path, rules.data ? rules.data : "");
    unlink(f->log);
    if (proxy <= 0)
        proxy_port = start_fake(&proxy, "proxy.py", words);
    f->port = proxy_port;
}

static void start_real(struct fixture *f, const char *more)
{
    start_docker_registry(f, more);
    registry_port = f->port;
}

static void start_real_with_tokens(struct fixture *f)
{
    dr_auto_free char *dir = in_dir(f, "tokens");
    token_port = start_fake(&tokens, "token-server.py",
                            (const char *[]){"--dir", dir, "--user", "ann:pw", NULL});
    dr_auto_free char *auth = dr_printf(
        "auth: {token: {realm: 'http://127.0.0.1:%d/token', service: fake, issuer: "
        "fake-issuer, rootcertbundle: '%s/cert.pem'}}\n",
        token_port, dir);
    start_real(f, auth);
    f->options.user = "ann";
    f->options.password = "pw";
}

/* The token server is another one from now on, with the same key. */
static void restart_tokens(struct fixture *f, const char *option, const char *value)
{
    dr_auto_free char *dir = in_dir(f, "tokens"), *port = dr_printf("%d", token_port);
    start_fake(&tokens, "token-server.py",
               (const char *[]){"--dir", dir, "--port", port, "--user", "ann:pw", option,
                                value, NULL});
}

/* The layout's image "1" as app:1; the bytes of its layers and config. */
static int64_t fill(struct fixture *f, const char *options)
{
    dr_auto_free char *line = dr_printf(
        "skopeo copy -q --insecure-policy --dest-tls-verify=false %s "
        "oci:layout:1 docker://127.0.0.1:%d/app:1 && du -bc layout/blobs/sha256/* | "
        "tail -n 1",
        options, registry_port);
    must(f, line);
    dr_auto_free char *path = in_dir(f, "out"), *text = read_all(path);
    return atoll(text);
}

/* Of blobs, as the proxy sent them. */
static int64_t bytes_of_blobs(struct fixture *f)
{
    must(f, "awk '$3 ~ /blobs/ && ($4 == 200 || $4 == 206) { n += $8 } END { print n + 0 "
            "}' log");
    dr_auto_free char *path = in_dir(f, "out"), *text = read_all(path);
    return atoll(text);
}

static void must_pull(struct fixture *f)
{
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    if (pull_image(f, "app:1", &err) < 0)
        fail_msg("%s", err.text);
    assert_int_equal(partials(f), 0);
}

static void forget_blobs(struct fixture *f)
{
    struct store_usage freed;
    struct dr_error err = DR_ERROR_INIT;
    assert_int_equal(store_prune(f->store, 0, 0, &freed, &err), 0);
}

static void many_resets_and_worn_out_tokens_cost_hardly_a_byte_H4(void **state)
{
    struct fixture *f = *state;
    make_image(f, "1", "--layer", "3000000", "--layer", "1500000", NULL);
    start_real_with_tokens(f);
    int64_t size = fill(f, "--dest-creds ann:pw");
    /* every connection breaks after 100,000 bytes, every token is good for five requests
     */
    start_proxy(f, "reset=100000 GET /blobs/", "token-uses=5", NULL);
    must_pull(f);
    assert_true(logged(f, " 206 ") >= 40);
    assert_true(logged(f, " 401 ") >= 8);
    assert_in_range(bytes_of_blobs(f), 1, size * 105 / 100);
    /* the registry says an ETag, so whatever went on did so with If-Range */
    assert_int_equal(logged(f, "+if-range"), logged(f, "bytes="));
}

static void a_token_that_lives_for_seconds_is_fetched_anew_H4(void **state)
{
    struct fixture *f = *state;
    make_image(f, "1", "--layer", "2000000", NULL);
    start_real_with_tokens(f);
    fill(f, "--dest-creds ann:pw");
    restart_tokens(f, "--life", "1");
    /* two seconds at least, and a new connection each half second or so */
    start_proxy(f, "slow=1000000 GET /blobs/", "truncate=400000 GET /blobs/", NULL);
    must_pull(f);
}

static void each_way_to_break_off_is_got_over_H4(void **state)
{
    static const char *const faults[] = {
        "truncate=300000@2 GET /blobs/",
        "reset=300000@2 GET /blobs/",
        "stall=300000@1 GET /blobs/",
        "drop@1",
        "drop-late@1",
        "status=503@1",
        "status=408@1",
        "status=504@2 GET /blobs/",
        "no-head",
    };
    struct fixture *f = *state;
    make_image(f, "1", "--layer", "1000000", NULL);
    start_real(f, "");
    int64_t size = fill(f, "");
    for (size_t i = 0; i < DR_COUNT(faults); i++) {
        forget_blobs(f);
        start_proxy(f, faults[i], NULL);
        must_pull(f);
        /* what is lost is a piece or two, not the 300,000 that were there */
        assert_in_range(bytes_of_blobs(f), 1, size + 200000);
    }
}

static void changed_bytes_are_found_H2(void **state)
{
    struct fixture *f = *state;
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    make_image(f, "1", "--layer", "1000000", NULL);
    start_real(f, "");
    fill(f, "");
    start_proxy(f, "corrupt=500000 GET /blobs/", NULL);
    assert_int_equal(pull_image(f, "app:1", &err), -1);
    assert_error(&err, DR_ERR_FORMAT, 0, "the bytes that came have the digest sha256:");
}

static void a_registry_that_cannot_go_on_begins_anew_once_H4(void **state)
{
    struct fixture *f = *state;
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    make_image(f, "1", "--layer", "1000000", NULL);
    start_real(f, "");
    fill(f, "");
    start_proxy(f, "no-range", "truncate=400000@1 GET /blobs/", NULL);
    must_pull(f);
    forget_blobs(f);
    start_proxy(f, "no-range", "truncate=400000@2 GET /blobs/", NULL);
    assert_int_equal(pull_image(f, "app:1", &err), -1);
    assert_error(&err, DR_ERR_PULL, 200, "the registry cannot go on from there");
    /* what came is kept, and the next pull goes on */
    start_proxy(f, NULL);
    must_pull(f);
    /* the end of the pull before may be written down late */
    assert_int_equal(logged(f, " 206 - bytes=400000-"), 1);
}

static void retry_after_is_obeyed_in_both_forms_or_told_at_once_H4(void **state)
{
    struct fixture *f = *state;
    make_image(f, "1", NULL);
    start_real(f, "");
    fill(f, "");
    static const struct {
        const char *status, *after, *text;
    } cases[] = {
        {"status=429", "retry-after=600", "(429): try again in 600 s (at 2"},
        {"status=429", "retry-after=date+600", "(429): try again in "},
        {"status=503", "retry-after=date+600", "is in trouble (503): try again in "},
        {"status=429", "header=RateLimit-Reset:900", "(429): try again in 900 s (at 2"},
    };
    for (size_t i = 0; i < DR_COUNT(cases); i++) {
        dr_auto_error struct dr_error err = DR_ERROR_INIT;
        start_proxy(f, cases[i].status, cases[i].after, NULL);
        assert_int_equal(pull_image(f, "app:1", &err), -1);
        assert_text(&err, cases[i].text);
        assert_int_equal(logged(f, "main"), 1); /* it was not asked again */
    }
    start_proxy(f, "status=429@1", "retry-after=date+1", NULL);
    must_pull(f);
}

static void a_signed_redirect_gets_no_token_H4(void **state)
{
    struct fixture *f = *state;
    make_image(f, "1", "--layer", "1000000", NULL);
    start_real_with_tokens(f);
    fill(f, "--dest-creds ann:pw");
    /* the other host refuses what brings an Authorization; the line to it is no better */
    start_proxy(f, "redirect GET /blobs/", NULL);
    must_pull(f);
    assert_int_equal(logged(f, "side GET"), 2);
    assert_int_equal(logged(f, " 400 "), 0);
}

static void a_token_server_in_trouble_is_waited_for_H4(void **state)
{
    struct fixture *f = *state;
    make_image(f, "1", "--layer", "1000", NULL);
    start_real_with_tokens(f);
    fill(f, "--dest-creds ann:pw");
    restart_tokens(f, "--status", "503@2");
    start_proxy(f, NULL);
    must_pull(f);
}

static void a_mistyped_tag_is_answered_with_the_nearest_one(void **state)
{
    struct fixture *f = *state;
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    make_image(f, "1", NULL);
    start_real(f, "");
    fill(f, "");
    dr_auto_free char *line = dr_printf(
        "for t in latest 12-alpine; do skopeo copy -q --insecure-policy "
        "--dest-tls-verify=false oci:layout:1 docker://127.0.0.1:%d/app:$t; done",
        registry_port);
    must(f, line);
    assert_int_equal(pull_image(f, "app:latset", &err), -1);
    assert_error(
        &err, DR_ERR_NOT_FOUND, 404,
        "check the name [MANIFEST_UNKNOWN: manifest unknown]; did you mean the tag "
        "latest?");
    assert_int_equal(pull_image(f, "app:quite-another", &err), -1);
    assert_error(&err, DR_ERR_NOT_FOUND, 404, "]; tags are there: ");
    assert_int_equal(pull_image(f, "ap:1", &err), -1);
    assert_null(strstr(err.text, ";"));
}

/* --- HTTP/2: docker-registry speaks it where it speaks TLS --- */

static void start_real_with_tls(struct fixture *f)
{
    dr_auto_free char *cert = NULL, *key = NULL;
    make_certificate(f, &cert, &key);
    setenv("REGISTRY_HTTP_TLS_CERTIFICATE", cert, 1);
    setenv("REGISTRY_HTTP_TLS_KEY", key, 1);
    start_real(f, "");
}

/* How many connections there were: the proxy writes of one when it has come, and when it
 * is over, which it hears a little later than we. */
static size_t connections_that_are_over(struct fixture *f)
{
    for (int i = 0; logged(f, "raw") < logged(f, "open"); i++) {
        assert_true(i < 3000);
        usleep(10000);
    }
    return logged(f, "open");
}

static void http2_brings_all_layers_by_one_connection(void **state)
{
    struct fixture *f = *state;
    make_image(f, "1", "--layer", "1000000", "--layer", "1000001", "--layer", "1000002",
               "--layer", "1000003", NULL);
    start_real_with_tls(f);
    fill(f, "");
    dr_auto_free char *cert = in_dir(f, "cert.pem");
    f->options.ca_file = cert;
    start_proxy(f, "--raw", NULL);
    must_pull(f);
    assert_int_equal(connections_that_are_over(f), 1);
}

static void http2_connections_that_break_are_got_over_H4(void **state)
{
    struct fixture *f = *state;
    make_image(f, "1", "--layer", "1000000", "--layer", "1000001", NULL);
    start_real_with_tls(f);
    int64_t size = fill(f, "");
    dr_auto_free char *cert = in_dir(f, "cert.pem");
    f->options.ca_file = cert;
    start_proxy(f, "--raw", "reset=300000", NULL);
    must_pull(f);
    assert_true(connections_that_are_over(f) >= 6);
    /* TLS, headers and manifests are in there too, and what waited behind the break */
    must(f, "awk '{ n += $8 } END { print n + 0 }' log");
    dr_auto_free char *path = in_dir(f, "out"), *text = read_all(path);
    assert_in_range(atoll(text), size, size * 2);
}

/* --- killed --- */

static void a_pull_that_is_killed_again_and_again_goes_on_H5(void **state)
{
    struct fixture *f = *state;
    make_image(f, "1", "--layer", "2000000", NULL);
    start_real(f, "");
    int64_t size = fill(f, "");
    start_proxy(f, "slow=2000000 GET /blobs/", NULL);
    dr_auto_free char *ref = dr_printf("127.0.0.1:%d/app:1", f->port);
    dr_auto_free char *out = in_dir(f, "fetched");
    const char *argv[] = {REGISTRY_FETCH,
                          "--store",
                          store_dir(f->store),
                          "--auth-file",
                          "",
                          ref,
                          out,
                          NULL};
    int kills = 0, status = -1;
    for (; kills < 40; kills++) {
        pid_t pid;
        assert_int_equal(
            posix_spawn(&pid, argv[0], NULL, NULL, (char *const *)argv, environ), 0);
        usleep(20000 + 10000 * (kills % 20));
        kill(pid, SIGKILL);
        waitpid(pid, &status, 0);
        if (WIFEXITED(status)) /* it was faster */
            break;
    }
    must_pull(f);
    /* each kill loses what was on its way: a few pieces of 64 KiB */
    assert_in_range(bytes_of_blobs(f), 1, size + (kills + 1) * 400000);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, line_teardown)
    const struct CMUnitTest tests[] = {
        TEST(many_resets_and_worn_out_tokens_cost_hardly_a_byte_H4),
        TEST(a_token_that_lives_for_seconds_is_fetched_anew_H4),
        TEST(each_way_to_break_off_is_got_over_H4),
        TEST(changed_bytes_are_found_H2),
        TEST(a_registry_that_cannot_go_on_begins_anew_once_H4),
        TEST(retry_after_is_obeyed_in_both_forms_or_told_at_once_H4),
        TEST(a_signed_redirect_gets_no_token_H4),
        TEST(a_token_server_in_trouble_is_waited_for_H4),
        TEST(a_mistyped_tag_is_answered_with_the_nearest_one),
        TEST(http2_brings_all_layers_by_one_connection),
        TEST(http2_connections_that_break_are_got_over_H4),
        TEST(a_pull_that_is_killed_again_and_again_goes_on_H5),
    };
    return cmocka_run_group_tests_name("registry line", tests, NULL, NULL);
}
