/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A stream connected to descriptors: one loop moves output and stdin, and a thread passes
 * signals on even while our own reader lets us wait (Ctrl-C must not).
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <time.h>

#include "base/fs.h"
#include "base/text.h"
#include "host/detach.h"
#include "host/stream.h"

#define BLIND_MS 20

struct pump {
    struct dray_stream *stream;
    const struct dray_pump *to;
    const struct limits *limits;
    struct detach detach;
    bool reading; /* more may come from stdin_fd */
    bool detached;
    char *typed;  /* WIRE_DATA_MAX, from stdin … */
    char *passed; /* … and without the detach keys */
    bool control; /* the thread runs */
    pthread_t thread;
    int stop_fd;
};

/* --- control: signals and the terminal's size --- */

static void send_size(struct pump *p)
{
    dr_auto_error struct dr_error unused = DR_ERROR_INIT;
    struct winsize size;
    if (p->to->tty_fd >= 0 && ioctl(p->to->tty_fd, TIOCGWINSZ, &size) == 0 &&
        size.ws_row && size.ws_col)
        stream_resize(p->stream, size.ws_row, size.ws_col, &unused);
}

static void *control_main(void *arg)
{
    struct pump *p = arg;
    struct pollfd fds[] = {{.fd = p->to->control_fd, .events = POLLIN},
                           {.fd = p->stop_fd, .events = POLLIN}};
    for (;;) {
        if (poll(fds, DR_COUNT(fds), -1) < 0 && errno != EINTR)
            return NULL;
        if (fds[1].revents)
            return NULL;
        unsigned char number;
        ssize_t n = fds[0].revents ? read(fds[0].fd, &number, 1) : -1;
        if (n == 0)
            return NULL; /* nobody will write any more */
        if (n < 0)
            continue;
        dr_auto_error struct dr_error unused = DR_ERROR_INIT; /* it may have ended */
        if (number == SIGWINCH)
            send_size(p);
        else
            stream_signal(p->stream, number, &unused);
    }
}

/* Nothing is taken from stdin, and no signal is passed on, before it runs: signals stay
 * in the pipe until somebody can get them. */
static int on_started(struct pump *p, struct dr_error *err)
{
    if (p->stream->tty)
        send_size(p); /* it may have changed since the caller looked */
    if (p->to->control_fd < 0)
        return 0;
    p->stop_fd = eventfd(0, EFD_CLOEXEC);
    if (p->stop_fd < 0)
        return dr_fail_errno(err, DR_ERR_INTERNAL, "make an eventfd");
    int rc = pthread_create(&p->thread, NULL, control_main, p);
    if (rc != 0) {
        errno = rc;
        return dr_fail_errno(err, DR_ERR_INTERNAL, "start a thread");
    }
    p->control = true;
    return 0;
}

static void stop_control(struct pump *p)
{
    if (p->control && eventfd_write(p->stop_fd, 1) == 0)
        pthread_join(p->thread, NULL);
    dr_cleanup_fd(&p->stop_fd);
}

/* --- output --- */

static int write_all(int fd, const char *data, size_t len, struct dr_error *err)
{
    while (len > 0) {
        ssize_t n = write(fd, data, len);
        if (n > 0) {
            data += n;
            len -= (size_t)n;
            continue;
        }
        struct pollfd room = {.fd = fd, .events = POLLOUT};
        if (errno == EAGAIN)
            poll(&room, 1, -1);
        else if (errno != EINTR)
            return dr_fail_at(err, DR_AT_HOST, DR_ERR_CANCELLED, errno,
                              "the output cannot be written: %s", strerrordesc_np(errno));
    }
    return 0;
}

static int on_output(struct pump *p, const struct dray_event *event, struct dr_error *err)
{
    int fd = event->stream == WIRE_STDERR ? p->to->stderr_fd : p->to->stdout_fd;
    if (fd < 0 && p->to->on_output) {
        if (p->to->on_output(p->to->arg, event->stream, event->data, event->len) != 0)
            return dr_fail(err, DR_ERR_CANCELLED, "the output is not wanted any more");
        return 0;
    }
    if (fd < 0)
        return 0;
    if (write_all(fd, event->data, event->len, err) < 0)
        return -1;
    return stream_by_lines(p->stream) && !event->partial ? write_all(fd, "\n", 1, err)
                                                         : 0;
}

/* 1: go on; 0: it has ended */
static int on_event(struct pump *p, const struct dray_event *event,
                    struct dray_event *ret_end, struct dr_error *err)
{
    if (event->type == DRAY_EVENT_OUTPUT || event->type == DRAY_EVENT_LOG)
        return on_output(p, event, err) < 0 ? -1 : 1;
    if (p->to->on_event)
        p->to->on_event(p->to->arg, event);
    if (event->type == DRAY_EVENT_STARTED && !p->control && on_started(p, err) < 0)
        return -1;
    if (event->type != DRAY_EVENT_EXIT)
        return 1;
    if (ret_end)
        *ret_end = *event;
    return 0;
}

/* --- stdin --- */

/* It ended while we were writing to it: that is no failure of ours, and the end says how.
 * A session that broke shows itself at the next event. */
static void send_typed(struct pump *p, const char *data, size_t len)
{
    dr_auto_error struct dr_error failed = DR_ERROR_INIT;
    wire_limit(p->stream->chan, WIRE_OUT,
               (struct wire_limit){p->limits->deadline_ms,
                                   p->limits->cancel ? p->limits->cancel->fd : -1});
    if (len > 0 && wire_write(p->stream->chan, WIRE_STDIN, data, len, &failed) < 0)
        p->reading = false;
}

/* One read of what is there, and of no more than can be sent at once: this loop never
 * waits for the other side to read. The end of stdin is passed on (half-close). */
static int move_stdin(struct pump *p, size_t credit, struct dr_error *err)
{
    size_t room = credit < WIRE_DATA_MAX ? credit : WIRE_DATA_MAX;
    if (!p->typed)
        p->typed = dr_alloc(WIRE_DATA_MAX);
    if (!p->passed)
        p->passed = dr_alloc(WIRE_DATA_MAX + DETACH_KEYS_MAX);
    room = room > DETACH_KEYS_MAX ? room - DETACH_KEYS_MAX : 1;
    ssize_t n = read(p->to->stdin_fd, p->typed, room);
    if (n < 0 && (errno == EINTR || errno == EAGAIN))
        return 0;
    if (n < 0 && errno == ECONNRESET) /* a socket: that is no end of what was sent */
        return dr_fail_at(err, DR_AT_HOST, DR_ERR_CANCELLED, errno,
                          "the connection was reset");
    if (n > 0) {
        size_t len;
        p->detached = detach_filter(&p->detach, (unsigned char *)p->typed, (size_t)n,
                                    (unsigned char *)p->passed, &len);
        send_typed(p, p->passed, len);
        return 0;
    }
    dr_auto_error struct dr_error unused = DR_ERROR_INIT;
    p->reading = false; /* an unreadable stdin is an empty one */
    send_typed(p, (char *)p->detach.keys, p->detach.matched); /* they meant themselves */
    stream_close_stdin(p->stream, &unused);
    return 0;
}

/* Waits until the channel or stdin has something, and moves what stdin has. */
static int wait_ready(struct pump *p, struct dr_error *err)
{
    struct wire_chan *chan = p->stream->chan;
    size_t credit = p->stream->started && p->reading ? wire_credit(chan, WIRE_STDIN) : 0;
    int64_t left = p->limits->deadline_ms ? p->limits->deadline_ms - dr_clock_ms() : -1;
    if (p->limits->deadline_ms && left <= 0)
        return dr_fail_at(err, DR_AT_TRANSPORT, DR_ERR_TIMEOUT, 0,
                          "no end within the deadline");
    struct pollfd fds[] = {
        {.fd = wire_poll_fd(chan), .events = POLLIN},
        {.fd = credit ? p->to->stdin_fd : -1, .events = POLLIN},
        {.fd = p->limits->cancel ? p->limits->cancel->fd : -1, .events = POLLIN}};
    if (fds[0].fd < 0 && (left < 0 || left > BLIND_MS))
        left = BLIND_MS; /* no descriptor was left: look now and then */
    if (poll(fds, DR_COUNT(fds), left > INT32_MAX ? INT32_MAX : (int)left) < 0)
        return errno == EINTR ? 0 : dr_fail_errno(err, DR_ERR_INTERNAL, "poll");
    if (fds[0].revents)
        wire_poll_clear(chan);
    if (fds[2].revents)
        return limits_cancelled(p->limits, err);
    return fds[1].revents ? move_stdin(p, credit, err) : 0;
}

/* As stream_next. Without stdin there is one thing to wait for. */
static int next_event(struct pump *p, struct dray_event *event, struct dr_error *err)
{
    while (p->reading && !p->detached) {
        int rc = stream_try_next(p->stream, event, err);
        if (rc != 2)
            return rc;
        if (wait_ready(p, err) < 0)
            return -1;
    }
    return p->detached ? 0 : stream_next(p->stream, p->limits, event, err);
}

/* 0: EXIT came; 1: detached, or the view ended; -1 */
static int run(struct pump *p, struct dray_event *ret_end, struct dr_error *err)
{
    struct dray_event event;
    if (p->stream->started && on_started(p, err) < 0)
        return -1;
    for (;;) {
        int rc = next_event(p, &event, err);
        if (rc <= 0)
            return rc < 0 ? -1 : 1;
        rc = on_event(p, &event, ret_end, err);
        if (rc <= 0)
            return rc;
    }
}

/* --- */

/* An output that nobody reads is an error to return, not a signal to die of. */
struct sigpipe {
    sigset_t before;
    bool was_pending;
};

static void sigpipe_hold(struct sigpipe *hold)
{
    sigset_t pipe_only, pending;
    sigemptyset(&pipe_only);
    sigaddset(&pipe_only, SIGPIPE);
    sigpending(&pending);
    hold->was_pending = sigismember(&pending, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &pipe_only, &hold->before);
}

static void sigpipe_release(const struct sigpipe *hold)
{
    sigset_t pipe_only;
    sigemptyset(&pipe_only);
    sigaddset(&pipe_only, SIGPIPE);
    if (!hold->was_pending)
        while (sigtimedwait(&pipe_only, NULL, &(struct timespec){0}) < 0 &&
               errno == EINTR)
            ;
    pthread_sigmask(SIG_SETMASK, &hold->before, NULL);
}

int dray_stream_pump(struct dray_stream *stream, const struct dray_pump *pump,
                     const struct dray_call *call, struct dray_event *ret_end,
                     struct dray_error **ret_err)
{
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    struct dray_pump to = DRAY_PUMP_INIT;
    struct limits limits = limits_of(call, NO_TIMEOUT);
    struct pump p = {.stream = stream, .to = &to, .limits = &limits, .stop_fd = -1};
    if (API_COPY(&to, pump, &err) < 0 ||
        detach_parse(to.detach_keys, &p.detach, &err) < 0)
        return api_end(-1, &err, ret_err);
    p.reading = to.stdin_fd >= 0 && stream->stdin_open;
    struct sigpipe hold;
    sigpipe_hold(&hold);
    int rc = run(&p, ret_end, &err);
    sigpipe_release(&hold);
    stop_control(&p);
    free(p.typed);
    free(p.passed);
    return api_end(rc, &err, ret_err);
}
