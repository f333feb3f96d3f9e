/* SPDX-License-Identifier: Apache-2.0 */
/* `dray forward`: ports of this machine that lead into a container, through the session.
 */
#ifndef DRAY_CLI_FORWARD_H
#define DRAY_CLI_FORWARD_H

#include <dray.h>
#include <stdbool.h>

#include "base/error.h"
#include "base/ip.h"

#define FORWARD_MAX 64              /* ports of one command */
#define FORWARD_CONNECTIONS_MAX 256 /* at a time; more wait to be accepted */

struct forward {
    char *address; /* owned: of this machine, as text, without brackets */
    int local;     /* 0: any free port; what it is once it listens */
    int port;      /* the container's */
    bool udp;
    int fd; /* listening; -1: not yet */
};

/* "[ADDRESS:]LOCAL:PORT", ":PORT" (a free local port) or "PORT" (the same here), as
 * kubectl takes them, and "/udp" behind it; the address is 127.0.0.1 unless given, an
 * IPv6 one stands in brackets. DR_ERR_INVALID names the text. */
int forward_parse(const char *text, struct forward *ret, struct dr_error *err);
/* "127.0.0.1:8080", "[::1]:8080"; owned. */
char *forward_shown(const struct forward *forward);
void forward_release(struct forward *forward);

/* Listens; a busy port, or one that only root may have, is an error that names it. */
int forward_listen(struct forward *forward, struct dr_error *err);

/* forward-posix.c, forward-win.c */
/* A socket that listens, and *port when it was 0; -1 with errno. */
int forward_open(const struct dr_ip *ip, bool udp, int *port);
/* Why EACCES. */
extern const char forward_forbidden[];
/* A connection that waits; -1 with errno. */
int forward_accept(int fd);
/* Its end, when it is closed, is a reset. */
void forward_reset(int fd);
/* A datagram that waits, and who has sent it; its length, or -1. */
struct forward_client {
    _Alignas(8) unsigned char address[128]; /* a sockaddr; zeros behind it */
    int len;
};
int forward_receive(int fd, void *data, size_t room, struct forward_client *ret_client);
/* Or it is lost. */
void forward_send(int fd, const void *data, size_t len,
                  const struct forward_client *client);

/* forward-serve.c */
/* Passes connections on until signal_fd is readable (0), or the container has ended (-1).
 * count of them, all listening. */
int forward_serve(struct dray_target *target, const char *container,
                  const struct forward *forwards, size_t count, int signal_fd,
                  struct dr_error *err);

#endif
