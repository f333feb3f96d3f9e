/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "guest/bundle/drives.h"

#define WSL_KERNEL "5.15.167.4-microsoft-standard-WSL2"

/* As WSL writes them: 9p, virtiofs, a drive that a person mounted, and one part of it. */
static const char mounts[] =
    "59 58 8:32 / / rw,relatime - ext4 /dev/sdc rw\n"
    "80 59 0:46 / /mnt/c rw,noatime - 9p C:\\134 rw,aname=drvfs;path=C:\\;uid=0\n"
    "81 59 0:47 / /mnt/d rw,noatime shared:1 - virtiofs drvfsaD rw\n"
    "82 59 0:48 / /my\\040usb rw,noatime - 9p E: rw,aname=drvfs;path=E:\n"
    "83 59 0:49 /sub /mnt/part rw,noatime - 9p F:\\134 rw\n"
    "84 59 0:50 / /mnt/gg rw,noatime - 9p G:\\134x rw\n";

static char *path_of(const struct drives *d, const char *path, struct dr_error *err)
{
    return drives_path(d, path, err);
}

static void drives_are_found_where_they_are_mounted(void **state)
{
    static const struct {
        const char *path, *want;
    } rows[] = {
        {"C:\\Users\\me", "/mnt/c/Users/me"},
        {"c:/", "/mnt/c"},
        {"\\\\?\\C:\\a b", "/mnt/c/a b"},
        {"D:\\x", "/mnt/d/x"},
        {"E:\\x\\..\\y", "/my usb/y"},
        {"\\\\wsl.localhost\\my distro\\home", "/home"},
        {"\\\\wsl$\\MY DISTRO", "/"},
        {"/mnt/x", "/mnt/x"},
    };
    drives_auto struct drives d = {0};
    drives_parse("", mounts, WSL_KERNEL, "my distro", &d);
    for (size_t i = 0; i < DR_COUNT(rows); i++) {
        dr_auto_error struct dr_error err = DR_ERROR_INIT;
        dr_auto_free char *path = path_of(&d, rows[i].path, &err);
        assert_string_equal(err.text, "");
        assert_string_equal(path, rows[i].want);
    }
}

static void what_is_not_there_is_refused_with_a_way_out(void **state)
{
    static const char off[] = "[automount]\nenabled=false\n";
    static const struct {
        const char *path, *conf, *release, *distro, *text;
    } rows[] = {
        {"F:\\x", "", WSL_KERNEL, "d",
         "F:\\x: drive F: is not mounted in the distro (/mnt/f); WSL mounts fixed drives "
         "only, when it starts; mount it there: mount -t drvfs F: /mnt/f"},
        {"g:/x", off, WSL_KERNEL, NULL,
         "g:/x: drive G: is not mounted in the distro, because its /etc/wsl.conf has "
         "[automount] enabled=false; mount it there (mount -t drvfs G: /mnt/g), or turn "
         "automount on"},
        {"h:/x", "", "6.1.0-28-amd64", NULL,
         "h:/x: the target is no WSL distro, it has no drive H:; give a path of the "
         "target, and copy with `dray cp`"},
        {"\\\\wsl$\\D\\x", "", "6.1.0-28-amd64", NULL,
         "\\\\wsl$\\D\\x: that is in the WSL distro D, and the target is none; give a "
         "path "
         "of the target, and copy with `dray cp`"},
        {"\\\\wsl$\\D\\x", "", "6.1.0-28-amd64", "E",
         "\\\\wsl$\\D\\x: that is in the distro D, and the target is E; distros do not "
         "see "
         "each other's files: use --target wsl://D, or copy with `dray cp`"},
        {"\\\\server\\share", "", WSL_KERNEL, "d",
         "\\\\server\\share: a network share cannot be mounted into a container; mount "
         "it "
         "in the target first (mount -t drvfs '\\\\server\\share' /mnt/share), and give "
         "that path"},
        {"\\\\.\\pipe\\docker_engine", "", WSL_KERNEL, "d",
         "\\\\.\\pipe\\docker_engine: a pipe or device of Windows is nothing that a "
         "Linux "
         "container can use"},
    };
    for (size_t i = 0; i < DR_COUNT(rows); i++) {
        dr_auto_error struct dr_error err = DR_ERROR_INIT;
        drives_auto struct drives d = {0};
        drives_parse(rows[i].conf, mounts, rows[i].release, rows[i].distro, &d);
        assert_null(path_of(&d, rows[i].path, &err));
        assert_int_equal(err.kind, DR_ERR_INVALID);
        assert_string_equal(err.text, rows[i].text);
    }
}

static void wsl_conf_says_where_drives_are(void **state)
{
    static const struct {
        const char *conf;
        bool automount;
        const char *root;
    } rows[] = {
        {"", true, "/mnt/"},
        {"[automount]\nroot = /win\n", true, "/win/"},
        {"[AutoMount]\r\nRoot=\"/my win/\" # here\r\nEnabled = FALSE\r\n", false,
         "/my win/"},
        {"[automount]\n#root=/x\nenabled=true\n[network]\nroot=/y\nenabled=false", true,
         "/mnt/"},
        {"root=/x\nenabled=false\n[automount\n", true, "/mnt/"},
        {"[automount]\nroot=relative\nroot\n=\n]\nenabled=0", false, "/mnt/"},
    };
    for (size_t i = 0; i < DR_COUNT(rows); i++) {
        drives_auto struct drives d = {0};
        drives_parse(rows[i].conf, "", "", NULL, &d);
        assert_int_equal(d.automount, rows[i].automount);
        assert_string_equal(d.root, rows[i].root);
    }
    /* and there they are looked for */
    drives_auto struct drives d = {0};
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    drives_parse("[automount]\nroot=/\n", "1 2 0:3 /x /c rw - ext4 /dev/sda rw\n", "",
                 "d", &d);
    dr_auto_free char *path = path_of(&d, "C:\\a", &err);
    assert_string_equal(path, "/c/a");
}

static void only_windows_paths_of_a_spec_are_changed(void **state)
{
    struct dr_error err = DR_ERROR_INIT;
    struct spec_container *spec = spec_container_new();
    struct spec_mount mount;
    assert_int_equal(spec_mount_parse("/a:/b", &mount, &err), 0);
    spec_container_add_mount(spec, &mount);
    assert_int_equal(spec_mount_parse("c:/b", &mount, &err), 0);
    spec_container_add_mount(spec, &mount);
    assert_int_equal(drives_translate(spec, &err), 0);
    assert_string_equal(spec->mounts[0].source, "/a");
    assert_string_equal(spec->mounts[1].source, "c");
    assert_int_equal(spec_mount_parse("\\\\s\\b:/c", &mount, &err), 0);
    spec_container_add_mount(spec, &mount);
    assert_int_equal(drives_translate(spec, &err), -1);
    assert_non_null(strstr(err.text, "volume: \\\\s\\b: a network share"));
    dr_error_release(&err);
    spec_container_free(spec);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(drives_are_found_where_they_are_mounted),
        cmocka_unit_test(what_is_not_there_is_refused_with_a_way_out),
        cmocka_unit_test(wsl_conf_says_where_drives_are),
        cmocka_unit_test(only_windows_paths_of_a_spec_are_changed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
