/* SPDX-License-Identifier: Apache-2.0 */
/* Pulling from a registry that is slow, breaks off, redirects and comes back: what
 * arrives is whole and verified, or nothing is (C09, C10, C11, H2, H4). */
#include "fixture.h"

#define MB "1000000"

static void pull_gets_everything_and_a_second_pull_asks_only_for_the_tag_C10(void **state)
{
    struct fixture *f = *state;
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    make_image(f, "1", "--layer", MB, "--layer", "10", "--layer", "2000:plain", NULL);
    start_registry(f, NULL);
    if (pull_image(f, "team/app:1", &err) < 0)
        fail_msg("%s", err.text);
    assert_int_equal(logged(f, "GET /v2/team/app/blobs/"),
                     4); /* three layers, one config */
    assert_int_equal(pull_image(f, "team/app:1", &err), 0);
    assert_int_equal(logged(f, "GET /v2/team/app/manifests/"), 2);
    assert_int_equal(logged(f, "GET /v2/team/app/blobs/"), 4);
    assert_int_equal(partials(f), 0);
}

static void pull_takes_docker_media_types(void **state)
{
    struct fixture *f = *state;
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    make_image(f, "1", "--docker", "--index", "amd64,arm64", "--layer", "100", NULL);
    start_registry(f, NULL);
    if (pull_image(f, "app:1", &err) < 0)
        fail_msg("%s", err.text);
}

static void an_image_without_layers_is_pulled(void **state)
{
    struct fixture *f = *state;
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    make_image(f, "1", NULL);
    start_registry(f, NULL);
    if (pull_image(f, "app:1", &err) < 0)
        fail_msg("%s", err.text);
}

static void the_same_layer_twice_is_fetched_once(void **state)
{
    struct fixture *f = *state;
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    make_image(f, "1", "--layer", MB, NULL);
    start_registry(f, NULL);
    struct registry *reg;
    dr_auto_image struct oci_image image = OCI_IMAGE_INIT;
    assert_int_equal(resolve_image(f, "app:1", "linux/amd64", &image, &err), 0);
    open_registry(f, "app:1", &reg);
    struct store_fetch *fetches[2];
    struct oci_descriptor descs[2] = {image.manifest.layers[0], image.manifest.layers[0]};
    for (int i = 0; i < 2; i++)
        assert_int_equal(store_blob_open(f->store, &descs[i].digest, descs[i].size_bytes,
                                         &fetches[i], &err),
                         0);
    if (registry_fetch_blobs(reg, fetches, descs, 2, &err) < 0)
        fail_msg("%s", err.text);
    assert_int_equal(logged(f, descs[0].digest.text), 1);
    store_fetch_close(fetches[0]);
    store_fetch_close(fetches[1]);
    registry_close(reg);
}

static void the_platform_of_the_guest_is_chosen_C09(void **state)
{
    struct fixture *f = *state;
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    dr_auto_image struct oci_image image = OCI_IMAGE_INIT;
    make_image(f, "1", "--index", "amd64,arm64,arm/v6,arm/v7", "--attest", "--layer",
               "10", NULL);
    start_registry(f, NULL);
    if (resolve_image(f, "app:1", "linux/arm/v7", &image, &err) < 0)
        fail_msg("%s", err.text);
    assert_string_equal(image.config.platform.arch, "arm");
    assert_string_equal(image.config.platform.variant, "v7");
    assert_true(image.index_digest.text[0]);
    assert_false(oci_digest_equal(&image.index_digest, &image.manifest_digest));
    oci_image_release(&image);
    assert_int_equal(resolve_image(f, "app:1", "linux/s390x", &image, &err), -1);
    assert_error(&err, DR_ERR_NOT_FOUND, 0,
                 "no image for linux/s390x, there are: linux/amd64, linux/arm64, "
                 "linux/arm/v6, linux/arm/v7");
}

static void an_image_without_an_index_must_fit_as_well_C09(void **state)
{
    struct fixture *f = *state;
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    dr_auto_image struct oci_image image = OCI_IMAGE_INIT;
    make_image(f, "1", "--arch", "s390x", NULL);
    start_registry(f, NULL);
    assert_int_equal(resolve_image(f, "app:1", "linux/amd64", &image, &err), -1);
    assert_error(&err, DR_ERR_NOT_FOUND, 0,
                 "no image for linux/amd64, there is only: linux/s390x");
}

static void indexes_nest_four_deep_and_no_deeper_H2(void **state)
{
    struct fixture *f = *state;
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    dr_auto_image struct oci_image image = OCI_IMAGE_INIT;
    make_image(f, "4", "--index", "amd64", "--nested", "3", NULL);
    make_image(f, "5", "--index", "amd64", "--nested", "4", NULL);
    start_registry(f, NULL);
    if (resolve_image(f, "app:4", "linux/amd64", &image, &err) < 0)
        fail_msg("%s", err.text);
    oci_image_release(&image);
    assert_int_equal(resolve_image(f, "app:5", "linux/amd64", &image, &err), -1);
    assert_error(&err, DR_ERR_FORMAT, 0, "indexes inside of indexes, more than 4 deep");
}

static void a_digest_is_pulled_and_comes_from_the_cache_then(void **state)
{
    struct fixture *f = *state;
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    dr_auto_image struct oci_image image = OCI_IMAGE_INIT;
    make_image(f, "1", "--layer", "10", NULL);
    start_registry(f, NULL);
    assert_int_equal(resolve_image(f, "app:1", "linux/amd64", &image, &err), 0);
    /* the tag is whatever it is: the digest counts */
    dr_auto_free char *name = dr_printf("app:nonsense@%s", image.manifest_digest.text);
    if (pull_image(f, name, &err) < 0)
        fail_msg("%s", err.text);
    size_t before = logged(f, "main");
    assert_int_equal(pull_image(f, name, &err), 0);
    assert_int_equal(logged(f, "main"), before);
}

static void the_digest_of_a_tag_is_had_by_head_C07(void **state)
{
    static const char *const faults[] = {"delay=0", "head-refused", "head-refused=403",
                                         "no-digest-header"};
    struct fixture *f = *state;
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    dr_auto_image struct oci_image image = OCI_IMAGE_INIT;
    make_image(f, "1", "--index", "amd64", "--layer", "10", NULL);
    for (size_t i = 0; i < DR_COUNT(faults); i++) {
        struct registry *reg;
        struct oci_digest digest;
        start_registry(f, "--fault", faults[i], NULL);
        oci_image_release(&image);
        assert_int_equal(resolve_image(f, "app:1", "linux/amd64", &image, &err), 0);
        open_registry(f, "app:1", &reg);
        if (registry_head_digest(reg, &digest, &err) < 0)
            fail_msg("%s: %s", faults[i], err.text);
        assert_string_equal(digest.text, image.index_digest.text);
        registry_close(reg);
        open_registry(f, "app:2", &reg);
        assert_int_equal(registry_head_digest(reg, &digest, &err), -1);
        assert_int_equal(err.kind, DR_ERR_NOT_FOUND);
        dr_error_release(&err);
        registry_close(reg);
    }
}

/* What a tag meant is known: it is asked once, by HEAD, whether it still does (C07). */
static void an_unchanged_tag_costs_one_head_C07(void **state)
{
    static const char *const indexes[] = {"amd64", ""};
    struct fixture *f = *state;
    for (size_t i = 0; i < DR_COUNT(indexes); i++) {
        dr_auto_error struct dr_error err = DR_ERROR_INIT;
        dr_auto_image struct oci_image image = OCI_IMAGE_INIT;
        dr_auto_free char *size = dr_printf("%zu", 700 + i);
        struct registry *reg;
        struct oci_platform platform;
        assert_int_equal(oci_platform_parse("linux/amd64", &platform, &err), 0);
        make_image(f, "1", "--layer", size, indexes[i][0] ? "--index" : NULL, indexes[i],
                   NULL);
        start_registry(f, NULL);
        assert_int_equal(resolve_image(f, "app:1", "linux/amd64", &image, &err), 0);
        struct oci_digest known = image.manifest_digest;
        oci_image_release(&image);
        size_t before = logged(f, "main");
        open_registry(f, "app:1", &reg);
        assert_int_equal(registry_resolve(reg, &platform, &known, &image, &err), 1);
        registry_close(reg);
        assert_int_equal(logged(f, "main") - before, 1);
        assert_int_equal(logged(f, "HEAD /v2/app/manifests/1"), 1);
        /* another one is known: what there is now comes */
        oci_digest_of("x", 1, &known);
        open_registry(f, "app:1", &reg);
        if (registry_resolve(reg, &platform, &known, &image, &err) != 0)
            fail_msg("%s", err.text);
        registry_close(reg);
        assert_true(image.config_raw != NULL);
        /* and where HEAD is not to be had */
        known = image.manifest_digest;
        oci_image_release(&image);
        start_registry(f, "--fault", "head-refused", NULL);
        open_registry(f, "app:1", &reg);
        assert_int_equal(registry_resolve(reg, &platform, &known, &image, &err), 1);
        registry_close(reg);
        assert_int_equal(logged(f, "main"), 2);
    }
}

/* --- a bad line --- */

static void a_broken_download_goes_on_where_it_broke_H4(void **state)
{
    static const char *const faults[] = {"truncate=300000@2", "reset=300000@1",
                                         "stall=300000@1", "drop@1"};
    struct fixture *f = *state;
    for (size_t i = 0; i < DR_COUNT(faults); i++) {
        dr_auto_error struct dr_error err = DR_ERROR_INIT;
        dr_auto_free char *size = dr_printf("%zu", 1000000 + i);
        make_image(f, "1", "--layer", size, NULL);
        start_registry(f, "--fault", faults[i], NULL);
        if (pull_image(f, "app:1", &err) < 0)
            fail_msg("%s: %s", faults[i], err.text);
        if (strncmp(faults[i], "truncate", 8) == 0) {
            assert_int_equal(logged(f, "bytes=300000-"), 1);
            assert_int_equal(logged(f, "bytes=600000-"), 1);
        }
    }
}

static void a_registry_without_ranges_starts_over_H4(void **state)
{
    struct fixture *f = *state;
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    make_image(f, "1", "--layer", MB, NULL);
    start_registry(f, "--fault", "truncate=300000@1", "--fault", "no-range", NULL);
    if (pull_image(f, "app:1", &err) < 0)
        fail_msg("%s", err.text);
}

static void a_part_is_asked_for_under_a_strong_etag_only_H4(void **state)
{
    static const struct {
        const char *fault;
        size_t asked;
    } cases[] = {{"etag=strong", 1}, {"etag=W/weak", 0}};
    struct fixture *f = *state;
    for (size_t i = 0; i < DR_COUNT(cases); i++) {
        dr_auto_error struct dr_error err = DR_ERROR_INIT;
        dr_auto_free char *size = dr_printf("%zu", 1000000 + i);
        make_image(f, "1", "--layer", size, NULL);
        start_registry(f, "--fault", "truncate=300000@1", "--fault", cases[i].fault,
                       NULL);
        if (pull_image(f, "app:1", &err) < 0)
            fail_msg("%s", err.text);
        assert_int_equal(logged(f, "bytes=300000-"), 1);
        assert_int_equal(logged(f, "+if-range"), cases[i].asked);
    }
}

/* The first one sends us elsewhere, where it breaks; then it gives the rest itself: its
 * tags are no word about what came from there (RFC 9110 section 13.1.5). */
static void an_etag_is_for_the_place_that_it_came_from_H4(void **state)
{
    struct fixture *f = *state;
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    make_image(f, "1", "--layer", MB, NULL);
    f->options.max_parallel = 1;
    start_registry(f, NULL);
    dr_auto_image struct oci_image image = OCI_IMAGE_INIT;
    assert_int_equal(resolve_image(f, "app:1", "linux/amd64", &image, &err), 0);
    start_registry(f, "--fault", "redirect@1", "--fault", "truncate=300000@1", "--fault",
                   "etag=same", NULL);
    if (pull_image(f, "app:1", &err) < 0)
        fail_msg("%s", err.text);
    assert_int_equal(logged(f, "side GET"), 1);
    assert_int_equal(logged(f, " 206 - bytes=300000-\n"), 1);
    assert_int_equal(logged(f, " 206 - bytes=600000-+if-range\n"), 1);
}

static void a_part_that_nobody_asked_for_is_refused_H4(void **state)
{
    struct fixture *f = *state;
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    make_image(f, "1", "--layer", MB, NULL);
    start_registry(f, NULL);
    dr_auto_image struct oci_image image = OCI_IMAGE_INIT;
    assert_int_equal(resolve_image(f, "app:1", "linux/amd64", &image, &err), 0);
    start_registry(f, "--fault", "unasked-part", NULL);
    assert_int_equal(pull_image(f, "app:1", &err), -1);
    assert_error(&err, DR_ERR_FORMAT, 206, "sends another part ('bytes 0-");
}

static void a_registry_that_refuses_a_part_gives_the_whole_H4(void **state)
{
    struct fixture *f = *state;
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    make_image(f, "1", "--layer", MB, NULL);
    start_registry(f, "--fault", "truncate=300000@1", "--fault", "range-refused", NULL);
    if (pull_image(f, "app:1", &err) < 0)
        fail_msg("%s", err.text);
    assert_int_equal(logged(f, " 416 "), 1);
}

static void another_range_than_asked_for_is_refused_H4(void **state)
{
    struct fixture *f = *state;
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    make_image(f, "1", "--layer", MB, NULL);
    start_registry(f, "--fault", "truncate=300000@1", "--fault", "bad-range", NULL);
    assert_int_equal(pull_image(f, "app:1", &err), -1);
    assert_error(&err, DR_ERR_FORMAT, 206,
                 "the registry sends another part ('bytes 300001-");
}

static void a_download_that_always_breaks_fails_and_the_next_pull_goes_on(void **state)
{
    struct fixture *f = *state;
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    make_image(f, "1", "--layer", MB, NULL);
    start_registry(f, "--fault", "truncate=40000", NULL);
    assert_int_equal(pull_image(f, "app:1", &err), -1);
    assert_error(&err, DR_ERR_PULL, 206, "broke the connection");
    assert_int_equal(partials(f), 1);
    start_registry(f, NULL);
    if (pull_image(f, "app:1", &err) < 0)
        fail_msg("%s", err.text);
    assert_int_equal(logged(f, "bytes=120000-"), 1);
    assert_int_equal(partials(f), 0);
}

static void passing_troubles_are_waited_out_H4(void **state)
{
    static const char *const codes[] = {"408", "429", "500", "502", "503", "504"};
    struct fixture *f = *state;
    for (size_t i = 0; i < DR_COUNT(codes); i++) {
        dr_auto_error struct dr_error err = DR_ERROR_INIT;
        dr_auto_free char *size = dr_printf("%zu", 100 + i);
        dr_auto_free char *fault = dr_printf("status=%s@1", codes[i]);
        make_image(f, "1", "--layer", size, NULL);
        start_registry(f, "--fault", fault, NULL);
        if (pull_image(f, "app:1", &err) < 0)
            fail_msg("%s: %s", codes[i], err.text);
    }
}

static void retry_after_is_obeyed_H4(void **state)
{
    struct fixture *f = *state;
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    make_image(f, "1", NULL);
    start_registry(f, "--fault", "manifest-status=429@1", "--fault", "retry-after=1",
                   NULL);
    int64_t start = dr_clock_ms();
    if (pull_image(f, "app:1", &err) < 0)
        fail_msg("%s", err.text);
    assert_in_range(dr_clock_ms() - start, 1000, 5000);
}

static void a_retry_after_beyond_the_deadline_is_told_at_once_H4(void **state)
{
    struct fixture *f = *state;
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    make_image(f, "1", NULL);
    start_registry(f, "--fault", "status=429", "--fault", "retry-after=600", NULL);
    int64_t start = dr_clock_ms();
    assert_int_equal(pull_image(f, "app:1", &err), -1);
    assert_in_range(dr_clock_ms() - start, 0, 900);
    assert_error(&err, DR_ERR_PULL, 429,
                 "too many requests (429): try again in 600 s (at 2");
    /* the other form, a date */
    start_registry(f, "--fault", "status=429", "--fault",
                   "retry-after=Fri, 31 Dec 2100 23:59:59 GMT", NULL);
    assert_int_equal(pull_image(f, "app:1", &err), -1);
    assert_error(&err, DR_ERR_PULL, 429, "too many requests (429): try again in ");
}

static void a_cancelled_pull_ends_at_once_and_keeps_what_it_has(void **state)
{
    struct fixture *f = *state;
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    atomic_bool cancel = true;
    dr_auto_image struct oci_image image = OCI_IMAGE_INIT;
    make_image(f, "1", "--layer", MB, NULL);
    start_registry(f, NULL);
    f->options.cancel = &cancel;
    assert_int_equal(resolve_image(f, "app:1", "linux/amd64", &image, &err), -1);
    assert_error(&err, DR_ERR_CANCELLED, 0, "cancelled");
}

struct cancelling {
    atomic_bool flag;
    size_t told;
};

static void cancel_in_the_middle(void *context, const struct registry_progress *p)
{
    struct cancelling *c = context;
    c->told++;
    if (p->state == REGISTRY_BLOB_LOADING && p->done_bytes > 50000)
        atomic_store(&c->flag, true);
}

static void cancel_from_progress_leaves_a_partial_that_is_continued(void **state)
{
    struct fixture *f = *state;
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    struct cancelling c = {0};
    make_image(f, "1", "--layer", MB, NULL);
    start_registry(f, "--fault", "slow=400000", NULL);
    f->options.cancel = &c.flag;
    f->options.progress = cancel_in_the_middle;
    f->options.context = &c;
    assert_int_equal(pull_image(f, "app:1", &err), -1);
    assert_error(&err, DR_ERR_CANCELLED, 0, "cancelled");
    assert_int_equal(partials(f), 1);
    f->options.cancel = NULL;
    f->options.progress = NULL;
    start_registry(f, NULL);
    assert_int_equal(pull_image(f, "app:1", &err), 0);
    assert_int_equal(logged(f, "bytes="), 1);
}

/* --- redirects --- */

static void a_redirect_to_another_host_gets_no_authorization_H4(void **state)
{
    static const char *const kinds[] = {"basic", "token"};
    struct fixture *f = *state;
    for (size_t i = 0; i < DR_COUNT(kinds); i++) {
        dr_auto_error struct dr_error err = DR_ERROR_INIT;
        dr_auto_free char *size = dr_printf("%zu", 5000 + i);
        make_image(f, "1", "--layer", size, NULL);
        start_registry(f, "--auth", kinds[i], "--user", "ann", "--password", "secret",
                       "--fault", "redirect", NULL);
        f->options.user = "ann";
        f->options.password = "secret";
        if (pull_image(f, "app:1", &err) < 0)
            fail_msg("%s", err.text);
        assert_int_equal(logged(f, "side GET"), 2);
        assert_int_equal(logged(f, "side GET"), logged(f, "?sig=1 200 - -"));
        assert_true(logged(f, i == 0 ? "Basic:" : "Bearer:") > 0);
    }
}

static void endless_redirects_are_refused_H4(void **state)
{
    struct fixture *f = *state;
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    make_image(f, "1", NULL);
    start_registry(f, "--fault", "redirect-loop", NULL);
    assert_int_equal(pull_image(f, "app:1", &err), -1);
    assert_error(&err, DR_ERR_PULL, 302, "redirects more than 10 times");
    assert_int_equal(logged(f, "main GET"), 11);
}

static void redirects_to_other_schemes_and_with_users_are_refused_H4(void **state)
{
    static const struct {
        const char *to, *text;
    } cases[] = {
        {"redirect-to=file:///etc/passwd", "is not an http or https URL"},
        {"redirect-to=ftp://host/x", "is not an http or https URL"},
        {"redirect-to=http://user:pass@host/x", "a URL has a user name in it"},
    };
    struct fixture *f = *state;
    make_image(f, "1", NULL);
    for (size_t i = 0; i < DR_COUNT(cases); i++) {
        dr_auto_error struct dr_error err = DR_ERROR_INIT;
        start_registry(f, "--fault", cases[i].to, NULL);
        assert_int_equal(pull_image(f, "app:1", &err), -1);
        assert_error(&err, DR_ERR_PULL, 0, cases[i].text);
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(pull_gets_everything_and_a_second_pull_asks_only_for_the_tag_C10),
        TEST(pull_takes_docker_media_types),
        TEST(an_image_without_layers_is_pulled),
        TEST(the_same_layer_twice_is_fetched_once),
        TEST(the_platform_of_the_guest_is_chosen_C09),
        TEST(an_image_without_an_index_must_fit_as_well_C09),
        TEST(indexes_nest_four_deep_and_no_deeper_H2),
        TEST(a_digest_is_pulled_and_comes_from_the_cache_then),
        TEST(the_digest_of_a_tag_is_had_by_head_C07),
        TEST(an_unchanged_tag_costs_one_head_C07),
        TEST(a_broken_download_goes_on_where_it_broke_H4),
        TEST(a_registry_without_ranges_starts_over_H4),
        TEST(a_part_is_asked_for_under_a_strong_etag_only_H4),
        TEST(an_etag_is_for_the_place_that_it_came_from_H4),
        TEST(a_part_that_nobody_asked_for_is_refused_H4),
        TEST(a_registry_that_refuses_a_part_gives_the_whole_H4),
        TEST(another_range_than_asked_for_is_refused_H4),
        TEST(a_download_that_always_breaks_fails_and_the_next_pull_goes_on),
        TEST(passing_troubles_are_waited_out_H4),
        TEST(retry_after_is_obeyed_H4),
        TEST(a_retry_after_beyond_the_deadline_is_told_at_once_H4),
        TEST(a_cancelled_pull_ends_at_once_and_keeps_what_it_has),
        TEST(cancel_from_progress_leaves_a_partial_that_is_continued),
        TEST(a_redirect_to_another_host_gets_no_authorization_H4),
        TEST(endless_redirects_are_refused_H4),
        TEST(redirects_to_other_schemes_and_with_users_are_refused_H4),
    };
    return cmocka_run_group_tests_name("registry pull", tests, NULL, NULL);
}
