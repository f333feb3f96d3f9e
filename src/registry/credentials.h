/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who the user is to a registry: from Docker's config.json and Podman's auth.json
 * (CONTRACT C08). Rule: containers-auth.json(5), docker's config file,
 * docker-credential-helpers. Nothing of a secret ever stands in an error text.
 */
#ifndef DRAY_REGISTRY_CREDENTIALS_H
#define DRAY_REGISTRY_CREDENTIALS_H

#include "oci/ref.h"

struct credentials {
    char *user, *password; /* owned; both or none */
    char *identity_token;  /* owned; a refresh token (OAuth2), instead of a password */
};

#define dr_auto_credentials DR_CLEANUP(credentials_release)
/* Overwrites the secrets before they are freed. */
void credentials_release(struct credentials *credentials);

/*
 * auth_file: only that file is read, "" for none; NULL: $REGISTRY_AUTH_FILE, else
 * $XDG_RUNTIME_DIR/containers/auth.json, $XDG_CONFIG_HOME/containers/auth.json and
 * $DOCKER_CONFIG/config.json (~/.docker/config.json), the first one that knows the host.
 * A file's "credHelpers" and "credsStore" come before its "auths"; an entry for a longer
 * path ("host/team") before a shorter one.
 * 1: found; 0: none. -1 with DR_ERR_CONFIG: a file that does not parse, a helper that is
 * broken (never anonymous instead: CVE-2021-41092).
 */
int credentials_find(const struct oci_ref *ref, const char *auth_file,
                     struct credentials *ret_credentials, struct dr_error *err);

/* "docker-credential-<name> get" for the server. 30 s, 64 KiB. As above. */
int credentials_from_helper(const char *name, const char *server,
                            struct credentials *ret_credentials, struct dr_error *err);

#endif
