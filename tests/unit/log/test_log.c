/* SPDX-License-Identifier: Apache-2.0 */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <signal.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/fs.h"
#include "base/text.h"
#include "guest/log/log.h"

#define T0 1000000000000000000LL /* 2001-09-09T01:46:40Z */

struct sink {
    struct dr_buf out, err;
};

static int collect(void *arg, enum log_stream stream, const char *data, size_t len,
                   struct dr_error *err)
{
    struct sink *sink = arg;
    return dr_buf_add(stream == LOG_STDERR ? &sink->err : &sink->out, data, len, err);
}

static char dir[64], path[96];

static int setup(void **state)
{
    snprintf(dir, sizeof dir, "/tmp/dray-log-XXXXXX");
    assert_non_null(mkdtemp(dir));
    snprintf(path, sizeof path, "%s/c.log", dir);
    return 0;
}

static int teardown(void **state)
{
    struct dr_error err = DR_ERROR_INIT;
    return dr_remove_all(AT_FDCWD, dir, &err);
}

static void start(struct log_writer *w, int64_t bytes, unsigned files)
{
    struct dr_error err = DR_ERROR_INIT;
    assert_int_equal(log_open(w, path, bytes, files, &err), 0);
}

static void put(struct log_writer *w, enum log_stream stream, const char *text, int64_t t)
{
    log_write(w, stream, text, strlen(text), t);
}

static struct sink read_log(struct log_query query)
{
    struct sink sink = {DR_BUF_INIT(64u << 20), DR_BUF_INIT(64u << 20)};
    struct dr_error err = DR_ERROR_INIT;
    query.path = path;
    query.sink = collect;
    query.arg = &sink;
    query.finished_fd = -1;
    assert_int_equal(log_read(&query, &err), 0);
    if (!sink.out.data)
        assert_int_equal(dr_buf_reserve(&sink.out, 1, &err), 0);
    sink.out.data[sink.out.len] = '\0';
    if (!sink.err.data)
        assert_int_equal(dr_buf_reserve(&sink.err, 1, &err), 0);
    sink.err.data[sink.err.len] = '\0';
    return sink;
}

static void release(struct sink *sink)
{
    dr_buf_release(&sink->out);
    dr_buf_release(&sink->err);
}

static void expect(struct log_query query, const char *out, const char *err)
{
    struct sink sink = read_log(query);
    assert_string_equal(sink.out.data, out);
    assert_string_equal(sink.err.data, err);
    release(&sink);
}

static char *file_text(const char *name)
{
    struct dr_error err = DR_ERROR_INIT;
    struct dr_buf text = DR_BUF_INIT(64u << 20);
    assert_int_equal(dr_file_read(AT_FDCWD, name, &text, &err), 0);
    return dr_buf_take(&text);
}

static void log_keeps_lines_streams_and_times(void **state) /* C24 */
{
    struct log_writer w;
    start(&w, 0, 0);
    put(&w, LOG_STDOUT, "one\ntwo", T0);
    put(&w, LOG_STDERR, "bad\n", T0 + 1);
    put(&w, LOG_STDOUT, " and a half\n", T0 + 2);
    log_close(&w);
    dr_auto_free char *text = file_text(path);
    assert_string_equal(text, "2001-09-09T01:46:40.000000000Z stdout F one\n"
                              "2001-09-09T01:46:40.000000000Z stdout P two\n"
                              "2001-09-09T01:46:40.000000001Z stderr F bad\n"
                              "2001-09-09T01:46:40.000000002Z stdout F  and a half\n");
    expect((struct log_query){.tail = -1}, "one\ntwo and a half\n", "bad\n");
    expect((struct log_query){.tail = -1, .timestamps = true},
           "2001-09-09T01:46:40.000000000Z one\n"
           "2001-09-09T01:46:40.000000000Z two and a half\n",
           "2001-09-09T01:46:40.000000001Z bad\n");
}

/* Short lines are gathered, long ones written from where they are: both in one write,
 * with lengths around the border, many of them, and a piece without end last. */
static void log_keeps_long_and_short_lines_in_their_order(void **state)
{
    struct log_writer w;
    struct dr_buf text = DR_BUF_INIT(64u << 20);
    struct dr_error err = DR_ERROR_INIT;
    static const size_t lengths[] = {0,    1,  2046,   2047, 2048, 2049,
                                     4096, 70, 131072, 3,    65535};
    start(&w, 64 << 20, 0);
    for (size_t i = 0; i < 400; i++) {
        dr_auto_free char *line = dr_alloc(lengths[i % DR_COUNT(lengths)] + 2);
        memset(line, 'a' + (int)(i % 26), lengths[i % DR_COUNT(lengths)]);
        line[lengths[i % DR_COUNT(lengths)]] = '\n';
        assert_int_equal(dr_buf_add(&text, line, strlen(line), &err), 0);
    }
    text.data[--text.len] = '\0'; /* the last has no end */
    for (size_t at = 0, step = 131072; at < text.len; at += step)
        log_write(&w, LOG_STDOUT, text.data + at,
                  step < text.len - at ? step : text.len - at, T0);
    assert_int_equal(w.lost_bytes, 0);
    log_close(&w);
    struct sink sink = read_log((struct log_query){.tail = -1});
    assert_int_equal(sink.out.len, text.len);
    assert_memory_equal(sink.out.data, text.data, text.len);
    release(&sink);
    dr_buf_release(&text);
}

static void log_that_is_missing_is_empty(void **state) /* C24 */
{
    expect((struct log_query){.tail = -1}, "", "");
    expect((struct log_query){.tail = 5}, "", "");
}

static void log_gives_the_last_lines(void **state)
{
    struct log_writer w;
    start(&w, 0, 0);
    for (int i = 1; i <= 100000; i++) {
        char line[32];
        snprintf(line, sizeof line, "%d\n", i);
        put(&w, LOG_STDOUT, line, T0 + i);
    }
    put(&w, LOG_STDOUT, "no newline", T0 + 200000);
    log_close(&w);
    expect((struct log_query){.tail = 0}, "", "");
    expect((struct log_query){.tail = 1}, "no newline", "");
    expect((struct log_query){.tail = 3}, "99999\n100000\nno newline", "");
    struct sink all = read_log((struct log_query){.tail = 1000000});
    assert_int_equal(all.out.len, 588895 + 10);
    release(&all);
}

static void log_honours_since_and_until(void **state)
{
    struct log_writer w;
    start(&w, 0, 0);
    for (int i = 0; i < 20000; i++) {
        char line[32];
        snprintf(line, sizeof line, "%d\n", i);
        put(&w, LOG_STDOUT, line, T0 + i * 1000000LL);
    }
    log_close(&w);
    expect((struct log_query){.tail = -1, .since_ns = T0 + 19998 * 1000000LL},
           "19998\n19999\n", "");
    expect((struct log_query){.tail = -1, .until_ns = T0 + 1000000}, "0\n1\n", "");
    expect((struct log_query){.tail = -1,
                              .since_ns = T0 + 500 * 1000000LL,
                              .until_ns = T0 + 501 * 1000000LL},
           "500\n501\n", "");
}

static void log_rotates_and_reads_across(void **state)
{
    struct log_writer w;
    start(&w, 4096, 3);
    for (int i = 0; i < 1000; i++) {
        char line[32];
        snprintf(line, sizeof line, "line %04d\n", i);
        put(&w, LOG_STDOUT, line, T0 + i);
    }
    log_close(&w);
    char older[128];
    struct stat st;
    snprintf(older, sizeof older, "%s.2", path);
    assert_int_equal(stat(older, &st), 0);
    snprintf(older, sizeof older, "%s.3", path);
    assert_int_equal(stat(older, &st), -1);
    struct sink all = read_log((struct log_query){.tail = -1});
    assert_true(all.out.len > 1500 && all.out.len < 3 * 4096);
    assert_non_null(strstr(all.out.data, "line 0999\n"));
    release(&all);
    struct sink tail = read_log((struct log_query){.tail = 100});
    assert_int_equal(tail.out.len, 1000);
    assert_memory_equal(tail.out.data, "line 0900\n", 10);
    release(&tail);
    log_remove(path);
    expect((struct log_query){.tail = -1}, "", "");
}

static void log_of_one_endless_line_grows_no_memory(void **state) /* H3 */
{
    struct log_writer w;
    start(&w, 1 << 20, 2);
    dr_auto_free char *chunk = dr_alloc(65536);
    memset(chunk, 'x', 65536);
    struct rusage before, after;
    log_write(&w, LOG_STDOUT, chunk, 65536, T0);
    getrusage(RUSAGE_SELF, &before);
    for (int i = 0; i < 1000; i++)
        log_write(&w, LOG_STDOUT, chunk, 65536, T0);
    getrusage(RUSAGE_SELF, &after);
    assert_true(after.ru_maxrss - before.ru_maxrss < 1024);
    assert_int_equal(w.lost_bytes, 0);
    log_close(&w);
    struct stat st;
    assert_int_equal(stat(path, &st), 0);
    assert_true(st.st_size <= (1 << 20) + 200000);
}

static void log_on_a_full_disk_loses_lines_but_stays_whole(void **state) /* H3, ENOSPC */
{
    struct log_writer w;
    start(&w, 0, 0);
    put(&w, LOG_STDOUT, "before\n", T0);
    struct rlimit old, limit;
    getrlimit(RLIMIT_FSIZE, &old);
    signal(
        SIGXFSZ,
        SIG_IGN); /* then a write over the limit fails or is short, as on a full disk */
    limit = (struct rlimit){.rlim_cur = 100, .rlim_max = old.rlim_max};
    setrlimit(RLIMIT_FSIZE, &limit);
    put(&w, LOG_STDOUT, "this does not fit any more, not at all\n", T0);
    assert_int_equal(w.lost_bytes, 39);
    setrlimit(RLIMIT_FSIZE, &old);
    put(&w, LOG_STDOUT, "after\n", T0);
    log_close(&w);
    expect((struct log_query){.tail = -1}, "before\nafter\n", "");
}

static void log_with_a_torn_end_is_repaired(void **state) /* a monitor that was killed */
{
    struct log_writer w;
    start(&w, 0, 0);
    put(&w, LOG_STDOUT, "whole\n", T0);
    log_close(&w);
    FILE *file = fopen(path, "a");
    fputs("2001-09-09T01:46:40.0000000", file);
    fclose(file);
    expect((struct log_query){.tail = -1}, "whole\n", "");
    start(&w, 0, 0);
    put(&w, LOG_STDOUT, "next\n", T0);
    log_close(&w);
    expect((struct log_query){.tail = -1}, "whole\nnext\n", "");
}

static void *write_slowly(void *arg)
{
    struct log_writer w;
    start(&w, 2000, 4);
    for (int i = 0; i < 200; i++) {
        char line[32];
        snprintf(line, sizeof line, "line %03d\n", i);
        put(&w, LOG_STDOUT, line, T0 + i);
        usleep(1000);
    }
    log_close(&w);
    *(volatile bool *)arg = true;
    return NULL;
}

struct follower {
    struct sink sink;
    volatile bool done;
};

static int collect_followed(void *arg, enum log_stream stream, const char *data,
                            size_t len, struct dr_error *err)
{
    return collect(&((struct follower *)arg)->sink, stream, data, len, err);
}

static bool is_done(void *arg)
{
    return ((struct follower *)arg)->done;
}

static void log_is_followed_across_rotation(void **state) /* C24 */
{
    struct follower f = {.sink = {DR_BUF_INIT(1 << 20), DR_BUF_INIT(1 << 20)}};
    pthread_t thread;
    pthread_create(&thread, NULL, write_slowly, (void *)&f.done);
    struct log_query query = {.path = path,
                              .tail = -1,
                              .follow = true,
                              .sink = collect_followed,
                              .finished = is_done,
                              .finished_fd = -1,
                              .arg = &f};
    struct dr_error err = DR_ERROR_INIT;
    assert_int_equal(log_read(&query, &err), 0);
    pthread_join(thread, NULL);
    assert_int_equal(f.sink.out.len, 200 * 9);
    assert_memory_equal(f.sink.out.data, "line 000\n", 9);
    assert_memory_equal(f.sink.out.data + 199 * 9, "line 199\n", 9);
    release(&f.sink);
}

struct patient {
    struct sink sink;
    int64_t until_ms;
    int looks;
};

static bool time_is_over(void *arg)
{
    struct patient *patient = arg;
    patient->looks++;
    return dr_clock_ms() > patient->until_ms;
}

/* The monitor was lost, and its container runs on. */
static void log_is_followed_at_a_pace_when_its_end_was_told_and_is_none(void **state)
{
    struct patient p = {.sink = {DR_BUF_INIT(1 << 20), DR_BUF_INIT(1 << 20)},
                        .until_ms = dr_clock_ms() + 3 * LOG_POLL_MS};
    struct dr_error err = DR_ERROR_INIT;
    struct log_writer writer;
    int fds[2];
    start(&writer, 5000, 2);
    put(&writer, LOG_STDOUT, "said\n", T0);
    assert_int_equal(pipe(fds), 0);
    close(fds[1]);
    struct log_query query = {.path = path,
                              .tail = -1,
                              .follow = true,
                              .sink = collect,
                              .finished = time_is_over,
                              .finished_fd = fds[0],
                              .arg = &p};
    assert_int_equal(log_read(&query, &err), 0);
    assert_int_equal(p.sink.out.len, 5);
    assert_true(p.looks < 15); /* it was thousands */
    close(fds[0]);
    log_close(&writer);
    release(&p.sink);
}

struct reentrant {
    struct sink sink;
    struct log_writer writer;
    int written;
    bool done;
};

/* Writes while it is read from: three rotations before the reader looks again. */
static int write_more(void *arg, enum log_stream stream, const char *data, size_t len,
                      struct dr_error *err)
{
    struct reentrant *r = arg;
    for (int end = r->written + 300; r->written < end && r->written < 900; r->written++) {
        char line[32];
        snprintf(line, sizeof line, "line %04d\n", r->written);
        put(&r->writer, LOG_STDOUT, line, T0 + r->written);
    }
    r->done = r->written == 900;
    return collect(&r->sink, stream, data, len, err);
}

static bool all_written(void *arg)
{
    return ((struct reentrant *)arg)->done;
}

static void log_is_followed_across_several_rotations_between_two_looks(void **state)
{
    struct reentrant r = {.sink = {DR_BUF_INIT(1 << 20), DR_BUF_INIT(1 << 20)}};
    struct dr_error err = DR_ERROR_INIT;
    start(&r.writer, 5000, 10);
    put(&r.writer, LOG_STDOUT, "first\n", T0);
    struct log_query query = {.path = path,
                              .tail = -1,
                              .follow = true,
                              .sink = write_more,
                              .finished = all_written,
                              .finished_fd = -1,
                              .arg = &r};
    assert_int_equal(log_read(&query, &err), 0);
    assert_int_equal(r.sink.out.len, 6 + 900 * 10);
    char expected[32];
    for (int i = 0; i < 900; i++) {
        snprintf(expected, sizeof expected, "line %04d\n", i);
        assert_memory_equal(r.sink.out.data + 6 + 10 * i, expected, 10);
    }
    struct stat st;
    dr_auto_free char *third = dr_printf("%s.3", path);
    assert_int_equal(stat(third, &st), 0); /* it did rotate so often */
    log_close(&r.writer);
    log_remove(path);
    assert_int_equal(stat(third, &st), -1);
    release(&r.sink);
}

/* Goes on writing while it is read from. */
static int write_on(void *arg, enum log_stream stream, const char *data, size_t len,
                    struct dr_error *err)
{
    struct reentrant *r = arg;
    for (int i = 0; i < 100; i++)
        put(&r->writer, LOG_STDOUT, "too late\n", T0 + 100000);
    return collect(&r->sink, stream, data, len, err);
}

static void a_log_that_grows_while_it_is_read_ends_where_it_ended_before(void **state)
{
    for (int64_t tail = 19000; tail <= 20000;
         tail += 1000) { /* several calls of the sink */
        struct reentrant r = {.sink = {DR_BUF_INIT(1 << 20), DR_BUF_INIT(1 << 20)}};
        struct dr_error err = DR_ERROR_INIT;
        start(&r.writer, 0, 0);
        for (int i = 0; i < 20000; i++) {
            char line[32];
            snprintf(line, sizeof line, "line %05d\n", i);
            put(&r.writer, LOG_STDOUT, line, T0 + i);
        }
        struct log_query query = {.path = path,
                                  .tail = tail == 20000 ? -1 : tail,
                                  .sink = write_on,
                                  .finished_fd = -1,
                                  .arg = &r};
        assert_int_equal(log_read(&query, &err), 0);
        assert_int_equal(r.sink.out.len, 11 * tail);
        assert_memory_equal(r.sink.out.data + 11 * (tail - 1), "line 19999\n", 11);
        log_close(&r.writer);
        log_remove(path);
        release(&r.sink);
    }
}

static void an_entry_that_is_being_written_is_not_the_last_line(void **state)
{
    struct log_writer w;
    start(&w, 0, 0);
    put(&w, LOG_STDOUT, "first\nwhole\n", T0);
    log_close(&w);
    FILE *file = fopen(path, "a");
    fputs("2001-09-09T01:46:40.000000000Z stdout F ha", file);
    fclose(file);
    expect((struct log_query){.tail = 1}, "whole\n", "");
    expect((struct log_query){.tail = 2}, "first\nwhole\n", "");
}

static long bytes_read(void)
{
    char text[512] = "";
    int fd = open("/proc/self/io", O_RDONLY);
    assert_true(read(fd, text, sizeof text - 1) > 0);
    close(fd);
    long n = -1;
    sscanf(text, "rchar: %ld", &n);
    return n;
}

static void the_last_lines_of_a_1_GB_log_are_found_without_reading_it(void **state)
{
    struct log_writer w;
    start(&w, 2LL << 30, 2);
    put(&w, LOG_STDOUT, "first\n", T0);
    log_close(&w);
    /* its middle is a hole; whoever read it would read 1 GB */
    assert_int_equal(truncate(path, 1 << 30), 0);
    int fd = open(path, O_WRONLY | O_APPEND);
    assert_int_equal(write(fd, "\n", 1), 1);
    close(fd);
    start(&w, 2LL << 30, 2);
    for (int i = 0; i < 1000; i++) {
        char line[32];
        snprintf(line, sizeof line, "line %04d\n", i);
        put(&w, LOG_STDOUT, line, T0 + 1000000000LL * i);
    }
    log_close(&w);
    long before = bytes_read();
    struct sink tail = read_log((struct log_query){.tail = 10});
    assert_int_equal(tail.out.len, 100);
    assert_memory_equal(tail.out.data, "line 0990\n", 10);
    release(&tail);
    assert_true(bytes_read() - before < 512 << 10);
}

static void a_line_of_several_megabytes_is_one_line_and_any_byte_is_kept(void **state)
{
    struct log_writer w;
    size_t len = 5 << 20;
    dr_auto_free char *line = dr_alloc(len);
    for (size_t i = 0; i < len; i++)
        line[i] = (char)(i * 7 + i / 251);
    for (size_t i = 0; i < len; i++)
        if (line[i] == '\n')
            line[i] = (char)0xff;
    line[len - 1] = '\n';
    start(&w, 64 << 20, 2);
    put(&w, LOG_STDOUT, "before\n", T0);
    for (size_t done = 0; done < len; done += 65536) /* as it comes from the pipe */
        log_write(&w, LOG_STDOUT, line + done, len - done < 65536 ? len - done : 65536,
                  T0 + 1);
    put(&w, LOG_STDOUT, "behind\n", T0 + 2);
    log_close(&w);
    struct sink tail = read_log((struct log_query){.tail = 2});
    assert_int_equal(tail.out.len, len + 7);
    assert_memory_equal(tail.out.data, line, len);
    release(&tail);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(log_keeps_lines_streams_and_times, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(log_keeps_long_and_short_lines_in_their_order,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(log_that_is_missing_is_empty, setup, teardown),
        cmocka_unit_test_setup_teardown(log_gives_the_last_lines, setup, teardown),
        cmocka_unit_test_setup_teardown(log_honours_since_and_until, setup, teardown),
        cmocka_unit_test_setup_teardown(log_rotates_and_reads_across, setup, teardown),
        cmocka_unit_test_setup_teardown(log_of_one_endless_line_grows_no_memory, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(log_on_a_full_disk_loses_lines_but_stays_whole,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(log_with_a_torn_end_is_repaired, setup, teardown),
        cmocka_unit_test_setup_teardown(log_is_followed_across_rotation, setup, teardown),
        cmocka_unit_test_setup_teardown(
            log_is_followed_at_a_pace_when_its_end_was_told_and_is_none, setup, teardown),
        cmocka_unit_test_setup_teardown(
            log_is_followed_across_several_rotations_between_two_looks, setup, teardown),
        cmocka_unit_test_setup_teardown(
            a_log_that_grows_while_it_is_read_ends_where_it_ended_before, setup,
            teardown),
        cmocka_unit_test_setup_teardown(
            an_entry_that_is_being_written_is_not_the_last_line, setup, teardown),
        cmocka_unit_test_setup_teardown(
            the_last_lines_of_a_1_GB_log_are_found_without_reading_it, setup, teardown),
        cmocka_unit_test_setup_teardown(
            a_line_of_several_megabytes_is_one_line_and_any_byte_is_kept, setup,
            teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
