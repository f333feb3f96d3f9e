/* SPDX-License-Identifier: Apache-2.0 */
/* C25, C26: dray_stream_pump and the detach keys, against canned answers. */
#include "canned.h"

#include <errno.h>
#include <fcntl.h>
#include <pty.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/fs.h"
#include "host/detach.h"

/* --- detach keys --- */

/* What goes on of the input, given in pieces of n bytes; '!' at its end: detached. */
static char *filtered(const char *keys, const char *input, size_t n)
{
    struct detach detach;
    struct dr_error err = DR_ERROR_INIT;
    struct dr_buf out = DR_BUF_INIT(4096);
    assert_int_equal(detach_parse(keys, &detach, &err), 0);
    for (size_t at = 0; at < strlen(input); at += n) {
        unsigned char passed[256];
        size_t len, left = strlen(input) - at;
        bool detached = detach_filter(&detach, (const unsigned char *)input + at,
                                      left < n ? left : n, passed, &len);
        dr_buf_add(&out, passed, len, &err);
        if (detached) {
            dr_buf_add(&out, "!", 1, &err);
            break;
        }
    }
    return dr_buf_take(&out);
}

static void
detach_keys_are_found_across_reads_and_nothing_else_is_held_for_good(void **state)
{
    static const struct {
        const char *keys, *input, *passed;
    } cases[] = {
        {"ctrl-p,ctrl-q", "ab\x10\x11zz", "ab!"},
        {"ctrl-p,ctrl-q", "ab\x10zz", "ab\x10zz"},
        {"ctrl-p,ctrl-q", "\x10\x10\x11", "\x10!"},
        {"ctrl-p,ctrl-q", "a\x10", "a"}, /* held back until the next key */
        {"a,a,b", "aaaab", "aa!"},
        {"a,b,a,c", "ababac", "ab!"},
        {"x", "x", "!"},
        {"", "a\x10\x11", "a\x10\x11"},
        {NULL, "a\x10\x11", "a\x10\x11"},
        {"ctrl-@", "ab", "ab"},
        {"ctrl-\\,ctrl-_", "\x1c\x1f", "!"},
        {",,a", ",a", "!"},
    };
    for (size_t i = 0; i < DR_COUNT(cases); i++)
        for (size_t n = 1; n < 5; n++) {
            dr_auto_free char *passed = filtered(cases[i].keys, cases[i].input, n);
            assert_string_equal(passed, cases[i].passed);
        }
}

static void bad_detach_keys_are_refused_by_name(void **state)
{
    static const char *const bad[] = {
        "ctrl-",  "ctrl-1",         "ab",      "a,",
        "Ctrl-p", "ctrl-p,,ctrl-q", "ctrl-pp", "a,b,c,d,e,f,g,h,i,j,k,l,m,n,o,p,q"};
    for (size_t i = 0; i < DR_COUNT(bad); i++) {
        struct dray_error *err = NULL;
        assert_int_equal(dray_detach_keys_check(bad[i], &err), -1);
        assert_int_equal(err->kind, DRAY_ERR_INVALID);
        assert_non_null(strstr(err->text, bad[i]));
        dray_error_free(err);
    }
    assert_int_equal(dray_detach_keys_check("ctrl-p,ctrl-q", NULL), 0);
    assert_int_equal(dray_detach_keys_check("a,,", NULL), 0); /* 'a' and ',' */
}

/* --- the pump --- */

/* An echo: what comes on stdin goes out, its end ends it; signals are told on stderr. */
static bool echo(struct canned *canned, const struct wire_header *h, const char *payload)
{
    uint32_t *channel = canned->arg;
    if (h->type == WIRE_REQUEST && strstr(payload, "container.kill")) {
        canned_text(canned, WIRE_DATA, *channel, 2, "killed");
        canned_text(canned, WIRE_REPLY, h->channel, 0, "{}");
    } else if (h->type == WIRE_REQUEST) {
        *channel = h->channel;
        canned_text(canned, WIRE_EVENT, h->channel, 0,
                    "{\"event\":\"started\",\"pid\":7,\"tty\":true}");
    } else if (h->type == WIRE_DATA) {
        canned_send(canned, WIRE_DATA, h->channel, 1, payload, h->length);
    } else if (h->type == WIRE_EOF) {
        canned_text(canned, WIRE_REPLY, h->channel, 0, "{\"exit_code\":4}");
    }
    return true;
}

struct ends {
    struct canned canned;
    uint32_t channel;
    struct dray_stream *stream;
    int in[2], out[2], err[2], control[2];
    struct dray_pump pump;
};

static void ends_open(struct ends *ends)
{
    struct dray_attach_options options = {.size = sizeof options, .stdin_open = true};
    memset(ends, 0, sizeof *ends);
    ends->canned = (struct canned){.on_frame = echo, .arg = &ends->channel};
    canned_open(&ends->canned, NULL);
    assert_int_equal(dray_container_attach(ends->canned.target, "web", &options, NULL,
                                           &ends->stream, NULL),
                     0);
    assert_int_equal(pipe2(ends->in, O_CLOEXEC), 0);
    assert_int_equal(pipe2(ends->out, O_CLOEXEC), 0);
    assert_int_equal(pipe2(ends->err, O_CLOEXEC), 0);
    assert_int_equal(pipe2(ends->control, O_CLOEXEC), 0);
    ends->pump = (struct dray_pump)DRAY_PUMP_INIT;
    ends->pump.stdin_fd = ends->in[0];
    ends->pump.stdout_fd = ends->out[1];
    ends->pump.stderr_fd = ends->err[1];
    ends->pump.control_fd = ends->control[0];
}

static char *ends_close(struct ends *ends)
{
    dray_stream_free(ends->stream);
    for (int i = 0; i < 2; i++) {
        dr_cleanup_fd(&ends->in[i]);
        dr_cleanup_fd(&ends->out[i]);
        dr_cleanup_fd(&ends->err[i]);
        dr_cleanup_fd(&ends->control[i]);
    }
    return canned_finish(&ends->canned);
}

static void expect_bytes(int fd, const char *want)
{
    char got[256] = "";
    assert_int_equal(dr_read_full(fd, got, strlen(want)), strlen(want));
    assert_string_equal(got, want);
}

static void c26_bytes_go_both_ways_and_stdin_is_half_closed(void **state)
{
    struct ends ends;
    struct dray_event end;
    ends_open(&ends);
    assert_int_equal(write(ends.in[1], "ab\0c", 4), 4);
    close(ends.in[1]);
    ends.in[1] = -1;
    assert_int_equal(dray_stream_pump(ends.stream, &ends.pump, NULL, &end, NULL), 0);
    assert_int_equal(end.type, DRAY_EVENT_EXIT);
    assert_int_equal(end.exit_code, 4);
    char got[4];
    assert_int_equal(dr_read_full(ends.out[0], got, 4), 4);
    assert_memory_equal(got, "ab\0c", 4);
    free(ends_close(&ends));
}

static void the_detach_keys_end_the_pump_and_the_rest_is_not_sent(void **state)
{
    struct ends ends;
    ends_open(&ends);
    ends.pump.detach_keys = "ctrl-p,ctrl-q";
    assert_int_equal(write(ends.in[1], "typed\x10\x11more", 11), 11);
    assert_int_equal(dray_stream_pump(ends.stream, &ends.pump, NULL, NULL, NULL), 1);
    dr_auto_free char *sent = ends_close(&ends);
    assert_non_null(strstr(sent, "6/1/0 typed\n"));
    assert_null(strstr(sent, "more"));
    assert_non_null(strstr(sent, "9/1 ")); /* and the view is given up */
}

static void a_first_detach_key_before_the_end_of_stdin_goes_through(void **state)
{
    struct ends ends;
    ends_open(&ends);
    ends.pump.detach_keys = "ctrl-p,ctrl-q";
    assert_int_equal(write(ends.in[1], "x\x10", 2), 2);
    close(ends.in[1]);
    ends.in[1] = -1;
    assert_int_equal(dray_stream_pump(ends.stream, &ends.pump, NULL, NULL, NULL), 0);
    expect_bytes(ends.out[0], "x\x10");
    free(ends_close(&ends));
}

static void an_output_that_nobody_reads_is_an_error_and_no_signal(void **state)
{
    struct ends ends;
    struct dray_error *err = NULL;
    struct sigaction before, fatal = {.sa_handler = SIG_DFL};
    sigaction(SIGPIPE, &fatal, &before);
    ends_open(&ends);
    close(ends.out[0]);
    ends.out[0] = -1;
    assert_int_equal(write(ends.in[1], "x", 1), 1);
    assert_int_equal(dray_stream_pump(ends.stream, &ends.pump, NULL, NULL, &err), -1);
    assert_int_equal(err->kind, DRAY_ERR_CANCELLED);
    assert_int_equal(err->code, EPIPE);
    dray_error_free(err);
    sigaction(SIGPIPE, &before, NULL);
    free(ends_close(&ends));
}

static int stop_at_once(void *arg, int stream, const void *data, size_t len)
{
    *(size_t *)arg += len;
    return 1;
}

static void a_callback_can_stop_it(void **state)
{
    struct ends ends;
    struct dray_error *err = NULL;
    size_t seen = 0;
    ends_open(&ends);
    ends.pump.stdout_fd = -1;
    ends.pump.on_output = stop_at_once;
    ends.pump.arg = &seen;
    assert_int_equal(write(ends.in[1], "abc", 3), 3);
    assert_int_equal(dray_stream_pump(ends.stream, &ends.pump, NULL, NULL, &err), -1);
    assert_int_equal(err->kind, DRAY_ERR_CANCELLED);
    assert_int_equal(seen, 3);
    dray_error_free(err);
    free(ends_close(&ends));
}

static void *pump_thread(void *arg)
{
    struct ends *ends = arg;
    struct dray_event end;
    assert_int_equal(dray_stream_pump(ends->stream, &ends->pump, NULL, &end, NULL), 0);
    return NULL;
}

static void signals_go_to_the_container_and_sigwinch_is_the_size(void **state)
{
    struct ends ends;
    pthread_t thread;
    int master, slave;
    struct winsize size = {.ws_row = 11, .ws_col = 22};
    ends_open(&ends);
    assert_int_equal(openpty(&master, &slave, NULL, NULL, &size), 0);
    ends.pump.tty_fd = slave;
    assert_int_equal(pthread_create(&thread, NULL, pump_thread, &ends), 0);
    assert_int_equal(write(ends.control[1], "\x0f", 1), 1); /* SIGTERM */
    expect_bytes(ends.err[0], "killed");
    size.ws_row = 33;
    assert_int_equal(ioctl(slave, TIOCSWINSZ, &size), 0);
    char winch = SIGWINCH;
    assert_int_equal(write(ends.control[1], &winch, 1), 1);
    assert_int_equal(write(ends.control[1], "\x0f", 1), 1);
    expect_bytes(ends.err[0], "killed");
    close(ends.in[1]);
    ends.in[1] = -1;
    pthread_join(thread, NULL);
    dr_auto_free char *sent = ends_close(&ends);
    close(master);
    close(slave);
    assert_non_null(
        strstr(sent, "{\"id\":\"web\",\"op\":\"container.kill\",\"signal\":15}"));
    const char *first = strstr(sent, "{\"columns\":22,\"event\":\"resize\",\"rows\":11}");
    const char *second =
        strstr(sent, "{\"columns\":22,\"event\":\"resize\",\"rows\":33}");
    assert_true(first && second && first < second);
}

static void *trigger_later(void *arg)
{
    usleep(50000);
    dray_cancel_trigger(arg);
    return NULL;
}

static void c33_a_pump_is_cancelled_and_has_a_deadline(void **state)
{
    struct ends ends;
    struct dray_error *err = NULL;
    pthread_t thread;
    ends_open(&ends);
    struct dray_call call = {.cancel = dray_cancel_new()}, soon = {.timeout_ms = 30};
    assert_int_equal(dray_stream_pump(ends.stream, &ends.pump, &soon, NULL, &err), -1);
    assert_int_equal(err->kind, DRAY_ERR_TIMEOUT);
    dray_error_free(err);
    assert_int_equal(pthread_create(&thread, NULL, trigger_later, call.cancel), 0);
    assert_int_equal(dray_stream_pump(ends.stream, &ends.pump, &call, NULL, &err), -1);
    assert_int_equal(err->kind, DRAY_ERR_CANCELLED);
    dray_error_free(err);
    pthread_join(thread, NULL);
    dray_cancel_free(call.cancel);
    free(ends_close(&ends));
}

int main(void)
{
    signal(SIGPIPE, SIG_IGN); /* the canned end writes to pipes */
    alarm(120);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(
            detach_keys_are_found_across_reads_and_nothing_else_is_held_for_good),
        cmocka_unit_test(bad_detach_keys_are_refused_by_name),
        cmocka_unit_test(c26_bytes_go_both_ways_and_stdin_is_half_closed),
        cmocka_unit_test(the_detach_keys_end_the_pump_and_the_rest_is_not_sent),
        cmocka_unit_test(a_first_detach_key_before_the_end_of_stdin_goes_through),
        cmocka_unit_test(an_output_that_nobody_reads_is_an_error_and_no_signal),
        cmocka_unit_test(a_callback_can_stop_it),
        cmocka_unit_test(signals_go_to_the_container_and_sigwinch_is_the_size),
        cmocka_unit_test(c33_a_pump_is_cancelled_and_has_a_deadline),
    };
    return cmocka_run_group_tests_name("host pump", tests, NULL, NULL);
}
