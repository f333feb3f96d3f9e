/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A container's resolv.conf. The guest's own is of no use there when its resolver listens
 * on the guest's loopback (systemd-resolved, dnsmasq): then it is one that says where
 * that resolver gets its answers. What WSL generates names an address that containers
 * reach.
 */
#ifndef DRAY_GUEST_NET_RESOLV_H
#define DRAY_GUEST_NET_RESOLV_H

#include <stdbool.h>

#include "base/buf.h"

/* What was asked for; each list may be NULL: as the guest has it. A search list of "."
 * alone is none. */
struct resolv_wish {
    char *const *servers, *const *search, *const *options;
    bool guests; /* it uses the guest's network: its resolvers as they are */
    bool v6;     /* it has an IPv6 address */
};

/*
 * Appends the text. files: the content of the guest's resolv.conf files in the order in
 * which they are tried, NULL for one that is not there; the first that names a resolver
 * which the container can reach counts, with its search list and options. *ret_fallback:
 * there was none, and public resolvers stand in, as with Docker. Lines that do not parse
 * are left out.
 */
int resolv_compose(const struct resolv_wish *wish, char *const *files, size_t file_count,
                   struct dr_buf *ret, bool *ret_fallback, struct dr_error *err);

/* The same with the guest's files. */
int resolv_make(const struct resolv_wish *wish, struct dr_buf *ret, bool *ret_fallback,
                struct dr_error *err);

#endif
