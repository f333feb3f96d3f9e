/* SPDX-License-Identifier: Apache-2.0 */
#include "guest/container/pump.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>

#include "guest/runtime/console.h"

#define SPLICE_BYTES (16 << 10) /* less is copied sooner than moved */

struct pump {
    struct wire_chan *chan;
    int console; /* its terminal; −1: it has pipes */
    int pidfd;
    int *fds;
    char *in; /* owned; taken from the host, not yet by the process */
    size_t in_len, in_done;
    bool in_ends;
    char *buffer; /* WIRE_DATA_MAX */
};

static void close_fd(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

static void flush_in(struct pump *p)
{
    while (p->in && p->fds[0] >= 0) {
        ssize_t n = write(p->fds[0], p->in + p->in_done, p->in_len - p->in_done);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno == EAGAIN)
            return;
        if (n < 0)
            close_fd(&p->fds[0]); /* it does not read any more */
        p->in_done += n > 0 ? (size_t)n : 0;
        if (n < 0 || p->in_done == p->in_len)
            free(DR_TAKE(p->in));
    }
    /* a terminal has no half that could be closed: as with Docker, it stays */
    if (p->in_ends && !p->in && p->console < 0)
        close_fd(&p->fds[0]);
}

static void on_event(struct pump *p, const json_t *event)
{
    int64_t number = dr_json_int(event, "signal", 0);
    if (strcmp(dr_json_str(event, "event") ?: "", "resize") == 0) {
        if (p->console >= 0)
            console_resize(p->console, dr_json_int(event, "rows", 0),
                           dr_json_int(event, "columns", 0));
    } else if (number >= 1 && number <= 64 && p->pidfd >= 0) {
        syscall(SYS_pidfd_send_signal, p->pidfd, (int)number, NULL, 0);
    }
}

/* Events, past stdin that does not keep up. */
static int events_from_host(struct pump *p, struct dr_error *err)
{
    struct wire_item item = {0};
    int got;
    while ((got = wire_try_event(p->chan, &item, err)) == 0) {
        dr_auto_json json_t *json = item.json;
        if (item.type != WIRE_ITEM_EVENT)
            return dr_fail(err, DR_ERR_CANCELLED, "the command was given up");
        on_event(p, json);
    }
    return got < 0 ? -1 : 0;
}

static int from_host(struct pump *p, struct dr_error *err)
{
    wire_poll_clear(p->chan);
    if (events_from_host(p, err) < 0)
        return -1;
    while (!p->in) {
        struct wire_item item = {0};
        int got = wire_try_next(p->chan, &item, err);
        if (got != 0)
            return got < 0 ? -1 : 0;
        dr_auto_json json_t *json = item.json;
        switch (item.type) {
        case WIRE_ITEM_DATA:
            if (item.stream == WIRE_STDIN && p->fds[0] >= 0 && item.len > 0) {
                p->in = item.data;
                p->in_len = item.len;
                p->in_done = 0;
                flush_in(p);
            } else {
                free(item.data);
            }
            break;
        case WIRE_ITEM_EOF:
            p->in_ends = p->in_ends || item.stream == WIRE_STDIN;
            flush_in(p);
            break;
        case WIRE_ITEM_EVENT:
            on_event(p, json);
            break;
        case WIRE_ITEM_CANCEL:
        case WIRE_ITEM_RESULT:
            return dr_fail(err, DR_ERR_CANCELLED, "the command was given up");
        }
    }
    return 0;
}

/* 1: something was passed on, 0: nothing is there or may be, −1 */
static int to_host(struct pump *p, int stream, struct dr_error *err)
{
    size_t credit = wire_credit(p->chan, stream);
    if (credit == 0 || p->fds[stream] < 0)
        return 0;
    int ready = 0;
    if (p->console < 0 && ioctl(p->fds[stream], FIONREAD, &ready) == 0 &&
        ready >= SPLICE_BYTES) {
        size_t most = credit < WIRE_DATA_MAX ? credit : WIRE_DATA_MAX;
        size_t len = (size_t)ready < most ? (size_t)ready : most;
        return wire_splice(p->chan, stream, p->fds[stream], len, err) < 0 ? -1 : 1;
    }
    ssize_t n =
        read(p->fds[stream], p->buffer, credit < WIRE_DATA_MAX ? credit : WIRE_DATA_MAX);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return 0;
    if (n <= 0) {
        close_fd(&p->fds[stream]);
        return wire_eof(p->chan, stream, err) < 0 ? -1 : 1;
    }
    return wire_write(p->chan, stream, p->buffer, (size_t)n, err) < 0 ? -1 : 1;
}

static int pump(struct pump *p, struct dr_error *err)
{
    bool dead = false;
    for (;;) {
        struct pollfd fds[5] = {{.fd = wire_poll_fd(p->chan), .events = POLLIN},
                                {.fd = dead ? -1 : p->pidfd, .events = POLLIN},
                                {.fd = p->in ? p->fds[0] : -1, .events = POLLOUT}};
        bool behind = false;
        for (int stream = 1; stream <= 2; stream++) {
            bool may = wire_credit(p->chan, stream) > 0;
            behind = behind || (!may && p->fds[stream] >= 0);
            fds[2 + stream] =
                (struct pollfd){.fd = may ? p->fds[stream] : -1, .events = POLLIN};
        }
        /* Dead: what is in the pipes is the rest. A child of it that lives on and holds
         * them open keeps nobody waiting. */
        if (poll(fds, 5, dead && !behind ? 0 : -1) < 0)
            continue;
        if (fds[0].revents && from_host(p, err) < 0)
            return -1;
        if (fds[2].revents) {
            flush_in(p);
            if (!p->in && from_host(p, err) < 0)
                return -1;
        }
        int passed = 0;
        for (int stream = 1; stream <= 2; stream++) {
            int n = fds[2 + stream].revents ? to_host(p, stream, err) : 0;
            if (n < 0)
                return -1;
            passed += n;
        }
        if (dead && !behind && passed == 0)
            return 0;
        if (fds[1].revents)
            dead = true;
    }
}

int pump_run(struct wire_chan *chan, int pidfd, int fds[3], int console,
             struct dr_error *err)
{
    struct pump p = {.chan = chan, .console = console, .pidfd = pidfd, .fds = fds};
    p.buffer = dr_alloc(WIRE_DATA_MAX);
    int result = pump(&p, err);
    free(p.buffer);
    free(p.in);
    for (int stream = 1; stream <= 2 && result == 0; stream++)
        result =
            wire_eof(chan, stream, err); /* of those that have not ended, or are none */
    return result;
}
