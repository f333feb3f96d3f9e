/* SPDX-License-Identifier: Apache-2.0 */
/* Containers that do too much: output that nobody reads, forks without end. What dray
 * itself uses stays bounded. */
#include "contract.h"

#include <pthread.h>
#include <signal.h>

enum { GROWTH_MAX_KB = 4096 };

static void output_that_nobody_reads_grows_neither_monitor_nor_helper(void **s)
{
    SKIP_SANITIZED("memory is another matter there");
    struct dray_open_options own = same_target();
    struct dray_target *other = opened(&own);
    struct dray_stream *stream;
    struct dray_event event;
    char *json;
    OK(dray_hello(other, &json, ERR));
    int64_t helper = int_at(parsed(json), "pid");
    struct dray_spec *spec =
        spec_sh("flood", "yes 0123456789012345678901234567890123456789");
    add(spec, "log_opt", "max-size=1m");
    add(spec, "log_opt", "max-file=2");
    OK(dray_container_run(other, spec, NULL, NULL, &stream, ERR));
    do
        assert_int_equal(dray_stream_next(stream, NULL, &event, ERR), 1);
    while (event.type != DRAY_EVENT_STARTED);
    int64_t monitor = monitor_of("flood");
    sleep_ms(300);
    int64_t monitor_kb = process_number(monitor, "VmRSS"),
            helper_kb = process_number(helper, "VmRSS");
    sleep_ms(1500);
    assert_true(process_number(monitor, "VmRSS") - monitor_kb < GROWTH_MAX_KB);
    assert_true(process_number(helper, "VmRSS") - helper_kb < GROWTH_MAX_KB);
    /* it can still be asked, entered, stopped */
    assert_int_equal(executed("flood", "exit 3").exit_code, 3);
    OK(dray_container_stop(target, "flood", 0, NULL, ERR));
    struct result result = drained(stream);
    assert_int_equal(result.exits, 1);
    assert_int_equal(result.code, 137);
}

static void a_detached_flood_is_logged_within_its_bounds(void **s)
{
    SKIP_SANITIZED("memory is another matter there");
    struct dray_spec *spec =
        spec_sh("flood", "yes 0123456789012345678901234567890123456789");
    add(spec, "log_opt", "max-size=1m");
    add(spec, "log_opt", "max-file=2");
    started(spec);
    int64_t monitor = monitor_of("flood");
    sleep_ms(1000);
    int64_t bytes = 0;
    EVENTUALLY((bytes = atoll(shell(NULL, "cat '%s'/logs/flood.log* | wc -c", root))) >
               500000);
    assert_true(bytes < 4000000);
    assert_true(process_number(monitor, "VmHWM") < 8192);
    OK(dray_container_stop(target, "flood", 0, NULL, ERR));
}

static void a_follower_that_stops_reading_holds_nobody_up(void **s)
{
    struct dray_logs_options options = DRAY_LOGS_INIT;
    struct dray_stream *stuck;
    struct dray_event event;
    options.follow = true;
    started(spec_sh("busy", "i=0; while [ $i -lt 60000 ]; do echo "
                            "line-$i-01234567890123456789012345678901234567890123456789; "
                            "i=$((i+1)); done; echo all; exit 5"));
    OK(dray_container_logs(target, "busy", &options, NULL, &stuck, ERR));
    assert_int_equal(dray_stream_next(stuck, NULL, &event, ERR), 1);
    /* the container ends although the follower has read one line */
    assert_int_equal(waited("busy"), 5);
    HAS(logged("busy"), "line-59999-");
    dray_stream_free(stuck);
}

static void
one_that_forks_without_end_is_held_by_its_pids_limit_and_can_be_killed(void **s)
{
    struct dray_spec *spec =
        /* a shell that cannot fork ends, the first one must not; what it has forked stays
         */
        spec_sh("bomb", "echo ready; while :; do sh -c 'while :; do sleep 1000 & done'; "
                        "done 2>/dev/null");
    struct dray_stats stats;
    set(spec, "pids_limit", "40");
    char *id = started(spec);
    wait_logged("bomb", "ready");
    EVENTUALLY(dray_container_stats(target, "bomb", NULL, &stats, ERR) == 0 &&
               stats.pids >= 20);
    for (int i = 0; i < 10; i++) {
        OK(dray_container_stats(target, "bomb", NULL, &stats, ERR));
        assert_true(stats.pids <= 40);
        sleep_ms(10);
    }
    OK(dray_container_remove(target, "bomb", true, true, NULL, ERR));
    SAME(shell(NULL, "find /sys/fs/cgroup -path '*dray/%s*' | head -n 1", id), "");
}

static void hundreds_of_execs_leave_nothing_behind(void **s)
{
    sleeper("host");
    int64_t monitor = monitor_of("host");
    for (int i = 0; i < 10; i++)
        executed("host", "exit 0");
    char *before = baseline();
    int monitor_fds = descriptors(monitor);
    for (int i = 0; i < 60; i++)
        assert_int_equal(executed("host", text("exit %d", i)).exit_code, i);
    expect_baseline(before);
    EVENTUALLY(descriptors(monitor) <= monitor_fds);
}

static void a_flooding_exec_whose_reader_goes_away_is_ended(void **s)
{
    static const char *const argv[] = {"yes", NULL};
    struct dray_exec_options exec = {.size = sizeof exec, .argv = argv};
    struct dray_stream *stream;
    struct dray_event event;
    struct dray_stats stats;
    sleeper("host");
    for (int i = 0; i < 5; i++) {
        OK(dray_exec(target, "host", &exec, NULL, &stream, ERR));
        do
            assert_int_equal(dray_stream_next(stream, NULL, &event, ERR), 1);
        while (event.type != DRAY_EVENT_OUTPUT);
        dray_stream_free(stream);
    }
    EVENTUALLY(dray_container_stats(target, "host", NULL, &stats, ERR) == 0 &&
               stats.pids == 1);
}

TESTS(flood_tests, ANY_RUNTIME(output_that_nobody_reads_grows_neither_monitor_nor_helper),
      ANY_RUNTIME(a_detached_flood_is_logged_within_its_bounds),
      ANY_RUNTIME(a_follower_that_stops_reading_holds_nobody_up),
      TEST(one_that_forks_without_end_is_held_by_its_pids_limit_and_can_be_killed),
      TEST(hundreds_of_execs_leave_nothing_behind),
      ANY_RUNTIME(a_flooding_exec_whose_reader_goes_away_is_ended));
