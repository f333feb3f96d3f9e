/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "base/buf.h"
#include "base/fs.h"
#include "base/text.h"
#include "wire/mux.h"

/* --- a guest with a few requests
 * --------------------------------------------------------- */

struct guest {
    struct wire_mux *mux;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    int active;
    bool ended;
    enum dr_kind end_kind;
};

/* The byte at a place of what "pass" sends. */
static char pattern(size_t at)
{
    return (char)(at * 7 + at / 251);
}

/* total bytes out of a pipe, in pieces of every size, as the credit allows */
static int pass(struct wire_chan *chan, size_t total, struct dr_error *err)
{
    int fds[2], rc = 0;
    char piece[50000];
    assert_int_equal(pipe2(fds, O_CLOEXEC | O_NONBLOCK), 0);
    for (size_t at = 0, step = 1; rc == 0 && at < total; step = step * 5 % 49999 + 1) {
        size_t len = step < total - at ? step : total - at, done = 0;
        for (size_t i = 0; i < len; i++)
            piece[i] = pattern(at + i);
        assert_int_equal(dr_write_full(fds[1], piece, len), 0);
        at += len;
        while (rc == 0 && done < len) {
            size_t credit = wire_credit(chan, 1);
            size_t now = credit < len - done ? credit : len - done;
            rc = now ? wire_splice(chan, 1, fds[0], now, err) : usleep(100);
            done += now;
        }
    }
    close(fds[0]);
    close(fds[1]);
    return rc;
}

struct job {
    struct guest *guest;
    struct wire_chan *chan;
    json_t *request;
};

/* "echo": sends stream 0 back on stream 1; "count": swallows it slowly or not at all;
 * "fail": an error; "hang": until cancelled; "events": n events. */
static void *job_main(void *arg)
{
    struct job *job = arg;
    struct wire_chan *chan = job->chan;
    const char *op = dr_json_str(job->request, "op");
    struct dr_error err = DR_ERROR_INIT;
    char buf[30000];
    int64_t total = 0;
    ssize_t n = 0;
    int rc = 0;
    if (!op) {
        rc = dr_fail(&err, DR_ERR_INVALID, "no op");
    } else if (strcmp(op, "echo") == 0) {
        while (rc == 0 && (n = wire_read(chan, 0, buf, sizeof buf, &err)) > 0) {
            rc = wire_write(chan, 1, buf, (size_t)n, &err);
            total += n;
        }
        rc = n < 0 ? -1 : rc;
        if (rc == 0)
            rc = wire_eof(chan, 1, &err);
    } else if (strcmp(op, "pass") == 0) {
        rc = pass(chan, (size_t)dr_json_int(job->request, "n", 0), &err);
        if (rc == 0)
            rc = wire_eof(chan, 1, &err);
    } else if (strcmp(op, "fail") == 0) {
        rc = dr_fail(&err, DR_ERR_CONFLICT, "it failed");
    } else if (strcmp(op, "hang") == 0 || strcmp(op, "watch") == 0) {
        while (!wire_cancelled(chan))
            usleep(1000);
        rc = dr_fail(&err, DR_ERR_CANCELLED, "cancelled");
    } else if (strcmp(op, "events") == 0) {
        for (int64_t i = 0; rc == 0 && i < dr_json_int(job->request, "n", 0); i++) {
            dr_auto_json json_t *event = json_pack("{sI}", "i", (json_int_t)i);
            rc = wire_event(chan, event, &err);
        }
    }
    dr_auto_json json_t *reply = json_pack("{sI}", "total", (json_int_t)total);
    if (rc == 0)
        wire_reply(chan, reply);
    else
        wire_reply_error(chan, &err);
    dr_error_release(&err);
    json_decref(job->request);
    pthread_mutex_lock(&job->guest->lock);
    job->guest->active--;
    pthread_cond_broadcast(&job->guest->changed);
    pthread_mutex_unlock(&job->guest->lock);
    free(job);
    return NULL;
}

static void on_request(void *arg, struct wire_chan *chan, json_t *request)
{
    struct guest *guest = arg;
    struct job *job = dr_alloc(sizeof *job);
    *job = (struct job){guest, chan, json_incref(request)};
    if (strcmp(dr_json_str(request, "op") ?: "", "watch") == 0)
        wire_patient(chan);
    pthread_mutex_lock(&guest->lock);
    guest->active++;
    pthread_mutex_unlock(&guest->lock);
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, job_main, job), 0);
    pthread_detach(thread);
}

static void on_end(void *arg, const struct dr_error *err)
{
    struct guest *guest = arg;
    pthread_mutex_lock(&guest->lock);
    guest->ended = true;
    guest->end_kind = err->kind;
    pthread_cond_broadcast(&guest->changed);
    pthread_mutex_unlock(&guest->lock);
}

static void guest_start(struct guest *guest, int read_fd, int write_fd)
{
    *guest = (struct guest){.lock = PTHREAD_MUTEX_INITIALIZER,
                            .changed = PTHREAD_COND_INITIALIZER};
    struct wire_mux_options options = {.side = WIRE_GUEST,
                                       .read_fd = read_fd,
                                       .write_fd = write_fd,
                                       .on_request = on_request,
                                       .on_end = on_end,
                                       .arg = guest};
    struct dr_error err = DR_ERROR_INIT;
    dr_auto_json json_t *hello =
        json_pack("{siss}", "protocol", WIRE_PROTOCOL, "arch", "amd64");
    assert_int_equal(wire_mux_start(&options, hello, &guest->mux, &err), 0);
}

/* Waits until the host's end came and every job is through. */
static void guest_finish(struct guest *guest)
{
    pthread_mutex_lock(&guest->lock);
    while (!guest->ended || guest->active)
        pthread_cond_wait(&guest->changed, &guest->lock);
    pthread_mutex_unlock(&guest->lock);
    wire_mux_free(guest->mux);
}

static struct wire_mux *host_start(int read_fd, int write_fd)
{
    struct wire_mux_options options = {
        .side = WIRE_HOST, .read_fd = read_fd, .write_fd = write_fd};
    struct dr_error err = DR_ERROR_INIT;
    struct wire_mux *mux;
    dr_auto_json json_t *hello = json_pack("{si}", "protocol", WIRE_PROTOCOL);
    assert_int_equal(wire_mux_start(&options, hello, &mux, &err), 0);
    return mux;
}

struct pair {
    struct guest guest;
    struct wire_mux *host;
};

static int set_up(void **state)
{
    int to_guest[2], to_host[2];
    struct pair *pair = dr_alloc(sizeof *pair);
    assert_int_equal(pipe2(to_guest, O_CLOEXEC), 0);
    assert_int_equal(pipe2(to_host, O_CLOEXEC), 0);
    guest_start(&pair->guest, to_guest[0], to_host[1]);
    pair->host = host_start(to_host[0], to_guest[1]);
    *state = pair;
    return 0;
}

static int tear_down(void **state)
{
    struct pair *pair = *state;
    wire_mux_free(pair->host);
    guest_finish(&pair->guest);
    free(pair);
    return 0;
}

static json_t *request(const char *op)
{
    return json_pack("{ss}", "op", op);
}

/* --- what works
 * -------------------------------------------------------------------------- */

static void hello_of_the_helper_arrives(void **state)
{
    struct pair *pair = *state;
    struct dr_error err = DR_ERROR_INIT;
    json_t *hello;
    assert_int_equal(wire_mux_hello(pair->host, 0, &hello, &err), 0);
    assert_string_equal(dr_json_str(hello, "arch"), "amd64");
}

struct writer {
    struct wire_chan *chan;
    size_t total;
};

static void *write_pattern(void *arg)
{
    struct writer *w = arg;
    struct dr_error err = DR_ERROR_INIT;
    unsigned char buf[70001];
    size_t done = 0;
    while (done < w->total) {
        size_t n = w->total - done < sizeof buf ? w->total - done : sizeof buf;
        for (size_t i = 0; i < n; i++)
            buf[i] = (unsigned char)((done + i) * 2654435761u >> 13);
        assert_int_equal(wire_write(w->chan, 0, buf, n, &err), 0);
        done += n;
    }
    assert_int_equal(wire_eof(w->chan, 0, &err), 0);
    return NULL;
}

static void bytes_come_back_exactly_in_both_directions_at_once(void **state)
{
    struct pair *pair = *state;
    struct dr_error err = DR_ERROR_INIT;
    struct wire_chan *chan;
    dr_auto_json json_t *echo = request("echo"), *reply = NULL;
    assert_int_equal(wire_open(pair->host, echo, &chan, &err), 0);
    struct writer w = {chan, 20 << 20};
    pthread_t thread;
    pthread_create(&thread, NULL, write_pattern, &w);
    size_t got = 0;
    unsigned char buf[50000];
    ssize_t n;
    while ((n = wire_read(chan, 1, buf, sizeof buf, &err)) > 0) {
        for (ssize_t i = 0; i < n; i++)
            assert_int_equal(buf[i],
                             (unsigned char)((got + (size_t)i) * 2654435761u >> 13));
        got += (size_t)n;
    }
    assert_int_equal(n, 0);
    assert_int_equal(got, w.total);
    pthread_join(thread, NULL);
    assert_int_equal(wire_result(chan, &reply, &err), 0);
    assert_int_equal(dr_json_int(reply, "total", -1), (int64_t)w.total);
    wire_close(chan);
}

static void what_is_passed_on_from_a_pipe_comes_whole_and_in_order(void **state)
{
    struct pair *pair = *state;
    struct dr_error err = DR_ERROR_INIT;
    struct wire_chan *chan;
    const size_t total = 5000000;
    dr_auto_json json_t *pass_on = json_pack("{sssi}", "op", "pass", "n", (int)total);
    dr_auto_json json_t *fail = request("fail");
    dr_auto_free char *buf = dr_alloc(100000);
    size_t at = 0;
    ssize_t n;
    assert_int_equal(wire_open(pair->host, pass_on, &chan, &err), 0);
    while ((n = wire_read(chan, 1, buf, 1 + at % 100000, &err)) > 0) {
        for (ssize_t i = 0; i < n; i++, at++)
            if (buf[i] != pattern(at))
                fail_msg("byte %zu is another", at);
        if (at % 7 == 0) { /* other frames find their way between */
            dr_auto_error struct dr_error answer = DR_ERROR_INIT;
            wire_call(pair->host, fail, dr_clock_ms() + 20000, NULL, &answer);
            assert_int_equal(answer.kind, DR_ERR_CONFLICT);
        }
    }
    assert_int_equal(n, 0);
    assert_int_equal(at, total);
    assert_int_equal(wire_result(chan, NULL, &err), 0);
    wire_close(chan);
}

static void slow_reader_stops_only_its_own_stream(void **state)
{
    struct pair *pair = *state;
    struct dr_error err = DR_ERROR_INIT;
    struct wire_chan *slow;
    dr_auto_json json_t *echo = request("echo"), *fail = request("fail");
    char *block = dr_alloc(WIRE_WINDOW_BYTES);
    assert_int_equal(wire_open(pair->host, echo, &slow, &err), 0);
    /* fills the window there and back; nobody reads what comes back */
    assert_int_equal(wire_write(slow, 0, block, WIRE_WINDOW_BYTES, &err), 0);
    assert_int_equal(wire_write(slow, 0, block, WIRE_WINDOW_BYTES / 2, &err), 0);
    for (int i = 0; i < 50; i++) {
        dr_auto_error struct dr_error answer = DR_ERROR_INIT;
        assert_int_equal(
            wire_call(pair->host, fail, dr_clock_ms() + 20000, NULL, &answer), -1);
        assert_int_equal(answer.kind, DR_ERR_CONFLICT);
        assert_string_equal(answer.text, "it failed");
        assert_int_equal(answer.origin, DR_AT_GUEST);
    }
    wire_close(slow);
    free(block);
}

/* C33: no operation can hang */
static void c33_a_write_without_credit_ends_at_its_deadline(void **state)
{
    struct pair *pair = *state;
    struct dr_error err = DR_ERROR_INIT;
    struct wire_chan *chan;
    dr_auto_json json_t *hang = request("hang");
    char *block = dr_alloc(WIRE_WINDOW_BYTES);
    assert_int_equal(wire_open(pair->host, hang, &chan, &err), 0);
    assert_int_equal(wire_write(chan, 0, block, WIRE_WINDOW_BYTES, &err), 0);
    wire_limit(chan, WIRE_OUT, (struct wire_limit){dr_clock_ms() + 50, -1});
    assert_int_equal(wire_write(chan, 0, block, 1, &err), -1);
    assert_int_equal(err.kind, DR_ERR_TIMEOUT);
    assert_string_equal(err.text, "no answer within the deadline");
    wire_close(chan);
    free(block);
}

static void c33_an_answer_that_never_comes_ends_at_the_deadline(void **state)
{
    struct pair *pair = *state;
    struct dr_error err = DR_ERROR_INIT;
    dr_auto_json json_t *hang = request("hang");
    assert_int_equal(wire_call(pair->host, hang, dr_clock_ms() + 50, NULL, &err), -1);
    assert_int_equal(err.kind, DR_ERR_TIMEOUT);
    assert_int_equal(err.origin, DR_AT_TRANSPORT);
}

static void events_come_in_order_and_then_the_result(void **state)
{
    struct pair *pair = *state;
    struct dr_error err = DR_ERROR_INIT;
    struct wire_chan *chan;
    dr_auto_json json_t *events = json_pack("{sssi}", "op", "events", "n", 1000);
    assert_int_equal(wire_open(pair->host, events, &chan, &err), 0);
    for (int i = 0; i < 1000; i++) {
        struct wire_item item;
        assert_int_equal(wire_next(chan, &item, &err), 0);
        assert_int_equal(item.type, WIRE_ITEM_EVENT);
        assert_int_equal(dr_json_int(item.json, "i", -1), i);
        json_decref(item.json);
    }
    struct wire_item item;
    assert_int_equal(wire_next(chan, &item, &err), 0);
    assert_int_equal(item.type, WIRE_ITEM_RESULT);
    assert_int_equal(wire_result(chan, NULL, &err), 0);
    wire_close(chan);
}

static void many_threads_share_one_session(void **state);

static void *call_many(void *arg)
{
    struct pair *pair = arg;
    for (int i = 0; i < 100; i++) {
        dr_auto_error struct dr_error err = DR_ERROR_INIT;
        dr_auto_json json_t *fail = request("fail");
        assert_int_equal(wire_call(pair->host, fail, 0, NULL, &err), -1);
        assert_int_equal(err.kind, DR_ERR_CONFLICT);
    }
    return NULL;
}

static void many_threads_share_one_session(void **state)
{
    pthread_t threads[8];
    for (size_t i = 0; i < DR_COUNT(threads); i++)
        pthread_create(&threads[i], NULL, call_many, *state);
    for (size_t i = 0; i < DR_COUNT(threads); i++)
        pthread_join(threads[i], NULL);
}

static void closing_a_channel_cancels_what_runs_there(void **state)
{
    struct pair *pair = *state;
    struct dr_error err = DR_ERROR_INIT;
    struct wire_chan *chan;
    dr_auto_json json_t *hang = request("hang");
    assert_int_equal(wire_open(pair->host, hang, &chan, &err), 0);
    wire_close(chan);
    pthread_mutex_lock(&pair->guest.lock);
    while (pair->guest.active)
        pthread_cond_wait(&pair->guest.changed, &pair->guest.lock);
    pthread_mutex_unlock(&pair->guest.lock);
    assert_false(pair->guest.ended);
}

/* --- recordings
 * ---------------------------------------------------------------------------- */

static void add_frame(struct dr_buf *to, enum wire_type type, int stream,
                      uint32_t channel, const void *payload, size_t len)
{
    struct dr_error err = DR_ERROR_INIT;
    unsigned char header[WIRE_HEADER_BYTES];
    struct wire_header h = {.length = (uint32_t)len,
                            .type = (uint8_t)type,
                            .stream = (uint8_t)stream,
                            .channel = channel};
    wire_header_encode(&h, header);
    assert_int_equal(dr_buf_add(to, header, sizeof header, &err), 0);
    assert_int_equal(dr_buf_add(to, payload, len, &err), 0);
}

static void add_json(struct dr_buf *to, enum wire_type type, uint32_t channel,
                     const char *text)
{
    add_frame(to, type, 0, channel, text, strlen(text));
}

/* The host's side of a small session: two requests, one of them with data. */
static void make_host_bytes(struct dr_buf *to)
{
    add_json(to, WIRE_HELLO, 0, "{\"protocol\":1}");
    add_frame(to, WIRE_ALIVE, 0, 0, NULL, 0);
    add_json(to, WIRE_REQUEST, 1, "{\"op\":\"echo\"}");
    add_frame(to, WIRE_DATA, 0, 1, "hello, wire", 11);
    add_json(to, WIRE_REQUEST, 3, "{\"op\":\"fail\"}");
    add_frame(to, WIRE_EOF, 0, 1, NULL, 0);
    add_frame(to, WIRE_WINDOW, 1, 1, "\0\0\0\0", 4);
    add_json(to, WIRE_REQUEST, 5, "{\"n\":2,\"op\":\"events\"}");
}

/* The helper's side for one echo of "hello, wire". */
static void make_helper_bytes(struct dr_buf *to)
{
    struct dr_error err = DR_ERROR_INIT;
    assert_int_equal(dr_buf_add(to, WIRE_MAGIC, WIRE_MAGIC_BYTES, &err), 0);
    add_json(to, WIRE_HELLO, 0, "{\"arch\":\"amd64\",\"protocol\":1}");
    add_json(to, WIRE_EVENT, 1, "{\"event\":\"started\",\"pid\":7}");
    add_frame(to, WIRE_DATA, 1, 1, "hello, wire", 11);
    add_frame(to, WIRE_EOF, 1, 1, NULL, 0);
    add_frame(to, WIRE_ALIVE, 0, 0, NULL, 0);
    add_json(to, WIRE_REPLY, 1, "{\"exit_code\":0}");
}

/* The bytes themselves are part of the protocol: another build must read them. */
static void sessions_are_byte_for_byte_the_golden_ones(void **state)
{
    static const struct {
        const char *file;
        void (*make)(struct dr_buf *to);
    } golden[] = {{"host.bin", make_host_bytes}, {"helper.bin", make_helper_bytes}};
    for (size_t i = 0; i < DR_COUNT(golden); i++) {
        dr_auto_buf struct dr_buf made = DR_BUF_INIT(1 << 20),
                                  kept = DR_BUF_INIT(1 << 20);
        dr_auto_error struct dr_error err = DR_ERROR_INIT;
        dr_auto_free char *path = dr_printf("%s/wire/%s", GOLDEN_DIR, golden[i].file);
        golden[i].make(&made);
        if (getenv("UPDATE_GOLDEN"))
            dr_file_write(AT_FDCWD, path, made.data, made.len, 0644, 0, &err);
        assert_int_equal(dr_file_read(AT_FDCWD, path, &kept, &err), 0);
        assert_int_equal(made.len, kept.len);
        assert_memory_equal(made.data, kept.data, kept.len);
    }
}

/* Feeds bytes to a guest that lives until they end; its output is thrown away. */
static enum dr_kind feed_guest(const char *bytes, size_t len)
{
    int in[2];
    struct guest guest;
    assert_int_equal(pipe2(in, O_CLOEXEC), 0);
    assert_int_equal(dr_write_full(in[1], bytes, len), 0);
    close(in[1]);
    guest_start(&guest, in[0], open("/dev/null", O_WRONLY | O_CLOEXEC));
    guest_finish(&guest);
    return guest.end_kind;
}

static void helper_survives_a_session_cut_after_every_byte(void **state)
{
    dr_auto_buf struct dr_buf bytes = DR_BUF_INIT(1 << 20);
    make_host_bytes(&bytes);
    size_t at = 0, next = 0; /* frame borders: a cut there is a clean end */
    for (size_t len = 0; len <= bytes.len; len++) {
        if (len == next) {
            at = next;
            if (next < bytes.len) {
                const unsigned char *h = (unsigned char *)bytes.data + next;
                next += WIRE_HEADER_BYTES + (h[0] | (unsigned)h[1] << 8);
            }
        }
        enum dr_kind kind = feed_guest(bytes.data, len);
        assert_int_equal(kind, len == at ? DR_ERR_NONE : DR_ERR_UNAVAILABLE);
    }
}

static void helper_survives_every_flipped_byte(void **state)
{
    dr_auto_buf struct dr_buf bytes = DR_BUF_INIT(1 << 20);
    make_host_bytes(&bytes);
    static const unsigned char flips[] = {0x01, 0x80, 0xff};
    for (size_t i = 0; i < bytes.len; i++)
        for (size_t f = 0; f < DR_COUNT(flips); f++) {
            bytes.data[i] = (char)(bytes.data[i] ^ flips[f]);
            feed_guest(bytes.data, bytes.len); /* ends, and the sanitizers are silent */
            bytes.data[i] = (char)(bytes.data[i] ^ flips[f]);
        }
}

/* One echo request against recorded helper bytes. Returns the error's kind, NONE when the
 * reply came whole. */
static enum dr_kind feed_host(const char *bytes, size_t len, struct dr_error *err)
{
    int in[2];
    assert_int_equal(pipe2(in, O_CLOEXEC), 0);
    struct wire_mux *mux = host_start(in[0], open("/dev/null", O_WRONLY | O_CLOEXEC));
    dr_auto_json json_t *echo = request("echo"), *reply = NULL;
    struct wire_chan *chan;
    struct dr_error opening = DR_ERROR_INIT;
    /* opened before the bytes come, as a reply to a request that was never made is an
     * error */
    int rc = wire_open(mux, echo, &chan, &opening);
    assert_int_equal(rc, 0);
    assert_int_equal(dr_write_full(in[1], bytes, len), 0);
    close(in[1]);
    wire_limit(chan, WIRE_IN, (struct wire_limit){dr_clock_ms() + 20000, -1});
    rc = wire_result(chan, &reply, err);
    wire_close(chan);
    wire_mux_free(mux);
    return rc == 0 ? DR_ERR_NONE : err->kind;
}

static void host_gets_a_typed_error_for_every_cut(void **state)
{
    dr_auto_buf struct dr_buf bytes = DR_BUF_INIT(1 << 20);
    make_helper_bytes(&bytes);
    for (size_t len = 0; len < bytes.len; len++) {
        dr_auto_error struct dr_error err = DR_ERROR_INIT;
        assert_int_equal(feed_host(bytes.data, len, &err), DR_ERR_UNAVAILABLE);
        assert_int_equal(err.origin, DR_AT_TRANSPORT);
        assert_true(strlen(err.text) > 10);
    }
    struct dr_error none = DR_ERROR_INIT;
    assert_int_equal(feed_host(bytes.data, bytes.len, &none), DR_ERR_NONE);
}

static void host_survives_every_flipped_byte(void **state)
{
    dr_auto_buf struct dr_buf bytes = DR_BUF_INIT(1 << 20);
    make_helper_bytes(&bytes);
    for (size_t i = 0; i < bytes.len; i++) {
        dr_auto_error struct dr_error err = DR_ERROR_INIT;
        bytes.data[i] = (char)(bytes.data[i] ^ 0x81);
        enum dr_kind kind = feed_host(bytes.data, bytes.len, &err);
        assert_true(kind == DR_ERR_NONE || kind == DR_ERR_UNAVAILABLE ||
                    kind == DR_ERR_FORMAT || kind == DR_ERR_UNSUPPORTED);
        assert_true(kind == DR_ERR_NONE || err.origin == DR_AT_TRANSPORT);
        bytes.data[i] = (char)(bytes.data[i] ^ 0x81);
    }
}

static void what_a_transport_says_before_the_magic_is_skipped(void **state)
{
    dr_auto_buf struct dr_buf bytes = DR_BUF_INIT(1 << 20);
    struct dr_error err = DR_ERROR_INIT;
    dr_buf_addf(&bytes, &err, "Welcome to this host.\r\n");
    dr_buf_add(&bytes, WIRE_MAGIC, 5, &err); /* a false start */
    make_helper_bytes(&bytes);
    assert_int_equal(feed_host(bytes.data, bytes.len, &err), DR_ERR_NONE);
}

static void what_a_transport_says_instead_of_the_magic_becomes_the_error(void **state)
{
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    static const char said[] = "bash: \x1b[31mdray-guest: command not found\n";
    assert_int_equal(feed_host(said, sizeof said - 1, &err), DR_ERR_UNAVAILABLE);
    assert_string_equal(
        err.text, "no helper answered: bash: \\x1b[31mdray-guest: command not found ");
}

static void endless_words_before_the_magic_are_cut_off(void **state)
{
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    /* more than the preamble may be, and it fits into the pipe with the room we ask for
     */
    int in[2];
    assert_int_equal(pipe2(in, O_CLOEXEC), 0);
    assert_true(fcntl(in[1], F_SETPIPE_SZ, 1 << 18) > 0);
    char *noise = dr_alloc(100000);
    memset(noise, 'x', 100000);
    assert_int_equal(dr_write_full(in[1], noise, 100000), 0);
    struct wire_mux *mux = host_start(in[0], open("/dev/null", O_WRONLY | O_CLOEXEC));
    json_t *hello;
    assert_int_equal(wire_mux_hello(mux, dr_clock_ms() + 20000, &hello, &err), -1);
    assert_int_equal(err.kind, DR_ERR_UNAVAILABLE);
    assert_string_equal(err.text,
                        "no helper answered; 65536 bytes of something else came");
    wire_mux_free(mux);
    close(in[1]);
    free(noise);
}

static void a_helper_of_another_protocol_is_refused(void **state)
{
    dr_auto_buf struct dr_buf bytes = DR_BUF_INIT(1 << 20);
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    dr_buf_add(&bytes, WIRE_MAGIC, WIRE_MAGIC_BYTES, &err);
    add_json(&bytes, WIRE_HELLO, 0, "{\"protocol\":2}");
    assert_int_equal(feed_host(bytes.data, bytes.len, &err), DR_ERR_UNSUPPORTED);
    assert_string_equal(err.text, "the other side speaks protocol 2, this one 1");
}

static void a_peer_that_breaks_the_rules_is_told_from_one_that_died(void **state)
{
    static const struct {
        enum wire_type type;
        int stream;
        uint32_t channel;
        const char *payload, *text;
    } bad[] = {
        {WIRE_REPLY, 0, 99, "{}",
         "protocol: a frame on a channel that was never opened (channel 99)"},
        {WIRE_CANCEL, 0, 1, "", "protocol: a cancel from the helper (channel 1)"},
        {WIRE_REQUEST, 0, 1, "{}", "protocol: a request from the helper (channel 1)"},
        {WIRE_EVENT, 0, 1, "[]",
         "protocol: a message that is no JSON object (channel 1)"},
        {WIRE_WINDOW, 0, 1, "\1\0\0\0",
         "protocol: more credit than the window (channel 1)"},
    };
    for (size_t i = 0; i < DR_COUNT(bad); i++) {
        dr_auto_buf struct dr_buf bytes = DR_BUF_INIT(1 << 20);
        dr_auto_error struct dr_error err = DR_ERROR_INIT;
        dr_buf_add(&bytes, WIRE_MAGIC, WIRE_MAGIC_BYTES, &err);
        add_json(&bytes, WIRE_HELLO, 0, "{\"protocol\":1}");
        size_t len = bad[i].type == WIRE_WINDOW ? 4 : strlen(bad[i].payload);
        add_frame(&bytes, bad[i].type, bad[i].stream, bad[i].channel, bad[i].payload,
                  len);
        assert_int_equal(feed_host(bytes.data, bytes.len, &err), DR_ERR_FORMAT);
        assert_string_equal(err.text, bad[i].text);
    }
}

static void more_data_than_the_credit_breaks_the_session(void **state)
{
    dr_auto_buf struct dr_buf bytes = DR_BUF_INIT(4 << 20);
    struct dr_error err = DR_ERROR_INIT;
    char *block = dr_alloc(WIRE_DATA_MAX);
    add_json(&bytes, WIRE_HELLO, 0, "{\"protocol\":1}");
    add_json(&bytes, WIRE_REQUEST, 1, "{\"op\":\"hang\"}");
    for (size_t i = 0; i < WIRE_WINDOW_BYTES / WIRE_DATA_MAX + 1; i++)
        add_frame(&bytes, WIRE_DATA, 0, 1, block, WIRE_DATA_MAX);
    int in[2];
    struct guest guest;
    assert_int_equal(pipe2(in, O_CLOEXEC), 0);
    assert_true(fcntl(in[1], F_SETPIPE_SZ, 1 << 20) > 0);
    assert_int_equal(dr_write_full(in[1], bytes.data, bytes.len), 0);
    guest_start(&guest, in[0], open("/dev/null", O_WRONLY | O_CLOEXEC));
    guest_finish(&guest);
    assert_int_equal(guest.end_kind, DR_ERR_FORMAT);
    close(in[1]);
    free(block);
    dr_error_release(&err);
}

static int brought(void *arg, int cancel_fd, struct dr_error *err)
{
    return 0;
}

static void knows_more(void *arg, struct dr_error *err)
{
    dr_error_release(err);
    dr_fail(err, DR_ERR_UNAVAILABLE, "far: the connection was lost");
}

/* It is not what could not be written that a person wants to hear. */
static void c33_a_helper_that_is_gone_before_our_hello_is_explained(void **state)
{
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    dr_auto_json json_t *hello = json_object();
    json_t *unused;
    struct wire_mux *mux;
    int in[2], out[2];
    assert_int_equal(pipe2(in, O_CLOEXEC), 0);
    assert_int_equal(pipe2(out, O_CLOEXEC), 0);
    close(in[1]);
    close(out[0]);
    const struct wire_mux_options options = {.side = WIRE_HOST,
                                             .read_fd = in[0],
                                             .write_fd = out[1],
                                             .prepare = brought,
                                             .explain = knows_more};
    assert_int_equal(wire_mux_start(&options, hello, &mux, &err), 0);
    assert_int_equal(wire_mux_hello(mux, 0, &unused, &err), -1);
    assert_int_equal(err.kind, DR_ERR_UNAVAILABLE);
    assert_string_equal(err.text, "far: the connection was lost");
    wire_mux_free(mux);
}

/* --- the pulse: time is given, and nothing waits --- */

static const struct wire_pulse plan = {.every_ms = 4000, .silence_ms = 20000};

/* Looks once; the times are seconds. */
static bool look(struct pulse *pulse, int at_s, uint64_t sent, bool is_host, bool *say)
{
    assert_int_equal(pulse_wait_ms(pulse, at_s * 1000), 0);
    return pulse_look(pulse, at_s * 1000, sent, is_host, plan.silence_ms, say);
}

static void c33_silence_is_noticed_and_any_byte_ends_it(void **state)
{
    struct pulse pulse;
    bool say;
    pulse_begin(&pulse, &plan, 0);
    assert_int_equal(pulse_wait_ms(&pulse, 1000), 3000);
    for (int s = 4; s < 20; s += 4) {
        assert_false(look(&pulse, s, 0, true, &say));
        assert_true(say); /* nothing of ours was sent */
    }
    pulse_heard(&pulse);
    for (int s = 20; s < 40; s += 4)
        assert_false(look(&pulse, s, 0, true, &say));
    assert_true(look(&pulse, 40, 0, true, &say));
    /* the same without a limit, and without a pulse */
    assert_false(pulse_look(&pulse, 4000000, 0, true, 0, &say));
    pulse_begin(&pulse, &(struct wire_pulse){0}, 0);
    assert_int_equal(pulse_wait_ms(&pulse, 1 << 30), -1);
}

/* A process that was stopped, a laptop that slept, a clock that jumps. */
static void c33_who_was_not_awake_gives_the_other_side_its_whole_time_anew(void **state)
{
    struct pulse pulse;
    bool say;
    pulse_begin(&pulse, &plan, 0);
    for (int s = 4; s <= 16; s += 4)
        assert_false(look(&pulse, s, 0, true, &say));
    assert_false(look(&pulse, 3600, 0, true, &say));
    assert_true(say); /* the other side counts, too */
    for (int s = 3604; s < 3620; s += 4)
        assert_false(look(&pulse, s, 0, true, &say));
    assert_true(look(&pulse, 3620, 0, true, &say));
    /* back in time */
    assert_false(pulse_look(&pulse, 1000, 0, true, plan.silence_ms, &say));
    assert_int_equal(pulse_wait_ms(&pulse, 2000), 3000);
    assert_int_equal(pulse_wait_ms(&pulse, 0), 4000);
}

static void
alive_is_said_only_into_silence_and_by_the_guest_only_as_an_answer(void **state)
{
    struct pulse pulse;
    bool say;
    pulse_begin(&pulse, &plan, 0);
    look(&pulse, 4, 100, true, &say);
    assert_false(say);
    look(&pulse, 8, 100, true, &say);
    assert_true(say);
    look(&pulse, 12, 112, true, &say);
    assert_false(say); /* that was the ALIVE */
    pulse_begin(&pulse, &plan, 0);
    look(&pulse, 4, 0, false, &say);
    assert_false(say);
    pulse_heard(&pulse);
    look(&pulse, 8, 0, false, &say);
    assert_true(say);
}

/* --- the pulse of a session --- */

struct line {
    int to_guest, from_guest; /* our ends: a host that we play, or a relay between */
    struct guest guest;
};

/* A guest whose host has said this hello, and asked for this. */
static void line_start(struct line *line, const char *hello, const char *asked)
{
    int to[2], from[2];
    dr_auto_buf struct dr_buf bytes = DR_BUF_INIT(1 << 16);
    add_json(&bytes, WIRE_HELLO, 0, hello);
    add_json(&bytes, WIRE_REQUEST, 1, asked);
    assert_int_equal(pipe2(to, O_CLOEXEC), 0);
    assert_int_equal(pipe2(from, O_CLOEXEC), 0);
    assert_int_equal(dr_write_full(to[1], bytes.data, bytes.len), 0);
    line->to_guest = to[1];
    line->from_guest = from[0];
    guest_start(&line->guest, to[0], from[1]);
}

static void line_say(struct line *line, enum wire_type type, uint32_t channel,
                     const char *payload)
{
    dr_auto_buf struct dr_buf bytes = DR_BUF_INIT(1 << 16);
    add_json(&bytes, type, channel, payload);
    assert_int_equal(dr_write_full(line->to_guest, bytes.data, bytes.len), 0);
}

static void line_end(struct line *line)
{
    guest_finish(&line->guest);
    close(line->to_guest);
    close(line->from_guest);
}

/* It lives, and the pipe stays open: the host is behind a line that is dead. */
static void c33_a_guest_whose_host_is_silent_gives_up_what_runs(void **state)
{
    struct line line;
    line_start(&line, "{\"protocol\":1,\"alive_ms\":20,\"silence_ms\":200}",
               "{\"op\":\"hang\"}");
    guest_finish(&line.guest); /* hangs when nothing ends it */
    assert_int_equal(line.guest.end_kind, DR_ERR_UNAVAILABLE);
    close(line.to_guest);
    close(line.from_guest);
}

static bool has_ended(struct line *line)
{
    pthread_mutex_lock(&line->guest.lock);
    bool ended = line->guest.ended;
    pthread_mutex_unlock(&line->guest.lock);
    return ended;
}

static void a_guest_that_only_looks_on_is_patient(void **state)
{
    struct line line;
    line_start(&line,
               "{\"protocol\":1,\"alive_ms\":20,\"silence_ms\":100,"
               "\"patience_ms\":10000000}",
               "{\"op\":\"watch\"}");
    usleep(500000);
    assert_false(has_ended(&line));
    /* a second request, which does more, is not */
    line_say(&line, WIRE_REQUEST, 3, "{\"op\":\"hang\"}");
    line_end(&line);
    assert_int_equal(line.guest.end_kind, DR_ERR_UNAVAILABLE);
}

/* Nobody reads what it says, and it holds its end of the pipe: as a relay that was cut.
 */
static void c33_a_guest_that_cannot_get_rid_of_its_words_ends_with_its_host(void **state)
{
    struct line line;
    line_start(&line, "{\"protocol\":1}", "{\"op\":\"pass\",\"n\":400000}");
    int queued = 0, before = -1;
    while (queued == 0 || queued != before) { /* until the pipe is full */
        before = queued;
        usleep(50000);
        ioctl(line.from_guest, FIONREAD, &queued);
    }
    close(line.to_guest);
    guest_finish(&line.guest); /* hangs when it waits for room */
    close(line.from_guest);
}

static void *send_much(void *arg)
{
    static const char much[200000];
    return wire_out_frame(arg, &WIRE_NO_LIMIT, much, sizeof much, NULL, 0) < 0 ? arg
                                                                               : NULL;
}

/* Two find out that the other side is gone: who waits for room, and the reader's thread,
 * which then throws away what waited. */
static void who_sends_ends_when_the_reader_found_out_first(void **state)
{
    struct wire_limit none = WIRE_NO_LIMIT;
    for (int i = 0; i < 300; i++) {
        int fds[2], queued = 0;
        pthread_t thread;
        void *failed;
        struct wire_out out;
        assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
        wire_out_init(&out, fds[1], eventfd(0, EFD_CLOEXEC));
        assert_int_equal(pthread_create(&thread, NULL, send_much, &out), 0);
        while (queued == 0)
            ioctl(fds[0], FIONREAD, &queued);
        close(fds[0]);
        while (wire_out_waiting(&out) >= 0 && wire_out_sent(&out) < 200000)
            wire_out_flush(&out);
        pthread_join(thread, &failed);
        assert_ptr_equal(failed, &out);
        if (out.failed) /* the reader was first */
            assert_int_equal(wire_out_begin(&out, &none), -1);
        close(out.wake_fd);
        close(out.fd);
        wire_out_release(&out);
    }
}

/* The host reads and the helper is silent; the pipes stay open. */
static void c33_a_helper_that_falls_silent_after_hello_is_an_error(void **state)
{
    int in[2], out[2];
    assert_int_equal(pipe2(in, O_CLOEXEC), 0);
    assert_int_equal(pipe2(out, O_CLOEXEC), 0);
    dr_auto_buf struct dr_buf bytes = DR_BUF_INIT(1 << 16);
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    dr_buf_add(&bytes, WIRE_MAGIC, WIRE_MAGIC_BYTES, &err);
    add_json(&bytes, WIRE_HELLO, 0, "{\"protocol\":1}");
    assert_int_equal(dr_write_full(in[1], bytes.data, bytes.len), 0);
    struct wire_mux_options options = {.side = WIRE_HOST,
                                       .read_fd = in[0],
                                       .write_fd = out[1],
                                       .pulse = {.every_ms = 20, .silence_ms = 250}};
    dr_auto_json json_t *hello = json_pack("{si}", "protocol", WIRE_PROTOCOL);
    struct wire_mux *mux;
    assert_int_equal(wire_mux_start(&options, hello, &mux, &err), 0);
    dr_auto_json json_t *hang = request("hang");
    assert_int_equal(wire_call(mux, hang, 0, NULL, &err), -1);
    assert_int_equal(err.kind, DR_ERR_UNAVAILABLE);
    assert_int_equal(err.origin, DR_AT_TRANSPORT);
    assert_int_equal(err.code, ETIMEDOUT);
    assert_string_equal(
        err.text, "the connection was lost: nothing has come from the helper for 0.25 s");
    wire_mux_free(mux);
    close(in[1]);
    close(out[0]);
}

/* Each side as slow as it likes with its requests: what is said between keeps it up. The
 * limit is what a busy machine never takes. */
static void an_idle_session_stays_as_long_as_both_sides_live(void **state)
{
    int to_guest[2], to_host[2];
    struct guest guest;
    struct dr_error err = DR_ERROR_INIT;
    assert_int_equal(pipe2(to_guest, O_CLOEXEC), 0);
    assert_int_equal(pipe2(to_host, O_CLOEXEC), 0);
    guest_start(&guest, to_guest[0], to_host[1]);
    struct wire_mux_options options = {.side = WIRE_HOST,
                                       .read_fd = to_host[0],
                                       .write_fd = to_guest[1],
                                       .pulse = {.every_ms = 5, .silence_ms = 30000}};
    dr_auto_json json_t *hello = json_pack("{sisisi}", "protocol", WIRE_PROTOCOL,
                                           "alive_ms", 5, "silence_ms", 30000);
    struct wire_mux *host;
    assert_int_equal(wire_mux_start(&options, hello, &host, &err), 0);
    struct wire_chan *chan;
    dr_auto_json json_t *hang = request("hang"), *fail = request("fail");
    assert_int_equal(wire_open(host, hang, &chan, &err), 0);
    usleep(300000); /* some sixty ALIVEs each way */
    assert_false(wire_mux_ended(host));
    assert_int_equal(wire_call(host, fail, 0, NULL, &err), -1);
    assert_int_equal(err.kind, DR_ERR_CONFLICT);
    dr_error_release(&err);
    wire_close(chan);
    assert_true(wire_mux_leave(host, 20000)); /* it lives, and says so */
    wire_mux_free(host);
    guest_finish(&guest);
}

/* It is stopped, say. */
static void a_peer_that_does_not_hear_that_we_leave_is_left_soon(void **state)
{
    int in[2], out[2];
    assert_int_equal(pipe2(in, O_CLOEXEC), 0);
    assert_int_equal(pipe2(out, O_CLOEXEC), 0);
    struct wire_mux *mux = host_start(in[0], out[1]);
    assert_false(wire_mux_leave(mux, 10));
    wire_mux_free(mux);
    close(in[1]);
    close(out[0]);
}

int main(void)
{
    signal(SIGPIPE, SIG_IGN);
    alarm(240); /* a hang is a failure */
#define PAIR(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        PAIR(hello_of_the_helper_arrives),
        PAIR(bytes_come_back_exactly_in_both_directions_at_once),
        PAIR(what_is_passed_on_from_a_pipe_comes_whole_and_in_order),
        PAIR(slow_reader_stops_only_its_own_stream),
        PAIR(c33_a_write_without_credit_ends_at_its_deadline),
        PAIR(c33_an_answer_that_never_comes_ends_at_the_deadline),
        PAIR(events_come_in_order_and_then_the_result),
        PAIR(many_threads_share_one_session),
        PAIR(closing_a_channel_cancels_what_runs_there),
        cmocka_unit_test(sessions_are_byte_for_byte_the_golden_ones),
        cmocka_unit_test(helper_survives_a_session_cut_after_every_byte),
        cmocka_unit_test(helper_survives_every_flipped_byte),
        cmocka_unit_test(host_gets_a_typed_error_for_every_cut),
        cmocka_unit_test(host_survives_every_flipped_byte),
        cmocka_unit_test(what_a_transport_says_before_the_magic_is_skipped),
        cmocka_unit_test(what_a_transport_says_instead_of_the_magic_becomes_the_error),
        cmocka_unit_test(endless_words_before_the_magic_are_cut_off),
        cmocka_unit_test(a_helper_of_another_protocol_is_refused),
        cmocka_unit_test(a_peer_that_breaks_the_rules_is_told_from_one_that_died),
        cmocka_unit_test(c33_a_helper_that_is_gone_before_our_hello_is_explained),
        cmocka_unit_test(more_data_than_the_credit_breaks_the_session),
        cmocka_unit_test(c33_silence_is_noticed_and_any_byte_ends_it),
        cmocka_unit_test(c33_who_was_not_awake_gives_the_other_side_its_whole_time_anew),
        cmocka_unit_test(
            alive_is_said_only_into_silence_and_by_the_guest_only_as_an_answer),
        cmocka_unit_test(c33_a_guest_whose_host_is_silent_gives_up_what_runs),
        cmocka_unit_test(a_guest_that_only_looks_on_is_patient),
        cmocka_unit_test(c33_a_guest_that_cannot_get_rid_of_its_words_ends_with_its_host),
        cmocka_unit_test(who_sends_ends_when_the_reader_found_out_first),
        cmocka_unit_test(c33_a_helper_that_falls_silent_after_hello_is_an_error),
        cmocka_unit_test(an_idle_session_stays_as_long_as_both_sides_live),
        cmocka_unit_test(a_peer_that_does_not_hear_that_we_leave_is_left_soon),
    };
    return cmocka_run_group_tests_name("wire mux", tests, NULL, NULL);
}
