/* SPDX-License-Identifier: Apache-2.0 */
#include "guest/monitor/monitor.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/un.h>

#include "base/fs.h"
#include "base/text.h"

void monitor_frame_head(enum wire_type type, int stream, size_t len,
                        unsigned char ret_head[WIRE_HEADER_BYTES])
{
    wire_header_encode(&(struct wire_header){.length = (uint32_t)len,
                                             .type = (uint8_t)type,
                                             .channel = 1,
                                             .stream = (uint8_t)stream},
                       ret_head);
}

int monitor_send(int fd, enum wire_type type, int stream, const void *data, size_t len)
{
    unsigned char head[WIRE_HEADER_BYTES];
    monitor_frame_head(type, stream, len, head);
    struct iovec parts[2] = {{head, sizeof head}, {(void *)data, len}};
    struct msghdr message = {.msg_iov = parts, .msg_iovlen = len ? 2 : 1};
    while (message.msg_iovlen > 0) {
        ssize_t n = sendmsg(fd, &message, MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -1;
        while (message.msg_iovlen > 0 && (size_t)n >= message.msg_iov->iov_len) {
            n -= (ssize_t)message.msg_iov->iov_len;
            message.msg_iov++;
            message.msg_iovlen--;
        }
        if (message.msg_iovlen > 0) {
            message.msg_iov->iov_base = (char *)message.msg_iov->iov_base + n;
            message.msg_iov->iov_len -= (size_t)n;
        }
    }
    return 0;
}

int monitor_send_json(int fd, enum wire_type type, const json_t *json)
{
    dr_auto_free char *text = dr_json_text(json);
    return monitor_send(fd, type, 0, text, strlen(text));
}

/* Fills data; 1, 0 at the end before the first byte, -1. */
static int receive_full(int fd, int64_t deadline_ms, void *data, size_t len,
                        struct dr_error *err)
{
    size_t done = 0;
    while (done < len) {
        if (deadline_ms > 0) {
            struct pollfd poll_fd = {.fd = fd, .events = POLLIN};
            int64_t left = deadline_ms - dr_clock_ms();
            int n = poll(&poll_fd, 1, left > 0 ? (int)left : 0);
            if (n == 0)
                return dr_fail(err, DR_ERR_TIMEOUT, "the monitor did not answer in time");
            if (n < 0 && errno != EINTR)
                return dr_fail_errno(err, DR_ERR_INTERNAL, "wait for the monitor");
            if (n < 0)
                continue;
        }
        ssize_t n = read(fd, (char *)data + done, len - done);
        if (n < 0 && errno == EINTR)
            continue;
        if (n == 0 && done == 0)
            return 0;
        if (n <= 0)
            return dr_fail(err, DR_ERR_INTERNAL,
                           "the monitor died in the middle of an answer");
        done += (size_t)n;
    }
    return 1;
}

int monitor_receive(int fd, int64_t deadline_ms, struct monitor_frame *ret,
                    struct dr_error *err)
{
    unsigned char head[WIRE_HEADER_BYTES];
    struct monitor_frame frame = {0};
    int n = receive_full(fd, deadline_ms, head, sizeof head, err);
    if (n <= 0)
        return n;
    if (wire_header_decode(head, &frame.header, err) < 0)
        return -1;
    bool control = frame.header.type == WIRE_EVENT || frame.header.type == WIRE_ERROR ||
                   frame.header.type == WIRE_REQUEST || frame.header.type == WIRE_REPLY;
    if (control) {
        dr_auto_free char *text = dr_alloc((size_t)frame.header.length + 1);
        n = receive_full(fd, deadline_ms, text, frame.header.length, err);
        if (n == 0)
            return dr_fail(err, DR_ERR_INTERNAL,
                           "the monitor died in the middle of an answer");
        if (n < 0)
            return -1;
        frame.json = dr_json_parse(text, frame.header.length, WIRE_CONTROL_MAX, err);
        if (!frame.json)
            return -1;
    }
    *ret = frame;
    return 1;
}

/* A socket's address holds 108 bytes; by way of the open directory any path fits. */
static int address(const char *run_dir, struct sockaddr_un *ret)
{
    int dir = open(run_dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
    *ret = (struct sockaddr_un){.sun_family = AF_UNIX};
    if (dir >= 0)
        snprintf(ret->sun_path, sizeof ret->sun_path, "/proc/self/fd/%d/sock", dir);
    return dir;
}

static int connect_to(const char *run_dir, int flags)
{
    struct sockaddr_un to;
    dr_auto_fd int dir = address(run_dir, &to);
    dr_auto_fd int fd =
        dir >= 0 ? socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | flags, 0) : -1;
    if (fd < 0 || connect(fd, (struct sockaddr *)&to, sizeof to) < 0)
        return -1;
    return DR_TAKE_FD(fd);
}

int monitor_connect(const char *run_dir)
{
    return connect_to(run_dir, 0);
}

int monitor_try_connect(const char *run_dir)
{
    return connect_to(run_dir, SOCK_NONBLOCK);
}

int monitor_listen(const char *run_dir)
{
    struct sockaddr_un at;
    dr_auto_fd int dir = address(run_dir, &at);
    dr_auto_fd int fd =
        dir >= 0 ? socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0) : -1;
    if (dir >= 0)
        unlinkat(dir, "sock", 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)&at, sizeof at) < 0 || listen(fd, 64) < 0)
        return -1;
    return DR_TAKE_FD(fd);
}
