/* SPDX-License-Identifier: Apache-2.0 */
/* policy.json: which requirements count, and whom a signature is for. */
#include "fixture.h"
#include "registry/policy.h"

#define HEX "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define ANY "[{\"type\":\"insecureAcceptAnything\"}]"

static int choose(const char *text, const char *name, struct policy *policy,
                  struct dr_error *err)
{
    dr_auto_json json_t *doc = dr_json_parse(text, strlen(text), 1 << 20, err);
    dr_auto_ref struct oci_ref ref = OCI_REF_INIT;
    assert_non_null(doc);
    assert_int_equal(oci_ref_parse(name, &ref, err), 0);
    return policy_choose(doc, &ref, policy, err);
}

static void the_most_specific_scope_counts(void **state)
{
    static const struct {
        const char *scope, *key;
    } scopes[] = {{"", "all"},
                  {"r.io", "host"},
                  {"r.io/a", "namespace"},
                  {"r.io/a/b", "name"},
                  {"r.io/a/b:1", "tag"},
                  {"*.s.io", "wild"},
                  {"*.io", "wilder"},
                  {"docker.io/library/x", "hub"}};
    dr_auto_buf struct dr_buf text = DR_BUF_INIT(8192);
    dr_auto_error struct dr_error full = DR_ERROR_INIT;
    dr_buf_addf(&text, &full, "{\"default\":" ANY ",\"transports\":{\"docker\":{");
    for (size_t i = 0; i < DR_COUNT(scopes); i++)
        dr_buf_addf(&text, &full,
                    "%s\"%s\":[{\"type\":\"sigstoreSigned\",\"keyData\":\"%s\"}]",
                    i ? "," : "", scopes[i].scope, scopes[i].key);
    dr_buf_addf(&text, &full, "}}}");
    static const struct {
        const char *name, *key;
    } cases[] = {{"r.io/a/b:1", "tag"},
                 {"r.io/a/b:2", "name"},
                 {"r.io/a/b@sha256:" HEX, "name"},
                 {"r.io/a/bb:1", "namespace"},
                 {"r.io/aa/b", "host"},
                 {"r.io:5000/a/b:1", "wilder"},
                 {"q.s.io/x", "wild"},
                 {"p.q.s.io:1/x", "wild"},
                 {"s.io/x", "wilder"},
                 {"x", "hub"},
                 {"y", "wilder"},
                 {"localhost/x", "all"}};
    for (size_t i = 0; i < DR_COUNT(cases); i++) {
        dr_auto_error struct dr_error err = DR_ERROR_INIT;
        dr_auto_policy struct policy policy = {0};
        if (choose(text.data, cases[i].name, &policy, &err) < 0)
            fail_msg("%s: %s", cases[i].name, err.text);
        if (strcmp(dr_json_str(json_array_get(policy.requirements, 0), "keyData"),
                   cases[i].key) != 0)
            fail_msg("%s: %s", cases[i].name, policy.scope);
        assert_true(policy_wants_signature(&policy));
    }
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    dr_auto_policy struct policy policy = {0};
    assert_int_equal(choose("{\"default\":" ANY "}", "x", &policy, &err), 0);
    assert_false(policy_wants_signature(&policy));
}

static void an_image_in_files_is_found_by_its_place(void **state)
{
    struct fixture *f = *state;
    dr_auto_free char *real = dr_path_real(f->dir);
    dr_auto_free char *there = dr_printf("%s/a", f->dir), *link = in_dir(f, "link");
    mkdir(there, 0755);
    assert_int_equal(symlink(there, link), 0);
    dr_auto_free char *text =
        dr_printf("{\"default\":[{\"type\":\"reject\"}],\"transports\":{"
                  "\"oci\":{\"%s\":" ANY ",\"%s/a:bad\":[{\"type\":\"reject\"}]},"
                  "\"dir\":{\"\":" ANY
                  ",\"%s/a\":[{\"type\":\"sigstoreSigned\",\"keyData\":\"x\"}]},"
                  "\"docker-archive\":{\"\":" ANY ",\"%s\":[{\"type\":\"reject\"}]}}}",
                  real, real, real, real);
    struct dr_error err = DR_ERROR_INIT;
    dr_auto_json json_t *doc = dr_json_parse(text, strlen(text), 1 << 20, &err);
    const struct {
        struct policy_place place;
        const char *why; /* NULL: it is fine */
    } cases[] = {
        {{"oci", there, NULL}, NULL},
        {{"oci", there, "good"}, NULL},
        {{"oci", there, "bad"}, "/a:bad'"},
        {{"oci", link, "bad"}, "/a:bad'"},
        {{"oci", "/", NULL}, "no scope of its own"},
        {{"oci", NULL, NULL}, "no scope of its own"},
        {{"oci-archive", there, NULL}, "no scope of its own"},
        {{"dir", f->dir, NULL}, NULL},
        {{"dir", there, NULL}, "it asks for a signature, and an image of dir: has none"},
        {{"docker-archive", NULL, NULL}, NULL},
        {{"tarball", NULL, NULL}, "no scope of its own"},
    };
    for (size_t i = 0; i < DR_COUNT(cases); i++) {
        dr_auto_error struct dr_error why = DR_ERROR_INIT;
        dr_auto_policy struct policy policy = {0};
        int rc = policy_choose_place(doc, &cases[i].place, &policy, &why);
        if (!cases[i].why != (rc == 0))
            fail_msg("%zu: %s", i, rc < 0 ? why.text : "accepted");
        if (rc < 0) {
            assert_int_equal(why.kind, DR_ERR_PULL);
            assert_non_null(strstr(why.text, cases[i].why));
        }
    }
}

static void a_policy_that_is_not_understood_is_refused(void **state)
{
    static const struct {
        const char *text;
        enum dr_kind kind;
        const char *why;
    } cases[] = {
        {"{}", DR_ERR_CONFIG, "it has no default"},
        {"[]", DR_ERR_CONFIG, "it is no object"},
        {"{\"default\":" ANY ",\"defualt\":1}", DR_ERR_CONFIG,
         "unknown member 'defualt'"},
        {"{\"default\":[]}", DR_ERR_CONFIG, "it is empty"},
        {"{\"default\":{}}", DR_ERR_CONFIG, "are no array"},
        {"{\"default\":[{}]}", DR_ERR_CONFIG, "a requirement has no type"},
        {"{\"default\":[{\"type\":\"trustMe\"}]}", DR_ERR_CONFIG,
         "'trustMe' is not known"},
        {"{\"default\":[{\"type\":\"reject\",\"x\":1}]}", DR_ERR_CONFIG,
         "reject has an unknown member 'x'"},
        {"{\"default\":[{\"type\":\"reject\"}]}", DR_ERR_PULL,
         "it rejects what is in no scope of its own"},
        {"{\"default\":" ANY ",\"transports\":{\"docker\":{\"docker.io\":[{\"type\":"
         "\"insecureAcceptAnything\"},{\"type\":\"reject\"}]}}}",
         DR_ERR_PULL, "it rejects what is in 'docker.io'"},
        {"{\"default\":" ANY ",\"transports\":1}", DR_ERR_CONFIG,
         "transports is no object"},
        {"{\"default\":[{\"type\":\"signedBy\"}]}", DR_ERR_UNSUPPORTED,
         "signatures by GPG keys, is not supported"},
        {"{\"default\":[{\"type\":\"sigstoreSigned\",\"fulcio\":{}}]}",
         DR_ERR_UNSUPPORTED, "sigstoreSigned with 'fulcio' is not supported"},
        {"{\"default\":[{\"type\":\"sigstoreSigned\"}]}", DR_ERR_CONFIG,
         "needs one of keyPath and keyData"},
        {"{\"default\":[{\"type\":\"sigstoreSigned\",\"keyData\":\"x\",\"keyPath\":\"x\"}"
         "]}",
         DR_ERR_CONFIG, "needs one of keyPath and keyData"},
        {"{\"default\":[{\"type\":\"sigstoreSigned\",\"keyData\":\"x\","
         "\"signedIdentity\":"
         "{\"type\":\"matchAll\"}}]}",
         DR_ERR_CONFIG, "signedIdentity has no type that is known"},
        {"{\"default\":[{\"type\":\"sigstoreSigned\",\"keyData\":\"x\","
         "\"signedIdentity\":"
         "{\"type\":\"exactReference\"}}]}",
         DR_ERR_CONFIG, "signedIdentity has no dockerReference"},
    };
    for (size_t i = 0; i < DR_COUNT(cases); i++) {
        dr_auto_error struct dr_error err = DR_ERROR_INIT;
        dr_auto_policy struct policy policy = {0};
        if (choose(cases[i].text, "alpine", &policy, &err) != -1)
            fail_msg("accepted: %s", cases[i].text);
        assert_error(&err, cases[i].kind, 0, cases[i].why);
    }
}

static void a_signature_is_for_whom_signedIdentity_says(void **state)
{
#define TYPE(t) "{\"type\":\"" t "\"}"
    static const struct {
        const char *identity, *name, *signed_for;
        bool good;
    } cases[] = {
        {NULL, "r.io/a:1", "r.io/a:1", true},
        {NULL, "r.io/a:1", "r.io/a:2", false},
        {NULL, "r.io/a:1", "r.io/a", false}, /* cosign's own */
        {NULL, "r.io/a@sha256:" HEX, "r.io/a:9", true},
        {NULL, "r.io/a@sha256:" HEX, "r.io/b:9", false},
        {NULL, "alpine", "docker.io/library/alpine:latest", true},
        {TYPE("matchExact"), "r.io/a@sha256:" HEX, "r.io/a:9", false},
        {TYPE("matchExact"), "r.io/a:1", "r.io/a:1", true},
        {TYPE("matchRepository"), "r.io/a:1", "r.io/a", true},
        {TYPE("matchRepository"), "r.io/a:1", "r.io/a:2", true},
        {TYPE("matchRepository"), "r.io/a:1", "r.io/ab", false},
        {TYPE("matchRepository"), "r.io/a:1", "q.io/a", false},
        {TYPE("matchRepository"), "r.io/a:1", "?", false},
        {"{\"type\":\"exactReference\",\"dockerReference\":\"o.io/x:7\"}", "r.io/a:1",
         "o.io/x:7", true},
        {"{\"type\":\"exactReference\",\"dockerReference\":\"o.io/x:7\"}", "r.io/a:1",
         "o.io/x:8", false},
        {"{\"type\":\"exactRepository\",\"dockerRepository\":\"o.io/x\"}", "r.io/a:1",
         "o.io/x", true},
        {"{\"type\":\"exactRepository\",\"dockerRepository\":\"o.io/x\"}", "r.io/a:1",
         "r.io/a", false},
        {"{\"type\":\"remapIdentity\",\"prefix\":\"m.io/v\",\"signedPrefix\":\"v.io\"}",
         "m.io/v/a:1", "v.io/a:1", true},
        {"{\"type\":\"remapIdentity\",\"prefix\":\"m.io/v\",\"signedPrefix\":\"v.io\"}",
         "m.io/v/a:1", "m.io/v/a:1", false},
        {"{\"type\":\"remapIdentity\",\"prefix\":\"m.io/v\",\"signedPrefix\":\"v.io\"}",
         "m.io/vv/a:1", "m.io/vv/a:1", true},
    };
    for (size_t i = 0; i < DR_COUNT(cases); i++) {
        dr_auto_error struct dr_error err = DR_ERROR_INIT;
        dr_auto_json json_t *requirement = json_object();
        dr_auto_ref struct oci_ref ref = OCI_REF_INIT;
        if (cases[i].identity)
            dr_json_set(requirement, "signedIdentity",
                        dr_json_parse(cases[i].identity, strlen(cases[i].identity),
                                      1 << 20, &err));
        assert_int_equal(oci_ref_parse(cases[i].name, &ref, &err), 0);
        int rc = policy_identity(requirement, &ref, cases[i].signed_for, &err);
        if ((rc == 0) != cases[i].good)
            fail_msg("%zu: %s for %s: %s", i, cases[i].signed_for, cases[i].name,
                     err.text);
        if (rc < 0)
            assert_error(&err, DR_ERR_PULL, 0, "it is a signature for ");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_most_specific_scope_counts),
        cmocka_unit_test_setup_teardown(an_image_in_files_is_found_by_its_place, setup,
                                        teardown),
        cmocka_unit_test(a_policy_that_is_not_understood_is_refused),
        cmocka_unit_test(a_signature_is_for_whom_signedIdentity_says),
    };
    return cmocka_run_group_tests_name("registry policy", tests, NULL, NULL);
}
