/* SPDX-License-Identifier: Apache-2.0 */
/* `dray ps --filter`: of one key any value may match, of different keys all must; every
 * label must. Rule: Docker's "Filtering" of container ls. */
#ifndef DRAY_CLI_PS_FILTER_H
#define DRAY_CLI_PS_FILTER_H

#include <dray.h>

#include "base/json.h"

struct ps_filter;

/* filters: "key=value" texts, NULL-terminated or NULL; kept by pointer. DR_ERR_INVALID
 * names the filter; DR_ERR_UNSUPPORTED for a key of Docker's that dray does not have. */
struct ps_filter *ps_filter_new(char *const *filters, struct dr_error *err);
void ps_filter_free(struct ps_filter *filter);
/* before and since name containers: asks when those were made. DR_ERR_NOT_FOUND. */
int ps_filter_ask(struct ps_filter *filter, struct dray_target *target,
                  struct dr_error *err);
bool ps_filter_match(const struct ps_filter *filter,
                     const struct dray_container *container);
/* A filter on status or exited asks for stopped containers too. */
bool ps_filter_wants_all(const struct ps_filter *filter);

#endif
