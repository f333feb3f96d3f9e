/* SPDX-License-Identifier: Apache-2.0 */
/* H4: mirrors are asked first, never with somebody else's credentials, and what they
 * cannot give comes from the registry. */
#include "fixture.h"

struct pair {
    struct fixture *f, *mirror; /* two registries; the mirror's fixture has no store */
    char *conf;
};

static int pair_setup(void **state)
{
    struct pair *p = dr_alloc(sizeof *p);
    setup((void **)&p->f);
    setup((void **)&p->mirror);
    p->conf = in_dir(p->f, "registries.conf");
    p->f->options.registries_conf = p->conf;
    p->f->options.tries = 2;
    dr_auto_free char *xdg = in_dir(p->f, "xdg");
    setenv("XDG_CONFIG_HOME", xdg, 1);
    *state = p;
    return 0;
}

static int pair_teardown(void **state)
{
    struct pair *p = *state;
    teardown((void **)&p->f);
    teardown((void **)&p->mirror);
    free(p->conf);
    free(p);
    return 0;
}

static void write_conf(struct pair *p)
{
    dr_auto_free char *text =
        dr_printf("[[registry]]\nlocation = '127.0.0.1:%d'\n"
                  "[[registry.mirror]]\nlocation = '127.0.0.1:1/nobody'\n"
                  "[[registry.mirror]]\nlocation = '127.0.0.1:%d/copy'\n",
                  p->f->port, p->mirror->port);
    write_all(p->conf, text);
}

static void make_both(struct pair *p)
{
    /* the same words make the same bytes */
    make_image(p->f, "1", "--layer", "1000", "--layer", "300000", NULL);
    make_image(p->mirror, "1", "--layer", "1000", "--layer", "300000", NULL);
}

static void assert_pulled(struct pair *p)
{
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    if (pull_image(p->f, "app:1", &err) < 0)
        fail_msg("%s", err.text);
}

static void a_mirror_gives_all_of_the_image(void **state)
{
    struct pair *p = *state;
    make_both(p);
    start_registry(p->f, NULL);
    start_registry(p->mirror, NULL);
    write_conf(p);
    assert_pulled(p);
    assert_int_equal(logged(p->f, "main"), 0);
    assert_int_equal(logged(p->mirror, "GET /v2/copy/app/blobs/"), 3);
}

static void a_mirror_without_the_image_is_passed_over(void **state)
{
    static const char *const faults[] = {"status=404", "status=503",    "drop",
                                         "garbage",    "huge-manifest", "wrong-manifest"};
    struct pair *p = *state;
    make_both(p);
    for (size_t i = 0; i < DR_COUNT(faults); i++) {
        start_registry(p->f, NULL);
        start_registry(p->mirror, "--fault", faults[i], NULL);
        write_conf(p);
        struct registry *reg;
        struct oci_platform platform;
        dr_auto_error struct dr_error err = DR_ERROR_INIT;
        dr_auto_image struct oci_image image = OCI_IMAGE_INIT;
        p->f->options.store = NULL; /* each time anew */
        open_registry(p->f, "app:1", &reg);
        assert_int_equal(oci_platform_parse("linux/amd64", &platform, &err), 0);
        if (registry_resolve(reg, &platform, NULL, &image, &err) < 0)
            fail_msg("%s: %s", faults[i], err.text);
        registry_close(reg);
    }
}

static void a_blob_that_a_mirror_cannot_give_comes_from_the_registry(void **state)
{
    static const struct {
        const char *fault;
        size_t manifests; /* asked of the registry: the config is a blob, too */
    } cases[] = {{"truncate=5000", 0}, {"blob-status=404", 1}, {"longer=3", 1}};
    struct pair *p = *state;
    make_both(p);
    start_registry(p->f, NULL);
    for (size_t i = 0; i < DR_COUNT(cases); i++) {
        dr_auto_error struct dr_error err = DR_ERROR_INIT;
        dr_auto_free char *store = in_dir(p->f, "store");
        start_registry(p->f, NULL);
        start_registry(p->mirror, "--fault", cases[i].fault, "--fault", "no-range", NULL);
        write_conf(p);
        store_close(p->f->store);
        dr_remove_all(AT_FDCWD, store, &err);
        assert_int_equal(store_open(store, &p->f->store, &err), 0);
        p->f->options.store = p->f->store;
        assert_pulled(p);
        assert_true(logged(p->mirror, "GET /v2/copy/app/manifests/1 200") == 1);
        assert_int_equal(logged(p->f, "GET /v2/app/manifests/1"), cases[i].manifests);
        assert_true(logged(p->f, "GET /v2/app/blobs/") > 0);
    }
}

static void credentials_are_each_host_s_own_H4(void **state)
{
    struct pair *p = *state;
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    make_both(p);
    start_registry(p->f, "--auth", "basic", "--user", "ann", "--password", "pw", NULL);
    start_registry(p->mirror, "--auth", "basic", "--user", "bob", "--password", "x:y",
                   NULL);
    write_conf(p);
    /* those of the call are for the registry that the reference names */
    p->f->options.user = "ann";
    p->f->options.password = "pw";
    assert_pulled(p);
    assert_int_equal(logged(p->mirror, "Basic"), 0);
    assert_true(logged(p->f, "Basic:YW5uOnB3") > 0);
    /* and the mirror has its own in the files */
    dr_auto_free char *file = in_dir(p->f, "auth.json");
    dr_auto_free char *text =
        dr_printf("{\"auths\":{\"127.0.0.1:%d\":{\"auth\":\"Ym9iOng6eQ==\"},"
                  "\"127.0.0.1:%d\":{\"auth\":\"YW5uOnB3\"}}}",
                  p->mirror->port, p->f->port);
    write_all(file, text);
    p->f->options.user = p->f->options.password = NULL;
    p->f->options.auth_file = file;
    struct registry *reg;
    struct oci_digest digest;
    open_registry(p->f, "app:1", &reg);
    if (registry_head_digest(reg, &digest, &err) < 0)
        fail_msg("%s", err.text);
    registry_close(reg);
    assert_true(logged(p->mirror, "200 Basic:Ym9iOng6eQ==") > 0);
    assert_int_equal(logged(p->mirror, "YW5uOnB3"), 0);
    assert_int_equal(logged(p->f, "Ym9iOng6eQ"), 0);
}

static void that_a_registry_is_not_verified_says_nothing_of_its_mirrors_H4(void **state)
{
    struct pair *p = *state;
    dr_auto_free char *cert = NULL, *key = NULL;
    make_both(p);
    make_certificate(p->mirror, &cert, &key);
    start_registry(p->f, NULL);
    start_registry(p->mirror, "--tls", cert, key, NULL);
    write_conf(p);
    /* --tls-verify=false is for the registry that the reference names, as the CAs and the
     * certificate of --cert-dir are */
    p->f->options.insecure = true;
    dr_auto_free char *dir = in_dir(p->f, "certs"), *ca = in_dir(p->f, "certs/ca.crt");
    mkdir(dir, 0700);
    p->f->options.cert_dir = dir;
    dr_auto_free char *text = read_all(cert);
    write_all(ca, text);
    assert_pulled(p);
    assert_int_equal(logged(p->mirror, "/v2/"), 0);
    assert_int_equal(logged(p->f, "GET /v2/app/blobs/"), 3);
}

static void a_mirror_s_broken_helper_is_not_passed_over_CVE_2021_41092_H4(void **state)
{
    struct pair *p = *state;
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    make_both(p);
    start_registry(p->f, NULL);
    start_registry(p->mirror, "--auth", "basic", "--user", "bob", "--password", "pw",
                   NULL);
    write_conf(p);
    dr_auto_free char *file = in_dir(p->f, "auth.json");
    dr_auto_free char *text = dr_printf(
        "{\"credHelpers\":{\"127.0.0.1:%d\":\"not-installed\"}}", p->mirror->port);
    write_all(file, text);
    p->f->options.auth_file = file;
    assert_int_equal(pull_image(p->f, "app:1", &err), -1);
    assert_error(&err, DR_ERR_CONFIG, ENOENT,
                 "docker-credential-not-installed cannot be started");
    assert_int_equal(logged(p->f, "main"), 0);
}

static void when_all_fail_the_registry_s_words_come_first(void **state)
{
    struct pair *p = *state;
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    start_registry(p->f, "--fault", "status=403", NULL);
    start_registry(p->mirror, "--fault", "status=404", NULL);
    write_conf(p);
    assert_int_equal(pull_image(p->f, "app:1", &err), -1);
    assert_text(&err,
                "(before that, mirror 127.0.0.1:1: cannot connect to 127.0.0.1:1: ");
    assert_error(&err, DR_ERR_PULL, 403, "/app:1: 127.0.0.1:");
}

static void containerd_s_mirrors_are_told_whose_they_are(void **state)
{
    struct pair *p = *state;
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    make_both(p);
    start_registry(p->f, NULL);
    start_registry(p->mirror, NULL);
    dr_auto_free char *dir =
        dr_printf("%s/xdg/containerd/certs.d/127.0.0.1:%d", p->f->dir, p->f->port);
    dr_auto_free char *file = dr_printf("%s/hosts.toml", dir);
    dr_auto_free char *text =
        dr_printf("[host.'http://127.0.0.1:%d/v2/proxied']\noverride_path = true\n",
                  p->mirror->port);
    assert_int_equal(dr_mkdir_all(dir, 0755, &err), 0);
    write_all(file, text);
    p->f->options.registries_conf = "";
    assert_pulled(p);
    dr_auto_free char *asked =
        dr_printf("GET /v2/proxied/app/manifests/1?ns=127.0.0.1:%d 200", p->f->port);
    assert_int_equal(logged(p->mirror, asked), 1);
    assert_int_equal(logged(p->f, "main"), 0);
}

/* A lock file's digest: as good as one in the reference, for mirrors of digests only too.
 */
static void what_is_pinned_is_asked_of_mirrors_by_digest_H4(void **state)
{
    struct pair *p = *state;
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    dr_auto_image struct oci_image image = OCI_IMAGE_INIT;
    make_both(p);
    start_registry(p->f, NULL);
    p->f->options.registries_conf = "";
    assert_int_equal(resolve_image(p->f, "app:1", "linux/amd64", &image, &err), 0);
    make_image(p->f, "1", "--layer", "77", NULL); /* now it means another one */
    make_image(p->mirror, "1", "--layer", "77", NULL);
    start_registry(p->f, NULL);
    start_registry(p->mirror, NULL);
    dr_auto_free char *text = dr_printf(
        "[[registry]]\nlocation = '127.0.0.1:%d'\nmirror-by-digest-only = true\n"
        "[[registry.mirror]]\nlocation = '127.0.0.1:%d/copy'\n",
        p->f->port, p->mirror->port);
    write_all(p->conf, text);
    p->f->options.registries_conf = p->conf;
    p->f->options.store = NULL;
    p->f->options.pin = &image.manifest_digest;
    dr_auto_image struct oci_image again = OCI_IMAGE_INIT;
    assert_int_equal(resolve_image(p->f, "app:1", "linux/amd64", &again, &err), 0);
    assert_true(oci_digest_equal(&again.manifest_digest, &image.manifest_digest));
    dr_auto_free char *asked =
        dr_printf("GET /v2/copy/app/manifests/%s 200", image.manifest_digest.text);
    assert_int_equal(logged(p->mirror, asked), 1);
    assert_int_equal(logged(p->mirror, "manifests/1"), 0);
    assert_int_equal(logged(p->f, "main"), 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, pair_setup, pair_teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_mirror_gives_all_of_the_image),
        TEST(a_mirror_without_the_image_is_passed_over),
        TEST(a_blob_that_a_mirror_cannot_give_comes_from_the_registry),
        TEST(credentials_are_each_host_s_own_H4),
        TEST(that_a_registry_is_not_verified_says_nothing_of_its_mirrors_H4),
        TEST(a_mirror_s_broken_helper_is_not_passed_over_CVE_2021_41092_H4),
        TEST(when_all_fail_the_registry_s_words_come_first),
        TEST(containerd_s_mirrors_are_told_whose_they_are),
        TEST(what_is_pinned_is_asked_of_mirrors_by_digest_H4),
    };
    return cmocka_run_group_tests_name("registry mirrors", tests, NULL, NULL);
}
