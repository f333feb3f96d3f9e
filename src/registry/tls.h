/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which certificates are trusted, and which one we show: the system's CAs, those of the
 * options, and those of the certs.d directories. Rule: containers-certs.d(5), Docker's
 * "Verify repository client with certificates".
 */
#ifndef DRAY_REGISTRY_TLS_H
#define DRAY_REGISTRY_TLS_H

#include <stdbool.h>

#include "base/buf.h"
#include "registry/curl-load.h"

struct tls {
    struct dr_buf ca;   /* PEM: the system's and ours; empty: libcurl's own way */
    struct dr_buf ours; /* of them, those that the system does not have */
    char *cert, *key;   /* files of a client certificate, owned; both or none */
    char *client;       /* what libcurl calls it, owned; with them */
    bool insecure;      /* the registry's own certificate is not verified */
};

struct tls_options {
    const char *ca_file;         /* borrowed, as are the others; NULL: none */
    const char *cert_dir;        /* instead of the usual places */
    const char *const *ca_files; /* more CAs; NULL-terminated, or NULL */
    const char *cert, *key;      /* of the client; win over the directories' */
    bool insecure;
};

/*
 * host: "r.io:5000", the directory's name below certs.d: the first that there is of
 * $XDG_CONFIG_HOME/containers (~/.config/containers), /etc/containers, /etc/docker. In
 * it *.crt are CAs; NAME.cert and NAME.key are a client's, the first pair by name is
 * used. DR_ERR_CONFIG names the file that is wrong.
 */
int tls_load(const char *host, const struct tls_options *options, struct tls *ret_tls,
             struct dr_error *err);
void tls_release(struct tls *tls);

/*
 * Can the system's CAs be looked up one by one? OpenSSL parses a bundle of 150 for each
 * connection, 30 to 100 ms; most systems have a directory beside it where the one that is
 * needed is found by a hash. Only one that this libcurl trusts anyway.
 */
bool tls_can_look_up(const struct curl_api *curl, CURL *easy);

enum tls_cas {
    TLS_CAS_ALL,
    TLS_CAS_LOOKED_UP, /* not more is trusted than with all, but maybe less: who is
                          refused tries with all */
};

/* url: NULL in a probe. own: a request to the registry itself. Another host (of a
 * redirect, of a token) never sees the client's certificate, and its own is always
 * verified. -1: this libcurl cannot do it. */
int tls_apply(const struct tls *tls, const char *url, bool own, enum tls_cas cas,
              const struct curl_api *curl, CURL *easy);

#endif
