/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A layer's tar out of its tree, byte by byte (CONTRACT C12: save and push). That it is
 * so for whatever a layer may hold, every test that calls put_ok looks at.
 */
#include <fcntl.h>
#include <stdarg.h>
#include <setjmp.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/fs.h"
#include "guest/layers/split.h"
#include "lab.h"

static void get_fails(struct lab *lab, enum dr_kind kind, const char *text)
{
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    dr_auto_buf struct dr_buf made = DR_BUF_INIT(256 << 20);
    assert_int_equal(lab_get(lab, &made, &err), -1);
    if (!strstr(err.text, text) || !strstr(err.text, lab->id.text))
        fail_msg("'%s' does not say '%s'", err.text, text);
    assert_string_equal(dr_kind_name(err.kind), dr_kind_name(kind));
}

static void c12_replaced_files_come_out_as_they_were(void **state)
{
    auto_tarball struct tarball t = TARBALL_INIT;
    ADD(&t, .name = "a", .data = "first");
    ADD(&t, .type = '1', .name = "link", .link = "a");
    ADD(&t, .name = "a", .data = "second, longer");
    ADD(&t, .type = '5', .name = "d");
    ADD(&t, .name = "d/x", .data = "in a directory");
    ADD(&t, .name = "d/x", .data = "twice there");
    ADD(&t, .name = "d/y/z", .data = "deeper");
    ADD(&t, .name = "d", .data = "a file now");
    ADD(&t, .type = '2', .name = "d", .link = "a");
    ADD(&t, .name = "a", .data = "third");
    ADD(&t, .type = '5', .name = "a");
    ADD(&t, .name = "a/b", .data = "below what was a file");
    put_ok(*state, &t);
    content_is(*state, "a/b", "below what was a file");
    content_is(*state, "link", "first");
}

static void c12_replacing_too_often_costs_the_archive_only(void **state)
{
    struct lab *lab = *state;
    auto_tarball struct tarball t = TARBALL_INIT;
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    for (int i = 0; i < SPLIT_MOVED_MAX + 2; i++)
        ADD(&t, .name = "a", .data = "x");
    assert_int_equal(lab_put(lab, &t, NULL, &err), 0);
    content_is(lab, "a", "x");
    assert_false(there(lab, "../lost"));
    get_fails(lab, DR_ERR_UNSUPPORTED,
              "without a record of its archive (to have it whole "
              "again, remove the image and pull it)");
}

static void c12_changed_files_are_told(void **state)
{
    struct lab *lab = *state;
    auto_tarball struct tarball t = TARBALL_INIT;
    ADD(&t, .name = "a", .data = "12345");
    ADD(&t, .name = "b", .data = "67890");
    put_ok(lab, &t);
    int fd = open(lab_path(lab, "a"), O_WRONLY);
    assert_int_equal(write(fd, "x", 1), 1);
    get_fails(lab, DR_ERR_INTERNAL, "its files were changed: they give sha256:");
    assert_int_equal(ftruncate(fd, 2), 0);
    close(fd);
    get_fails(lab, DR_ERR_INTERNAL, "its file a was changed");
    assert_int_equal(unlink(lab_path(lab, "a")), 0);
    get_fails(lab, DR_ERR_INTERNAL, "its file a is not there any more");
    assert_int_equal(symlink("/etc/passwd", lab_path(lab, "a")), 0);
    get_fails(lab, DR_ERR_INTERNAL, "its file a is not there any more");
    unlink(lab_path(lab, "a"));
    assert_int_equal(mkfifo(lab_path(lab, "a"), 0600), 0);
    get_fails(lab, DR_ERR_INTERNAL, "its file a was changed");
}

static void c12_damaged_record_is_told(void **state)
{
    struct lab *lab = *state;
    auto_tarball struct tarball t = TARBALL_INIT;
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    dr_auto_buf struct dr_buf split = DR_BUF_INIT(1 << 20);
    for (int i = 0; i < 50; i++)
        ADD(&t, .name = "some/file", .data = "12345");
    put_ok(lab, &t);
    dr_auto_free char *path = dr_strdup(lab_path(lab, "../split"));
    assert_int_equal(dr_file_read(AT_FDCWD, path, &split, &err), 0);
    for (size_t cut = 0; cut < split.len; cut++) {
        dr_auto_buf struct dr_buf made = DR_BUF_INIT(1 << 20);
        assert_int_equal(truncate(path, (off_t)(split.len - 1 - cut)), 0);
        assert_int_equal(lab_get(lab, &made, &err), -1);
        dr_error_release(&err);
    }
    assert_int_equal(unlink(path), 0);
    get_fails(lab, DR_ERR_UNSUPPORTED, "without a record");
}

static int refuse(void *arg, const void *data, size_t len, struct dr_error *err)
{
    return --*(int *)arg < 0 ? dr_fail(err, DR_ERR_CANCELLED, "enough") : 0;
}

static void c12_a_reader_that_gives_up_ends_it(void **state)
{
    struct lab *lab = *state;
    auto_tarball struct tarball t = TARBALL_INIT;
    ADD(&t, .name = "a", .data = "12345");
    put_ok(lab, &t);
    for (int calls = 0; calls < 3; calls++) {
        dr_auto_error struct dr_error err = DR_ERROR_INIT;
        int left = calls;
        assert_int_equal(layer_get(lab->store, &lab->id, refuse, &left, &err), -1);
        assert_int_equal(err.kind, DR_ERR_CANCELLED);
    }
}

static void c12_unknown_layer_is_not_found(void **state)
{
    struct lab *lab = *state;
    oci_digest_of("x", 1, &lab->id);
    get_fails(lab, DR_ERR_NOT_FOUND, "is not on this target");
}

/* A record costs a small part of what it stands for. */
static void c12_record_is_small(void **state)
{
    struct lab *lab = *state;
    auto_tarball struct tarball t = TARBALL_INIT;
    struct stat st;
    char name[64];
    for (int i = 0; i < 1000; i++) {
        snprintf(name, sizeof name, "usr/share/doc/package-%d/changelog", i);
        ADD(&t, .name = name, .data = "some text", .mtime = 1700000000 + i * 77);
    }
    put_ok(lab, &t);
    assert_int_equal(stat(lab_path(lab, "../split"), &st), 0);
    assert_true(st.st_size < 40 * 1000);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, lab_setup, lab_teardown)
    const struct CMUnitTest tests[] = {
        CASE(c12_replaced_files_come_out_as_they_were),
        CASE(c12_replacing_too_often_costs_the_archive_only),
        CASE(c12_changed_files_are_told),
        CASE(c12_damaged_record_is_told),
        CASE(c12_a_reader_that_gives_up_ends_it),
        CASE(c12_unknown_layer_is_not_found),
        CASE(c12_record_is_small),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
