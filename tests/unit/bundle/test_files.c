/* SPDX-License-Identifier: Apache-2.0 */
/* C16: hosts, hostname and resolv.conf; and the directories of bind mounts. */
#include "tree.h"

static void expect_in(const struct tree *t, const char *name, const char *text)
{
    dr_auto_buf struct dr_buf buf = DR_BUF_INIT(1 << 20);
    struct dr_error err = DR_ERROR_INIT;
    dr_auto_free char *path = tree_path(t, 0, name);
    assert_int_equal(dr_file_read(AT_FDCWD, path, &buf, &err), 0);
    dr_auto_free char *got = dr_buf_take(&buf);
    assert_string_equal(got, text);
}

/* The guest's own file, "" when there is none. */
static char *own(const char *path)
{
    dr_auto_buf struct dr_buf buf = DR_BUF_INIT(1 << 20);
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    dr_file_read(AT_FDCWD, path, &buf, &err);
    return dr_buf_take(&buf);
}

static void c16_the_files_of_a_container_begin_with_its_host_name(void **state)
{
    struct tree t;
    struct dr_error err = DR_ERROR_INIT;
    tree_init(&t, 1);
    dr_auto_free char *dir = tree_path(&t, 0, "");
    assert_int_equal(bundle_write_files(dir, "web", NULL, &err), 0);
    expect_in(&t, "hostname", "web\n");
    expect_in(&t, "resolv.conf", "");
    expect_in(&t, "hosts",
              "127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n"
              "fe00::\tip6-localnet\nff00::\tip6-mcastprefix\nff02::1\tip6-allnodes\n"
              "ff02::2\tip6-allrouters\n");
    assert_int_equal(bundle_write_files(dir, "web", "host", &err), 0);
    dr_auto_free char *hosts = own("/etc/hosts");
    expect_in(&t, "hosts", hosts);
    tree_done(&t);
    assert_int_equal(bundle_write_files(dir, "web", NULL, &err), -1);
    assert_int_equal(err.kind, DR_ERR_NOT_FOUND);
    assert_non_null(strstr(err.text, "network files: "));
}

static void a_missing_bind_source_becomes_a_directory(void **state)
{
    struct tree t;
    struct stat st;
    struct dr_error err = DR_ERROR_INIT;
    tree_init(&t, 1);
    tree_file(&t, 0, "file", "x");
    dr_auto_free char *missing = tree_path(&t, 0, "a/b");
    dr_auto_free char *file = tree_path(&t, 0, "file");
    dr_auto_free char *below = tree_path(&t, 0, "file/x");
    struct spec_mount mount = {.type = SPEC_MOUNT_BIND, .source = missing};
    assert_int_equal(bundle_prepare_bind_source(&mount, &err), 0);
    assert_int_equal(stat(missing, &st), 0);
    assert_true(S_ISDIR(st.st_mode));
    assert_int_equal(bundle_prepare_bind_source(&mount, &err), 0);
    mount.source = file;
    assert_int_equal(bundle_prepare_bind_source(&mount, &err), 0);
    mount.source = below;
    assert_int_equal(bundle_prepare_bind_source(&mount, &err), -1);
    assert_int_equal(err.kind, DR_ERR_CREATE);
    assert_non_null(strstr(err.text, "volume source "));
    assert_non_null(strstr(err.text, "Not a directory"));
    tree_done(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(c16_the_files_of_a_container_begin_with_its_host_name),
        cmocka_unit_test(a_missing_bind_source_becomes_a_directory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
