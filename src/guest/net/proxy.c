/* SPDX-License-Identifier: Apache-2.0 */
#include "guest/net/proxy-private.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include "base/text.h"

#define EVENTS 64
#define STACK_BYTES (256u << 10) /* what is not touched is not there */
#define TELL_MS 60000
#define PAUSE_MS 200    /* when something has run out */
#define RESERVED_FDS 64 /* the monitor's own */
#define FDS_PER_CONN                                                                     \
    4 /* two sockets, and a pipe for one that does not take its bytes                    \
       */
#define LISTENERS_AT_ONCE 64

/* --- words --- */

static const char *const troubles[PROXY_TROUBLES] = {
    [PROXY_NO_DESCRIPTORS] = "no file descriptor is left: connections wait",
    [PROXY_NO_SOURCE_PORTS] = "no source port is left to connect to the container with "
                              "(net.ipv4.ip_local_port_range): connections are reset",
    [PROXY_NO_MEMORY] = "no memory is left for one more connection: connections wait",
    [PROXY_FULL] = "as many connections as there may be: more of them wait",
};

void proxy_tell(struct proxy *p, enum proxy_trouble what, const struct port *port)
{
    int64_t now = dr_clock_ms();
    if (p->told_ms[what] && now - p->told_ms[what] < TELL_MS)
        return;
    p->told_ms[what] = now;
    char text[PORT_TEXT];
    port_format(port, text);
    dr_auto_free char *line =
        dr_printf("dray: published port %s: %s\n", text, troubles[what]);
    if (write(p->log_fds[1], line, strlen(line)) < 0)
        p->told_ms[what] = 0; /* full: it is told later */
}

bool proxy_tell_errno(struct proxy *p, int why, const struct port *port)
{
    switch (why) {
    case EMFILE:
    case ENFILE:
        proxy_tell(p, PROXY_NO_DESCRIPTORS, port);
        return true;
    case ENOBUFS:
    case ENOMEM:
        proxy_tell(p, PROXY_NO_MEMORY, port);
        return true;
    default:
        return false;
    }
}

/* --- who is listened to --- */

int proxy_watch(struct proxy *p, int fd, uint32_t events, struct proxy_source *source)
{
    struct epoll_event event = {.events = events, .data.ptr = source};
    return epoll_ctl(p->epoll_fd, EPOLL_CTL_ADD, fd, &event);
}

static void set_accepting(struct proxy *p, bool wanted)
{
    wanted = wanted && !p->refusing;
    if (wanted == p->accepting)
        return;
    if (wanted && proxy_watch(p, p->listeners_fd, EPOLLIN, &p->listeners) < 0)
        return;
    if (!wanted)
        epoll_ctl(p->epoll_fd, EPOLL_CTL_DEL, p->listeners_fd, NULL);
    p->accepting = wanted;
}

void proxy_pause(struct proxy *p, int ms)
{
    set_accepting(p, false);
    p->resume_ms = ms ? dr_clock_ms() + ms : 0;
}

void proxy_room(struct proxy *p)
{
    if (!p->accepting && p->resume_ms == 0 && p->conn_count < p->conn_max)
        set_accepting(p, true);
}

static void accept_all(struct proxy *p)
{
    struct epoll_event events[LISTENERS_AT_ONCE];
    int n = epoll_wait(p->listeners_fd, events, LISTENERS_AT_ONCE, 0);
    for (int i = 0; i < n && p->accepting; i++) {
        const struct proxy_port *port = events[i].data.ptr;
        tcp_accept(p, port->port);
    }
}

/* --- where they go --- */

static socklen_t fill_address(const struct dr_ip *ip, int port, union proxy_address *ret)
{
    *ret = (union proxy_address){0};
    if (ip->family == 4) {
        ret->v4.sin_family = AF_INET;
        ret->v4.sin_port = htons((uint16_t)port);
        memcpy(&ret->v4.sin_addr, ip->bytes, 4);
        return sizeof ret->v4;
    }
    ret->v6.sin6_family = AF_INET6;
    ret->v6.sin6_port = htons((uint16_t)port);
    memcpy(&ret->v6.sin6_addr, ip->bytes, 16);
    return sizeof ret->v6;
}

/* What came by IPv6 goes on by IPv6 where it can. */
socklen_t proxy_address(const struct proxy *p, const struct port *port, unsigned index,
                        union proxy_address *ret)
{
    const struct dr_ip *ips[2] = {&p->target.ip, &p->target.ip6};
    if (!p->has_target)
        return 0;
    bool swap = port->host_ip.family == 6;
    for (unsigned i = 0; i < 2; i++) {
        const struct dr_ip *ip = ips[swap ? 1 - i : i];
        if (ip->family && index-- == 0)
            return fill_address(ip, port->container_port, ret);
    }
    return 0;
}

/* --- commands of the monitor --- */

/* Sockets that this thread makes from here on are of that network; -1: where it was made.
 * Those that listen, and what they accept, stay where they are. */
static int enter(struct proxy *p, int net_fd)
{
    if (net_fd < 0 && p->home_fd < 0)
        return 0;
    if (p->home_fd < 0)
        p->home_fd = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
    if (p->home_fd < 0)
        return -1;
    return setns(net_fd < 0 ? p->home_fd : net_fd, CLONE_NEWNET);
}

static void do_point(struct proxy *p, struct proxy_command *c)
{
    if (enter(p, c->has_target ? c->target.net_fd : -1) < 0) {
        c->failed = true;
        c->why = errno;
        return;
    }
    p->has_target = c->has_target;
    p->target = c->target;
    udp_end(p); /* their sockets lead to where it was */
    if (p->begun && p->has_target)
        tcp_forget(p);
    if (p->begun)
        return;
    p->begun = true;
    set_accepting(p, true);
    for (size_t i = 0; i < p->port_count && !p->refusing; i++)
        if (p->ports[i].port->udp)
            proxy_watch(p, p->ports[i].port->fd, EPOLLIN, &p->ports[i].source);
}

static void do_refuse(struct proxy *p)
{
    p->refusing = true;
    set_accepting(p, false);
    for (size_t i = 0; i < p->port_count; i++) {
        bool udp = p->ports[i].port->udp;
        epoll_ctl(udp ? p->epoll_fd : p->listeners_fd, EPOLL_CTL_DEL,
                  p->ports[i].port->fd, NULL);
    }
    udp_end(p);
}

static void take_command(struct proxy *p)
{
    eventfd_t count;
    eventfd_read(p->command_fd, &count);
    pthread_mutex_lock(&p->lock);
    struct proxy_command *c = p->shared;
    p->shared = NULL;
    if (c && c->what == PROXY_POINT)
        do_point(p, c);
    else if (c && c->what == PROXY_REFUSE)
        do_refuse(p);
    if (c && c->what == PROXY_STOP) {
        p->stopping = true;
        p->stop_ms = dr_clock_ms() + c->wait_ms;
    }
    pthread_cond_signal(&p->answered);
    pthread_mutex_unlock(&p->lock);
}

/* Waits until the thread has done it. */
static void command(struct proxy *p, struct proxy_command *c)
{
    pthread_mutex_lock(&p->lock);
    p->shared = c;
    eventfd_write(p->command_fd, 1);
    while (p->shared)
        pthread_cond_wait(&p->answered, &p->lock);
    pthread_mutex_unlock(&p->lock);
}

/* --- the thread --- */

static void on_event(struct proxy *p, const struct epoll_event *event)
{
    struct proxy_source *source = event->data.ptr;
    switch (source->kind) {
    case PROXY_COMMAND:
        take_command(p);
        break;
    case PROXY_LISTENERS:
        accept_all(p);
        break;
    case PROXY_TCP:
        tcp_event(p, source, event->events);
        break;
    case PROXY_UDP:
        udp_receive(p, source->owner);
        break;
    case PROXY_SESSION:
        udp_event(p, source->owner);
        break;
    }
}

/* Until something is due; -1: nothing will be. */
static int wait_ms(struct proxy *p, bool at_once)
{
    int64_t now = dr_clock_ms();
    int64_t due = udp_expire(p, now);
    if (p->resume_ms && (!due || p->resume_ms < due))
        due = p->resume_ms;
    if (p->stopping && (!due || p->stop_ms < due))
        due = p->stop_ms;
    if (at_once || (due && due <= now))
        return 0;
    return due ? (int)(due - now) : -1;
}

static void *proxy_main(void *arg)
{
    struct proxy *p = arg;
    struct epoll_event events[EVENTS];
    bool more = false;
    while (!p->stopping || (dr_clock_ms() < p->stop_ms && (more || tcp_pending(p)))) {
        int n = epoll_wait(p->epoll_fd, events, EVENTS, wait_ms(p, more));
        if (n < 0 && errno != EINTR)
            abort(); /* never silent: the monitor goes with us */
        for (int i = 0; i < n; i++)
            on_event(p, &events[i]);
        if (p->resume_ms && dr_clock_ms() >= p->resume_ms) {
            p->resume_ms = 0;
            set_accepting(p, true);
        }
        more = tcp_move(p);
        tcp_sweep(p);
        udp_sweep(p);
    }
    return NULL;
}

/* --- its life --- */

static size_t conn_max(size_t ports)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
        return 64;
    size_t used = RESERVED_FDS + ports;
    size_t all = limit.rlim_cur < (1u << 20) ? (size_t)limit.rlim_cur : 1u << 20;
    return all > used + FDS_PER_CONN ? (all - used) / FDS_PER_CONN : 1;
}

static int start_thread(struct proxy *p)
{
    pthread_attr_t attr;
    sigset_t all, before;
    sigfillset(&all);
    pthread_attr_init(&attr);
    pthread_attr_setstacksize(&attr, STACK_BYTES);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int why = pthread_create(&p->thread, &attr, proxy_main, p);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attr);
    errno = why;
    return why ? -1 : 0;
}

static int open_all(struct proxy *p)
{
    p->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    p->listeners_fd = epoll_create1(EPOLL_CLOEXEC);
    p->command_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (p->epoll_fd < 0 || p->listeners_fd < 0 || p->command_fd < 0 ||
        pipe2(p->log_fds, O_CLOEXEC | O_NONBLOCK) < 0 ||
        proxy_watch(p, p->command_fd, EPOLLIN, &p->command) < 0)
        return -1;
    for (size_t i = 0; i < p->port_count; i++) {
        struct epoll_event event = {.events = EPOLLIN, .data.ptr = &p->ports[i]};
        if (!p->ports[i].port->udp &&
            epoll_ctl(p->listeners_fd, EPOLL_CTL_ADD, p->ports[i].port->fd, &event) < 0)
            return -1;
    }
    return start_thread(p);
}

static void close_fd(int fd)
{
    if (fd >= 0)
        close(fd);
}

static void release(struct proxy *p)
{
    close_fd(p->epoll_fd);
    close_fd(p->listeners_fd);
    close_fd(p->command_fd);
    close_fd(p->log_fds[0]);
    close_fd(p->log_fds[1]);
    close_fd(p->home_fd);
    pthread_mutex_destroy(&p->lock);
    pthread_cond_destroy(&p->answered);
    free(p->free_pipes);
    free(p->buckets);
    free(p->ports);
    free(p);
}

struct proxy *proxy_start(const struct ports *ports, int *ret_log_fd,
                          struct dr_error *err)
{
    struct proxy *p = dr_alloc(sizeof *p);
    p->ports = dr_alloc((ports->count + 1) * sizeof *p->ports);
    p->free_pipes = dr_alloc(PROXY_PIPES_KEPT * sizeof *p->free_pipes);
    p->port_count = ports->count;
    p->epoll_fd = p->listeners_fd = p->command_fd = p->home_fd = -1;
    p->log_fds[0] = p->log_fds[1] = -1;
    p->command = (struct proxy_source){.kind = PROXY_COMMAND};
    p->listeners = (struct proxy_source){.kind = PROXY_LISTENERS};
    p->conn_max = conn_max(ports->count);
    p->ready_end = &p->ready;
    for (size_t i = 0; i < ports->count; i++)
        p->ports[i] = (struct proxy_port){.source = {PROXY_UDP, &p->ports[i]},
                                          .port = &ports->items[i]};
    pthread_mutex_init(&p->lock, NULL);
    pthread_cond_init(&p->answered, NULL);
    if (open_all(p) < 0) {
        dr_fail_errno(err, DR_ERR_START, "start the proxy of the published ports");
        release(p);
        return NULL;
    }
    *ret_log_fd = p->log_fds[0];
    return p;
}

int proxy_point(struct proxy *p, const struct proxy_target *target, struct dr_error *err)
{
    struct proxy_command c = {.what = PROXY_POINT, .has_target = target};
    if (target)
        c.target = *target;
    command(p, &c);
    errno = c.why;
    return c.failed ? dr_fail_errno(err, DR_ERR_NETWORK, "enter the container's network")
                    : 0;
}

void proxy_refuse(struct proxy *p)
{
    command(p, &(struct proxy_command){.what = PROXY_REFUSE});
}

void proxy_stop(struct proxy *p, int wait)
{
    if (!p)
        return;
    command(p, &(struct proxy_command){.what = PROXY_STOP, .wait_ms = wait});
    pthread_join(p->thread, NULL);
    tcp_end(p);
    udp_end(p);
    udp_sweep(p);
    release(p);
}
