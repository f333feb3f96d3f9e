/* SPDX-License-Identifier: Apache-2.0 */
/* The bounds of the cache of blobs (C10). */
#ifndef DRAY_HOST_CACHE_H
#define DRAY_HOST_CACHE_H

#include "store/store.h"

#define CACHE_NO_LIMIT INT64_MAX

/* "20g", or "none"; 0 keeps nothing. -1: it is neither. */
int cache_limit_parse(const char *text, int64_t *ret_bytes);
/* What a caller asks for (NULL: nothing), else DRAY_CACHE_LIMIT, else config.yaml's
 * cache_limit, else 10 GiB. DR_ERR_INVALID or DR_ERR_CONFIG. */
int cache_limit(const char *asked, int64_t *ret_bytes, struct dr_error *err);
/* After the cache grew: what was used longest ago goes until it is within the limit. That
 * it cannot be tidied is not worth an error. */
void cache_tidy(struct store *store, int64_t limit_bytes);

#endif
