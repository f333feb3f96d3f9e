/* SPDX-License-Identifier: Apache-2.0 */
/* One file out of a stack of layers, as overlayfs would show it; H2: nothing outside. */
#include "tree.h"

static void expect(const struct tree *t, const char *path, const char *text)
{
    dr_auto_buf struct dr_buf buf = DR_BUF_INIT(1000);
    struct dr_error err = DR_ERROR_INIT;
    if (bundle_stack_read(t->fds, t->count, path, &buf, &err) < 0)
        fail_msg("%s: %s", path, err.text);
    dr_auto_free char *got = dr_buf_take(&buf);
    assert_string_equal(got, text);
}

static void expect_error(const struct tree *t, const char *path, enum dr_kind kind,
                         const char *text)
{
    dr_auto_buf struct dr_buf buf = DR_BUF_INIT(1000);
    struct dr_error err = DR_ERROR_INIT;
    assert_int_equal(bundle_stack_read(t->fds, t->count, path, &buf, &err), -1);
    assert_int_equal(err.kind, kind);
    assert_non_null(strstr(err.text, text));
    assert_non_null(strstr(err.text, path));
}

static void the_topmost_layer_wins(void **state)
{
    struct tree t;
    tree_init(&t, 3);
    tree_file(&t, 2, "etc/passwd", "old");
    tree_file(&t, 2, "etc/group", "below");
    tree_file(&t, 1, "etc/passwd", "new");
    expect(&t, "/etc/passwd", "new");
    expect(&t, "etc/passwd", "new");
    expect(&t, "/etc//./passwd", "new");
    expect(&t, "/etc/group", "below");
    expect_error(&t, "/etc/shadow", DR_ERR_NOT_FOUND, "not in the image");
    tree_done(&t);
}

static void whiteouts_hide_what_is_below(void **state)
{
    struct tree t;
    tree_init(&t, 3);
    tree_file(&t, 2, "etc/passwd", "old");
    tree_file(&t, 2, "a/b", "old");
    tree_whiteout(&t, 1, "etc/passwd");
    tree_whiteout(&t, 1, "a");
    expect_error(&t, "/etc/passwd", DR_ERR_NOT_FOUND, "not in the image");
    expect_error(&t, "/a/b", DR_ERR_NOT_FOUND, "not in the image");
    tree_file(&t, 0, "etc/passwd", "again");
    tree_file(&t, 0, "a/c", "fresh");
    expect(&t, "/etc/passwd", "again");
    expect(&t, "/a/c", "fresh");
    expect_error(&t, "/a/b", DR_ERR_NOT_FOUND, "not in the image");
    tree_done(&t);
}

static void an_opaque_directory_hides_what_is_below(void **state)
{
    struct tree t;
    tree_init(&t, 2);
    tree_file(&t, 1, "etc/passwd", "old");
    tree_file(&t, 0, "etc/group", "new");
    expect(&t, "/etc/passwd", "old");
    tree_opaque(&t, 0, "etc");
    expect_error(&t, "/etc/passwd", DR_ERR_NOT_FOUND, "not in the image");
    expect(&t, "/etc/group", "new");
    tree_done(&t);
}

static void a_file_or_link_replaces_a_directory_below(void **state)
{
    struct tree t;
    tree_init(&t, 3);
    tree_file(&t, 2, "etc/passwd", "oldest");
    tree_file(&t, 1, "etc", "a file now");
    expect_error(&t, "/etc/passwd", DR_ERR_NOT_FOUND, "not in the image");
    tree_file(&t, 0, "etc/group", "dir again");
    expect_error(&t, "/etc/passwd", DR_ERR_NOT_FOUND, "not in the image");
    expect(&t, "/etc/group", "dir again");
    tree_done(&t);
}

static void symlinks_lead_through_the_layers(void **state)
{
    struct tree t;
    tree_init(&t, 2);
    tree_file(&t, 1, "usr/etc/passwd", "here");
    tree_link(&t, 0, "etc", "usr/etc");
    expect(&t, "/etc/passwd", "here");
    tree_link(&t, 1, "usr/etc/rel", "../../usr/./etc/passwd");
    tree_link(&t, 1, "usr/etc/abs", "/etc/passwd");
    expect(&t, "/etc/rel", "here");
    expect(&t, "/etc/abs", "here");
    expect(&t, "/etc/../../usr/etc/abs", "here"); /* ".." of usr/etc is usr, then / */
    tree_done(&t);
}

static void h2_symlinks_never_leave_the_layers(void **state)
{
    struct tree t;
    tree_init(&t, 2);
    tree_dir(&t, 1, "etc");
    tree_link(&t, 1, "etc/passwd", "../../../../../../../../etc/passwd");
    tree_link(&t, 1, "etc/group", "/etc/group");
    tree_link(&t, 1, "etc/shadow", "/proc/1/environ");
    expect_error(&t, "/etc/passwd", DR_ERR_CREATE, "too many symbolic links");
    expect_error(&t, "/etc/group", DR_ERR_CREATE, "too many symbolic links");
    expect_error(&t, "/etc/shadow", DR_ERR_NOT_FOUND, "not in the image");
    tree_link(&t, 0, "loop", "loop");
    expect_error(&t, "/loop", DR_ERR_CREATE, "too many symbolic links");
    tree_done(&t);
}

static void h2_only_regular_files_of_bounded_size_are_read(void **state)
{
    struct tree t;
    tree_init(&t, 1);
    tree_dir(&t, 0, "etc/dir");
    dr_auto_free char *fifo = tree_path(&t, 0, "etc/fifo");
    assert_int_equal(mkfifo(fifo, 0644), 0);
    char big[1002];
    memset(big, 'x', 1001);
    big[1001] = '\0';
    tree_file(&t, 0, "etc/big", big);
    expect_error(&t, "/etc/fifo", DR_ERR_CREATE, "is not a regular file");
    expect_error(&t, "/etc/dir", DR_ERR_CREATE, "is not a regular file");
    expect_error(&t, "/", DR_ERR_CREATE, "is not a regular file");
    expect_error(&t, "/etc/big", DR_ERR_FORMAT, "1000 bytes");
    expect_error(&t, "/etc/fifo/x", DR_ERR_NOT_FOUND, "not in the image");
    tree_done(&t);
}

static void h2_endless_paths_end(void **state)
{
    struct tree t;
    tree_init(&t, 1);
    char path[5000];
    for (size_t i = 0; i + 2 < sizeof path; i += 2)
        memcpy(path + i, "./", 3);
    path[4998] = '\0';
    struct dr_error err = DR_ERROR_INIT;
    mode_t mode;
    assert_int_equal(bundle_stack_stat(t.fds, t.count, path, &mode, &err), -1);
    assert_int_equal(err.kind, DR_ERR_CREATE);
    assert_non_null(strstr(err.text, "the path is too long"));
    tree_link(&t, 0, "a",
              "./././././././././././././././././././././././././././././././b/a");
    assert_int_equal(bundle_stack_stat(t.fds, t.count, "a/a/a", &mode, &err), -1);
    tree_done(&t);
}

static void stat_tells_what_it_is(void **state)
{
    struct tree t;
    struct dr_error err = DR_ERROR_INIT;
    mode_t mode = 0;
    tree_init(&t, 2);
    tree_file(&t, 1, "bin/sh", "x");
    tree_link(&t, 0, "sbin", "bin");
    assert_int_equal(bundle_stack_stat(t.fds, 2, "/sbin/sh", &mode, &err), 0);
    assert_int_equal(mode, S_IFREG | 0644);
    assert_int_equal(bundle_stack_stat(t.fds, 2, "/sbin", &mode, &err), 0);
    assert_true(S_ISDIR(mode));
    assert_int_equal(bundle_stack_stat(t.fds, 2, "/", &mode, &err), 0);
    assert_true(S_ISDIR(mode));
    tree_done(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_topmost_layer_wins),
        cmocka_unit_test(whiteouts_hide_what_is_below),
        cmocka_unit_test(an_opaque_directory_hides_what_is_below),
        cmocka_unit_test(a_file_or_link_replaces_a_directory_below),
        cmocka_unit_test(symlinks_lead_through_the_layers),
        cmocka_unit_test(h2_symlinks_never_leave_the_layers),
        cmocka_unit_test(h2_only_regular_files_of_bounded_size_are_read),
        cmocka_unit_test(h2_endless_paths_end),
        cmocka_unit_test(stat_tells_what_it_is),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
