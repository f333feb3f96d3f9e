/* SPDX-License-Identifier: Apache-2.0 */
/* What the proxy's files share. All of it is the thread's alone, but for `shared`. */
#ifndef DRAY_GUEST_NET_PROXY_PRIVATE_H
#define DRAY_GUEST_NET_PROXY_PRIVATE_H

#include <netinet/in.h>
#include <pthread.h>
#include <sys/epoll.h>

#include "guest/net/proxy.h"

/* What an event of epoll is about. */
enum proxy_kind { PROXY_COMMAND, PROXY_LISTENERS, PROXY_TCP, PROXY_UDP, PROXY_SESSION };
struct proxy_source {
    enum proxy_kind kind;
    void *owner;
};

union proxy_address {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
};

struct proxy_port {
    struct proxy_source source; /* of a UDP socket */
    const struct port *port;
};

struct tcp_conn;
struct udp_session;

/* Lines that are written again and again at most once a while. */
enum proxy_trouble {
    PROXY_NO_DESCRIPTORS,
    PROXY_NO_SOURCE_PORTS,
    PROXY_NO_MEMORY,
    PROXY_FULL,
    PROXY_TROUBLES
};

struct proxy_command {
    enum { PROXY_POINT, PROXY_REFUSE, PROXY_STOP } what;
    bool has_target;
    struct proxy_target target;
    int wait_ms;
    bool failed; /* errno of it in why */
    int why;
};

struct proxy {
    struct proxy_port *ports; /* owned */
    size_t port_count;
    pthread_t thread;
    int log_fds[2];

    pthread_mutex_t lock; /* `shared` and `done` */
    pthread_cond_t answered;
    struct proxy_command *shared; /* to be done; of who waits for it */
    struct proxy_source command;
    int command_fd; /* an eventfd */

    int epoll_fd;
    int listeners_fd; /* an epoll of the TCP listeners, so that all are paused at once */
    struct proxy_source listeners;
    bool accepting;    /* it is in epoll_fd */
    bool refusing;     /* for good */
    int64_t resume_ms; /* when to try again; 0: when there is room */
    bool begun;        /* there was a target */
    bool has_target;
    struct proxy_target target;
    int home_fd; /* the network that the thread came from; -1: it is there */
    bool stopping;
    int64_t stop_ms;

    size_t conn_max, conn_count;
    struct tcp_conn *conns, *ready, **ready_end, *dead, *starving;
    int (*free_pipes)[2]; /* owned; PROXY_PIPES_KEPT */
    size_t free_count;
    size_t pipes_out; /* pipes with bytes that somebody does not take */

    struct udp_session **buckets; /* owned; allocated with the first one */
    struct udp_session *oldest, *newest, *ended;
    size_t session_count;

    int64_t told_ms[PROXY_TROUBLES];
};

#define PROXY_PIPES_KEPT 2

/* proxy.c */
/* A line for the log, at most once a minute of each kind. */
void proxy_tell(struct proxy *p, enum proxy_trouble what, const struct port *port);
/* Of an errno that means that something has run out; false: it does not. */
bool proxy_tell_errno(struct proxy *p, int why, const struct port *port);
/* Takes no connections for a moment; 0: until proxy_room(). */
void proxy_pause(struct proxy *p, int ms);
void proxy_room(struct proxy *p);
/* The index-th address to try for a connection that came to port; 0 when there is no
 * more. */
socklen_t proxy_address(const struct proxy *p, const struct port *port, unsigned index,
                        union proxy_address *ret);
int proxy_watch(struct proxy *p, int fd, uint32_t events, struct proxy_source *source);

/* proxy-tcp.c */
void tcp_accept(struct proxy *p, const struct port *port);
void tcp_event(struct proxy *p, struct proxy_source *source, uint32_t events);
/* Moves bytes of those that have some to move; true: there is more to do at once. */
bool tcp_move(struct proxy *p);
/* Frees what is over. */
void tcp_sweep(struct proxy *p);
/* Does the container's side of some connection have bytes that were not passed on? */
bool tcp_pending(struct proxy *p);
/* Ends those that the container has not: it is another run by now, and whoever was at
 * their other end may be gone without a word. */
void tcp_forget(struct proxy *p);
/* Ends all of them, and the pipes. */
void tcp_end(struct proxy *p);

/* proxy-udp.c */
void udp_receive(struct proxy *p, struct proxy_port *port);
void udp_event(struct proxy *p, struct udp_session *session);
/* Ends sessions that were silent for long; when to look again, 0: never. */
int64_t udp_expire(struct proxy *p, int64_t now_ms);
/* Frees what is over. */
void udp_sweep(struct proxy *p);
void udp_end(struct proxy *p);

#endif
