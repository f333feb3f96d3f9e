/* SPDX-License-Identifier: Apache-2.0 */
/* Bad input: operations in the wrong state, unknown ids for every call, ambiguous ones.
 */
#include "contract.h"

/* --- the wrong state --- */

static void starting_a_running_one_succeeds_and_changes_nothing(void **s)
{
    sleeper("runs");
    struct dray_state before = state_of("runs");
    OK(dray_container_start(target, "runs", NULL, ERR));
    struct dray_state after = state_of("runs");
    assert_int_equal(after.pid, before.pid);
    assert_int_equal(after.started_ns, before.started_ns);
}

static void pausing_twice_is_a_conflict_and_it_stays_paused(void **s)
{
    sleeper("frozen");
    OK(dray_container_pause(target, "frozen", NULL, ERR));
    FAILS(DRAY_ERR_CONFLICT, dray_container_pause(target, "frozen", NULL, ERR), "frozen",
          "paused");
    assert_int_equal(state_of("frozen").phase, DRAY_PAUSED);
    OK(dray_container_unpause(target, "frozen", NULL, ERR));
}

static void unpausing_a_running_one_is_a_conflict(void **s)
{
    sleeper("runs");
    FAILS(DRAY_ERR_CONFLICT, dray_container_unpause(target, "runs", NULL, ERR), "runs");
    assert_int_equal(state_of("runs").phase, DRAY_RUNNING);
}

/* Everything that needs a running container, on one that was never started and on one
 * that has ended. */
static void what_needs_a_running_one_is_a_conflict_otherwise(void **s)
{
    static const char *const argv[] = {"true", NULL};
    struct dray_exec_options exec = {.size = sizeof exec, .argv = argv};
    struct dray_exec_result result;
    struct dray_stream *stream;
    char *json;
    created(spec_for("made", "true", NULL));
    ran(spec_sh("over", "exit 3"));
    static const char *const containers[] = {"made", "over"};
    for (int i = 0; i < 2; i++) {
        const char *c = containers[i];
        FAILS(DRAY_ERR_CONFLICT, dray_container_pause(target, c, NULL, ERR), c);
        FAILS(DRAY_ERR_CONFLICT, dray_container_unpause(target, c, NULL, ERR), c);
        FAILS(DRAY_ERR_CONFLICT, dray_container_kill(target, c, "TERM", NULL, ERR), c);
        FAILS(DRAY_ERR_CONFLICT, dray_exec_run(target, c, &exec, 0, NULL, &result, ERR),
              c);
        FAILS(DRAY_ERR_CONFLICT, dray_exec_detached(target, c, &exec, NULL, ERR), c);
        FAILS(DRAY_ERR_CONFLICT,
              dray_container_attach(target, c, NULL, NULL, &stream, ERR), c);
        FAILS(DRAY_ERR_CONFLICT, dray_container_top(target, c, NULL, NULL, &json, ERR),
              c);
        OK(dray_container_stop(target, c, 0, NULL, ERR));
    }
    assert_int_equal(state_of("made").phase, DRAY_INITIALIZING);
    assert_int_equal(state_of("over").exit_code, 3);
}

static void a_paused_one_can_be_stopped_killed_and_removed(void **s)
{
    int64_t pid;
    listener("stop-me", 3);
    pid = pid_of("stop-me");
    OK(dray_container_pause(target, "stop-me", NULL, ERR));
    OK(dray_container_stop(target, "stop-me", 2, NULL, ERR));
    assert_false(process_alive(pid));
    assert_int_equal(state_of("stop-me").phase, DRAY_EXITED);

    sleeper("kill-me");
    pid = pid_of("kill-me");
    OK(dray_container_pause(target, "kill-me", NULL, ERR));
    OK(dray_container_kill(target, "kill-me", "KILL", NULL, ERR));
    assert_int_equal(waited("kill-me"), 137);
    assert_false(process_alive(pid));

    sleeper("remove-me");
    pid = pid_of("remove-me");
    OK(dray_container_pause(target, "remove-me", NULL, ERR));
    FAILS(DRAY_ERR_CONFLICT,
          dray_container_remove(target, "remove-me", false, false, NULL, ERR));
    OK(dray_container_remove(target, "remove-me", true, false, NULL, ERR));
    assert_false(process_alive(pid));
}

static void an_exec_in_a_paused_one_is_a_conflict_and_does_not_hang(void **s)
{
    static const char *const argv[] = {"true", NULL};
    struct dray_exec_options exec = {.size = sizeof exec, .argv = argv};
    struct dray_exec_result result;
    struct dray_call brief = {.timeout_ms = 10000};
    sleeper("frozen");
    OK(dray_container_pause(target, "frozen", NULL, ERR));
    FAILS(DRAY_ERR_CONFLICT,
          dray_exec_run(target, "frozen", &exec, 0, &brief, &result, ERR), "paused");
    OK(dray_container_unpause(target, "frozen", NULL, ERR));
    assert_int_equal(executed("frozen", "exit 5").exit_code, 5);
}

static void renaming_to_a_taken_name_is_exists_and_both_keep_theirs(void **s)
{
    char *one = created(spec_for("one", "true", NULL));
    char *two = created(spec_for("two", "true", NULL));
    FAILS(DRAY_ERR_EXISTS, dray_container_rename(target, "one", "two", NULL, ERR), "two");
    SAME(str_at(inspected("one"), "Id"), one);
    SAME(str_at(inspected("two"), "Id"), two);
    FAILS(DRAY_ERR_INVALID, dray_container_rename(target, "one", "a b", NULL, ERR),
          "a b");
    OK(dray_container_rename(target, "one", "three", NULL, ERR));
    SAME(str_at(inspected("three"), "Id"), one);
    FAILS(DRAY_ERR_NOT_FOUND, dray_container_rename(target, "one", "four", NULL, ERR));
    SAME(names(), "three two");
    /* the old name is free */
    created(spec_for("one", "true", NULL));
}

static void a_running_one_is_renamed_and_goes_on(void **s)
{
    listener("before", 0);
    OK(dray_container_rename(target, "before", "after", NULL, ERR));
    assert_int_equal(state_of("after").phase, DRAY_RUNNING);
    OK(dray_container_stop(target, "after", 5, NULL, ERR));
    HAS(logged("after"), "got TERM");
}

static void updating_limits_of_a_running_one_takes_effect(void **s)
{
    static const char *const fields[] = {"memory", "96m", "pids_limit", "44", NULL};
    static const char *const bad[] = {"hostname", "x", NULL};
    struct dray_stats stats;
    struct dray_spec *spec = spec_for("updated", "sleep", "1000", NULL);
    set(spec, "memory", "64m");
    started(spec);
    OK(dray_container_update(target, "updated", fields, NULL, ERR));
    OK(dray_container_stats(target, "updated", NULL, &stats, ERR));
    assert_int_equal(stats.memory_limit_bytes, 96 << 20);
    assert_int_equal(stats.pids_limit, 44);
    assert_int_equal(int_at(inspected("updated"), "HostConfig.Memory"), 96 << 20);
    FAILS(DRAY_ERR_INVALID, dray_container_update(target, "updated", bad, NULL, ERR),
          "hostname");
    /* and stays when it starts again */
    OK(dray_container_restart(target, "updated", 0, NULL, ERR));
    OK(dray_container_stats(target, "updated", NULL, &stats, ERR));
    assert_int_equal(stats.memory_limit_bytes, 96 << 20);
}

/* --- unknown --- */

static void every_call_with_an_unknown_container_is_not_found_and_names_it(void **s)
{
    static const char *const unknown[] = {"no-such-one", "0123456789ab",
                                          "../../etc/passwd", "with space"};
    static const char *const argv[] = {"true", NULL}, *const fields[] = {"memory", "64m",
                                                                         NULL};
    struct dray_exec_options exec = {.size = sizeof exec, .argv = argv};
    struct dray_logs_options logs = DRAY_LOGS_INIT;
    struct dray_commit_options commit = {.size = sizeof commit};
    struct dray_exec_result result;
    struct dray_stream *stream;
    struct dray_state state;
    struct dray_stats stats;
    struct dray_path_stat stat;
    bool known;
    int code;
    int64_t pid;
    char *out;
    for (size_t i = 0; i < sizeof unknown / sizeof unknown[0]; i++) {
        const char *c = unknown[i];
#define UNKNOWN(call) FAILS(DRAY_ERR_NOT_FOUND, (call), c)
/* a stream that opens tells it with its first event */
#define UNKNOWN_STREAM(call)                                                             \
    UNKNOWN((call) < 0 ? -1                                                              \
                       : dray_stream_next(keep_stream(stream), NULL,                     \
                                          &(struct dray_event){0}, ERR))
        UNKNOWN(dray_container_start(target, c, NULL, ERR));
        UNKNOWN(dray_container_stop(target, c, 0, NULL, ERR));
        UNKNOWN(dray_container_restart(target, c, 0, NULL, ERR));
        UNKNOWN(dray_container_kill(target, c, "TERM", NULL, ERR));
        UNKNOWN(dray_container_pause(target, c, NULL, ERR));
        UNKNOWN(dray_container_unpause(target, c, NULL, ERR));
        UNKNOWN(dray_container_rename(target, c, "new", NULL, ERR));
        UNKNOWN(dray_container_update(target, c, fields, NULL, ERR));
        UNKNOWN(dray_container_state(target, c, NULL, &state, ERR));
        UNKNOWN(dray_container_wait(target, c, NULL, &known, &code, ERR));
        UNKNOWN(dray_container_pid(target, c, NULL, &pid, ERR));
        UNKNOWN(dray_container_ip(target, c, NULL, &out, ERR));
        UNKNOWN(dray_container_inspect(target, c, NULL, &out, ERR));
        UNKNOWN(dray_container_top(target, c, NULL, NULL, &out, ERR));
        UNKNOWN(dray_container_stats(target, c, NULL, &stats, ERR));
        UNKNOWN(dray_exec_run(target, c, &exec, 0, NULL, &result, ERR));
        UNKNOWN(dray_exec_detached(target, c, &exec, NULL, ERR));
        UNKNOWN(dray_container_stat_path(target, c, "/", false, NULL, &stat, ERR));
        UNKNOWN(dray_container_commit(target, c, &commit, NULL, &out, ERR));
        UNKNOWN_STREAM(dray_exec(target, c, &exec, NULL, &stream, ERR));
        UNKNOWN_STREAM(dray_container_attach(target, c, NULL, NULL, &stream, ERR));
        UNKNOWN_STREAM(
            dray_container_start_attached(target, c, NULL, NULL, &stream, ERR));
        UNKNOWN_STREAM(dray_container_logs(target, c, &logs, NULL, &stream, ERR));
        UNKNOWN_STREAM(
            dray_container_logs_raw(target, c, &logs, false, NULL, &stream, ERR));
        UNKNOWN_STREAM(
            dray_container_copy_out(target, c, "/", false, NULL, &stream, ERR));
        UNKNOWN_STREAM(dray_container_export(target, c, NULL, &stream, ERR));
        UNKNOWN_STREAM(dray_container_diff(target, c, NULL, &stream, ERR));
        OK(dray_container_remove(target, c, false, false, NULL, ERR)); /* C19 */
    }
}

static void an_empty_name_is_refused_by_every_call(void **s)
{
    struct dray_state state;
    char *json;
    FAILS(DRAY_ERR_INVALID, dray_container_state(target, "", NULL, &state, ERR));
    FAILS(DRAY_ERR_INVALID, dray_container_start(target, "", NULL, ERR));
    FAILS(DRAY_ERR_INVALID, dray_container_inspect(target, "", NULL, &json, ERR));
    created(spec_for("only-one", "true", NULL));
    FAILS(DRAY_ERR_INVALID, dray_container_remove(target, "", true, false, NULL, ERR));
    SAME(names(), "only-one");
}

static void unknown_images_and_volumes_are_not_found(void **s)
{
    char *json;
    FAILS(DRAY_ERR_NOT_FOUND, dray_image_inspect(target, "nope", NULL, &json, ERR),
          "nope");
    FAILS(DRAY_ERR_NOT_FOUND, dray_image_history(target, "nope", NULL, &json, ERR),
          "nope");
    FAILS(DRAY_ERR_NOT_FOUND, dray_image_remove(target, "nope", false, NULL, NULL, ERR),
          "nope");
    FAILS(DRAY_ERR_NOT_FOUND, dray_image_tag(target, "nope", "x:1", NULL, ERR), "nope");
    FAILS(DRAY_ERR_NOT_FOUND, dray_volume_inspect(target, "nope", NULL, &json, ERR),
          "nope");
    FAILS(DRAY_ERR_NOT_FOUND, dray_volume_remove(target, "nope", false, NULL, ERR),
          "nope");
    OK(dray_volume_remove(target, "nope", true, NULL, ERR));
}

static void a_volume_in_use_is_not_removed(void **s)
{
    OK(dray_volume_create(target, "held", NULL, NULL, NULL, ERR));
    struct dray_spec *spec = spec_for("holder", "true", NULL);
    add(spec, "volume", "held:/data");
    created(spec);
    FAILS(DRAY_ERR_CONFLICT, dray_volume_remove(target, "held", false, NULL, ERR),
          "held");
    OK(dray_container_remove(target, "holder", false, true, NULL, ERR));
    OK(dray_volume_remove(target, "held", false, NULL, ERR));
}

/* --- ids --- */

static void a_prefix_names_one_and_an_ambiguous_one_is_refused(void **s)
{
    char *ids[17];
    struct dray_state state;
    for (int i = 0; i < 17; i++) /* of seventeen, two begin with the same digit */
        ids[i] = created(spec_for(NULL, "true", NULL));
    for (int i = 0; i < 17; i++)
        SAME(str_at(inspected(text("%.16s", ids[i])), "Id"), ids[i]);
    for (int i = 0; i < 17; i++)
        for (int j = 0; j < i; j++)
            if (ids[i][0] == ids[j][0]) {
                char digit[2] = {ids[i][0]};
                FAILS(DRAY_ERR_INVALID,
                      dray_container_state(target, digit, NULL, &state, ERR), digit);
                FAILS(DRAY_ERR_INVALID,
                      dray_container_remove(target, digit, true, false, NULL, ERR),
                      digit);
                return;
            }
    fail_msg("seventeen ids with sixteen first digits");
}

static void a_name_wins_over_a_prefix_of_another_one_s_id(void **s)
{
    char *other = created(spec_for("other", "true", NULL));
    char *prefix = text("%.6s", other);
    char *id = created(spec_for(prefix, "true", NULL));
    SAME(str_at(inspected(prefix), "Id"), id);
    SAME(str_at(inspected(text("%.7s", other)), "Id"), other);
}

/* --- what a container does to itself --- */

static void one_whose_init_ends_before_the_attach_still_gives_output_and_code(void **s)
{
    for (int i = 0; i < 30; i++) {
        struct result result = ran_sh("echo quick; exit 7");
        assert_int_equal(result.code, 7);
        SAME(result.out, "quick\n");
        assert_int_equal(result.exits, 1);
    }
    struct dray_spec *spec = spec_for(NULL, "true", NULL);
    set(spec, "rm", "true");
    struct result result = ran(spec);
    assert_true(result.known);
    assert_int_equal(result.code, 0);
}

static void one_that_closes_its_stdio_runs_on_and_its_end_is_heard(void **s)
{
    struct dray_spec *spec = spec_sh("closes", "echo before; exec <&- >&- 2>&-; usleep "
                                               "200000; exit 9");
    struct result result = ran(spec);
    SAME(result.out, "before\n");
    assert_int_equal(result.exits, 1);
    assert_int_equal(result.code, 9);
    SAME(logged("closes"), "before\n");
    assert_int_equal(state_of("closes").exit_code, 9);
}

static void a_grandchild_that_keeps_stdout_does_not_hold_the_end_back(void **s)
{
    struct dray_spec *spec = spec_sh("leaves", "sleep 1000 & echo said; exit 4");
    struct result result = ran(spec);
    SAME(result.out, "said\n");
    assert_int_equal(result.code, 4);
    assert_int_equal(waited("leaves"), 4);
}

static void an_exec_that_outlives_the_container_ends_with_it(void **s)
{
    static const char *const argv[] = {"sleep", "1000", NULL};
    struct dray_exec_options exec = {.size = sizeof exec, .argv = argv};
    struct dray_stream *stream;
    struct dray_event event;
    listener("short", 0);
    OK(dray_exec(target, "short", &exec, NULL, &stream, ERR));
    assert_int_equal(dray_stream_next(stream, NULL, &event, ERR), 1);
    OK(dray_container_stop(target, "short", 0, NULL, ERR));
    struct result result = drained(stream);
    assert_int_equal(result.exits, 1);
    assert_int_equal(result.code, 137);
}

TESTS(state_tests, TEST(starting_a_running_one_succeeds_and_changes_nothing),
      TEST(pausing_twice_is_a_conflict_and_it_stays_paused),
      TEST(unpausing_a_running_one_is_a_conflict),
      TEST(what_needs_a_running_one_is_a_conflict_otherwise),
      TEST(a_paused_one_can_be_stopped_killed_and_removed),
      TEST(an_exec_in_a_paused_one_is_a_conflict_and_does_not_hang),
      ANY_RUNTIME(renaming_to_a_taken_name_is_exists_and_both_keep_theirs),
      TEST(a_running_one_is_renamed_and_goes_on),
      TEST(updating_limits_of_a_running_one_takes_effect),
      ANY_RUNTIME(every_call_with_an_unknown_container_is_not_found_and_names_it),
      ANY_RUNTIME(an_empty_name_is_refused_by_every_call),
      ANY_RUNTIME(unknown_images_and_volumes_are_not_found),
      ANY_RUNTIME(a_volume_in_use_is_not_removed),
      ANY_RUNTIME(a_prefix_names_one_and_an_ambiguous_one_is_refused),
      ANY_RUNTIME(a_name_wins_over_a_prefix_of_another_one_s_id),
      TEST(one_whose_init_ends_before_the_attach_still_gives_output_and_code),
      TEST(one_that_closes_its_stdio_runs_on_and_its_end_is_heard),
      TEST(a_grandchild_that_keeps_stdout_does_not_hold_the_end_back),
      TEST(an_exec_that_outlives_the_container_ends_with_it));
