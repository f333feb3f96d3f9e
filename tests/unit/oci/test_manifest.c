/* SPDX-License-Identifier: Apache-2.0 */
/* Manifests and indexes: one document, one shape (H2). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "oci/descent.h"
#include "oci/manifest.h"

#define D1 "\"sha256:1111111111111111111111111111111111111111111111111111111111111111\""
#define D2 "\"sha256:2222222222222222222222222222222222222222222222222222222222222222\""
#define OCI "application/vnd.oci.image."
#define DOCKER "application/vnd.docker."
#define CONFIG                                                                           \
    "\"config\":{\"mediaType\":\"" OCI "config.v1+json\",\"digest\":" D1 ",\"size\":10}"
#define LAYER(type) "{\"mediaType\":\"" type "\",\"digest\":" D2 ",\"size\":20}"
#define MANIFEST(layers) "{\"schemaVersion\":2," CONFIG ",\"layers\":[" layers "]}"

static void a_manifest_of_oci_and_one_of_docker_are_read(void **state)
{
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    dr_auto_manifest struct oci_manifest m = {0};
    const char *oci = MANIFEST(LAYER(OCI "layer.v1.tar+gzip") "," LAYER(
        OCI "layer.v1.tar+zstd") "," LAYER(OCI "layer.v1.tar"));
    if (oci_manifest_parse(oci, strlen(oci), OCI_TYPE_MANIFEST "; charset=utf-8", &m,
                           &err) < 0)
        fail_msg("%s", err.text);
    assert_int_equal(m.n_layers, 3);
    assert_int_equal(m.layers[0].compression, OCI_GZIP);
    assert_int_equal(m.layers[1].compression, OCI_ZSTD);
    assert_int_equal(m.layers[2].compression, OCI_PLAIN);
    assert_int_equal(m.layers[2].size_bytes, 20);
    assert_int_equal(m.config.size_bytes, 10);
    assert_string_equal(m.media_type, OCI_TYPE_MANIFEST);
    oci_manifest_release(&m);
    const char *docker =
        "{\"schemaVersion\":2,\"mediaType\":\"" OCI_TYPE_DOCKER_MANIFEST "\",\"config\":{"
        "\"mediaType\":\"" DOCKER "container.image.v1+json\",\"digest\":" D1
        ",\"size\":1},"
        "\"layers\":[" LAYER(DOCKER "image.rootfs.diff.tar.gzip") "]}";
    if (oci_manifest_parse(docker, strlen(docker), OCI_TYPE_DOCKER_MANIFEST, &m, &err) <
        0)
        fail_msg("%s", err.text);
    assert_string_equal(m.media_type, OCI_TYPE_DOCKER_MANIFEST);
    assert_int_equal(m.layers[0].compression, OCI_GZIP);
}

static void refuse_manifest(const char *text, const char *declared, enum dr_kind kind,
                            const char *why)
{
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    struct oci_manifest m;
    if (oci_manifest_parse(text, strlen(text), declared, &m, &err) == 0)
        fail_msg("accepted: %s", text);
    if (err.kind != kind || !strstr(err.text, why))
        fail_msg("%s: %s: %s", text, dr_kind_name(err.kind), err.text);
    assert_null(strchr(err.text, '\033'));
}

static void both_shapes_in_one_document_are_refused_CVE_2021_41190_H2(void **state)
{
    refuse_manifest("{\"schemaVersion\":2," CONFIG ",\"layers\":[],\"manifests\":[]}",
                    NULL, DR_ERR_FORMAT,
                    "both 'layers' and 'manifests': it is ambiguous");
    refuse_manifest("{\"schemaVersion\":2," CONFIG ",\"manifests\":[]}", NULL,
                    DR_ERR_FORMAT, "both 'layers' and 'manifests'");
    refuse_manifest("{\"schemaVersion\":2,\"fsLayers\":[],\"manifests\":[]}", NULL,
                    DR_ERR_FORMAT, "both 'layers' and 'manifests'");
    refuse_manifest("{\"schemaVersion\":2}", NULL, DR_ERR_FORMAT,
                    "neither 'layers' nor 'manifests'");
}

static void the_declared_type_must_be_the_documents_own_CVE_2021_41190_H2(void **state)
{
    const char *m = MANIFEST("");
    refuse_manifest(m, OCI_TYPE_INDEX, DR_ERR_FORMAT,
                    "Content-Type says '" OCI_TYPE_INDEX
                    "', but it is an image manifest");
    refuse_manifest("{\"schemaVersion\":2,\"mediaType\":\"" OCI_TYPE_INDEX "\"," CONFIG
                    ",\"layers\":[]}",
                    NULL, DR_ERR_FORMAT,
                    "its own mediaType says '" OCI_TYPE_INDEX "', but");
    refuse_manifest("{\"schemaVersion\":2,\"mediaType\":\"" OCI_TYPE_MANIFEST "\"," CONFIG
                    ",\"layers\":[]}",
                    OCI_TYPE_DOCKER_MANIFEST, DR_ERR_FORMAT,
                    "but its own mediaType says");
    refuse_manifest(m, "text/html", DR_ERR_UNSUPPORTED,
                    "is of type 'text/html': it is not a container image");
    refuse_manifest(m, "application/vnd.docker.distribution.manifest.v1+prettyjws",
                    DR_ERR_UNSUPPORTED, "schema 1");
    refuse_manifest("{\"schemaVersion\":2,\"mediaType\":7," CONFIG ",\"layers\":[]}",
                    NULL, DR_ERR_FORMAT, "mediaType is not a string");
    /* these say nothing */
    static const char *const vague[] = {
        "", "application/json", "text/plain; charset=utf-8", "application/octet-stream"};
    for (size_t i = 0; i < DR_COUNT(vague); i++) {
        dr_auto_error struct dr_error err = DR_ERROR_INIT;
        dr_auto_manifest struct oci_manifest parsed = {0};
        assert_int_equal(oci_manifest_parse(m, strlen(m), vague[i], &parsed, &err), 0);
        assert_string_equal(parsed.media_type, OCI_TYPE_MANIFEST);
    }
}

static void schema_1_is_refused_with_the_reason_H4(void **state)
{
    refuse_manifest(
        "{\"schemaVersion\":1,\"fsLayers\":[],\"history\":[]}", NULL, DR_ERR_UNSUPPORTED,
        "it is a Docker schema 1 manifest, which does not pin its layers securely: "
        "push the image again");
    refuse_manifest("{\"schemaVersion\":3," CONFIG ",\"layers\":[]}", NULL, DR_ERR_FORMAT,
                    "schemaVersion is not 2");
    refuse_manifest("{\"schemaVersion\":\"2\"," CONFIG ",\"layers\":[]}", NULL,
                    DR_ERR_FORMAT, "schemaVersion is not 2");
}

static void unknown_and_foreign_layers_are_refused_before_download_H2(void **state)
{
    refuse_manifest(MANIFEST(LAYER("application/vnd.example.rootfs")), NULL,
                    DR_ERR_UNSUPPORTED,
                    "layer 1 has the unknown type 'application/vnd.example.rootfs'");
    refuse_manifest(MANIFEST(LAYER(OCI "layer.v1.tar") "," LAYER(
                        DOCKER "image.rootfs.foreign.diff.tar.gzip")),
                    NULL, DR_ERR_UNSUPPORTED, "layer 2 is a foreign layer");
    refuse_manifest(MANIFEST(LAYER(OCI "layer.nondistributable.v1.tar+gzip")), NULL,
                    DR_ERR_UNSUPPORTED, "layer 1 is a foreign layer");
    refuse_manifest(MANIFEST(LAYER(OCI "layer.v1.tar+gzip+encrypted")), NULL,
                    DR_ERR_UNSUPPORTED, "layer 1 is encrypted");
    refuse_manifest(MANIFEST("{\"digest\":" D2 ",\"size\":1}"), NULL, DR_ERR_UNSUPPORTED,
                    "layer 1 has the unknown type ''");
}

static void descriptors_are_checked_H2(void **state)
{
#define TAR "\"mediaType\":\"" OCI "layer.v1.tar\""
    static const struct {
        const char *layer, *why;
    } cases[] = {
        {"7", "layer 1 is not a descriptor"},
        {"{" TAR ",\"size\":1}", "layer 1 has no digest"},
        {"{" TAR ",\"digest\":" D2 "}", "layer 1 has no size"},
        {"{" TAR ",\"digest\":" D2 ",\"size\":\"1\"}", "layer 1 has no size"},
        {"{" TAR ",\"digest\":" D2 ",\"size\":1.5}", "layer 1 has no size"},
        {"{" TAR ",\"digest\":" D2 ",\"size\":-1}", "layer 1 has the negative size -1"},
        {"{" TAR ",\"digest\":\"sha256:../../x\",\"size\":1}",
         "layer 1: digest: bad byte at offset 7"},
        {"{\"mediaType\":\"a b\",\"digest\":" D2 ",\"size\":1}",
         "layer 1: the mediaType is not one"},
        {"{\"mediaType\":\"a\\u001bb\",\"digest\":" D2 ",\"size\":1}",
         "layer 1: the mediaType is not one"},
        {"{" TAR ",\"digest\":" D2 ",\"size\":9223372036854775807},{" TAR
         ",\"digest\":" D2 ",\"size\":1}",
         "the sizes of the layers overflow"},
        {"{" TAR ",\"digest\":" D2 ",\"size\":9223372036854775808}", "JSON line 1"},
        {"{" TAR ",\"digest\":" D2 ",\"size\":1,\"size\":2}", "JSON line 1"},
    };
    for (size_t i = 0; i < DR_COUNT(cases); i++) {
        dr_auto_free char *text =
            dr_printf("{\"schemaVersion\":2," CONFIG ",\"layers\":[%s]}", cases[i].layer);
        refuse_manifest(text, NULL, DR_ERR_FORMAT, cases[i].why);
    }
}

static void configs_of_other_things_are_refused_H2(void **state)
{
#define WITH_CONFIG(type, size)                                                          \
    "{\"schemaVersion\":2,\"config\":{\"mediaType\":\"" type "\",\"digest\":" D1         \
    ",\"size\":" size "},\"layers\":[]}"
    refuse_manifest(WITH_CONFIG("application/vnd.cncf.helm.config.v1+json", "1"), NULL,
                    DR_ERR_UNSUPPORTED,
                    "it is not a container image: its config has the type "
                    "'application/vnd.cncf.helm.config.v1+json'");
    refuse_manifest(WITH_CONFIG("application/vnd.oci.empty.v1+json", "2"), NULL,
                    DR_ERR_UNSUPPORTED, "it is not a container image");
    refuse_manifest(WITH_CONFIG(OCI "config.v1+json", "4194305"), NULL, DR_ERR_FORMAT,
                    "the config has 4194305 bytes, at most 4194304 are accepted");
    refuse_manifest("{\"schemaVersion\":2,\"layers\":[]}", NULL, DR_ERR_FORMAT,
                    "the config is not a descriptor");
    refuse_manifest("{\"schemaVersion\":2," CONFIG "}", NULL, DR_ERR_FORMAT,
                    "'layers' is not an array");
    refuse_manifest("{\"schemaVersion\":2,\"mediaType\":\"application/vnd.oci.artifact."
                    "manifest.v1+json\",\"blobs\":[]}",
                    NULL, DR_ERR_UNSUPPORTED, "it is not a container image");
}

static void documents_that_are_too_much_are_refused_H2(void **state)
{
    char *deep = dr_alloc(1000);
    memset(deep, '[', 200);
    refuse_manifest(deep, NULL, DR_ERR_FORMAT, "nested deeper than 64 levels");
    free(deep);
    size_t n = OCI_MANIFEST_MAX + 1;
    char *big = dr_alloc(n + 1);
    memset(big, ' ', n);
    memcpy(big, MANIFEST(""), strlen(MANIFEST("")));
    refuse_manifest(big, NULL, DR_ERR_FORMAT, "at most 4194304 are accepted");
    free(big);
    refuse_manifest("{\"schemaVersion\":2,\"schemaVersion\":2}", NULL, DR_ERR_FORMAT,
                    "JSON");
    refuse_manifest("[]", NULL, DR_ERR_FORMAT, "not a JSON object");
    refuse_manifest("", NULL, DR_ERR_FORMAT, "JSON");
    refuse_manifest(MANIFEST("") "x", NULL, DR_ERR_FORMAT, "JSON");
    /* what the parser quotes of the document is escaped (found by fuzzing) */
    refuse_manifest("{\033[31m", NULL, DR_ERR_FORMAT, "\\x1b");
    refuse_manifest("{\"schemaVersion\":2,\"manifests\":[]}", NULL, DR_ERR_FORMAT,
                    "an index stands where an image manifest should");
    char *many = dr_alloc(200000);
    strcpy(many, "{\"schemaVersion\":2," CONFIG ",\"layers\":[0");
    for (int i = 0; i < OCI_LAYERS_MAX; i++)
        strcat(many, ",0");
    strcat(many, "]}");
    refuse_manifest(many, NULL, DR_ERR_UNSUPPORTED,
                    "the image has 513 layers, at most 512 can be used");
    free(many);
}

/* --- indexes --- */

#define ENTRY(digit, platform)                                                           \
    "{\"mediaType\":\"" OCI_TYPE_MANIFEST                                                \
    "\",\"digest\":\"sha256:" digit digit digit digit "\","                              \
    "\"size\":1" platform "}"
#define S16(c) c c c c c c c c c c c c c c c c
#define P(os, arch, more)                                                                \
    ",\"platform\":{\"os\":\"" os "\",\"architecture\":\"" arch "\"" more "}"

static const struct oci_descriptor *choose(struct oci_index *index, const char *text,
                                           const char *want, struct dr_error *err)
{
    struct oci_platform platform;
    if (oci_index_parse(text, strlen(text), NULL, index, err) < 0)
        return NULL;
    assert_int_equal(oci_platform_parse(want, &platform, err), 0);
    return oci_index_choose(index, &platform, err);
}

/* clang-format off */
static const char index_text[] =
    "{\"schemaVersion\":2,\"mediaType\":\"" OCI_TYPE_INDEX "\",\"manifests\":["
    ENTRY(S16("0"), P("unknown", "unknown", "")) ","
    ENTRY(S16("1"), P("linux", "amd64", "")) ","
    ENTRY(S16("2"), P("linux", "arm64", ",\"variant\":\"v8\"")) ","
    ENTRY(S16("3"), P("windows", "amd64", ",\"os.version\":\"10.0\"")) ","
    ENTRY(S16("4"), P("windows", "amd64", ",\"os.version\":\"10.1\"")) "]}";
/* clang-format on */

static void the_index_gives_the_platform_C09(void **state)
{
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    dr_auto_index struct oci_index index = {0};
    const struct oci_descriptor *d = choose(&index, index_text, "linux/arm64", &err);
    if (!d)
        fail_msg("%s", err.text);
    assert_string_equal(oci_digest_hex(&d->digest), S16("2") S16("2") S16("2") S16("2"));
    assert_int_equal(index.n_manifests, 5);
}

static void a_missing_platform_lists_what_there_is_and_no_attestations_H2(void **state)
{
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    dr_auto_index struct oci_index index = {0};
    assert_null(choose(&index, index_text, "linux/s390x", &err));
    assert_int_equal(err.kind, DR_ERR_NOT_FOUND);
    assert_string_equal(
        err.text,
        "no image for linux/s390x, there are: linux/amd64, linux/arm64, windows/amd64");
}

static void attestations_are_never_chosen_H2(void **state)
{
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    dr_auto_index struct oci_index index = {0};
    const char *text = "{\"schemaVersion\":2,\"manifests\":[" ENTRY(
        S16("0"),
        P("unknown", "unknown",
          "")) "," ENTRY(S16("1"),
                         P("linux", "amd64",
                           "") ",\"annotations\":{\"vnd.docker.reference.type\":"
                               "\"attestation-manifest\"}") "]}";
    assert_null(choose(&index, text, "linux/amd64", &err));
    assert_int_equal(err.kind, DR_ERR_NOT_FOUND);
    assert_string_equal(err.text,
                        "no image for linux/amd64: the index offers none at all");
}

/* No real document has its own digest in it; whoever walks says what was verified. */
static void an_index_that_contains_itself_is_refused_H2(void **state)
{
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    dr_auto_image struct oci_image image = OCI_IMAGE_INIT;
    struct oci_platform platform;
    struct oci_digest first, second;
    oci_platform_set(&platform, "linux", "amd64", NULL);
    oci_digest_from_hex(S16("1") S16("1") S16("1") S16("1"), &first);
    oci_digest_from_hex(S16("2") S16("2") S16("2") S16("2"), &second);
    const char *to_1 = "{\"schemaVersion\":2,\"manifests\":[" ENTRY(S16("1"), "") "]}";
    const char *to_2 = "{\"schemaVersion\":2,\"manifests\":[" ENTRY(S16("2"), "") "]}";
    dr_auto_descent struct oci_descent own = {.platform = &platform};
    assert_int_equal(
        oci_descend(&own, to_1, strlen(to_1), OCI_TYPE_INDEX, &first, &image, &err), -1);
    assert_int_equal(err.kind, DR_ERR_FORMAT);
    assert_string_equal(err.text, "an index that contains itself");
    dr_error_release(&err);
    dr_auto_descent struct oci_descent two = {.platform = &platform};
    assert_int_equal(
        oci_descend(&two, to_2, strlen(to_2), OCI_TYPE_INDEX, &first, &image, &err), 0);
    free(two.next.media_type); /* it says no type: an index may stand there */
    two.next.media_type = dr_strdup("");
    assert_int_equal(
        oci_descend(&two, to_1, strlen(to_1), OCI_TYPE_INDEX, &second, &image, &err), -1);
    assert_string_equal(err.text, "an index that contains itself");
}

static void an_entry_without_platform_is_the_last_resort(void **state)
{
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    dr_auto_index struct oci_index index = {0};
    const char *text = "{\"schemaVersion\":2,\"manifests\":[" ENTRY(
        S16("7"), "") "," ENTRY(S16("1"), P("linux", "amd64", "")) "]}";
    const struct oci_descriptor *d = choose(&index, text, "linux/amd64", &err);
    assert_string_equal(oci_digest_hex(&d->digest), S16("1") S16("1") S16("1") S16("1"));
    oci_index_release(&index);
    d = choose(&index, text, "linux/arm64", &err);
    assert_string_equal(oci_digest_hex(&d->digest), S16("7") S16("7") S16("7") S16("7"));
}

static void broken_indexes_are_refused_H2(void **state)
{
    static const struct {
        const char *text, *why;
    } cases[] = {
        {"{\"schemaVersion\":2,\"manifests\":{}}", "'manifests' is not an array"},
        {"{\"schemaVersion\":2,\"manifests\":[1]}", "index entry 1 is not a descriptor"},
        {"{\"schemaVersion\":2,\"manifests\":[" ENTRY(S16("1"), ",\"platform\":[]") "]}",
         "index entry 1: the platform is not an object"},
        {"{\"schemaVersion\":2," CONFIG ",\"layers\":[]}",
         "an image manifest stands where an index should"},
    };
    for (size_t i = 0; i < DR_COUNT(cases); i++) {
        dr_auto_error struct dr_error err = DR_ERROR_INIT;
        struct oci_index index;
        assert_int_equal(
            oci_index_parse(cases[i].text, strlen(cases[i].text), NULL, &index, &err),
            -1);
        assert_int_equal(err.kind, DR_ERR_FORMAT);
        if (!strstr(err.text, cases[i].why))
            fail_msg("%s", err.text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_manifest_of_oci_and_one_of_docker_are_read),
        cmocka_unit_test(both_shapes_in_one_document_are_refused_CVE_2021_41190_H2),
        cmocka_unit_test(the_declared_type_must_be_the_documents_own_CVE_2021_41190_H2),
        cmocka_unit_test(schema_1_is_refused_with_the_reason_H4),
        cmocka_unit_test(unknown_and_foreign_layers_are_refused_before_download_H2),
        cmocka_unit_test(descriptors_are_checked_H2),
        cmocka_unit_test(configs_of_other_things_are_refused_H2),
        cmocka_unit_test(documents_that_are_too_much_are_refused_H2),
        cmocka_unit_test(the_index_gives_the_platform_C09),
        cmocka_unit_test(a_missing_platform_lists_what_there_is_and_no_attestations_H2),
        cmocka_unit_test(attestations_are_never_chosen_H2),
        cmocka_unit_test(an_index_that_contains_itself_is_refused_H2),
        cmocka_unit_test(an_entry_without_platform_is_the_last_resort),
        cmocka_unit_test(broken_indexes_are_refused_H2),
    };
    return cmocka_run_group_tests_name("oci manifest", tests, NULL, NULL);
}
