/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Against parts that this project did not make: Debian's docker-registry, images made by
 * umoci out of this system's files and pushed by skopeo. Skipped where they are not
 * installed.
 */
#include "real.h"

#include <sys/resource.h>

#ifndef REGISTRY_FETCH
#define REGISTRY_FETCH "./registry-fetch"
#endif

static void images_of_skopeo_come_whole_out_of_docker_registry(void **state)
{
    static const char *const forms[] = {"--format oci", "--format v2s2",
                                        "--format oci --dest-compress-format zstd"};
    struct fixture *f = *state;
    start_docker_registry(f, "");
    for (size_t i = 0; i < DR_COUNT(forms); i++) {
        dr_auto_error struct dr_error err = DR_ERROR_INIT;
        dr_auto_image struct oci_image image = OCI_IMAGE_INIT;
        must(f, "rm -rf lay");
        push_real_image(f, forms[i]);
        if (resolve_image(f, "real:1", "linux/amd64", &image, &err) < 0 ||
            pull_image(f, "real:1", &err) < 0)
            fail_msg("%s: %s", forms[i], err.text);
        assert_int_equal(image.manifest.n_layers, 2);
        /* skopeo's own view of the same tag */
        dr_auto_free char *check =
            dr_printf("skopeo inspect --tls-verify=false --raw "
                      "docker://127.0.0.1:%d/real:1 | sha256sum |"
                      " grep -q ^%s",
                      f->port, oci_digest_hex(&image.manifest_digest));
        must(f, check);
        for (size_t l = 0; l < 2; l++) {
            dr_auto_free char *sum =
                dr_printf("sha256sum <store/blobs/sha256/%s | grep -q ^%s",
                          oci_digest_hex(&image.manifest.layers[l].digest),
                          oci_digest_hex(&image.manifest.layers[l].digest));
            must(f, sum);
        }
        struct registry *reg;
        struct oci_digest digest;
        open_registry(f, "real:1", &reg);
        assert_int_equal(registry_head_digest(reg, &digest, &err), 0);
        assert_true(oci_digest_equal(&digest, &image.manifest_digest));
        registry_close(reg);
    }
}

static void docker_registry_with_a_password_C08(void **state)
{
    struct fixture *f = *state;
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    dr_auto_free char *users = in_dir(f, "htpasswd");
    write_all(
        users,
        "ann:$2b$04$fKaGIx4fgEaLoLb6lxYeyuo/GcG5u1Hg8rcLARSa0HHezI27rgVDC\n"); /* bcrypt
                                                                                  of "pw"
                                                                                */
    dr_auto_free char *auth =
        dr_printf("auth: {htpasswd: {realm: basic-realm, path: %s/htpasswd}}\n", f->dir);
    start_docker_registry(f, auth);
    push_real_image(f, "--dest-creds ann:pw");
    assert_int_equal(pull_image(f, "real:1", &err), -1);
    assert_error(&err, DR_ERR_PULL, 401, "a login is needed");
    dr_auto_free char *file = in_dir(f, "auth.json");
    dr_auto_free char *text =
        dr_printf("{\"auths\":{\"127.0.0.1:%d\":{\"auth\":\"YW5uOnB3\"}}}", f->port);
    write_all(file, text);
    f->options.auth_file = file;
    if (pull_image(f, "real:1", &err) < 0)
        fail_msg("%s", err.text);
}

static void docker_registry_says_what_it_does_not_have(void **state)
{
    struct fixture *f = *state;
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    start_docker_registry(f, "");
    assert_int_equal(pull_image(f, "no/such:1", &err), -1);
    assert_error(&err, DR_ERR_NOT_FOUND, 404,
                 "has no such image or tag (404): check the name "
                 "[MANIFEST_UNKNOWN: manifest unknown]");
}

/* An answer is in the log a little after it was given. */
static void assert_comes(const char *log, const char *line)
{
    for (int i = 0; i < 1000; i++) {
        dr_auto_free char *text = read_all(log);
        if (strstr(text, line))
            return;
        usleep(10000);
    }
    fail_msg("%s does not come", line);
}

static void a_long_layer_has_a_connection_of_its_own(void **state)
{
    struct fixture *f = *state;
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    dr_auto_image struct oci_image image = OCI_IMAGE_INIT;
    dr_auto_free char *cert = NULL, *key = NULL;
    dr_auto_free char *log_path = in_dir(f, "registry.log");
    make_image(f, "1", "--layer", "20000:plain", "--layer", "17000000:plain", NULL);
    make_certificate(f, &cert, &key);
    setenv("REGISTRY_HTTP_TLS_CERTIFICATE", cert, 1);
    setenv("REGISTRY_HTTP_TLS_KEY", key, 1);
    start_docker_registry(f, "");
    unsetenv("REGISTRY_HTTP_TLS_CERTIFICATE");
    unsetenv("REGISTRY_HTTP_TLS_KEY");
    dr_auto_free char *push =
        dr_printf("skopeo copy -q --insecure-policy --dest-tls-verify=false oci:%s:1 "
                  "docker://127.0.0.1:%d/app:1",
                  f->layout, f->port);
    must(f, push);
    f->options.ca_file = cert;
    if (resolve_image(f, "app:1", "linux/amd64", &image, &err) < 0 ||
        pull_image(f, "app:1", &err) < 0)
        fail_msg("%s", err.text);
    for (int i = 0; i < 2; i++) {
        dr_auto_free char *line =
            dr_printf("\"GET /v2/app/blobs/%s HTTP/%s\" 200",
                      image.manifest.layers[i].digest.text, i == 0 ? "2.0" : "1.1");
        assert_comes(log_path, line);
    }
}

/* Processes of their own: they share the cache, one of them dies, memory stays small. */
static void processes_share_a_pull_of_a_large_layer_in_64_MiB(void **state)
{
    struct fixture *f = *state;
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    dr_auto_image struct oci_image image = OCI_IMAGE_INIT;
    make_image(f, "1", "--layer", "100000000:plain", NULL);
    start_registry(f, NULL);
    assert_int_equal(resolve_image(f, "app:1", "linux/amd64", &image, &err), 0);
    dr_auto_free char *ref = dr_printf("127.0.0.1:%d/app:1", f->port);
    pid_t pids[4];
    for (int i = 0; i < 4; i++) {
        dr_auto_free char *out = dr_printf("%s/out-%d", f->dir, i);
        const char *argv[] = {REGISTRY_FETCH,
                              "--store",
                              store_dir(f->store),
                              "--auth-file",
                              "",
                              ref,
                              out,
                              NULL};
        assert_int_equal(
            posix_spawn(&pids[i], argv[0], NULL, NULL, (char *const *)argv, environ), 0);
        usleep(20000);
    }
    kill(pids[0], SIGKILL); /* most likely the one that writes */
    for (int i = 0; i < 4; i++) {
        int status = -1;
        struct rusage usage;
        wait4(pids[i], &status, 0, &usage);
        if (i == 0)
            continue;
        assert_int_equal(status, 0);
#if !defined(__SANITIZE_ADDRESS__)
        assert_in_range(usage.ru_maxrss, 1, 64 * 1024); /* KiB */
#endif
        print_message("%ld KiB resident at the peak\n", usage.ru_maxrss);
        dr_auto_free char *same = dr_printf("cmp out-1/layer-0 out-%d/layer-0", i);
        must(f, same);
    }
    /* the one that was killed, and who went on where it was */
    assert_in_range(logged(f, image.manifest.layers[0].digest.text), 1, 2);
    struct store_usage usage;
    assert_int_equal(store_usage(f->store, &usage, &err), 0);
    assert_int_equal(usage.partials, 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(images_of_skopeo_come_whole_out_of_docker_registry),
        TEST(docker_registry_with_a_password_C08),
        TEST(docker_registry_says_what_it_does_not_have),
        TEST(a_long_layer_has_a_connection_of_its_own),
        TEST(processes_share_a_pull_of_a_large_layer_in_64_MiB),
    };
    return cmocka_run_group_tests_name("registry real", tests, NULL, NULL);
}
