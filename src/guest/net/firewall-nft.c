/* SPDX-License-Identifier: Apache-2.0 */
/* The rules of dray in nf_tables, and what others' rules mean for them. */
#include <linux/netfilter.h>
#include <string.h>

#include "guest/net/firewall-private.h"
#include "guest/net/nft.h"

#define LINKS "dr-" /* what all of our links' names begin with (C06) */

/* --- what is there --- */

/* A FORWARD chain of iptables-nft. */
struct foreign {
    uint8_t family;
    bool drops;
    uint64_t *ours; /* handles of our rules in it */
    size_t ours_count;
};

struct survey {
    const struct firewall *f;
    int fd;
    bool has_table, shared;
    struct foreign foreign[2];  /* ip, ip6; family 0: not there */
    struct nft_chain *droppers; /* chains that drop, and are no program's */
    size_t dropper_count;
};

static void survey_release(struct survey *survey)
{
    for (size_t i = 0; i < DR_COUNT(survey->foreign); i++)
        free(survey->foreign[i].ours);
    free(survey->droppers);
}

static int look_at_chain(void *arg, const struct nft_chain *chain)
{
    struct survey *survey = arg;
    bool v4 = chain->family == NFPROTO_IPV4, v6 = chain->family == NFPROTO_IPV6;
    if (chain->family == NFPROTO_INET && strcmp(chain->table, survey->f->tag) == 0) {
        survey->has_table = true;
        return 0;
    }
    if (chain->family == NFPROTO_INET && firewall_is_tag(chain->table)) {
        survey->shared = true;
        return 0;
    }
    if (chain->hook != NF_INET_FORWARD || (!v4 && !v6 && chain->family != NFPROTO_INET))
        return 0;
    if ((v4 || v6) && strcmp(chain->table, "filter") == 0 &&
        strcmp(chain->name, "FORWARD") == 0) {
        survey->foreign[v6].family = chain->family;
        survey->foreign[v6].drops = chain->drops;
    } else if (chain->drops) {
        survey->droppers = dr_realloc(survey->droppers, (survey->dropper_count + 1) *
                                                            sizeof *survey->droppers);
        survey->droppers[survey->dropper_count++] = *chain;
    }
    return 0;
}

struct own_rules {
    const char *tag;
    struct foreign *foreign;
};

static int look_at_rule(void *arg, const struct nft_rule *rule)
{
    struct own_rules *own = arg;
    struct foreign *foreign = own->foreign;
    if (strcmp(rule->comment, own->tag) != 0)
        return 0;
    for (size_t i = 0; i < foreign->ours_count; i++)
        if (foreign->ours[i] == rule->handle) /* heard twice */
            return 0;
    foreign->ours =
        dr_realloc(foreign->ours, (foreign->ours_count + 1) * sizeof *foreign->ours);
    foreign->ours[foreign->ours_count++] = rule->handle;
    return 0;
}

static int look(struct survey *survey, struct dr_error *err)
{
    if (nft_each_chain(survey->fd, look_at_chain, survey, err) < 0)
        return -1;
    for (size_t i = 0; i < DR_COUNT(survey->foreign); i++) {
        struct own_rules own = {survey->f->tag, &survey->foreign[i]};
        if (own.foreign->family &&
            nft_each_rule(survey->fd, own.foreign->family, "filter", "FORWARD",
                          look_at_rule, &own, err) < 0)
            return -1;
    }
    return 0;
}

/* --- chains that nobody may change but their owner --- */

static int mentions_us(void *arg, const struct nft_rule *rule)
{
    bool *found = arg;
    *found = memmem(rule->text, rule->len, LINKS, strlen(LINKS)) != NULL;
    return *found;
}

static const char *family_word(uint8_t family)
{
    return family == NFPROTO_INET ? "inet" : family == NFPROTO_IPV4 ? "ip" : "ip6";
}

/* Who has written a rule for our links knows about it. */
static void warn_of_droppers(const struct survey *survey)
{
    for (size_t i = 0; i < survey->dropper_count; i++) {
        const struct nft_chain *chain = &survey->droppers[i];
        dr_auto_error struct dr_error ignored = DR_ERROR_INIT;
        const char *family = family_word(chain->family);
        bool found = false;
        if (chain->family == NFPROTO_IPV6 && !firewall_has_family(survey->f, 6))
            continue;
        nft_each_rule(survey->fd, chain->family, chain->table, chain->name, mentions_us,
                      &found, &ignored);
        if (!found)
            firewall_warn(
                survey->f,
                "the nftables chain '%s' of table %s %s drops what is forwarded: "
                "containers cannot get out until it has rules for them: nft add "
                "rule %s %s %s iifname '\"" LINKS "*\"' accept; nft add rule %s "
                "%s %s oifname '\"" LINKS "*\"' accept",
                chain->name, family, chain->table, family, chain->table, chain->name,
                family, chain->table, chain->name);
    }
}

/* --- the rules --- */

static void begin_filter(struct nft_batch *batch, const char *table)
{
    nft_rule_begin(batch, NFPROTO_INET, table, "forward");
}

static void end_filter(struct nft_batch *batch, bool accept)
{
    nft_verdict(batch, accept);
    nft_rule_end(batch, NULL);
}

/* Frames within a bridge come this way, too, where br_netfilter is on. */
static void write_forward(struct nft_batch *batch, const char *table,
                          const struct firewall_network *network)
{
    begin_filter(batch, table);
    nft_match_input(batch, network->link);
    nft_match_output(batch, network->link, true);
    end_filter(batch, true);
    begin_filter(batch, table);
    if (network->internal) {
        nft_match_input(batch, network->link);
        end_filter(batch, false);
    } else {
        nft_match_output(batch, network->link, true);
        nft_match_established(batch);
        end_filter(batch, true);
    }
    begin_filter(batch, table);
    nft_match_output(batch, network->link, true);
    end_filter(batch, false);
}

static void write_masquerade(struct nft_batch *batch, const char *table,
                             const struct firewall_network *network)
{
    for (size_t i = 0; i < DR_COUNT(network->subnets); i++) {
        if (!network->subnets[i].ip.family || network->internal)
            continue;
        nft_rule_begin(batch, NFPROTO_INET, table, "postrouting");
        nft_match_source(batch, &network->subnets[i]);
        nft_match_output(batch, network->link, false);
        nft_masquerade(batch);
        nft_rule_end(batch, NULL);
    }
}

static void write_table(struct nft_batch *batch, const struct firewall *f)
{
    nft_add_table(batch, NFPROTO_INET, f->tag);
    nft_add_chain(batch, NFPROTO_INET, f->tag, "forward", NFT_FORWARD);
    nft_add_chain(batch, NFPROTO_INET, f->tag, "postrouting", NFT_POSTROUTING);
    for (size_t i = 0; i < f->count; i++) {
        write_forward(batch, f->tag, &f->networks[i]);
        write_masquerade(batch, f->tag, &f->networks[i]);
    }
}

/* As iptables-nft would write them, so that it shows them and can delete them. */
static void write_accept(struct nft_batch *batch, const struct firewall *f,
                         const struct foreign *foreign, const char *link, bool input)
{
    nft_rule_begin(batch, foreign->family, "filter", "FORWARD");
    if (input)
        nft_match_input(batch, link);
    else
        nft_match_output(batch, link, true);
    nft_count(batch);
    nft_verdict(batch, true);
    nft_rule_end(batch, f->tag);
}

static void write_foreign(struct nft_batch *batch, const struct firewall *f,
                          const struct foreign *foreign)
{
    for (size_t i = 0; i < foreign->ours_count; i++)
        nft_delete_rule(batch, foreign->family, "filter", "FORWARD", foreign->ours[i]);
    for (size_t i = 0; foreign->drops && i < f->count; i++) {
        write_accept(batch, f, foreign, f->networks[i].link, true);
        write_accept(batch, f, foreign, f->networks[i].link, false);
    }
}

struct search {
    const char *link;
    bool found;
};

static int look_for_link(void *arg, const struct nft_rule *rule)
{
    struct search *search = arg;
    /* with its NUL: no other name begins like it */
    search->found =
        memmem(rule->text, rule->len, search->link, strlen(search->link) + 1) != NULL;
    return search->found;
}

bool firewall_nft_has(const char *tag, const char *link)
{
    nft_auto_socket int fd = -1;
    dr_auto_error struct dr_error ignored = DR_ERROR_INIT;
    struct search search = {.link = link};
    if (nft_open(&fd, &ignored) == 0)
        nft_each_rule(fd, NFPROTO_INET, tag, "forward", look_for_link, &search, &ignored);
    return search.found;
}

int firewall_nft(const struct firewall *f, bool *ret_shared, struct dr_error *err)
{
    nft_auto_socket int fd = -1;
    if (nft_open(&fd, err) < 0)
        return -1;
    struct survey survey DR_CLEANUP(survey_release) = {.f = f, .fd = fd};
    if (look(&survey, err) < 0)
        return -1;
    nft_auto_batch struct nft_batch batch;
    nft_batch_begin(&batch);
    uint32_t empty = batch.seq;
    if (survey.has_table)
        nft_delete_table(&batch, NFPROTO_INET, f->tag);
    if (f->count > 0)
        write_table(&batch, f);
    for (size_t i = 0; i < DR_COUNT(survey.foreign); i++)
        write_foreign(&batch, f, &survey.foreign[i]);
    if (batch.seq > empty && nft_send(fd, &batch, err) < 0)
        return -1;
    if (f->count > 0)
        warn_of_droppers(&survey);
    *ret_shared = survey.shared;
    return 0;
}
