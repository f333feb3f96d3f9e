/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "spec/container.h"

struct bad {
    const char *text;
    enum dr_kind kind;
    const char *reason; /* in the error's text, as is the input */
};

#define EXPECT_BAD(parse, type, table)                                                   \
    for (size_t i = 0; i < DR_COUNT(table); i++) {                                       \
        struct dr_error why = DR_ERROR_INIT;                                             \
        type item;                                                                       \
        memset(&item, 0x55, sizeof item);                                                \
        type before = item;                                                              \
        assert_int_equal(parse((table)[i].text, &item, &why), -1);                       \
        assert_int_equal(why.kind, (table)[i].kind);                                     \
        assert_non_null(strstr(why.text, (table)[i].reason));                            \
        assert_non_null(strstr(why.text, (table)[i].text));                              \
        assert_memory_equal(&item, &before, sizeof item);                                \
    }

static void same(const char *a, const char *b)
{
    assert_int_equal(a == NULL, b == NULL);
    if (a)
        assert_string_equal(a, b);
}

static void volume_syntax_is_dockers(void **state)
{
    static const struct {
        const char *text;
        struct spec_mount mount;
    } good[] = {
        {"/a:/b", {SPEC_MOUNT_BIND, (char *)"/a", (char *)"/b", NULL, false, false}},
        {"/a:/b:ro", {SPEC_MOUNT_BIND, (char *)"/a", (char *)"/b", NULL, true, false}},
        {"/a/../c//:/b/./",
         {SPEC_MOUNT_BIND, (char *)"/c", (char *)"/b", NULL, false, false}},
        {"./x:/b", {SPEC_MOUNT_BIND, (char *)"./x", (char *)"/b", NULL, false, false}},
        {"~/x:/b", {SPEC_MOUNT_BIND, (char *)"~/x", (char *)"/b", NULL, false, false}},
        {"/a:/b:", {SPEC_MOUNT_BIND, (char *)"/a", (char *)"/b", NULL, false, false}},
        {"/a:/b:rw,z", {SPEC_MOUNT_BIND, (char *)"/a", (char *)"/b", NULL, false, false}},
        {"/a:/b:Z,ro,rslave",
         {SPEC_MOUNT_BIND, (char *)"/a", (char *)"/b", (char *)"rslave", true, false}},
        {"/a:/b:private,cached",
         {SPEC_MOUNT_BIND, (char *)"/a", (char *)"/b", (char *)"private", false, false}},
        /* the guest knows what these are called there */
        {"C:\\Users\\me\\a b:/b",
         {SPEC_MOUNT_BIND, (char *)"C:\\Users\\me\\a b", (char *)"/b", NULL, false,
          false}},
        {"c:/x:/b:ro",
         {SPEC_MOUNT_BIND, (char *)"c:/x", (char *)"/b", NULL, true, false}},
        {"c:/b:ro", {SPEC_MOUNT_VOLUME, (char *)"c", (char *)"/b", NULL, true, false}},
        {"//wsl.localhost/D/x:/b",
         {SPEC_MOUNT_BIND, (char *)"//wsl.localhost/D/x", (char *)"/b", NULL, false,
          false}},
        {"\\\\server\\share:/b",
         {SPEC_MOUNT_BIND, (char *)"\\\\server\\share", (char *)"/b", NULL, false,
          false}},
        {"data:/b",
         {SPEC_MOUNT_VOLUME, (char *)"data", (char *)"/b", NULL, false, false}},
        {"d:/b:ro,nocopy",
         {SPEC_MOUNT_VOLUME, (char *)"d", (char *)"/b", NULL, true, true}},
        {"A.b_c-1:/b",
         {SPEC_MOUNT_VOLUME, (char *)"A.b_c-1", (char *)"/b", NULL, false, false}},
        {"/b", {SPEC_MOUNT_VOLUME, NULL, (char *)"/b", NULL, false, false}},
    };
    for (size_t i = 0; i < DR_COUNT(good); i++) {
        struct dr_error err = DR_ERROR_INIT;
        struct spec_mount mount;
        assert_int_equal(spec_mount_parse(good[i].text, &mount, &err), 0);
        assert_int_equal(mount.type, good[i].mount.type);
        same(mount.source, good[i].mount.source);
        same(mount.target, good[i].mount.target);
        same(mount.options, good[i].mount.options);
        assert_int_equal(mount.read_only, good[i].mount.read_only);
        assert_int_equal(mount.no_copy, good[i].mount.no_copy);
        spec_mount_release(&mount);
    }
}

static void bad_volumes_are_named_with_the_reason(void **state)
{
    static const struct bad bad[] = {
        {"", DR_ERR_INVALID, "expected [source:]target[:options]"},
        {":/b", DR_ERR_INVALID, "expected [source:]target[:options]"},
        {"/a:", DR_ERR_INVALID, "expected [source:]target[:options]"},
        {"/a::ro", DR_ERR_INVALID, "expected [source:]target[:options]"},
        {"/a:/b:ro:z", DR_ERR_INVALID, "expected [source:]target[:options]"},
        {"b", DR_ERR_INVALID, "'b', must be absolute"},
        {"/a:b", DR_ERR_INVALID, "'b', must be absolute"},
        {"/a:ro", DR_ERR_INVALID, "'ro' is an option"},
        {"C:\\a", DR_ERR_INVALID, "the path in the container is missing"},
        {"C:\\a:D:\\b", DR_ERR_INVALID, "'D', must be absolute"},
        {"C:\\a:b", DR_ERR_INVALID, "'b', must be absolute"},
        {"C:a:/b", DR_ERR_INVALID, "must be absolute"},
        {"/", DR_ERR_INVALID, "must not be '/'"},
        {"/a:/", DR_ERR_INVALID, "must not be '/'"},
        {"/a:/b/..", DR_ERR_INVALID, "must not be '/'"},
        {"a/b:/c", DR_ERR_INVALID, "'a/b' is not a volume name"},
        {"-x:/c", DR_ERR_INVALID, "'-x' is not a volume name"},
        {"\xc3\xa9:/c", DR_ERR_INVALID, "is not a volume name"},
        {"/a:/b:rx", DR_ERR_INVALID, "options 'rx'"},
        {"/a:/b:ro,rw", DR_ERR_INVALID, "options 'ro,rw'"},
        {"/a:/b:ro,", DR_ERR_INVALID, "options 'ro,'"},
        {"/a:/b:RO", DR_ERR_INVALID, "options 'RO'"},
        {"/a:/b:nocopy", DR_ERR_INVALID, "nocopy is for volumes"},
        {"v:/b:rslave", DR_ERR_INVALID, "'rslave' is for bind mounts only"},
        {"/a:/b:shared", DR_ERR_UNSUPPORTED, "propagation 'shared' is not supported"},
        {"/a:/b:ro,rshared", DR_ERR_UNSUPPORTED,
         "propagation 'rshared' is not supported"},
    };
    EXPECT_BAD(spec_mount_parse, struct spec_mount, bad)
}

static void tmpfs_takes_its_mount_options(void **state)
{
    struct dr_error err = DR_ERROR_INIT;
    struct spec_mount mount;
    assert_int_equal(spec_tmpfs_parse("/run", &mount, &err), 0);
    assert_int_equal(mount.type, SPEC_MOUNT_TMPFS);
    same(mount.target, "/run");
    same(mount.options, NULL);
    spec_mount_release(&mount);
    assert_int_equal(spec_tmpfs_parse("/run/:ro,size=64m,mode=1777,exec", &mount, &err),
                     0);
    same(mount.target, "/run");
    same(mount.options, "ro,size=64m,mode=1777,exec");
    assert_true(mount.read_only);
    spec_mount_release(&mount);
    static const struct bad bad[] = {
        {"", DR_ERR_INVALID, "expected target[:options]"},
        {"run", DR_ERR_INVALID, "must be absolute"},
        {"/", DR_ERR_INVALID, "must not be '/'"},
        {"/run:size", DR_ERR_INVALID, "unknown option 'size'"},
        {"/run:size=", DR_ERR_INVALID, "unknown option 'size='"},
        {"/run:ro,upperdir=/etc", DR_ERR_INVALID, "unknown option 'upperdir=/etc'"},
        {"/run:,ro", DR_ERR_INVALID, "unknown option ''"},
    };
    EXPECT_BAD(spec_tmpfs_parse, struct spec_mount, bad)
}

static void device_syntax_is_dockers(void **state)
{
    static const struct {
        const char *text, *host, *container, *permissions;
    } good[] = {
        {"/dev/fuse", "/dev/fuse", "/dev/fuse", "rwm"},
        {"/dev/fuse:/dev/x", "/dev/fuse", "/dev/x", "rwm"},
        {"/dev/fuse:rw", "/dev/fuse", "/dev/fuse", "rw"},
        {"/dev/fuse:/dev/x:r", "/dev/fuse", "/dev/x", "r"},
        {"/dev/fuse:/dev/x:mwr", "/dev/fuse", "/dev/x", "mwr"},
    };
    for (size_t i = 0; i < DR_COUNT(good); i++) {
        struct dr_error err = DR_ERROR_INIT;
        struct spec_device device;
        assert_int_equal(spec_device_parse(good[i].text, &device, &err), 0);
        same(device.host_path, good[i].host);
        same(device.container_path, good[i].container);
        same(device.permissions, good[i].permissions);
        spec_device_release(&device);
    }
    static const struct bad bad[] = {
        {"", DR_ERR_INVALID, "expected host[:container[:rwm]]"},
        {"/a:/b:r:w", DR_ERR_INVALID, "expected host[:container[:rwm]]"},
        {"fuse", DR_ERR_INVALID, "'fuse' is not an absolute path"},
        {"/dev/a:b/c", DR_ERR_INVALID, "'b/c' is not an absolute path"},
        {"/dev/a:/dev/b:rx", DR_ERR_INVALID, "permissions 'rx' are not a set"},
        {"/dev/a:/dev/b:rr", DR_ERR_INVALID, "permissions 'rr' are not a set"},
        {"/dev/a:/dev/b:", DR_ERR_INVALID, "permissions '' are not a set"},
        {"nvidia.com/gpu=all", DR_ERR_UNSUPPORTED, "CDI names are not supported"},
    };
    EXPECT_BAD(spec_device_parse, struct spec_device, bad)
}

static void ulimit_syntax_is_dockers(void **state)
{
    static const struct {
        const char *text, *name;
        int64_t soft, hard;
    } good[] = {
        {"nofile=1024", "nofile", 1024, 1024},
        {"nofile=1024:2048", "nofile", 1024, 2048},
        {"core=-1", "core", -1, -1},
        {"memlock=0:-1", "memlock", 0, -1},
        {"rss=9223372036854775807", "rss", INT64_MAX, INT64_MAX},
    };
    for (size_t i = 0; i < DR_COUNT(good); i++) {
        struct dr_error err = DR_ERROR_INIT;
        struct spec_ulimit ulimit;
        assert_int_equal(spec_ulimit_parse(good[i].text, &ulimit, &err), 0);
        same(ulimit.name, good[i].name);
        assert_int_equal(ulimit.soft, good[i].soft);
        assert_int_equal(ulimit.hard, good[i].hard);
        spec_ulimit_release(&ulimit);
    }
    static const struct bad bad[] = {
        {"", DR_ERR_INVALID, "expected name=soft[:hard]"},
        {"nofile", DR_ERR_INVALID, "expected name=soft[:hard]"},
        {"=1", DR_ERR_INVALID, "expected name=soft[:hard]"},
        {"files=1", DR_ERR_INVALID, "there is no limit 'files'"},
        {"NOFILE=1", DR_ERR_INVALID, "there is no limit 'NOFILE'"},
        {"nofile=", DR_ERR_INVALID, "'' is not a number"},
        {"nofile=x", DR_ERR_INVALID, "'x' is not a number"},
        {"nofile=1:", DR_ERR_INVALID, "'' is not a number"},
        {"nofile=1:2:3", DR_ERR_INVALID, "'2:3' is not a number"},
        {"nofile=1.5", DR_ERR_INVALID, "'1.5' is not a number"},
        {"nofile=-2", DR_ERR_INVALID, "'-2' is not a number"},
        {"nofile=9223372036854775808", DR_ERR_INVALID, "is not a number"},
        {"nofile=2:1", DR_ERR_INVALID, "the soft limit is above the hard limit"},
        {"nofile=-1:1", DR_ERR_INVALID, "the soft limit is above the hard limit"},
    };
    EXPECT_BAD(spec_ulimit_parse, struct spec_ulimit, bad)
}

static void cpus_are_exact_to_nine_decimals(void **state)
{
    static const struct {
        const char *text;
        int64_t nano;
    } good[] = {
        {"1", 1000000000},
        {"1.5", 1500000000},
        {".5", 500000000},
        {"2.", 2000000000},
        {"0", 0},
        {"0.000000001", 1},
        {"1.123456789", 1123456789},
        {"1.50000000000", 1500000000},
    };
    for (size_t i = 0; i < DR_COUNT(good); i++) {
        struct dr_error err = DR_ERROR_INIT;
        int64_t nano = -1;
        assert_int_equal(spec_cpus_parse(good[i].text, &nano, &err), 0);
        assert_int_equal(nano, good[i].nano);
    }
    static const struct bad bad[] = {
        {"", DR_ERR_INVALID, "a decimal number of CPUs"},
        {".", DR_ERR_INVALID, "a decimal number of CPUs"},
        {"-1", DR_ERR_INVALID, "a decimal number of CPUs"},
        {"1,5", DR_ERR_INVALID, "a decimal number of CPUs"},
        {"1e3", DR_ERR_INVALID, "a decimal number of CPUs"},
        {"nan", DR_ERR_INVALID, "a decimal number of CPUs"},
        {"99999999999999999999", DR_ERR_INVALID, "a decimal number of CPUs"},
        {"1.0000000001", DR_ERR_INVALID, "more than nine decimals"},
    };
    EXPECT_BAD(spec_cpus_parse, int64_t, bad)
}

static void paths_are_cleaned_and_never_leave_the_root(void **state)
{
    static const char *const pairs[][2] = {
        {"/", "/"},          {"//", "/"},      {"/a//b/", "/a/b"}, {"/a/./b", "/a/b"},
        {"/a/../b", "/b"},   {"/..", "/"},     {"/../../a", "/a"}, {"a", "/a"},
        {"/a/b/../..", "/"}, {"/...", "/..."}, {"", "/"},          {"/a/..b", "/a/..b"},
    };
    for (size_t i = 0; i < DR_COUNT(pairs); i++) {
        dr_auto_free char *clean = spec_path_clean(pairs[i][0]);
        assert_string_equal(clean, pairs[i][1]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(volume_syntax_is_dockers),
        cmocka_unit_test(bad_volumes_are_named_with_the_reason),
        cmocka_unit_test(tmpfs_takes_its_mount_options),
        cmocka_unit_test(device_syntax_is_dockers),
        cmocka_unit_test(ulimit_syntax_is_dockers),
        cmocka_unit_test(cpus_are_exact_to_nine_decimals),
        cmocka_unit_test(paths_are_cleaned_and_never_leave_the_root),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
