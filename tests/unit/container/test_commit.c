/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/text.h"
#include "disk.h"
#include "guest/container/record.h"

#define ID "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static char place[64];

static void put(const char *path, const char *text)
{
    struct dr_error err = DR_ERROR_INIT;
    assert_int_equal(dr_file_write(AT_FDCWD, path, text, strlen(text), 0600, 0, &err), 0);
}

static int setup(void **state)
{
    struct dr_error err = DR_ERROR_INIT;
    (void)state;
    snprintf(place, sizeof place, "/tmp/dray-commit-XXXXXX");
    if (!mkdtemp(place) || chdir(place) < 0 ||
        dr_mkdir_all("containers/" ID, 0700, &err) < 0 || mkdir("run", 0700) < 0 ||
        mkdir("bundle", 0700) < 0)
        return -1;
    put("containers/" ID "/spec.json", "{}");
    put("containers/" ID "/hosts", "127.0.0.1\tlocalhost\n");
    put("containers/" ID "/hostname", "web\n");
    put("bundle/config.json", "{}");
    return 0;
}

static int teardown(void **state)
{
    struct dr_error err = DR_ERROR_INIT;
    (void)state;
    return chdir("/") < 0 ? -1 : dr_remove_all(AT_FDCWD, place, &err);
}

static struct container made(bool auto_remove)
{
    struct container c = {.id = ID,
                          .dir = dr_strdup("containers/" ID),
                          .run_dir = dr_strdup("run"),
                          .state = json_object()};
    dr_json_set_int(c.state, "version", RECORD_VERSION);
    dr_json_set_str(c.state, "status", "created");
    dr_json_set_bool(c.state, "auto_remove", auto_remove);
    return c;
}

static bool there(const char *path)
{
    return access(path, F_OK) == 0;
}

static void a_container_is_whole_on_the_disk_before_it_is_one_H5_I1(void **state)
{
    struct dr_error err = DR_ERROR_INIT;
    container_auto struct container c = made(false);
    (void)state;
    disk_watch();
    assert_int_equal(container_commit_state(&c, "bundle", &err), 0);
    assert_string_equal(disk_steps(),
                        "fsync spec.json;fsync config.json;fsync state.json.new;"
                        "rename state.json;fsync " ID ";fsync containers;");
    dr_auto_buf struct dr_buf text = DR_BUF_INIT(1000);
    assert_int_equal(dr_file_read(AT_FDCWD, "containers/" ID "/state.json", &text, &err),
                     0);
    assert_non_null(strstr(text.data, "\"created\""));
}

static void a_run_waits_for_the_disk_only_when_it_runs(void **state)
{
    struct dr_error err = DR_ERROR_INIT;
    container_auto struct container c = made(false);
    (void)state;
    disk_watch();
    assert_int_equal(container_note_record(&c, &err), 0);
    assert_int_equal(container_hold_state(&c, &err), 0);
    assert_string_equal(disk_steps(),
                        "rename spec.json;rename " CONTAINER_FIRST_STATE ";");
    assert_true(there("run/" CONTAINER_FIRST_STATE));
    assert_false(there("containers/" ID "/state.json"));
    assert_int_equal(container_commit_state(&c, "bundle", &err), 0);
    assert_false(there("run/" CONTAINER_FIRST_STATE));
    assert_true(there("containers/" ID "/state.json"));
}

static void what_goes_with_its_end_waits_for_nothing(void **state)
{
    struct dr_error err = DR_ERROR_INIT;
    container_auto struct container c = made(true);
    (void)state;
    assert_int_equal(container_hold_state(&c, &err), 0);
    disk_watch();
    assert_int_equal(container_commit_state(&c, "bundle", &err), 0);
    assert_string_equal(disk_steps(), "rename state.json;");
    assert_false(there("run/" CONTAINER_FIRST_STATE));
}

static void what_is_not_on_the_disk_is_no_container(void **state)
{
    struct dr_error err = DR_ERROR_INIT;
    container_auto struct container c = made(false);
    (void)state;
    assert_int_equal(container_hold_state(&c, &err), 0);
    disk_watch();
    disk_fail(EIO);
    int result = container_commit_state(&c, "bundle", &err);
    disk_fail(0);
    assert_int_equal(result, -1);
    assert_int_equal(err.code, EIO);
    assert_non_null(strstr(err.text, "sync containers/" ID "/spec.json"));
    assert_string_equal(disk_steps(), "fsync spec.json;"); /* no rename */
    assert_false(there("containers/" ID "/state.json"));
    assert_false(there("containers/" ID "/state.json.new"));
    assert_true(there("run/" CONTAINER_FIRST_STATE)); /* still to be undone */
    dr_error_release(&err);

    assert_int_equal(unlink("bundle/config.json"), 0);
    assert_int_equal(container_commit_state(&c, "bundle", &err), -1);
    assert_int_equal(err.code, ENOENT);
    assert_non_null(strstr(err.text, "open bundle/config.json"));
    assert_false(there("containers/" ID "/state.json"));
    dr_error_release(&err);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(
            a_container_is_whole_on_the_disk_before_it_is_one_H5_I1, setup, teardown),
        cmocka_unit_test_setup_teardown(a_run_waits_for_the_disk_only_when_it_runs, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(what_goes_with_its_end_waits_for_nothing, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(what_is_not_on_the_disk_is_no_container, setup,
                                        teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
