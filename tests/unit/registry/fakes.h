/* SPDX-License-Identifier: Apache-2.0 */
/* Programs of tests/fake, which one Python process for each test program forks
 * (tests/fake/keeper.py); and the end of a scratch directory whose test was killed. */
#ifndef DRAY_TESTS_REGISTRY_FAKES_H
#define DRAY_TESTS_REGISTRY_FAKES_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef FAKE_DIR
#define FAKE_DIR "tests/fake"
#endif
#define PYTHON "/usr/bin/python3"

extern char **environ;

/* A program that lives as long as we do at least, in a session of its own: what ends us,
 * ends it by the end of its stdin. from: its stdout, NULL: ours. */
static inline pid_t spawn_companion(const char *const *argv, int *ret_to, FILE **ret_from)
{
    int to[2], from[2] = {-1, -1};
    pid_t pid;
    posix_spawnattr_t attributes;
    posix_spawn_file_actions_t actions;
    assert_int_equal(pipe2(to, O_CLOEXEC), 0);
    posix_spawnattr_init(&attributes);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSID);
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, to[0], 0);
    if (ret_from) {
        assert_int_equal(pipe2(from, O_CLOEXEC), 0);
        posix_spawn_file_actions_adddup2(&actions, from[1], 1);
    }
    assert_int_equal(
        posix_spawn(&pid, argv[0], &actions, &attributes, (char *const *)argv, environ),
        0);
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attributes);
    close(to[0]);
    if (ret_from) {
        close(from[1]);
        *ret_from = fdopen(from[0], "r");
        assert_non_null(*ret_from);
    }
    *ret_to = to[1];
    return pid;
}

static pid_t keeper_pid;
static int keeper_fd = -1;

/* It ends all that it keeps. */
static inline void end_keeper(void)
{
    close(keeper_fd);
    while (waitpid(keeper_pid, NULL, 0) < 0 && errno == EINTR)
        ;
}

/* A word before (NULL: none) the words, which end with NULL: one request to the keeper.
 * The two numbers of its answer. */
static inline void ask_keeper(const char *verb, const char *first,
                              const char *const *words, int *ret_a, int *ret_b)
{
    static FILE *from;
    char line[64];
    size_t n = first ? 2 : 1;
    if (!from) {
        keeper_pid = spawn_companion(
            (const char *[]){PYTHON, FAKE_DIR "/keeper.py", NULL}, &keeper_fd, &from);
        atexit(end_keeper);
    }
    for (size_t i = 0; words && words[i]; i++)
        n++;
    dprintf(keeper_fd, "%zu\n", n);
    assert_true(write(keeper_fd, verb, strlen(verb) + 1) > 0);
    if (first)
        assert_true(write(keeper_fd, first, strlen(first) + 1) > 0);
    for (size_t i = 0; words && words[i]; i++)
        assert_true(write(keeper_fd, words[i], strlen(words[i]) + 1) > 0);
    if (!fgets(line, sizeof line, from) || sscanf(line, "%d %d", ret_a, ret_b) != 2)
        fail_msg("the keeper of the fakes is gone: %s %s", verb, first ? first : "");
}

/* program: of tests/fake, or -c and a text of Python. */
static inline void run_fake(const char *program, const char *const *words)
{
    int status, unused;
    ask_keeper("run", program, words, &status, &unused);
    if (status != 0)
        fail_msg("%s ends with %d", program, status);
}

/* One that tells its port: at *pid, instead of the one that was there. */
static inline void stop_fake(pid_t *pid)
{
    char text[16];
    int unused;
    if (*pid <= 0)
        return;
    snprintf(text, sizeof text, "%d", *pid);
    *pid = 0;
    ask_keeper("stop", text, NULL, &unused, &unused);
}

static inline int start_fake(pid_t *pid, const char *program, const char *const *words)
{
    int port;
    stop_fake(pid);
    ask_keeper("start", program, words, pid, &port);
    if (port <= 0)
        fail_msg("%s did not start", program);
    return port;
}

/* Any program, its output in the file. */
static inline void start_program(pid_t *pid, const char *output, const char *const *words)
{
    int unused;
    stop_fake(pid);
    ask_keeper("exec", output, words, pid, &unused);
}

/* When the returned descriptor is closed, which a death does too, the directory goes. */
static inline int guard_directory(const char *dir)
{
    static const char script[] = "read -r unused; "
                                 "for i in 1 2 3 4 5; do rm -rf -- \"$1\" && break; "
                                 "sleep 0.2; done 2>/dev/null";
    int to;
    spawn_companion((const char *[]){"/bin/sh", "-c", script, "sh", dir, NULL}, &to,
                    NULL);
    return to;
}

#endif
