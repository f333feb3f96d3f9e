/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who the user is to a registry: in Docker's config.json and Podman's auth.json
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
 * What people call a registry, "r.io", "https://r.io/v2/", "r.io/team" (credentials for
 * what lies below it only), into host and path of a reference; no tag. DR_ERR_INVALID.
 */
int credentials_registry_parse(const char *text, struct oci_ref *ret_ref,
                               struct dr_error *err);
/* The other way, owned: "r.io", "r.io/team". */
char *credentials_registry_text(const struct oci_ref *ref);

/*
 * auth_file: only that file is read, "" for none; NULL: $REGISTRY_AUTH_FILE, else
 * $XDG_RUNTIME_DIR/containers/auth.json (/run/containers/UID/auth.json),
 * $XDG_CONFIG_HOME/containers/auth.json and $DOCKER_CONFIG/config.json
 * (~/.docker/config.json), the first one that knows the host.
 * A file's "credHelpers" and "credsStore" come before its "auths"; an entry for a longer
 * path ("host/team") before a shorter one.
 * 1: found; 0: none. -1 with DR_ERR_CONFIG: a file that does not parse, a helper that is
 * broken (never anonymous instead: CVE-2021-41092).
 */
int credentials_find(const struct oci_ref *ref, const char *auth_file,
                     struct credentials *ret_credentials, struct dr_error *err);

/*
 * Keeps them for the registry (host, or host and path), in place of what is there: in the
 * file that credentials_find would take them from, else in Docker's; by the helper that
 * this file names for it. Everything else in the file stays; its mode is 0600 after.
 * *ret_where: the file, owned. *ret_helper: its program, owned, or NULL.
 */
int credentials_store(const struct oci_ref *ref, const char *auth_file,
                      const struct credentials *credentials, char **ret_where,
                      char **ret_helper, struct dr_error *err);
/* Forgets those of a registry, or with ref NULL all, in all places. Appends to
 * *ret_removed a line "registry in file" for each that was there. */
int credentials_erase(const struct oci_ref *ref, const char *auth_file,
                      char ***ret_removed, struct dr_error *err);

#endif
