/* SPDX-License-Identifier: Apache-2.0 */
#include "guest/net/firewall.h"

#include <errno.h>
#include <stdarg.h>
#include <string.h>

#include "base/json.h"
#include "base/sha256.h"
#include "guest/net/firewall-private.h"
#include "guest/net/forwarding.h"

/* Another one's rule that we were about to delete went meanwhile: look again. */
#define TRIES 5

char *firewall_tag(const char *run_root)
{
    if (strcmp(run_root, "/run/dray") == 0)
        return dr_strdup("dray");
    char hex[DR_SHA256_HEX + 1];
    dr_sha256_of(run_root, strlen(run_root), hex);
    return dr_printf("dray-%.8s", hex);
}

bool firewall_is_tag(const char *table)
{
    return strcmp(table, "dray") == 0 || strncmp(table, "dray-", 5) == 0;
}

bool firewall_has_family(const struct firewall *f, int family)
{
    for (size_t i = 0; i < f->count; i++)
        for (size_t j = 0; j < DR_COUNT(f->networks[i].subnets); j++)
            if (f->networks[i].subnets[j].ip.family == family)
                return true;
    return false;
}

void firewall_warn(const struct firewall *f, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    dr_auto_free char *text = dr_vprintf(fmt, ap);
    va_end(ap);
    dr_strv_add(f->warnings, text);
}

/* What a kernel says that has no nf_tables, or not all parts of it. */
static bool means_not_there(const struct dr_error *err)
{
    return err->kind == DR_ERR_UNSUPPORTED || err->code == EOPNOTSUPP ||
           err->code == ENOENT || err->code == EPROTONOSUPPORT ||
           err->code == EAFNOSUPPORT || err->code == EPROTONOSUPPORT;
}

static int by_nft(const struct firewall *f, bool *ret_shared, struct dr_error *err)
{
    for (int tries = 1;; tries++) {
        if (firewall_nft(f, ret_shared, err) == 0)
            return 0;
        if (err->code != ENOENT || tries == TRIES)
            return -1;
        dr_error_release(err);
    }
}

static int rules(const struct firewall *f, bool *ret_shared, struct dr_error *err)
{
    dr_auto_error struct dr_error refused = DR_ERROR_INIT;
    if (by_nft(f, ret_shared, &refused) == 0)
        return firewall_iptables_beside(f, err);
    if (!means_not_there(&refused))
        return dr_error_move(err, &refused);
    if (firewall_iptables_instead(f, err) == 0)
        return 0;
    /* both reasons: either may be the one that can be mended */
    return dr_wrap(err, "no rules for networks of containers: %s, and without it",
                   refused.text);
}

bool firewall_has(const char *run_root, const char *link)
{
    dr_auto_free char *tag = firewall_tag(run_root);
    return firewall_iptables_noted(run_root) || firewall_nft_has(tag, link);
}

int firewall_sync(const char *run_root, const struct firewall_network *networks,
                  size_t count, char ***warnings, struct dr_error *err)
{
    dr_auto_free char *tag = firewall_tag(run_root);
    struct firewall f = {.run_root = run_root,
                         .tag = tag,
                         .networks = networks,
                         .count = count,
                         .warnings = warnings};
    bool shared = false;
    if (rules(&f, &shared, err) < 0)
        return -1;
    if (count == 0) {
        forwarding_off(run_root, shared);
        return 0;
    }
    return forwarding_on(run_root, firewall_has_family(&f, 6), shared, err);
}
