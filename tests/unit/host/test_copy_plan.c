/* SPDX-License-Identifier: Apache-2.0 */
/* docker cp's rules: into which directory, under which name. */
#include <stdarg.h>
#include <setjmp.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "host/copy-plan.h"

static void plan_is(const char *source, bool is_dir, const char *dest,
                    enum copy_dest dest_is, const char *dir, const char *name)
{
    copy_auto_plan struct copy_plan plan = COPY_PLAN_INIT;
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    dr_auto_free char *called = copy_name(source);
    if (copy_plan_make(called, is_dir, dest, dest_is, &plan, &err) < 0)
        fail_msg("%s", err.text);
    assert_string_equal(plan.dir, dir);
    if (name)
        assert_string_equal(plan.name, name);
    else
        assert_null(plan.name);
}

static void refused(const char *source, bool is_dir, const char *dest,
                    enum copy_dest dest_is, enum dr_kind kind, const char *text)
{
    struct copy_plan plan;
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    dr_auto_free char *called = copy_name(source);
    assert_int_equal(copy_plan_make(called, is_dir, dest, dest_is, &plan, &err), -1);
    assert_int_equal(err.kind, kind);
    assert_string_equal(err.text, text);
}

static void a_file_becomes_dest_replaces_it_or_goes_into_it(void **state)
{
    plan_is("/a/f", false, "/x/new", COPY_DEST_MISSING, "/x/", "new");
    plan_is("f", false, "new", COPY_DEST_MISSING, ".", "new");
    plan_is("f", false, "/new", COPY_DEST_MISSING, "/", "new");
    plan_is("f", false, "/x/old", COPY_DEST_FILE, "/x/", "old");
    plan_is("f", false, "/x", COPY_DEST_DIR, "/x", "f");
    plan_is("f", false, "/x/", COPY_DEST_DIR, "/x/", "f");
    refused("f", false, "/x/", COPY_DEST_MISSING, DR_ERR_NOT_FOUND,
            "/x/: no such directory");
    refused("f", false, "/x/.", COPY_DEST_MISSING, DR_ERR_NOT_FOUND,
            "/x/.: no such directory");
}

static void
a_directory_becomes_dest_or_goes_into_it_and_never_replaces_a_file(void **state)
{
    plan_is("d", true, "/x/new", COPY_DEST_MISSING, "/x/", "new");
    plan_is("d/", true, "/x/new/", COPY_DEST_MISSING, "/x/", "new");
    plan_is("/a/d/", true, "/x", COPY_DEST_DIR, "/x", "d");
    refused("d", true, "/x", COPY_DEST_FILE, DR_ERR_CONFLICT,
            "/x: it is a file, and a directory cannot be copied to a file");
    refused("d/.", true, "/x", COPY_DEST_FILE, DR_ERR_CONFLICT,
            "/x: it is a file, and a directory cannot be copied to a file");
}

static void a_directorys_content_is_asked_for_by_a_dot(void **state)
{
    plan_is("/a/d/.", true, "/x", COPY_DEST_DIR, "/x", NULL);
    plan_is(".", true, "/x", COPY_DEST_DIR, "/x", NULL);
    plan_is("/", true, "/x", COPY_DEST_DIR, "/x", NULL);
    /* the directory is made of it when it is not there */
    plan_is("/a/d/.", true, "/x/new", COPY_DEST_MISSING, "/x/", "new");
    refused("d/.", true, "/x/new/.", COPY_DEST_MISSING, DR_ERR_NOT_FOUND,
            "/x/new/.: no such directory");
}

static void names_are_shown_without_their_escapes(void **state)
{
    refused("d", true, "/x\x1b[31m", COPY_DEST_FILE, DR_ERR_CONFLICT,
            "/x\\x1b[31m: it is a file, and a directory cannot be copied to a file");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_file_becomes_dest_replaces_it_or_goes_into_it),
        cmocka_unit_test(
            a_directory_becomes_dest_or_goes_into_it_and_never_replaces_a_file),
        cmocka_unit_test(a_directorys_content_is_asked_for_by_a_dot),
        cmocka_unit_test(names_are_shown_without_their_escapes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
