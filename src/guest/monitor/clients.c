/* SPDX-License-Identifier: Apache-2.0 */
#include "guest/monitor/state.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "base/fs.h"

struct monitor_client *monitor_client_add(struct monitor *m, int fd)
{
    struct monitor_client *client = dr_alloc(sizeof *client);
    fcntl(fd, F_SETFL, O_NONBLOCK);
    fcntl(fd, F_SETFD, FD_CLOEXEC);
    client->fd = fd;
    client->next = m->clients;
    m->clients = client;
    return client;
}

void monitor_stdin_close(struct monitor *m)
{
    if (m->stdin_fd >= 0)
        close(m->stdin_fd);
    m->stdin_fd = -1;
    free(DR_TAKE(m->stdin_data));
    m->stdin_len = m->stdin_done = 0;
}

void monitor_clients_sweep(struct monitor *m)
{
    for (struct monitor_client **at = &m->clients; *at;) {
        struct monitor_client *client = *at;
        if (client->leaving && !client->pending)
            client->gone = true;
        if (!client->gone) {
            at = &client->next;
            continue;
        }
        *at = client->next;
        /* what it sent before it left is still delivered */
        if (client->stdin_open && !m->stdin_data)
            monitor_stdin_close(m);
        close(client->fd);
        free(client->request);
        free(client->pending);
        free(client);
    }
}

/* --- to the client --- */

void monitor_client_flush(struct monitor_client *client)
{
    while (client->pending && !client->gone) {
        ssize_t n =
            send(client->fd, client->pending + client->pending_done,
                 client->pending_len - client->pending_done, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno == EAGAIN)
            return;
        if (n < 0) {
            client->gone = true;
            return;
        }
        client->pending_done += (size_t)n;
        if (client->pending_done == client->pending_len) {
            free(DR_TAKE(client->pending));
            client->pending_len = client->pending_done = 0;
        }
    }
}

static void append_pending(struct monitor_client *client, const void *data, size_t len)
{
    client->pending = dr_realloc(client->pending, client->pending_len + len);
    memcpy(client->pending + client->pending_len, data, len);
    client->pending_len += len;
}

void monitor_client_send(struct monitor_client *client, enum wire_type type, int stream,
                         const void *data, size_t len)
{
    unsigned char head[WIRE_HEADER_BYTES];
    monitor_frame_head(type, stream, len, head);
    struct iovec parts[2] = {{head, sizeof head}, {(void *)data, len}};
    struct msghdr message = {.msg_iov = parts, .msg_iovlen = len ? 2 : 1};
    ssize_t n = 0;
    if (!client->pending) {
        do
            n = sendmsg(client->fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
        while (n < 0 && errno == EINTR);
        if (n < 0 && errno != EAGAIN) {
            client->gone = true;
            return;
        }
        if (n < 0)
            n = 0;
    }
    size_t sent = (size_t)n;
    if (sent < sizeof head)
        append_pending(client, head + sent, sizeof head - sent);
    sent = sent < sizeof head ? 0 : sent - sizeof head;
    if (sent < len)
        append_pending(client, (const char *)data + sent, len - sent);
}

bool monitor_clients_behind(const struct monitor *m)
{
    for (const struct monitor_client *client = m->clients; client; client = client->next)
        if (client->pending && !client->gone && !client->leaving)
            return true;
    return false;
}

void monitor_clients_output(struct monitor *m, int stream, const char *data, size_t len)
{
    for (struct monitor_client *client = m->clients; client; client = client->next)
        if (client->attached && !client->gone)
            monitor_client_send(client, len ? WIRE_DATA : WIRE_EOF, stream, data, len);
}

/* --- from the client --- */

static bool somebody_writes(const struct monitor *m)
{
    for (const struct monitor_client *client = m->clients; client; client = client->next)
        if (client->stdin_open && !client->gone)
            return true;
    return false;
}

void monitor_stdin_flush(struct monitor *m)
{
    while (m->stdin_data && m->stdin_fd >= 0) {
        ssize_t n = write(m->stdin_fd, m->stdin_data + m->stdin_done,
                          m->stdin_len - m->stdin_done);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno == EAGAIN)
            return;
        if (n < 0) { /* the container does not read any more */
            monitor_stdin_close(m);
            return;
        }
        m->stdin_done += (size_t)n;
        if (m->stdin_done < m->stdin_len)
            continue;
        free(DR_TAKE(m->stdin_data));
        m->stdin_len = m->stdin_done = 0;
        if (!somebody_writes(m))
            monitor_stdin_close(m);
    }
}

bool monitor_client_readable(const struct monitor *m, const struct monitor_client *client)
{
    return !(client->stdin_open && m->stdin_data);
}

static void on_request(struct monitor *m, struct monitor_client *client)
{
    dr_auto_error struct dr_error ignored = DR_ERROR_INIT;
    dr_auto_json json_t *json = dr_json_parse(client->request, client->frame.length,
                                              MONITOR_REQUEST_MAX, &ignored);
    const char *op = dr_json_str(json, "op");
    if (op && strcmp(op, "wait") == 0)
        client->waits = true;
    else if (op && strcmp(op, "stop") == 0)
        client->waits = m->stopped = true;
    else
        client->gone = true;
    free(DR_TAKE(client->request));
}

/* A whole header came. */
static void on_header(struct monitor *m, struct monitor_client *client)
{
    dr_auto_error struct dr_error ignored = DR_ERROR_INIT;
    client->head_len = 0;
    if (wire_header_decode(client->head, &client->frame, &ignored) < 0) {
        client->gone = true;
        return;
    }
    client->left = client->frame.length;
    switch (client->frame.type) {
    case WIRE_REQUEST:
        if (client->left > MONITOR_REQUEST_MAX || client->left == 0)
            client->gone = true;
        else
            client->request = dr_alloc(client->left + 1);
        return;
    case WIRE_EOF:
        if (client->stdin_open) {
            client->stdin_open = false;
            if (!m->stdin_data)
                monitor_stdin_close(m);
        }
        return;
    case WIRE_DATA:
        return;
    default:
        client->gone = true;
    }
}

/* Bytes read into where they belong; 0 at the end or when nothing is there. */
static ssize_t receive(struct monitor_client *client, void *to, size_t len)
{
    ssize_t n;
    do
        n = recv(client->fd, to, len, MSG_DONTWAIT);
    while (n < 0 && errno == EINTR);
    if (n == 0 || (n < 0 && errno != EAGAIN))
        client->gone = true;
    return n > 0 ? n : 0;
}

static bool read_data(struct monitor *m, struct monitor_client *client)
{
    size_t want = client->left < MONITOR_CHUNK ? client->left : MONITOR_CHUNK;
    dr_auto_free char *data = malloc(want);
    size_t n = data ? (size_t)receive(client, data, want) : 0;
    client->left -= (uint32_t)n;
    if (n > 0 && client->stdin_open && m->stdin_fd >= 0) {
        m->stdin_data = DR_TAKE(data);
        m->stdin_len = n;
        m->stdin_done = 0;
        monitor_stdin_flush(m);
    }
    return n > 0;
}

void monitor_client_read(struct monitor *m, struct monitor_client *client)
{
    bool more = true;
    while (more && !client->gone && monitor_client_readable(m, client)) {
        if (client->left == 0) {
            size_t n = (size_t)receive(client, client->head + client->head_len,
                                       sizeof client->head - client->head_len);
            more = n > 0;
            client->head_len += n;
            if (client->head_len == sizeof client->head)
                on_header(m, client);
        } else if (client->request) {
            size_t have = client->frame.length - client->left;
            size_t n = (size_t)receive(client, client->request + have, client->left);
            more = n > 0;
            client->left -= (uint32_t)n;
            if (client->left == 0)
                on_request(m, client);
        } else {
            more = read_data(m, client);
        }
    }
}
