/* SPDX-License-Identifier: Apache-2.0 */
/* Walking trees of any depth and size, by descriptor. */
#include <fcntl.h>
#include <stdarg.h>
#include <setjmp.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/fs.h"
#include "base/walk.h"

struct lab {
    char root[64];
    int dir;
};

static int setup(void **state)
{
    struct lab *lab = dr_alloc(sizeof *lab);
    strcpy(lab->root, "/var/tmp/dray-walk-XXXXXX");
    if (!mkdtemp(lab->root))
        return -1;
    lab->dir = open(lab->root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    *state = lab;
    return lab->dir < 0 ? -1 : 0;
}

static int teardown(void **state)
{
    struct lab *lab = *state;
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    close(lab->dir);
    int rc = dr_remove_all(AT_FDCWD, lab->root, &err);
    free(lab);
    return rc;
}

static void make_dir(struct lab *lab, const char *path)
{
    assert_int_equal(mkdirat(lab->dir, path, 0755), 0);
}

static void make_file(struct lab *lab, const char *path)
{
    int fd = openat(lab->dir, path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
    assert_true(fd >= 0);
    close(fd);
}

/* All paths, each with a blank behind it; "-" before those that are left. */
static char *walked(struct lab *lab, unsigned flags, const char *skip)
{
    struct dr_buf out = DR_BUF_INIT(1 << 20);
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    struct dr_walk *walk;
    struct dr_walk_entry e;
    assert_int_equal(dr_walk_new(lab->dir, flags, &walk, &err), 0);
    int rc;
    while ((rc = dr_walk_next(walk, &e, &err)) > 0) {
        struct stat st;
        assert_int_equal(e.path_len, strlen(e.path));
        assert_int_equal(fstatat(e.at, e.name, &st, AT_SYMLINK_NOFOLLOW), 0);
        assert_int_equal(st.st_ino, e.st.st_ino);
        dr_buf_addf(&out, &err, "%s%s ", e.leaving ? "-" : "", e.path);
        if (skip && strcmp(e.path, skip) == 0)
            dr_walk_skip(walk);
    }
    if (rc < 0)
        dr_buf_addf(&out, &err, "error: %s", err.text);
    dr_walk_free(walk);
    return dr_buf_take(&out);
}

static void walked_is(struct lab *lab, unsigned flags, const char *skip, const char *want)
{
    dr_auto_free char *got = walked(lab, flags, skip);
    assert_string_equal(got, want);
}

static void a_tree_is_walked_in_the_order_of_its_names(void **state)
{
    struct lab *lab = *state;
    make_dir(lab, "b");
    make_dir(lab, "b/z");
    make_dir(lab, "b/empty");
    make_file(lab, "b/z/f");
    make_file(lab, "c");
    make_file(lab, "a");
    make_file(lab, "b.x");
    assert_int_equal(symlinkat("b", lab->dir, "link"), 0);
    walked_is(lab, 0, NULL, "a b b/empty b/z b/z/f b.x c link ");
    walked_is(lab, DR_WALK_LEAVE, NULL,
              "a b b/empty -b/empty b/z b/z/f -b/z -b b.x c link ");
    walked_is(lab, 0, "b", "a b b.x c link ");
}

static void an_empty_directory_has_nothing_to_tell(void **state)
{
    walked_is(*state, DR_WALK_LEAVE, NULL, "");
}

static int open_count(void)
{
    int count = 0;
    for (int fd = 0; fd < 4096; fd++)
        count += fcntl(fd, F_GETFD) >= 0;
    return count;
}

static void depth_costs_neither_descriptors_nor_order(void **state)
{
    struct lab *lab = *state;
    enum { DEPTH = 300 };
    int at = dup(lab->dir);
    for (int i = 0; i < DEPTH; i++) {
        assert_int_equal(mkdirat(at, "d", 0755), 0);
        int file = openat(at, "z", O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
        close(file);
        int next = openat(at, "d", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        close(at);
        at = next;
    }
    close(at);
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    struct dr_walk *walk;
    struct dr_walk_entry e;
    int before = open_count(), most = 0, dirs = 0, files = 0;
    assert_int_equal(dr_walk_new(lab->dir, 0, &walk, &err), 0);
    while (dr_walk_next(walk, &e, &err) > 0) {
        if (S_ISDIR(e.st.st_mode))
            assert_int_equal(e.path_len, 2 * dirs++ + 1);
        else
            assert_int_equal(e.path_len, 2 * (DEPTH - 1 - files++) + 1);
        int now = open_count();
        most = now > most ? now : most;
    }
    dr_walk_free(walk);
    assert_int_equal(err.kind, DR_ERR_NONE);
    assert_int_equal(dirs, DEPTH);
    assert_int_equal(files, DEPTH);
    assert_true(most - before < 60);
    assert_int_equal(open_count(), before);
}

static void a_path_that_is_too_long_is_refused_or_passed_over(void **state)
{
    struct lab *lab = *state;
    char name[201];
    memset(name, 'n', 200);
    name[200] = '\0';
    int at = dup(lab->dir);
    for (int i = 0; i < 330; i++) {
        assert_int_equal(mkdirat(at, name, 0755), 0);
        int next = openat(at, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        close(at);
        at = next;
    }
    close(at);
    make_file(lab, "z");
    dr_auto_free char *strict = walked(lab, 0, NULL);
    assert_non_null(strstr(strict, "error: a path of more than 65536 bytes in the tree"));
    dr_auto_free char *forgiving = walked(lab, DR_WALK_FORGIVING, NULL);
    size_t len = strlen(forgiving);
    assert_string_equal(forgiving + len - 3, " z ");
}

/* More names than are kept in memory: told one by one, and each once. */
static void a_directory_of_very_many_names_is_told_whole(void **state)
{
    struct lab *lab = *state;
    enum { COUNT = 20000 };
    char name[256];
    for (int i = 0; i < COUNT; i++) {
        snprintf(name, sizeof name, "%0240d", i);
        if (i % 1000 == 0) {
            make_dir(lab, name);
            strcat(name, "/below");
        }
        make_file(lab, name);
    }
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    struct dr_walk *walk;
    struct dr_walk_entry e;
    dr_auto_free unsigned char *seen = dr_alloc(COUNT);
    int below = 0;
    assert_int_equal(dr_walk_new(lab->dir, 0, &walk, &err), 0);
    while (dr_walk_next(walk, &e, &err) > 0) {
        if (strcmp(e.name, "below") == 0)
            below++;
        else
            assert_int_equal(seen[atoi(e.name)]++, 0);
    }
    dr_walk_free(walk);
    assert_int_equal(err.kind, DR_ERR_NONE);
    assert_int_equal(below, COUNT / 1000);
    for (int i = 0; i < COUNT; i++)
        assert_int_equal(seen[i], 1);
}

int main(void)
{
#define LAB(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        LAB(a_tree_is_walked_in_the_order_of_its_names),
        LAB(an_empty_directory_has_nothing_to_tell),
        LAB(depth_costs_neither_descriptors_nor_order),
        LAB(a_path_that_is_too_long_is_refused_or_passed_over),
        LAB(a_directory_of_very_many_names_is_told_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
