/* SPDX-License-Identifier: Apache-2.0 */
/* C25 and C26: exec, whole and as a stream; the streams of an attached container. */
#include "contract.h"

#include <pthread.h>
#include <signal.h>

static struct dray_exec_options words(const char *const *argv)
{
    return (struct dray_exec_options){.size = sizeof(struct dray_exec_options),
                                      .argv = argv};
}

static int exec_run(const char *container, const struct dray_exec_options *options,
                    struct dray_exec_result *ret)
{
    return dray_exec_run(target, container, options, 0, NULL, ret, ERR);
}

/* An exec that must be refused, by the call or by its stream; never an exit code. */
static int exec_refused(const char *container, const struct dray_exec_options *options)
{
    struct dray_stream *stream;
    struct dray_event event;
    if (dray_exec(target, container, options, NULL, &stream, ERR) < 0)
        return -1;
    int more;
    while ((more = dray_stream_next(stream, NULL, &event, ERR)) > 0)
        assert_int_not_equal(event.type, DRAY_EVENT_EXIT);
    dray_stream_free(stream);
    return more;
}

/* --- C25 --- */

static void C25_code_stdout_and_stderr_come_back_each_on_its_own(void **s)
{
    sleeper("host");
    struct dray_exec_result result = executed("host", "echo out; echo err >&2; exit 42");
    assert_int_equal(result.exit_code, 42);
    SAME(result.out, "out\n");
    SAME(result.err, "err\n");
    assert_int_equal(result.out_len, 4);
    result = executed("host", "kill -9 $$");
    assert_int_equal(result.exit_code, 137);
}

static void C25_an_empty_command_is_refused(void **s)
{
    sleeper("host");
    static const char *const none[] = {NULL}, *const empty[] = {"", NULL};
    struct dray_exec_options options = words(none);
    FAILS(DRAY_ERR_INVALID, exec_refused("host", &options));
    options.argv = NULL;
    FAILS(DRAY_ERR_INVALID, exec_refused("host", &options));
    options.argv = empty;
    assert_int_equal(exec_refused("host", &options), -1);
    FAILS(DRAY_ERR_INVALID, dray_exec_detached(target, "host",
                                               &(struct dray_exec_options){
                                                   .size = sizeof options, .argv = none},
                                               NULL, ERR));
}

/* printf gives them back, of an exec and of a container's own command. */
static void reach_it(const char *const *argv)
{
    sleeper("host");
    struct dray_exec_options options = words(argv);
    struct dray_exec_result result;
    OK(exec_run("host", &options, &result));
    char want[512] = "";
    for (size_t i = 2; argv[i]; i++)
        strcat(strcat(want, argv[i]), "|");
    SAME(result.out, want);
    dray_exec_result_free(&result);
    struct dray_spec *spec = spec_for(NULL, NULL);
    set(spec, "rm", "true");
    for (size_t i = 0; argv[i]; i++)
        add(spec, "args", argv[i]);
    SAME(ran(spec).out, want);
}

static void C25_words_reach_it_byte_for_byte(void **s)
{
    static const char *const argv[] = {"printf",
                                       "%s|",
                                       "",
                                       "a b",
                                       "$HOME",
                                       "`id`",
                                       "; exit",
                                       "'\"\\\\",
                                       "*",
                                       "\n\t",
                                       "\xc3\xa4\xe2\x82\xac",
                                       "-rf",
                                       "%s",
                                       "{\"a\":1}",
                                       "&& x",
                                       NULL};
    reach_it(argv);
}

static void C25_so_do_words_that_are_no_text(void **s)
{
    SKIP_SANITIZED("the helper is not static, and finds no libraries in the image");
    char every[256];
    for (int i = 0; i < 255; i++)
        every[i] = (char)(i + 1);
    every[255] = '\0';
    const char *const argv[] = {"printf", "%s|", every, "", "\xff", "$HOME", NULL};
    reach_it(argv);
}

static void C25_env_user_and_workdir(void **s)
{
    static const char *const argv[] = {"sh", "-c", "id -u; pwd; echo $A $B", NULL};
    static const char *const env[] = {"A=mine", "B=two words", NULL};
    struct dray_spec *spec = spec_for("host", "sleep", "1000", NULL);
    add(spec, "env", "A=container's");
    add(spec, "env", "KEPT=yes");
    started(spec);
    struct dray_exec_options options = words(argv);
    struct dray_exec_result result;
    options.env = env;
    options.user = "app";
    options.workdir = "/tmp";
    OK(exec_run("host", &options, &result));
    SAME(result.out, "1000\n/tmp\nmine two words\n");
    dray_exec_result_free(&result);
    SAME(executed("host", "echo $A $KEPT; id -u").out, "container's yes\n0\n");
    options.user = "no-such-user";
    assert_int_equal(exec_refused("host", &options), -1);
    HAS(last_error->text, "no-such-user");
}

static void C25_the_command_failed_and_the_exec_failed_are_never_the_same(void **s)
{
    sleeper("host");
    static const char *const missing[] = {"no-such-command", NULL},
                             *const closed[] = {"/usr/bin/not-executable", NULL};
    struct dray_exec_options options = words(missing);
    FAILS(DRAY_ERR_START, exec_refused("host", &options), "no-such-command");
    assert_int_equal(last_error->code, 127);
    options.argv = closed;
    FAILS(DRAY_ERR_START, exec_refused("host", &options), "not-executable");
    assert_int_equal(last_error->code, 126);
    /* the command's own 125, 126 and 127 are its exit codes */
    for (int code = 125; code <= 127; code++) {
        struct dray_exec_result result = executed("host", text("exit %d", code));
        assert_int_equal(result.exit_code, code);
        SAME(result.err, "");
    }
}

static void C25_in_one_that_does_not_run_it_is_a_conflict(void **s)
{
    static const char *const argv[] = {"true", NULL};
    struct dray_exec_options options = words(argv);
    created(spec_for("still", "true", NULL));
    FAILS(DRAY_ERR_CONFLICT, exec_refused("still", &options), "still");
    ran(spec_for("over", "true", NULL));
    FAILS(DRAY_ERR_CONFLICT, exec_refused("over", &options), "over");
    FAILS(DRAY_ERR_NOT_FOUND, exec_refused("nobody", &options), "nobody");
}

static void C25_stdin_reaches_it_and_so_does_its_end(void **s)
{
    static const char *const argv[] = {"wc", "-c", NULL};
    sleeper("host");
    struct dray_exec_options options = words(argv);
    struct dray_stream *stream;
    options.stdin_open = true;
    OK(dray_exec(target, "host", &options, NULL, &stream, ERR));
    char *block = calloc(1, 100000);
    defer(free, block);
    for (int i = 0; i < 20; i++)
        OK(dray_stream_write(stream, block, 100000, NULL, ERR));
    OK(dray_stream_close_stdin(stream, ERR));
    SAME(drained(stream).out, "2000000\n");
    /* without it: at its end from the start */
    options.stdin_open = false;
    OK(dray_exec(target, "host", &options, NULL, &stream, ERR));
    SAME(drained(stream).out, "0\n");
}

static void C25_a_terminal_has_the_size_that_it_is_given(void **s)
{
    /* crun sets the size when the command runs already, and a resize passes stdin */
    static const char *const argv[] = {
        "sh", "-c",
        "is() { until [ \"$(stty size)\" = \"$1\" ]; do usleep 5000; done; stty size; }; "
        "is '33 77'; test -t 0 -a -t 1 && echo a terminal; read x; is '44 99'",
        NULL};
    sleeper("host");
    struct dray_exec_options options = words(argv);
    struct dray_stream *stream;
    struct dray_event event;
    options.tty = options.stdin_open = true;
    options.rows = 33;
    options.columns = 77;
    OK(dray_exec(target, "host", &options, NULL, &stream, ERR));
    char seen[4096] = "";
    while (!strstr(seen, "a terminal")) {
        if (dray_stream_next(stream, NULL, &event, ERR) <= 0)
            fail_msg("it ended: %s %s", seen, last_error ? last_error->text : "");
        if (event.type == DRAY_EVENT_OUTPUT)
            strncat(seen, event.data, event.len);
    }
    HAS(seen, "33 77\r\n");
    OK(dray_stream_resize(stream, 44, 99, ERR));
    OK(dray_stream_write(stream, "\n", 1, NULL, ERR));
    struct result rest = drained(stream);
    HAS(rest.out, "44 99");
    SAME(rest.err, ""); /* everything is stream 1 */
    assert_int_equal(rest.code, 0);
}

static void C25_detached_it_runs_on(void **s)
{
    static const char *const argv[] = {"sh", "-c", "usleep 100000; echo done >/tmp/mark",
                                       NULL};
    static const char *const missing[] = {"no-such-command", NULL};
    sleeper("host");
    struct dray_exec_options options = words(argv);
    OK(dray_exec_detached(target, "host", &options, NULL, ERR));
    EVENTUALLY(strcmp(executed("host", "cat /tmp/mark 2>/dev/null || :").out, "done\n") ==
               0);
    options.argv = missing;
    FAILS(DRAY_ERR_START, dray_exec_detached(target, "host", &options, NULL, ERR),
          "no-such-command");
}

/* More than a terminal holds while nobody reads it, and the session is closed at once. */
static void C25_detached_it_has_a_terminal_that_somebody_reads(void **s)
{
    static const char *const argv[] = {
        "sh", "-c",
        "test -t 0 -a -t 1 -a -t 2 || exit 1; "
        "yes | head -c 300000; usleep 100000; test -t 1 && echo done >/tmp/mark",
        NULL};
    sleeper("host");
    struct dray_open_options same = same_target();
    struct dray_exec_options options = words(argv);
    struct dray_target *own;
    options.tty = true;
    OK(dray_open(&same, &own, ERR));
    OK(dray_exec_detached(own, "host", &options, NULL, ERR));
    dray_close(own);
    EVENTUALLY(strcmp(executed("host", "cat /tmp/mark 2>/dev/null || :").out, "done\n") ==
               0);
}

static void C25_output_is_bounded_and_more_ends_the_process(void **s)
{
    static const char *const argv[] = {"sh", "-c", "echo $$ >/tmp/pid; exec yes", NULL};
    sleeper("host");
    struct dray_exec_options options = words(argv);
    struct dray_exec_result result;
    FAILS(DRAY_ERR_INVALID,
          dray_exec_run(target, "host", &options, 100000, NULL, &result, ERR), "100000");
    EVENTUALLY(executed("host", "kill -0 $(cat /tmp/pid) 2>/dev/null").exit_code != 0);
}

static void C25_it_has_the_container_s_limits(void **s)
{
    sleeper("host");
    const char *script = "grep -E 'CapBnd|Seccomp:' /proc/self/status; "
                         "sed 's/^[0-9]*://' /proc/self/cgroup | sort | tail -n 1; "
                         "ls /proc/self/fd | tr '\\n' ' '";
    struct dray_exec_result result = executed("host", script);
    HAS(result.out, "CapBnd:\t00000000a80425fb");
    HAS(result.out, "0 1 2 3");
    LACKS(result.out, "0 1 2 3 4");
    if (!runtime_is("youki")) /* docs/internals/RUNTIMES.md, "exec and seccomp" */
        HAS(result.out, "Seccomp:\t2");
}

/* --- C26 --- */

static void C26_started_then_output_then_exactly_one_exit(void **s)
{
    static const char *const argv[] = {"sh", "-c", "echo a; echo b >&2; exit 3", NULL};
    sleeper("host");
    struct dray_exec_options options = words(argv);
    struct dray_stream *stream;
    struct dray_event event;
    enum dray_event_type types[64];
    int count = 0, more;
    OK(dray_exec(target, "host", &options, NULL, &stream, ERR));
    while ((more = dray_stream_next(stream, NULL, &event, ERR)) > 0 && count < 64) {
        types[count++] = event.type;
        if (event.type == DRAY_EVENT_STARTED)
            assert_true(event.pid > 0);
        if (event.type == DRAY_EVENT_EXIT)
            assert_int_equal(event.exit_code, 3);
    }
    OK(more);
    assert_int_equal(dray_stream_next(stream, NULL, &event, ERR), 0); /* still the end */
    dray_stream_free(stream);
    assert_true(count >= 4);
    assert_int_equal(types[0], DRAY_EVENT_STARTED);
    assert_int_equal(types[count - 1], DRAY_EVENT_EXIT);
    for (int i = 1; i < count - 1; i++)
        assert_int_equal(types[i], DRAY_EVENT_OUTPUT);
}

static void C26_lines_are_one_event_each_with_pieces_marked(void **s)
{
    static const char *const argv[] = {
        "sh", "-c",
        "echo one; echo; printf 'two\\r\\n'; printf three >&2; "
        "head -c 150000 /dev/zero | tr '\\0' x; echo; printf end",
        NULL};
    sleeper("host");
    struct dray_exec_options options = words(argv);
    struct dray_stream *stream;
    struct dray_event event;
    options.lines = true;
    OK(dray_exec(target, "host", &options, NULL, &stream, ERR));
    char *lines[64];
    size_t count = 0, large = 0, pieces = 0;
    bool on_stderr = false;
    while (dray_stream_next(stream, NULL, &event, ERR) > 0) {
        if (event.type != DRAY_EVENT_OUTPUT)
            continue;
        if (event.stream == 2) {
            on_stderr = event.len == 5 && memcmp(event.data, "three", 5) == 0;
            continue;
        }
        if (event.len && event.data[0] == 'x') {
            large += event.len;
            pieces += event.partial;
            assert_true(event.len <= 65536);
            continue;
        }
        lines[count++] = text("%.*s", (int)event.len, event.data);
    }
    dray_stream_free(stream);
    assert_true(on_stderr);
    assert_int_equal(large, 150000);
    assert_true(pieces >= 2);
    assert_int_equal(count, 4);
    SAME(lines[0], "one");
    SAME(lines[1], "");
    SAME(lines[2], "two\r");
    SAME(lines[3], "end");
}

static void C26_any_bytes_pass_in_both_directions(void **s)
{
    static const char *const argv[] = {"cat", NULL};
    sleeper("host");
    struct dray_exec_options options = words(argv);
    struct dray_stream *stream;
    options.stdin_open = true;
    OK(dray_exec(target, "host", &options, NULL, &stream, ERR));
    unsigned char block[65536], seen[256] = {0};
    for (size_t i = 0; i < sizeof block; i++)
        block[i] = (unsigned char)(i * 7 + i / 256);
    OK(dray_stream_write(stream, block, sizeof block, NULL, ERR));
    OK(dray_stream_close_stdin(stream, ERR));
    struct result result = drained(stream);
    assert_int_equal(result.out_len, sizeof block);
    assert_memory_equal(result.out, block, sizeof block);
    for (size_t i = 0; i < sizeof block; i++)
        seen[block[i]] = 1;
    for (size_t i = 0; i < 256; i++)
        assert_int_equal(seen[i], 1);
}

static void C26_a_slow_reader_holds_the_writer_back_and_memory_does_not_grow(void **s)
{
    SKIP_SANITIZED("memory is another matter there");
    static const char *const argv[] = {
        "sh", "-c",
        "i=0; while [ $i -lt 400 ]; do head -c 100000 /dev/zero; i=$((i+1)); echo $i "
        ">/tmp/at; done",
        NULL};
    sleeper("host");
    struct dray_exec_options options = words(argv);
    struct dray_open_options own = same_target();
    struct dray_target *other = opened(&own);
    struct dray_stream *stream;
    char *json;
    OK(dray_hello(other, &json, ERR));
    int64_t helper = int_at(parsed(json), "pid"),
            before = process_number(helper, "VmRSS");
    OK(dray_exec(other, "host", &options, NULL, &stream, ERR));
    /* nobody reads: it must come to a halt long before its forty megabytes */
    int at_first = -1, at_last = -2;
    EVENTUALLY((at_last = atoi(executed("host", "cat /tmp/at || echo 0").out)) > 0);
    while (at_first != at_last) {
        at_first = at_last;
        sleep_ms(300);
        at_last = atoi(executed("host", "cat /tmp/at").out);
    }
    assert_true(at_last < 60); /* windows and pipes: six megabytes at the very most */
    assert_true(process_number(helper, "VmRSS") - before < 8192);
    struct result rest = drained(stream);
    assert_int_equal(rest.out_len, 40000000);
    assert_int_equal(rest.code, 0);
}

static void C26_dropping_the_stream_ends_the_process_on_the_other_side(void **s)
{
    static const char *const argv[] = {"sh", "-c", "echo $$; exec sleep 998", NULL};
    sleeper("host");
    struct dray_exec_options options = words(argv);
    struct dray_stream *stream;
    struct dray_event event;
    OK(dray_exec(target, "host", &options, NULL, &stream, ERR));
    do
        assert_int_equal(dray_stream_next(stream, NULL, &event, ERR), 1);
    while (event.type != DRAY_EVENT_OUTPUT);
    int pid = atoi(event.data);
    assert_int_equal(executed("host", text("kill -0 %d", pid)).exit_code, 0);
    dray_stream_free(stream);
    EVENTUALLY(executed("host", text("kill -0 %d 2>/dev/null", pid)).exit_code != 0);
    assert_int_equal(state_of("host").phase, DRAY_RUNNING);
}

static void C26_a_signal_goes_past_stdin_that_nobody_reads(void **s)
{
    static const char *const argv[] = {
        "sh", "-c",
        "trap 'exit 9' USR1; echo ready; while :; do sleep "
        "0.05; done",
        NULL};
    sleeper("host");
    struct dray_exec_options options = words(argv);
    struct dray_stream *stream;
    struct dray_event event;
    options.stdin_open = true;
    OK(dray_exec(target, "host", &options, NULL, &stream, ERR));
    do
        assert_int_equal(dray_stream_next(stream, NULL, &event, ERR), 1);
    while (event.type != DRAY_EVENT_OUTPUT);
    char block[65536] = {0};
    struct dray_call brief = {.timeout_ms = 200};
    for (int i = 0; i < 40; i++) /* until the window is full */
        if (dray_stream_write(stream, block, sizeof block, &brief, ERR) < 0)
            break;
    OK(dray_stream_signal(stream, SIGUSR1, ERR));
    assert_int_equal(drained(stream).code, 9);
}

static void C26_a_timeout_of_next_leaves_the_stream_as_it_is(void **s)
{
    static const char *const argv[] = {
        "sh", "-c", "until test -e /go; do usleep 20000; done; echo late", NULL};
    sleeper("host");
    struct dray_exec_options options = words(argv);
    struct dray_call brief = {.timeout_ms = 50};
    struct dray_stream *stream;
    struct dray_event event;
    OK(dray_exec(target, "host", &options, NULL, &stream, ERR));
    int result;
    while ((result = dray_stream_next(stream, &brief, &event, ERR)) > 0)
        assert_int_equal(event.type, DRAY_EVENT_STARTED);
    FAILS(DRAY_ERR_TIMEOUT, result);
    assert_int_equal(executed("host", "touch /go").exit_code, 0);
    SAME(drained(stream).out, "late\n");
}

static void C26_an_attached_run_is_created_started_output_and_one_exit(void **s)
{
    struct result result = ran(spec_sh("attached", "echo out; echo err >&2; exit 8"));
    assert_int_equal(result.created, 1);
    assert_int_equal(result.started, 1);
    assert_int_equal(result.exits, 1);
    assert_true(result.known);
    assert_int_equal(result.code, 8);
    SAME(result.out, "out\n");
    SAME(result.err, "err\n");
    SAME(result.id, str_at(inspected("attached"), "Id"));
}

static void C26_dropping_an_attached_stream_leaves_the_container_alone(void **s)
{
    struct dray_spec *spec = spec_sh("stays", "echo ready; exec sleep 1000");
    struct dray_stream *stream;
    struct dray_event event;
    OK(dray_container_run(target, spec, NULL, NULL, &stream, ERR));
    do
        assert_int_equal(dray_stream_next(stream, NULL, &event, ERR), 1);
    while (event.type != DRAY_EVENT_OUTPUT);
    dray_stream_free(stream);
    sleep_ms(100);
    assert_int_equal(state_of("stays").phase, DRAY_RUNNING);
}

static void C26_attach_joins_with_input_and_output_and_hears_the_end(void **s)
{
    struct dray_spec *spec = spec_sh(
        "joined",
        "echo ready; while read l; do echo \"<$l>\"; [ $l != end ] || exit 5; done");
    set(spec, "interactive", "true");
    started(spec);
    wait_logged("joined", "ready");
    struct dray_attach_options options = {.size = sizeof options, .stdin_open = true};
    struct dray_stream *stream;
    /* one that goes away leaves stdin open for the next one, as Docker's does */
    OK(dray_container_attach(target, "joined", &options, NULL, &stream, ERR));
    OK(dray_stream_write(stream, "a\n", 2, NULL, ERR));
    wait_logged("joined", "<a>");
    dray_stream_free(stream);
    OK(dray_container_attach(target, "joined", &options, NULL, &stream, ERR));
    OK(dray_stream_write(stream, "b\nend\n", 6, NULL, ERR));
    struct result result = drained(stream);
    SAME(result.out, "<b>\n<end>\n");
    assert_int_equal(result.code, 5);
    FAILS(DRAY_ERR_CONFLICT,
          dray_container_attach(target, "joined", &options, NULL, &stream, ERR),
          "joined");
}

static void C26_an_attached_run_s_stdin_is_half_closed(void **s)
{
    struct dray_attach_options options = {.size = sizeof options, .stdin_open = true};
    struct dray_spec *spec = spec_sh(NULL, "wc -c; echo more; exit 5");
    struct dray_stream *stream;
    set(spec, "interactive", "true");
    set(spec, "rm", "true");
    OK(dray_container_run(target, spec, &options, NULL, &stream, ERR));
    char *block = calloc(1, 700000);
    defer(free, block);
    OK(dray_stream_write(stream, block, 700000, NULL, ERR));
    OK(dray_stream_close_stdin(stream, ERR));
    struct result result = drained(stream);
    SAME(result.out, "700000\nmore\n");
    assert_int_equal(result.code, 5);
}

static void C26_two_attach_and_both_see_what_comes(void **s)
{
    started(spec_sh("watched",
                    "trap 'echo said; exit 2' TERM; echo ready; while :; do sleep "
                    "0.05; done"));
    wait_logged("watched", "ready");
    struct dray_stream *streams[2];
    struct dray_event event;
    for (int i = 0; i < 2; i++) {
        OK(dray_container_attach(target, "watched", NULL, NULL, &streams[i], ERR));
        assert_int_equal(dray_stream_next(streams[i], NULL, &event, ERR), 1);
        assert_int_equal(event.type, DRAY_EVENT_STARTED);
    }
    OK(dray_container_kill(target, "watched", "TERM", NULL, ERR));
    for (int i = 0; i < 2; i++) {
        struct result result = drained(streams[i]);
        SAME(result.out, "said\n");
        assert_int_equal(result.code, 2);
    }
}

static void C26_start_attached_misses_nothing(void **s)
{
    created(spec_sh("first-byte", "echo first; exit 4"));
    struct dray_stream *stream;
    for (int i = 0; i < 5; i++) {
        OK(dray_container_start_attached(target, "first-byte", NULL, NULL, &stream, ERR));
        struct result result = drained(stream);
        SAME(result.out, "first\n");
        assert_int_equal(result.code, 4);
    }
}

struct pumped {
    char out[4096];
    int started;
};

static int on_output(void *arg, int stream, const void *data, size_t len)
{
    struct pumped *pumped = arg;
    strncat(pumped->out, data, len);
    return 0;
}

static void on_event(void *arg, const struct dray_event *event)
{
    ((struct pumped *)arg)->started += event->type == DRAY_EVENT_STARTED;
}

static int stop_it(void *arg, int stream, const void *data, size_t len)
{
    return 1;
}

static void C26_a_pump_moves_it_through_callbacks_and_tells_the_end(void **s)
{
    struct dray_spec *spec = spec_sh("pumped", "echo one; echo two >&2; exit 6");
    struct pumped pumped = {0};
    struct dray_pump pump = DRAY_PUMP_INIT;
    struct dray_event end;
    struct dray_stream *stream;
    pump.on_output = on_output;
    pump.on_event = on_event;
    pump.arg = &pumped;
    OK(dray_container_run(target, spec, NULL, NULL, &stream, ERR));
    keep_stream(stream);
    assert_int_equal(dray_stream_pump(stream, &pump, NULL, &end, ERR), 0);
    assert_int_equal(end.type, DRAY_EVENT_EXIT);
    assert_int_equal(end.exit_code, 6);
    assert_int_equal(pumped.started, 1);
    HAS(pumped.out, "one\n");
    HAS(pumped.out, "two\n");
    OK(dray_container_start_attached(target, "pumped", NULL, NULL, &stream, ERR));
    keep_stream(stream);
    pump.on_output = stop_it;
    FAILS(DRAY_ERR_CANCELLED, dray_stream_pump(stream, &pump, NULL, &end, ERR));
}

TESTS(exec_tests, TEST(C25_code_stdout_and_stderr_come_back_each_on_its_own),
      TEST(C25_an_empty_command_is_refused), TEST(C25_words_reach_it_byte_for_byte),
      TEST(C25_so_do_words_that_are_no_text), TEST(C25_env_user_and_workdir),
      TEST(C25_the_command_failed_and_the_exec_failed_are_never_the_same),
      TEST(C25_in_one_that_does_not_run_it_is_a_conflict),
      TEST(C25_stdin_reaches_it_and_so_does_its_end),
      TEST(C25_a_terminal_has_the_size_that_it_is_given), TEST(C25_detached_it_runs_on),
      TEST(C25_detached_it_has_a_terminal_that_somebody_reads),
      TEST(C25_output_is_bounded_and_more_ends_the_process),
      TEST(C25_it_has_the_container_s_limits),
      TEST(C26_started_then_output_then_exactly_one_exit),
      TEST(C26_lines_are_one_event_each_with_pieces_marked),
      TEST(C26_any_bytes_pass_in_both_directions),
      TEST(C26_a_slow_reader_holds_the_writer_back_and_memory_does_not_grow),
      TEST(C26_dropping_the_stream_ends_the_process_on_the_other_side),
      TEST(C26_a_signal_goes_past_stdin_that_nobody_reads),
      TEST(C26_a_timeout_of_next_leaves_the_stream_as_it_is),
      TEST(C26_an_attached_run_is_created_started_output_and_one_exit),
      TEST(C26_dropping_an_attached_stream_leaves_the_container_alone),
      TEST(C26_attach_joins_with_input_and_output_and_hears_the_end),
      TEST(C26_an_attached_run_s_stdin_is_half_closed),
      TEST(C26_two_attach_and_both_see_what_comes),
      TEST(C26_start_attached_misses_nothing),
      TEST(C26_a_pump_moves_it_through_callbacks_and_tells_the_end));
