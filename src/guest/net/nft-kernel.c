/* SPDX-License-Identifier: Apache-2.0 */
/* What is said to the kernel, and what it answers. */
#include "guest/net/nft.h"

#include <arpa/inet.h>
#include <endian.h>
#include <errno.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#define ANSWER_MAX                                                                       \
    (64u << 10) /* of one read: the kernel gives at most 32 KiB of a dump */
#define DUMP_MS 10000
#define DUMP_TRIES 10
#define COMMENT_TYPE 0

static _Atomic int retired = -1;

static void retire(int fd)
{
    int before = atomic_exchange(&retired, fd);
    if (before >= 0)
        close(before);
}

void nft_close(const int *fd)
{
    if (*fd >= 0)
        retire(*fd);
}

int nft_open(int *ret_fd, struct dr_error *err)
{
    retire(-1);
    struct sockaddr_nl kernel = {.nl_family = AF_NETLINK};
    int on = 1;
    dr_auto_fd int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_NETFILTER);
    if (fd < 0 || connect(fd, (struct sockaddr *)&kernel, sizeof kernel) < 0)
        return dr_fail_errno(err, DR_ERR_UNSUPPORTED, "talk to nf_tables");
    setsockopt(fd, SOL_NETLINK, NETLINK_CAP_ACK, &on, sizeof on);
    *ret_fd = DR_TAKE_FD(fd);
    return 0;
}

/* One read of answers; 0 when there are none now. */
static ssize_t receive(int fd, void *data, size_t len, int flags, struct dr_error *err)
{
    ssize_t n;
    do
        n = recv(fd, data, len, flags);
    while (n < 0 && errno == EINTR);
    if (n < 0 && errno == EAGAIN)
        return 0;
    return n < 0 ? dr_fail_errno(err, DR_ERR_NETWORK, "hear nf_tables") : n;
}

/* The kernel works on a batch within send(2): when that returns, its answers are there.
 */
static int answers(int fd, uint32_t last, struct dr_error *err)
{
    dr_auto_free char *data = dr_alloc(ANSWER_MAX);
    bool acknowledged = false;
    int refused = 0;
    ssize_t n;
    while ((n = receive(fd, data, ANSWER_MAX, MSG_DONTWAIT, err)) > 0) {
        size_t left = (size_t)n;
        for (struct nlmsghdr *m = (struct nlmsghdr *)data; NLMSG_OK(m, left);
             m = NLMSG_NEXT(m, left)) {
            if (m->nlmsg_type != NLMSG_ERROR ||
                m->nlmsg_len < NLMSG_LENGTH(sizeof(struct nlmsgerr)))
                continue;
            const struct nlmsgerr *answer = NLMSG_DATA(m);
            if (answer->error && !refused)
                refused = -answer->error;
            acknowledged = acknowledged || (!answer->error && m->nlmsg_seq == last);
        }
    }
    if (n < 0)
        return -1;
    errno = refused ? refused : ENOMSG;
    if (refused || !acknowledged)
        return dr_fail_errno(err, DR_ERR_NETWORK, "nf_tables refuses the rules");
    return 0;
}

int nft_send(int fd, struct nft_batch *batch, struct dr_error *err)
{
    uint32_t last = batch->seq;
    nft_batch_end(batch);
    if (batch->full)
        return dr_fail(err, DR_ERR_NETWORK, "too many networks for one set of rules");
    /* the whole batch is one message to the socket */
    int room = (int)batch->bytes.len * 2;
    setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &room, sizeof room);
    if (send(fd, batch->bytes.data, batch->bytes.len, 0) < 0)
        return dr_fail_errno(err, DR_ERR_NETWORK, "send rules to nf_tables");
    return answers(fd, last, err);
}

/* --- attributes of answers --- */

struct attributes {
    const char *at;
    size_t left;
};

/* The next attribute; its bytes and type. False at the end, or where it does not parse.
 */
static bool next(struct attributes *in, uint16_t *ret_type, struct attributes *ret)
{
    struct nlattr head;
    if (in->left < sizeof head)
        return false;
    memcpy(&head, in->at, sizeof head);
    if (head.nla_len < sizeof head || head.nla_len > in->left)
        return false;
    *ret_type = head.nla_type & NLA_TYPE_MASK;
    *ret = (struct attributes){in->at + sizeof head, head.nla_len - sizeof head};
    size_t step = NLA_ALIGN(head.nla_len);
    in->at += step < in->left ? step : in->left;
    in->left -= step < in->left ? step : in->left;
    return true;
}

static uint32_t number_of(struct attributes value)
{
    uint32_t big = 0;
    if (value.left == sizeof big)
        memcpy(&big, value.at, sizeof big);
    return ntohl(big);
}

static uint64_t number64_of(struct attributes value)
{
    uint64_t big = 0;
    if (value.left == sizeof big)
        memcpy(&big, value.at, sizeof big);
    return be64toh(big);
}

static void text_of(struct attributes value, char *ret, size_t size)
{
    snprintf(ret, size, "%.*s", (int)strnlen(value.at, value.left), value.at);
}

/* --- dumps --- */

typedef int (*each_message)(void *arg, uint8_t family, struct attributes attributes);

/* Asks, and hands out every answer. 1: the rules changed meanwhile. */
static int dump_once(int fd, const struct nlmsghdr *request, each_message each, void *arg,
                     struct dr_error *err)
{
    dr_auto_free char *data = dr_alloc(ANSWER_MAX);
    bool done = false, changed = false, enough = false;
    if (send(fd, request, request->nlmsg_len, 0) < 0)
        return dr_fail_errno(err, DR_ERR_NETWORK, "ask nf_tables");
    while (!done) {
        struct pollfd word = {.fd = fd, .events = POLLIN};
        if (poll(&word, 1, DUMP_MS) == 0)
            return dr_fail(err, DR_ERR_TIMEOUT, "nf_tables does not answer");
        ssize_t n = receive(fd, data, ANSWER_MAX, 0, err);
        if (n < 0)
            return -1;
        size_t left = (size_t)n;
        for (struct nlmsghdr *m = (struct nlmsghdr *)data; NLMSG_OK(m, left);
             m = NLMSG_NEXT(m, left)) {
            if (m->nlmsg_seq != request->nlmsg_seq)
                continue;
            changed = changed || (m->nlmsg_flags & NLM_F_DUMP_INTR);
            if (m->nlmsg_type == NLMSG_DONE) {
                done = true;
            } else if (m->nlmsg_type == NLMSG_ERROR) {
                const struct nlmsgerr *answer = NLMSG_DATA(m);
                errno = -answer->error;
                return dr_fail_errno(err, DR_ERR_NETWORK, "ask nf_tables");
            } else if (!enough && m->nlmsg_len >= NLMSG_LENGTH(sizeof(struct nfgenmsg))) {
                const struct nfgenmsg *head = NLMSG_DATA(m);
                struct attributes attributes = {
                    (const char *)(head + 1),
                    m->nlmsg_len - NLMSG_LENGTH(sizeof(struct nfgenmsg))};
                enough = each(arg, head->nfgen_family, attributes) != 0;
            }
        }
    }
    return changed;
}

struct request {
    struct nlmsghdr header;
    struct nfgenmsg subsystem;
    char attributes[256];
};

static struct request request(uint16_t type, uint8_t family)
{
    static _Thread_local uint32_t seq = 1u << 16;
    return (struct request){
        .header = {.nlmsg_len = NLMSG_LENGTH(sizeof(struct nfgenmsg)),
                   .nlmsg_type = (uint16_t)(NFNL_SUBSYS_NFTABLES << 8 | type),
                   .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP,
                   .nlmsg_seq = seq++},
        .subsystem = {.nfgen_family = family, .version = NFNETLINK_V0}};
}

static void ask_text(struct request *request, uint16_t type, const char *value)
{
    struct nlattr head = {.nla_type = type,
                          .nla_len = (uint16_t)(NLA_HDRLEN + strlen(value) + 1)};
    char *at = (char *)request + request->header.nlmsg_len;
    memcpy(at, &head, sizeof head);
    memcpy(at + NLA_HDRLEN, value, strlen(value) + 1);
    request->header.nlmsg_len += NLA_ALIGN(head.nla_len);
}

/* --- chains --- */

struct chain_walk {
    int (*each)(void *arg, const struct nft_chain *chain);
    void *arg;
};

static int hear_chain(void *arg, uint8_t family, struct attributes all)
{
    struct chain_walk *walk = arg;
    struct nft_chain chain = {.family = family};
    struct attributes value, hook = {0};
    uint16_t type;
    while (next(&all, &type, &value))
        switch (type) {
        case NFTA_CHAIN_TABLE:
            text_of(value, chain.table, sizeof chain.table);
            break;
        case NFTA_CHAIN_NAME:
            text_of(value, chain.name, sizeof chain.name);
            break;
        case NFTA_CHAIN_HOOK:
            hook = value;
            break;
        case NFTA_CHAIN_POLICY:
            chain.drops = number_of(value) == NF_DROP;
            break;
        }
    if (!hook.at) /* another chain's part */
        return 0;
    while (next(&hook, &type, &value))
        if (type == NFTA_HOOK_HOOKNUM)
            chain.hook = number_of(value);
    return walk->each(walk->arg, &chain);
}

/* What was heard of a listing that changed meanwhile is heard again: that harms nobody.
 */
static int dump(int fd, struct request *request, each_message each, void *arg,
                struct dr_error *err)
{
    for (int tries = 0;; tries++) {
        int result = dump_once(fd, &request->header, each, arg, err);
        if (result <= 0 || tries == DUMP_TRIES)
            return result < 0 ? -1 : 0;
        request->header.nlmsg_seq++;
    }
}

int nft_each_chain(int fd, int (*each)(void *arg, const struct nft_chain *chain),
                   void *arg, struct dr_error *err)
{
    struct request ask = request(NFT_MSG_GETCHAIN, NFPROTO_UNSPEC);
    struct chain_walk walk = {each, arg};
    return dump(fd, &ask, hear_chain, &walk, err);
}

/* --- rules --- */

struct rule_walk {
    int (*each)(void *arg, const struct nft_rule *rule);
    void *arg;
};

static int hear_rule(void *arg, uint8_t family, struct attributes all)
{
    struct rule_walk *walk = arg;
    struct nft_rule rule = {.text = all.at, .len = all.left};
    struct attributes value;
    uint16_t type;
    while (next(&all, &type, &value))
        if (type == NFTA_RULE_HANDLE) {
            rule.handle = number64_of(value);
        } else if (type == NFTA_RULE_USERDATA && value.left > 2 &&
                   value.at[0] == COMMENT_TYPE) {
            struct attributes comment = {value.at + 2, value.left - 2};
            size_t len = (uint8_t)value.at[1];
            comment.left = len < comment.left ? len : comment.left;
            text_of(comment, rule.comment, sizeof rule.comment);
        }
    return walk->each(walk->arg, &rule);
}

int nft_each_rule(int fd, uint8_t family, const char *table, const char *chain,
                  int (*each)(void *arg, const struct nft_rule *rule), void *arg,
                  struct dr_error *err)
{
    struct request ask = request(NFT_MSG_GETRULE, family);
    struct rule_walk walk = {each, arg};
    ask_text(&ask, NFTA_RULE_TABLE, table);
    ask_text(&ask, NFTA_RULE_CHAIN, chain);
    return dump(fd, &ask, hear_rule, &walk, err);
}
