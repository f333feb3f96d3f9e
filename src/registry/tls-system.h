/* SPDX-License-Identifier: Apache-2.0 */
/* What the systems' TLS libraries differ in: tls-posix.c (OpenSSL), tls-win.c (Schannel).
 */
#ifndef DRAY_REGISTRY_TLS_SYSTEM_H
#define DRAY_REGISTRY_TLS_SYSTEM_H

#include "base/buf.h"
#include "registry/curl-load.h"

/* Adds the system's CAs, as PEM: libcurl knows them, but takes either them or ours. */
int tls_system_cas(struct dr_buf *ca, struct dr_error *err);
/* Whether a client's certificate in a file can be used at all. */
int tls_check_client(const char *cert, struct dr_error *err);
/* How the host's directory below a certs.d is called: on Windows, as Docker does, without
 * the colon before the port. Owned. */
char *tls_host_dir(const char *host);
/* The usual one, for a person; owned. */
char *tls_host_place(const char *host);
void tls_apply_system(const struct curl_api *curl, CURL *easy);

#endif
