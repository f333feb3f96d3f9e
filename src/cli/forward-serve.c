/* SPDX-License-Identifier: Apache-2.0 */
/* The sockets of `dray forward`: one thread accepts, each connection has one of its own,
 * which moves its bytes until both ends are done. Datagrams are forward-udp.c's. */
#include "cli/forward-private.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>

#include "base/fs.h"
#include "cli/cli.h"

#define BACK_OFF_MS 200 /* when nothing is left to accept a connection with */

struct connection {
    struct connection *next, **at;
    struct forward_server *server;
    const struct forward *forward;
    int fd;
};

/* --- one connection --- */

/* The end of what the container sends; the other direction goes on. */
static void on_event(void *arg, const struct dray_event *event)
{
    struct connection *c = arg;
    if (event->type == DRAY_EVENT_EOF)
        shutdown(c->fd, SHUT_WR);
}

static int move(struct connection *c, struct dr_error *err)
{
    struct forward_server *s = c->server;
    struct dray_call open = {.timeout_ms = FORWARD_DIAL_MS, .cancel = s->cancel};
    struct dray_call stay = {.timeout_ms = -1, .cancel = s->cancel};
    struct dray_stream *stream = NULL;
    struct dray_error *failed = NULL;
    struct dray_event end;
    if (cli_rc(dray_container_dial(s->target, s->container, c->forward->port, NULL, &open,
                                   &stream, &failed),
               &failed, err) < 0)
        return -1;
    struct dray_pump pump = DRAY_PUMP_INIT;
    pump.stdin_fd = pump.stdout_fd = c->fd;
    pump.on_event = on_event;
    pump.arg = c;
    int rc = cli_rc(dray_stream_pump(stream, &pump, &stay, &end, &failed), &failed, err);
    dray_stream_free(stream); /* before its end: the container sees a reset */
    return rc;
}

/* A reset and the reader's own leaving are nothing to tell. */
void forward_failed(const struct forward *forward, const struct dr_error *err)
{
    if (err->kind != DR_ERR_CANCELLED && err->code != ECONNRESET)
        cli_warn("%d -> %d: %s", forward->local, forward->port, err->text);
}

static void *connection_main(void *arg)
{
    struct connection *c = arg;
    struct forward_server *s = c->server;
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    if (move(c, &err) < 0) {
        forward_reset(c->fd); /* refused or reset: so is this end */
        forward_failed(c->forward, &err);
    }
    pthread_mutex_lock(&s->lock);
    if (c->next)
        c->next->at = c->at;
    *c->at = c->next;
    forward_thread_ends(s);
    pthread_mutex_unlock(&s->lock);
    close(c->fd);
    free(c);
    return NULL;
}

/* --- all of them --- */

bool forward_start_thread(struct forward_server *s, void *(*run)(void *arg), void *arg)
{
    pthread_t thread;
    pthread_mutex_lock(&s->lock);
    bool started = pthread_create(&thread, NULL, run, arg) == 0;
    s->threads += started;
    pthread_mutex_unlock(&s->lock);
    if (started)
        pthread_detach(thread);
    return started;
}

void forward_thread_ends(struct forward_server *s)
{
    s->threads--;
    pthread_cond_signal(&s->less);
}

void forward_handling(const struct forward *forward)
{
    printf("Handling connection for %d%s\n", forward->local, forward->udp ? "/udp" : "");
    fflush(stdout);
}

static void add(struct forward_server *s, const struct forward *forward, int fd)
{
    struct connection *c = dr_alloc(sizeof *c);
    *c = (struct connection){.server = s, .forward = forward, .fd = fd};
    pthread_mutex_lock(&s->lock);
    while (s->threads > FORWARD_CONNECTIONS_MAX)
        pthread_cond_wait(&s->less, &s->lock);
    c->next = s->connections;
    c->at = &s->connections;
    if (c->next)
        c->next->at = &c->next;
    s->connections = c;
    pthread_mutex_unlock(&s->lock);
    if (forward_start_thread(s, connection_main, c))
        return;
    cli_warn("%d -> %d: no thread is left for one more connection", forward->local,
             forward->port);
    pthread_mutex_lock(&s->lock);
    if (c->next)
        c->next->at = c->at;
    *c->at = c->next;
    pthread_mutex_unlock(&s->lock);
    close(fd);
    free(c);
}

static void take(struct forward_server *s, const struct forward *forward)
{
    int fd = forward_accept(forward->fd);
    if (fd >= 0) {
        forward_handling(forward);
        add(s, forward, fd);
    } else if (errno != EAGAIN && errno != EINTR && errno != ECONNABORTED) {
        cli_warn("accept on port %d: %s", forward->local, strerrordesc_np(errno));
        poll(NULL, 0, BACK_OFF_MS);
    }
}

/* Until the container has ended for good: then there is nothing to forward to. */
static void *end_main(void *arg)
{
    struct forward_server *s = arg;
    struct dray_call call = {.timeout_ms = -1, .cancel = s->cancel};
    struct dray_error *failed = NULL;
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    bool known;
    int code;
    if (cli_rc(
            dray_container_wait(s->target, s->container, &call, &known, &code, &failed),
            &failed, &err) == 0)
        dr_fail(&err, DR_ERR_CONFLICT, "container %s has ended", s->container);
    pthread_mutex_lock(&s->lock);
    dr_error_move(&s->why, &err);
    if (write(s->ended[1], "", 1) < 0) /* the pipe is empty: it takes it */
        s->threads += 0;
    forward_thread_ends(s);
    pthread_mutex_unlock(&s->lock);
    return NULL;
}

static int serve(struct forward_server *s, const struct forward *forwards, size_t count,
                 int signal_fd, struct dr_error *err)
{
    struct pollfd fds[FORWARD_MAX + 2];
    for (size_t i = 0; i < count; i++)
        fds[i] = (struct pollfd){.fd = forwards[i].fd, .events = POLLIN};
    fds[count] = (struct pollfd){.fd = signal_fd, .events = POLLIN};
    fds[count + 1] = (struct pollfd){.fd = s->ended[0], .events = POLLIN};
    for (;;) {
        if (poll(fds, count + 2, -1) < 0)
            continue;
        if (fds[count].revents)
            return 0;
        if (fds[count + 1].revents) {
            pthread_mutex_lock(&s->lock);
            dr_error_move(err, &s->why);
            pthread_mutex_unlock(&s->lock);
            return -1;
        }
        for (size_t i = 0; i < count; i++)
            if (fds[i].revents && forwards[i].udp)
                forward_take_datagram(s, &forwards[i]);
            else if (fds[i].revents)
                take(s, &forwards[i]);
    }
}

/* Whatever the threads are at ends at once. */
static void finish(struct forward_server *s)
{
    dray_cancel_trigger(s->cancel);
    pthread_mutex_lock(&s->lock);
    for (struct connection *c = s->connections; c; c = c->next)
        shutdown(c->fd, SHUT_RDWR);
    while (s->threads > 0)
        pthread_cond_wait(&s->less, &s->lock);
    pthread_mutex_unlock(&s->lock);
}

int forward_serve(struct dray_target *target, const char *container,
                  const struct forward *forwards, size_t count, int signal_fd,
                  struct dr_error *err)
{
    struct forward_server s = {.target = target,
                               .container = container,
                               .cancel = dray_cancel_new(),
                               .lock = PTHREAD_MUTEX_INITIALIZER,
                               .less = PTHREAD_COND_INITIALIZER};
    if (!s.cancel || pipe2(s.ended, O_CLOEXEC) < 0) {
        dr_fail_errno(err, DR_ERR_INTERNAL, "make a pipe");
        dray_cancel_free(s.cancel);
        return -1;
    }
    int rc = 0;
    if (!forward_start_thread(&s, end_main, &s))
        rc = dr_fail(err, DR_ERR_INTERNAL, "no thread is left");
    if (rc == 0)
        rc = serve(&s, forwards, count, signal_fd, err);
    finish(&s);
    close(s.ended[0]);
    close(s.ended[1]);
    dr_error_release(&s.why);
    dray_cancel_free(s.cancel);
    return rc;
}
