/* SPDX-License-Identifier: Apache-2.0 */
/* Archives as they are, and archives that want something (CONTRACT C12, HAZARDS H2). */
#include <fcntl.h>
#include <stdarg.h>
#include <setjmp.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include <cmocka.h>

#include "base/fs.h"
#include "shelf.h"

/* ---- places ---- */

static void c12_places_are_told_from_references(void **state)
{
    static const struct {
        const char *text;
        enum place_kind kind;
        const char *path, *name;
    } cases[] = {
        {"alpine", PLACE_REFERENCE, "alpine", NULL},
        {"docker://alpine:3", PLACE_REFERENCE, "alpine:3", NULL},
        {"localhost:5000/a/b:1", PLACE_REFERENCE, "localhost:5000/a/b:1", NULL},
        {"oci:latest", PLACE_REFERENCE, "oci:latest", NULL},
        {"dir:1", PLACE_REFERENCE, "dir:1", NULL},
        {"oci:./x", PLACE_OCI, "./x", NULL},
        {"oci:a/b:c", PLACE_OCI, "a/b", "c"},
        {"oci:/x:docker.io/library/a:1", PLACE_OCI, "/x", "docker.io/library/a:1"},
        {"oci:.", PLACE_OCI, ".", NULL},
        {"oci:nothing:x", PLACE_OCI, "nothing", "x"},
        {"oci-archive:x.tar", PLACE_OCI_ARCHIVE, "x.tar", NULL},
        {"oci-archive:x.tar:@1", PLACE_OCI_ARCHIVE, "x.tar", "@1"},
        {"docker-archive:x.tar:a:1", PLACE_DOCKER_ARCHIVE, "x.tar", "a:1"},
        {"docker-archive:x.tar:", PLACE_DOCKER_ARCHIVE, "x.tar", NULL},
        {"dir:/a:b", PLACE_DIR, "/a:b", NULL},
        {"oci:C:\\images:x", PLACE_OCI, "C:\\images", "x"},
        {"oci-archive:c:/x\\y.tar", PLACE_OCI_ARCHIVE, "c:/x\\y.tar", NULL},
        {"docker-archive:C:/x.tar:a:1", PLACE_DOCKER_ARCHIVE, "C:/x.tar", "a:1"},
        {"dir:C:\\d", PLACE_DIR, "C:\\d", NULL},
    };
    for (size_t i = 0; i < DR_COUNT(cases); i++) {
        dr_auto_error struct dr_error err = DR_ERROR_INIT;
        dr_auto_place struct place place = {0};
        assert_int_equal(place_parse(cases[i].text, false, &place, &err), 0);
        assert_int_equal(place.kind, cases[i].kind);
        assert_string_equal(place.path, cases[i].path);
        assert_string_equal(place.name ? place.name : "-",
                            cases[i].name ? cases[i].name : "-");
    }
    dr_auto_error struct dr_error unused = DR_ERROR_INIT;
    dr_auto_place struct place always = {0};
    assert_int_equal(place_parse("oci:latest", true, &always, &unused), 0);
    assert_int_equal(always.kind, PLACE_OCI);
    static const struct {
        const char *text, *why;
    } bad[] = {{"oci-archive:", "names no file: write, for example, "},
               {"docker-archive::x", "names no file: write, for example, "},
               {"oci-archive:-", "is no pipe: write oci-archive:/dev/stdin"},
               {"docker-archive:-:x", "is no pipe: write docker-archive:/dev/stdin"}};
    for (size_t i = 0; i < DR_COUNT(bad); i++) {
        dr_auto_error struct dr_error err = DR_ERROR_INIT;
        struct place place;
        assert_int_equal(place_parse(bad[i].text, true, &place, &err), -1);
        assert_int_equal(err.kind, DR_ERR_INVALID);
        assert_non_null(strstr(err.text, bad[i].why));
    }
}

/* ---- what is read ---- */

static void c12_oci_archive_gives_its_image(void **state)
{
    struct shelf *shelf = *state;
    auto_tarball struct tarball t = TARBALL_INIT;
    dr_auto_image struct oci_image image = OCI_IMAGE_INIT;
    dr_auto_range struct file_range range = FILE_RANGE_INIT;
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    char bytes[4096];
    dr_auto_free char *d = shelf_add_image(shelf, &t);
    d[strlen(d) - 1] = '\0';
    dr_auto_free char *named = dr_printf(
        "%s,\"annotations\":{\"org.opencontainers.image.ref.name\":\"docker.io/library/"
        "a:1\"}}",
        d);
    shelf_add_index(&t, named);
    shelf_write(shelf, "x.tar", &t);
    struct archive *archive = shelf_open(shelf, "x.tar");
    assert_int_equal(archive_count(archive), 1);
    assert_string_equal(archive_names(archive, 0)[0], "a:1");
    assert_null(archive_names(archive, 0)[1]);
    shelf_resolve(archive, 0, &image);
    assert_string_equal(image.manifest_digest.text, shelf->manifest_digest.text);
    assert_string_equal(image.config_raw, shelf->config);
    assert_int_equal(archive_blob(archive, &image.manifest.layers[0], &range, &err), 0);
    assert_int_equal(file_range_read(&range, 0, bytes, sizeof bytes, &err),
                     shelf->layer.bytes.len);
    assert_memory_equal(bytes, shelf->layer.bytes.data, shelf->layer.bytes.len);
    archive_close(archive);
}

static void c12_docker_archive_gives_its_images_with_links_between_layers(void **state)
{
    struct shelf *shelf = *state;
    auto_tarball struct tarball t = TARBALL_INIT;
    dr_auto_image struct oci_image image = OCI_IMAGE_INIT;
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    size_t which;
    shelf_add(&t, "aa/layer.tar", shelf->layer.bytes.data, shelf->layer.bytes.len);
    ADD(&t, .type = '2', .name = "bb/layer.tar", .link = "../aa/layer.tar");
    ADD(&t, .type = '1', .name = "cc.tar", .link = "bb/layer.tar");
    shelf_add_text(&t, "c.json", shelf->config);
    shelf_add_text(&t, "manifest.json",
                   "[{\"Config\":\"c.json\",\"RepoTags\":[\"a:1\",\"reg.example/b:2\"],"
                   "\"Layers\":[\"cc.tar\"]},{\"Config\":\"./c.json\",\"RepoTags\":null,"
                   "\"Layers\":[\"bb/layer.tar\"]}]");
    shelf_write(shelf, "x.tar", &t);
    struct archive *archive = shelf_open(shelf, "x.tar");
    assert_int_equal(archive_count(archive), 2);
    assert_string_equal(archive_names(archive, 0)[1], "reg.example/b:2");
    for (size_t i = 0; i < 2; i++) {
        dr_auto_range struct file_range range = FILE_RANGE_INIT;
        oci_image_release(&image);
        shelf_resolve(archive, i, &image);
        assert_string_equal(image.manifest.config.digest.text, shelf->config_digest.text);
        assert_string_equal(image.manifest.layers[0].digest.text, shelf->diff_id.text);
        assert_int_equal(archive_blob(archive, &image.manifest.layers[0], &range, &err),
                         0);
    }
    assert_int_equal(archive_select(archive, "b:2", &which, &err), -1);
    assert_non_null(strstr(err.text, "only: a:1, @1"));
    dr_error_release(&err);
    assert_int_equal(archive_select(archive, "reg.example/b:2", &which, &err), 0);
    assert_int_equal(which, 0);
    assert_int_equal(archive_select(archive, "@1", &which, &err), 0);
    assert_int_equal(which, 1);
    assert_int_equal(archive_select(archive, NULL, &which, &err), -1);
    assert_non_null(strstr(err.text, "has 2 images, say which one"));
    archive_close(archive);
}

static void c12_archive_on_a_pipe_and_compressed_is_read(void **state)
{
    struct shelf *shelf = *state;
    auto_tarball struct tarball t = TARBALL_INIT;
    dr_auto_image struct oci_image image = OCI_IMAGE_INIT;
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    dr_auto_free char *d = shelf_add_image(shelf, &t);
    shelf_add_index(&t, d);
    tarball_end(&t);
    gzFile gz = gzopen(shelf_path(shelf, "x.tar.gz"), "wb");
    assert_int_equal(gzwrite(gz, t.bytes.data, (unsigned)t.bytes.len), t.bytes.len);
    gzclose(gz);
    struct archive *archive = shelf_open(shelf, "x.tar.gz");
    shelf_resolve(archive, 0, &image);
    archive_close(archive);
    oci_image_release(&image);
    int pipe_fds[2];
    assert_int_equal(pipe(pipe_fds), 0);
    assert_true(t.bytes.len < 60000); /* it fits into the pipe */
    assert_int_equal(write(pipe_fds[1], t.bytes.data, t.bytes.len), t.bytes.len);
    close(pipe_fds[1]);
    if (archive_open_fd(pipe_fds[0], shelf->dir, &archive, &err) < 0)
        fail_msg("%s", err.text);
    shelf_resolve(archive, 0, &image);
    archive_close(archive);
}

/* ---- what is refused ---- */

static void h2_what_is_no_archive_is_refused(void **state)
{
    struct shelf *shelf = *state;
    auto_tarball struct tarball rootfs = TARBALL_INIT, old = TARBALL_INIT;
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    ADD(&rootfs, .name = "etc/passwd", .data = "root");
    shelf_write(shelf, "rootfs.tar", &rootfs);
    shelf_refuses(shelf, "rootfs.tar", DR_ERR_FORMAT,
                  "becomes an image by `dray import`");
    ADD(&old, .name = "repositories", .data = "{}");
    shelf_write(shelf, "old.tar", &old);
    shelf_refuses(shelf, "old.tar", DR_ERR_UNSUPPORTED, "docker from before 1.10");
    dr_file_write(AT_FDCWD, shelf_path(shelf, "x.xz"),
                  "\xfd"
                  "7zXZ\0junk",
                  10, 0600, 0, &err);
    shelf_refuses(shelf, "x.xz", DR_ERR_UNSUPPORTED, "compressed by xz");
    dr_file_write(AT_FDCWD, shelf_path(shelf, "text"), "hello\n", 6, 0600, 0, &err);
    shelf_refuses(shelf, "text", DR_ERR_FORMAT, "no tar at all (tar: the archive ends");
    dr_file_write(AT_FDCWD, shelf_path(shelf, "empty"), "", 0, 0600, 0, &err);
    shelf_refuses(shelf, "empty", DR_ERR_FORMAT, "no image archive");
    shelf_refuses(shelf, "missing", DR_ERR_NOT_FOUND, "No such file");
    assert_int_equal(mkdir(shelf_path(shelf, "d"), 0700), 0);
    shelf_refuses(shelf, "d", DR_ERR_FORMAT, "no image archive");
}

static void h2_wrong_digests_and_sizes_are_refused(void **state)
{
    struct shelf *shelf = *state;
    auto_tarball struct tarball t = TARBALL_INIT, u = TARBALL_INIT;
    dr_auto_free char *d = shelf_add_image(shelf, &t);
    dr_auto_free char *name =
        dr_printf("blobs/sha256/%s", oci_digest_hex(&shelf->manifest_digest));
    shelf_add_text(&t, name, "{}"); /* the last of two counts */
    shelf_add_index(&t, d);
    shelf_write(shelf, "x.tar", &t);
    shelf_refuses(shelf, "x.tar", DR_ERR_FORMAT, "should be sha256:");
    dr_auto_free char *e = shelf_add_image(shelf, &u);
    dr_auto_free char *layer =
        dr_printf("blobs/sha256/%s", oci_digest_hex(&shelf->diff_id));
    shelf_add_text(&u, layer, "short");
    shelf_add_index(&u, e);
    shelf_write(shelf, "u.tar", &u);
    shelf_refuses(shelf, "u.tar", DR_ERR_FORMAT, "has 5 bytes, its descriptor says");
    auto_tarball struct tarball v = TARBALL_INIT;
    dr_auto_free char *g = shelf_add_image(shelf, &v);
    char *size = strstr(g, "\"size\":") + strlen("\"size\":");
    size += *size == ' ';
    *size = *size == '9' ? '8' : (char)(*size + 1); /* the digest is right */
    shelf_add_index(&v, g);
    shelf_write(shelf, "v.tar", &v);
    shelf_refuses(shelf, "v.tar", DR_ERR_FORMAT, "bytes, its descriptor says");
}

static void h2_archive_that_is_cut_off_is_refused_wherever_it_is_cut(void **state)
{
    struct shelf *shelf = *state;
    auto_tarball struct tarball t = TARBALL_INIT;
    dr_auto_free char *d = shelf_add_image(shelf, &t);
    shelf_add_index(&t, d);
    size_t len = t.bytes.len;
    shelf_write(shelf, "x.tar", &t);
    for (size_t cut = 0; cut < len; cut += 97) {
        dr_auto_error struct dr_error err = DR_ERROR_INIT;
        dr_auto_image struct oci_image image = OCI_IMAGE_INIT;
        struct archive *archive;
        assert_int_equal(truncate(shelf_path(shelf, "x.tar"), (off_t)(len - 1 - cut)), 0);
        dr_auto_free char *path = dr_strdup(shelf_path(shelf, "x.tar"));
        if (archive_open_path(path, shelf->dir, &archive, &err) == 0) {
            shelf_resolve(archive, 0, &image); /* only padding was lost */
            archive_close(archive);
            assert_true(cut < 1024);
        } else {
            assert_true(err.kind == DR_ERR_FORMAT && err.text[0]);
        }
    }
}

static void h2_names_and_links_do_not_lead_out(void **state)
{
    struct shelf *shelf = *state;
    static const char *const links[] = {"/etc/passwd", "../../../etc/passwd", "loop",
                                        "c.json"};
    for (size_t i = 0; i < DR_COUNT(links); i++) {
        auto_tarball struct tarball t = TARBALL_INIT;
        ADD(&t, .type = '2', .name = "loop", .link = "c.json");
        ADD(&t, .type = '2', .name = "c.json", .link = links[i]);
        shelf_add_text(&t, "manifest.json",
                       "[{\"Config\":\"c.json\",\"RepoTags\":[],\"Layers\":[]}]");
        shelf_write(shelf, "x.tar", &t);
        shelf_refuses(shelf, "x.tar", DR_ERR_FORMAT,
                      i < 2 ? "the config c.json is not in it" : "leads nowhere");
    }
    auto_tarball struct tarball t = TARBALL_INIT;
    shelf_add_text(&t, "manifest.json",
                   "[{\"Config\":\"../../etc/passwd\",\"Layers\":[]}]");
    shelf_write(shelf, "y.tar", &t);
    shelf_refuses(shelf, "y.tar", DR_ERR_FORMAT, "it leads out of the archive");
    auto_tarball struct tarball u = TARBALL_INIT;
    ADD(&u, .name = "../outside", .data = "x");
    shelf_write(shelf, "z.tar", &u);
    shelf_refuses(shelf, "z.tar", DR_ERR_FORMAT, "it leads out of the archive");
}

static void h2_directories_with_pipes_and_devices_are_refused(void **state)
{
    struct shelf *shelf = *state;
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    mkdir(shelf_path(shelf, "d"), 0700);
    dr_file_write(AT_FDCWD, shelf_path(shelf, "d/oci-layout"), "{}", 2, 0600, 0, &err);
    assert_int_equal(mkfifo(shelf_path(shelf, "d/index.json"), 0600), 0);
    shelf_refuses(shelf, "d", DR_ERR_FORMAT, "index.json is no regular file");
}

static void h2_too_many_files_are_refused(void **state)
{
    struct shelf *shelf = *state;
    auto_tarball struct tarball t = TARBALL_INIT;
    char name[32];
    for (int i = 0; i <= FILES_ENTRIES_MAX; i++) {
        snprintf(name, sizeof name, "%d", i);
        ADD(&t, .type = '1', .name = name, .link = "x");
    }
    shelf_write(shelf, "x.tar", &t);
    shelf_refuses(shelf, "x.tar", DR_ERR_FORMAT, "no image has so many");
}

static void h2_documents_of_the_wrong_shape_are_refused(void **state)
{
    struct shelf *shelf = *state;
    static const struct {
        const char *file, *text, *want;
    } cases[] = {
        {"manifest.json", "{}", "is no list of images"},
        {"manifest.json", "[]", "there is no image in it"},
        {"manifest.json", "[{}]", "image 0 has no Config"},
        {"manifest.json", "[{\"Config\":\"a\",\"Layers\":\"b\"}]", "no list of Layers"},
        {"manifest.json", "[{\"Config\":\"a\",\"Layers\":[1]}]", "no list of Layers"},
        {"manifest.json", "[{\"Config\":\"a\",\"Config\":\"b\"}]", "duplicate"},
        {"manifest.json", "[{\"Config\":\"a\",\"Layers\":[]}]", "config a is not in it"},
        {"manifest.json", "nonsense", "manifest.json: "},
        {"index.json", "{\"schemaVersion\":2,\"manifests\":[]}", "no image in it"},
        {"index.json", "{\"schemaVersion\":2,\"manifests\":[],\"layers\":[]}",
         "index.json: "},
        {"index.json", "{\"schemaVersion\":2}", "index.json: "},
    };
    for (size_t i = 0; i < DR_COUNT(cases); i++) {
        auto_tarball struct tarball t = TARBALL_INIT;
        shelf_add_text(&t, cases[i].file, cases[i].text);
        shelf_write(shelf, "x.tar", &t);
        shelf_refuses(shelf, "x.tar", DR_ERR_FORMAT, cases[i].want);
    }
    auto_tarball struct tarball t = TARBALL_INIT;
    dr_auto_free char *d = shelf_add_image(shelf, &t);
    shelf_add_text(&t, "oci-layout", "{\"imageLayoutVersion\":\"2.0\"}");
    shelf_add_index(&t, d);
    shelf_write(shelf, "y.tar", &t);
    shelf_refuses(shelf, "y.tar", DR_ERR_UNSUPPORTED, "an OCI layout of version 2.0");
}

static void h2_number_of_layers_and_diff_ids_must_be_the_same(void **state)
{
    struct shelf *shelf = *state;
    auto_tarball struct tarball t = TARBALL_INIT;
    shelf_add_text(&t, "c.json", shelf->config);
    shelf_add_text(&t, "manifest.json", "[{\"Config\":\"c.json\",\"Layers\":[]}]");
    shelf_write(shelf, "x.tar", &t);
    shelf_refuses(shelf, "x.tar", DR_ERR_FORMAT,
                  "0 layers, but the config has 1 diff id");
}

/* ---- indexes ---- */

static char *wrap_index(struct tarball *t, const char *descriptors)
{
    dr_auto_free char *text =
        dr_printf("{\"schemaVersion\":2,\"manifests\":[%s]}", descriptors);
    return shelf_add_blob(t, OCI_TYPE_INDEX, text, strlen(text));
}

static void h2_indexes_are_followed_four_deep_and_not_deeper(void **state)
{
    struct shelf *shelf = *state;
    for (int depth = 1; depth <= 5; depth++) {
        auto_tarball struct tarball t = TARBALL_INIT;
        char *d = shelf_add_image(shelf, &t);
        for (int i = 0; i < depth; i++) {
            char *outer = wrap_index(&t, d);
            free(d);
            d = outer;
        }
        shelf_add_index(&t, d);
        free(d);
        shelf_write(shelf, "x.tar", &t);
        if (depth > OCI_INDEX_DEPTH_MAX) {
            shelf_refuses(shelf, "x.tar", DR_ERR_FORMAT, "more than 4 deep");
            continue;
        }
        dr_auto_image struct oci_image image = OCI_IMAGE_INIT;
        struct archive *archive = shelf_open(shelf, "x.tar");
        shelf_resolve(archive, 0, &image);
        assert_string_equal(image.manifest_digest.text, shelf->manifest_digest.text);
        assert_true(image.index_digest.text[0]);
        archive_close(archive);
    }
}

static void h2_attestations_are_skipped_and_other_platforms_named(void **state)
{
    struct shelf *shelf = *state;
    auto_tarball struct tarball t = TARBALL_INIT;
    dr_auto_free char *d = shelf_add_image(shelf, &t);
    d[strlen(d) - 1] = '\0';
    dr_auto_free char *all =
        dr_printf("%s,\"platform\":{\"os\":\"unknown\",\"architecture\":\"unknown\"}},%s,"
                  "\"platform\":{\"os\":\"linux\",\"architecture\":\"s390x\"}}",
                  d, d);
    dr_auto_free char *index = wrap_index(&t, all);
    shelf_add_index(&t, index);
    shelf_write(shelf, "x.tar", &t);
    shelf_refuses(shelf, "x.tar", DR_ERR_NOT_FOUND, "linux/s390x");
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, shelf_setup, shelf_teardown)
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(c12_places_are_told_from_references),
        CASE(c12_oci_archive_gives_its_image),
        CASE(c12_docker_archive_gives_its_images_with_links_between_layers),
        CASE(c12_archive_on_a_pipe_and_compressed_is_read),
        CASE(h2_what_is_no_archive_is_refused),
        CASE(h2_wrong_digests_and_sizes_are_refused),
        CASE(h2_archive_that_is_cut_off_is_refused_wherever_it_is_cut),
        CASE(h2_names_and_links_do_not_lead_out),
        CASE(h2_directories_with_pipes_and_devices_are_refused),
        CASE(h2_too_many_files_are_refused),
        CASE(h2_documents_of_the_wrong_shape_are_refused),
        CASE(h2_number_of_layers_and_diff_ids_must_be_the_same),
        CASE(h2_indexes_are_followed_four_deep_and_not_deeper),
        CASE(h2_attestations_are_skipped_and_other_platforms_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
