/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Looking for images by a word: the search of Docker Hub (GET /v1/search), and where a
 * registry has none, the list of its repositories (GET /v2/_catalog, distribution-spec's
 * "Listing"), of which those that contain the word are taken.
 */
#ifndef DRAY_REGISTRY_SEARCH_H
#define DRAY_REGISTRY_SEARCH_H

#include "base/json.h"
#include "registry/registry.h"

#define SEARCH_LIMIT_MAX 100

/* host: "docker.io", "localhost:5000". *ret: [{"name","description","stars","official",
 * "automated"}…], at most limit. DR_ERR_UNSUPPORTED: the registry has neither. */
int registry_search(const char *host, const char *term, int limit,
                    const struct registry_options *options, json_t **ret,
                    struct dr_error *err);

#endif
