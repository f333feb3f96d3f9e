/* SPDX-License-Identifier: Apache-2.0 */
/* What the systems' TLS libraries differ in: tls-posix.c (OpenSSL), tls-win.c (Schannel).
 */
#ifndef DRAY_REGISTRY_TLS_SYSTEM_H
#define DRAY_REGISTRY_TLS_SYSTEM_H

#include <stdbool.h>

#include "base/buf.h"
#include "registry/curl-load.h"

/* Adds the system's CAs, as PEM: libcurl knows them, but takes either them or ours. */
int tls_system_cas(struct dr_buf *ca, struct dr_error *err);
/* Whether the CAs of a file can be used at all; pem: what is in it. */
int tls_check_ca(const char *path, const char *pem, struct dr_error *err);
/*
 * What libcurl calls a client's certificate: the file, or on Windows, whose TLS signs
 * only with keys that the user's key store holds, its place in a certificate store, where
 * it goes when it is not there yet. Owned; NULL with DR_ERR_CONFIG.
 */
char *tls_client_name(const char *cert, const char *key, struct dr_error *err);
/* How the host's directory below a certs.d is called: on Windows, as Docker does, without
 * the colon before the port. Owned. */
char *tls_host_dir(const char *host);
/* The usual one, for a person; owned. */
char *tls_host_place(const char *host);
/* own_cas: the certificate is verified against a list of ours. url: NULL in a probe. */
void tls_apply_system(const char *url, bool own_cas, const struct curl_api *curl,
                      CURL *easy);

#endif
