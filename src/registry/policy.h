/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which images are trusted: containers-policy.json(5). Without such a file every image
 * is; with one it is strict: what is not understood is refused.
 */
#ifndef DRAY_REGISTRY_POLICY_H
#define DRAY_REGISTRY_POLICY_H

#include <stdbool.h>

#include "base/json.h"
#include "oci/ref.h"

#define POLICY_MAX (1u << 20) /* bytes of the file */

struct policy {
    json_t *requirements; /* for one reference: an array; NULL: there is no policy */
    char *file;           /* where they stand, owned */
    char *scope;          /* and for what: "docker.io/library", "" for the default */
};

#define dr_auto_policy DR_CLEANUP(policy_release)
void policy_release(struct policy *policy);

/*
 * file: NULL: $XDG_CONFIG_HOME/containers/policy.json (~/.config), else
 * /etc/containers/policy.json, else none; "" for none. The most specific scope of the
 * transport "docker" that fits counts, or the transport's or the whole default.
 * DR_ERR_CONFIG: the file or these requirements make no sense; DR_ERR_UNSUPPORTED: they
 * ask for what dray cannot do; DR_ERR_PULL: they reject it.
 */
int policy_find(const struct oci_ref *ref, const char *file, struct policy *ret_policy,
                struct dr_error *err);
/* An image on this machine: where its transport, as "oci" or "docker-archive", finds it.
 */
struct policy_place {
    const char *transport;
    const char *path; /* of the file or directory; NULL: this transport has no scopes */
    const char *name; /* of the image in there, where the transport's scopes have it */
};
/* As policy_find, of an image that has no reference, and so no signature either. */
int policy_check_place(const struct policy_place *place, const char *file,
                       struct dr_error *err);
/* The same from text; for tests and the fuzzer. */
int policy_choose(const json_t *doc, const struct oci_ref *ref, struct policy *policy,
                  struct dr_error *err);
int policy_choose_place(const json_t *doc, const struct policy_place *place,
                        struct policy *policy, struct dr_error *err);
/* Must the image have a signature? */
bool policy_wants_signature(const struct policy *policy);

/* Does a signature's docker-reference stand for the reference, as the requirement's
 * signedIdentity says? DR_ERR_PULL says why not. */
int policy_identity(const json_t *requirement, const struct oci_ref *ref,
                    const char *docker_reference, struct dr_error *err);

#endif
