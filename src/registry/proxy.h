/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which proxy a request goes through: HTTPS_PROXY, HTTP_PROXY, ALL_PROXY and NO_PROXY, in
 * capitals or not. libcurl reads them itself; what it leaves out is here. What is on
 * loopback is never behind a proxy.
 */
#ifndef DRAY_REGISTRY_PROXY_H
#define DRAY_REGISTRY_PROXY_H

#include "registry/curl-load.h"

void proxy_apply(const char *url, const struct curl_api *curl, CURL *easy);
/* The setting that counts for an https URL, for messages; never its value, which may hold
 * a password. */
#define PROXY_SETTINGS "HTTPS_PROXY, HTTP_PROXY and ALL_PROXY"

#endif
