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
    /* Behind those that came before it: of two sizes of a terminal the last one counts.
     */
    struct monitor_client **at = &m->clients;
    while (*at)
        at = &(*at)->next;
    *at = client;
    return client;
}

void monitor_stdin_close(struct monitor *m)
{
    if (m->stdin_fd >= 0)
        close(m->stdin_fd);
    m->stdin_fd = -1;
    free(DR_TAKE(m->stdin_data));
    m->stdin_len = m->stdin_done = 0;
    m->stdin_ends = false;
}

/* A client that writes has sent its end, or left. As with Docker (StdinOnce) that is the
 * end of the container's stdin as well, unless it was started detached; never of a
 * terminal, which has no half that could be closed. */
static void writer_ended(struct monitor *m, struct monitor_client *client)
{
    if (!client->stdin_open)
        return;
    client->stdin_open = false;
    if (m->tty || m->stdin_keep)
        return;
    m->stdin_ends = true; /* what was sent before is still delivered */
    if (!m->stdin_data)
        monitor_stdin_close(m);
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
        writer_ended(m, client);
        close(client->fd);
        free(client->request);
        free(client->pending);
        free(client);
    }
}

void monitor_client_hang_up(struct monitor_client *client)
{
    client->attached = client->waits = false;
    free(DR_TAKE(client->pending));
    client->pending_len = client->pending_done = 0;
    client->hung_up = true;
    if (!client->stdin_open)
        client->gone = true;
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
            monitor_client_hang_up(client);
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
            monitor_client_hang_up(client);
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

struct monitor_client *monitor_client_alone(struct monitor *m)
{
    struct monitor_client *found = NULL;
    for (struct monitor_client *client = m->clients; client; client = client->next) {
        if (!client->attached || client->gone)
            continue;
        if (found || client->pending)
            return NULL;
        found = client;
    }
    return found;
}

/* The rest of a frame stays in the pipe of nobody. */
static void append_from_pipe(struct monitor_client *client, int pipe_fd, size_t len)
{
    client->pending = dr_realloc(client->pending, client->pending_len + len);
    ssize_t n = dr_read_full(pipe_fd, client->pending + client->pending_len, len);
    client->pending_len += len;
    if (n < 0 || (size_t)n < len)
        client->gone = true; /* it is not told lies; nobody else reads this pipe */
}

void monitor_client_splice(struct monitor_client *client, int stream, int pipe_fd,
                           size_t len)
{
    unsigned char head[WIRE_HEADER_BYTES];
    monitor_frame_head(WIRE_DATA, stream, len, head);
    ssize_t n = send(client->fd, head, sizeof head, MSG_NOSIGNAL | MSG_DONTWAIT);
    size_t sent = n > 0 ? (size_t)n : 0;
    if (sent < sizeof head)
        append_pending(client, head + sent, sizeof head - sent);
    while (len > 0 && !client->pending) {
        n = splice(pipe_fd, NULL, client->fd, NULL, len,
                   SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            break;
        len -= (size_t)n;
    }
    if (len > 0) /* it is slow, or gone, which the next write to it shows */
        append_from_pipe(client, pipe_fd, len);
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
        if (m->stdin_ends)
            monitor_stdin_close(m);
    }
}

bool monitor_client_readable(const struct monitor *m, const struct monitor_client *client)
{
    return !(client->stdin_open && m->stdin_data);
}

void monitor_resize(struct monitor *m, const json_t *request)
{
    int64_t rows = dr_json_int(request, "rows", 0);
    int64_t columns = dr_json_int(request, "columns", 0);
    if (!m->tty || rows <= 0 || columns <= 0)
        return;
    m->console.rows = rows;
    m->console.columns = columns;
    if (m->console.master >= 0)
        console_resize(m->console.master, rows, columns);
}

void monitor_client_widen(struct monitor_client *client)
{
    int bytes = MONITOR_PIPE; /* a refusal changes nothing */
    setsockopt(client->fd, SOL_SOCKET, SO_SNDBUFFORCE, &bytes, sizeof bytes);
}

void monitor_client_started(struct monitor *m, struct monitor_client *client)
{
    dr_auto_json json_t *event = json_object();
    dr_json_set_str(event, "event", "started");
    dr_json_set_int(event, "pid", m->init);
    dr_json_set_bool(event, "tty", m->tty);
    dr_json_set_int(event, "logged_ns", m->logged_ns);
    dr_auto_free char *text = dr_json_text(event);
    monitor_client_send(client, WIRE_EVENT, 0, text, strlen(text));
}

/* Output from now on. Between two runs there is none, and nothing to wait for. */
static void on_attach(struct monitor *m, struct monitor_client *client,
                      const json_t *request)
{
    client->waits = client->of_run = m->init > 0;
    client->gone = m->init <= 0;
    if (client->gone)
        return;
    json_t *output = json_object_get(request, "output");
    client->attached = !json_is_false(output);
    if (client->attached)
        monitor_client_widen(client);
    client->stdin_open = m->stdin_fd >= 0 && dr_json_bool(request, "stdin");
    monitor_resize(m, request);
    monitor_client_started(m, client);
    for (int stream = 1; client->attached && stream <= 2; stream++)
        if (m->output_fds[stream] < 0)
            monitor_client_send(client, WIRE_EOF, stream, NULL, 0);
}

static void on_request(struct monitor *m, struct monitor_client *client)
{
    dr_auto_error struct dr_error ignored = DR_ERROR_INIT;
    dr_auto_json json_t *json = dr_json_parse(client->request, client->frame.length,
                                              MONITOR_REQUEST_MAX, &ignored);
    const char *op = dr_json_str(json, "op");
    if (op && strcmp(op, "wait") == 0)
        client->waits = client->asks_code = true;
    else if (op && strcmp(op, "stop") == 0) {
        client->waits = true;
        monitor_stop(m, (int)dr_json_int(json, "signal", 0));
    } else if (op && strcmp(op, "attach") == 0 && !client->waits)
        on_attach(m, client, json);
    else if (op && strcmp(op, "resize") == 0)
        monitor_resize(m, json);
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
        writer_ended(m, client);
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
        m->stdin_came = true;
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
