/* SPDX-License-Identifier: Apache-2.0 */
#include "guest/container/pump.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>

#include "base/text.h"
#include "guest/runtime/console.h"

#define SPLICE_BYTES (16 << 10) /* less is copied sooner than moved */
#define REST_BYTES (2 << 20)    /* what two pipes hold at most (exec.c) */
/* As the monitor's (monitor/output.c): small pieces that come close behind each other. */
#define GATHER_NS 300000
#define GATHER_GAP_NS 1000000
#define GATHER_BYTES 4096

struct pump {
    struct wire_chan *chan;
    int console; /* its terminal; −1: it has pipes */
    int pidfd;
    int *fds;
    char *in; /* owned; taken from the host, not yet by the process */
    size_t in_len, in_done;
    bool in_ends;
    bool in_came;    /* since it wrote last */
    int64_t last_ns; /* when it wrote last */
    bool gather;     /* its output is left alone for a moment */
    char *buffer;    /* WIRE_DATA_MAX */
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
                p->in_came = true;
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

/* Not when somebody writes to it: it may be an answer that is waited for. */
static void note_output(struct pump *p, size_t len)
{
    int64_t now_ns = dr_now_ns();
    p->gather = len < GATHER_BYTES && now_ns - p->last_ns < GATHER_GAP_NS && !p->in_came;
    p->in_came = false;
    p->last_ns = now_ns;
}

/* Bytes that were passed on; 0: nothing is there or may be; −1 */
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
        note_output(p, len);
        return wire_splice(p->chan, stream, p->fds[stream], len, err) < 0 ? -1 : (int)len;
    }
    ssize_t n =
        read(p->fds[stream], p->buffer, credit < WIRE_DATA_MAX ? credit : WIRE_DATA_MAX);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return 0;
    if (n <= 0) {
        close_fd(&p->fds[stream]);
        return wire_eof(p->chan, stream, err) < 0 ? -1 : 1;
    }
    note_output(p, (size_t)n);
    return wire_write(p->chan, stream, p->buffer, (size_t)n, err) < 0 ? -1 : (int)n;
}

/* -1: as long as it takes. */
static int wait_for(struct pump *p, struct pollfd *fds, nfds_t count, bool at_once)
{
    struct timespec until = {.tv_nsec = at_once ? 0 : GATHER_NS};
    int n = ppoll(fds, count, at_once || p->gather ? &until : NULL, NULL);
    p->gather = false;
    return n;
}

static int pump(struct pump *p, struct dr_error *err)
{
    bool dead = false;
    int rest = REST_BYTES;
    for (;;) {
        struct pollfd fds[5] = {{.fd = wire_poll_fd(p->chan), .events = POLLIN},
                                {.fd = dead ? -1 : p->pidfd, .events = POLLIN},
                                {.fd = p->in ? p->fds[0] : -1, .events = POLLOUT}};
        bool behind = false;
        for (int stream = 1; stream <= 2; stream++) {
            bool may = wire_credit(p->chan, stream) > 0 && (dead || !p->gather);
            behind = behind || (!may && p->fds[stream] >= 0);
            fds[2 + stream] =
                (struct pollfd){.fd = may ? p->fds[stream] : -1, .events = POLLIN};
        }
        /* Dead: what is in the pipes is the rest. A child of it that lives on and holds
         * them open keeps nobody waiting, whether it is silent or writes for ever. */
        if (wait_for(p, fds, 5, dead && !behind) < 0)
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
        rest -= dead ? passed : 0;
        if (dead && !behind && (passed == 0 || rest <= 0))
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
