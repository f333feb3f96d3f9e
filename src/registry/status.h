/* SPDX-License-Identifier: Apache-2.0 */
/* What went wrong in a call, as one line that says what to do. */
#ifndef DRAY_REGISTRY_STATUS_H
#define DRAY_REGISTRY_STATUS_H

#include <stdbool.h>

#include "registry/http.h"

struct registry;

/* No (whole) answer came: call->result says why. */
int status_fail_transfer(const struct registry *reg, const struct http_call *call,
                         const char *host, struct dr_error *err);
/* An answer that is not 2xx came. host: where from. */
int status_fail_http(const struct registry *reg, const struct http_call *call,
                     const char *host, struct dr_error *err);
/* For how long the registry wants to be left alone: Retry-After, or the end of its limit
 * of requests; 0: it does not say. */
int64_t status_wait_s(const struct http_call *call);
/* May the same request succeed a little later? */
bool status_is_passing(const struct registry *reg, const struct http_call *call);

/* "CODE: message" of a registry's JSON, or the beginning of a text; escaped, bounded,
 * owned;
 * "" when there is nothing. */
char *status_words(const struct http_call *call);

#endif
