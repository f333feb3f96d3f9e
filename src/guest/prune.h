/* SPDX-License-Identifier: Apache-2.0 */
/* The filters of prune requests, for containers, images and volumes alike. */
#ifndef DRAY_GUEST_PRUNE_H
#define DRAY_GUEST_PRUNE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/json.h"

struct prune_filter;

/* filters: an array of "until=TIME", "label=KEY[=VALUE]", "label!=KEY[=VALUE]" and, for
 * images, "dangling=true|false"; NULL for none. TIME: RFC 3339, a date, seconds since
 * 1970, or a duration before now ("24h"). DR_ERR_INVALID names the filter. */
int prune_filter_parse(const json_t *filters, bool images, struct prune_filter **ret,
                       struct dr_error *err);
void prune_filter_free(struct prune_filter *filter); /* NULL is fine */
void prune_filter_cleanup(struct prune_filter **filter);
#define prune_auto_filter DR_CLEANUP(prune_filter_cleanup)

/* May it go? labels: object of strings, may be NULL. All filters must agree. */
bool prune_filter_matches(const struct prune_filter *filter, int64_t created_ns,
                          const json_t *labels);
/* dangling=false was given: those with names too. */
bool prune_filter_wants_all(const struct prune_filter *filter);

#endif
