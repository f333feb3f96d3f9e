/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Netlink messages: built one behind the other in a batch, sent with one system call,
 * answered with one acknowledgement, so that a whole network costs a handful of calls and
 * needs no program in the guest.
 */
#ifndef DRAY_GUEST_NET_NETLINK_H
#define DRAY_GUEST_NET_NETLINK_H

#include <linux/netlink.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

#define NL_BATCH_BYTES 4096
#define NL_BATCH_MESSAGES 24

struct nl_batch {
    _Alignas(NLMSG_ALIGNTO) unsigned char data[NL_BATCH_BYTES];
    size_t len;
    size_t at[NL_BATCH_MESSAGES]; /* where each message begins */
    struct {
        const char *what; /* static text: what failed when it does */
        int fine;         /* an errno that is none; 0: none */
    } about[NL_BATCH_MESSAGES];
    unsigned count;
};

/* Begins a message; body: the family's fixed part (struct ifinfomsg …). A batch that
 * would overflow is a bug of the caller and aborts. */
void nl_begin(struct nl_batch *batch, const char *what, int type, int flags,
              const void *body, size_t len);
/* The last message may fail with this errno. */
void nl_fine(struct nl_batch *batch, int code);
void nl_attr(struct nl_batch *batch, int type, const void *data, size_t len);
void nl_attr_str(struct nl_batch *batch, int type, const char *text);
void nl_attr_u32(struct nl_batch *batch, int type, uint32_t value);
void nl_attr_u8(struct nl_batch *batch, int type, uint8_t value);
/* Attributes within attributes. */
size_t nl_nest(struct nl_batch *batch, int type);
void nl_nest_end(struct nl_batch *batch, size_t nest);

/* A socket of the calling thread's network namespace; protocol NETLINK_ROUTE … */
int nl_open(int protocol, struct dr_error *err);
/*
 * Sends the batch and waits for the answer; empties it. The kernel goes on after a
 * message that failed; the first failure is reported, DR_ERR_NETWORK with its errno as
 * code.
 */
int nl_run(int fd, struct nl_batch *batch, struct dr_error *err);
/*
 * Sends a request for things (one message; NLM_F_DUMP or not) and calls each with every
 * message that comes. Returns 0, or -1 with errno.
 */
int nl_ask(int fd, struct nl_batch *batch,
           void (*each)(void *arg, const struct nlmsghdr *message), void *arg);

/* Attribute of a message whose fixed part is `body` bytes long; NULL: not there. *ret_len
 * (may be NULL): bytes of its data. */
const void *nl_find(const struct nlmsghdr *message, size_t body, int type,
                    size_t *ret_len);

#endif
