/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The other direction: blobs and manifests into a registry. Rule: OCI distribution-spec
 * v1.1, "Push". Errors as in registry.h.
 *
 * registry_push_open, then for all blobs registry_push_look, registry_push_send for what
 * it did not find, and the manifest last: nobody sees an image that is not whole.
 */
#ifndef DRAY_REGISTRY_PUSH_H
#define DRAY_REGISTRY_PUSH_H

#include "registry/registry.h"

struct registry_blob {
    const struct oci_descriptor *descriptor; /* borrowed: digest and size */
    char *const *mounts; /* repositories of this registry that may have it too: borrowed,
                            NULL-terminated, or NULL */
    bool present;        /* it is there */
    const char *mounted; /* from there (one of mounts); else NULL */
    /* Its bytes, complete; or data. Set for those that are to be sent. */
    struct store_fetch *fetch; /* borrowed */
    const void *data;          /* borrowed */
    char *session;             /* owned: the URL of an upload that was begun, or NULL */
};
void registry_blob_release(struct registry_blob *blob);

/* registry_open for somebody who writes to the repository, and reads from those that its
 * blobs may be mounted from (NULL-terminated, or NULL). */
int registry_push_open(const struct oci_ref *ref, const struct registry_options *options,
                       char *const *mounts, struct registry **ret_registry,
                       struct dr_error *err);
/* Which of them are there, by HEAD, and which can be had from another repository: sets
 * present and mounted. Tells the progress: CACHED, MOUNTED, WAITING. */
int registry_push_look(struct registry *registry, struct registry_blob *blobs, size_t n,
                       struct dr_error *err);
/*
 * Sends those that are not present, several at a time. Small ones in one request, others
 * as a stream; what broke off goes on where the registry says that it is, or anew in
 * smaller pieces where it has forgotten all about it.
 */
int registry_push_send(struct registry *registry, struct registry_blob *blobs, size_t n,
                       struct dr_error *err);
/* target: a tag or a digest. */
int registry_push_manifest(struct registry *registry, const char *target,
                           const char *media_type, const void *data, size_t len,
                           struct dr_error *err);

#endif
