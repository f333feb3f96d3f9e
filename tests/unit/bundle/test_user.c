/* SPDX-License-Identifier: Apache-2.0 */
/* C16, H2: users come from the image's own files, and never silently become root. */
#include "tree.h"

static const char passwd[] = "# comment\n"
                             "root:x:0:0:root:/root:/bin/sh\n"
                             "ann:x:1000:100:Ann:/home/ann:/bin/sh\r\n"
                             "\n"
                             "broken\n"
                             "1234:x:7:7::/seven:\n"
                             "huge:x:4294967296:0::/:\n"
                             "neg:x:-1:0::/:\n"
                             "nohome:x:5:5::relative:\n"
                             "short:x:6:6\n"
                             "ann:x:0:0:second:/:\n";
static const char group[] = "root:x:0:root\n"
                            "wheel:x:10:root,ann\n"
                            "users:x:100:ann\n"
                            "55:x:9:\n"
                            "bad:x:99999999999:ann\n"
                            "video:x:44:ann2,anna\n"
                            "audio:x:29:bob,ann\n";

static void tree_with_users(struct tree *t)
{
    tree_init(t, 2);
    tree_file(t, 1, "etc/passwd", passwd);
    tree_file(t, 0, "etc/group", group);
}

static void expect(const struct tree *t, const char *text, uint32_t uid, uint32_t gid,
                   const char *home, const char *groups)
{
    struct dr_error err = DR_ERROR_INIT;
    bundle_auto_user struct bundle_user user = {0};
    if (bundle_resolve_user(t->fds, t->count, text, &user, &err) < 0)
        fail_msg("%s: %s", text, err.text);
    assert_int_equal(user.uid, uid);
    assert_int_equal(user.gid, gid);
    assert_string_equal(user.home, home);
    char list[200] = "";
    for (size_t i = 0; i < user.group_count; i++)
        sprintf(list + strlen(list), "%s%u", i ? " " : "", user.groups[i]);
    assert_string_equal(list, groups);
}

static void expect_error(const struct tree *t, const char *text, enum dr_kind kind,
                         const char *reason)
{
    struct dr_error err = DR_ERROR_INIT;
    struct bundle_user user = {.uid = 77};
    assert_int_equal(bundle_resolve_user(t->fds, t->count, text, &user, &err), -1);
    assert_int_equal(err.kind, kind);
    if (!strstr(err.text, reason))
        fail_msg("%s: '%s' instead of '%s'", text, err.text, reason);
    assert_int_equal(user.uid, 77);
}

static void c16_named_users_come_from_the_image(void **state)
{
    struct tree t;
    tree_with_users(&t);
    expect(&t, NULL, 0, 0, "/root", "0 10");
    expect(&t, "", 0, 0, "/root", "0 10");
    expect(&t, "root", 0, 0, "/root", "0 10");
    expect(&t, "ann", 1000, 100, "/home/ann", "100 10 29");
    expect(&t, "ann:", 1000, 100, "/home/ann", "100 10 29");
    expect(&t, "ann:wheel", 1000, 10, "/home/ann", "10");
    expect(&t, "ann:7777", 1000, 7777, "/home/ann", "7777");
    expect(&t, "nohome", 5, 5, "/", "5");
    expect(&t, "short", 6, 6, "/", "6");
    tree_done(&t);
}

static void h2_digits_are_never_a_name(void **state)
{
    struct tree t;
    tree_with_users(&t);
    expect(&t, "1234", 1234, 0, "/", "0");
    expect(&t, "1000", 1000, 100, "/home/ann", "100 10 29");
    expect(&t, "0", 0, 0, "/root", "0 10");
    expect(&t, "4242:55", 4242, 55, "/", "55");
    expect(&t, "2147483647:2147483647", 2147483647, 2147483647, "/", "2147483647");
    tree_done(&t);
}

static void h2_overflowing_ids_are_refused_not_wrapped(void **state)
{
    struct tree t;
    tree_with_users(&t);
    expect_error(&t, "2147483648", DR_ERR_INVALID, "user '2147483648' is out of range");
    expect_error(&t, "4294967296", DR_ERR_INVALID, "user '4294967296' is out of range");
    expect_error(&t, "18446744073709551616", DR_ERR_INVALID, "is out of range");
    expect_error(&t, "ann:4294967296", DR_ERR_INVALID, "group '4294967296' is out of");
    expect_error(&t, "huge", DR_ERR_CREATE, "gives bad ids '4294967296:0'");
    expect_error(&t, "neg", DR_ERR_CREATE, "gives bad ids '-1:0'");
    expect_error(&t, "ann:bad", DR_ERR_CREATE, "gives the bad id '99999999999'");
    tree_done(&t);
}

static void c16_an_unknown_user_is_an_error_and_never_root(void **state)
{
    struct tree t;
    tree_with_users(&t);
    expect_error(&t, "bob", DR_ERR_CREATE,
                 "user 'bob' is not in the image's /etc/passwd");
    expect_error(&t, "-1", DR_ERR_CREATE, "user '-1' is not in the image's /etc/passwd");
    expect_error(&t, "ann:staff", DR_ERR_CREATE,
                 "group 'staff' is not in the image's /etc/group");
    expect_error(&t, ":wheel", DR_ERR_INVALID, "expected user[:group]");
    expect_error(&t, ":", DR_ERR_INVALID, "expected user[:group]");
    expect_error(&t, "ann:wheel:x", DR_ERR_INVALID, "expected user[:group]");
    tree_done(&t);
}

static void numbers_need_no_files(void **state)
{
    struct tree t;
    tree_init(&t, 1);
    expect(&t, "1000:50", 1000, 50, "/", "50");
    expect(&t, NULL, 0, 0, "/", "0");
    expect_error(&t, "root", DR_ERR_CREATE, "user 'root' is not in the image's");
    tree_done(&t);
}

static void h2_passwd_must_be_a_small_regular_file(void **state)
{
    struct tree t;
    tree_init(&t, 1);
    tree_dir(&t, 0, "etc/passwd");
    expect_error(&t, "1", DR_ERR_CREATE,
                 "user '1': /etc/passwd of the image is not a regular");
    tree_done(&t);
    tree_init(&t, 1);
    size_t size = (1 << 20) + 2;
    dr_auto_free char *big = dr_alloc(size);
    memset(big, '\n', size - 1);
    tree_file(&t, 0, "etc/passwd", big);
    expect_error(&t, "1", DR_ERR_CREATE, "user '1': /etc/passwd of the image: ");
    tree_done(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(c16_named_users_come_from_the_image),
        cmocka_unit_test(h2_digits_are_never_a_name),
        cmocka_unit_test(h2_overflowing_ids_are_refused_not_wrapped),
        cmocka_unit_test(c16_an_unknown_user_is_an_error_and_never_root),
        cmocka_unit_test(numbers_need_no_files),
        cmocka_unit_test(h2_passwd_must_be_a_small_regular_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
