/* SPDX-License-Identifier: Apache-2.0 */
/* C24: the log of a container's own output. */
#include "contract.h"

#include <sys/stat.h>

struct entry {
    int64_t time_ns;
    int stream;
    char *line, *service, *deployment, *name;
    bool partial;
};

struct entries {
    struct entry at[4096];
    size_t count;
};

/* All lines that an open stream of logs has. */
static const struct entries *entries_of(struct dray_stream *stream)
{
    struct entries *entries = calloc(1, sizeof *entries);
    struct dray_event event;
    int more;
    defer(free, entries);
    while ((more = dray_stream_next(stream, NULL, &event, ERR)) > 0) {
        if (event.type != DRAY_EVENT_LOG)
            continue;
        assert_true(entries->count < 4096);
        entries->at[entries->count++] = (struct entry){
            .time_ns = event.time_ns,
            .stream = event.stream,
            .line = text("%.*s", (int)event.len, event.data),
            .service = event.service ? text("%s", event.service) : NULL,
            .deployment = event.deployment ? text("%s", event.deployment) : NULL,
            .partial = event.partial};
    }
    dray_stream_free(stream);
    OK(more);
    return entries;
}

static const struct entries *logs(const char *container,
                                  const struct dray_logs_options *options)
{
    struct dray_stream *stream;
    OK(dray_container_logs(target, container, options, NULL, &stream, ERR));
    return entries_of(stream);
}

static const struct entries *all_logs(const char *container)
{
    return logs(container, &(struct dray_logs_options)DRAY_LOGS_INIT);
}

static void C24_each_line_has_time_stream_message_service_and_deployment(void **s)
{
    struct dray_spec *spec =
        spec_sh(NULL, "echo out; until test -e /go; do usleep 20000; done; echo err >&2");
    set(spec, "service", "web");
    set(spec, "replica", "3");
    set(spec, "deployment", "shop");
    int64_t began = now_ns();
    started(spec);
    wait_logged("web-rep-3", "out");
    int64_t between = now_ns();
    assert_int_equal(executed("web-rep-3", "touch /go").exit_code, 0);
    assert_int_equal(waited("web-rep-3"), 0);
    const struct entries *log = all_logs("web-rep-3");
    assert_int_equal(log->count, 2);
    SAME(log->at[0].line, "out");
    SAME(log->at[1].line, "err");
    assert_int_equal(log->at[0].stream, 1);
    assert_int_equal(log->at[1].stream, 2);
    for (size_t i = 0; i < 2; i++) {
        SAME(log->at[i].service, "web");
        SAME(log->at[i].deployment, "shop");
        assert_true(log->at[i].time_ns >= began && log->at[i].time_ns <= now_ns());
    }
    /* the time at which each was written */
    assert_true(log->at[0].time_ns <= between && between <= log->at[1].time_ns);
}

static void C24_one_of_no_service_has_none(void **s)
{
    ran(spec_sh("plain", "echo x"));
    const struct entries *log = all_logs("plain");
    assert_int_equal(log->count, 1);
    assert_null(log->at[0].service);
    assert_null(log->at[0].deployment);
}

static void C24_tail_gives_the_last_n_or_all_in_the_order_written(void **s)
{
    ran(spec_sh("counts", "seq 1 1000"));
    struct dray_logs_options options = DRAY_LOGS_INIT;
    const struct entries *log = logs("counts", &options);
    assert_int_equal(log->count, 1000);
    for (size_t i = 0; i < 1000; i++)
        SAME(log->at[i].line, text("%zu", i + 1));
    static const int64_t tails[] = {0, 1, 7, 1000, 5000};
    for (size_t i = 0; i < 5; i++) {
        options.tail = tails[i];
        log = logs("counts", &options);
        assert_int_equal(log->count, tails[i] < 1000 ? tails[i] : 1000);
        if (log->count)
            SAME(log->at[log->count - 1].line, "1000");
    }
}

/* Three lines, each with a time of its own: a machine with much to do reads two at once.
 */
static const struct entries *three_times(void)
{
    for (int i = 0; i < 20; i++) {
        ran(spec_sh("timed", "for i in 1 2 3; do echo $i; usleep 30000; done"));
        const struct entries *log = all_logs("timed");
        assert_int_equal(log->count, 3);
        if (log->at[0].time_ns < log->at[1].time_ns &&
            log->at[1].time_ns < log->at[2].time_ns)
            return log;
        OK(dray_container_remove(target, "timed", false, true, NULL, ERR));
    }
    fail_msg("lines that are 30 ms apart never have different times");
    return NULL;
}

static void C24_since_and_until_choose_by_time(void **s)
{
    const struct entries *log = three_times();
    struct dray_logs_options options = DRAY_LOGS_INIT;
    options.since_ns = log->at[1].time_ns;
    const struct entries *some = logs("timed", &options);
    assert_int_equal(some->count, 2);
    SAME(some->at[0].line, "2");
    options.until_ns = log->at[1].time_ns;
    some = logs("timed", &options);
    assert_int_equal(some->count, 1);
    SAME(some->at[0].line, "2");
    options.since_ns = 0;
    some = logs("timed", &options);
    assert_int_equal(some->count, 2);
    SAME(some->at[0].line, "1");
}

static void C24_follow_goes_on_until_the_container_ends_and_misses_nothing(void **s)
{
    struct dray_logs_options options = DRAY_LOGS_INIT;
    options.follow = true;
    started(spec_sh("followed",
                    "i=0; while [ $i -lt 200 ]; do echo $i; i=$((i+1)); done; "
                    "usleep 100000; echo last; exit 3"));
    const struct entries *log = logs("followed", &options);
    assert_int_equal(log->count, 201);
    for (size_t i = 0; i < 200; i++)
        SAME(log->at[i].line, text("%zu", i));
    SAME(log->at[200].line, "last");
    assert_int_equal(waited("followed"), 3);
    /* of one that has ended: its log, and the end */
    assert_int_equal(logs("followed", &options)->count, 201);
}

static void C24_two_readers_follow_at_a_time(void **s)
{
    struct dray_logs_options options = DRAY_LOGS_INIT;
    struct dray_stream *streams[2];
    options.follow = true;
    listener("shared", 0);
    for (int i = 0; i < 2; i++)
        OK(dray_container_logs(target, "shared", &options, NULL, &streams[i], ERR));
    OK(dray_container_stop(target, "shared", 5, NULL, ERR));
    for (int i = 0; i < 2; i++) {
        const struct entries *log = entries_of(streams[i]);
        assert_int_equal(log->count, 2);
        SAME(log->at[1].line, "got TERM");
    }
}

static void C24_without_a_log_it_is_empty_and_no_error(void **s)
{
    char *id = created(spec_for("silent", "true", NULL));
    assert_int_equal(all_logs("silent")->count, 0);
    OK(dray_container_start(target, id, NULL, ERR));
    waited(id);
    assert_int_equal(all_logs("silent")->count, 0);
    remove(text("%s/logs/silent.log", root));
    assert_int_equal(all_logs("silent")->count, 0);
    struct dray_stream *stream;
    int result = dray_container_logs(target, "nobody", NULL, NULL, &stream, ERR);
    if (result == 0) {
        result = dray_stream_next(stream, NULL, &(struct dray_event){0}, ERR);
        dray_stream_free(stream);
    }
    FAILS(DRAY_ERR_NOT_FOUND, result, "nobody");
}

static void C24_bytes_that_are_no_text_and_a_line_without_end_are_kept(void **s)
{
    ran(spec_sh("bytes", "printf 'a\\377\\376b\\0c\\r\\nno end'"));
    struct dray_logs_options options = DRAY_LOGS_INIT;
    struct dray_stream *stream;
    OK(dray_container_logs_raw(target, "bytes", &options, false, NULL, &stream, ERR));
    struct result raw = drained(stream);
    assert_int_equal(raw.out_len, 14);
    assert_memory_equal(raw.out, "a\377\376b\0c\r\nno end", 14);
}

static void C24_a_line_of_megabytes_comes_in_marked_pieces(void **s)
{
    ran(spec_sh("huge", "head -c 3000000 /dev/zero | tr '\\0' x; echo; echo next"));
    const struct entries *log = all_logs("huge");
    size_t total = 0;
    for (size_t i = 0; i + 1 < log->count; i++) {
        total += strlen(log->at[i].line);
        assert_true(strlen(log->at[i].line) <= 65536);
        assert_int_equal(log->at[i].partial, i + 2 < log->count);
    }
    assert_int_equal(total, 3000000);
    assert_true(log->count > 10);
    SAME(log->at[log->count - 1].line, "next");
}

static void C24_raw_with_timestamps_puts_the_time_before_each_line(void **s)
{
    ran(spec_sh("stamped", "echo one; echo two"));
    struct dray_logs_options options = DRAY_LOGS_INIT;
    struct dray_stream *stream;
    OK(dray_container_logs_raw(target, "stamped", &options, true, NULL, &stream, ERR));
    struct result raw = drained(stream);
    int year;
    char line[64];
    assert_int_equal(sscanf(raw.out, "%d-%*d-%*dT%*d:%*d:%*[0-9.]Z %63s", &year, line),
                     2);
    assert_true(year >= 2020);
    SAME(line, "one");
    HAS(raw.out, "Z two\n");
}

static void C24_the_log_is_bounded_by_rotation_and_follow_crosses_it(void **s)
{
    struct dray_spec *spec =
        spec_sh("rotates", "i=0; while [ $i -lt 20000 ]; do echo "
                           "line-$i-0123456789012345678901234567890; "
                           "i=$((i+1)); done");
    add(spec, "log_opt", "max-size=64k");
    add(spec, "log_opt", "max-file=3");
    struct dray_logs_options options = DRAY_LOGS_INIT;
    struct dray_stream *stream;
    created(spec);
    OK(dray_container_start(target, "rotates", NULL, ERR));
    options.follow = true;
    OK(dray_container_logs_raw(target, "rotates", &options, false, NULL, &stream, ERR));
    struct result followed = drained(stream);
    waited("rotates");
    HAS(followed.out, "line-19999-");
    int64_t bytes = atoll(shell(NULL, "cat '%s'/logs/rotates.log* | wc -c", root));
    assert_true(bytes > 60000 && bytes < 5 * 65536);
    /* what is kept is the end, whole, in order */
    options.follow = false;
    const struct entries *log = logs("rotates", &options);
    assert_true(log->count > 100);
    HAS(log->at[log->count - 1].line, "line-19999-");
    for (size_t i = 1; i < log->count; i++)
        assert_int_equal(atoi(log->at[i].line + 5), atoi(log->at[i - 1].line + 5) + 1);
}

static void C24_the_log_goes_on_when_it_starts_again(void **s)
{
    ran(spec_sh("twice", "echo ran"));
    OK(dray_container_start(target, "twice", NULL, ERR));
    waited("twice");
    SAME(logged("twice"), "ran\nran\n");
}

TESTS(output_tests, TEST(C24_each_line_has_time_stream_message_service_and_deployment),
      ANY_RUNTIME(C24_one_of_no_service_has_none),
      TEST(C24_tail_gives_the_last_n_or_all_in_the_order_written),
      ANY_RUNTIME(C24_since_and_until_choose_by_time),
      TEST(C24_follow_goes_on_until_the_container_ends_and_misses_nothing),
      ANY_RUNTIME(C24_two_readers_follow_at_a_time),
      ANY_RUNTIME(C24_without_a_log_it_is_empty_and_no_error),
      TEST(C24_bytes_that_are_no_text_and_a_line_without_end_are_kept),
      TEST(C24_a_line_of_megabytes_comes_in_marked_pieces),
      ANY_RUNTIME(C24_raw_with_timestamps_puts_the_time_before_each_line),
      ANY_RUNTIME(C24_the_log_is_bounded_by_rotation_and_follow_crosses_it),
      TEST(C24_the_log_goes_on_when_it_starts_again));
