/* SPDX-License-Identifier: Apache-2.0 */
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "base/fs.h"
#include "base/text.h"
#include "guest/events/events.h"

static char *root, *file;

static int set_up(void **state)
{
    char random[17];
    dr_random_hex(16, random);
    root = dr_printf("/tmp/dray-events-%s", random);
    file = dr_path_join(root, "events.log");
    return mkdir(root, 0700);
}

static int tear_down(void **state)
{
    struct dr_error err = DR_ERROR_INIT;
    dr_remove_all(AT_FDCWD, root, &err);
    free(root);
    free(file);
    return 0;
}

static off_t size_of(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 ? st.st_size : -1;
}

/* The actions that are there to read, one after another, "a b c". */
static char *actions(struct event_reader *reader)
{
    struct dr_buf buf = DR_BUF_INIT(1 << 20);
    struct dr_error err = DR_ERROR_INIT;
    json_t *event;
    while ((event = event_reader_next(reader))) {
        dr_buf_addf(&buf, &err, "%s%s", buf.len ? " " : "", dr_json_str(event, "action"));
        json_decref(event);
    }
    return dr_buf_take(&buf);
}

static void event_is_one_line_with_all_that_was_said(void **state)
{
    event_write(root, "container", "die", "abc", "web",
                json_pack("{ssss}", "exitCode", "3", "image", "bb"));
    dr_auto_buf struct dr_buf text = DR_BUF_INIT(4096);
    struct dr_error err = DR_ERROR_INIT;
    assert_int_equal(dr_file_read(AT_FDCWD, file, &text, &err), 0);
    assert_int_equal(text.data[text.len - 1], '\n');
    assert_ptr_equal(strchr(text.data, '\n'), text.data + text.len - 1);
    struct event_reader *reader = event_reader_open(root, false);
    json_t *event = event_reader_next(reader);
    assert_string_equal(dr_json_str(event, "type"), "container");
    assert_string_equal(dr_json_str(event, "action"), "die");
    assert_string_equal(dr_json_str(event, "id"), "abc");
    assert_string_equal(dr_json_str(event, "name"), "web");
    assert_string_equal(dr_json_str(dr_json_object(event, "attributes"), "exitCode"),
                        "3");
    int64_t age = dr_now_ns() - dr_json_int(event, "time_ns", 0);
    assert_true(age >= 0 && age < 60000000000);
    json_decref(event);
    assert_null(event_reader_next(reader));
    event_reader_free(reader);
}

static void log_is_moved_on_by_size_and_bounded(void **state)
{
    for (int i = 0; i < 1000; i++)
        event_write_bounded(root, 10000, "container", "start", "abc", "web", NULL);
    dr_auto_free char *old = dr_path_join(root, "events.log.1");
    assert_true(size_of(file) > 0 && size_of(file) < 10200);
    assert_true(size_of(old) >= 10000 && size_of(old) < 10200);
    struct event_reader *reader = event_reader_open(root, false);
    size_t count = 0;
    json_t *event;
    while ((event = event_reader_next(reader))) {
        count++;
        json_decref(event);
    }
    assert_true(count > 90 && count < 300); /* both files, each line of them */
    event_reader_free(reader);
}

static void reader_that_follows_loses_nothing_when_the_log_is_moved_on(void **state)
{
    struct event_reader *reader = event_reader_open(root, false);
    int64_t want = 0;
    /* sometimes moved on once between two looks, sometimes twice is too much for it */
    for (int round = 0; round < 200; round++) {
        for (int i = 0; i < 1 + round % 15; i++) {
            char number[16];
            snprintf(number, sizeof number, "%d", (int)want++);
            event_write_bounded(root, 2000, "container", number, "abc", "web", NULL);
        }
        for (int64_t next = want - 1 - round % 15; next < want; next++) {
            json_t *event = event_reader_next(reader);
            char number[16];
            snprintf(number, sizeof number, "%d", (int)next);
            assert_non_null(event);
            assert_string_equal(dr_json_str(event, "action"), number);
            json_decref(event);
        }
        assert_null(event_reader_next(reader));
    }
    event_reader_free(reader);
}

static void reader_waits_for_a_log_that_is_not_there_yet(void **state)
{
    struct event_reader *reader = event_reader_open(root, true);
    struct pollfd fd = {.fd = event_reader_fd(reader), .events = POLLIN};
    assert_null(event_reader_next(reader));
    if (fd.fd >= 0)
        assert_int_equal(poll(&fd, 1, 0), 0);
    event_write(root, "image", "pull", "sha256:1", "bb", NULL);
    if (fd.fd >= 0)
        assert_int_equal(poll(&fd, 1, 5000), 1);
    event_reader_woken(reader);
    dr_auto_free char *got = actions(reader);
    assert_string_equal(got, "pull");
    event_reader_free(reader);
}

static void reader_from_now_sees_nothing_of_before(void **state)
{
    event_write_bounded(root, 10, "container", "one", "abc", NULL, NULL);
    event_write_bounded(root, 10, "container", "two", "abc", NULL, NULL);
    struct event_reader *reader = event_reader_open(root, true);
    assert_null(event_reader_next(reader));
    event_write_bounded(root, 10, "container", "three", "abc", NULL, NULL);
    dr_auto_free char *got = actions(reader);
    assert_string_equal(got, "three");
    event_reader_free(reader);
}

static void torn_lines_are_passed_over(void **state)
{
    event_write(root, "container", "one", "abc", NULL, NULL);
    FILE *log = fopen(file, "a");
    fprintf(log, "{\"time_ns\":12,\"ty\n\n[1]\n\"x\"\nnull\n");
    fclose(log);
    event_write(root, "container", "two", "abc", NULL, NULL);
    struct event_reader *reader = event_reader_open(root, false);
    dr_auto_free char *got = actions(reader);
    assert_string_equal(got, "one two");
    event_reader_free(reader);
}

/* A full disk takes a part of a write, as a file size limit does. */
static void full_disk_costs_the_event_and_nothing_else(void **state)
{
    event_write(root, "container", "one", "abc", NULL, NULL);
    off_t before = size_of(file);
    pid_t pid = fork();
    if (pid == 0) {
        struct rlimit limit = {(rlim_t)before + 20, (rlim_t)before + 20};
        signal(SIGXFSZ, SIG_IGN);
        setrlimit(RLIMIT_FSIZE, &limit);
        event_write(root, "container", "lost", "abc", NULL, NULL);
        _exit(0);
    }
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    assert_int_equal(size_of(file), before); /* no half line */
    event_write(root, "container", "two", "abc", NULL, NULL);
    struct event_reader *reader = event_reader_open(root, false);
    dr_auto_free char *got = actions(reader);
    assert_string_equal(got, "one two");
    event_reader_free(reader);
    /* nor does a place where nothing can be written */
    event_write("/proc/nowhere", "container", "lost", "abc", NULL, NULL);
}

static void many_writers_write_whole_lines_and_lose_none(void **state)
{
    enum { WRITERS = 8, EACH = 200 };
    for (int w = 0; w < WRITERS; w++)
        if (fork() == 0) {
            for (int i = 0; i < EACH; i++)
                event_write_bounded(root, 100000, "container", "start", "abc", "web",
                                    NULL);
            _exit(0);
        }
    while (wait(NULL) > 0)
        continue;
    struct event_reader *reader = event_reader_open(root, false);
    int count = 0;
    int64_t last = 0;
    json_t *event;
    while ((event = event_reader_next(reader))) {
        assert_true(dr_json_int(event, "time_ns", 0) >= last); /* in order */
        last = dr_json_int(event, "time_ns", 0);
        count++;
        json_decref(event);
    }
    assert_int_equal(count, WRITERS * EACH);
    event_reader_free(reader);
}

static void event_that_is_too_long_loses_its_attributes(void **state)
{
    dr_auto_free char *label = dr_alloc(EVENT_LINE_MAX + 1);
    memset(label, 'x', EVENT_LINE_MAX);
    event_write(root, "container", "start", "abc", "web", json_pack("{ss}", "l", label));
    struct event_reader *reader = event_reader_open(root, false);
    json_t *event = event_reader_next(reader);
    assert_string_equal(dr_json_str(event, "action"), "start");
    assert_int_equal(json_object_size(dr_json_object(event, "attributes")), 0);
    json_decref(event);
    event_reader_free(reader);
}

static bool matches(const char *filters, const char *event_text)
{
    struct dr_error err = DR_ERROR_INIT;
    json_t *list = json_loads(filters, 0, NULL), *event = json_loads(event_text, 0, NULL);
    struct event_filter *filter;
    assert_non_null(list);
    assert_non_null(event);
    assert_int_equal(event_filter_parse(list, &filter, &err), 0);
    bool result = event_filter_matches(filter, event);
    event_filter_free(filter);
    json_decref(list);
    json_decref(event);
    return result;
}

static void filters_are_dockers(void **state)
{
    const char *e =
        "{\"type\":\"container\",\"action\":\"health_status: healthy\",\"id\":\"abcdef\","
        "\"name\":\"web\",\"attributes\":{\"image\":\"docker.io/library/nginx:1.2\","
        "\"tier\":\"front\",\"x\":\"\"}}";
    const char *image = "{\"type\":\"image\",\"action\":\"pull\",\"id\":\"sha256:12\","
                        "\"name\":\"nginx:1.2\",\"attributes\":{}}";
    assert_true(matches("[]", e));
    assert_true(matches("[\"container=web\"]", e));
    assert_true(matches("[\"container=abc\"]", e));
    assert_false(matches("[\"container=we\"]", e)); /* names in full */
    assert_false(matches("[\"container=\"]", e));
    assert_true(matches("[\"container=no\",\"container=web\"]", e)); /* one of them */
    assert_true(matches("[\"event=health_status\"]", e));
    assert_true(matches("[\"event=health_status: healthy\"]", e));
    assert_false(matches("[\"event=health\"]", e));
    assert_false(matches("[\"event=start\",\"container=web\"]", e)); /* both kinds */
    assert_true(matches("[\"image=nginx\"]", e));
    assert_true(matches("[\"image=nginx:1.2\"]", e));
    assert_true(matches("[\"image=docker.io/library/nginx:1.2\"]", e));
    assert_false(matches("[\"image=ngin\"]", e));
    assert_false(matches("[\"image=library\"]", e));
    assert_true(matches("[\"image=nginx\"]", image));
    assert_true(matches("[\"label=tier\",\"label=x=\"]", e));
    assert_false(matches("[\"label=tier\",\"label=y\"]", e)); /* all of them */
    assert_false(matches("[\"label=tier=back\"]", e));
    assert_true(matches("[\"type=image\",\"type=container\"]", e));
    assert_false(matches("[\"type=image\"]", e));
    assert_false(matches("[\"container=nginx:1.2\"]", image));
}

static void unknown_filter_is_refused_and_the_known_are_named(void **state)
{
    static const char *const bad[] = {"[\"colour=red\"]", "[\"start\"]", "[\"=x\"]",
                                      "[3]"};
    for (size_t i = 0; i < DR_COUNT(bad); i++) {
        dr_auto_error struct dr_error err = DR_ERROR_INIT;
        json_t *list = json_loads(bad[i], 0, NULL);
        struct event_filter *filter;
        assert_int_equal(event_filter_parse(list, &filter, &err), -1);
        assert_int_equal(err.kind, DR_ERR_INVALID);
        assert_non_null(strstr(err.text, "there are container=, event=, image="));
        json_decref(list);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(event_is_one_line_with_all_that_was_said),
        TEST(log_is_moved_on_by_size_and_bounded),
        TEST(reader_that_follows_loses_nothing_when_the_log_is_moved_on),
        TEST(reader_waits_for_a_log_that_is_not_there_yet),
        TEST(reader_from_now_sees_nothing_of_before),
        TEST(torn_lines_are_passed_over),
        TEST(full_disk_costs_the_event_and_nothing_else),
        TEST(many_writers_write_whole_lines_and_lose_none),
        TEST(event_that_is_too_long_loses_its_attributes),
        cmocka_unit_test(filters_are_dockers),
        cmocka_unit_test(unknown_filter_is_refused_and_the_known_are_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
