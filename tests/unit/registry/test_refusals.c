/* SPDX-License-Identifier: Apache-2.0 */
/* What a registry can answer wrongly, and the line that the user reads then (H2, H4). */
#include "fixture.h"
#include "registry/internal.h"

static void each_status_has_its_reason_and_advice_H4(void **state)
{
    static const struct {
        const char *fault;
        enum dr_kind kind;
        int code;
        const char *text;
    } cases[] = {
        {"status=401", DR_ERR_PULL, 401,
         "denies access (401): the image does not exist, or a login is needed: dray "
         "login 127.0.0.1:"},
        {"status=403", DR_ERR_PULL, 403,
         "denies access (403): the image does not exist, or a login is needed: dray "
         "login 127.0.0.1:"},
        {"status=404", DR_ERR_NOT_FOUND, 404,
         "has no such image or tag (404): check the name"},
        {"blob-status=404", DR_ERR_PULL, 404,
         "does not have it (404): the image is incomplete there"},
        {"status=429", DR_ERR_PULL, 429,
         "has had too many requests (429): try again later, or log in"},
        {"status=500", DR_ERR_PULL, 500, "is in trouble (500): try again later"},
        {"status=503", DR_ERR_PULL, 503, "is in trouble (503): try again later"},
        {"status=418", DR_ERR_PULL, 418, "answers with the status 418"},
    };
    struct fixture *f = *state;
    make_image(f, "1", "--layer", "10", NULL);
    for (size_t i = 0; i < DR_COUNT(cases); i++) {
        dr_auto_error struct dr_error err = DR_ERROR_INIT;
        start_registry(f, "--fault", cases[i].fault, NULL);
        assert_int_equal(pull_image(f, "app:1", &err), -1);
        assert_int_equal(err.origin, DR_AT_REGISTRY);
        /* what was asked for, who refuses it, and its own words at the end */
        dr_auto_free char *front = dr_printf("127.0.0.1:%d/app:1: ", f->port);
        dr_auto_free char *text = dr_printf("127.0.0.1:%d %s", f->port, cases[i].text);
        assert_int_equal(strncmp(err.text, front, strlen(front)), 0);
        assert_text(&err, ": requested access to the resource is denied]");
        assert_error(&err, cases[i].kind, cases[i].code, text);
    }
}

static void passing_troubles_are_tried_three_times_others_once_H4(void **state)
{
    struct fixture *f = *state;
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    make_image(f, "1", NULL);
    start_registry(f, "--fault", "status=503", NULL);
    assert_int_equal(pull_image(f, "app:1", &err), -1);
    dr_error_release(&err);
    assert_int_equal(logged(f, " 503 "), 3);
    start_registry(f, "--fault", "status=403", NULL);
    assert_int_equal(pull_image(f, "app:1", &err), -1);
    assert_int_equal(logged(f, " 403 "), 1);
}

static void words_of_the_registry_are_escaped_and_bounded_H3(void **state)
{
    struct fixture *f = *state;
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    char words[2000] = "error=CO\033DE:\033[31mred\nline ";
    memset(words + strlen(words), 'x', 1500);
    make_image(f, "1", NULL);
    start_registry(f, "--fault", "status=403", "--fault", words, NULL);
    assert_int_equal(pull_image(f, "app:1", &err), -1);
    assert_true(strlen(err.text) < 600);
    assert_error(&err, DR_ERR_PULL, 403, "[CO\\x1bDE: \\x1b[31mred line xxx");
    char raw[] = "error-raw=\033]0;title\a plain words";
    start_registry(f, "--fault", "status=403", "--fault", raw, NULL);
    assert_int_equal(pull_image(f, "app:1", &err), -1);
    assert_error(&err, DR_ERR_PULL, 403, "[\\x1b]0;title\\x07 plain words]");
    start_registry(f, "--fault", "status=403", "--fault", "error-raw=<html>x</html>",
                   NULL);
    assert_int_equal(pull_image(f, "app:1", &err), -1);
    assert_text(&err, "or a login is needed");
    assert_null(strchr(err.text, '<'));
}

static void wrong_bytes_are_refused_and_nothing_is_kept_H2(void **state)
{
    static const struct {
        const char *fault;
        enum dr_kind kind;
        int code;
        const char *text;
    } cases[] = {
        {"longer=1000", DR_ERR_FORMAT, 200, "sends more than the"},
        {"longer-chunked=1000", DR_ERR_FORMAT, 200, "sends more than the"},
        {"shorter=5", DR_ERR_FORMAT, 0,
         "the registry sent wrong bytes: the image config"},
        {"wrong-digest", DR_ERR_FORMAT, 0,
         "the registry sent wrong bytes: the image config should be sha256:"},
        {"huge-manifest", DR_ERR_FORMAT, 200, "sends more than the 4194304 bytes"},
        {"wrong-digest-header", DR_ERR_FORMAT, 0,
         "the registry sent wrong bytes: the manifest should be"},
    };
    struct fixture *f = *state;
    make_image(f, "1", "--layer", "10000", NULL);
    for (size_t i = 0; i < DR_COUNT(cases); i++) {
        dr_auto_error struct dr_error err = DR_ERROR_INIT;
        struct store_usage usage;
        start_registry(f, "--fault", cases[i].fault, NULL);
        assert_int_equal(pull_image(f, "app:1", &err), -1);
        assert_error(&err, cases[i].kind, cases[i].code, cases[i].text);
        assert_int_equal(store_usage(f->store, &usage, &err), 0);
        assert_int_equal(usage.partials, 0);
        assert_true(usage.blobs <= 1); /* the manifest was right in some */
    }
}

/* The config is in the cache already: now it is the layers' turn. */
static void wrong_layers_are_refused_and_nothing_is_kept_H2(void **state)
{
    static const struct {
        const char *fault;
        int code;
        const char *text;
    } cases[] = {
        {"longer=1000", 200, "bytes, but the manifest says"},
        {"longer-chunked=1000", 0, "more bytes came than the"},
        {"shorter=5", 200, "bytes, but the manifest says"},
        {"wrong-digest", 0, "the bytes that came have the digest sha256:"},
    };
    struct fixture *f = *state;
    make_image(f, "1", "--layer", "100000", "--layer", "10", NULL);
    for (size_t i = 0; i < DR_COUNT(cases); i++) {
        dr_auto_error struct dr_error err = DR_ERROR_INIT;
        dr_auto_image struct oci_image image = OCI_IMAGE_INIT;
        start_registry(f, NULL);
        assert_int_equal(resolve_image(f, "app:1", "linux/amd64", &image, &err), 0);
        start_registry(f, "--fault", cases[i].fault, NULL);
        assert_int_equal(pull_image(f, "app:1", &err), -1);
        assert_text(&err, "layer sha256:");
        assert_error(&err, DR_ERR_FORMAT, cases[i].code, cases[i].text);
        for (size_t l = 0; l < image.manifest.n_layers; l++) {
            dr_auto_free char *path =
                dr_printf("%s/store/blobs/sha256/%s", f->dir,
                          oci_digest_hex(&image.manifest.layers[l].digest));
            assert_int_equal(access(path, F_OK), -1);
        }
        struct store_usage freed;
        assert_int_equal(store_prune(f->store, 1 << 30, 0, &freed, &err), 0);
    }
}

static void a_manifest_behind_an_index_is_pinned_by_its_digest_H2(void **state)
{
    struct fixture *f = *state;
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    make_image(f, "1", "--index", "amd64", NULL);
    start_registry(f, "--fault", "wrong-manifest", NULL);
    assert_int_equal(pull_image(f, "app:1", &err), -1);
    assert_error(&err, DR_ERR_FORMAT, 200, "bytes that there should be");
}

static void manifests_that_are_not_images_are_refused_with_the_reason_H2(void **state)
{
    static const struct {
        const char *manifest, *type;
        enum dr_kind kind;
        const char *text;
    } cases[] = {
        {"{\"schemaVersion\":1,\"name\":\"x\",\"fsLayers\":[]}",
         "application/vnd.docker.distribution.manifest.v1+prettyjws", DR_ERR_UNSUPPORTED,
         "it is a Docker schema 1 manifest"},
        {"{\"schemaVersion\":1,\"fsLayers\":[]}", "application/json", DR_ERR_UNSUPPORTED,
         "it is a Docker schema 1 manifest"},
        {"{\"schemaVersion\":2,\"layers\":[],\"config\":{},\"manifests\":[]}",
         "application/vnd.oci.image.manifest.v1+json", DR_ERR_FORMAT,
         "both 'layers' and 'manifests'"},
        {"{\"schemaVersion\":2,\"manifests\":[]}",
         "application/vnd.oci.image.manifest.v1+json", DR_ERR_FORMAT,
         "Content-Type says 'application/vnd.oci.image.manifest.v1+json', but it is an "
         "index"},
        {"{\"schemaVersion\":2,\"manifests\":[]}",
         "application/vnd.oci.image.index.v1+json", DR_ERR_NOT_FOUND,
         "the index offers none at all"},
        {"<html>", "text/html", DR_ERR_FORMAT, "JSON line 1"},
        {"", "application/json", DR_ERR_FORMAT, "JSON"},
        {"{\"schemaVersion\":2,\"config\":{\"mediaType\":\"application/"
         "vnd.cncf.helm.config.v1+json\","
         "\"digest\":\"sha256:"
         "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\","
         "\"size\":0},\"layers\":[]}",
         "application/vnd.oci.image.manifest.v1+json", DR_ERR_UNSUPPORTED,
         "not a container image: its config has the type 'application/vnd.cncf.helm"},
    };
    struct fixture *f = *state;
    make_image(f, "1", NULL);
    dr_auto_free char *path = in_dir(f, "manifest");
    dr_auto_free char *fault = dr_printf("manifest=%s", path);
    for (size_t i = 0; i < DR_COUNT(cases); i++) {
        dr_auto_error struct dr_error err = DR_ERROR_INIT;
        dr_auto_free char *type = dr_printf("content-type=%s", cases[i].type);
        write_all(path, cases[i].manifest);
        start_registry(f, "--fault", fault, "--fault", type, NULL);
        assert_int_equal(pull_image(f, "app:1", &err), -1);
        assert_text(&err, "/app:1: ");
        assert_error(&err, cases[i].kind, 0, cases[i].text);
        assert_int_equal(logged(f, "/blobs/"), 0);
    }
}

static void hosts_that_are_not_registries_are_told_apart(void **state)
{
    struct fixture *f = *state;
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    make_image(f, "1", NULL);
    f->port = 1;
    assert_int_equal(pull_image(f, "app:1", &err), -1);
    assert_error(
        &err, DR_ERR_PULL, 0,
        "cannot connect to 127.0.0.1:1: Connection refused: is the registry running");
    start_registry(f, "--fault", "garbage", NULL);
    assert_int_equal(pull_image(f, "app:1", &err), -1);
    assert_error(&err, DR_ERR_PULL, 0, "app:1: 127.0.0.1:");
    start_registry(f, "--fault", "drop", NULL);
    assert_int_equal(pull_image(f, "app:1", &err), -1);
    assert_error(&err, DR_ERR_PULL, 0, "broke the connection");

    struct registry *reg;
    dr_auto_ref struct oci_ref ref = OCI_REF_INIT;
    struct oci_digest digest;
    assert_int_equal(oci_ref_parse("no-such-host.invalid/x", &ref, &err), 0);
    assert_int_equal(registry_open(&ref, &f->options, &reg, &err), 0);
    assert_int_equal(registry_head_digest(reg, &digest, &err), -1);
    assert_error(
        &err, DR_ERR_PULL, 0,
        "no-such-host.invalid/x:latest: the host no-such-host.invalid is not known");
    registry_close(reg);
}

static void a_registry_that_says_nothing_is_dropped_H4(void **state)
{
    struct fixture *f = *state;
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    make_image(f, "1", "--layer", "10", NULL);
    start_registry(f, "--fault", "delay=60000", NULL);
    f->options.tries = 1;
    int64_t start = dr_clock_ms();
    assert_int_equal(pull_image(f, "app:1", &err), -1);
    assert_in_range(dr_clock_ms() - start, 500, 8000);
    assert_error(&err, DR_ERR_TIMEOUT, 0, "does not answer");
}

/* 301 to 303 make a GET of a request, or leave it as it is: nobody knows (RFC 9110). */
static void what_is_sent_goes_on_by_307_and_308_only_H4(void **state)
{
    static const int statuses[] = {301, 302, 303, 307, 308};
    struct fixture *f = *state;
    f->options.tries = 1;
    make_image(f, "1", NULL);
    for (size_t i = 0; i < DR_COUNT(statuses); i++) {
        dr_auto_error struct dr_error err = DR_ERROR_INIT;
        dr_auto_free char *status = dr_printf("redirect-status=%d", statuses[i]);
        struct registry *reg;
        start_registry(f, "--fault", status, "--fault", "redirect-to=http://127.0.0.1:1/",
                       NULL);
        open_registry(f, "app:1", &reg);
        struct exchange x = {.reg = reg,
                             .path = "/v2/app/manifests/1",
                             .method = "PUT",
                             .content_type = "application/json",
                             .body = "{}",
                             .body_len = 2};
        assert_int_equal(exchange_run(&x, &err), -1);
        exchange_release(&x);
        registry_close(reg);
        if (statuses[i] < 307)
            assert_error(&err, DR_ERR_PULL, statuses[i], "answers with the status 30");
        else
            assert_error(&err, DR_ERR_PULL, 0, "cannot connect to 127.0.0.1:");
        assert_int_equal(logged(f, "main PUT"), 1);
    }
}

/* Only loopback is spoken to without TLS, unless it was asked for. */
static void plain_http_needs_loopback_or_a_word_C08(void **state)
{
    static const struct {
        const char *ref;
        bool insecure, ca, https;
    } cases[] = {
        {"127.0.0.1:5000/x", false, false, false},
        {"localhost/x", false, false, false},
        {"127.9.9.9/x", false, false, false},
        {"[::1]:5000/x", false, false, false},
        {"localhost:5000/x", false, true, true},
        {"alpine", false, false, true},
        {"128.0.0.1:5000/x", false, false, true},
        {"example.com/x", false, false, true},
        {"localhost.example.com/x", false, false, true},
        {"example.com/x", true, false, true}, /* first */
        {"127.0.0.1:5000/x", true, true, false},
        {"127.0.0.1.example.com/x", false, false, true},
        {"10.0.0.1/x", false, false, true},
    };
    struct fixture *f = *state;
    dr_auto_free char *ca = in_dir(f, "ca.pem");
    write_all(ca, "-----BEGIN CERTIFICATE-----\n");
    for (size_t i = 0; i < DR_COUNT(cases); i++) {
        dr_auto_error struct dr_error err = DR_ERROR_INIT;
        dr_auto_ref struct oci_ref ref = OCI_REF_INIT;
        struct registry *reg;
        f->options.insecure = cases[i].insecure;
        f->options.ca_file = cases[i].ca ? ca : NULL;
        assert_int_equal(oci_ref_parse(cases[i].ref, &ref, &err), 0);
        assert_int_equal(registry_open(&ref, &f->options, &reg, &err), 0);
        if (reg->origin.https != cases[i].https)
            fail_msg("%s", cases[i].ref);
        if (cases[i].https && reg->guessing != cases[i].insecure)
            fail_msg("%s: %d", cases[i].ref, reg->guessing);
        registry_close(reg);
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(each_status_has_its_reason_and_advice_H4),
        TEST(passing_troubles_are_tried_three_times_others_once_H4),
        TEST(words_of_the_registry_are_escaped_and_bounded_H3),
        TEST(wrong_bytes_are_refused_and_nothing_is_kept_H2),
        TEST(wrong_layers_are_refused_and_nothing_is_kept_H2),
        TEST(a_manifest_behind_an_index_is_pinned_by_its_digest_H2),
        TEST(manifests_that_are_not_images_are_refused_with_the_reason_H2),
        TEST(hosts_that_are_not_registries_are_told_apart),
        TEST(a_registry_that_says_nothing_is_dropped_H4),
        TEST(what_is_sent_goes_on_by_307_and_308_only_H4),
        TEST(plain_http_needs_loopback_or_a_word_C08),
    };
    return cmocka_run_group_tests_name("registry refusals", tests, NULL, NULL);
}
