/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Datagrams. Each client that sends some has a session, which is a socket of its own
 * towards the container, so that answers find their way back; it ends when neither side
 * has said anything for a while. Datagrams are lost when somebody does not keep up, as
 * they are.
 */
#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

#include "base/text.h"
#include "guest/net/proxy-private.h"

#define IDLE_MS 90000 /* as Docker's */
#define SESSIONS_MAX 1024
#define BUCKETS 256
#define AT_ONCE 64
#define DATAGRAM_MAX 65536

struct udp_session {
    struct udp_session *next, **at;    /* of its bucket */
    struct udp_session *older, *newer; /* by the time of the last datagram */
    struct proxy_source source;
    const struct proxy_port *port;
    union proxy_address client;
    socklen_t client_len;
    struct dr_ip local; /* the address that it has asked; family 0: the port's own */
    int fd;
    int64_t last_ms;
};

/* The thread's; pages of it that no datagram needs are not there. */
static char datagram[DATAGRAM_MAX];

/* --- the table --- */

static unsigned hash(const struct proxy_port *port, const union proxy_address *client,
                     socklen_t len)
{
    const unsigned char *bytes = (const unsigned char *)client;
    unsigned h = (unsigned)((uintptr_t)port >> 4);
    for (socklen_t i = 0; i < len; i++)
        h = (h ^ bytes[i]) * 16777619u;
    return (h ^ (h >> 16)) % BUCKETS;
}

static void unlink_age(struct proxy *p, struct udp_session *s)
{
    *(s->older ? &s->older->newer : &p->oldest) = s->newer;
    *(s->newer ? &s->newer->older : &p->newest) = s->older;
}

static void link_newest(struct proxy *p, struct udp_session *s)
{
    s->newer = NULL;
    s->older = p->newest;
    *(p->newest ? &p->newest->newer : &p->oldest) = s;
    p->newest = s;
}

static void touch(struct proxy *p, struct udp_session *s)
{
    s->last_ms = dr_clock_ms();
    if (p->newest == s)
        return;
    unlink_age(p, s);
    link_newest(p, s);
}

static void end(struct proxy *p, struct udp_session *s)
{
    close(s->fd);
    unlink_age(p, s);
    if (s->next)
        s->next->at = s->at;
    *s->at = s->next;
    p->session_count--;
    s->fd = -1;
    s->next = p->ended; /* an event about it may be at hand */
    p->ended = s;
}

void udp_sweep(struct proxy *p)
{
    while (p->ended) {
        struct udp_session *s = p->ended;
        p->ended = s->next;
        free(s);
    }
}

static struct udp_session *begin(struct proxy *p, const struct proxy_port *port,
                                 const union proxy_address *client, socklen_t len,
                                 unsigned bucket)
{
    union proxy_address to;
    socklen_t to_len = proxy_address(p, port->port, 0, &to);
    if (to_len == 0)
        return NULL;
    if (p->session_count >= SESSIONS_MAX)
        end(p, p->oldest);
    struct udp_session *s = dr_alloc(sizeof *s);
    s->fd = socket(to.any.sa_family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    s->source = (struct proxy_source){PROXY_SESSION, s};
    if (s->fd < 0 || connect(s->fd, &to.any, to_len) < 0 ||
        proxy_watch(p, s->fd, EPOLLIN, &s->source) < 0) {
        if (errno == EADDRNOTAVAIL || errno == EAGAIN)
            proxy_tell(p, PROXY_NO_SOURCE_PORTS, port->port);
        else
            proxy_tell_errno(p, errno, port->port);
        if (s->fd >= 0)
            close(s->fd);
        free(s);
        return NULL;
    }
    s->port = port;
    memcpy(&s->client, client, len);
    s->client_len = len;
    s->next = p->buckets[bucket];
    s->at = &p->buckets[bucket];
    if (s->next)
        s->next->at = &s->next;
    p->buckets[bucket] = s;
    p->session_count++;
    link_newest(p, s);
    return s;
}

static struct udp_session *session_of(struct proxy *p, const struct proxy_port *port,
                                      const union proxy_address *client, socklen_t len,
                                      const struct dr_ip *local)
{
    if (!p->buckets)
        p->buckets = dr_alloc(BUCKETS * sizeof *p->buckets);
    unsigned bucket = hash(port, client, len);
    struct udp_session *s = p->buckets[bucket];
    while (s && !(s->port == port && s->client_len == len &&
                  memcmp(&s->client, client, len) == 0 && dr_ip_equal(&s->local, local)))
        s = s->next;
    if (!s && (s = begin(p, port, client, len, bucket)))
        s->local = *local;
    if (s)
        touch(p, s);
    return s;
}

/* --- to the container --- */

/* The address that a datagram was sent to, of a socket that listens on all of them. */
static struct dr_ip local_of(struct msghdr *message)
{
    struct dr_ip ip = {0};
    for (struct cmsghdr *c = CMSG_FIRSTHDR(message); c; c = CMSG_NXTHDR(message, c)) {
        if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO) {
            struct in_pktinfo info;
            memcpy(&info, CMSG_DATA(c), sizeof info);
            ip.family = 4;
            memcpy(ip.bytes, &info.ipi_spec_dst, 4);
        } else if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_PKTINFO) {
            struct in6_pktinfo info;
            memcpy(&info, CMSG_DATA(c), sizeof info);
            ip.family = 6;
            memcpy(ip.bytes, &info.ipi6_addr, 16);
        }
    }
    return ip;
}

void udp_receive(struct proxy *p, struct proxy_port *port)
{
    for (int i = 0; i < AT_ONCE; i++) {
        union proxy_address client = {0};
        union {
            char bytes[CMSG_SPACE(sizeof(struct in6_pktinfo))];
            struct cmsghdr align;
        } control;
        struct iovec part = {datagram, sizeof datagram};
        struct msghdr message = {.msg_name = &client,
                                 .msg_namelen = sizeof client,
                                 .msg_iov = &part,
                                 .msg_iovlen = 1,
                                 .msg_control = &control,
                                 .msg_controllen = sizeof control};
        ssize_t n = recvmsg(port->port->fd, &message, 0);
        if (n < 0 && (errno == EINTR || errno == ECONNREFUSED))
            continue;
        if (n < 0)
            return;
        struct dr_ip local = local_of(&message);
        struct udp_session *s = session_of(p, port, &client, message.msg_namelen, &local);
        /* twice: the first may only tell that the last one was refused */
        if (s && send(s->fd, datagram, (size_t)n, MSG_NOSIGNAL) < 0 &&
            errno == ECONNREFUSED && send(s->fd, datagram, (size_t)n, MSG_NOSIGNAL) < 0)
            continue;
    }
}

/* --- back to the client --- */

static void answer(const struct udp_session *s, size_t len)
{
    union {
        char bytes[CMSG_SPACE(sizeof(struct in6_pktinfo))];
        struct cmsghdr align;
    } control = {{0}};
    struct iovec part = {datagram, len};
    struct msghdr message = {.msg_name = (void *)&s->client,
                             .msg_namelen = s->client_len,
                             .msg_iov = &part,
                             .msg_iovlen = 1};
    struct cmsghdr *c = &control.align;
    if (s->local.family == 4) {
        struct in_pktinfo info = {0};
        memcpy(&info.ipi_spec_dst, s->local.bytes, 4);
        *c = (struct cmsghdr){CMSG_LEN(sizeof info), IPPROTO_IP, IP_PKTINFO};
        memcpy(CMSG_DATA(c), &info, sizeof info);
        message.msg_controllen = CMSG_SPACE(sizeof info);
    } else if (s->local.family == 6) {
        struct in6_pktinfo info = {0};
        memcpy(&info.ipi6_addr, s->local.bytes, 16);
        *c = (struct cmsghdr){CMSG_LEN(sizeof info), IPPROTO_IPV6, IPV6_PKTINFO};
        memcpy(CMSG_DATA(c), &info, sizeof info);
        message.msg_controllen = CMSG_SPACE(sizeof info);
    }
    if (s->local.family)
        message.msg_control = &control;
    if (sendmsg(s->port->port->fd, &message, MSG_NOSIGNAL) < 0)
        return; /* lost */
}

void udp_event(struct proxy *p, struct udp_session *s)
{
    for (int i = 0; i < AT_ONCE && s->fd >= 0; i++) {
        ssize_t n = recv(s->fd, datagram, sizeof datagram, 0);
        if (n < 0 && (errno == EINTR || errno == ECONNREFUSED))
            continue;
        if (n < 0)
            return;
        answer(s, (size_t)n);
        touch(p, s);
    }
}

int64_t udp_expire(struct proxy *p, int64_t now_ms)
{
    while (p->oldest && now_ms - p->oldest->last_ms >= IDLE_MS)
        end(p, p->oldest);
    return p->oldest ? p->oldest->last_ms + IDLE_MS : 0;
}

void udp_end(struct proxy *p)
{
    while (p->oldest)
        end(p, p->oldest);
}
