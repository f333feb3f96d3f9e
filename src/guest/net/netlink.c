/* SPDX-License-Identifier: Apache-2.0 */
#include "guest/net/netlink.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#define ANSWER_BYTES 32768 /* one datagram of a dump */

static void *add(struct nl_batch *batch, size_t len)
{
    size_t room = NLMSG_ALIGN(len);
    if (batch->len + room > sizeof batch->data)
        abort();
    void *at = batch->data + batch->len;
    memset(at, 0, room);
    batch->len += room;
    return at;
}

static struct nlmsghdr *last(struct nl_batch *batch)
{
    return (struct nlmsghdr *)(batch->data + batch->at[batch->count - 1]);
}

static void grow(struct nl_batch *batch)
{
    last(batch)->nlmsg_len = (uint32_t)(batch->len - batch->at[batch->count - 1]);
}

void nl_begin(struct nl_batch *batch, const char *what, int type, int flags,
              const void *body, size_t len)
{
    if (batch->count == NL_BATCH_MESSAGES)
        abort();
    batch->at[batch->count] = batch->len;
    batch->about[batch->count].what = what;
    batch->about[batch->count].fine = 0;
    batch->count++;
    struct nlmsghdr *header = add(batch, sizeof *header);
    header->nlmsg_type = (uint16_t)type;
    header->nlmsg_flags = (uint16_t)(NLM_F_REQUEST | flags);
    header->nlmsg_seq = batch->count;
    memcpy(add(batch, len), body, len);
    grow(batch);
}

void nl_fine(struct nl_batch *batch, int code)
{
    batch->about[batch->count - 1].fine = code;
}

void nl_attr(struct nl_batch *batch, int type, const void *data, size_t len)
{
    struct nlattr *attr = add(batch, NLA_HDRLEN + len);
    attr->nla_type = (uint16_t)type;
    attr->nla_len = (uint16_t)(NLA_HDRLEN + len);
    if (len)
        memcpy((unsigned char *)attr + NLA_HDRLEN, data, len);
    grow(batch);
}

void nl_attr_str(struct nl_batch *batch, int type, const char *text)
{
    nl_attr(batch, type, text, strlen(text) + 1);
}

void nl_attr_u32(struct nl_batch *batch, int type, uint32_t value)
{
    nl_attr(batch, type, &value, sizeof value);
}

void nl_attr_u8(struct nl_batch *batch, int type, uint8_t value)
{
    nl_attr(batch, type, &value, sizeof value);
}

size_t nl_nest(struct nl_batch *batch, int type)
{
    size_t at = batch->len;
    nl_attr(batch, type | NLA_F_NESTED, NULL, 0);
    return at;
}

void nl_nest_end(struct nl_batch *batch, size_t nest)
{
    struct nlattr *attr = (struct nlattr *)(batch->data + nest);
    attr->nla_len = (uint16_t)(batch->len - nest);
}

int nl_open(int protocol, struct dr_error *err)
{
    dr_auto_fd int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, protocol);
    if (fd < 0)
        return dr_fail_errno(err, DR_ERR_NETWORK, "talk to the kernel's networks");
    return DR_TAKE_FD(fd);
}

static int send_all(int fd, const struct nl_batch *batch)
{
    struct sockaddr_nl kernel = {.nl_family = AF_NETLINK};
    ssize_t n;
    do
        n = sendto(fd, batch->data, batch->len, 0, (struct sockaddr *)&kernel,
                   sizeof kernel);
    while (n < 0 && errno == EINTR);
    return n < 0 ? -1 : 0;
}

static ssize_t receive(int fd, void *data, size_t len)
{
    ssize_t n;
    do
        n = recv(fd, data, len, 0);
    while (n < 0 && errno == EINTR);
    return n;
}

/* The errno that an answer stands for; 0: it was done. */
static int code_of(const struct nlmsghdr *answer)
{
    const struct nlmsgerr *error = NLMSG_DATA(answer);
    return -error->error;
}

/* Only the last message asks for an acknowledgement: those before it answer when they
 * fail, and answers come in order. */
static int await(int fd, const struct nl_batch *batch, unsigned *ret_failed)
{
    _Alignas(NLMSG_ALIGNTO) unsigned char data[NL_BATCH_BYTES];
    int first = 0;
    for (;;) {
        ssize_t n = receive(fd, data, sizeof data);
        if (n < 0)
            return -1;
        size_t left = (size_t)n;
        for (struct nlmsghdr *at = (struct nlmsghdr *)data; NLMSG_OK(at, left);
             at = NLMSG_NEXT(at, left)) {
            unsigned seq = at->nlmsg_seq;
            if (at->nlmsg_type != NLMSG_ERROR || seq == 0 || seq > batch->count)
                continue;
            int code = code_of(at);
            if (code && code != batch->about[seq - 1].fine && !first) {
                first = code;
                *ret_failed = seq - 1;
            }
            if (seq == batch->count) {
                errno = first;
                return first ? -1 : 0;
            }
        }
    }
}

int nl_run(int fd, struct nl_batch *batch, struct dr_error *err)
{
    unsigned failed = 0;
    int result = 0;
    if (!batch->count)
        return 0;
    last(batch)->nlmsg_flags |= NLM_F_ACK;
    if (send_all(fd, batch) < 0 || await(fd, batch, &failed) < 0)
        result = dr_fail_errno(err, DR_ERR_NETWORK, "%s", batch->about[failed].what);
    batch->len = batch->count = 0;
    return result;
}

int nl_ask(int fd, struct nl_batch *batch,
           void (*each)(void *arg, const struct nlmsghdr *message), void *arg)
{
    dr_auto_free unsigned char *data = dr_alloc(ANSWER_BYTES);
    bool dump = (last(batch)->nlmsg_flags & NLM_F_DUMP) == NLM_F_DUMP;
    int result = send_all(fd, batch);
    batch->len = batch->count = 0;
    for (bool done = false; result == 0 && !done;) {
        ssize_t n = receive(fd, data, ANSWER_BYTES);
        if (n < 0)
            return -1;
        size_t left = (size_t)n;
        for (struct nlmsghdr *at = (struct nlmsghdr *)data; NLMSG_OK(at, left);
             at = NLMSG_NEXT(at, left)) {
            if (at->nlmsg_type == NLMSG_ERROR) {
                errno = code_of(at);
                return errno ? -1 : 0;
            }
            done = !dump || at->nlmsg_type == NLMSG_DONE;
            if (at->nlmsg_type != NLMSG_DONE)
                each(arg, at);
        }
    }
    return result;
}

const void *nl_find(const struct nlmsghdr *message, size_t body, int type,
                    size_t *ret_len)
{
    const unsigned char *at = (const unsigned char *)NLMSG_DATA(message);
    const unsigned char *end = (const unsigned char *)message + message->nlmsg_len;
    for (at += NLMSG_ALIGN(body); at + NLA_HDRLEN <= end;) {
        const struct nlattr *attr = (const struct nlattr *)at;
        if (attr->nla_len < NLA_HDRLEN || at + attr->nla_len > end)
            return NULL;
        if ((attr->nla_type & NLA_TYPE_MASK) == type) {
            if (ret_len)
                *ret_len = attr->nla_len - (size_t)NLA_HDRLEN;
            return at + NLA_HDRLEN;
        }
        at += NLA_ALIGN(attr->nla_len);
    }
    return NULL;
}
