/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Datagrams of `dray forward`. Each client that sends some is a peer, with a dialed
 * stream and a thread of its own that carries answers back; it ends when neither side has
 * said anything for a while. Datagrams are lost when somebody does not keep up, as they
 * are.
 */
#include <stdatomic.h>
#include <string.h>

#include "base/text.h"
#include "cli/cli.h"
#include "cli/forward-private.h"

#define IDLE_MS 90000 /* as published ports' */
#define EARLY_MAX 16  /* datagrams that wait until the container is reached */
#define DATAGRAM_MAX 65536
#define SEND_MS 1000

struct early {
    char *data; /* owned */
    size_t len;
};

struct forward_peer {
    struct forward_peer *next, **at; /* the server's lock */
    struct forward_server *server;
    const struct forward *forward;
    struct forward_client client;
    _Atomic int64_t last_ms;
    pthread_mutex_t lock; /* what follows; never wait for the server's while it is held */
    struct dray_stream *stream; /* NULL: not yet, or no more */
    struct early early[EARLY_MAX];
    size_t early_count;
};

/* --- towards the container --- */

/* Peer's lock held. */
static void pass(struct forward_peer *p, const char *data, size_t len)
{
    struct dray_call call = {.timeout_ms = SEND_MS, .cancel = p->server->cancel};
    struct dray_error *lost = NULL;
    p->last_ms = dr_clock_ms();
    if (dray_stream_write(p->stream, data, len, &call, &lost) < 0)
        dray_error_free(lost);
}

/* Peer's lock held. */
static void keep(struct forward_peer *p, const char *data, size_t len)
{
    if (p->early_count == EARLY_MAX)
        return;
    struct early *early = &p->early[p->early_count++];
    *early = (struct early){dr_alloc(len ? len : 1), len};
    memcpy(early->data, data, len);
}

static void pass_early(struct forward_peer *p, struct dray_stream *stream)
{
    pthread_mutex_lock(&p->lock);
    p->stream = stream;
    for (size_t i = 0; i < p->early_count; i++) {
        if (stream)
            pass(p, p->early[i].data, p->early[i].len);
        free(p->early[i].data);
    }
    p->early_count = 0;
    pthread_mutex_unlock(&p->lock);
}

/* --- and back --- */

/* Answers, until there is nothing to wait for. */
static int answer(struct forward_peer *p, struct dray_stream *stream,
                  struct dr_error *err)
{
    for (;;) {
        int64_t left = p->last_ms + IDLE_MS - dr_clock_ms();
        struct dray_call call = {.timeout_ms = left > 0 ? left : 1,
                                 .cancel = p->server->cancel};
        struct dray_error *failed = NULL;
        struct dray_event event;
        int rc = dray_stream_next(stream, &call, &event, &failed);
        if (rc < 0 && cli_rc(rc, &failed, err) < 0) {
            if (err->kind != DR_ERR_TIMEOUT)
                return -1;
            dr_error_release(err);
            if (p->last_ms + IDLE_MS <= dr_clock_ms())
                return 0;
            continue;
        }
        if (rc == 0)
            return 0;
        if (event.type != DRAY_EVENT_OUTPUT)
            continue;
        p->last_ms = dr_clock_ms();
        forward_send(p->forward->fd, event.data, event.len, &p->client);
    }
}

static int serve_peer(struct forward_peer *p, struct dr_error *err)
{
    struct forward_server *s = p->server;
    struct dray_call open = {.timeout_ms = FORWARD_DIAL_MS, .cancel = s->cancel};
    struct dray_stream *stream = NULL;
    struct dray_error *failed = NULL;
    if (cli_rc(dray_container_dial(s->target, s->container, p->forward->port, "udp",
                                   &open, &stream, &failed),
               &failed, err) < 0)
        return -1;
    pass_early(p, stream);
    int rc = answer(p, stream, err);
    pass_early(p, NULL);
    dray_stream_free(stream);
    return rc;
}

/* Whoever has found it before it is off the list is done with it once its lock can be
 * had. */
static void drop(struct forward_peer *p)
{
    struct forward_server *s = p->server;
    pthread_mutex_lock(&s->lock);
    if (p->next)
        p->next->at = p->at;
    *p->at = p->next;
    pthread_mutex_unlock(&s->lock);
    pass_early(p, NULL);
    pthread_mutex_destroy(&p->lock);
    free(p);
}

static void *peer_main(void *arg)
{
    struct forward_peer *p = arg;
    struct forward_server *s = p->server;
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    if (serve_peer(p, &err) < 0)
        forward_failed(p->forward, &err);
    drop(p);
    pthread_mutex_lock(&s->lock);
    forward_thread_ends(s);
    pthread_mutex_unlock(&s->lock);
    return NULL;
}

/* --- who it is from --- */

/* Server's lock held. */
static struct forward_peer *find(struct forward_server *s, const struct forward *forward,
                                 const struct forward_client *client)
{
    for (struct forward_peer *p = s->peers; p; p = p->next)
        if (p->forward == forward && memcmp(&p->client, client, sizeof *client) == 0)
            return p;
    return NULL;
}

/* NULL: there are too many, and the datagram is lost. */
static struct forward_peer *add(struct forward_server *s, const struct forward *forward,
                                const struct forward_client *client)
{
    struct forward_peer *p = dr_alloc(sizeof *p);
    *p = (struct forward_peer){.server = s,
                               .forward = forward,
                               .client = *client,
                               .last_ms = dr_clock_ms(),
                               .lock = PTHREAD_MUTEX_INITIALIZER};
    pthread_mutex_lock(&s->lock);
    bool full = s->threads > FORWARD_CONNECTIONS_MAX;
    if (!full) {
        p->next = s->peers;
        p->at = &s->peers;
        if (p->next)
            p->next->at = &p->next;
        s->peers = p;
    }
    pthread_mutex_unlock(&s->lock);
    if (full) {
        free(p);
        return NULL;
    }
    forward_handling(forward);
    return p;
}

void forward_take_datagram(struct forward_server *s, const struct forward *forward)
{
    static char data[DATAGRAM_MAX]; /* of the one thread that calls this */
    struct forward_client client;
    int n = forward_receive(forward->fd, data, sizeof data, &client);
    if (n < 0) /* also what an answer of ours was refused with */
        return;
    pthread_mutex_lock(&s->lock);
    struct forward_peer *p = find(s, forward, &client);
    if (p)
        pthread_mutex_lock(&p->lock);
    pthread_mutex_unlock(&s->lock);
    bool fresh = !p;
    if (fresh && !(p = add(s, forward, &client)))
        return;
    if (fresh)
        pthread_mutex_lock(&p->lock);
    if (p->stream)
        pass(p, data, (size_t)n);
    else
        keep(p, data, (size_t)n);
    pthread_mutex_unlock(&p->lock);
    if (fresh && !forward_start_thread(s, peer_main, p))
        drop(p);
}
