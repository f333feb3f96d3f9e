/* SPDX-License-Identifier: Apache-2.0 */
#include "guest/container/start.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include "base/text.h"
#include "guest/monitor/monitor.h"
#include "guest/runtime/children.h"

#define SWEEP_MS 500
#define LEAVE_MS 1000
#define RESIZE_MS 50             /* from one try to tell the monitor to the next */
#define SPLICE_BYTES (16u << 10) /* less is copied sooner than moved */

struct relay {
    struct wire_chan *chan;
    const char *run_dir; /* where its monitor listens */
    int fd;              /* the monitor's socket; blocking, read only when poll says so */
    int pidfd;           /* −1: signals are dropped */
    /* from the monitor */
    int stream;
    uint32_t left; /* bytes of a data frame still to come */
    bool exited;
    json_t *end; /* its event; owned */
    bool undo;   /* the host gave the start up before it heard of it */
    /* to the monitor */
    char *out; /* owned; a frame that the socket did not take yet */
    size_t out_len, out_done;
    bool stdin_closed;
    int64_t rows, columns; /* of its terminal */
    bool resized;          /* its monitor is still to be told */
    char *buffer;          /* WIRE_DATA_MAX */
};

/* What can go on to the host now: bounded by its credit. */
static size_t may_read(const struct relay *r)
{
    if (r->left == 0)
        return WIRE_HEADER_BYTES;
    size_t credit = wire_credit(r->chan, r->stream);
    size_t most = credit < WIRE_DATA_MAX ? credit : WIRE_DATA_MAX;
    return most < r->left ? most : r->left;
}

static int pass_data(struct relay *r, struct dr_error *err)
{
    size_t want = may_read(r);
    int ready = 0;
    if (want == 0)
        return 0;
    if (want >= SPLICE_BYTES && ioctl(r->fd, FIONREAD, &ready) == 0 &&
        ready >= (int)SPLICE_BYTES) {
        size_t len = (size_t)ready < want ? (size_t)ready : want;
        r->left -= (uint32_t)len;
        return wire_splice(r->chan, r->stream, r->fd, len, err);
    }
    ssize_t n = read(r->fd, r->buffer, want);
    if (n < 0 && errno == EINTR)
        return 0;
    if (n <= 0)
        return dr_fail(err, DR_ERR_INTERNAL, "the container's monitor died");
    r->left -= (uint32_t)n;
    return wire_write(r->chan, r->stream, r->buffer, (size_t)n, err);
}

static int pass_frame(struct relay *r, struct dr_error *err)
{
    struct monitor_frame frame = {0};
    if (r->left > 0)
        return pass_data(r, err);
    int n = monitor_receive(r->fd, 0, &frame, err);
    if (n < 0)
        return -1;
    if (n == 0)
        return dr_fail(err, DR_ERR_INTERNAL, "the container's monitor died");
    dr_auto_json json_t *json = frame.json;
    switch (frame.header.type) {
    case WIRE_DATA:
        r->stream = frame.header.stream;
        r->left = frame.header.length;
        return 0;
    case WIRE_EOF:
        return wire_eof(r->chan, frame.header.stream, err);
    case WIRE_EVENT:
        if (strcmp(dr_json_str(json, "event") ?: "", "exited") == 0) {
            r->exited = true;
            r->end = json_incref(json);
        }
        return 0;
    default:
        return dr_fail(err, DR_ERR_INTERNAL, "the container's monitor sent nonsense");
    }
}

static void flush_out(struct relay *r)
{
    while (r->out) {
        ssize_t n = send(r->fd, r->out + r->out_done, r->out_len - r->out_done,
                         MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno == EAGAIN)
            return;
        if (n < 0) { /* it is going: what it says last is still to be read */
            r->stdin_closed = true;
            free(DR_TAKE(r->out));
            return;
        }
        r->out_done += (size_t)n;
        if (r->out_done == r->out_len)
            free(DR_TAKE(r->out));
    }
}

static void send_stdin(struct relay *r, enum wire_type type, const char *data, size_t len)
{
    unsigned char head[WIRE_HEADER_BYTES];
    if (r->stdin_closed)
        return;
    wire_header_encode(&(struct wire_header){.length = (uint32_t)len,
                                             .type = (uint8_t)type,
                                             .channel = 1,
                                             .stream = WIRE_STDIN},
                       head);
    r->out = dr_alloc(sizeof head + len);
    memcpy(r->out, head, sizeof head);
    if (len > 0)
        memcpy(r->out + sizeof head, data, len);
    r->out_len = sizeof head + len;
    r->out_done = 0;
    r->stdin_closed = type == WIRE_EOF;
    flush_out(r);
}

/* By a connection of its own: on this one it would wait behind stdin that the container
 * does not read. A monitor that is stopped, or at work on the next run, hears nobody, and
 * its queue is full after some; nobody waits for that here. */
static void tell_size(struct relay *r)
{
    dr_auto_fd int fd = monitor_try_connect(r->run_dir);
    if (fd < 0 && errno == EAGAIN)
        return; /* later */
    r->resized = false;
    dr_auto_json json_t *request = json_object();
    dr_json_set_str(request, "op", "resize");
    dr_json_set_int(request, "rows", r->rows);
    dr_json_set_int(request, "columns", r->columns);
    if (fd >= 0)
        monitor_send_json(fd, WIRE_REQUEST, request); /* it may be gone: no loss */
}

static void resize(struct relay *r, const json_t *event)
{
    bool waits = r->resized;
    r->rows = dr_json_int(event, "rows", 0);
    r->columns = dr_json_int(event, "columns", 0);
    r->resized = true;
    if (!waits) /* else this size goes in the place of the one that waits */
        tell_size(r);
}

static void on_event(struct relay *r, const json_t *event)
{
    int64_t number = dr_json_int(event, "signal", 0);
    const char *name = dr_json_str(event, "event") ?: "";
    if (strcmp(name, "resize") == 0)
        resize(r, event);
    else if (strcmp(name, "undo") == 0)
        r->undo = true;
    else if (number >= 1 && number <= 64 && r->pidfd >= 0)
        syscall(SYS_pidfd_send_signal, r->pidfd, (int)number, NULL, 0);
}

/* What is for the container. The item's contents are freed. */
static void take(struct relay *r, struct wire_item *item)
{
    if (item->type == WIRE_ITEM_DATA && item->stream == WIRE_STDIN)
        send_stdin(r, WIRE_DATA, item->data, item->len);
    else if (item->type == WIRE_ITEM_EOF && item->stream == WIRE_STDIN)
        send_stdin(r, WIRE_EOF, NULL, 0);
    else if (item->type == WIRE_ITEM_EVENT)
        on_event(r, item->json);
    free(item->data);
    json_decref(item->json);
}

/* The host leaves. What it wrote before that still goes to the container, as far as that
 * takes it without waiting: its monitor has a moment to take it over. */
static int leave(struct relay *r, struct dr_error *err)
{
    dr_auto_error struct dr_error ended = DR_ERROR_INIT;
    struct wire_item item = {0};
    int64_t until = dr_clock_ms() + LEAVE_MS, left;
    for (;;) {
        struct pollfd monitor = {.fd = r->fd, .events = POLLOUT};
        while (r->out && (left = until - dr_clock_ms()) > 0 &&
               poll(&monitor, 1, (int)left) > 0)
            flush_out(r);
        if (r->out || wire_try_next(r->chan, &item, &ended) != 0 ||
            item.type == WIRE_ITEM_RESULT)
            break;
        take(r, &item);
    }
    dr_error_release(err);
    return dr_fail(err, DR_ERR_CANCELLED, "detached from the container");
}

/* Events, past stdin that does not keep up. */
static int events_from_host(struct relay *r, struct dr_error *err)
{
    struct wire_item item = {0};
    int got;
    while ((got = wire_try_event(r->chan, &item, err)) == 0) {
        if (item.type != WIRE_ITEM_EVENT)
            return leave(r, err);
        take(r, &item);
    }
    return got < 0 ? leave(r, err) : 0;
}

/* Everything that the host sent, as long as stdin keeps up. */
static int from_host(struct relay *r, struct dr_error *err)
{
    wire_poll_clear(r->chan);
    if (events_from_host(r, err) < 0)
        return -1;
    while (!r->out) {
        struct wire_item item = {0};
        int got = wire_try_next(r->chan, &item, err);
        if (got > 0)
            return 0;
        if (got < 0 || item.type == WIRE_ITEM_CANCEL || item.type == WIRE_ITEM_RESULT)
            return leave(r, err);
        take(r, &item);
    }
    return 0;
}

int container_relay(struct wire_chan *chan, const struct container *container,
                    int monitor_fd, int pidfd, json_t **ret_reply, bool *ret_undo,
                    struct dr_error *err)
{
    struct relay r = {
        .chan = chan, .run_dir = container->run_dir, .fd = monitor_fd, .pidfd = pidfd};
    r.buffer = dr_alloc(WIRE_DATA_MAX);
    int host_fd = wire_poll_fd(chan), result = 0;
    while (result == 0 && !r.exited) {
        struct pollfd fds[2] = {
            {.fd = r.fd,
             .events = (short)((may_read(&r) ? POLLIN : 0) | (r.out ? POLLOUT : 0))},
            {.fd = host_fd, .events = POLLIN}};
        /* with nothing to ask of the monitor its hang-up would be reported for ever */
        if (fds[0].events == 0)
            fds[0].fd = -1;
        if (poll(fds, 2, r.resized ? RESIZE_MS : -1) < 0)
            continue;
        if (r.resized)
            tell_size(&r);
        if (fds[1].revents)
            result = from_host(&r, err);
        if (result == 0 && (fds[0].revents & POLLOUT)) {
            flush_out(&r);
            if (!r.out)
                result = from_host(&r, err);
        }
        if (result == 0 && (fds[0].revents & (POLLIN | POLLHUP | POLLERR)) &&
            may_read(&r))
            result = pass_frame(&r, err);
    }
    free(r.out);
    free(r.buffer);
    for (int stream = 1; stream <= 2 && result == 0; stream++)
        result = wire_eof(chan, stream, err); /* a terminal has one of them only */
    if (result == 0) {
        *ret_reply = json_object();
        static const char *const same[] = {"exit_code", "oom_killed", "restarting"};
        for (size_t i = 0; i < DR_COUNT(same); i++)
            dr_json_set(*ret_reply, same[i],
                        json_incref(json_object_get(r.end, same[i])));
    }
    json_decref(r.end);
    *ret_undo = r.undo;
    return result;
}

int container_wait_exit(struct wire_chan *chan, int monitor_fd, int64_t deadline_ms,
                        int64_t *ret_exit, struct dr_error *err)
{
    for (;;) {
        struct pollfd fds[2] = {{.fd = monitor_fd, .events = POLLIN},
                                {.fd = chan ? wire_poll_fd(chan) : -1, .events = POLLIN}};
        int64_t left = deadline_ms ? deadline_ms - dr_clock_ms() : -1;
        if (deadline_ms && left <= 0)
            return dr_fail(err, DR_ERR_TIMEOUT, "the container has not ended in time");
        if (left < 0 || left > SWEEP_MS)
            left = SWEEP_MS;
        int n = poll(fds, 2, (int)left);
        if (n == 0)
            children_sweep(); /* a stray of ours in the container would keep it from
                                 ending */
        if (n <= 0)
            continue;
        if (fds[1].revents) {
            wire_poll_clear(chan);
            if (wire_cancelled(chan))
                return dr_fail(err, DR_ERR_CANCELLED, "the wait was given up");
        }
        if (!fds[0].revents)
            continue;
        struct monitor_frame frame = {0};
        dr_auto_error struct dr_error broken = DR_ERROR_INIT;
        if (monitor_receive(monitor_fd, dr_clock_ms() + 10000, &frame, &broken) <= 0)
            return 0;
        dr_auto_json json_t *json = frame.json;
        if (frame.header.type == WIRE_EVENT &&
            strcmp(dr_json_str(json, "event") ?: "", "exited") == 0) {
            *ret_exit = dr_json_int(json, "exit_code", -1);
            return 1;
        }
    }
}
