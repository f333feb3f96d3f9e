/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "base/fs.h"
#include "base/text.h"
#include "guest/cgroup/cgroup.h"

/* A directory in one hierarchy of this machine that takes processes freely. */
static char *place(void)
{
    return dr_strdup(cgroup_mode() == CGROUP_V2 ? CGROUP_ROOT : CGROUP_ROOT "/freezer");
}

static pid_t child_in(const char *dir)
{
    pid_t pid = fork();
    if (pid == 0) {
        for (;;)
            pause();
    }
    dr_auto_free char *procs = dr_path_join(dir, "cgroup.procs");
    FILE *file = fopen(procs, "w");
    if (!file || fprintf(file, "%d\n", (int)pid) < 0 || fclose(file) != 0) {
        kill(pid, SIGKILL);
        waitpid(pid, NULL, 0);
        return -1;
    }
    return pid;
}

static void cgroup_that_is_missing_is_empty_and_removed(void **state) /* I3 */
{
    struct dr_error err = DR_ERROR_INIT;
    assert_true(cgroup_is_empty("/dray/never-made"));
    assert_int_equal(cgroup_kill("/dray/never-made", dr_clock_ms() + 1000, &err), 0);
    assert_int_equal(cgroup_remove("/dray/never-made", &err), 0);
    assert_int_equal(cgroup_oom_kills("/dray/never-made"), 0);
}

static void cgroup_is_killed_and_removed_with_all_below(void **state) /* I7 */
{
    struct dr_error err = DR_ERROR_INIT;
    char random[17];
    dr_random_hex(16, random);
    dr_auto_free char *name = dr_printf("/dray-test-%s", random);
    dr_auto_free char *top = place();
    dr_auto_free char *dir = dr_printf("%s%s", top, name);
    dr_auto_free char *below = dr_printf("%s/a/b", dir);
    if (cgroup_mode() == CGROUP_NONE || geteuid() != 0 || mkdir(dir, 0755) < 0)
        skip();
    assert_int_equal(dr_mkdir_all(below, 0755, &err), 0);
    pid_t one = child_in(dir), two = child_in(below);
    assert_true(one > 0 && two > 0);
    assert_false(cgroup_is_empty(name));
    int64_t began = dr_clock_ms();
    assert_int_equal(cgroup_remove(name, &(struct dr_error){0}), -1);
    /* nobody waits for those who live: it was a second for each hierarchy and level */
    assert_true(dr_clock_ms() - began < 1000);
    int status;
    assert_int_equal(waitpid(one, &status, WNOHANG), 0); /* alive and untouched */
    assert_int_equal(cgroup_kill(name, dr_clock_ms() + 20000, &err), 0);
    assert_int_equal(waitpid(one, &status, 0), one);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    assert_int_equal(waitpid(two, &status, 0), two);
    assert_true(cgroup_is_empty(name));
    assert_int_equal(cgroup_remove(name, &err), 0);
    assert_int_equal(access(dir, F_OK), -1);
    assert_int_equal(cgroup_remove(name, &err), 0); /* again */
}

static void cgroup_path_is_made_of_the_id(void **state)
{
    dr_auto_free char *path = cgroup_path("abc");
    assert_string_equal(path, "/dray/abc");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cgroup_that_is_missing_is_empty_and_removed),
        cmocka_unit_test(cgroup_is_killed_and_removed_with_all_below),
        cmocka_unit_test(cgroup_path_is_made_of_the_id),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
