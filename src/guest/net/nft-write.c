/* SPDX-License-Identifier: Apache-2.0 */
/* The writing half: messages, attributes in attributes, expressions. */
#include "guest/net/nft.h"

#include <arpa/inet.h>
#include <endian.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <net/if.h>
#include <string.h>

#define BATCH_MAX (8u << 20)
#define COMMENT_TYPE                                                                     \
    0 /* libnftnl's NFTNL_UDATA_RULE_COMMENT: type, length, text, NUL                    \
       */
#define COMMENT_MAX 127

static void put(struct nft_batch *batch, const void *data, size_t len)
{
    static const char zeros[NLA_ALIGNTO];
    dr_auto_error struct dr_error full = DR_ERROR_INIT;
    if (!len)
        return;
    if (batch->full || dr_buf_add(&batch->bytes, data, len, &full) < 0 ||
        dr_buf_add(&batch->bytes, zeros, NLA_ALIGN(len) - len, &full) < 0)
        batch->full = true;
}

/* --- messages --- */

static void begin(struct nft_batch *batch, uint16_t type, uint16_t flags, uint8_t family,
                  uint16_t resource)
{
    struct {
        struct nlmsghdr header;
        struct nfgenmsg subsystem;
    } head = {.header = {.nlmsg_type = type,
                         .nlmsg_flags = (uint16_t)(NLM_F_REQUEST | flags),
                         .nlmsg_seq = ++batch->seq},
              .subsystem = {.nfgen_family = family,
                            .version = NFNETLINK_V0,
                            .res_id = htons(resource)}};
    batch->message = batch->bytes.len;
    put(batch, &head, sizeof head);
}

static void end(struct nft_batch *batch)
{
    if (batch->full)
        return;
    uint32_t len = (uint32_t)(batch->bytes.len - batch->message);
    memcpy(batch->bytes.data + batch->message + offsetof(struct nlmsghdr, nlmsg_len),
           &len, sizeof len);
}

static void open_message(struct nft_batch *batch, uint16_t type, uint16_t flags,
                         uint8_t family)
{
    begin(batch, (uint16_t)(NFNL_SUBSYS_NFTABLES << 8 | type), flags, family, 0);
}

void nft_batch_begin(struct nft_batch *batch)
{
    *batch = (struct nft_batch){.bytes = DR_BUF_INIT(BATCH_MAX)};
    begin(batch, NFNL_MSG_BATCH_BEGIN, 0, AF_UNSPEC, NFNL_SUBSYS_NFTABLES);
    end(batch);
}

/* Answered is the last message alone, and each that is refused. */
void nft_batch_end(struct nft_batch *batch)
{
    if (!batch->full)
        ((struct nlmsghdr *)(batch->bytes.data + batch->message))->nlmsg_flags |=
            NLM_F_ACK;
    begin(batch, NFNL_MSG_BATCH_END, 0, AF_UNSPEC, NFNL_SUBSYS_NFTABLES);
    end(batch);
}

void nft_batch_release(struct nft_batch *batch)
{
    dr_buf_release(&batch->bytes);
}

/* --- attributes --- */

static void attribute(struct nft_batch *batch, uint16_t type, const void *data,
                      size_t len)
{
    struct nlattr head = {.nla_type = type, .nla_len = (uint16_t)(NLA_HDRLEN + len)};
    put(batch, &head, sizeof head);
    put(batch, data, len);
}

static void text(struct nft_batch *batch, uint16_t type, const char *value)
{
    attribute(batch, type, value, strlen(value) + 1);
}

static void number(struct nft_batch *batch, uint16_t type, uint32_t value)
{
    uint32_t big = htonl(value);
    attribute(batch, type, &big, sizeof big);
}

static void number64(struct nft_batch *batch, uint16_t type, uint64_t value)
{
    uint64_t big = htobe64(value);
    attribute(batch, type, &big, sizeof big);
}

/* An attribute made of attributes; close() needs what this returns. */
static size_t open_in(struct nft_batch *batch, uint16_t type)
{
    size_t at = batch->bytes.len;
    attribute(batch, type | NLA_F_NESTED, NULL, 0);
    return at;
}

static void close_in(struct nft_batch *batch, size_t at)
{
    if (batch->full)
        return;
    uint16_t len = (uint16_t)(batch->bytes.len - at);
    memcpy(batch->bytes.data + at + offsetof(struct nlattr, nla_len), &len, sizeof len);
}

static void data_in(struct nft_batch *batch, uint16_t type, const void *data, size_t len)
{
    size_t at = open_in(batch, type);
    attribute(batch, NFTA_DATA_VALUE, data, len);
    close_in(batch, at);
}

/* --- tables, chains, rules --- */

void nft_add_table(struct nft_batch *batch, uint8_t family, const char *table)
{
    open_message(batch, NFT_MSG_NEWTABLE, NLM_F_CREATE, family);
    text(batch, NFTA_TABLE_NAME, table);
    end(batch);
}

void nft_delete_table(struct nft_batch *batch, uint8_t family, const char *table)
{
    open_message(batch, NFT_MSG_DELTABLE, 0, family);
    text(batch, NFTA_TABLE_NAME, table);
    end(batch);
}

void nft_add_chain(struct nft_batch *batch, uint8_t family, const char *table,
                   const char *chain, enum nft_where where)
{
    static const struct {
        const char *type;
        uint32_t hook, priority;
    } places[] = {[NFT_FORWARD] = {"filter", NF_INET_FORWARD, 0},
                  [NFT_POSTROUTING] = {"nat", NF_INET_POST_ROUTING, 100}};
    open_message(batch, NFT_MSG_NEWCHAIN, NLM_F_CREATE, family);
    text(batch, NFTA_CHAIN_TABLE, table);
    text(batch, NFTA_CHAIN_NAME, chain);
    size_t hook = open_in(batch, NFTA_CHAIN_HOOK);
    number(batch, NFTA_HOOK_HOOKNUM, places[where].hook);
    number(batch, NFTA_HOOK_PRIORITY, places[where].priority);
    close_in(batch, hook);
    number(batch, NFTA_CHAIN_POLICY, NF_ACCEPT);
    text(batch, NFTA_CHAIN_TYPE, places[where].type);
    end(batch);
}

void nft_rule_begin(struct nft_batch *batch, uint8_t family, const char *table,
                    const char *chain)
{
    open_message(batch, NFT_MSG_NEWRULE, NLM_F_CREATE | NLM_F_APPEND, family);
    text(batch, NFTA_RULE_TABLE, table);
    text(batch, NFTA_RULE_CHAIN, chain);
    batch->exprs = open_in(batch, NFTA_RULE_EXPRESSIONS);
}

void nft_rule_end(struct nft_batch *batch, const char *comment)
{
    close_in(batch, batch->exprs);
    if (comment) {
        uint8_t userdata[2 + COMMENT_MAX + 1] = {COMMENT_TYPE};
        size_t len = strnlen(comment, COMMENT_MAX);
        userdata[1] = (uint8_t)(len + 1);
        memcpy(userdata + 2, comment, len);
        attribute(batch, NFTA_RULE_USERDATA, userdata, 2 + len + 1);
    }
    end(batch);
}

void nft_delete_rule(struct nft_batch *batch, uint8_t family, const char *table,
                     const char *chain, uint64_t handle)
{
    open_message(batch, NFT_MSG_DELRULE, 0, family);
    text(batch, NFTA_RULE_TABLE, table);
    text(batch, NFTA_RULE_CHAIN, chain);
    number64(batch, NFTA_RULE_HANDLE, handle);
    end(batch);
}

/* --- expressions --- */

struct expression {
    size_t element, data;
};

static struct expression expression(struct nft_batch *batch, const char *name)
{
    struct expression e = {.element = open_in(batch, NFTA_LIST_ELEM)};
    text(batch, NFTA_EXPR_NAME, name);
    e.data = open_in(batch, NFTA_EXPR_DATA);
    return e;
}

static void expression_end(struct nft_batch *batch, struct expression e)
{
    close_in(batch, e.data);
    close_in(batch, e.element);
}

static void load_meta(struct nft_batch *batch, uint32_t key)
{
    struct expression e = expression(batch, "meta");
    number(batch, NFTA_META_DREG, NFT_REG_1);
    number(batch, NFTA_META_KEY, key);
    expression_end(batch, e);
}

static void compare(struct nft_batch *batch, enum nft_cmp_ops op, const void *data,
                    size_t len)
{
    struct expression e = expression(batch, "cmp");
    number(batch, NFTA_CMP_SREG, NFT_REG_1);
    number(batch, NFTA_CMP_OP, op);
    data_in(batch, NFTA_CMP_DATA, data, len);
    expression_end(batch, e);
}

/* register 1 and mask, as bits */
static void mask(struct nft_batch *batch, const void *bits, size_t len)
{
    static const uint8_t zeros[16];
    struct expression e = expression(batch, "bitwise");
    number(batch, NFTA_BITWISE_SREG, NFT_REG_1);
    number(batch, NFTA_BITWISE_DREG, NFT_REG_1);
    number(batch, NFTA_BITWISE_LEN, (uint32_t)len);
    data_in(batch, NFTA_BITWISE_MASK, bits, len);
    data_in(batch, NFTA_BITWISE_XOR, zeros, len);
    expression_end(batch, e);
}

static void match_link(struct nft_batch *batch, uint32_t key, const char *link,
                       enum nft_cmp_ops op)
{
    char name[IFNAMSIZ] = "";
    memcpy(name, link, strnlen(link, sizeof name - 1));
    load_meta(batch, key);
    compare(batch, op, name, sizeof name);
}

void nft_match_input(struct nft_batch *batch, const char *link)
{
    match_link(batch, NFT_META_IIFNAME, link, NFT_CMP_EQ);
}

void nft_match_output(struct nft_batch *batch, const char *link, bool is_it)
{
    match_link(batch, NFT_META_OIFNAME, link, is_it ? NFT_CMP_EQ : NFT_CMP_NEQ);
}

void nft_match_established(struct nft_batch *batch)
{
    uint32_t bits = NF_CT_STATE_BIT(IP_CT_ESTABLISHED) | NF_CT_STATE_BIT(IP_CT_RELATED);
    uint32_t none = 0;
    struct expression e = expression(batch, "ct");
    number(batch, NFTA_CT_DREG, NFT_REG_1);
    number(batch, NFTA_CT_KEY, NFT_CT_STATE);
    expression_end(batch, e);
    mask(batch, &bits, sizeof bits);
    compare(batch, NFT_CMP_NEQ, &none, sizeof none);
}

/* The subnet's bits of an address. */
static void prefix_mask(const struct dr_subnet *subnet, uint8_t ret[16])
{
    memset(ret, 0, 16);
    for (int bit = 0; bit < subnet->prefix; bit++)
        ret[bit / 8] |= (uint8_t)(0x80 >> bit % 8);
}

void nft_match_source(struct nft_batch *batch, const struct dr_subnet *subnet)
{
    bool v4 = subnet->ip.family == 4;
    uint8_t protocol = v4 ? NFPROTO_IPV4 : NFPROTO_IPV6, bits[16];
    size_t len = v4 ? 4 : 16;
    struct dr_ip network = dr_subnet_base(subnet);
    prefix_mask(subnet, bits);
    load_meta(batch, NFT_META_NFPROTO);
    compare(batch, NFT_CMP_EQ, &protocol, sizeof protocol);
    struct expression e = expression(batch, "payload");
    number(batch, NFTA_PAYLOAD_DREG, NFT_REG_1);
    number(batch, NFTA_PAYLOAD_BASE, NFT_PAYLOAD_NETWORK_HEADER);
    number(batch, NFTA_PAYLOAD_OFFSET, v4 ? 12 : 8); /* the source: RFC 791, RFC 8200 */
    number(batch, NFTA_PAYLOAD_LEN, (uint32_t)len);
    expression_end(batch, e);
    mask(batch, bits, len);
    compare(batch, NFT_CMP_EQ, network.bytes, len);
}

void nft_count(struct nft_batch *batch)
{
    expression_end(batch, expression(batch, "counter"));
}

void nft_masquerade(struct nft_batch *batch)
{
    expression_end(batch, expression(batch, "masq"));
}

void nft_verdict(struct nft_batch *batch, bool accept)
{
    struct expression e = expression(batch, "immediate");
    number(batch, NFTA_IMMEDIATE_DREG, NFT_REG_VERDICT);
    size_t data = open_in(batch, NFTA_IMMEDIATE_DATA);
    size_t verdict = open_in(batch, NFTA_DATA_VERDICT);
    number(batch, NFTA_VERDICT_CODE, accept ? NF_ACCEPT : NF_DROP);
    close_in(batch, verdict);
    close_in(batch, data);
    expression_end(batch, e);
}
