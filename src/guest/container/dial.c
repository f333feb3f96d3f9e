/* SPDX-License-Identifier: Apache-2.0 */
#include "guest/container/dial.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "base/text.h"
#include "guest/net/dial.h"

#define CONNECT_MS 30000
#define SPLICE_BYTES (16 << 10) /* less is copied sooner than moved */

struct dial {
    struct wire_chan *chan;
    int fd;
    bool datagrams;
    char *out; /* owned; taken from the host, not yet by the container */
    size_t out_len, out_done;
    bool out_ends;        /* nothing comes after it */
    bool out_ended;       /* so the container was told */
    bool in_ended;        /* so the host was told */
    bool hung_up;         /* both ways ended in good order; there may be more to read */
    char buffer[1 << 16]; /* any datagram */
};

static int was_reset(int why, struct dr_error *err)
{
    return dr_fail_at(err, DR_AT_GUEST, DR_ERR_NETWORK, why ? why : ECONNRESET,
                      "the connection was lost: %s", strerror(why ? why : ECONNRESET));
}

/* --- from the host --- */

static int flush_out(struct dial *d, struct dr_error *err)
{
    while (d->out) {
        ssize_t n =
            send(d->fd, d->out + d->out_done, d->out_len - d->out_done, MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno == EAGAIN)
            return 0;
        if (n < 0 && !d->datagrams)
            return was_reset(errno == EPIPE ? ECONNRESET : errno, err);
        /* a datagram that nobody wants is lost, as they are */
        d->out_done += n < 0 ? d->out_len : (size_t)n;
        if (d->out_done >= d->out_len)
            free(DR_TAKE(d->out));
    }
    if (d->out_ends && !d->out_ended) {
        shutdown(d->fd, SHUT_WR);
        d->out_ended = true;
    }
    return 0;
}

static int from_host(struct dial *d, struct dr_error *err)
{
    wire_poll_clear(d->chan);
    /* also past what the container does not take */
    if (wire_cancelled(d->chan))
        return dr_fail(err, DR_ERR_CANCELLED, "the connection was given up");
    while (!d->out) {
        struct wire_item item = {0};
        int got = wire_try_next(d->chan, &item, err);
        if (got != 0)
            return got < 0 ? -1 : 0;
        dr_auto_json json_t *json = item.json;
        if (item.type == WIRE_ITEM_DATA && item.len > 0 && !d->out_ends) {
            d->out = item.data;
            d->out_len = item.len;
            d->out_done = 0;
        } else {
            free(item.data);
        }
        if (item.type == WIRE_ITEM_EOF)
            d->out_ends = true;
        if (item.type == WIRE_ITEM_CANCEL || item.type == WIRE_ITEM_RESULT)
            return dr_fail(err, DR_ERR_CANCELLED, "the connection was given up");
        if (flush_out(d, err) < 0)
            return -1;
    }
    return 0;
}

/* --- to the host --- */

static int to_host(struct dial *d, struct dr_error *err)
{
    size_t credit = wire_credit(d->chan, WIRE_STDOUT);
    size_t most = credit < WIRE_DATA_MAX ? credit : WIRE_DATA_MAX;
    int ready = 0;
    if (!d->datagrams && ioctl(d->fd, FIONREAD, &ready) == 0 && ready >= SPLICE_BYTES &&
        most >= SPLICE_BYTES)
        return wire_splice(d->chan, WIRE_STDOUT, d->fd,
                           (size_t)ready < most ? (size_t)ready : most, err);
    size_t room = sizeof d->buffer;
    if (!d->datagrams && most < room)
        room = most;
    ssize_t n = recv(d->fd, d->buffer, room, 0);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return 0;
    if (d->datagrams && (n <= 0 || (size_t)n > credit))
        return 0; /* refused, empty, or too fast for the host: lost, as they are */
    if (n < 0)
        return was_reset(errno, err);
    if (n > 0)
        return wire_write(d->chan, WIRE_STDOUT, d->buffer, (size_t)n, err);
    d->in_ended = true;
    return wire_eof(d->chan, WIRE_STDOUT, err);
}

/* Of a socket of which nothing is waited for just now these are told all the same, again
 * and again. */
static int on_hang_up(struct dial *d, short got, struct dr_error *err)
{
    int why = 0;
    socklen_t len = sizeof why;
    if (d->datagrams || !(got & POLLERR)) {
        d->hung_up = d->hung_up || (got & POLLHUP);
        return 0;
    }
    getsockopt(d->fd, SOL_SOCKET, SO_ERROR, &why, &len);
    return was_reset(why, err);
}

static int pass(struct dial *d, struct dr_error *err)
{
    while (!(d->in_ended && d->out_ended) && !(d->datagrams && d->out_ended)) {
        bool may = !d->in_ended && wire_credit(d->chan, WIRE_STDOUT) > 0;
        short wanted = (short)((may ? POLLIN : 0) | (d->out ? POLLOUT : 0));
        struct pollfd fds[2] = {
            {.fd = wire_poll_fd(d->chan), .events = POLLIN},
            {.fd = d->hung_up && !wanted ? -1 : d->fd, .events = wanted}};
        if (poll(fds, 2, -1) < 0)
            continue;
        if (fds[0].revents && from_host(d, err) < 0)
            return -1;
        if ((fds[1].revents & POLLOUT) &&
            (flush_out(d, err) < 0 || from_host(d, err) < 0))
            return -1;
        if (may && (fds[1].revents & (POLLIN | POLLHUP | POLLERR))) {
            if (to_host(d, err) < 0)
                return -1;
        } else if ((fds[1].revents & (POLLHUP | POLLERR)) &&
                   on_hang_up(d, fds[1].revents, err) < 0) {
            return -1;
        }
    }
    return 0;
}

/* Whoever talks with the container is to know that it was no orderly end. */
static void reset(int fd)
{
    struct linger now = {.l_onoff = 1};
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
}

static int open_port(const struct container *c, int64_t port, bool datagrams, int *ret_fd,
                     struct dr_error *err)
{
    pid_t pid;
    dr_auto_fd int pidfd = container_pidfd(c, &pid);
    if (pidfd < 0)
        return dr_fail(err, DR_ERR_CONFLICT, "container %s is not running",
                       container_name(c));
    if (net_enter(pid, err) < 0)
        return -1;
    /* still there: so the number was the container's all the time */
    struct pollfd gone = {.fd = pidfd, .events = POLLIN};
    if (poll(&gone, 1, 0) != 0)
        return dr_fail(err, DR_ERR_CONFLICT, "container %s has just ended",
                       container_name(c));
    *ret_fd = net_connect(NULL, port, datagrams ? SOCK_DGRAM : SOCK_STREAM,
                          dr_clock_ms() + CONNECT_MS);
    if (*ret_fd >= 0)
        return 0;
    return dr_fail_errno(err, DR_ERR_NETWORK, "connect to port %lld of container %s",
                         (long long)port, container_name(c));
}

int container_dial(const struct container *c, const json_t *request,
                   struct wire_chan *chan, struct dr_error *err)
{
    int64_t port = dr_json_int(request, "port", 0);
    const char *protocol = dr_json_str(request, "protocol") ?: "tcp";
    bool datagrams = strcmp(protocol, "udp") == 0;
    if (port < 1 || port > 65535 || (!datagrams && strcmp(protocol, "tcp") != 0))
        return dr_fail(err, DR_ERR_INVALID, "%lld/%s is no port: 1 to 65535, tcp or udp",
                       (long long)port, protocol);
    dr_auto_fd int fd = -1;
    if (open_port(c, port, datagrams, &fd, err) < 0)
        return -1;
    if (!datagrams)
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
    dr_auto_json json_t *event = json_object();
    dr_json_set_str(event, "event", "started");
    if (wire_event(chan, event, err) < 0)
        return -1;
    dr_auto_free struct dial *d = dr_alloc(sizeof *d);
    d->chan = chan;
    d->fd = fd;
    d->datagrams = datagrams;
    int result = pass(d, err);
    free(d->out);
    if (result < 0)
        reset(fd);
    return result;
}
