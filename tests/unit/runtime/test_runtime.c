/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "base/fs.h"
#include "base/text.h"
#include "guest/runtime/runtime.h"

static char dir[64];

static int setup(void **state)
{
    snprintf(dir, sizeof dir, "/tmp/dray-rt-XXXXXX");
    return mkdtemp(dir) ? 0 : -1;
}

static int teardown(void **state)
{
    struct dr_error err = DR_ERROR_INIT;
    return dr_remove_all(AT_FDCWD, dir, &err);
}

/* A program of our own in dir. */
static char *script(const char *name, const char *body)
{
    struct dr_error err = DR_ERROR_INIT;
    char *path = dr_path_join(dir, name);
    dr_auto_free char *text = dr_printf("#!/bin/sh\n%s\n", body);
    assert_int_equal(dr_file_write(AT_FDCWD, path, text, strlen(text), 0755, 0, &err), 0);
    return path;
}

static void runtime_given_by_path_is_used_verbatim(void **state) /* C03 */
{
    dr_auto_free char *path = script("my-crun", "exit 0");
    struct runtime runtime;
    struct dr_error err = DR_ERROR_INIT;
    assert_int_equal(runtime_find(path, &runtime, &err), 0);
    assert_string_equal(runtime.path, path);
    assert_int_equal(runtime.kind, RUNTIME_OTHER);
    runtime_release(&runtime);
}

static void runtime_that_is_no_executable_is_a_config_error(void **state) /* C02, C03 */
{
    struct runtime runtime;
    struct dr_error err = DR_ERROR_INIT;
    assert_int_equal(runtime_find("/etc/passwd", &runtime, &err), -1);
    assert_int_equal(err.kind, DR_ERR_CONFIG);
    assert_non_null(strstr(err.text, "/etc/passwd"));
    assert_non_null(strstr(err.text, "not an executable file"));
    err = DR_ERROR_INIT;
    assert_int_equal(runtime_find("/nowhere/crun", &runtime, &err), -1);
    assert_int_equal(err.kind, DR_ERR_CONFIG);
    assert_non_null(strstr(err.text, "No such file"));
    err = DR_ERROR_INIT;
    assert_int_equal(runtime_find("no-such-runtime", &runtime, &err), -1);
    assert_int_equal(err.kind, DR_ERR_CONFIG);
    assert_non_null(strstr(err.text, "apt-get install"));
}

static void runtime_kinds_are_told_by_name(void **state)
{
    assert_int_equal(runtime_kind_of("/usr/bin/crun"), RUNTIME_CRUN);
    assert_int_equal(runtime_kind_of("/opt/runc-1.2"), RUNTIME_RUNC);
    assert_int_equal(runtime_kind_of("youki"), RUNTIME_YOUKI);
    assert_int_equal(runtime_kind_of("/usr/bin/kata-runtime"), RUNTIME_OTHER);
}

static void runtime_known_to_be_bad_is_warned_of(void **state)
{
    dr_auto_free char *old = runtime_version_warning(RUNTIME_RUNC, "1.1.5+ds1");
    assert_non_null(old);
    assert_non_null(strstr(old, "CVE-2024-21626"));
    assert_null(runtime_version_warning(RUNTIME_RUNC, "1.4.0"));
    assert_null(runtime_version_warning(RUNTIME_CRUN, "1.8.1"));
    assert_null(runtime_version_warning(RUNTIME_YOUKI, NULL));
}

static void runtime_version_is_asked_once(void **state)
{
    dr_auto_free char *count = dr_path_join(dir, "count");
    dr_auto_free char *body =
        dr_printf("echo x >> %s; echo 'runc version 9.8.7'; echo 'spec: 1'", count);
    dr_auto_free char *path = script("runc", body);
    struct runtime runtime;
    struct dr_error err = DR_ERROR_INIT;
    assert_int_equal(runtime_find(path, &runtime, &err), 0);
    for (int i = 0; i < 3; i++) {
        dr_auto_free char *version = runtime_version(dir, &runtime);
        assert_string_equal(version, "9.8.7");
    }
    struct stat st;
    assert_int_equal(stat(count, &st), 0);
    assert_int_equal(st.st_size, 2);
    runtime_release(&runtime);
}

static struct runtime_call call_for(struct runtime *runtime, const char *log)
{
    return (struct runtime_call){.runtime = runtime,
                                 .state_root = dir,
                                 .log_path = log,
                                 .id = "abc",
                                 .stdio = {-1, -1, -1},
                                 .mount_ns = -1};
}

static void runtime_gets_exactly_this_argv(void **state)
{
    struct runtime runtime = {.kind = RUNTIME_CRUN,
                              .path = (char *)"/usr/bin/crun",
                              .traits = runtime_traits_of(RUNTIME_CRUN)};
    struct runtime_call call = call_for(&runtime, "/l");
    char **run = runtime_argv_run(&call, "/b", "/p");
    static const char *const expected[] = {"/usr/bin/crun",
                                           "--root",
                                           dir,
                                           "--log",
                                           "/l",
                                           "--log-format",
                                           "text",
                                           "run",
                                           "--detach",
                                           "--bundle",
                                           "/b",
                                           "--pid-file",
                                           "/p",
                                           "abc"};
    assert_int_equal(dr_strv_len(run), DR_COUNT(expected));
    for (size_t i = 0; i < DR_COUNT(expected); i++)
        assert_string_equal(run[i], expected[i]);
    dr_strv_free(run);
    char **exec = runtime_argv_exec(&call, "/process", "/p");
    assert_string_equal(exec[7], "exec");
    assert_string_equal(exec[11], "--process"); /* CVE-2026-30892: never words */
    assert_string_equal(exec[12], "/process");
    assert_null(exec[14]);
    dr_strv_free(exec);
    call.kept_count = 2;
    run = runtime_argv_run(&call, "/b", "/p");
    assert_string_equal(run[9], "--preserve-fds");
    assert_string_equal(run[10], "2");
    dr_strv_free(run);
}

static void runtime_that_fails_keeps_name_status_and_words(void **state) /* C32 */
{
    dr_auto_free char *log = dr_path_join(dir, "log");
    dr_auto_free char *body = dr_printf("echo '{\"msg\":\"executable file `x` not found "
                                        "in $PATH\",\"level\":\"error\"}' > %s\n"
                                        "echo more >&2\nexit 3",
                                        log);
    dr_auto_free char *path = script("crun", body);
    struct runtime runtime;
    struct dr_error err = DR_ERROR_INIT;
    assert_int_equal(runtime_find(path, &runtime, &err), 0);
    struct runtime_call call = call_for(&runtime, log);
    char *argv[] = {path, NULL};
    pid_t pid;
    int status, pipe_fds[2];
    assert_int_equal(pipe2(pipe_fds, O_CLOEXEC | O_NONBLOCK), 0);
    call.stdio[2] = pipe_fds[1];
    assert_int_equal(runtime_spawn(&call, argv, &pid, &err), 0);
    struct dr_buf text = DR_BUF_INIT(4096);
    assert_int_equal(runtime_wait_reading(pid, pipe_fds[0], NULL, dr_clock_ms() + 10000,
                                          &status, &text, &err),
                     0);
    close(pipe_fds[0]);
    close(pipe_fds[1]);
    runtime_failed(&call, "run", status, text.data, &err);
    assert_int_equal(err.kind, DR_ERR_START);
    assert_int_equal(err.origin, DR_AT_RUNTIME);
    assert_int_equal(err.code, 127);
    assert_string_equal(
        err.text, "crun run failed (status 3): executable file `x` not found in $PATH");
    assert_string_equal(err.output, "executable file `x` not found in $PATH\nmore\n");
    assert_string_equal(err.program, "crun");
    assert_int_equal(err.status, 3);
    dr_buf_release(&text);
    dr_error_release(&err);
    runtime_release(&runtime);
}

static void runtime_that_hangs_is_killed_at_the_deadline(void **state) /* C33 */
{
    dr_auto_free char *path = script("crun", "sleep 100");
    struct runtime runtime;
    struct dr_error err = DR_ERROR_INIT;
    assert_int_equal(runtime_find(path, &runtime, &err), 0);
    struct runtime_call call = call_for(&runtime, "/dev/null");
    char *argv[] = {path, NULL};
    pid_t pid;
    int status;
    assert_int_equal(runtime_spawn(&call, argv, &pid, &err), 0);
    assert_int_equal(runtime_wait(pid, dr_clock_ms() + 100, &status, &err), -1);
    assert_int_equal(err.kind, DR_ERR_TIMEOUT);
    assert_non_null(strstr(err.text, "did not answer in time"));
    assert_int_equal(waitpid(pid, &status, 0), -1); /* reaped */
    runtime_release(&runtime);
}

/* What ls says of a shell's descriptors: 10 is its script. */
#define SHELL_FDS(kept) "0\n1\n10\n2\n" kept

static void
runtime_inherits_nothing_but_three_descriptors(void **state) /* H3, CVE-2024-21626 */
{
    dr_auto_free char *out = dr_path_join(dir, "out");
    /* neither a pipe nor a redirection for ls: the shell itself would have them open */
    dr_auto_free char *body = dr_printf("exec >%s; ls /proc/$$/fd; echo env; env", out);
    dr_auto_free char *path = script("crun", body);
    int leak = open("/etc/passwd", O_RDONLY); /* without O_CLOEXEC */
    struct runtime runtime;
    struct dr_error err = DR_ERROR_INIT;
    assert_int_equal(runtime_find(path, &runtime, &err), 0);
    struct runtime_call call = call_for(&runtime, "/dev/null");
    char *argv[] = {path, NULL};
    pid_t pid;
    int status;
    assert_int_equal(setenv("SECRET", "x", 1), 0);
    assert_int_equal(runtime_spawn(&call, argv, &pid, &err), 0);
    assert_int_equal(runtime_wait(pid, dr_clock_ms() + 10000, &status, &err), 0);
    struct dr_buf text = DR_BUF_INIT(4096);
    assert_int_equal(dr_file_read(AT_FDCWD, out, &text, &err), 0);
    assert_int_equal(strncmp(text.data, SHELL_FDS("") "env\n", 12), 0);
    assert_null(strstr(text.data, "SECRET"));
    dr_buf_release(&text);
    close(leak);
    runtime_release(&runtime);
}

static void runtime_is_given_what_is_to_be_kept_behind_the_three(void **state)
{
    dr_auto_free char *out = dr_path_join(dir, "out");
    dr_auto_free char *body =
        dr_printf("exec >%s; cat <&5; cat <&4; cat <&3; ls /proc/$$/fd", out);
    dr_auto_free char *path = script("crun", body);
    struct runtime runtime;
    struct dr_error err = DR_ERROR_INIT;
    assert_int_equal(runtime_find(path, &runtime, &err), 0);
    /* as they come: 3, 4 and 5 may be others of them */
    int fds[3];
    for (int i = 0; i < 3; i++) {
        char letter = (char)('a' + i);
        fds[2 - i] = memfd_create("kept", MFD_CLOEXEC);
        assert_int_equal(write(fds[2 - i], &letter, 1), 1);
        lseek(fds[2 - i], 0, SEEK_SET);
    }
    struct runtime_call call = call_for(&runtime, "/dev/null");
    call.kept = fds;
    call.kept_count = 3;
    char *argv[] = {path, NULL};
    pid_t pid;
    int status;
    assert_int_equal(runtime_spawn(&call, argv, &pid, &err), 0);
    assert_int_equal(runtime_wait(pid, dr_clock_ms() + 10000, &status, &err), 0);
    struct dr_buf text = DR_BUF_INIT(4096);
    assert_int_equal(dr_file_read(AT_FDCWD, out, &text, &err), 0);
    assert_string_equal(text.data, "abc" SHELL_FDS("3\n4\n5\n"));
    dr_buf_release(&text);
    for (int i = 0; i < 3; i++)
        close(fds[i]);
    runtime_release(&runtime);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(runtime_given_by_path_is_used_verbatim, setup,
                                        teardown),
        cmocka_unit_test(runtime_that_is_no_executable_is_a_config_error),
        cmocka_unit_test(runtime_kinds_are_told_by_name),
        cmocka_unit_test(runtime_known_to_be_bad_is_warned_of),
        cmocka_unit_test_setup_teardown(runtime_version_is_asked_once, setup, teardown),
        cmocka_unit_test(runtime_gets_exactly_this_argv),
        cmocka_unit_test_setup_teardown(runtime_that_fails_keeps_name_status_and_words,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(runtime_that_hangs_is_killed_at_the_deadline,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(runtime_inherits_nothing_but_three_descriptors,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(
            runtime_is_given_what_is_to_be_kept_behind_the_three, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
