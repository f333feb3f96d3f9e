/* SPDX-License-Identifier: Apache-2.0 */
/* Shared by the files of src/registry only. */
#ifndef DRAY_REGISTRY_INTERNAL_H
#define DRAY_REGISTRY_INTERNAL_H

#include <pthread.h>

#include "registry/auth.h"
#include "registry/committer.h"
#include "registry/exchange.h"
#include "registry/http.h"
#include "registry/origin.h"
#include "registry/registry.h"

#define REGISTRY_DOCUMENTS_MAX 8

struct registry {
    pthread_mutex_t lock; /* one public call at a time */
    struct oci_ref ref;
    char *familiar;                  /* of ref, owned; for messages */
    struct registry_options options; /* strings owned */
    char *api_host;                  /* owned: "registry-1.docker.io" for docker.io */
    struct origin origin;            /* of the registry, with the scheme in use */
    bool guessing;                   /* whether it speaks TLS is not known yet */
    struct tls tls;
    bool contacted; /* it answered something: what fails now may pass */
    struct http *http;
    struct auth auth;
    /* Manifests and configs on their way into the store: nobody waits for the disk. */
    struct committer *committer; /* NULL: none yet */
    struct store_fetch *documents[REGISTRY_DOCUMENTS_MAX];
    size_t n_documents;
};

/* Puts bytes that hash to the digest into the store, some time before registry_close.
 * Best effort: a cache that cannot be written to makes itself heard with the layers. */
void registry_keep_document(struct registry *reg, const struct oci_digest *digest,
                            const void *data, size_t len);

/* The URL of a path of the API, owned. */
char *registry_url(const struct registry *reg, const char *path);
/* Sets origin anew: the default port goes with the scheme. */
int registry_set_scheme(struct registry *reg, bool https, struct dr_error *err);

#endif
