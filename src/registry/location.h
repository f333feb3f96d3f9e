/* SPDX-License-Identifier: Apache-2.0 */
/* Where an upload goes on: the Location header of an answer. */
#ifndef DRAY_REGISTRY_LOCATION_H
#define DRAY_REGISTRY_LOCATION_H

#include "base/error.h"

/*
 * location, which may be relative, as seen from the absolute URL base; owned. A registry
 * behind a proxy that does TLS may name its own address with http: it is taken as https.
 * DR_ERR_PULL: no URL, or one without TLS on another host (H4).
 */
char *location_resolve(const char *base, const char *location, struct dr_error *err);
/* The URL with "name=value" in its query, value percent-encoded; owned. */
char *location_with(const char *url, const char *name, const char *value);

#endif
