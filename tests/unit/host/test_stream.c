/* SPDX-License-Identifier: Apache-2.0 */
/* C24 to C27, C33, C34: streams against canned answers. */
#include "canned.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include "base/text.h"
#include "host/lines.h"

#define ALL 0x7fffffff

/* What a stream gave, as text: "created;started 42;1:data;exit 3;" and how it ended. */
static int drain(struct dray_stream *stream, struct dr_buf *to,
                 struct dray_error **ret_err)
{
    struct dray_call call = {.timeout_ms = 20000};
    struct dray_event e;
    struct dr_error err = DR_ERROR_INIT;
    int rc;
    while ((rc = dray_stream_next(stream, &call, &e, ret_err)) > 0) {
        switch (e.type) {
        case DRAY_EVENT_CREATED:
            dr_buf_addf(to, &err, "created %s %s;", e.id, e.json);
            break;
        case DRAY_EVENT_STARTED:
            dr_buf_addf(to, &err, "started %lld%s;", (long long)e.pid,
                        e.tty ? " tty" : "");
            break;
        case DRAY_EVENT_OUTPUT:
            dr_buf_addf(to, &err, "%d%s:%.*s;", e.stream, e.partial ? "+" : "",
                        (int)e.len, e.data);
            break;
        case DRAY_EVENT_LOG:
            dr_buf_addf(to, &err, "%lld %d%s %s/%s:%.*s;", (long long)e.time_ns, e.stream,
                        e.partial ? "+" : "", e.service ? e.service : "",
                        e.deployment ? e.deployment : "", (int)e.len, e.data);
            break;
        case DRAY_EVENT_EXIT:
            dr_buf_addf(to, &err, "exit %s%d%s;", e.exit_known ? "" : "unknown ",
                        e.exit_code, e.oom_killed ? " oom" : "");
            break;
        case DRAY_EVENT_STATS:
            dr_buf_addf(to, &err, "stats %s %s %lld;", e.id, e.name,
                        (long long)e.stats.cpu_us);
            break;
        case DRAY_EVENT_ITEM:
            dr_buf_addf(to, &err, "item %s;", e.json);
            break;
        case DRAY_EVENT_ROUND:
            dr_buf_addf(to, &err, "round;");
            break;
        case DRAY_EVENT_EOF:
            dr_buf_addf(to, &err, "eof %d;", e.stream);
            break;
        default:
            fail();
        }
    }
    return rc;
}

static void make_run(struct dr_buf *raw)
{
    raw_start(raw);
    raw_frame(
        raw, WIRE_EVENT, 1, 0,
        "{\"event\":\"created\",\"id\":\"c1\",\"name\":\"n\",\"warnings\":[\"w\"]}");
    raw_frame(raw, WIRE_EVENT, 1, 0, "{\"event\":\"started\",\"pid\":42,\"tty\":false}");
    raw_frame(raw, WIRE_DATA, 1, 1, "one\ntw");
    raw_frame(raw, WIRE_DATA, 1, 2, "err");
    raw_frame(raw, WIRE_EVENT, 1, 0, "{\"event\":\"something new\"}");
    raw_frame(raw, WIRE_DATA, 1, 1, "o\nlast");
    raw_frame(raw, WIRE_EOF, 1, 1, "");
    raw_frame(raw, WIRE_EOF, 1, 2, "");
    raw_frame(raw, WIRE_REPLY, 1, 0, "{\"exit_code\":3,\"oom_killed\":true}");
}

static const char run_chunks[] =
    "created c1 [\"w\"];started 42;1:one\ntw;2:err;1:o\nlast;"
    "exit 3 oom;";
static const char run_lines[] =
    "created c1 [\"w\"];started 42;1:one;1:two;1:last;2:err;exit 3 oom;";

/* The recorded run, cut after len bytes. Gives what came, and the error or NULL. */
static struct dray_error *run_cut(const struct dr_buf *raw, size_t len, bool lines,
                                  char **ret_seen)
{
    struct canned canned = {.raw = raw->data, .raw_len = len, .refuse_after = 1};
    struct dray_attach_options options = {.size = sizeof options, .lines = lines};
    struct dray_spec *spec = dray_spec_new("alpine");
    struct dray_stream *stream = NULL;
    struct dray_error *err = NULL;
    struct dray_call call = {.timeout_ms = 20000};
    struct dr_buf seen = DR_BUF_INIT(1 << 16);
    canned_open(&canned, NULL);
    int rc = dray_container_run(canned.target, spec, &options, &call, &stream, &err);
    if (rc == 0) {
        rc = drain(stream, &seen, &err);
        struct dray_event e;
        struct dray_error *again = NULL;
        /* the end stays the end, and the error the error */
        assert_int_equal(dray_stream_next(stream, NULL, &e, &again), rc);
        if (rc < 0)
            assert_string_equal(again->text, err->text);
        dray_error_free(again);
    }
    assert_int_equal(rc < 0, err != NULL);
    dray_stream_free(stream);
    dray_spec_free(spec);
    free(canned_finish(&canned));
    *ret_seen = dr_buf_take(&seen);
    return err;
}

static void c26_chunks_or_lines_then_exactly_one_exit(void **state)
{
    dr_auto_buf struct dr_buf raw;
    make_run(&raw);
    dr_auto_free char *chunks = NULL, *lines = NULL;
    assert_null(run_cut(&raw, raw.len, false, &chunks));
    assert_string_equal(chunks, run_chunks);
    assert_null(run_cut(&raw, raw.len, true, &lines));
    assert_string_equal(lines, run_lines);
}

static void c33_a_session_cut_after_any_byte_is_a_typed_error_and_no_hang(void **state)
{
    dr_auto_buf struct dr_buf raw;
    make_run(&raw);
    for (size_t len = 0; len < raw.len; len++)
        for (int lines = 0; lines < 2; lines++) {
            dr_auto_free char *seen = NULL;
            struct dray_error *err = run_cut(&raw, len, lines, &seen);
            assert_non_null(err);
            assert_int_equal(err->kind, DRAY_ERR_UNAVAILABLE);
            assert_int_equal(err->origin, DRAY_AT_TRANSPORT);
            assert_true(strlen(err->text) > 10);
            assert_null(strstr(seen, "exit")); /* never made up */
            if (!lines)
                assert_int_equal(strncmp(run_chunks, seen, strlen(seen)), 0);
            dray_error_free(err);
        }
}

static void bytes_that_are_no_frames_are_a_typed_error(void **state)
{
    dr_auto_buf struct dr_buf raw;
    make_run(&raw);
    for (size_t i = WIRE_MAGIC_BYTES; i < raw.len; i++) {
        dr_auto_free char *seen = NULL;
        raw.data[i] = (char)(raw.data[i] ^ 0x81);
        struct dray_error *err = run_cut(&raw, raw.len, i % 2, &seen);
        if (err)
            assert_true(
                err->kind == DRAY_ERR_FORMAT || err->kind == DRAY_ERR_UNAVAILABLE ||
                err->kind == DRAY_ERR_UNSUPPORTED || err->kind == DRAY_ERR_INTERNAL);
        dray_error_free(err);
        raw.data[i] = (char)(raw.data[i] ^ 0x81);
    }
}

/* --- answers by request --- */

struct script {
    const char *events[8]; /* "e{…}" event, "1text" data, "E1" eof, "r{…}", "!{…}" */
};

static bool play(struct canned *canned, const struct wire_header *h, const char *payload)
{
    const struct script *script = canned->arg;
    if (h->type != WIRE_REQUEST)
        return true;
    for (size_t i = 0; i < DR_COUNT(script->events) && script->events[i]; i++) {
        const char *e = script->events[i];
        if (*e == 'e')
            canned_text(canned, WIRE_EVENT, h->channel, 0, e + 1);
        else if (*e == 'r')
            canned_text(canned, WIRE_REPLY, h->channel, 0, e + 1);
        else if (*e == '!')
            canned_text(canned, WIRE_ERROR, h->channel, 0, e + 1);
        else if (*e == 'E')
            canned_text(canned, WIRE_EOF, h->channel, e[1] - '0', "");
        else
            canned_text(canned, WIRE_DATA, h->channel, *e - '0', e + 1);
    }
    return true;
}

static void an_exec_that_never_ran_is_an_error_of_the_call(void **state)
{
    struct script script = {
        {"!{\"kind\":\"start failed\",\"origin\":\"runtime\",\"code\":127,"
         "\"text\":\"crun exec failed\",\"program\":\"crun\","
         "\"status\":1,\"output\":\"a\\nb\"}"}};
    struct canned canned = {.on_frame = play, .arg = &script};
    const char *const argv[] = {"nosuch", NULL};
    struct dray_exec_options options = {.size = sizeof options, .argv = argv};
    struct dray_stream *stream;
    struct dray_error *err = NULL;
    canned_open(&canned, NULL);
    assert_int_equal(dray_exec(canned.target, "web", &options, NULL, &stream, &err), -1);
    assert_int_equal(err->kind, DRAY_ERR_START);
    assert_int_equal(err->origin, DRAY_AT_RUNTIME);
    assert_int_equal(err->code, 127);
    assert_string_equal(err->text, "crun exec failed");
    assert_string_equal(err->program, "crun");
    assert_int_equal(err->status, 1);
    assert_string_equal(err->output, "a\nb");
    dray_error_free(err);
    free(canned_finish(&canned));
}

static void c25_exec_without_a_command_is_refused(void **state)
{
    struct canned canned = {.replies = (const char *[]){"{}"}, .reply_count = 1};
    const char *const none[] = {NULL};
    const struct {
        const char *const *argv;
        const char *text;
    } cases[] = {{NULL, "exec: no command is given"},
                 {none, "exec: no command is given"}};
    canned_open(&canned, NULL);
    for (size_t i = 0; i < DR_COUNT(cases); i++) {
        struct dray_exec_options options = {.size = sizeof options,
                                            .argv = cases[i].argv};
        struct dray_error *err = NULL;
        assert_int_equal(dray_exec_detached(canned.target, "web", &options, NULL, &err),
                         -1);
        assert_int_equal(err->kind, DRAY_ERR_INVALID);
        assert_string_equal(err->text, cases[i].text);
        dray_error_free(err);
    }
    dr_auto_free char *sent = canned_finish(&canned);
    assert_null(strstr(sent, "container.exec"));
}

static void c25_exec_run_gives_code_and_both_outputs(void **state)
{
    struct script script = {{"e{\"event\":\"started\",\"pid\":7}", "1out", "2err", "1put",
                             "E1", "E2", "r{\"exit_code\":5}"}};
    struct canned canned = {.on_frame = play, .arg = &script};
    const char *const argv[] = {"a b", "$(c)", NULL};
    struct dray_exec_options options = {.size = sizeof options,
                                        .argv = argv,
                                        .user = "u",
                                        .tty = true,
                                        .rows = 2,
                                        .columns = 3};
    struct dray_exec_result result;
    struct dray_error *err = NULL;
    canned_open(&canned, NULL);
    assert_int_equal(
        dray_exec_run(canned.target, "web", &options, 0, NULL, &result, &err), 0);
    assert_int_equal(result.exit_code, 5);
    assert_string_equal(result.out, "output");
    assert_int_equal(result.err_len, 3);
    assert_string_equal(result.err, "err");
    dray_exec_result_free(&result);
    /* more than is wanted: an error, and the process is given up */
    assert_int_equal(
        dray_exec_run(canned.target, "web", &options, 4, NULL, &result, &err), -1);
    assert_int_equal(err->kind, DRAY_ERR_INVALID);
    assert_non_null(strstr(err->text, "more than 4 bytes"));
    dray_error_free(err);
    dr_auto_free char *sent = canned_finish(&canned);
    assert_non_null(strstr(
        sent, "{\"args\":[\"a b\",\"$(c)\"],\"columns\":3,\"detach\":false,\"env\":[],"
              "\"id\":\"web\",\"op\":\"container.exec\",\"privileged\":false,\"rows\":2,"
              "\"stdin\":false,\"tty\":true,\"user\":\"u\"}"));
}

static void c25_an_exec_whose_end_nobody_saw_has_no_code(void **state)
{
    struct script script = {
        {"e{\"event\":\"started\",\"pid\":7}", "r{\"exit_code\":null}"}};
    struct canned canned = {.on_frame = play, .arg = &script};
    const char *const argv[] = {"x", NULL};
    struct dray_exec_options options = {.size = sizeof options, .argv = argv};
    struct dray_exec_result result;
    struct dray_error *err = NULL;
    canned_open(&canned, NULL);
    assert_int_equal(
        dray_exec_run(canned.target, "web", &options, 0, NULL, &result, &err), -1);
    assert_int_equal(err->kind, DRAY_ERR_INTERNAL);
    dray_error_free(err);
    free(canned_finish(&canned));
}

/* The container may have started while our word was on its way: CANCEL alone would leave
 * it running. A viewer who gives up ends nothing. */
static void c33_a_start_that_is_given_up_is_undone(void **state)
{
    struct script script = {{"e{\"event\":\"created\",\"id\":\"0123\"}"}};
    struct canned canned = {.on_frame = play, .arg = &script};
    struct dray_spec *spec = dray_spec_new("busybox");
    struct dray_call soon = {.timeout_ms = 30};
    struct dray_stream *stream;
    canned_open(&canned, NULL);
    assert_int_equal(dray_container_run(canned.target, spec, NULL, &soon, &stream, NULL),
                     -1);
    assert_int_equal(
        dray_container_start_attached(canned.target, "web", NULL, &soon, &stream, NULL),
        -1);
    assert_int_equal(
        dray_container_attach(canned.target, "web", NULL, &soon, &stream, NULL), -1);
    dray_spec_free(spec);
    dr_auto_free char *sent = canned_finish(&canned);
    char cancel[16], *end = sent;
    snprintf(cancel, sizeof cancel, "\n%d/", WIRE_CANCEL);
    for (int i = 0; i < 2; i++) {
        end = strstr(end, "{\"event\":\"undo\"}\n");
        assert_non_null(end);
        end = strstr(end, cancel);
        assert_non_null(end);
    }
    assert_null(strstr(end, "undo"));
    assert_non_null(strstr(end + 1, cancel));
}

static void attach_may_end_without_the_container(void **state)
{
    struct script script = {{"e{\"event\":\"started\",\"pid\":7,\"tty\":true}", "1x",
                             "r{\"exit_code\":null}"}};
    struct canned canned = {.on_frame = play, .arg = &script};
    struct dray_stream *stream;
    struct dray_error *err = NULL;
    dr_auto_buf struct dr_buf seen = DR_BUF_INIT(4096);
    canned_open(&canned, NULL);
    assert_int_equal(
        dray_container_attach(canned.target, "web", NULL, NULL, &stream, &err), 0);
    assert_int_equal(drain(stream, &seen, &err), 0);
    assert_string_equal(seen.data, "started 7 tty;1:x;");
    dray_stream_free(stream);
    /* of one that was started attached, nobody knows its code */
    dr_buf_reset(&seen);
    assert_int_equal(
        dray_container_start_attached(canned.target, "web", NULL, NULL, &stream, &err),
        0);
    assert_int_equal(drain(stream, &seen, &err), 0);
    assert_string_equal(seen.data, "started 7 tty;1:x;exit unknown -1;");
    dray_stream_free(stream);
    free(canned_finish(&canned));
}

/* Answers once our end of the connection has ended. */
static bool play_dial(struct canned *canned, const struct wire_header *h,
                      const char *payload)
{
    if (h->type == WIRE_REQUEST)
        canned_text(canned, WIRE_EVENT, h->channel, 0, "{\"event\":\"started\"}");
    if (h->type != WIRE_EOF)
        return true;
    return play(canned,
                &(struct wire_header){.type = WIRE_REQUEST, .channel = h->channel},
                payload);
}

static void a_connection_tells_each_end_and_how_it_was_lost(void **state)
{
    struct script script = {{"1hello", "E1", "r{}"}};
    struct canned canned = {.on_frame = play_dial, .arg = &script};
    struct dray_stream *stream;
    struct dray_error *err = NULL;
    dr_auto_buf struct dr_buf seen = DR_BUF_INIT(4096);
    canned_open(&canned, NULL);
    assert_int_equal(
        dray_container_dial(canned.target, "web", 80, NULL, NULL, &stream, &err), 0);
    assert_int_equal(dray_stream_write(stream, "ask", 3, NULL, NULL), 0);
    assert_int_equal(dray_stream_close_stdin(stream, NULL), 0);
    assert_int_equal(drain(stream, &seen, &err), 0);
    assert_string_equal(seen.data, "started 0;1:hello;eof 1;");
    dray_stream_free(stream);
    static const struct script lost = {
        {"1half",
         "!{\"kind\":\"network\",\"origin\":\"guest\",\"code\":104,\"text\":\"lost\"}"}};
    script = lost;
    dr_buf_reset(&seen);
    assert_int_equal(
        dray_container_dial(canned.target, "web", 53, "udp", NULL, &stream, &err), 0);
    assert_int_equal(dray_stream_close_stdin(stream, NULL), 0);
    assert_int_equal(drain(stream, &seen, &err), -1);
    assert_string_equal(seen.data, "started 0;1:half;");
    assert_int_equal(err->kind, DRAY_ERR_NETWORK);
    assert_int_equal(err->code, 104);
    dray_error_free(err);
    dray_stream_free(stream);
    dr_auto_free char *record = canned_finish(&canned);
    assert_non_null(
        strstr(record, "{\"id\":\"web\",\"op\":\"container.dial\",\"port\":80}"));
    assert_non_null(strstr(record,
                           "{\"id\":\"web\",\"op\":\"container.dial\",\"port\":53,"
                           "\"protocol\":\"udp\"}"));
    assert_non_null(strstr(record, "6/1/0 ask"));
    assert_non_null(strstr(record, "7/1/0"));
}

static bool play_logs(struct canned *canned, const struct wire_header *h,
                      const char *payload)
{
    if (h->type == WIRE_REQUEST && strstr(payload, "container.state")) {
        canned_text(canned, WIRE_REPLY, h->channel, 0,
                    "{\"service\":\"web\",\"deployment\":\"prod\"}");
        return true;
    }
    return play(canned, h, payload);
}

static void c24_a_log_line_has_time_stream_service_and_deployment(void **state)
{
    struct script script = {{"11970-01-01T00:00:01.5Z out 1\n1970-01-01T00:00:02Z ou",
                             "21970-01-01T00:00:03Z \n",
                             "1t 2\nno time\n1970-01-01T00:00:04Z cut off", "E1", "E2",
                             "r{}"}};
    struct canned canned = {.on_frame = play_logs, .arg = &script};
    struct dray_logs_options options = DRAY_LOGS_INIT;
    struct dray_stream *stream;
    struct dray_error *err = NULL;
    dr_auto_buf struct dr_buf seen = DR_BUF_INIT(4096);
    options.tail = 7;
    options.since_ns = 5;
    canned_open(&canned, NULL);
    assert_int_equal(
        dray_container_logs(canned.target, "c", &options, NULL, &stream, &err), 0);
    assert_int_equal(drain(stream, &seen, &err), 0);
    assert_string_equal(seen.data, "1500000000 1 web/prod:out 1;3000000000 2 web/prod:;"
                                   "2000000000 1 web/prod:out 2;0 1 web/prod:no time;"
                                   "4000000000 1 web/prod:cut off;");
    dray_stream_free(stream);
    dr_auto_free char *sent = canned_finish(&canned);
    assert_non_null(strstr(sent,
                           "{\"follow\":false,\"id\":\"c\",\"op\":\"container.logs\","
                           "\"since_ns\":5,\"tail\":7,\"timestamps\":true}"));
}

static void c27_stats_are_events_and_a_sample_is_one_of_them(void **state)
{
    struct script script = {
        {"e{\"event\":\"stats\",\"id\":\"i\",\"name\":\"n\",\"cpu_us\":9,\"pids\":2}",
         "e{\"event\":\"round\"}", "e{\"event\":\"item\",\"item\":{\"a\":1}}", "r{}"}};
    struct canned canned = {.on_frame = play, .arg = &script};
    struct dray_stream *stream;
    struct dray_stats stats;
    struct dray_error *err = NULL;
    dr_auto_buf struct dr_buf seen = DR_BUF_INIT(4096);
    const char *const ids[] = {"a", "b", NULL};
    canned_open(&canned, NULL);
    assert_int_equal(dray_stats_stream(canned.target, ids, 0, true, NULL, &stream, &err),
                     0);
    assert_int_equal(drain(stream, &seen, &err), 0);
    assert_string_equal(seen.data, "stats i n 9;round;item {\"a\":1};");
    dray_stream_free(stream);
    assert_int_equal(dray_container_stats(canned.target, "a", NULL, &stats, &err), 0);
    assert_int_equal(stats.cpu_us, 9);
    assert_int_equal(stats.pids, 2);
    assert_true(stats.memory_limit_bytes == INT64_MAX);
    dr_auto_free char *sent = canned_finish(&canned);
    assert_non_null(strstr(sent, "{\"ids\":[\"a\",\"b\"],\"interval_ms\":1000,"
                                 "\"once\":true,\"op\":\"container.stats\"}"));
}

/* --- lines --- */

static void c26_lines_over_64k_come_in_pieces_and_lose_no_byte(void **state)
{
    const size_t sizes[] = {0, 1, 65535, 65536, 65537, 65536 * 2, 65536 * 2 + 1, 200000};
    const size_t steps[] = {1, 7, 4096, 65536, 131072};
    dr_auto_buf struct dr_buf text = DR_BUF_INIT(1 << 20);
    struct dr_error err = DR_ERROR_INIT;
    for (size_t i = 0; i < DR_COUNT(sizes); i++) {
        dr_auto_free char *line = dr_alloc(sizes[i] + 1);
        memset(line, 'a' + (int)i, sizes[i]);
        dr_buf_addf(&text, &err, "%s\n", line);
    }
    for (size_t s = 0; s < DR_COUNT(steps); s++) {
        struct line_cutter cutter = LINE_CUTTER_INIT;
        dr_auto_buf struct dr_buf got = DR_BUF_INIT(1 << 20);
        struct line line;
        for (size_t at = 0; at < text.len; at += steps[s]) {
            size_t n = text.len - at < steps[s] ? text.len - at : steps[s], used = 0;
            while (line_next(&cutter, text.data + at, n, &used, &line)) {
                assert_true(line.len <= LINE_MAX_BYTES);
                dr_buf_add(&got, line.data, line.len, &err);
                if (line.partial)
                    assert_int_equal(line.len, LINE_MAX_BYTES);
                else
                    dr_buf_add(&got, "\n", 1, &err);
            }
            assert_int_equal(used, n);
        }
        assert_false(line_last(&cutter, &line));
        assert_int_equal(got.len, text.len);
        assert_memory_equal(got.data, text.data, text.len);
        line_cutter_release(&cutter);
    }
}

/* --- limits --- */

static bool start_and_wait(struct canned *canned, const struct wire_header *h,
                           const char *payload)
{
    if (h->type == WIRE_REQUEST)
        canned_text(canned, WIRE_EVENT, h->channel, 0,
                    "{\"event\":\"started\",\"pid\":7}");
    if (h->type == WIRE_EVENT) /* a signal to the exec: it answers */
        canned_text(canned, WIRE_DATA, h->channel, 1, "signalled");
    if (h->type == WIRE_EOF)
        canned_text(canned, WIRE_REPLY, h->channel, 0, "{\"exit_code\":0}");
    return true;
}

static struct dray_stream *open_exec(struct canned *canned, bool stdin_open)
{
    static const char *const argv[] = {"x", NULL};
    struct dray_exec_options options = {
        .size = sizeof options, .argv = argv, .stdin_open = stdin_open};
    struct dray_stream *stream;
    struct dray_event e;
    *canned = (struct canned){.on_frame = start_and_wait};
    canned_open(canned, NULL);
    assert_int_equal(dray_exec(canned->target, "web", &options, NULL, &stream, NULL), 0);
    assert_int_equal(dray_stream_next(stream, NULL, &e, NULL), 1);
    assert_int_equal(e.type, DRAY_EVENT_STARTED);
    return stream;
}

static void c33_a_timeout_leaves_the_stream_as_it_is(void **state)
{
    struct canned canned;
    struct dray_stream *stream = open_exec(&canned, true);
    struct dray_call call = {.timeout_ms = 30};
    struct dray_error *err = NULL;
    struct dray_event e;
    assert_int_equal(dray_stream_next(stream, &call, &e, &err), -1);
    assert_int_equal(err->kind, DRAY_ERR_TIMEOUT);
    dray_error_free(err);
    assert_int_equal(dray_stream_signal(stream, 15, NULL), 0);
    assert_int_equal(dray_stream_next(stream, NULL, &e, NULL), 1);
    assert_memory_equal(e.data, "signalled", 9);
    assert_int_equal(dray_stream_write(stream, "in", 2, NULL, NULL), 0);
    assert_int_equal(dray_stream_close_stdin(stream, NULL), 0);
    assert_int_equal(dray_stream_close_stdin(stream, NULL), 0);
    assert_int_equal(dray_stream_next(stream, NULL, &e, NULL), 1);
    assert_int_equal(e.type, DRAY_EVENT_EXIT);
    assert_int_equal(dray_stream_next(stream, NULL, &e, NULL), 0);
    assert_int_equal(dray_stream_write(stream, "in", 2, NULL, &err), -1);
    assert_int_equal(err->kind, DRAY_ERR_CONFLICT);
    dray_error_free(err);
    dray_stream_free(stream);
    dr_auto_free char *sent = canned_finish(&canned);
    assert_non_null(strstr(sent, "{\"event\":\"signal\",\"signal\":15}"));
    assert_non_null(strstr(sent, "6/1/0 in\n7/1/0 \n"));
}

static struct dray_cancel *to_trigger;

static void *trigger_later(void *arg)
{
    usleep(50000);
    dray_cancel_trigger(arg);
    return NULL;
}

static void on_alarm(int signal)
{
    dray_cancel_trigger(to_trigger);
}

/* Blocks in next until the token is triggered, 50 ms later. */
static void expect_cancelled(struct dray_stream *stream, struct dray_cancel *cancel)
{
    struct dray_call call = {.cancel = cancel};
    struct dray_error *err = NULL;
    struct dray_event e;
    int64_t before = dr_clock_ms();
    assert_int_equal(dray_stream_next(stream, &call, &e, &err), -1);
    assert_int_equal(err->kind, DRAY_ERR_CANCELLED);
    assert_int_equal(err->origin, DRAY_AT_HOST);
    assert_true(dr_clock_ms() - before < 5000);
    dray_error_free(err);
    /* and so does every later call with it, at once */
    assert_int_equal(dray_stream_next(stream, &call, &e, &err), -1);
    assert_int_equal(err->kind, DRAY_ERR_CANCELLED);
    dray_error_free(err);
}

static void c33_a_call_is_cancelled_from_another_thread(void **state)
{
    struct canned canned;
    struct dray_stream *stream = open_exec(&canned, false);
    struct dray_cancel *cancel = dray_cancel_new();
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, trigger_later, cancel), 0);
    expect_cancelled(stream, cancel);
    pthread_join(thread, NULL);
    dray_cancel_free(cancel);
    dray_stream_free(stream); /* gives the exec up */
    dr_auto_free char *sent = canned_finish(&canned);
    assert_non_null(strstr(sent, "9/1 "));
}

static void c33_a_call_is_cancelled_from_a_signal_handler(void **state)
{
    struct canned canned;
    struct dray_stream *stream = open_exec(&canned, false);
    struct sigaction action = {.sa_handler = on_alarm}, before;
    to_trigger = dray_cancel_new();
    sigaction(SIGUSR1, &action, &before);
    pid_t self = getpid(), child = fork();
    if (child == 0) {
        usleep(50000);
        kill(self, SIGUSR1);
        _exit(0);
    }
    expect_cancelled(stream, to_trigger);
    sigaction(SIGUSR1, &before, NULL);
    dray_cancel_free(to_trigger);
    dray_stream_free(stream);
    free(canned_finish(&canned));
}

/* --- back-pressure --- */

struct flood {
    pthread_t thread;
    int out;
    uint32_t channel;
    atomic_size_t sent;
    atomic_size_t credit;
};

static bool flood_frame(struct canned *canned, const struct wire_header *h,
                        const char *payload)
{
    struct flood *flood = canned->arg;
    static char chunk[65536];
    if (h->type == WIRE_REQUEST) {
        canned_text(canned, WIRE_EVENT, h->channel, 0,
                    "{\"event\":\"started\",\"pid\":7}");
        atomic_store(&flood->credit, WIRE_WINDOW_BYTES);
    }
    if (h->type == WIRE_WINDOW) {
        const unsigned char *b = (const unsigned char *)payload;
        atomic_fetch_add(&flood->credit, (size_t)b[0] | (size_t)b[1] << 8 |
                                             (size_t)b[2] << 16 | (size_t)b[3] << 24);
    }
    while (atomic_load(&flood->credit) >= sizeof chunk) {
        canned_send(canned, WIRE_DATA, h->channel, 1, chunk, sizeof chunk);
        atomic_fetch_sub(&flood->credit, sizeof chunk);
        atomic_fetch_add(&flood->sent, sizeof chunk);
    }
    return true;
}

static void c26_a_stopped_reader_holds_the_writer_and_memory_does_not_grow(void **state)
{
    struct flood flood = {.out = -1};
    struct canned canned = {.on_frame = flood_frame, .arg = &flood};
    static const char *const argv[] = {"yes", NULL};
    struct dray_exec_options options = {.size = sizeof options, .argv = argv};
    struct dray_stream *stream;
    struct dray_event e;
    size_t got = 0;
    canned_open(&canned, NULL);
    assert_int_equal(dray_exec(canned.target, "web", &options, NULL, &stream, NULL), 0);
    while (atomic_load(&flood.sent) < WIRE_WINDOW_BYTES)
        usleep(1000);
    usleep(50000); /* for what would be too much */
    assert_int_equal(atomic_load(&flood.sent), WIRE_WINDOW_BYTES);
    while (got < 20 * WIRE_WINDOW_BYTES) {
        assert_int_equal(dray_stream_next(stream, NULL, &e, NULL), 1);
        got += e.len;
        assert_true(atomic_load(&flood.sent) <= got + WIRE_WINDOW_BYTES);
    }
    dray_stream_free(stream);
    free(canned_finish(&canned));
}

static void *write_thread(void *arg)
{
    struct dray_call call = {.timeout_ms = 100};
    struct dray_error *err = NULL;
    static const char much[2 * WIRE_WINDOW_BYTES];
    assert_int_equal(dray_stream_write(arg, much, sizeof much, &call, &err), -1);
    assert_int_equal(err->kind, DRAY_ERR_TIMEOUT);
    dray_error_free(err);
    return NULL;
}

static void c33_a_process_that_does_not_read_holds_only_its_writer(void **state)
{
    struct canned canned;
    struct dray_stream *stream = open_exec(&canned, true);
    struct dray_call call = {.timeout_ms = 50};
    struct dray_event e;
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, write_thread, stream), 0);
    assert_int_equal(dray_stream_next(stream, &call, &e, NULL), -1); /* nothing comes */
    assert_int_equal(dray_stream_signal(stream, 15, NULL), 0); /* past what is unread */
    assert_int_equal(dray_stream_next(stream, NULL, &e, NULL), 1);
    assert_memory_equal(e.data, "signalled", 9);
    pthread_join(thread, NULL);
    dray_stream_free(stream);
    free(canned_finish(&canned));
}

static void closing_the_target_ends_streams_that_are_still_there(void **state)
{
    struct canned canned;
    struct dray_stream *stream = open_exec(&canned, false);
    struct dray_error *err = NULL;
    struct dray_event e;
    free(canned_finish(&canned));
    assert_int_equal(dray_stream_next(stream, NULL, &e, &err), -1);
    assert_int_equal(err->kind, DRAY_ERR_CANCELLED);
    assert_string_equal(err->text, "the target was closed");
    dray_error_free(err);
    dray_stream_free(stream);
}

int main(void)
{
    signal(SIGPIPE, SIG_IGN); /* the canned end writes to pipes */
    alarm(300);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(c26_chunks_or_lines_then_exactly_one_exit),
        cmocka_unit_test(c33_a_session_cut_after_any_byte_is_a_typed_error_and_no_hang),
        cmocka_unit_test(bytes_that_are_no_frames_are_a_typed_error),
        cmocka_unit_test(an_exec_that_never_ran_is_an_error_of_the_call),
        cmocka_unit_test(c25_exec_without_a_command_is_refused),
        cmocka_unit_test(c25_exec_run_gives_code_and_both_outputs),
        cmocka_unit_test(c25_an_exec_whose_end_nobody_saw_has_no_code),
        cmocka_unit_test(attach_may_end_without_the_container),
        cmocka_unit_test(c33_a_start_that_is_given_up_is_undone),
        cmocka_unit_test(a_connection_tells_each_end_and_how_it_was_lost),
        cmocka_unit_test(c24_a_log_line_has_time_stream_service_and_deployment),
        cmocka_unit_test(c27_stats_are_events_and_a_sample_is_one_of_them),
        cmocka_unit_test(c26_lines_over_64k_come_in_pieces_and_lose_no_byte),
        cmocka_unit_test(c33_a_timeout_leaves_the_stream_as_it_is),
        cmocka_unit_test(c33_a_call_is_cancelled_from_another_thread),
        cmocka_unit_test(c33_a_call_is_cancelled_from_a_signal_handler),
        cmocka_unit_test(c26_a_stopped_reader_holds_the_writer_and_memory_does_not_grow),
        cmocka_unit_test(c33_a_process_that_does_not_read_holds_only_its_writer),
        cmocka_unit_test(closing_the_target_ends_streams_that_are_still_there),
    };
    return cmocka_run_group_tests_name("host stream", tests, NULL, NULL);
}
