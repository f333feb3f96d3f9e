/* SPDX-License-Identifier: Apache-2.0 */
/* What is written is read back, and what fails leaves nothing (CONTRACT C12). */
#include <dirent.h>
#include <fcntl.h>
#include <stdarg.h>
#include <setjmp.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "base/fs.h"
#include "shelf.h"

struct feed {
    const char *data;
    size_t left;
};

static ssize_t read_feed(void *arg, void *buf, size_t len, struct dr_error *err)
{
    struct feed *feed = arg;
    size_t n = feed->left < len ? feed->left : len;
    memcpy(buf, feed->data, n);
    feed->data += n;
    feed->left -= n;
    return (ssize_t)n;
}

static int write_layer(const struct shelf *shelf, struct archive_writer *w, size_t len,
                       struct dr_error *err)
{
    struct feed feed = {shelf->layer.bytes.data, len};
    const struct archive_bytes bytes = {shelf->diff_id, (int64_t)shelf->layer.bytes.len,
                                        read_feed, &feed};
    return archive_writer_blob(w, &bytes, err);
}

/* name NULL: a stream, to fd */
static int write_to(const struct shelf *shelf, enum place_kind kind, const char *name,
                    int fd, char *const *names, const char *key, struct dr_error *err)
{
    dr_auto_image struct oci_image image = OCI_IMAGE_INIT;
    struct archive_writer *w;
    dr_auto_free char *path = name ? dr_strdup(shelf_path(shelf, name)) : NULL;
    if (oci_image_parse(shelf->manifest, strlen(shelf->manifest), NULL, shelf->config,
                        strlen(shelf->config), &image, err) < 0 ||
        archive_writer_open(kind, path, fd, &w, err) < 0)
        return -1;
    int rc = archive_writer_has(w, &shelf->diff_id)
                 ? 0
                 : write_layer(shelf, w, shelf->layer.bytes.len, err);
    if (rc == 0)
        rc = archive_writer_image(w, &image, names, key, err);
    return archive_writer_close(w, rc == 0, err) < 0 ? -1 : rc;
}

static int write_image(const struct shelf *shelf, enum place_kind kind, const char *name,
                       char *const *names, const char *key, struct dr_error *err)
{
    return write_to(shelf, kind, name, -1, names, key, err);
}

static char name_a[] = "docker.io/library/a:1", name_b[] = "reg.example/b:2";
static char *const two_names[] = {name_a, name_b, NULL};
static char *const no_names[] = {NULL};

static int entries(const struct shelf *shelf)
{
    int n = 0;
    DIR *dir = opendir(shelf->dir);
    for (struct dirent *e; (e = readdir(dir));)
        n += e->d_name[0] != '.';
    closedir(dir);
    return n;
}

static void c12_every_form_is_read_back(void **state)
{
    struct shelf *shelf = *state;
    static const enum place_kind kinds[] = {PLACE_OCI, PLACE_OCI_ARCHIVE,
                                            PLACE_DOCKER_ARCHIVE, PLACE_DIR};
    for (size_t i = 0; i < DR_COUNT(kinds); i++) {
        dr_auto_error struct dr_error err = DR_ERROR_INIT;
        dr_auto_image struct oci_image image = OCI_IMAGE_INIT;
        dr_auto_range struct file_range range = FILE_RANGE_INIT;
        char name[8], bytes[8192];
        snprintf(name, sizeof name, "%zu", i);
        if (write_image(shelf, kinds[i], name, two_names, NULL, &err) < 0)
            fail_msg("%s", err.text);
        struct archive *archive = shelf_open(shelf, name);
        shelf_resolve(archive, 0, &image);
        assert_string_equal(image.config_raw, shelf->config);
        assert_int_equal(archive_blob(archive, &image.manifest.layers[0], &range, &err),
                         0);
        assert_int_equal(file_range_read(&range, 0, bytes, sizeof bytes, &err),
                         shelf->layer.bytes.len);
        assert_memory_equal(bytes, shelf->layer.bytes.data, shelf->layer.bytes.len);
        if (kinds[i] == PLACE_DOCKER_ARCHIVE)
            assert_string_equal(archive_names(archive, 0)[1], "reg.example/b:2");
        else
            assert_string_equal(image.manifest_digest.text, shelf->manifest_digest.text);
        archive_close(archive);
    }
}

static void c12_every_form_goes_through_a_pipe(void **state)
{
    struct shelf *shelf = *state;
    static const enum place_kind kinds[] = {PLACE_OCI, PLACE_OCI_ARCHIVE,
                                            PLACE_DOCKER_ARCHIVE, PLACE_DIR};
    for (size_t i = 0; i < DR_COUNT(kinds); i++) {
        dr_auto_error struct dr_error err = DR_ERROR_INIT;
        dr_auto_image struct oci_image image = OCI_IMAGE_INIT;
        struct archive *archive;
        int ends[2];
        assert_int_equal(pipe(ends), 0); /* the archive is smaller than its buffer */
        if (write_to(shelf, kinds[i], NULL, ends[1], two_names, NULL, &err) < 0)
            fail_msg("%s", err.text);
        close(ends[1]);
        if (archive_open_fd(ends[0], shelf->dir, &archive, &err) < 0)
            fail_msg("%s", err.text);
        shelf_resolve(archive, 0, &image);
        assert_string_equal(image.config_raw, shelf->config);
        assert_int_equal(archive_kind(archive),
                         kinds[i] == PLACE_OCI ? PLACE_OCI_ARCHIVE : kinds[i]);
        archive_close(archive);
    }
}

static void c12_same_image_gives_the_same_bytes(void **state)
{
    struct shelf *shelf = *state;
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    dr_auto_buf struct dr_buf a = DR_BUF_INIT(1 << 20), b = DR_BUF_INIT(1 << 20);
    assert_int_equal(write_image(shelf, PLACE_OCI_ARCHIVE, "a", two_names, NULL, &err),
                     0);
    assert_int_equal(write_image(shelf, PLACE_OCI_ARCHIVE, "b", two_names, NULL, &err),
                     0);
    assert_int_equal(dr_file_read(AT_FDCWD, shelf_path(shelf, "a"), &a, &err), 0);
    assert_int_equal(dr_file_read(AT_FDCWD, shelf_path(shelf, "b"), &b, &err), 0);
    assert_int_equal(a.len, b.len);
    assert_memory_equal(a.data, b.data, a.len);
}

static void c12_layout_keeps_what_is_in_it(void **state)
{
    struct shelf *shelf = *state;
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    size_t which;
    const char *const keys[] = {"one", "two", "one"};
    for (size_t i = 0; i < DR_COUNT(keys); i++)
        if (write_image(shelf, PLACE_OCI, "x", no_names, keys[i], &err) < 0)
            fail_msg("%s", err.text);
    struct archive *archive = shelf_open(shelf, "x");
    assert_int_equal(archive_count(archive), 2);
    assert_int_equal(archive_select(archive, "two", &which, &err), 0);
    assert_int_equal(archive_select(archive, "one", &which, &err), 0);
    archive_close(archive);
}

static void c12_directory_of_something_else_is_not_touched(void **state)
{
    struct shelf *shelf = *state;
    static const enum place_kind kinds[] = {PLACE_OCI, PLACE_DIR};
    for (size_t i = 0; i < DR_COUNT(kinds); i++) {
        dr_auto_error struct dr_error err = DR_ERROR_INIT;
        mkdir(shelf_path(shelf, "home"), 0700);
        dr_file_write(AT_FDCWD, shelf_path(shelf, "home/letter"), "x", 1, 0600, 0, &err);
        assert_int_equal(write_image(shelf, kinds[i], "home", no_names, NULL, &err), -1);
        assert_int_equal(err.kind, DR_ERR_EXISTS);
        assert_non_null(strstr(err.text, "name an empty directory"));
        assert_int_equal(access(shelf_path(shelf, "home/letter"), F_OK), 0);
    }
}

static void h2_wrong_bytes_leave_no_file(void **state)
{
    struct shelf *shelf = *state;
    static const enum place_kind kinds[] = {PLACE_OCI_ARCHIVE, PLACE_DOCKER_ARCHIVE};
    for (size_t i = 0; i < DR_COUNT(kinds); i++) {
        dr_auto_error struct dr_error err = DR_ERROR_INIT;
        struct archive_writer *w;
        dr_auto_free char *path = dr_strdup(shelf_path(shelf, "x"));
        assert_int_equal(archive_writer_open(kinds[i], path, -1, &w, &err), 0);
        assert_int_equal(write_layer(shelf, w, 512, &err), -1);
        assert_int_equal(err.kind, DR_ERR_FORMAT);
        assert_non_null(strstr(err.text, "has 512 bytes, it should have"));
        archive_writer_close(w, false, &err);
        assert_int_equal(entries(shelf), 0);
    }
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    struct archive_writer *w;
    dr_auto_free char *path = dr_strdup(shelf_path(shelf, "layout"));
    assert_int_equal(archive_writer_open(PLACE_OCI, path, -1, &w, &err), 0);
    shelf->layer.bytes.data[0] ^= 1;
    assert_int_equal(write_layer(shelf, w, shelf->layer.bytes.len, &err), -1);
    assert_non_null(strstr(err.text, "the bytes of sha256:"));
    assert_false(archive_writer_has(w, &shelf->diff_id));
    archive_writer_close(w, false, &err);
    assert_int_not_equal(access(shelf_path(shelf, "layout/index.json"), F_OK), 0);
}

static void c12_file_that_was_there_stays_until_the_new_one_is_whole(void **state)
{
    struct shelf *shelf = *state;
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    dr_auto_buf struct dr_buf text = DR_BUF_INIT(100);
    struct archive_writer *w;
    dr_auto_free char *path = dr_strdup(shelf_path(shelf, "x"));
    dr_file_write(AT_FDCWD, path, "old", 3, 0600, 0, &err);
    assert_int_equal(archive_writer_open(PLACE_OCI_ARCHIVE, path, -1, &w, &err), 0);
    archive_writer_close(w, false, &err);
    assert_int_equal(dr_file_read(AT_FDCWD, path, &text, &err), 0);
    assert_string_equal(text.data, "old");
    assert_int_equal(entries(shelf), 1);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, shelf_setup, shelf_teardown)
    const struct CMUnitTest tests[] = {
        CASE(c12_every_form_is_read_back),
        CASE(c12_every_form_goes_through_a_pipe),
        CASE(c12_same_image_gives_the_same_bytes),
        CASE(c12_layout_keeps_what_is_in_it),
        CASE(c12_directory_of_something_else_is_not_touched),
        CASE(h2_wrong_bytes_leave_no_file),
        CASE(c12_file_that_was_there_stays_until_the_new_one_is_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
