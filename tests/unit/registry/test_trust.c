/* SPDX-License-Identifier: Apache-2.0 */
/* Signatures of cosign's kind, made by openssl, under a policy. */
#include "fixture.h"

struct signing {
    struct fixture *f;
    char *policy, *key, *reference; /* 127.0.0.1:PORT/app */
};

/* NAME and NAME.pub; algorithm: and its options. */
static void make_keys(struct fixture *f, const char *name, const char *algorithm)
{
    dr_auto_free char *line =
        dr_printf("openssl genpkey -algorithm %s -out %s && openssl "
                  "pkey -in %s -pubout -out %s.pub",
                  algorithm, name, name, name);
    must(f, line);
}

static int trust_setup(void **state)
{
    struct signing *s = dr_alloc(sizeof *s);
    setup((void **)&s->f);
    s->policy = in_dir(s->f, "policy.json");
    s->key = in_dir(s->f, "key.pub");
    make_keys(s->f, "key", "EC -pkeyopt ec_paramgen_curve:prime256v1");
    make_image(s->f, "1", "--layer", "10", NULL);
    start_registry(s->f, NULL);
    s->reference = dr_printf("127.0.0.1:%d/app", s->f->port);
    s->f->options.policy_file = s->policy;
    *state = s;
    return 0;
}

static int trust_teardown(void **state)
{
    struct signing *s = *state;
    teardown((void **)&s->f);
    free(s->policy);
    free(s->key);
    free(s->reference);
    free(s);
    return 0;
}

static void write_policy(struct signing *s, const char *key, const char *identity)
{
    dr_auto_free char *text = dr_printf("{\"default\":[{\"type\":\"reject\"}],"
                                        "\"transports\":{\"docker\":{\"127.0.0.1:%d\":"
                                        "[{\"type\":\"sigstoreSigned\",\"keyPath\":\"%s/"
                                        "%s\",\"signedIdentity\":{\"type\":"
                                        "\"%s\"}}]}}}",
                                        s->f->port, s->f->dir, key, identity);
    write_all(s->policy, text);
}

/* more: an option of cosign-sign.py and its value. */
static void sign(struct signing *s, const char *key, const char *reference,
                 const char *const *more)
{
    dr_auto_free char *path = in_dir(s->f, key);
    run_fake("cosign-sign.py",
             (const char *[]){s->f->layout, "1", path, reference, more ? more[0] : NULL,
                              more ? more[1] : NULL, NULL});
}

static int pull(struct signing *s, struct dr_error *err)
{
    return pull_image(s->f, "app:1", err);
}

static void a_signed_image_is_pulled_and_an_unsigned_one_is_not(void **state)
{
    static const char *const keys[] = {"key", "ed", "rsa"};
    struct signing *s = *state;
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    make_keys(s->f, "ed", "ed25519");
    make_keys(s->f, "rsa", "RSA -pkeyopt rsa_keygen_bits:2048");
    write_policy(s, "key.pub", "matchRepository");
    assert_int_equal(pull(s, &err), -1);
    assert_text(&err, s->policy);
    assert_error(&err, DR_ERR_PULL, 0, "the image is not signed (there is no signature");
    assert_int_equal(logged(s->f, "/blobs/"), 1); /* the config; no layer */
    for (size_t i = 0; i < DR_COUNT(keys); i++) {
        dr_auto_free char *public = dr_printf("%s.pub", keys[i]);
        write_policy(s, public, "matchRepository");
        sign(s, keys[i], s->reference, NULL);
        if (pull(s, &err) < 0)
            fail_msg("%s: %s", keys[i], err.text);
    }
}

static void what_others_signed_or_for_others_is_refused(void **state)
{
    static const struct {
        const char *key, *reference, *more[2], *text;
    } cases[] = {
        {"ed", NULL, {NULL}, "the signature is not by the policy's key"},
        {"key",
         "127.0.0.1:1/app",
         {NULL},
         "it is a signature for 127.0.0.1:1/app, not for"},
        {"key",
         NULL,
         {"--claim", "sha256:00"},
         "no signature is good; the last: it is a "
         "signature for another image"},
        {"key", NULL, {"--type", "x"}, "what was signed is not an image"},
    };
    struct signing *s = *state;
    make_keys(s->f, "ed", "ed25519");
    write_policy(s, "key.pub", "matchRepository");
    for (size_t i = 0; i < DR_COUNT(cases); i++) {
        dr_auto_error struct dr_error err = DR_ERROR_INIT;
        sign(s, cases[i].key, cases[i].reference ? cases[i].reference : s->reference,
             cases[i].more);
        assert_int_equal(pull(s, &err), -1);
        assert_error(&err, DR_ERR_PULL, 0, cases[i].text);
    }
    /* one good one among them will do */
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    sign(s, "key", s->reference, NULL);
    if (pull(s, &err) < 0)
        fail_msg("%s", err.text);
    /* but not where the tag has to be signed, and cosign's own say why */
    write_policy(s, "key.pub", "matchRepoDigestOrExact");
    assert_int_equal(pull(s, &err), -1);
    assert_error(&err, DR_ERR_PULL, 0, "signedIdentity must be matchRepository then");
}

static void an_image_that_is_there_still_is_asked_for_its_signature(void **state)
{
    struct signing *s = *state;
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    dr_auto_image struct oci_image image = OCI_IMAGE_INIT, again = OCI_IMAGE_INIT;
    struct registry *reg;
    struct oci_platform p;
    assert_int_equal(oci_platform_parse("linux/amd64", &p, &err), 0);
    write_all(s->policy, "{\"default\":[{\"type\":\"insecureAcceptAnything\"}]}");
    open_registry(s->f, "app:1", &reg);
    assert_int_equal(registry_resolve(reg, &p, NULL, &image, &err), 0);
    write_policy(s, "key.pub", "matchRepository");
    assert_int_equal(registry_resolve(reg, &p, &image.manifest_digest, &again, &err), -1);
    assert_error(&err, DR_ERR_PULL, 0, "the image is not signed");
    sign(s, "key", s->reference, NULL);
    assert_int_equal(registry_resolve(reg, &p, &image.manifest_digest, &again, &err), 1);
    registry_close(reg);
}

static void a_signed_index_stands_for_its_images(void **state)
{
    struct signing *s = *state;
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    must(s->f, "rm -r layout");
    make_image(s->f, "1", "--layer", "10", "--index", "amd64,arm64", NULL);
    write_policy(s, "key.pub", "matchRepository");
    assert_int_equal(pull(s, &err), -1);
    assert_error(&err, DR_ERR_PULL, 0, "the image is not signed");
    sign(s, "key", s->reference, NULL);
    if (pull(s, &err) < 0)
        fail_msg("%s", err.text);
}

static void what_the_policy_rejects_is_not_even_asked_for(void **state)
{
    struct signing *s = *state;
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    write_all(s->policy, "{\"default\":[{\"type\":\"reject\"}]}");
    assert_int_equal(pull(s, &err), -1);
    assert_error(&err, DR_ERR_PULL, 0, "it rejects what is in no scope of its own");
    assert_int_equal(logged(s->f, "main"), 0);
    write_policy(s, "no-such-key", "matchRepository");
    sign(s, "key", s->reference, NULL);
    assert_int_equal(pull(s, &err), -1);
    assert_error(&err, DR_ERR_CONFIG, ENOENT, "the key of the signature policy: ");
    write_policy(s, "key", "matchRepository"); /* the private one */
    assert_int_equal(pull(s, &err), -1);
    assert_error(&err, DR_ERR_CONFIG, 0, "is no public key in PEM form");
    unlink(s->policy);
    assert_int_equal(pull(s, &err), -1); /* it was named */
    assert_error(&err, DR_ERR_CONFIG, ENOENT, "the signature policy: open ");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, trust_setup, trust_teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_signed_image_is_pulled_and_an_unsigned_one_is_not),
        TEST(what_others_signed_or_for_others_is_refused),
        TEST(an_image_that_is_there_still_is_asked_for_its_signature),
        TEST(a_signed_index_stands_for_its_images),
        TEST(what_the_policy_rejects_is_not_even_asked_for),
    };
    return cmocka_run_group_tests_name("registry trust", tests, NULL, NULL);
}
