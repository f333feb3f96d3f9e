/* SPDX-License-Identifier: Apache-2.0 */
/* C27 and C28: what is measured of a container and what is told about it. */
#include "contract.h"

/* --- C27 --- */

static void C27_a_sample_has_cpu_memory_limit_pids_and_the_time(void **s)
{
    struct dray_spec *spec = spec_sh("busy", "i=0; while :; do i=$((i+1)); done");
    set(spec, "memory", "64m");
    set(spec, "pids_limit", "50");
    int64_t began = now_ns();
    started(spec);
    struct dray_stats first, second;
    EVENTUALLY(dray_container_stats(target, "busy", NULL, &first, ERR) == 0 &&
               first.cpu_us > 10000);
    assert_true(first.time_ns >= began && first.time_ns <= now_ns());
    assert_true(first.memory_bytes > 0 && first.memory_bytes < 64 << 20);
    assert_int_equal(first.memory_limit_bytes, 64 << 20);
    assert_true(first.pids >= 1);
    assert_int_equal(first.pids_limit, 50);
    assert_true(first.cpus >= 1);
    assert_true(first.system_cpu_us > 0);
    EVENTUALLY(dray_container_stats(target, "busy", NULL, &second, ERR) == 0 &&
               second.cpu_us > first.cpu_us + 10000);
    assert_true(second.time_ns > first.time_ns);
}

static void C27_without_a_limit_it_is_the_maximum(void **s)
{
    struct dray_stats stats;
    sleeper("free");
    OK(dray_container_stats(target, "free", NULL, &stats, ERR));
    assert_true(stats.memory_limit_bytes == INT64_MAX);
    assert_int_equal(stats.pids_limit, 0);
}

static void C27_one_that_does_not_run_has_zeros_and_no_error(void **s)
{
    struct dray_stats stats;
    created(spec_for("still", "true", NULL));
    ran(spec_for("over", "true", NULL));
    static const char *const containers[] = {"still", "over"};
    for (int i = 0; i < 2; i++) {
        memset(&stats, 0x55, sizeof stats);
        OK(dray_container_stats(target, containers[i], NULL, &stats, ERR));
        assert_int_equal(stats.cpu_us, 0);
        assert_int_equal(stats.memory_bytes, 0);
        assert_int_equal(stats.pids, 0);
    }
    FAILS(DRAY_ERR_NOT_FOUND, dray_container_stats(target, "nobody", NULL, &stats, ERR),
          "nobody");
}

static void C27_memory_and_writes_are_seen(void **s)
{
    struct dray_stats before, after;
    sleeper("writes");
    OK(dray_container_stats(target, "writes", NULL, &before, ERR));
    executed("writes", "head -c 20000000 /dev/zero >/dev/shm/x");
    OK(dray_container_stats(target, "writes", NULL, &after, ERR));
    assert_true(after.memory_bytes - before.memory_bytes > 15000000);
}

static void C27_a_stream_gives_a_round_of_all_that_run(void **s)
{
    struct dray_stream *stream;
    struct dray_event event;
    sleeper("one");
    sleeper("two");
    created(spec_for("three", "true", NULL));
    OK(dray_stats_stream(target, NULL, 0, true, NULL, &stream, ERR));
    int ones = 0, twos = 0, others = 0, rounds = 0, more;
    while ((more = dray_stream_next(stream, NULL, &event, ERR)) > 0) {
        rounds += event.type == DRAY_EVENT_ROUND;
        if (event.type == DRAY_EVENT_ROUND)
            continue;
        assert_int_equal(event.type, DRAY_EVENT_STATS);
        ones += strcmp(event.name, "one") == 0;
        twos += strcmp(event.name, "two") == 0;
        others += strcmp(event.name, "three") == 0;
        assert_true(event.stats.pids >= 1);
    }
    OK(more);
    dray_stream_free(stream);
    assert_int_equal(ones, 1);
    assert_int_equal(twos, 1);
    assert_int_equal(others, 0);
    assert_int_equal(rounds, 1);
}

static void C27_a_stream_goes_on_until_it_is_dropped(void **s)
{
    static const char *const containers[] = {"one", NULL};
    struct dray_stream *stream;
    struct dray_event event;
    int64_t last = 0;
    sleeper("one");
    OK(dray_stats_stream(target, containers, 20, false, NULL, &stream, ERR));
    for (int i = 0; i < 5; i++) {
        do
            assert_int_equal(dray_stream_next(stream, NULL, &event, ERR), 1);
        while (event.type != DRAY_EVENT_STATS);
        assert_true(event.stats.time_ns > last);
        last = event.stats.time_ns;
    }
    dray_stream_free(stream);
}

/* --- C28 --- */

static void C28_inspect_has_docker_s_shape(void **s)
{
    struct dray_spec *spec = spec_for("seen", "sleep", "1000", NULL);
    set(spec, "hostname", "box");
    add(spec, "env", "A=b");
    add(spec, "label", "k=v");
    set(spec, "restart", "on-failure:3");
    set(spec, "memory", "64m");
    char *id = started(spec);
    json_t *json = inspected("seen");
    SAME(str_at(json, "Id"), id);
    SAME(str_at(json, "Name"), "/seen");
    SAME(str_at(json, "Path"), "sleep");
    SAME(str_at(json, "Args.0"), "1000");
    HAS(str_at(json, "Image"), "sha256:");
    SAME(str_at(json, "Config.Hostname"), "box");
    SAME(str_at(json, "Config.Labels.k"), "v");
    SAME(str_at(json, "State.Status"), "running");
    assert_true(true_at(json, "State.Running"));
    assert_int_equal(int_at(json, "State.Pid"), pid_of("seen"));
    assert_int_equal(int_at(json, "RestartCount"), 0);
    SAME(str_at(json, "HostConfig.RestartPolicy.Name"), "on-failure");
    assert_int_equal(int_at(json, "HostConfig.RestartPolicy.MaximumRetryCount"), 3);
    assert_int_equal(int_at(json, "HostConfig.Memory"), 64 << 20);
    HAS(str_at(json, "State.StartedAt"), "T");
    assert_true(json_is_object(at(json, "NetworkSettings")));
    assert_true(json_is_object(at(json, "NetworkSettings.Ports")));
    assert_true(json_is_object(at(json, "NetworkSettings.Networks")));
    assert_true(json_is_array(at(json, "Mounts")));
}

static void C28_the_exit_code_is_there_and_the_error_of_a_start(void **s)
{
    assert_int_equal(ran(spec_sh("ended", "exit 9")).code, 9);
    json_t *json = inspected("ended");
    SAME(str_at(json, "State.Status"), "exited");
    assert_int_equal(int_at(json, "State.ExitCode"), 9);
    created(spec_for("broken", "no-such-command", NULL));
    FAILS(DRAY_ERR_START, dray_container_start(target, "broken", NULL, ERR));
    HAS(str_at(inspected("broken"), "State.Error"), "no-such-command");
    HAS(state_of("broken").reason, "no-such-command");
}

static void C28_health_is_there_and_changes(void **s)
{
    struct dray_spec *spec = spec_for("healthy", "sleep", "1000", NULL);
    set(spec, "health_cmd", "test -e /tmp/well");
    set(spec, "health_interval", "100ms");
    set(spec, "health_timeout", "5s");
    set(spec, "health_retries", "2");
    started(spec);
    EVENTUALLY(state_of("healthy").health == DRAY_UNHEALTHY);
    SAME(str_at(inspected("healthy"), "State.Health.Status"), "unhealthy");
    executed("healthy", "touch /tmp/well");
    EVENTUALLY(state_of("healthy").health == DRAY_HEALTHY);
    json_t *json = inspected("healthy");
    SAME(str_at(json, "State.Health.Status"), "healthy");
    assert_int_equal(int_at(json, "State.Health.FailingStreak"), 0);
    assert_true(json_array_size(at(json, "State.Health.Log")) >= 1);
    sleeper("without");
    assert_int_equal(state_of("without").health, DRAY_HEALTH_NONE);
}

static void C28_mounts_and_volumes_are_listed(void **s)
{
    struct dray_spec *spec = spec_for("mounted", "sleep", "1000", NULL);
    char *place = scratch();
    add(spec, "volume", text("%s:/bound:ro", place));
    add(spec, "volume", "/anonymous");
    started(spec);
    json_t *json = inspected("mounted");
    int found = 0;
    for (size_t i = 0; i < json_array_size(at(json, "Mounts")); i++) {
        const json_t *mount = json_array_get(at(json, "Mounts"), i);
        if (strcmp(str_at(mount, "Destination"), "/bound") == 0) {
            SAME(str_at(mount, "Source"), place);
            SAME(str_at(mount, "Type"), "bind");
            assert_true(false_at(mount, "RW"));
            found++;
        } else if (strcmp(str_at(mount, "Destination"), "/anonymous") == 0) {
            SAME(str_at(mount, "Type"), "volume");
            found++;
        }
    }
    assert_int_equal(found, 2);
    executed("mounted", "true");
    OK(dray_container_remove(target, "mounted", true, true, NULL, ERR));
}

static void C28_the_list_agrees_with_inspect(void **s)
{
    char *id = sleeper("listed");
    created(spec_for("made", "true", NULL));
    struct dray_container_list list;
    OK(dray_container_list(target, false, NULL, &list, ERR));
    assert_int_equal(list.count, 1); /* of those that run */
    SAME(list.items[0].id, id);
    SAME(list.items[0].name, "listed");
    HAS(list.items[0].image, "busybox:1");
    assert_int_equal(list.items[0].state.phase, DRAY_RUNNING);
    assert_int_equal(list.items[0].state.pid, pid_of("listed"));
    HAS(list.items[0].command, "sleep");
    dray_container_list_free(&list);
    OK(dray_container_list(target, true, NULL, &list, ERR));
    assert_int_equal(list.count, 2);
    dray_container_list_free(&list);
}

static void C28_top_shows_the_processes_with_the_target_s_pids(void **s)
{
    char *json;
    listener("topped", 0); /* its first process is its own, no runtime's any more */
    OK(dray_container_top(target, "topped", "pid,args", NULL, &json, ERR));
    json_t *top = parsed(json);
    SAME(str_at(top, "titles.0"), "PID");
    assert_true(json_array_size(at(top, "processes")) >= 1);
    SAME(str_at(top, "processes.0.0"), text("%lld", (long long)pid_of("topped")));
    HAS(str_at(top, "processes.0.1"), "on-signal 0 TERM");
    OK(dray_container_top(target, "topped", NULL, NULL, &json, ERR));
    SAME(str_at(parsed(json), "titles.1"), "PID");
}

static void C28_events_tell_a_container_s_life_in_order(void **s)
{
    int64_t since = now_ns();
    char filter[] = "container=told", *filters[] = {filter, NULL};
    struct dray_stream *stream;
    struct dray_event event;
    started(spec_sh("told", "exit 3"));
    assert_int_equal(waited("told"), 3);
    OK(dray_container_remove(target, "told", false, false, NULL, ERR));
    OK(dray_events(target, since, now_ns(), filters, NULL, &stream, ERR));
    char seen[1024] = "";
    int64_t last = 0;
    int more;
    while ((more = dray_stream_next(stream, NULL, &event, ERR)) > 0) {
        assert_int_equal(event.type, DRAY_EVENT_ITEM);
        json_t *item = parsed(strdup(event.json));
        assert_true(int_at(item, "time_ns") >= last);
        last = int_at(item, "time_ns");
        SAME(str_at(item, "type"), "container");
        strcat(strcat(seen, str_at(item, "action")), " ");
        if (strcmp(str_at(item, "action"), "die") == 0)
            SAME(str_at(item, "attributes.exitCode"), "3");
    }
    OK(more);
    dray_stream_free(stream);
    SAME(seen, "create start die destroy ");
}

TESTS(stats_tests, TEST(C27_a_sample_has_cpu_memory_limit_pids_and_the_time),
      TEST(C27_without_a_limit_it_is_the_maximum),
      TEST(C27_one_that_does_not_run_has_zeros_and_no_error),
      TEST(C27_memory_and_writes_are_seen),
      TEST(C27_a_stream_gives_a_round_of_all_that_run),
      ANY_RUNTIME(C27_a_stream_goes_on_until_it_is_dropped),
      TEST(C28_inspect_has_docker_s_shape),
      TEST(C28_the_exit_code_is_there_and_the_error_of_a_start),
      TEST(C28_health_is_there_and_changes),
      ANY_RUNTIME(C28_mounts_and_volumes_are_listed),
      ANY_RUNTIME(C28_the_list_agrees_with_inspect),
      TEST(C28_top_shows_the_processes_with_the_target_s_pids),
      ANY_RUNTIME(C28_events_tell_a_container_s_life_in_order));
