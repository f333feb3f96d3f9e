/* SPDX-License-Identifier: Apache-2.0 */
/* Layers on each other, looked at through a real overlay mount (CONTRACT C14, HAZARDS
 * H1). */
#include <errno.h>
#include <sched.h>
#include <stdarg.h>
#include <setjmp.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/xattr.h>

#include <cmocka.h>

#include "base/fs.h"
#include "base/json.h"
#include "lab.h"

#define MAX 8

struct pile {
    struct lab *lab;
    struct oci_digest ids[MAX];
    size_t n;
    struct layer_stack stack;
    char mnt[128];
};

static void pile_add(struct pile *p, struct tarball *t)
{
    put_ok(p->lab, t);
    p->ids[p->n++] = p->lab->id;
}

/* Mounts the stack read-only below mnt; a lone layer needs a second, empty one. */
static void pile_mount(struct pile *p)
{
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    if (layer_store_stack(p->lab->store, p->ids, p->n, &p->stack, &err) < 0)
        fail_msg("%s", err.text);
    snprintf(p->mnt, sizeof p->mnt, "%s/mnt", p->lab->root);
    dr_auto_free char *empty = dr_path_join(p->lab->root, "empty");
    mkdir(p->mnt, 0755);
    mkdir(empty, 0755);
    dr_auto_buf struct dr_buf options = DR_BUF_INIT(4095);
    assert_int_equal(dr_buf_addf(&options, &err, "lowerdir="), 0);
    for (char **l = p->stack.lowers; *l; l++)
        assert_int_equal(dr_buf_addf(&options, &err, "%s:", *l), 0);
    assert_int_equal(dr_buf_addf(&options, &err, "%s", empty), 0);
    if (mount("overlay", p->mnt, "overlay", MS_RDONLY, options.data) < 0)
        fail_msg("mount %s: %s", options.data, strerror(errno));
}

static void pile_end(struct pile *p)
{
    umount2(p->mnt, MNT_DETACH);
    layer_stack_release(&p->stack);
}

static const char *at(struct pile *p, const char *path)
{
    static char text[512];
    snprintf(text, sizeof text, "%s/%s", p->mnt, path);
    return text;
}

static void holds(struct pile *p, const char *path, const char *want)
{
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    dr_auto_buf struct dr_buf buf = DR_BUF_INIT(1 << 20);
    if (dr_file_read(AT_FDCWD, at(p, path), &buf, &err) < 0)
        fail_msg("%s", err.text);
    assert_string_equal(buf.data, want);
}

static bool exists(struct pile *p, const char *path)
{
    struct stat st;
    return lstat(at(p, path), &st) == 0;
}

static void dir_is(struct pile *p, const char *path, mode_t mode, uid_t uid, time_t mtime)
{
    struct stat st;
    assert_int_equal(lstat(at(p, path), &st), 0);
    assert_true(S_ISDIR(st.st_mode));
    assert_int_equal(st.st_mode & 07777, mode);
    assert_int_equal(st.st_uid, uid);
    assert_int_equal(st.st_mtime, mtime);
}

#define TAR(name) auto_tarball struct tarball name = TARBALL_INIT

static void c14_whiteouts_hide_the_layers_below(void **state)
{
    struct pile p = {.lab = *state};
    TAR(a);
    TAR(b);
    TAR(c);
    ADD(&a, .name = "gone", .data = "a");
    ADD(&a, .name = "dir/old", .data = "a");
    ADD(&a, .name = "opaque/old", .data = "a");
    ADD(&a, .name = "replaced/old", .data = "a");
    ADD(&a, .name = "back", .data = "a");
    ADD(&b, .name = ".wh.gone");
    ADD(&b, .name = ".wh.dir");
    ADD(&b, .name = "opaque/new", .data = "b");
    ADD(&b, .name = "opaque/.wh..wh..opq");
    ADD(&b, .type = '5', .name = "replaced");
    ADD(&b, .name = ".wh.replaced");
    ADD(&b, .name = ".wh.back");
    ADD(&c, .name = "back", .data = "c");
    pile_add(&p, &a);
    pile_add(&p, &b);
    pile_add(&p, &c);
    pile_mount(&p);
    assert_false(exists(&p, "gone"));
    assert_false(exists(&p, "dir"));
    assert_false(exists(&p, "opaque/old"));
    holds(&p, "opaque/new", "b");
    assert_true(exists(&p, "replaced"));
    assert_false(exists(&p, "replaced/old"));
    holds(&p, "back", "c");
    pile_end(&p);
}

static void c14_an_opaque_root_hides_all_below(void **state)
{
    struct pile p = {.lab = *state};
    TAR(a);
    TAR(b);
    ADD(&a, .name = "old", .data = "a");
    ADD(&b, .name = "new", .data = "b");
    ADD(&b, .name = ".wh..wh..opq");
    pile_add(&p, &a);
    pile_add(&p, &b);
    pile_mount(&p);
    assert_false(exists(&p, "old"));
    holds(&p, "new", "b");
    pile_end(&p);
}

static void h1_implied_parents_keep_what_lower_layers_say_of_them(void **state)
{
    struct pile p = {.lab = *state};
    TAR(a);
    TAR(b);
    TAR(c);
    ADD(&a, .type = '5', .name = "tmp", .mode = 01777, .mtime = 11);
    ADD(&a, .type = '5', .name = "srv", .mode = 0700, .uid = 1, .mtime = 12);
    tarball_record(&a, "SCHILY.xattr.user.note", "n", 0);
    tarball_pax(&a, 'x');
    ADD(&a, .type = '5', .name = "srv/www", .mode = 02770, .uid = 33, .mtime = 13);
    ADD(&b, .name = "tmp/x", .data = "b");
    ADD(&b, .name = "srv/www/html/index", .data = "b");
    ADD(&c, .name = "srv/www/more", .data = "c");
    pile_add(&p, &a);
    pile_add(&p, &b);
    pile_add(&p, &c);
    pile_mount(&p);
    dir_is(&p, "tmp", 01777, 0, 11);
    dir_is(&p, "srv", 0700, 1, 12);
    dir_is(&p, "srv/www", 02770, 33, 13);
    dir_is(&p, "srv/www/html", 0755, 0, 0); /* nobody brings it */
    char value;
    assert_int_equal(getxattr(at(&p, "srv/www"), "user.note", &value, 1), 1);
    holds(&p, "srv/www/html/index", "b");
    holds(&p, "srv/www/more", "c");
    assert_int_equal(dr_strv_len(p.stack.lowers), 4);
    pile_end(&p);
    /* a second time it is only read; and it goes with its top layer */
    struct layer_stack again;
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    assert_int_equal(layer_store_stack(p.lab->store, p.ids, p.n, &again, &err), 0);
    assert_int_equal(dr_strv_len(again.lowers), 4);
    struct stat st;
    assert_int_equal(stat(again.lowers[0], &st), 0);
    assert_int_equal(layer_store_remove(p.lab->store, &p.ids[2], &err), 0);
    assert_int_equal(stat(again.lowers[0], &st), -1);
    layer_stack_release(&again);
}

static void h1_later_layers_that_bring_a_directory_win(void **state)
{
    struct pile p = {.lab = *state};
    TAR(a);
    TAR(b);
    TAR(c);
    ADD(&a, .type = '5', .name = "d", .mode = 0700, .mtime = 1);
    ADD(&a, .type = '5', .name = "gone", .mode = 0700, .mtime = 1);
    ADD(&a, .type = '5', .name = "new", .mode = 0700, .mtime = 1);
    ADD(&b, .name = "d/x", .data = "b");
    ADD(&b, .name = "gone/x", .data = "b");
    ADD(&b, .name = ".wh.new");
    ADD(&b, .name = "new/x", .data = "b"); /* a new directory, not the old one */
    ADD(&c, .type = '5', .name = "d", .mode = 0711, .mtime = 3);
    ADD(&c, .name = ".wh.gone");
    pile_add(&p, &a);
    pile_add(&p, &b);
    pile_add(&p, &c);
    pile_mount(&p);
    dir_is(&p, "d", 0711, 0, 3);
    dir_is(&p, "new", 0755, 0, 0);
    assert_false(exists(&p, "gone"));
    holds(&p, "d/x", "b");
    pile_end(&p);
}

static void h1_parent_that_is_a_symlink_below_is_not_replaced(void **state)
{
    struct pile p = {.lab = *state};
    TAR(a);
    TAR(b);
    TAR(c);
    ADD(&a, .type = '5', .name = "usr/lib", .mode = 0711, .mtime = 5);
    ADD(&a, .name = "usr/lib/old", .data = "a");
    ADD(&a, .name = "usr/lib/gone", .data = "a");
    ADD(&a, .type = '2', .name = "lib", .link = "usr/lib", .uid = 9, .mtime = 6);
    ADD(&b, .name = "lib/new", .data = "b", .mode = 04755, .uid = 3, .mtime = 7);
    ADD(&b, .type = '5', .name = "lib/mod", .mode = 0750, .mtime = 8);
    ADD(&b, .name = "lib/mod/a", .data = "ba");
    ADD(&b, .name = "lib/deep/er/b", .data = "bb");
    ADD(&b, .type = '2', .name = "lib/link", .link = "new");
    ADD(&b, .name = "lib/.wh.gone");
    ADD(&c, .name = "lib/third", .data = "c");
    pile_add(&p, &a);
    pile_add(&p, &b);
    pile_add(&p, &c);
    pile_mount(&p);
    struct stat st;
    assert_int_equal(lstat(at(&p, "lib"), &st), 0);
    assert_true(S_ISLNK(st.st_mode));
    assert_int_equal(st.st_uid, 9);
    assert_int_equal(st.st_mtime, 6);
    holds(&p, "lib/old", "a");
    holds(&p, "usr/lib/new", "b");
    holds(&p, "usr/lib/mod/a", "ba");
    holds(&p, "usr/lib/deep/er/b", "bb");
    holds(&p, "usr/lib/third", "c");
    assert_true(exists(&p, "usr/lib/link"));
    assert_false(exists(&p, "usr/lib/gone"));
    dir_is(&p, "usr/lib", 0711, 0, 5);
    dir_is(&p, "usr/lib/mod", 0750, 0, 8);
    assert_int_equal(lstat(at(&p, "usr/lib/new"), &st), 0);
    assert_int_equal(st.st_mode & 07777, 04755);
    assert_int_equal(st.st_uid, 3);
    assert_int_equal(st.st_mtime, 7);
    assert_int_equal(st.st_nlink, 1);
    pile_end(&p);
}

static void h1_symlinks_of_lower_layers_stay_inside_the_root(void **state)
{
    struct pile p = {.lab = *state};
    TAR(a);
    TAR(b);
    char outside[128];
    snprintf(outside, sizeof outside, "%s/outside", p.lab->root);
    assert_int_equal(mkdir(outside, 0755), 0);
    ADD(&a, .type = '2', .name = "abs", .link = outside);
    ADD(&a, .type = '2', .name = "up", .link = "../../../../../x/y");
    ADD(&a, .type = '2', .name = "chain", .link = "/up/z");
    ADD(&a, .type = '2', .name = "root", .link = "/");
    ADD(&b, .name = "abs/1", .data = "1");
    ADD(&b, .name = "up/2", .data = "2");
    ADD(&b, .name = "chain/3", .data = "3");
    ADD(&b, .name = "root/4", .data = "4");
    pile_add(&p, &a);
    pile_add(&p, &b);
    pile_mount(&p);
    char inside[160];
    snprintf(inside, sizeof inside, "%s/1", outside + 1);
    holds(&p, inside, "1");
    holds(&p, "x/y/2", "2");
    holds(&p, "x/y/z/3", "3");
    holds(&p, "4", "4");
    struct stat st;
    snprintf(inside, sizeof inside, "%s/1", outside);
    assert_int_equal(lstat(inside, &st), -1);
    pile_end(&p);
}

static void refused(struct pile *p, const char *text)
{
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    struct layer_stack stack;
    assert_int_equal(layer_store_stack(p->lab->store, p->ids, p->n, &stack, &err), -1);
    assert_string_equal(dr_kind_name(err.kind), "unsupported");
    if (!strstr(err.text, text))
        fail_msg("'%s' does not say '%s'", err.text, text);
    assert_int_equal(lab_leftovers(p->lab), 0);
}

static void h1_parent_that_is_a_file_below_is_refused(void **state)
{
    struct pile p = {.lab = *state};
    TAR(a);
    TAR(b);
    ADD(&a, .name = "f", .data = "a");
    ADD(&b, .name = "f/x", .data = "b");
    pile_add(&p, &a);
    pile_add(&p, &b);
    refused(&p, "has entries below /f without bringing it");
}

static void h1_parent_that_is_a_symlink_loop_below_is_refused(void **state)
{
    struct pile p = {.lab = *state};
    TAR(a);
    TAR(b);
    ADD(&a, .type = '2', .name = "a", .link = "b");
    ADD(&a, .type = '2', .name = "b", .link = "a");
    ADD(&b, .name = "a/x", .data = "b");
    pile_add(&p, &a);
    pile_add(&p, &b);
    refused(&p, "the symlink /a leads nowhere");
}

static void h1_explicit_directory_over_a_symlink_replaces_it(void **state)
{
    /* that is what the layer says, so that is what it gets */
    struct pile p = {.lab = *state};
    TAR(a);
    TAR(b);
    ADD(&a, .type = '2', .name = "lib", .link = "usr/lib");
    ADD(&b, .type = '5', .name = "lib");
    ADD(&b, .name = "lib/x", .data = "b");
    pile_add(&p, &a);
    pile_add(&p, &b);
    pile_mount(&p);
    struct stat st;
    assert_int_equal(lstat(at(&p, "lib"), &st), 0);
    assert_true(S_ISDIR(st.st_mode));
    pile_end(&p);
}

static void c14_the_root_of_the_topmost_layer_that_brings_it_counts(void **state)
{
    struct pile p = {.lab = *state};
    TAR(a);
    TAR(b);
    ADD(&a, .type = '5', .name = "./", .mode = 0711, .uid = 4, .mtime = 44);
    ADD(&b, .name = "x", .data = "b");
    pile_add(&p, &a);
    pile_add(&p, &b);
    pile_mount(&p);
    assert_int_equal(p.stack.root_mode, 0711);
    assert_int_equal(p.stack.root_uid, 4);
    assert_int_equal(p.stack.root_mtime_ns, 44000000000LL);
    pile_end(&p);
}

static void a_missing_layer_is_named(void **state)
{
    struct pile p = {.lab = *state};
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    struct layer_stack stack;
    TAR(a);
    ADD(&a, .name = "x", .data = "x");
    pile_add(&p, &a);
    oci_digest_of("missing", 7, &p.ids[p.n++]);
    assert_int_equal(layer_store_stack(p.lab->store, p.ids, p.n, &stack, &err), -1);
    assert_int_equal(err.kind, DR_ERR_NOT_FOUND);
    assert_non_null(strstr(err.text, p.ids[1].text));
}

static void a_stack_whose_extra_directory_lost_a_part_is_made_again(void **state)
{
    struct pile p = {.lab = *state};
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    struct layer_stack first, second;
    TAR(a);
    TAR(b);
    TAR(c);
    ADD(&a, .type = '2', .name = "lib", .link = "usr/lib");
    ADD(&b, .name = "lib/x", .data = "b");
    ADD(&c, .name = "y", .data = "c");
    pile_add(&p, &a);
    pile_add(&p, &b);
    pile_add(&p, &c);
    assert_int_equal(layer_store_stack(p.lab->store, p.ids, 3, &first, &err), 0);
    assert_int_equal(layer_store_remove(p.lab->store, &p.ids[1], &err), 0);
    TAR(again);
    ADD(&again, .name = "lib/x", .data = "b");
    put_ok(p.lab, &again);
    assert_int_equal(layer_store_stack(p.lab->store, p.ids, 3, &second, &err), 0);
    assert_int_equal(dr_strv_len(first.lowers), dr_strv_len(second.lowers));
    struct stat st;
    for (size_t i = 0; second.lowers[i]; i++)
        assert_int_equal(stat(second.lowers[i], &st), 0);
    layer_stack_release(&first);
    layer_stack_release(&second);
}

#define LAB(f) cmocka_unit_test_setup_teardown(f, lab_setup, lab_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        LAB(c14_whiteouts_hide_the_layers_below),
        LAB(c14_an_opaque_root_hides_all_below),
        LAB(h1_implied_parents_keep_what_lower_layers_say_of_them),
        LAB(h1_later_layers_that_bring_a_directory_win),
        LAB(h1_parent_that_is_a_symlink_below_is_not_replaced),
        LAB(h1_symlinks_of_lower_layers_stay_inside_the_root),
        LAB(h1_parent_that_is_a_file_below_is_refused),
        LAB(h1_parent_that_is_a_symlink_loop_below_is_refused),
        LAB(h1_explicit_directory_over_a_symlink_replaces_it),
        LAB(c14_the_root_of_the_topmost_layer_that_brings_it_counts),
        LAB(a_missing_layer_is_named),
        LAB(a_stack_whose_extra_directory_lost_a_part_is_made_again),
    };
    /* mounts of a test that fails stay in here */
    if (geteuid() != 0 || unshare(CLONE_NEWNS) < 0 ||
        mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0) {
        fprintf(stderr, "needs root: owners, whiteouts and mounts\n");
        return 77; /* skipped */
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
