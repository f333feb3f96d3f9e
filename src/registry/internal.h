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
    struct oci_ref ref;   /* what it is called here */
    struct oci_ref named; /* what the user calls it: a mirror's is not its ref */
    char *familiar;       /* of ref, owned; for messages */
    struct registry_options options; /* strings owned */
    char *api_host;                  /* owned: "registry-1.docker.io" for docker.io */
    struct origin origin;            /* of the registry, with the scheme in use */
    bool guessing;                   /* whether it speaks TLS is not known yet */
    struct tls tls;
    char *api_root;             /* instead of "/v2", owned; NULL: that */
    char *ns;                   /* the host that it mirrors, for "?ns=", owned; or NULL */
    struct oci_digest resolved; /* see registry_resolved */
    int64_t told_until_ms;      /* the end of the last wait that was told */
    bool contacted;             /* it answered something: what fails now may pass */
    struct http *http;
    bool http_borrowed; /* of the registry that it mirrors */
    /* Who is asked before this one, in this order; each a registry of its own, with its
     * own credentials, that is only used under the lock of this one. */
    struct registry **mirrors;
    size_t n_mirrors;
    size_t chosen; /* who knew the image: blobs come from there on; n_mirrors: itself */
    struct auth auth;
    bool plain;     /* a server that has a file, and is no registry */
    bool redirects; /* blobs are elsewhere */
    bool pushing;   /* errors speak of writing */
    char *scope;    /* owned: what tokens are asked for; NULL: what the registry names */
    /* Manifests and configs on their way into the store: nobody waits for the disk. */
    struct committer *committer; /* NULL: none yet */
    struct store_fetch *documents[REGISTRY_DOCUMENTS_MAX];
    size_t n_documents;
};

/* A server of which nothing else than its URL is known: no mirrors, no guesses. */
int registry_open_server(const char *url, const struct registry_options *options,
                         struct registry **ret_registry, struct dr_error *err);

/* Puts bytes that hash to the digest into the store, some time before registry_close.
 * Best effort: a cache that cannot be written to makes itself heard with the layers. */
void registry_keep_document(struct registry *reg, const struct oci_digest *digest,
                            const void *data, size_t len);

/* The index-th to be asked: the mirrors, then reg itself. */
struct registry *registry_endpoint(struct registry *reg, size_t index);
/* Has something gone wrong that the next one may do better? Not what the user or this
 * machine is the cause of. */
bool registry_next_may_help(const struct registry *reg, const struct dr_error *err);
/* Asks them one after the other until one answers; that one is the chosen one then. What
 * the registry itself says is the error. */
typedef int registry_ask(struct registry *endpoint, void *arg, struct dr_error *err);
int registry_try(struct registry *reg, registry_ask *ask, void *arg,
                 struct dr_error *err);

struct policy;
/* Has the image, known by its digests (index "" without one), the signatures that the
 * policy wants? DR_ERR_PULL says what is missing. */
int registry_check_trust(struct registry *reg, const struct policy *policy,
                         const struct oci_digest *index,
                         const struct oci_digest *manifest, struct dr_error *err);

/* Tells the caller that what failed so will be tried again; those who wait at the same
 * time are one. */
void registry_tell_wait(struct registry *reg, const struct dr_error *why,
                        int64_t wait_ms);

/* The URL of a path of the API, owned. */
char *registry_url(const struct registry *reg, const char *path);
/* Sets origin anew: the default port goes with the scheme. */
int registry_set_scheme(struct registry *reg, bool https, struct dr_error *err);

#endif
