/* SPDX-License-Identifier: Apache-2.0 */
/* The image configuration, and an image as a whole. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "oci/image.h"

#define D(c)                                                                             \
    "\"sha256:" c c c c c c c c c c c c c c c c c c c c c c c c c c c c c c c c "\""
#define ROOTFS "\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[" D("11") "," D("22") "]}"

static void a_whole_config_is_read(void **state)
{
    static const char text[] =
        "{\"created\":\"2024-01-02T03:04:05Z\",\"author\":\"ann\",\"architecture\":"
        "\"arm\","
        "\"os\":\"linux\",\"variant\":\"v6\",\"config\":{\"User\":\"1000:100\",\"Env\":["
        "\"PATH=/bin\","
        "\"EMPTY=\",\"BARE\"],\"Entrypoint\":[\"/"
        "init\",\"--\"],\"Cmd\":[\"sh\",\"-c\",\"a b\"],"
        "\"WorkingDir\":\"/srv\",\"Volumes\":{\"/z\":{},\"/"
        "a\":{}},\"ExposedPorts\":{\"80/tcp\":{},"
        "\"53/udp\":{}},\"Labels\":{\"b\":\"2\",\"a\":\"1\"},\"StopSignal\":\"SIGQUIT\","
        "\"Healthcheck\":{\"Test\":[\"CMD\",\"true\"],\"Interval\":1000000000},\"Shell\":"
        "[\"/bin/sh\"],"
        "\"Unknown\":{\"x\":[1]}}," ROOTFS ",\"history\":[{\"created_by\":\"ADD x\"},"
        "{\"created_by\":\"ENV "
        "y\",\"empty_layer\":true,\"comment\":\"c\"}],\"moby.x\":1}";
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    dr_auto_config struct oci_config c = {0};
    if (oci_config_parse(text, strlen(text), &c, &err) < 0)
        fail_msg("%s", err.text);
    assert_string_equal(c.created, "2024-01-02T03:04:05Z");
    assert_string_equal(c.platform.arch, "arm");
    assert_string_equal(c.platform.variant, "v6");
    assert_string_equal(c.user, "1000:100");
    assert_string_equal(c.workdir, "/srv");
    assert_string_equal(c.stop_signal, "SIGQUIT");
    assert_string_equal(c.entrypoint[1], "--");
    assert_string_equal(c.cmd[2], "a b");
    assert_null(c.cmd[3]);
    assert_string_equal(c.env[2], "BARE");
    assert_string_equal(c.shell[0], "/bin/sh");
    assert_string_equal(c.volumes[0], "/a");
    assert_string_equal(c.volumes[1], "/z");
    assert_string_equal(c.ports[0], "53/udp");
    assert_int_equal(c.n_labels, 2);
    assert_string_equal(c.labels[0].key, "a");
    assert_string_equal(oci_config_label(&c, "b"), "2");
    assert_null(oci_config_label(&c, "c"));
    assert_string_equal(c.healthcheck,
                        "{\"Interval\":1000000000,\"Test\":[\"CMD\",\"true\"]}");
    assert_int_equal(c.n_diff_ids, 2);
    assert_int_equal(c.n_history, 2);
    assert_true(c.history[1].empty_layer);
    assert_string_equal(c.history[1].comment, "c");
}

static void what_is_missing_or_null_or_empty_is_null(void **state)
{
    static const char text[] = "{\"config\":{\"User\":\"\",\"Env\":null,\"Cmd\":null,"
                               "\"Labels\":null,\"Volumes\":null,"
                               "\"Healthcheck\":null},\"history\":null,\"rootfs\":{"
                               "\"type\":\"layers\",\"diff_ids\":null}}";
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    dr_auto_config struct oci_config c = {0};
    if (oci_config_parse(text, strlen(text), &c, &err) < 0)
        fail_msg("%s", err.text);
    assert_null(c.user);
    assert_null(c.env);
    assert_null(c.cmd);
    assert_null(c.entrypoint);
    assert_null(c.volumes);
    assert_null(c.healthcheck);
    assert_int_equal(c.n_labels + c.n_history + c.n_diff_ids, 0);
    assert_string_equal(c.platform.os, "");
}

static void members_of_the_wrong_type_are_refused_by_name(void **state)
{
    static const struct {
        const char *text, *why;
    } cases[] = {
        {"[]", "the image config is not a JSON object"},
        {"{", "the image config: JSON line 1"},
        {"{}", "'rootfs' is not an object"},
        {"{\"rootfs\":{\"type\":\"dirs\"}}", "'rootfs.type' is not 'layers'"},
        {"{\"rootfs\":{\"type\":\"layers\",\"diff_ids\":{}}}",
         "'rootfs.diff_ids' is not an array"},
        {"{\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[1]}}",
         "'rootfs.diff_ids' is not an array of strings"},
        {"{\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[\"sha256:x\"]}}",
         "diff id 1: digest: bad byte at offset 7"},
        {"{\"config\":[]," ROOTFS "}", "'config' is not an object"},
        {"{\"config\":{\"User\":0}," ROOTFS "}", "'User' is not a string"},
        {"{\"config\":{\"Cmd\":\"sh\"}," ROOTFS "}", "'Cmd' is not an array"},
        {"{\"config\":{\"Cmd\":[\"sh\",1]}," ROOTFS "}",
         "'Cmd' is not an array of strings"},
        {"{\"config\":{\"Env\":[\"=x\"]}," ROOTFS "}", "Env has '=x', which has no name"},
        {"{\"config\":{\"Env\":[\"\"]}," ROOTFS "}", "Env has '', which has no name"},
        {"{\"config\":{\"Labels\":[]}," ROOTFS "}", "'Labels' is not an object"},
        {"{\"config\":{\"Labels\":{\"a\":1}}," ROOTFS "}",
         "'Labels' is not an object of strings"},
        {"{\"config\":{\"Volumes\":[\"/x\"]}," ROOTFS "}", "'Volumes' is not an object"},
        {"{\"config\":{\"Healthcheck\":\"x\"}," ROOTFS "}",
         "'Healthcheck' is not an object"},
        {"{\"os\":1," ROOTFS "}", "'os' is not a string"},
        {"{\"history\":[1]," ROOTFS "}", "'history' is not an array of objects"},
        {"{\"config\":{\"Cmd\":[\"a\\u0000b\"]}," ROOTFS "}", "JSON line 1"},
    };
    for (size_t i = 0; i < DR_COUNT(cases); i++) {
        dr_auto_error struct dr_error err = DR_ERROR_INIT;
        struct oci_config c;
        if (oci_config_parse(cases[i].text, strlen(cases[i].text), &c, &err) == 0)
            fail_msg("accepted: %s", cases[i].text);
        assert_int_equal(err.kind, DR_ERR_FORMAT);
        if (!strstr(err.text, cases[i].why))
            fail_msg("%s: %s", cases[i].text, err.text);
    }
}

static char *manifest_for(const char *config, size_t layers)
{
    struct oci_digest digest;
    oci_digest_of(config, strlen(config), &digest);
    char *text =
        dr_printf("{\"schemaVersion\":2,\"config\":{\"mediaType\":\"" OCI_TYPE_CONFIG
                  "\",\"digest\":\"%s\",\"size\":%zu},\"layers\":[",
                  digest.text, strlen(config));
    for (size_t i = 0; i < layers; i++) {
        char *more = dr_printf("%s%s{\"mediaType\":\"" OCI_TYPE_LAYER
                               "\",\"digest\":%s,\"size\":5}",
                               text, i ? "," : "", D("33"));
        free(text);
        text = more;
    }
    char *whole = dr_printf("%s]}", text);
    free(text);
    return whole;
}

static void an_image_has_as_many_layers_as_diff_ids_H2(void **state)
{
    static const char config[] =
        "{\"os\":\"linux\",\"architecture\":\"amd64\"," ROOTFS "}";
    for (size_t layers = 0; layers < 4; layers++) {
        dr_auto_error struct dr_error err = DR_ERROR_INIT;
        dr_auto_image struct oci_image image = OCI_IMAGE_INIT;
        dr_auto_free char *manifest = manifest_for(config, layers);
        int rc = oci_image_parse(manifest, strlen(manifest), NULL, config, strlen(config),
                                 &image, &err);
        if (layers == 2) {
            if (rc < 0)
                fail_msg("%s", err.text);
            assert_int_equal(oci_image_size(&image), 10);
            assert_string_equal(image.config_raw, config);
            assert_string_equal(image.manifest_raw, manifest);
            continue;
        }
        assert_int_equal(rc, -1);
        assert_int_equal(err.kind, DR_ERR_FORMAT);
        dr_auto_free char *why = dr_printf(
            "the manifest has %zu layers, but the image config has 2 diff ids", layers);
        assert_string_equal(err.text, why);
    }
}

static void another_config_than_the_manifests_is_refused_H2(void **state)
{
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    dr_auto_image struct oci_image image = OCI_IMAGE_INIT;
    static const char config[] = "{" ROOTFS "}", other[] = "{" ROOTFS " }";
    dr_auto_free char *manifest = manifest_for(config, 2);
    assert_int_equal(oci_image_parse(manifest, strlen(manifest), NULL, other,
                                     strlen(other), &image, &err),
                     -1);
    assert_int_equal(err.kind, DR_ERR_FORMAT);
    assert_non_null(strstr(err.text, "but the manifest asks for sha256:"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_whole_config_is_read),
        cmocka_unit_test(what_is_missing_or_null_or_empty_is_null),
        cmocka_unit_test(members_of_the_wrong_type_are_refused_by_name),
        cmocka_unit_test(an_image_has_as_many_layers_as_diff_ids_H2),
        cmocka_unit_test(another_config_than_the_manifests_is_refused_H2),
    };
    return cmocka_run_group_tests_name("oci config", tests, NULL, NULL);
}
