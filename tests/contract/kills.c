/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kill -9 of what dray runs over there (HAZARDS H5): the monitor in each state, the
 * runtime at many moments, the helper in the middle of a stream. The next call finds the
 * truth, and the machine looks as before when the container is removed.
 */
#include "contract.h"

#include <pthread.h>
#include <signal.h>

/* After its monitor was killed: it is dead, its code unknown, its name usable. */
static void expect_lost(const char *container, int64_t pid)
{
    EVENTUALLY(is_phase(container, DRAY_EXITED)); /* the next call cleans up */
    struct dray_state state = state_of(container);
    EVENTUALLY(!process_alive(pid));
    assert_false(state.exit_known);
    assert_int_equal(state.pid, 0);
    assert_int_equal(waited(container), -1);
    OK(dray_container_start(target, container, NULL, ERR));
    assert_int_equal(state_of(container).phase, DRAY_RUNNING);
    OK(dray_container_remove(target, container, true, true, NULL, ERR));
}

static void the_monitor_killed_while_it_runs(void **s)
{
    sleeper("lost");
    int64_t pid = pid_of("lost");
    kill((pid_t)monitor_of("lost"), SIGKILL);
    expect_lost("lost", pid);
}

static void the_monitor_killed_while_it_is_paused(void **s)
{
    sleeper("lost");
    int64_t pid = pid_of("lost");
    OK(dray_container_pause(target, "lost", NULL, ERR));
    kill((pid_t)monitor_of("lost"), SIGKILL);
    expect_lost("lost", pid);
}

static void *stop_main(void *arg)
{
    return (void *)(intptr_t)dray_container_stop(target, arg, 20, NULL, NULL);
}

static void the_monitor_killed_while_it_is_being_stopped(void **s)
{
    started(spec_sh("lost", "trap 'echo heard' TERM; echo ready; while :; do sleep 0.05; "
                            "done"));
    wait_logged("lost", "ready");
    int64_t pid = pid_of("lost"), monitor = monitor_of("lost"), began = now_ms();
    pthread_t thread;
    pthread_create(&thread, NULL, stop_main, (void *)"lost");
    wait_logged("lost", "heard");
    kill((pid_t)monitor, SIGKILL);
    pthread_join(thread, NULL);
    assert_true(now_ms() - began < 15000); /* it need not wait its timeout out */
    expect_lost("lost", pid);
}

static void the_monitor_killed_while_it_waits_to_restart(void **s)
{
    struct dray_spec *spec = spec_sh("lost", "exit 1");
    set(spec, "restart", "always");
    started(spec);
    EVENTUALLY(state_of("lost").restart_count >= 3); /* its pauses have grown */
    int64_t monitor = 0;
    EVENTUALLY(
        (monitor = atoll(shell(&(int){0}, "pgrep -f 'dray-guest monitor [l]ost'"))) > 0);
    kill((pid_t)monitor, SIGKILL);
    EVENTUALLY(!process_alive(monitor));
    /* the policy says that it should run: the next command may start it again, and it
     * can be stopped and removed */
    struct dray_state state = state_of("lost");
    assert_true(state.phase == DRAY_EXITED || state.phase == DRAY_RUNNING ||
                state.phase == DRAY_RESTARTING);
    OK(dray_container_stop(target, "lost", 0, NULL, ERR));
    assert_int_equal(state_of("lost").phase, DRAY_EXITED);
    OK(dray_container_remove(target, "lost", false, true, NULL, ERR));
}

struct starting {
    struct dray_target *handle;
    int result;
    struct dray_error *err;
};

static void *start_main(void *arg)
{
    struct starting *starting = arg;
    starting->result =
        dray_container_start(starting->handle, "lost", NULL, &starting->err);
    return NULL;
}

static void the_monitor_killed_while_it_is_being_started(void **s)
{
    struct dray_open_options options = same_target();
    char *place = scratch();
    options.runtime =
        fake_runtime(text("echo $PPID >'%s/monitor'; exec sleep 996", place));
    struct starting starting = {opened(&options)};
    pthread_t thread;
    created(spec_for("lost", "sleep", "1000", NULL));
    pthread_create(&thread, NULL, start_main, &starting);
    EVENTUALLY(*slurp(text("%s/monitor", place)));
    kill((pid_t)atoll(slurp(text("%s/monitor", place))), SIGKILL);
    pthread_join(thread, NULL);
    assert_int_equal(starting.result, -1);
    assert_int_equal(starting.err->kind, DRAY_ERR_START);
    HAS(starting.err->text, "monitor");
    dray_error_free(starting.err);
    int status = 0;
    EVENTUALLY((shell(&status, "pgrep -xf 'sleep 996'"), status != 0));
    assert_int_equal(state_of("lost").phase, DRAY_INITIALIZING);
    OK(dray_container_start(target, "lost", NULL, ERR));
    OK(dray_container_remove(target, "lost", true, true, NULL, ERR));
}

static void the_monitor_of_an_attached_run_killed_is_an_error_never_a_code(void **s)
{
    struct dray_spec *spec = spec_sh("lost", "echo ready; exec sleep 1000");
    struct dray_stream *stream;
    struct dray_event event;
    OK(dray_container_run(target, spec, NULL, NULL, &stream, ERR));
    keep_stream(stream);
    do
        assert_int_equal(dray_stream_next(stream, NULL, &event, ERR), 1);
    while (event.type != DRAY_EVENT_OUTPUT);
    int64_t pid = pid_of("lost");
    kill((pid_t)monitor_of("lost"), SIGKILL);
    int more;
    while ((more = dray_stream_next(stream, NULL, &event, ERR)) > 0)
        if (event.type == DRAY_EVENT_EXIT)
            assert_false(event.exit_known);
    expect_lost("lost", pid);
}

/* The real runtime, killed after so many milliseconds; whatever it had forked is gone
 * too, and the start either worked or failed with a reason. */
static void the_runtime_killed_in_the_middle_of_a_start(void **s)
{
    char *before = baseline();
    int failed = 0;
    for (int ms = 0; ms < 40; ms += 3) {
        struct dray_open_options options = same_target();
        /* named as the real one: its traits are told by the name */
        char *place = scratch(),
             *script = text("%s/%s", place, strrchr(runtime_path, '/') + 1);
        spill(
            script,
            text("#!/bin/sh\n'%s' \"$@\" &\npid=$!\n/bin/busybox usleep %d\nkill -9 $pid "
                 "2>/dev/null\nwait $pid\n",
                 runtime_path, ms * 1000 + 500),
            0755);
        options.runtime = script;
        struct dray_target *other;
        OK(dray_open(&options, &other, ERR));
        char *id = created(spec_for("middle", "sleep", "1000", NULL));
        if (dray_container_start(other, id, NULL, ERR) < 0) {
            failed++;
            assert_int_equal(last_error->kind, DRAY_ERR_START);
            assert_int_equal(state_of(id).phase, DRAY_INITIALIZING);
        } else {
            assert_int_equal(state_of(id).phase, DRAY_RUNNING);
        }
        dray_close(other);
        OK(dray_container_remove(target, id, true, true, NULL, ERR));
        SAME(names(), "");
    }
    assert_true(failed > 0);
    expect_baseline(before);
}

static void the_helper_killed_in_the_middle_of_an_exec_harms_nobody_else(void **s)
{
    static const char *const argv[] = {"sh", "-c", "echo ready; exec sleep 995", NULL};
    struct dray_exec_options exec = {.size = sizeof exec, .argv = argv};
    struct dray_open_options options = same_target();
    struct dray_target *other = opened(&options);
    struct dray_stream *stream;
    struct dray_event event;
    char *json;
    sleeper("host");
    OK(dray_hello(other, &json, ERR));
    pid_t helper = (pid_t)int_at(parsed(json), "pid");
    OK(dray_exec(other, "host", &exec, NULL, &stream, ERR));
    do
        assert_int_equal(dray_stream_next(stream, NULL, &event, ERR), 1);
    while (event.type != DRAY_EVENT_OUTPUT);
    kill(helper, SIGKILL);
    FAILS(DRAY_ERR_UNAVAILABLE, dray_stream_next(stream, NULL, &event, ERR));
    dray_stream_free(stream);
    assert_int_equal(state_of("host").phase, DRAY_RUNNING);
    assert_int_equal(executed("host", "exit 4").exit_code, 4);
    /* nobody is left who could end the process; it ends with its container */
    OK(dray_container_stop(target, "host", 0, NULL, ERR));
    int status = 0;
    shell(&status, "pgrep -xf 'sleep 995'");
    assert_int_not_equal(status, 0);
}

static void the_container_s_init_killed_from_outside_is_an_ordinary_end(void **s)
{
    sleeper("shot");
    kill((pid_t)pid_of("shot"), SIGKILL);
    assert_int_equal(waited("shot"), 137);
    assert_int_equal(state_of("shot").phase, DRAY_EXITED);
}

static void torn_and_missing_files_of_the_run_directory_stop_nobody(void **s)
{
    static const char *const damage[] = {
        "find '%s/%s' -type f -exec truncate -s 0 {} +",
        "rm -rf '%s/%s'/*",
        "rm -f '%s/%s'/sock*",
    };
    for (size_t i = 0; i < sizeof damage / sizeof damage[0]; i++) {
        char *id = sleeper("torn");
        int64_t pid = pid_of("torn");
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
        shell(NULL, damage[i], run_root, id);
#pragma GCC diagnostic pop
        sleeper("whole");
        OK(dray_container_remove(target, "torn", true, true, NULL, ERR));
        EVENTUALLY(!process_alive(pid));
        assert_int_equal(state_of("whole").phase, DRAY_RUNNING);
        OK(dray_container_remove(target, "whole", true, true, NULL, ERR));
        SAME(names(), "");
    }
}

TESTS(kill_tests, TEST(the_monitor_killed_while_it_runs),
      TEST(the_monitor_killed_while_it_is_paused),
      TEST(the_monitor_killed_while_it_is_being_stopped),
      TEST(the_monitor_killed_while_it_waits_to_restart),
      TEST(the_monitor_killed_while_it_is_being_started),
      TEST(the_monitor_of_an_attached_run_killed_is_an_error_never_a_code),
      TEST(the_runtime_killed_in_the_middle_of_a_start),
      TEST(the_helper_killed_in_the_middle_of_an_exec_harms_nobody_else),
      TEST(the_container_s_init_killed_from_outside_is_an_ordinary_end),
      TEST(torn_and_missing_files_of_the_run_directory_stop_nobody));
