/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fs.h"
#include "disk.h"

static char dir[64];

static int enter(void **state)
{
    snprintf(dir, sizeof dir, "/tmp/dray-fs-XXXXXX");
    return mkdtemp(dir) ? chdir(dir) : -1;
}

static int leave(void **state)
{
    struct dr_error err = DR_ERROR_INIT;
    return chdir("/") < 0 ? -1 : dr_remove_all(AT_FDCWD, dir, &err);
}

static void written_file_is_read_back(void **state)
{
    struct dr_error err = DR_ERROR_INIT;
    dr_auto_buf struct dr_buf buf = DR_BUF_INIT(100);
    assert_int_equal(dr_file_write(AT_FDCWD, "f", "hello", 5, 0600, DR_WRITE_SYNC, &err),
                     0);
    assert_int_equal(dr_file_read(AT_FDCWD, "f", &buf, &err), 0);
    assert_string_equal(buf.data, "hello");
    assert_int_equal(access("f.new", F_OK), -1);
}

static void a_file_is_on_the_disk_before_its_name_is_H5_I1(void **state)
{
    struct dr_error err = DR_ERROR_INIT;
    assert_int_equal(mkdir("d", 0700), 0);
    disk_watch();
    assert_int_equal(dr_file_write(AT_FDCWD, "d/f", "old", 3, 0600, DR_WRITE_SYNC, &err),
                     0);
    assert_string_equal(disk_steps(), "fsync f.new;rename f;fsync d;");

    disk_fail(EIO);
    int result = dr_file_write(AT_FDCWD, "d/f", "new", 3, 0600, DR_WRITE_SYNC, &err);
    disk_fail(0);
    assert_int_equal(result, -1);
    assert_int_equal(access("d/f.new", F_OK), -1);
    dr_auto_buf struct dr_buf buf = DR_BUF_INIT(100);
    dr_error_release(&err);
    assert_int_equal(dr_file_read(AT_FDCWD, "d/f", &buf, &err), 0);
    assert_string_equal(buf.data, "old");
}

static void file_larger_than_the_buffers_limit_is_refused(void **state)
{
    struct dr_error err = DR_ERROR_INIT;
    dr_auto_buf struct dr_buf exact = DR_BUF_INIT(5), small = DR_BUF_INIT(4);
    assert_int_equal(dr_file_write(AT_FDCWD, "f", "hello", 5, 0600, 0, &err), 0);
    assert_int_equal(dr_file_read(AT_FDCWD, "f", &exact, &err), 0);
    assert_int_equal(dr_file_read(AT_FDCWD, "f", &small, &err), -1);
    assert_int_equal(err.kind, DR_ERR_FORMAT);
    assert_string_equal(err.text, "f is larger than 4 bytes");
}

static void what_is_no_regular_file_is_not_read(void **state)
{
    struct dr_error err = DR_ERROR_INIT;
    dr_auto_buf struct dr_buf buf = DR_BUF_INIT(100);
    assert_int_equal(mkfifo("pipe", 0600), 0);
    assert_int_equal(dr_file_read(AT_FDCWD, "pipe", &buf, &err),
                     -1); /* and does not hang */
    assert_int_equal(err.kind, DR_ERR_INVALID);
    assert_string_equal(err.text, "pipe is not a regular file");
    assert_int_equal(dr_file_read(AT_FDCWD, "missing", &buf, &err), -1);
    assert_int_equal(err.kind, DR_ERR_NOT_FOUND);
    assert_string_equal(err.text, "open missing: No such file or directory");
}

static void a_path_is_its_last_part_and_where_that_is(void **state)
{
    static const struct {
        const char *path, *parent, *last;
    } cases[] = {
        {"a", ".", "a"},     {"a/b", "a", "b"},     {"/a", "/", "a"},
        {"/a/b", "/a", "b"}, {"a/b/", "a/b", ""},   {"/", "/", ""},
        {"c:/x", "c:", "x"}, {"a\\b", ".", "a\\b"},
    };
    for (size_t i = 0; i < DR_COUNT(cases); i++) {
        dr_auto_free char *parent = dr_path_parent(cases[i].path);
        assert_string_equal(parent, cases[i].parent);
        assert_string_equal(dr_path_last(cases[i].path), cases[i].last);
    }
}

static void mkdir_all_makes_what_is_missing_and_says_what_is_in_the_way(void **state)
{
    struct dr_error err = DR_ERROR_INIT;
    assert_int_equal(dr_mkdir_all("one/two/three/", 0700, &err), 0);
    assert_int_equal(dr_mkdir_all("one/two/three", 0700, &err), 0);
    assert_int_equal(dr_file_write(AT_FDCWD, "one/file", "", 0, 0600, 0, &err), 0);
    assert_int_equal(dr_mkdir_all("one/file/a/b", 0700, &err), -1);
    assert_string_equal(err.text, "mkdir one/file/a/b: Not a directory");
}

static void remove_all_takes_a_deep_tree(void **state)
{
    struct dr_error err = DR_ERROR_INIT;
    assert_int_equal(mkdir("deep", 0700), 0);
    int fd = open("deep", O_RDONLY | O_DIRECTORY);
    for (int i = 0; i < 3000; i++) { /* far beyond PATH_MAX and any stack */
        assert_int_equal(mkdirat(fd, "a-directory", 0700), 0);
        int next = openat(fd, "a-directory", O_RDONLY | O_DIRECTORY);
        close(fd);
        fd = next;
    }
    close(fd);
    assert_int_equal(dr_remove_all(AT_FDCWD, "deep", &err), 0);
    assert_int_equal(access("deep", F_OK), -1);
}

static void remove_all_takes_many_files_and_siblings(void **state)
{
    struct dr_error err = DR_ERROR_INIT;
    char name[64];
    for (int d = 0; d < 20; d++) {
        snprintf(name, sizeof name, "many/%d/sub", d);
        assert_int_equal(dr_mkdir_all(name, 0755, &err), 0);
        for (int f = 0; f < 50; f++) {
            snprintf(name, sizeof name, "many/%d/sub/%d", d, f);
            assert_int_equal(dr_file_write(AT_FDCWD, name, "", 0, 0600, 0, &err), 0);
        }
    }
    assert_int_equal(dr_remove_all(AT_FDCWD, "many", &err), 0);
    assert_int_equal(access("many", F_OK), -1);
}

static void remove_all_never_follows_a_symlink(void **state)
{
    struct dr_error err = DR_ERROR_INIT;
    assert_int_equal(dr_mkdir_all("outside", 0755, &err), 0);
    assert_int_equal(dr_file_write(AT_FDCWD, "outside/kept", "x", 1, 0600, 0, &err), 0);
    assert_int_equal(dr_mkdir_all("tree", 0755, &err), 0);
    assert_int_equal(symlink("../outside", "tree/link"), 0);
    assert_int_equal(dr_remove_all(AT_FDCWD, "tree", &err), 0);
    assert_int_equal(symlink("outside", "top"), 0);
    assert_int_equal(dr_remove_all(AT_FDCWD, "top", &err), 0);
    assert_int_equal(access("outside/kept", F_OK), 0);
    assert_int_equal(dr_remove_all(AT_FDCWD, "never-there", &err), 0);
}

static void lock_that_is_held_is_told_without_waiting(void **state)
{
    struct dr_error err = DR_ERROR_INIT;
    int first = -1, second = -1;
    assert_int_equal(dr_lock(AT_FDCWD, "lock", true, false, &first, &err), 0);
    assert_int_equal(dr_lock(AT_FDCWD, "lock", true, false, &second, &err), -2);
    assert_int_equal(dr_lock(AT_FDCWD, "lock", false, false, &second, &err), -2);
    assert_int_equal(err.kind, DR_ERR_NONE);
    close(first);
    assert_int_equal(dr_lock(AT_FDCWD, "lock", true, false, &second, &err), 0);
    close(second);
}

int main(void)
{
#define IN_DIR(test) cmocka_unit_test_setup_teardown(test, enter, leave)
    const struct CMUnitTest tests[] = {
        IN_DIR(written_file_is_read_back),
        IN_DIR(a_file_is_on_the_disk_before_its_name_is_H5_I1),
        IN_DIR(file_larger_than_the_buffers_limit_is_refused),
        IN_DIR(what_is_no_regular_file_is_not_read),
        IN_DIR(a_path_is_its_last_part_and_where_that_is),
        IN_DIR(mkdir_all_makes_what_is_missing_and_says_what_is_in_the_way),
        IN_DIR(remove_all_takes_a_deep_tree),
        IN_DIR(remove_all_takes_many_files_and_siblings),
        IN_DIR(remove_all_never_follows_a_symlink),
        IN_DIR(lock_that_is_held_is_told_without_waiting),
    };
    return cmocka_run_group_tests_name("base fs", tests, NULL, NULL);
}
