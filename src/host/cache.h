/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DRAY_HOST_CACHE_H
#define DRAY_HOST_CACHE_H

#include "store/store.h"

/* After the cache grew: what was used longest ago goes until it is within its bounds
 * (C10). That it cannot be tidied is not worth an error. */
void cache_tidy(struct store *store);

#endif
