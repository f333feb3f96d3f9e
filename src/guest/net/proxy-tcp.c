/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Connections. Each has two directions, and a pipe in one only while there are bytes that
 * its reader does not take: an idle connection is two sockets and this struct. Sockets
 * are watched by edges; what can be done is remembered, and done in turns.
 */
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>

#include "guest/net/proxy-private.h"

#define ACCEPT_AT_ONCE 64
#define STEPS 16             /* of one connection before the others have their turn */
#define PIPE_BYTES (1 << 20) /* more of it costs the processor less */
/* When many do not take their bytes each of them is held less of. */
#define PIPES_FULL 16
#define HELD_BYTES (16 << 10)
#define SYN_RETRIES 4 /* half a minute: a container that answers nothing at all */

enum { CLIENT, CONTAINER };

struct flow { /* from side i to the other one */
    int pipe[2];
    size_t held; /* bytes in it */
    bool has_pipe;
    bool ended; /* its source has */
    bool shut;  /* and its reader was told */
};

struct tcp_conn {
    struct tcp_conn *next, **at;    /* all */
    struct tcp_conn *ready_next;    /* those with something to do */
    struct tcp_conn *starving_next; /* those that want a pipe; or are dead */
    const struct port *port;
    struct proxy_source sources[2];
    int fds[2];
    struct flow flows[2];
    unsigned tried; /* addresses */
    bool connecting, is_ready, is_starving, is_dead;
    bool can_read[2], can_write[2], broken[2];
};

/* --- pipes --- */

static bool get_pipe(struct proxy *p, struct flow *flow)
{
    if (p->free_count > 0) {
        memcpy(flow->pipe, p->free_pipes[--p->free_count], sizeof flow->pipe);
    } else if (pipe2(flow->pipe, O_CLOEXEC | O_NONBLOCK) < 0) {
        return false;
    } else {
        fcntl(flow->pipe[0], F_SETPIPE_SZ, PIPE_BYTES); /* a refusal changes nothing */
    }
    flow->has_pipe = true;
    p->pipes_out++;
    return true;
}

static void make_ready(struct proxy *p, struct tcp_conn *c);

/* An empty one is kept for the next who has bytes. */
static void put_pipe(struct proxy *p, struct flow *flow)
{
    if (!flow->has_pipe)
        return;
    flow->has_pipe = false;
    p->pipes_out--;
    if (flow->held == 0 && p->free_count < PROXY_PIPES_KEPT) {
        memcpy(p->free_pipes[p->free_count++], flow->pipe, sizeof flow->pipe);
    } else {
        close(flow->pipe[0]);
        close(flow->pipe[1]);
    }
    struct tcp_conn *c = p->starving;
    if (!c)
        return;
    p->starving = c->starving_next;
    c->is_starving = false;
    make_ready(p, c);
}

/* --- lists --- */

static void make_ready(struct proxy *p, struct tcp_conn *c)
{
    if (c->is_ready || c->is_dead)
        return;
    c->is_ready = true;
    c->ready_next = NULL;
    *p->ready_end = c;
    p->ready_end = &c->ready_next;
}

static void starve(struct proxy *p, struct tcp_conn *c)
{
    if (c->is_starving)
        return;
    c->is_starving = true;
    c->starving_next = p->starving;
    p->starving = c;
}

static void leave_starving(struct proxy *p, struct tcp_conn *c)
{
    if (!c->is_starving)
        return;
    struct tcp_conn **at = &p->starving;
    while (*at != c)
        at = &(*at)->starving_next;
    *at = c->starving_next;
    c->is_starving = false;
}

/* --- the end of one --- */

static void close_side(struct tcp_conn *c, int side, bool reset)
{
    struct linger now = {.l_onoff = 1};
    if (c->fds[side] < 0)
        return;
    if (reset)
        setsockopt(c->fds[side], SOL_SOCKET, SO_LINGER, &now, sizeof now);
    close(c->fds[side]);
    c->fds[side] = -1;
}

/* Freed when no event that was taken already can be about it. */
static void end(struct proxy *p, struct tcp_conn *c, bool reset)
{
    if (c->is_dead)
        return;
    for (int side = 0; side < 2; side++)
        close_side(c, side, reset);
    leave_starving(p, c);
    c->is_dead = true;
    for (int side = 0; side < 2; side++)
        put_pipe(p, &c->flows[side]);
    if (c->next)
        c->next->at = c->at;
    *c->at = c->next;
    c->starving_next = p->dead;
    p->dead = c;
    p->conn_count--;
}

void tcp_sweep(struct proxy *p)
{
    struct tcp_conn *c = p->dead;
    if (!c)
        return;
    p->dead = NULL;
    while (c) {
        struct tcp_conn *next = c->starving_next;
        free(c);
        c = next;
    }
    proxy_room(p);
}

/* --- the beginning --- */

/* 1: it is under way or there; 0: no more addresses, with errno; */
static int connect_next(struct proxy *p, struct tcp_conn *c)
{
    union proxy_address to;
    socklen_t len;
    int why = ECONNREFUSED;
    close_side(c, CONTAINER, false);
    while ((len = proxy_address(p, c->port, c->tried, &to)) > 0) {
        c->tried++;
        int fd = socket(to.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (fd < 0) {
            why = errno;
            continue;
        }
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
        setsockopt(fd, IPPROTO_TCP, TCP_SYNCNT, &(int){SYN_RETRIES}, sizeof(int));
        if (connect(fd, &to.any, len) < 0 && errno != EINPROGRESS) {
            why = errno;
        } else if (proxy_watch(p, fd, EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET,
                               &c->sources[CONTAINER]) < 0) {
            why = errno;
        } else {
            c->fds[CONTAINER] = fd;
            c->connecting = true;
            return 1;
        }
        close(fd);
    }
    errno = why;
    return 0;
}

/* Refused by the container: so is the client. */
static void give_up(struct proxy *p, struct tcp_conn *c)
{
    if (errno == EADDRNOTAVAIL)
        proxy_tell(p, PROXY_NO_SOURCE_PORTS, c->port);
    else if (proxy_tell_errno(p, errno, c->port))
        proxy_pause(p, 200);
    end(p, c, true);
}

static void add(struct proxy *p, const struct port *port, int fd)
{
    struct tcp_conn *c = dr_alloc(sizeof *c);
    c->port = port;
    c->fds[CLIENT] = fd;
    c->fds[CONTAINER] = -1;
    for (int side = 0; side < 2; side++)
        c->sources[side] = (struct proxy_source){PROXY_TCP, c};
    c->next = p->conns;
    c->at = &p->conns;
    if (c->next)
        c->next->at = &c->next;
    p->conns = c;
    p->conn_count++;
    if (!connect_next(p, c) ||
        proxy_watch(p, fd, EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET,
                    &c->sources[CLIENT]) < 0)
        give_up(p, c);
}

void tcp_accept(struct proxy *p, const struct port *port)
{
    for (int i = 0; i < ACCEPT_AT_ONCE; i++) {
        if (p->conn_count >= p->conn_max) {
            proxy_tell(p, PROXY_FULL, port);
            proxy_pause(p, 0);
            return;
        }
        int fd = accept4(port->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (fd >= 0) {
            add(p, port, fd);
            continue;
        }
        if (errno == ECONNABORTED || errno == EINTR)
            continue;
        if (proxy_tell_errno(p, errno, port))
            proxy_pause(p, 200);
        return;
    }
}

/* --- moving --- */

/* Moves some bytes of one direction. 1: go on; 0: nothing can be done now; -1: reset. */
static int step(struct proxy *p, struct tcp_conn *c, int from)
{
    struct flow *flow = &c->flows[from];
    int to = 1 - from;
    ssize_t n;
    if (flow->held > 0) {
        if (!c->can_write[to])
            return 0;
        n = splice(flow->pipe[0], NULL, c->fds[to], NULL, flow->held,
                   SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
        if (n < 0 && errno == EINTR)
            return 1;
        if (n < 0 && errno == EAGAIN)
            c->can_write[to] = false;
        else if (n <= 0)
            return -1;
        if (n > 0)
            flow->held -= (size_t)n;
        return n > 0;
    }
    if (flow->ended || !c->can_read[from])
        return 0;
    if (!flow->has_pipe && !get_pipe(p, flow)) {
        proxy_tell_errno(p, errno, c->port);
        starve(p, c);
        return 0;
    }
    size_t most = p->pipes_out > PIPES_FULL ? HELD_BYTES : PIPE_BYTES;
    n = splice(c->fds[from], NULL, flow->pipe[1], NULL, most,
               SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
    if (n < 0 && errno == EINTR)
        return 1;
    if (n < 0 && errno == EAGAIN) {
        c->can_read[from] = false;
        return 0;
    }
    if (n < 0)
        return -1;
    if (n == 0)
        flow->ended = true;
    flow->held = (size_t)n;
    return 1;
}

/* Nothing more comes from `from`, and all that did was passed on. */
static void pass_end(struct tcp_conn *c, int from)
{
    struct flow *flow = &c->flows[from];
    if (!flow->ended || flow->held > 0 || flow->shut)
        return;
    shutdown(c->fds[1 - from], SHUT_WR);
    flow->shut = true;
}

/* true: it has more to do. */
static bool move(struct proxy *p, struct tcp_conn *c)
{
    bool more = false;
    for (int from = 0; from < 2 && !c->is_dead; from++) {
        int got = 1;
        for (int i = 0; i < STEPS && got > 0; i++)
            got = step(p, c, from);
        if (got < 0) {
            end(p, c, true);
            return false;
        }
        more = more || got > 0;
        if (c->flows[from].held == 0)
            put_pipe(p, &c->flows[from]);
        pass_end(c, from);
    }
    if (c->flows[0].shut && c->flows[1].shut)
        end(p, c, false);
    else if (!more && (c->broken[0] || c->broken[1]))
        end(p, c, true); /* what could be passed on before was */
    return more && !c->is_dead;
}

bool tcp_move(struct proxy *p)
{
    struct tcp_conn *list = p->ready;
    p->ready = NULL;
    p->ready_end = &p->ready;
    while (list) {
        struct tcp_conn *c = list;
        list = c->ready_next;
        c->is_ready = false;
        if (!c->is_dead && !c->connecting && move(p, c))
            make_ready(p, c);
    }
    return p->ready != NULL;
}

/* --- events --- */

static void on_connected(struct proxy *p, struct tcp_conn *c, uint32_t events)
{
    int why = 0;
    socklen_t len = sizeof why;
    if (events & (EPOLLERR | EPOLLHUP))
        getsockopt(c->fds[CONTAINER], SOL_SOCKET, SO_ERROR, &why, &len);
    if (why == 0 && !(events & EPOLLOUT))
        return;
    if (why == 0) {
        c->connecting = false;
        return;
    }
    if (!connect_next(p, c)) {
        errno = why;
        give_up(p, c);
    }
}

void tcp_event(struct proxy *p, struct proxy_source *source, uint32_t events)
{
    struct tcp_conn *c = source->owner;
    int side = source == &c->sources[CLIENT] ? CLIENT : CONTAINER;
    if (c->is_dead)
        return;
    if (side == CONTAINER && c->connecting) {
        on_connected(p, c, events);
        if (c->is_dead || c->connecting)
            return;
    }
    if (events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR))
        c->can_read[side] = true;
    if (events & EPOLLOUT)
        c->can_write[side] = true;
    if (events & EPOLLERR)
        c->broken[side] = true;
    if (c->connecting && c->broken[CLIENT])
        end(p, c, true); /* it did not wait */
    else
        make_ready(p, c);
}

bool tcp_pending(struct proxy *p)
{
    for (struct tcp_conn *c = p->conns; c; c = c->next)
        if (!c->connecting && (c->flows[CONTAINER].held > 0 ||
                               (c->can_read[CONTAINER] && !c->flows[CONTAINER].ended)))
            return true;
    return false;
}

void tcp_forget(struct proxy *p)
{
    for (struct tcp_conn *c = p->conns, *next; c; c = next) {
        next = c->next;
        if (c->connecting || !c->flows[CONTAINER].ended)
            end(p, c, true);
    }
}

void tcp_end(struct proxy *p)
{
    while (p->conns) {
        struct tcp_conn *c = p->conns;
        const struct flow *flow = &c->flows[CONTAINER];
        end(p, c, !flow->ended || flow->held > 0);
    }
    tcp_sweep(p);
    while (p->free_count > 0) {
        const int *fds = p->free_pipes[--p->free_count];
        close(fds[0]);
        close(fds[1]);
    }
}
