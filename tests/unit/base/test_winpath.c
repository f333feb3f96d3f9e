/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/winpath.h"

static void same(const char *a, const char *b)
{
    assert_int_equal(a == NULL, b == NULL);
    if (a)
        assert_string_equal(a, b);
}

static void each_kind_of_path_is_told_apart(void **state)
{
    static const struct {
        const char *path;
        enum dr_winpath_kind kind;
        char drive;
        const char *distro, *rest;
    } rows[] = {
        {"C:\\Users\\me", DR_WINPATH_DRIVE, 'c', NULL, "/Users/me"},
        {"z:/a/b", DR_WINPATH_DRIVE, 'z', NULL, "/a/b"},
        {"C:\\", DR_WINPATH_DRIVE, 'c', NULL, "/"},
        {"C:\\a\\.\\\\b/..\\..\\..\\c d\\", DR_WINPATH_DRIVE, 'c', NULL, "/c d"},
        {"C:\\\xc3\xa4\\...\\.x", DR_WINPATH_DRIVE, 'c', NULL, "/\xc3\xa4/.../.x"},
        {"\\\\?\\D:\\a", DR_WINPATH_DRIVE, 'd', NULL, "/a"},
        {"\\\\wsl.localhost\\Debian\\home\\me", DR_WINPATH_DISTRO, 0, "Debian",
         "/home/me"},
        {"\\\\WSL$\\my distro", DR_WINPATH_DISTRO, 0, "my distro", "/"},
        {"//wsl.localhost/D/x/../y", DR_WINPATH_DISTRO, 0, "D", "/y"},
        {"\\\\server\\share\\x", DR_WINPATH_SHARE, 0, NULL, NULL},
        {"\\\\?\\UNC\\server\\share", DR_WINPATH_SHARE, 0, NULL, NULL},
        {"\\\\wsl$", DR_WINPATH_SHARE, 0, NULL, NULL},
        {"\\\\wsl$\\", DR_WINPATH_SHARE, 0, NULL, NULL},
        {"\\\\.\\pipe\\docker_engine", DR_WINPATH_DEVICE, 0, NULL, NULL},
        {"\\\\?\\Volume{1}\\x", DR_WINPATH_DEVICE, 0, NULL, NULL},
        /* what is none, or not absolute */
        {"", DR_WINPATH_NONE, 0, NULL, NULL},
        {"C:", DR_WINPATH_NONE, 0, NULL, NULL},
        {"C:x", DR_WINPATH_NONE, 0, NULL, NULL},
        {"CC:\\x", DR_WINPATH_NONE, 0, NULL, NULL},
        {"1:\\x", DR_WINPATH_NONE, 0, NULL, NULL},
        {"\\x", DR_WINPATH_NONE, 0, NULL, NULL},
        {".\\x", DR_WINPATH_NONE, 0, NULL, NULL},
        {"/mnt/c", DR_WINPATH_NONE, 0, NULL, NULL},
        {"//server/share", DR_WINPATH_NONE, 0, NULL, NULL},
        {"//wsl.localhosts/D", DR_WINPATH_NONE, 0, NULL, NULL},
    };
    for (size_t i = 0; i < DR_COUNT(rows); i++) {
        dr_auto_winpath struct dr_winpath path;
        dr_winpath_parse(rows[i].path, &path);
        assert_int_equal(path.kind, rows[i].kind);
        assert_int_equal(path.kind, dr_winpath_kind(rows[i].path));
        assert_int_equal(path.drive, rows[i].drive);
        same(path.distro, rows[i].distro);
        same(path.rest, rows[i].rest);
    }
}

static void a_source_ends_at_the_colon_behind_its_drive(void **state)
{
    static const struct {
        const char *text;
        size_t len;
    } rows[] = {
        {"C:\\a:/b", 4},
        {"C:\\a:/b:ro", 4},
        {"C:\\a", 4},
        {"C:\\:/b", 3},
        {"c:/a:/b", 4},
        {"\\\\?\\C:\\a:/b", 8},
        {"\\\\wsl$\\D\\a:/b", 10},
        {"\\\\s\\a:/b", 5},
        /* volumes and paths of Linux */
        {"c:/a", 0},
        {"c:/a:ro", 0},
        {"c:/a:", 0},
        {"/a:/b", 0},
        {"data:/b:ro", 0},
        {"a\\b:/c", 0},
        {"", 0},
    };
    for (size_t i = 0; i < DR_COUNT(rows); i++)
        assert_int_equal(dr_winpath_source_len(rows[i].text), rows[i].len);
}

static void relative_paths_become_absolute(void **state)
{
    static const struct {
        const char *here, *path, *want;
    } rows[] = {
        {"C:\\Users\\me", ".\\src", "C:\\Users\\me\\.\\src"},
        {"C:\\Users\\me", "..", "C:\\Users\\me\\.."},
        {"C:\\", "x/y", "C:\\x/y"},
        {"C:\\Users", "\\x", "C:\\x"},
        {"\\\\wsl$\\D\\home", ".\\x", "\\\\wsl$\\D\\home\\.\\x"},
        {"C:\\Users", "D:\\x", "D:\\x"},
        {"C:\\Users", "\\\\s\\x", "\\\\s\\x"},
    };
    for (size_t i = 0; i < DR_COUNT(rows); i++) {
        dr_auto_free char *path = dr_winpath_absolute(rows[i].here, rows[i].path);
        assert_string_equal(path, rows[i].want);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_kind_of_path_is_told_apart),
        cmocka_unit_test(a_source_ends_at_the_colon_behind_its_drive),
        cmocka_unit_test(relative_paths_become_absolute),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
