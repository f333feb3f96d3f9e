/* SPDX-License-Identifier: Apache-2.0 */
/* A file of any web server, with the tries, limits, proxies and CAs of a registry's
 * blobs. */
#ifndef DRAY_REGISTRY_DOWNLOAD_H
#define DRAY_REGISTRY_DOWNLOAD_H

#include "registry/registry.h"

/*
 * Of an http or https URL into fd, an empty file. Nobody's credentials are sent. What
 * broke off goes on where the server names its bytes by a strong ETag, else it begins
 * anew: there is no digest that would find two files mixed. What fd has after a failure
 * is of no use. Errors as registry.h's, without the URL; DR_ERR_INVALID: it is none.
 */
int download_file(const char *url, const struct registry_options *options, int fd,
                  struct dr_error *err);
/* The URL for people: what stands behind '?' may be as good as a password; owned. */
char *download_shown(const char *url);

#endif
