/* SPDX-License-Identifier: Apache-2.0 */
/* What the container writes: to its log, and to who is attached. */
#include "guest/monitor/state.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/ioctl.h>

#include "base/fs.h"
#include "base/text.h"

#define SPLICE_BYTES (16 << 10) /* less is copied sooner than moved */
/* Output that comes in small pieces, one close behind the other: a moment later there is
 * more of it, and each wake-up costs the container more than its write. */
#define GATHER_NS 300000
#define GATHER_GAP_NS 1000000
#define GATHER_BYTES (64u << 10)

static void close_fd(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

/* The terminal was hung up from inside (vhangup(2), as login does it), which took our
 * hold on it too. It comes back when somebody opens it. */
static bool hold_again(struct monitor *m)
{
    if (!m->tty || m->init <= 0 || m->console.held < 0)
        return false;
    close(m->console.held);
    m->console.held = console_hold(m->console.master);
    return m->console.held >= 0;
}

/* Not when somebody writes to the container: it may be an answer that is waited for. */
static void gather(struct monitor *m, size_t len, int64_t gap_ns)
{
    if (len < GATHER_BYTES && gap_ns < GATHER_GAP_NS && !m->stdin_came)
        m->gather_ns = GATHER_NS;
    m->stdin_came = false;
}

int64_t monitor_log_time(struct monitor *m)
{
    int64_t now = dr_now_ns();
    m->logged_ns = now > m->logged_ns ? now : m->logged_ns + 1;
    return m->logged_ns;
}

/* data NULL: there is no log (the driver `none`). */
static void write_log(struct monitor *m, int stream, const char *data, size_t len)
{
    int64_t before_ns = m->logged_ns, now_ns = monitor_log_time(m);
    gather(m, len, now_ns - before_ns);
    if (m->log.path && data)
        log_write(&m->log, (enum log_stream)stream, data, len, now_ns);
}

void monitor_output(struct monitor *m, int stream, const char *data, size_t len)
{
    write_log(m, stream, data, len);
    monitor_clients_output(m, stream, data, len);
}

/* Much output for one client: its pages are passed on as they are, and the log reads a
 * second set of references to them. 0: the usual way. */
static ssize_t pass_output(struct monitor *m, int stream)
{
    int fd = m->output_fds[stream], ready = 0;
    struct monitor_client *client = monitor_client_alone(m);
    if (!client || m->tty || ioctl(fd, FIONREAD, &ready) < 0 || ready < SPLICE_BYTES)
        return 0;
    ssize_t len = ready < (int)MONITOR_CHUNK ? ready : (int)MONITOR_CHUNK;
    bool logged = m->log.path;
    if (logged && !m->log_fds[1] && pipe2(m->log_fds, O_CLOEXEC | O_NONBLOCK) < 0)
        return 0;
    if (logged)
        len = tee(fd, m->log_fds[1], (size_t)len, SPLICE_F_NONBLOCK);
    if (len <= 0)
        return 0;
    monitor_client_splice(client, stream, fd, (size_t)len);
    if (!logged || dr_read_full(m->log_fds[0], m->chunk, (size_t)len) == len)
        write_log(m, stream, logged ? m->chunk : NULL, (size_t)len);
    return len;
}

/* Returns the bytes that came; 0: none, or the end. */
static ssize_t read_output(struct monitor *m, int stream)
{
    ssize_t n = pass_output(m, stream);
    if (n > 0)
        return n;
    n = read(m->output_fds[stream], m->chunk, MONITOR_CHUNK);
    if (n < 0 && (errno == EINTR || errno == EAGAIN))
        return 0;
    if (n < 0 && errno == EIO && hold_again(m))
        return 0;
    if (n > 0) {
        monitor_output(m, stream, m->chunk, (size_t)n);
        return n;
    }
    close_fd(&m->output_fds[stream]);
    monitor_clients_output(m, stream, NULL, 0);
    return 0;
}

void monitor_read_output(struct monitor *m, int stream)
{
    read_output(m, stream);
}

/* Its pid namespace is gone with it, so what is in the pipes now is the rest. A
 * descriptor that was passed out of the container must not keep us, whoever writes to it.
 */
void monitor_drain(struct monitor *m)
{
    close_fd(&m->console.held);
    for (int stream = 1; stream <= 2; stream++) {
        ssize_t n, rest = MONITOR_PIPE;
        while (m->output_fds[stream] >= 0 && rest > 0 && (n = read_output(m, stream)) > 0)
            rest -= n;
        close_fd(&m->output_fds[stream]);
    }
    console_close(&m->console);
    m->gather_ns = 0;
}
