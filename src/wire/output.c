/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/output.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>

#include "base/fs.h"
#include "base/mem.h"
#include "base/text.h"

/* Between looks at `stopped`: it has no descriptor of its own. */
#define LOOK_MS 200

void wire_out_init(struct wire_out *out, int fd, int wake_fd)
{
    *out = (struct wire_out){.fd = fd, .wake_fd = wake_fd};
    pthread_mutex_init(&out->lock, NULL);
    int flags = fcntl(fd, F_GETFL);
    if (flags >= 0)
        fcntl(fd, F_SETFL, flags | O_NONBLOCK);
}

void wire_out_release(struct wire_out *out)
{
    pthread_mutex_destroy(&out->lock);
    free(out->rest);
}

void wire_out_stop(struct wire_out *out, bool shut)
{
    pthread_mutex_lock(&out->lock);
    out->stopped = true;
    if (shut && out->fd >= 0 && shutdown(out->fd, SHUT_WR) < 0) {
        close(out->fd);
        out->fd = -1;
    }
    pthread_mutex_unlock(&out->lock);
}

/* --- lock held --- */

/* A socket raises no SIGPIPE that way. The helper, which writes to a pipe, ignores it. */
static ssize_t write_some(struct wire_out *out, const void *data, size_t len)
{
    for (;;) {
        ssize_t n = out->no_socket ? write(out->fd, data, len)
                                   : send(out->fd, data, len, MSG_NOSIGNAL);
        if (n < 0 && errno == ENOTSOCK && !out->no_socket) {
            out->no_socket = true;
            continue;
        }
        if (n >= 0 || errno != EINTR)
            return n;
    }
}

/* Nothing can be sent: errno says why. */
static bool is_over(const struct wire_out *out)
{
    if (out->stopped || out->failed)
        errno = out->stopped ? ECANCELED : out->failed;
    return out->stopped || out->failed;
}

/* As much as there is room for. */
static int flush_rest(struct wire_out *out)
{
    while (out->rest_done < out->rest_len) {
        ssize_t n = out->stopped ? -1
                                 : write_some(out, out->rest + out->rest_done,
                                              out->rest_len - out->rest_done);
        if (out->stopped)
            errno = ECANCELED;
        if (n < 0)
            return errno == EAGAIN ? 0 : -1;
        out->rest_done += (size_t)n;
        out->sent += (size_t)n;
    }
    out->rest_done = out->rest_len = 0;
    return 0;
}

static void make_room(struct wire_out *out, size_t len)
{
    if (out->rest_len + len > out->rest_cap) {
        out->rest_cap = out->rest_len + len;
        out->rest = dr_realloc(out->rest, out->rest_cap);
    }
}

static void keep(struct wire_out *out, const void *data, size_t len)
{
    make_room(out, len);
    if (len > 0)
        memcpy(out->rest + out->rest_len, data, len);
    out->rest_len += len;
}

/* What cannot go now is kept. */
static int put(struct wire_out *out, const void *data, size_t len)
{
    const char *p = data;
    out->queued += len;
    while (len > 0 && out->rest_len == 0) {
        ssize_t n = out->stopped ? -1 : write_some(out, p, len);
        if (out->stopped)
            errno = ECANCELED;
        if (n < 0 && errno != EAGAIN)
            return -1;
        if (n < 0)
            break;
        out->sent += (size_t)n;
        p += n;
        len -= (size_t)n;
    }
    keep(out, p, len);
    return 0;
}

/* The rest of a frame, out of where it is. */
static int keep_from(struct wire_out *out, int fd, size_t len)
{
    make_room(out, len);
    ssize_t n = dr_read_full(fd, out->rest + out->rest_len, len);
    if (n < 0 || (size_t)n < len) {
        errno = n < 0 ? errno : EIO;
        return -1;
    }
    out->rest_len += len;
    out->queued += len;
    return flush_rest(out);
}

/* --- */

static void wake_reader(struct wire_out *out)
{
    uint64_t one = 1;
    if (write(out->wake_fd, &one, sizeof one) < 0)
        return; /* it is awake */
}

/* One turn of waiting for room, without the lock. */
static int wait_room(struct wire_out *out, int fd, const struct wire_limit *limit)
{
    int64_t wait = LOOK_MS;
    if (limit->deadline_ms) {
        int64_t left = limit->deadline_ms - dr_clock_ms();
        if (left <= 0) {
            errno = ETIMEDOUT;
            return -1;
        }
        wait = left < wait ? left : wait;
    }
    struct pollfd fds[] = {{.fd = fd, .events = POLLOUT},
                           {.fd = limit->cancel_fd, .events = POLLIN}};
    if (poll(fds, 2, (int)wait) > 0 && fds[1].revents) {
        errno = EINTR;
        return -1;
    }
    return 0;
}

int wire_out_begin(struct wire_out *out, const struct wire_limit *limit)
{
    for (;;) {
        pthread_mutex_lock(&out->lock);
        int rc = is_over(out) ? -1 : flush_rest(out);
        if (rc == 0 && out->rest_len == 0)
            return 0;
        int fd = out->fd, why = errno;
        pthread_mutex_unlock(&out->lock);
        errno = why;
        if (rc < 0)
            return -1;
        if (wait_room(out, fd, limit) < 0) {
            why = errno;
            wake_reader(out); /* we may have been the one who sends the rest */
            errno = why;
            return -1;
        }
    }
}

/* The lock is held, and given back: what is kept of ours goes out, within the limit. */
static int finish(struct wire_out *out, const struct wire_limit *limit, int rc)
{
    uint64_t ours = out->queued;
    while (rc == 0 && out->sent < ours) {
        int fd = out->fd;
        pthread_mutex_unlock(&out->lock);
        bool enough = wait_room(out, fd, limit) < 0;
        pthread_mutex_lock(&out->lock);
        if (enough)
            break;
        /* somebody else may have found that it cannot be sent, and thrown it away */
        rc = is_over(out) ? -1 : flush_rest(out);
    }
    int why = errno;
    bool left = rc == 0 && out->rest_len > 0;
    pthread_mutex_unlock(&out->lock);
    if (left)
        wake_reader(out);
    errno = why;
    return rc;
}

int wire_out_end(struct wire_out *out, const struct wire_limit *limit, const void *head,
                 size_t head_len, const void *body, size_t body_len)
{
    int rc = put(out, head, head_len);
    if (rc == 0)
        rc = put(out, body, body_len);
    return finish(out, limit, rc);
}

int wire_out_splice(struct wire_out *out, const struct wire_limit *limit,
                    const void *head, size_t head_len, int fd, size_t len)
{
    if (wire_out_begin(out, limit) < 0)
        return -1;
    int rc = put(out, head, head_len);
    while (rc == 0 && len > 0 && out->rest_len == 0) {
        ssize_t n =
            splice(fd, NULL, out->fd, NULL, len, SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0) /* no room, or it is no pipe, as with sshd */
            break;
        out->queued += (uint64_t)n;
        out->sent += (uint64_t)n;
        len -= (size_t)n;
    }
    if (rc == 0 && len > 0)
        rc = keep_from(out, fd, len);
    return finish(out, limit, rc);
}

int wire_out_frame(struct wire_out *out, const struct wire_limit *limit, const void *head,
                   size_t head_len, const void *body, size_t body_len)
{
    if (wire_out_begin(out, limit) < 0)
        return -1;
    return wire_out_end(out, limit, head, head_len, body, body_len);
}

void wire_out_add(struct wire_out *out, const void *head, size_t len)
{
    pthread_mutex_lock(&out->lock);
    bool left = put(out, head, len) == 0 && out->rest_len > 0;
    pthread_mutex_unlock(&out->lock);
    if (left)
        wake_reader(out);
}

uint64_t wire_out_sent(struct wire_out *out)
{
    pthread_mutex_lock(&out->lock);
    uint64_t sent = out->sent;
    pthread_mutex_unlock(&out->lock);
    return sent;
}

int wire_out_waiting(struct wire_out *out)
{
    pthread_mutex_lock(&out->lock);
    int fd = out->rest_len > 0 && !out->stopped ? out->fd : -1;
    pthread_mutex_unlock(&out->lock);
    return fd;
}

void wire_out_flush(struct wire_out *out)
{
    pthread_mutex_lock(&out->lock);
    if (!is_over(out) && flush_rest(out) < 0) {
        out->failed = errno;
        out->rest_len = out->rest_done = 0; /* the reader sees the end itself */
    }
    pthread_mutex_unlock(&out->lock);
}
