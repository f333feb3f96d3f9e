/* SPDX-License-Identifier: Apache-2.0 */
/* HAZARDS H1 and CONTRACT C14: entries become files, and nothing else happens. */
#include <errno.h>
#include <stdarg.h>
#include <setjmp.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>

#include <cmocka.h>

#include "base/fs.h"
#include "tar/names.h"
#include "lab.h"

/* H1: containment */

static void h1_names_that_lead_out_are_refused(void **state)
{
    static const char *const names[] = {"../x", "a/../../x", "/../x", "..",
                                        "a/b/../../../x"};
    for (size_t i = 0; i < DR_COUNT(names); i++) {
        auto_tarball struct tarball t = TARBALL_INIT;
        ADD(&t, .name = names[i], .data = "x");
        put_fails(*state, &t, DR_ERR_FORMAT, "it leads out of the archive");
    }
}

static void h1_absolute_and_dotted_names_stay_inside(void **state)
{
    auto_tarball struct tarball t = TARBALL_INIT;
    ADD(&t, .name = "/etc/x", .data = "1");
    ADD(&t, .name = "./a//b/./c", .data = "2");
    ADD(&t, .name = "a/nowhere/../d", .data = "3");
    put_ok(*state, &t);
    content_is(*state, "etc/x", "1");
    content_is(*state, "a/b/c", "2");
    content_is(*state, "a/d", "3");
    assert_false(there(*state, "a/nowhere"));
}

static void h1_empty_name_is_refused(void **state)
{
    auto_tarball struct tarball t = TARBALL_INIT;
    ADD(&t, .name = "", .data = "x");
    put_fails(*state, &t, DR_ERR_FORMAT, "bad name '': it is empty");
}

static void h1_root_that_is_no_directory_is_refused(void **state)
{
    static const char *const names[] = {"/", ".", "./", "a/.."};
    for (size_t i = 0; i < DR_COUNT(names); i++) {
        auto_tarball struct tarball t = TARBALL_INIT;
        ADD(&t, .type = '2', .name = names[i], .link = "/etc");
        put_fails(*state, &t, DR_ERR_FORMAT, "the layer's root is not a directory");
    }
}

static void h1_symlinks_are_followed_inside_the_root_only(void **state)
{
    struct lab *lab = *state;
    auto_tarball struct tarball t = TARBALL_INIT;
    char outside[128], up[256], inside[256];
    struct stat st;
    snprintf(outside, sizeof outside, "%s/outside", lab->root);
    snprintf(up, sizeof up, "../../../../../../../../..%s", outside);
    assert_int_equal(mkdir(outside, 0755), 0);
    ADD(&t, .type = '2', .name = "abs", .link = outside);
    ADD(&t, .type = '2', .name = "up", .link = up);
    ADD(&t, .type = '2', .name = "p", .link = "/proc/self/root");
    ADD(&t, .name = "abs/x", .data = "1");
    ADD(&t, .name = "up/y", .data = "2");
    ADD(&t, .name = "p/z", .data = "3");
    put_ok(lab, &t);
    static const char *const names[][2] = {{"x", "1"}, {"y", "2"}};
    for (size_t i = 0; i < DR_COUNT(names); i++) {
        snprintf(inside, sizeof inside, "%s/%s", outside, names[i][0]);
        assert_int_equal(lstat(inside, &st), -1);
        content_is(lab, inside + 1, names[i][1]);
    }
    content_is(lab, "proc/self/root/z", "3");
}

static void h1_last_component_is_never_followed(void **state)
{
    struct lab *lab = *state;
    auto_tarball struct tarball t = TARBALL_INIT;
    ADD(&t, .name = "target", .data = "old");
    ADD(&t, .type = '2', .name = "x", .link = "target");
    ADD(&t, .name = "x", .data = "new", .mode = 0600, .uid = 5);
    put_ok(lab, &t);
    content_is(lab, "target", "old");
    content_is(lab, "x", "new");
    struct stat st;
    assert_int_equal(lstat(lab_path(lab, "target"), &st), 0);
    assert_int_equal(st.st_uid, 0);
}

static void h1_symlink_loops_are_refused(void **state)
{
    auto_tarball struct tarball t = TARBALL_INIT;
    ADD(&t, .type = '2', .name = "a", .link = "b");
    ADD(&t, .type = '2', .name = "b", .link = "a");
    ADD(&t, .name = "a/x", .data = "x");
    put_fails(*state, &t, DR_ERR_FORMAT, "too many symlinks");
}

static void h1_entry_below_a_file_is_refused(void **state)
{
    auto_tarball struct tarball t = TARBALL_INIT;
    ADD(&t, .name = "a", .data = "x");
    ADD(&t, .name = "a/b", .data = "x");
    put_fails(*state, &t, DR_ERR_FORMAT, "a is no directory, but has entries below it");
}

static void h1_deferred_directory_metadata_does_not_follow_what_replaced_it(void **state)
{
    /* CVE-2026-33056 */
    struct lab *lab = *state;
    auto_tarball struct tarball t = TARBALL_INIT;
    ADD(&t, .type = '5', .name = "victim", .mode = 0700, .mtime = 111);
    ADD(&t, .type = '5', .name = "d", .mode = 07777, .mtime = 222);
    ADD(&t, .type = '2', .name = "d", .link = "victim");
    put_ok(lab, &t);
    struct stat st;
    assert_int_equal(lstat(lab_path(lab, "victim"), &st), 0);
    assert_int_equal(st.st_mode & 07777, 0700);
    assert_int_equal(st.st_mtime, 111);
    assert_int_equal(lstat(lab_path(lab, "d"), &st), 0);
    assert_true(S_ISLNK(st.st_mode));
}

static void h1_depth_and_length_of_names_are_capped(void **state)
{
    auto_tarball struct tarball deep = TARBALL_INIT, longer = TARBALL_INIT,
                                component = TARBALL_INIT;
    char name[5000] = "";
    for (int i = 0; i < 513; i++)
        strcat(name, "d/");
    ADD(&deep, .name = name, .data = "x");
    put_fails(*state, &deep, DR_ERR_FORMAT, "it is too deep");
    name[0] = '\0';
    for (int i = 0; i < 40; i++)
        strcat(name,
               "0123456789012345678901234567890123456789012345678901234567890123456789"
               "01234567890123456789012345678/");
    strcat(name,
           "01234567890123456789012345678901234567890123456789012345678901234567890123"
           "45678901234567890");
    strcat(name, "0123456789");
    ADD(&longer, .name = name, .data = "x");
    put_fails(*state, &longer, DR_ERR_FORMAT, "it is too long");
    memset(name, 'n', 256);
    name[256] = '\0';
    ADD(&component, .name = name, .data = "x");
    put_fails(*state, &component, DR_ERR_FORMAT, "a name is too long");
}

static void h1_entry_count_is_capped(void **state)
{
    struct lab *lab = *state;
    auto_tarball struct tarball t = TARBALL_INIT;
    layer_store_limit(lab->store, &(struct layer_limits){.entries = 3});
    for (int i = 0; i < 4; i++)
        ADD(&t, .name = "x", .data = "x");
    put_fails(lab, &t, DR_ERR_FORMAT, "more than 3 entries");
}

static void h1_bytes_are_capped(void **state)
{
    struct lab *lab = *state;
    auto_tarball struct tarball t = TARBALL_INIT;
    layer_store_limit(lab->store, &(struct layer_limits){.tar_bytes = 1 << 20});
    tarball_end(&t); /* all of it behind the end: it counts, too */
    tarball_zeros(&t, 3 << 20);
    put_fails(lab, &t, DR_ERR_FORMAT, "inflates to more than 1048576 bytes");
}

/* H1: hard links */

static void h1_hard_links_share_the_inode(void **state)
{
    struct lab *lab = *state;
    auto_tarball struct tarball t = TARBALL_INIT;
    ADD(&t, .name = "a", .data = "shared", .mode = 0600);
    ADD(&t, .type = '1', .name = "d/b", .link = "./a");
    ADD(&t, .type = '1', .name = "c", .link = "/d/b", .data = "ignored",
        .no_payload = true);
    ADD(&t, .type = '1', .name = "a", .link = "c"); /* itself */
    put_ok(lab, &t);
    struct stat a, b, c;
    assert_int_equal(lstat(lab_path(lab, "a"), &a), 0);
    assert_int_equal(lstat(lab_path(lab, "d/b"), &b), 0);
    assert_int_equal(lstat(lab_path(lab, "c"), &c), 0);
    assert_int_equal(a.st_ino, b.st_ino);
    assert_int_equal(a.st_ino, c.st_ino);
    assert_int_equal(a.st_nlink, 3);
}

static void h1_hard_link_to_a_symlink_links_the_symlink(void **state)
{
    /* CVE-2021-32760: else it would be a way to what the symlink points to */
    struct lab *lab = *state;
    auto_tarball struct tarball t = TARBALL_INIT;
    ADD(&t, .type = '2', .name = "s", .link = "/etc/shadow");
    ADD(&t, .type = '1', .name = "h", .link = "s");
    ADD(&t, .type = '5', .name = "later", .mode = 0777);
    put_ok(lab, &t);
    struct stat st;
    assert_int_equal(lstat(lab_path(lab, "h"), &st), 0);
    assert_true(S_ISLNK(st.st_mode));
}

static void h1_hard_links_to_what_the_layer_lacks_are_refused(void **state)
{
    static const char *const targets[] = {
        "missing", "/etc/passwd", "dir", "dir/../..", "gone", "", "out/passwd"};
    for (size_t i = 0; i < DR_COUNT(targets); i++) {
        auto_tarball struct tarball t = TARBALL_INIT;
        ADD(&t, .type = '5', .name = "dir");
        ADD(&t, .type = '2', .name = "out", .link = "/etc");
        ADD(&t, .name = ".wh.gone");
        ADD(&t, .type = '1', .name = "h", .link = targets[i]);
        put_fails(*state, &t, DR_ERR_FORMAT,
                  i == 3 || i == 5 ? "bad hard link target"
                                   : "which the layer does not have");
    }
}

/* H1: whiteouts */

static void h1_c14_whiteouts_become_overlayfs_ones(void **state)
{
    struct lab *lab = *state;
    auto_tarball struct tarball t = TARBALL_INIT;
    ADD(&t, .name = "d/.wh.file");
    ADD(&t, .name = ".wh.top", .mode = -1);
    ADD(&t, .name = "o/x", .data = "x");
    ADD(&t, .name = "o/.wh..wh..opq");
    put_ok(lab, &t);
    assert_true(is_whiteout(lab, "d/file"));
    assert_true(is_whiteout(lab, "top"));
    assert_true(is_opaque(lab, "o"));
    assert_false(is_opaque(lab, "d"));
    assert_false(there(lab, "d/.wh.file"));
    assert_false(there(lab, "o/.wh..wh..opq"));
}

static void h1_whiteouts_of_directories_themselves_are_refused(void **state)
{
    static const char *const names[] = {".wh.",   ".wh..",   ".wh...",
                                        "d/.wh.", "d/.wh..", "d/.wh..."};
    for (size_t i = 0; i < DR_COUNT(names); i++) {
        auto_tarball struct tarball t = TARBALL_INIT;
        ADD(&t, .name = names[i]);
        put_fails(*state, &t, DR_ERR_FORMAT, "a whiteout of a directory itself");
    }
}

static void h1_entries_below_a_whiteout_are_refused(void **state)
{
    auto_tarball struct tarball t = TARBALL_INIT;
    ADD(&t, .name = ".wh.a/b", .data = "x");
    put_fails(*state, &t, DR_ERR_FORMAT, "a whiteout is no directory");
}

static void h1_unknown_whiteouts_never_become_visible(void **state)
{
    struct lab *lab = *state;
    auto_tarball struct tarball t = TARBALL_INIT;
    ADD(&t, .type = '5', .name = ".wh..wh.plnk");
    ADD(&t, .name = ".wh..wh.plnk/1.2", .data = "x");
    ADD(&t, .name = ".wh..wh.aufs", .data = "x");
    ADD(&t, .name = "d/.wh..wh.orph", .data = "x");
    ADD(&t, .name = "d/.wh..wh.", .data = "x");
    put_ok(lab, &t);
    assert_false(there(lab, ".wh..wh.plnk"));
    assert_false(there(lab, ".wh..wh.aufs"));
    assert_false(there(lab, "d")); /* not even their parents */
}

static void h1_whiteouts_act_on_lower_layers_only(void **state)
{
    /* whatever comes first, what the layer brings itself stays; a directory hides below
     */
    struct lab *lab = *state;
    auto_tarball struct tarball t = TARBALL_INIT;
    ADD(&t, .name = "f1", .data = "1");
    ADD(&t, .name = ".wh.f1");
    ADD(&t, .name = ".wh.f2");
    ADD(&t, .name = "f2", .data = "2");
    ADD(&t, .type = '5', .name = "d1");
    ADD(&t, .name = "d1/x", .data = "x");
    ADD(&t, .name = ".wh.d1");
    ADD(&t, .name = ".wh.d2");
    ADD(&t, .type = '5', .name = "d2");
    ADD(&t, .name = ".wh.d3");
    ADD(&t, .name = "d3/x", .data = "x");
    ADD(&t, .name = "d4/x", .data = "x");
    ADD(&t, .name = ".wh.d4");
    put_ok(lab, &t);
    content_is(lab, "f1", "1");
    content_is(lab, "f2", "2");
    content_is(lab, "d1/x", "x");
    assert_true(is_opaque(lab, "d1"));
    assert_true(is_opaque(lab, "d2"));
    assert_true(is_opaque(lab, "d3"));
    assert_true(is_opaque(lab, "d4"));
    content_is(lab, "d3/x", "x");
}

static void h1_directory_in_the_place_of_a_file_stays_opaque(void **state)
{
    struct lab *lab = *state;
    auto_tarball struct tarball t = TARBALL_INIT;
    ADD(&t, .name = "x", .data = "x");
    ADD(&t, .type = '5', .name = "x");
    ADD(&t, .type = '5', .name = "plain");
    put_ok(lab, &t);
    assert_true(is_opaque(lab, "x"));
    assert_false(is_opaque(lab, "plain"));
}

static void h1_smuggled_whiteouts_and_devices_are_not_made(void **state)
{
    struct lab *lab = *state;
    auto_tarball struct tarball t = TARBALL_INIT;
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    struct layer_stats stats;
    ADD(&t, .type = '3', .name = "zero");
    ADD(&t, .type = '3', .name = "dev/null", .dev_major = 1, .dev_minor = 3);
    ADD(&t, .type = '4', .name = "dev/sda", .dev_major = 8);
    ADD(&t, .name = "x", .data = "x");
    assert_int_equal(lab_put(lab, &t, &stats, &err), 0);
    assert_int_equal(stats.skipped_devices, 3);
    assert_int_equal(stats.entries, 4);
    assert_false(there(lab, "zero"));
    assert_false(there(lab, "dev/null"));
    assert_false(there(lab, "dev/sda"));
}

static void h1_device_numbers_are_range_checked(void **state)
{
    auto_tarball struct tarball t = TARBALL_INIT;
    ADD(&t, .type = '3', .name = "d", .dev_major = 4096, .dev_minor = 0);
    put_fails(*state, &t, DR_ERR_FORMAT, "the device number of d is out of range");
    auto_tarball struct tarball minor = TARBALL_INIT;
    ADD(&minor, .type = '4', .name = "m", .dev_major = 8, .dev_minor = 1 << 20);
    put_fails(*state, &minor, DR_ERR_FORMAT, "the device number of m is out of range");
}

/* H1: xattrs, owners, modes, times */

static void h1_xattrs_that_are_not_an_images_business_are_stripped(void **state)
{
    struct lab *lab = *state;
    static const char cap[20] = {1, 0, 0, 2, 0, 32};
    auto_tarball struct tarball t = TARBALL_INIT;
    tarball_record(&t, "SCHILY.xattr.trusted.overlay.opaque", "y", 0);
    tarball_record(&t, "SCHILY.xattr.trusted.overlay.redirect", "/etc", 0);
    tarball_record(&t, "SCHILY.xattr.trusted.dray.implied", "y", 0);
    tarball_record(&t, "SCHILY.xattr.user.overlay.opaque", "y", 0);
    tarball_record(&t, "SCHILY.xattr.security.selinux", "a:b:c:d", 0);
    tarball_record(&t, "SCHILY.xattr.user.kept", "a\0b", 3);
    tarball_pax(&t, 'x');
    ADD(&t, .type = '5', .name = "d");
    tarball_record(&t, "SCHILY.xattr.security.capability", cap, sizeof cap);
    tarball_record(&t, "LIBARCHIVE.xattr.user.from%20libarchive", "aGVsbG8", 0);
    tarball_pax(&t, 'x');
    ADD(&t, .name = "f", .data = "x", .mode = 04755, .uid = 7, .gid = 8);
    put_ok(lab, &t);
    char value[64], names[256];
    assert_int_equal(lgetxattr(lab_path(lab, "d"), "user.kept", value, 64), 3);
    assert_memory_equal(value, "a\0b", 3);
    assert_int_equal(llistxattr(lab_path(lab, "d"), names, sizeof names), 10);
    assert_int_equal(lgetxattr(lab_path(lab, "f"), "security.capability", value, 64), 20);
    assert_memory_equal(value, cap, 20);
    assert_int_equal(lgetxattr(lab_path(lab, "f"), "user.from libarchive", value, 64), 5);
    assert_memory_equal(value, "hello", 5);
    struct stat st; /* chown comes first: it would clear both */
    assert_int_equal(lstat(lab_path(lab, "f"), &st), 0);
    assert_int_equal(st.st_mode & 07777, 04755);
    assert_int_equal(st.st_uid, 7);
    assert_int_equal(st.st_gid, 8);
}

static void h1_which_xattrs_are_allowed(void **state)
{
    assert_true(tar_xattr_portable("security.capability"));
    assert_true(tar_xattr_portable("user.x"));
    assert_true(tar_xattr_portable("user.overlayfoo"));
    assert_false(tar_xattr_portable("user.overlay.whiteout"));
    assert_false(tar_xattr_portable("user."));
    assert_false(tar_xattr_portable("trusted.overlay.metacopy"));
    assert_false(tar_xattr_portable("security.selinux"));
    assert_false(tar_xattr_portable("security.ima"));
    assert_false(tar_xattr_portable("system.posix_acl_default"));
    assert_false(tar_xattr_portable(""));
}

static void c14_owners_modes_and_times_are_kept(void **state)
{
    struct lab *lab = *state;
    auto_tarball struct tarball t = TARBALL_INIT;
    static const struct {
        const char *name;
        char type;
        int mode;
        int64_t mtime;
    } items[] = {
        {"file", '0', 0640, 5},    {"setuid", '0', 04711, 6},
        {"none", '0', -1, 7},      {"setgid-dir", '5', 02775, 8},
        {"sticky", '5', 01777, 9}, {"closed", '5', -1, 10},
        {"fifo", '6', 0622, 11},   {"old", '0', 0644, -86400},
        {"link", '2', 0777, 12},
    };
    for (size_t i = 0; i < DR_COUNT(items); i++)
        ADD(&t, .name = items[i].name, .type = items[i].type, .mode = items[i].mode,
            .mtime = items[i].mtime, .uid = 1000 + (int)i, .gid = 2000000000,
            .link = items[i].type == '2' ? "x" : NULL);
    ADD(&t, .name = "setgid-dir/child", .data = "x");
    ADD(&t, .name = "closed/child", .data = "x");
    put_ok(lab, &t);
    struct stat st;
    for (size_t i = 0; i < DR_COUNT(items); i++) {
        assert_int_equal(lstat(lab_path(lab, items[i].name), &st), 0);
        assert_int_equal(st.st_uid, 1000 + i);
        assert_int_equal(st.st_gid, 2000000000);
        assert_int_equal(st.st_mode & 07777, items[i].mode == -1 ? 0 : items[i].mode);
        assert_int_equal(st.st_mtime, items[i].mtime);
    }
    assert_int_equal(lstat(lab_path(lab, "setgid-dir/child"), &st), 0);
    assert_int_equal(st.st_gid, 0); /* not inherited */
}

static void h1_ids_out_of_range_are_refused(void **state)
{
    static const struct {
        int64_t uid;
        const char *pax, *text;
        int64_t gid;
    } cases[] = {
        {0, NULL, "the gid of f is out of range", 0x7fffffffLL},
        {0, NULL, "the gid of f is out of range", -1},
        {0x7fffffffLL, NULL, "the uid of f is out of range"},
        {0xffffffffLL, NULL, "the uid of f is out of range"},
        {0x100000000LL, NULL, "the uid of f is out of range"},
        {-1, NULL, "the uid of f is out of range"},
        {0, "4294967296", "uid 4294967296 is out of range"},
        {0, "2147483647", "uid 2147483647 is out of range"},
        {0, "-1", "uid -1 is out of range"},
        {0, "99999999999999999999999", "is out of range"},
    };
    for (size_t i = 0; i < DR_COUNT(cases); i++) {
        auto_tarball struct tarball t = TARBALL_INIT;
        if (cases[i].pax) {
            tarball_record(&t, "uid", cases[i].pax, 0);
            tarball_pax(&t, 'x');
        }
        ADD(&t, .name = "f", .uid = cases[i].uid, .gid = cases[i].gid);
        put_fails(*state, &t, DR_ERR_FORMAT, cases[i].text);
    }
}

static void h1_times_that_do_not_fit_are_clamped(void **state)
{
    struct lab *lab = *state;
    auto_tarball struct tarball t = TARBALL_INIT;
    tarball_record(&t, "mtime", "99999999999999999999999999", 0);
    tarball_pax(&t, 'x');
    ADD(&t, .name = "far", .data = "x");
    tarball_record(&t, "mtime", "-99999999999999999999999999.5", 0);
    tarball_pax(&t, 'x');
    ADD(&t, .type = '5', .name = "long-ago");
    tarball_record(&t, "mtime", "-1.25", 0);
    tarball_pax(&t, 'x');
    ADD(&t, .name = "fraction", .data = "x");
    put_ok(lab, &t);
    struct stat st;
    assert_int_equal(lstat(lab_path(lab, "far"), &st), 0);
    assert_true(st.st_mtime > (time_t)1 << 31);
    assert_int_equal(lstat(lab_path(lab, "long-ago"), &st), 0);
    assert_true(st.st_mtime < 0);
    assert_int_equal(lstat(lab_path(lab, "fraction"), &st), 0);
    assert_int_equal(st.st_mtim.tv_sec, -2);
    assert_int_equal(st.st_mtim.tv_nsec, 750000000);
}

/* H1: duplicates */

static void h1_of_entries_with_one_name_the_last_wins(void **state)
{
    struct lab *lab = *state;
    auto_tarball struct tarball t = TARBALL_INIT;
    ADD(&t, .name = "x", .data = "first, and longer");
    ADD(&t, .name = "x", .data = "last", .mode = 0600);
    ADD(&t, .type = '5', .name = "d");
    ADD(&t, .name = "d/deep/file", .data = "x");
    ADD(&t, .name = "d", .data = "now a file");
    tarball_record(&t, "SCHILY.xattr.user.old", "o", 0);
    tarball_pax(&t, 'x');
    ADD(&t, .type = '5', .name = "e", .mode = 0700, .uid = 1);
    ADD(&t, .name = "e/child", .data = "stays");
    tarball_record(&t, "SCHILY.xattr.user.new", "n", 0);
    tarball_pax(&t, 'x');
    ADD(&t, .type = '5', .name = "e", .mode = 02755, .uid = 2, .mtime = 77);
    ADD(&t, .type = '2', .name = "l", .link = "a");
    ADD(&t, .type = '2', .name = "l", .link = "b");
    ADD(&t, .type = '5', .name = "f");
    ADD(&t, .type = '6', .name = "f");
    put_ok(lab, &t);
    content_is(lab, "x", "last");
    content_is(lab, "d", "now a file");
    content_is(lab, "e/child", "stays");
    char target[8] = {0};
    assert_int_equal(readlink(lab_path(lab, "l"), target, 8), 1);
    assert_string_equal(target, "b");
    struct stat st;
    assert_int_equal(lstat(lab_path(lab, "e"), &st), 0);
    assert_int_equal(st.st_mode & 07777, 02755);
    assert_int_equal(st.st_uid, 2);
    assert_int_equal(st.st_mtime, 77);
    char names[64] = "";
    assert_int_equal(llistxattr(lab_path(lab, "e"), names, sizeof names), 9);
    assert_string_equal(names, "user.new");
    assert_int_equal(lstat(lab_path(lab, "f"), &st), 0);
    assert_true(S_ISFIFO(st.st_mode));
}

static void h1_replacing_a_directory_forgets_its_descriptor(void **state)
{
    /* d/x goes through the new d, which is a symlink now */
    struct lab *lab = *state;
    auto_tarball struct tarball t = TARBALL_INIT;
    ADD(&t, .type = '5', .name = "other");
    ADD(&t, .name = "d/first", .data = "1");
    ADD(&t, .type = '2', .name = "d", .link = "other");
    ADD(&t, .name = "d/second", .data = "2");
    ADD(&t, .type = '5', .name = "d");
    ADD(&t, .name = "d/third", .data = "3");
    put_ok(lab, &t);
    content_is(lab, "other/second", "2");
    content_is(lab, "d/third", "3");
    assert_false(there(lab, "d/second"));
    assert_false(there(lab, "d/first"));
}

static void h1_bytes_of_names_are_kept(void **state)
{
    struct lab *lab = *state;
    auto_tarball struct tarball t = TARBALL_INIT;
    ADD(&t, .name = "\xff\xfe\x1b[31m\n", .data = "x");
    put_ok(lab, &t);
    content_is(lab, "\xff\xfe\x1b[31m\n", "x");
}

static void h1_names_in_errors_are_escaped(void **state)
{
    auto_tarball struct tarball t = TARBALL_INIT;
    ADD(&t, .name = "\xff\x1b[31m\n/../../x", .data = "x");
    put_fails(*state, &t, DR_ERR_FORMAT, "\\xff\\x1b[31m");
}

#define LAB(f) cmocka_unit_test_setup_teardown(f, lab_setup, lab_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        LAB(h1_names_that_lead_out_are_refused),
        LAB(h1_absolute_and_dotted_names_stay_inside),
        LAB(h1_empty_name_is_refused),
        LAB(h1_root_that_is_no_directory_is_refused),
        LAB(h1_symlinks_are_followed_inside_the_root_only),
        LAB(h1_last_component_is_never_followed),
        LAB(h1_symlink_loops_are_refused),
        LAB(h1_entry_below_a_file_is_refused),
        LAB(h1_deferred_directory_metadata_does_not_follow_what_replaced_it),
        LAB(h1_depth_and_length_of_names_are_capped),
        LAB(h1_entry_count_is_capped),
        LAB(h1_bytes_are_capped),
        LAB(h1_hard_links_share_the_inode),
        LAB(h1_hard_link_to_a_symlink_links_the_symlink),
        LAB(h1_hard_links_to_what_the_layer_lacks_are_refused),
        LAB(h1_c14_whiteouts_become_overlayfs_ones),
        LAB(h1_whiteouts_of_directories_themselves_are_refused),
        LAB(h1_entries_below_a_whiteout_are_refused),
        LAB(h1_unknown_whiteouts_never_become_visible),
        LAB(h1_whiteouts_act_on_lower_layers_only),
        LAB(h1_directory_in_the_place_of_a_file_stays_opaque),
        LAB(h1_smuggled_whiteouts_and_devices_are_not_made),
        LAB(h1_device_numbers_are_range_checked),
        LAB(h1_xattrs_that_are_not_an_images_business_are_stripped),
        cmocka_unit_test(h1_which_xattrs_are_allowed),
        LAB(c14_owners_modes_and_times_are_kept),
        LAB(h1_ids_out_of_range_are_refused),
        LAB(h1_times_that_do_not_fit_are_clamped),
        LAB(h1_of_entries_with_one_name_the_last_wins),
        LAB(h1_replacing_a_directory_forgets_its_descriptor),
        LAB(h1_bytes_of_names_are_kept),
        LAB(h1_names_in_errors_are_escaped),
    };
    if (geteuid() != 0) {
        fprintf(stderr, "needs root: owners and whiteouts\n");
        return 77; /* skipped */
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
