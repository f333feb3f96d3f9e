/* SPDX-License-Identifier: Apache-2.0 */
/*
 * nf_tables without the `nft` program: messages for the kernel written as bytes into one
 * batch, which it takes whole or not at all. Only what dray's own rules need.
 *
 * Rules: the kernel's uapi linux/netfilter/nf_tables.h and nfnetlink.h, netlink(7). Words
 * of attributes are big-endian, but for what a packet is compared with: that is the bytes
 * as they are in the register.
 */
#ifndef DRAY_GUEST_NET_NFT_H
#define DRAY_GUEST_NET_NFT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/ip.h"

/* --- writing --- */

struct nft_batch {
    struct dr_buf bytes;
    uint32_t seq;   /* of the last message */
    size_t message; /* where the open one begins */
    size_t exprs;   /* where the open rule's list of expressions begins */
    bool full;      /* something did not fit: nothing is sent */
};

#define nft_auto_batch DR_CLEANUP(nft_batch_release)
void nft_batch_begin(struct nft_batch *batch);
void nft_batch_end(struct nft_batch *batch); /* before it is sent */
void nft_batch_release(struct nft_batch *batch);

enum nft_where {                  /* a base chain's place: type, hook and priority */
                 NFT_FORWARD,     /* filter, forward, 0 */
                 NFT_POSTROUTING, /* nat, postrouting, 100: where source addresses are
                                     changed */
};

/* family: NFPROTO_INET … No error when it is there already. */
void nft_add_table(struct nft_batch *batch, uint8_t family, const char *table);
/* With all that is in it. The kernel refuses the batch when there is none. */
void nft_delete_table(struct nft_batch *batch, uint8_t family, const char *table);
/* A base chain, whose policy is accept. */
void nft_add_chain(struct nft_batch *batch, uint8_t family, const char *table,
                   const char *chain, enum nft_where where);
/* Appends a rule; what it does comes next, one call an expression, then nft_rule_end. */
void nft_rule_begin(struct nft_batch *batch, uint8_t family, const char *table,
                    const char *chain);
/* comment: what people see behind the rule; may be NULL. At most 127 bytes. */
void nft_rule_end(struct nft_batch *batch, const char *comment);
void nft_delete_rule(struct nft_batch *batch, uint8_t family, const char *table,
                     const char *chain, uint64_t handle);

/* Expressions; the rule ends for a packet that is not so. */
void nft_match_input(struct nft_batch *batch, const char *link);
void nft_match_output(struct nft_batch *batch, const char *link, bool is_it);
/* Belongs to a connection that was let through, or is about one. */
void nft_match_established(struct nft_batch *batch);
/* Comes from the subnet. Only in inet tables. */
void nft_match_source(struct nft_batch *batch, const struct dr_subnet *subnet);
void nft_count(struct nft_batch *batch);
void nft_masquerade(struct nft_batch *batch);
void nft_verdict(struct nft_batch *batch, bool accept);

/* --- reading --- */

/* A base chain that is there. */
struct nft_chain {
    uint8_t family;
    char table[64], name[64]; /* longer ones are cut */
    uint32_t hook;            /* NF_INET_FORWARD …, of the family */
    bool drops;               /* its policy */
};

/* A rule that is there. text: all of it as it came, for looking into. */
struct nft_rule {
    uint64_t handle;
    char comment[128]; /* "" when it has none */
    const void *text;
    size_t len;
};

/* --- the kernel --- */

/* Fails with DR_ERR_UNSUPPORTED where the kernel has no nf_tables. */
int nft_open(int *ret_fd, struct dr_error *err);
/* Kept open until the next one is opened, or the process ends: after something was
 * deleted close(2) waits until no packet is on its way through it any more, 5 to 20 ms.
 */
#define nft_auto_socket DR_CLEANUP(nft_close)
void nft_close(const int *fd);
/* All or nothing. DR_ERR_NETWORK with the first refusal's errno as code. */
int nft_send(int fd, struct nft_batch *batch, struct dr_error *err);
/* each returns other than 0 to end it, which is not a failure. */
int nft_each_chain(int fd, int (*each)(void *arg, const struct nft_chain *chain),
                   void *arg, struct dr_error *err);
int nft_each_rule(int fd, uint8_t family, const char *table, const char *chain,
                  int (*each)(void *arg, const struct nft_rule *rule), void *arg,
                  struct dr_error *err);

#endif
