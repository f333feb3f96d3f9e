/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The streams of an attached container or exec, over one channel: one loop moves output
 * and stdin, and a thread passes signals on even while our reader lets us wait.
 */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <string.h>
#include <sys/eventfd.h>

#include "base/text.h"
#include "host/legacy.h"

#define SIGNAL_TIMEOUT_MS 10000

struct stream {
    struct session *session;
    struct wire_chan *chan;
    char *id; /* of the container; NULL for exec; owned */
    const struct host_streams *to;
    bool started;    /* the event came: the container is there to hear us */
    bool stdin_open; /* more may come from stdin_fd */
    bool signals;    /* the thread runs */
    pthread_t thread;
    int stop_fd; /* eventfd: readable when the thread shall end */
    char *buf;   /* WIRE_DATA_MAX bytes for stdin */
};

/* To the container by a request of its own: on the stream's channel it would wait behind
 * stdin that nobody reads, and Ctrl-C must not. An exec has no other way. */
static void pass_on(struct stream *s, int number)
{
    dr_auto_error struct dr_error unused = DR_ERROR_INIT; /* it may have ended just now */
    dr_auto_json json_t *message = NULL;
    if (s->id) {
        message = request_new("container.kill");
        dr_json_set_str(message, "id", s->id);
        dr_json_set_int(message, "signal", number);
        wire_call(s->session->mux, message, dr_clock_ms() + SIGNAL_TIMEOUT_MS, NULL,
                  &unused);
    } else {
        message = json_pack("{sssi}", "event", "signal", "signal", number);
        wire_event(s->chan, message, &unused);
    }
}

static void *signal_thread(void *arg)
{
    struct stream *s = arg;
    struct pollfd fds[] = {{.fd = s->to->signal_fd, .events = POLLIN},
                           {.fd = s->stop_fd, .events = POLLIN}};
    for (;;) {
        if (poll(fds, DR_COUNT(fds), -1) < 0 && errno != EINTR)
            return NULL;
        if (fds[1].revents)
            return NULL;
        unsigned char number;
        ssize_t n = fds[0].revents ? read(s->to->signal_fd, &number, 1) : -1;
        if (n == 0)
            return NULL; /* nobody will write any more */
        if (n < 0)
            continue;
        pass_on(s, number);
    }
}

/* Nothing is taken from stdin, and no signal is passed on, before the container runs: a
 * request that fails (the image is missing, say) has eaten no byte that the next one
 * needs, and signals stay in the pipe until somebody can get them. */
static int on_started(struct stream *s, struct dr_error *err)
{
    s->started = true;
    if (s->to->signal_fd < 0)
        return 0;
    s->stop_fd = eventfd(0, EFD_CLOEXEC);
    if (s->stop_fd < 0)
        return dr_fail_errno(err, DR_ERR_INTERNAL, "make an eventfd");
    int rc = pthread_create(&s->thread, NULL, signal_thread, s);
    if (rc != 0) {
        errno = rc;
        return dr_fail_errno(err, DR_ERR_INTERNAL, "start a thread");
    }
    s->signals = true;
    return 0;
}

static int on_item(struct stream *s, struct wire_item *item, struct dr_error *err)
{
    int rc = 0;
    if (item->type == WIRE_ITEM_EVENT) {
        const char *name = dr_json_str(item->json, "event");
        if (s->to->on_event)
            s->to->on_event(s->to->arg, item->json);
        const char *id = dr_json_str(item->json, "id");
        if (!s->id && name && id && strcmp(name, "created") == 0)
            s->id = dr_strdup(id);
        if (!s->started && name && strcmp(name, "started") == 0)
            rc = on_started(s, err);
    } else if (item->type == WIRE_ITEM_DATA && s->to->on_output) {
        if (s->to->on_output(s->to->arg, item->stream, item->data, item->len) != 0)
            rc = dr_fail(err, DR_ERR_CANCELLED, "the output is not wanted any more");
    }
    free(item->data);
    json_decref(item->json);
    return rc;
}

/* One read of what is there, and of no more than can be sent at once: this loop never
 * waits for the container to read. The end of stdin is passed on (half-close). */
static int move_stdin(struct stream *s, size_t credit, struct dr_error *err)
{
    size_t room = credit < WIRE_DATA_MAX ? credit : WIRE_DATA_MAX;
    if (!s->buf)
        s->buf = dr_alloc(WIRE_DATA_MAX);
    ssize_t n = read(s->to->stdin_fd, s->buf, room);
    if (n < 0 && (errno == EINTR || errno == EAGAIN))
        return 0;
    if (n > 0)
        return wire_write(s->chan, WIRE_STDIN, s->buf, (size_t)n, err);
    s->stdin_open = false; /* an unreadable stdin is an empty one */
    return wire_eof(s->chan, WIRE_STDIN, err);
}

/* The container ended while we were writing to it: that is no failure of ours, and the
 * reply says how. A session that broke shows itself at the next item. */
static void stdin_failed(struct stream *s, struct dr_error *err)
{
    s->stdin_open = false;
    dr_error_release(err);
}

/* Waits until the channel or stdin has something, and moves what stdin has. */
static int wait_ready(struct stream *s, struct dr_error *err)
{
    size_t credit = s->started && s->stdin_open ? wire_credit(s->chan, WIRE_STDIN) : 0;
    struct pollfd fds[] = {{.fd = wire_poll_fd(s->chan), .events = POLLIN},
                           {.fd = credit ? s->to->stdin_fd : -1, .events = POLLIN}};
    if (poll(fds, DR_COUNT(fds), -1) < 0)
        return errno == EINTR ? 0 : dr_fail_errno(err, DR_ERR_INTERNAL, "poll");
    if (fds[0].revents)
        wire_poll_clear(s->chan);
    if (fds[1].revents) {
        dr_auto_error struct dr_error failed = DR_ERROR_INIT;
        if (move_stdin(s, credit, &failed) < 0)
            stdin_failed(s, &failed);
    }
    return 0;
}

/* Without stdin there is one thing to wait for, and no descriptor is needed for that. */
static int next_item(struct stream *s, struct wire_item *ret_item, struct dr_error *err)
{
    while (s->stdin_open) {
        int rc = wire_try_next(s->chan, ret_item, err);
        if (rc <= 0)
            return rc;
        if (wait_ready(s, err) < 0)
            return -1;
    }
    return wire_next(s->chan, ret_item, err);
}

static void stop_signals(struct stream *s)
{
    uint64_t one = 1;
    if (s->signals && write(s->stop_fd, &one, sizeof one) == (ssize_t)sizeof one)
        pthread_join(s->thread, NULL);
    if (s->stop_fd >= 0)
        close(s->stop_fd);
}

int host_stream(struct host *host, json_t *request, const struct host_streams *streams,
                json_t **ret_reply, struct dr_error *err)
{
    dr_auto_json json_t *taken = request;
    struct stream s = {
        .to = streams, .stdin_open = streams->stdin_fd >= 0, .stop_fd = -1};
    if (strcmp(dr_json_str(taken, "op"), "container.start") == 0)
        s.id = dr_strdup(dr_json_str(taken, "id"));
    struct limits limits = {0};
    if (request_open(host->target, taken, &limits, &s.session, &s.chan, err) < 0)
        return -1;
    json_t *hello;
    int rc = wire_mux_hello(s.session->mux, s.session->hello_deadline_ms, &hello, err);
    if (rc < 0 && err->kind == DR_ERR_TIMEOUT) /* C33: nothing hangs on a mute target */
        dr_fail_at(err, DR_AT_TRANSPORT, DR_ERR_UNAVAILABLE, 0,
                   "the helper did not say hello in time");
    wire_limit(s.chan, WIRE_IN, WIRE_NO_LIMIT);
    wire_limit(s.chan, WIRE_OUT, WIRE_NO_LIMIT);
    struct wire_item item = {.type = WIRE_ITEM_EVENT};
    while (rc == 0 && item.type != WIRE_ITEM_RESULT) {
        rc = next_item(&s, &item, err);
        if (rc == 0)
            rc = on_item(&s, &item, err);
    }
    if (rc == 0)
        rc = wire_result(s.chan, ret_reply, err);
    stop_signals(&s); /* before the channel that it writes to goes */
    wire_close(s.chan);
    session_unref(s.session);
    free(s.buf);
    free(s.id);
    return rc;
}
