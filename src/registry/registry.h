/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The distribution client: resolves references and downloads blobs into the host's store
 * (CONTRACT C07–C11, HAZARDS H4). Rule: OCI distribution-spec v1.1; Docker's token
 * authentication.
 *
 * libcurl is loaded on the first call (dray starts in a millisecond without it). All
 * calls block; a struct registry may be used from any thread, one call at a time runs.
 *
 * Errors carry origin DR_AT_REGISTRY, code = HTTP status (0: none came) and one line that
 * names the reference, the reason in the registry's words (escaped, bounded), and what to
 * do. Kinds: DR_ERR_NOT_FOUND (no such image, tag or platform), DR_ERR_TIMEOUT,
 * DR_ERR_CANCELLED, DR_ERR_FORMAT and DR_ERR_UNSUPPORTED (documents, see oci/manifest.h),
 * DR_ERR_CONFIG (libcurl or a credential helper is missing or broken), DR_ERR_INTERNAL
 * (the disk), else DR_ERR_PULL.
 */
#ifndef DRAY_REGISTRY_REGISTRY_H
#define DRAY_REGISTRY_REGISTRY_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "oci/image.h"
#include "oci/ref.h"
#include "store/store.h"

enum registry_blob_state {
    REGISTRY_BLOB_CACHED,  /* was in the store: nothing to do */
    REGISTRY_BLOB_WAITING, /* queued, or another process is fetching it */
    REGISTRY_BLOB_LOADING,
    REGISTRY_BLOB_DONE,    /* verified */
    REGISTRY_BLOB_MOUNTED, /* of a push: taken from another repository over there */
};

struct registry_progress {
    size_t index; /* of the blob in the call's arrays; 0 for a file */
    const struct oci_descriptor *descriptor; /* NULL for a file, see download.h */
    enum registry_blob_state state;
    int64_t done_bytes, total_bytes;
};

/* Zero is the default everywhere. Strings are copied by registry_open, except where said.
 */
struct registry_options {
    struct store
        *store; /* borrowed; where manifests and configs are cached; NULL: nowhere */
    /* The registry's own certificate is not verified, and where it speaks no TLS plain
     * HTTP will do. (On loopback that will always do.) */
    bool insecure;
    const char *user, *password; /* win over the configuration files */
    const char *auth_file; /* instead of Docker's and Podman's places; "" for none */
    const char *ca_file;   /* PEM, to be trusted besides the system's */
    const char *cert_dir;  /* instead of the usual certs.d/HOST, see tls.h */
    const char
        *registries_conf; /* instead of the usual files, see route.h; "" for none */
    const char
        *policy_file; /* instead of the usual policy.json, see policy.h; "" for none */
    bool direct;      /* no mirrors and no other location: for what is written there */
    /* What the reference's tag is to mean, whatever it means there now; copied; or NULL.
     * The image is still called, trusted and reported by its tag. */
    const struct oci_digest *pin;
    /* Hosts of token servers that may get the password, over TLS, although they are not
     * the registry's own: "gitlab.example.com,auth.example.com"; or NULL. */
    const char *token_servers;
    int max_parallel;       /* blobs at a time; 0: 4 */
    int connect_timeout_ms; /* 0: 10,000 */
    int stall_timeout_ms;   /* below 1 KiB/s for so long: 0: 30,000. Rounded up to seconds
                             */
    int tries;              /* of one request that makes no progress; 0: 5 */
    /* Retries, and waits that the registry asks for, end so long after the last progress;
     * 0: 120,000. */
    int retry_deadline_ms;
    int64_t deadline_ms; /* dr_clock_ms() time when calls end with DR_ERR_TIMEOUT; 0:
                            none */
    atomic_bool *cancel; /* borrowed; set by any thread: calls end within 100 ms with
                            DR_ERR_CANCELLED */
    /* Called in the thread of registry_fetch_blobs, per blob at a change of state and at
     * most every 50 ms in between; of download_file too. May be NULL. */
    void (*progress)(void *context, const struct registry_progress *progress);
    /* Called in the thread of any call that is about to wait, and then tries again what
     * failed: why, in one line. Not for the moment that a line that brought something
     * needs. May be NULL. */
    void (*waiting)(void *context, const char *why, int64_t wait_ms);
    void *context;
};

struct registry;

/* No network yet. DR_ERR_CONFIG when libcurl cannot be loaded or an auth file does not
 * parse. */
int registry_open(const struct oci_ref *ref, const struct registry_options *options,
                  struct registry **ret_registry, struct dr_error *err);
/* NULL is fine. */
void registry_close(struct registry *registry);

/*
 * The reference's digest now, by HEAD (GET where HEAD is refused): the index's or the
 * manifest's, as it stands behind the tag. For the pull policies `newer` and `always`,
 * which the caller decides.
 */
int registry_head_digest(struct registry *registry, struct oci_digest *ret_digest,
                         struct dr_error *err);
/*
 * Index, manifest and config for the platform, each verified against its digest; those
 * asked for by digest come from the store when they are there. With a digest in the
 * reference that digest is what is verified, whatever the tag says.
 * An image without an index whose config names another platform is DR_ERR_NOT_FOUND.
 * known: the digest of the manifest that the caller has under that name, or NULL. It is
 * asked by HEAD first then, and when this is what the reference still means (an index
 * that was pulled is in the store, and not asked for again) 1 is returned and nothing
 * else is.
 */
int registry_resolve(struct registry *registry, const struct oci_platform *platform,
                     const struct oci_digest *known, struct oci_image *ret_image,
                     struct dr_error *err);
/*
 * A manifest or an index as it is: d's, or for NULL what the reference names, which has
 * to be trusted (policy.h) then. *ret_type: as declared, owned, may be NULL.
 */
int registry_document(struct registry *registry, const struct oci_descriptor *d,
                      struct dr_buf *ret_bytes, char **ret_type,
                      struct oci_digest *ret_digest, struct dr_error *err);
/* The digest of the document that the last registry_resolve began with: of the index, or
 * of the manifest where there is none; for every platform the same. */
const struct oci_digest *registry_resolved(const struct registry *registry);
/*
 * Downloads all blobs, several at a time, in this order, on reused connections:
 * fetches[i] (of store_blob_open, any state) gets descs[i]. Returns when all are
 * committed to the store. On failure every fetch that is not complete has failed, with
 * the first error, and partials stay for the next pull unless their bytes were wrong.
 */
int registry_fetch_blobs(struct registry *registry, struct store_fetch *const *fetches,
                         const struct oci_descriptor *descs, size_t n,
                         struct dr_error *err);

/*
 * Are the credentials (of the options, else of the user's files) good for the registry of
 * ref, whose path may be ""? *ret_user: who that is, owned ("<token>" when only a refresh
 * token is known). *ret_identity_token: a refresh token that the token server gives to be
 * kept instead of the password, owned, or NULL. DR_ERR_PULL with 401 or 403 when they
 * are not good; DR_ERR_NOT_FOUND when there are none.
 */
int registry_login(const struct oci_ref *ref, const struct registry_options *options,
                   char **ret_user, char **ret_identity_token, struct dr_error *err);

#endif
