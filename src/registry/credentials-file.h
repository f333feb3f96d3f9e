/* SPDX-License-Identifier: Apache-2.0 */
/* One file of credentials, Docker's or Podman's. Shared by the files of src/registry. */
#ifndef DRAY_REGISTRY_CREDENTIALS_FILE_H
#define DRAY_REGISTRY_CREDENTIALS_FILE_H

#include <stdbool.h>

#include "base/json.h"
#include "registry/credentials.h"

#define DOCKER_HUB_KEY "https://index.docker.io/v1/"

/* Where they are looked for, in this order; owned. must_exist: it was named. */
char **credentials_places(const char *auth_file, bool *ret_must_exist);
/* Docker's, which is the one that login makes; owned; NULL: there is no home. */
char *credentials_docker_file(void);

/* The whole file as an object. 0: there is none, *ret_doc stays; 1. Texts do not quote
 * it. */
int credentials_file_read(const char *path, bool must_exist, json_t **ret_doc,
                          struct dr_error *err);
/*
 * Changes it under a lock, atomically: change gets what is there now (an empty object
 * when there is no file), and returns whether it was changed, or -1. A symlink is
 * followed, the mode is 0600, the owner stays.
 */
typedef int credentials_change(void *arg, json_t *doc, struct dr_error *err);
int credentials_file_change(const char *path, credentials_change *change, void *arg,
                            struct dr_error *err);

/* What a table's key ("r.io", "https://r.io/v1/", "r.io/team") is to host and path: the
 * longer the match the more, 0: nothing. */
size_t credentials_key_rank(const char *key, const char *host, const char *path);
/* The key by which a registry is written into files and given to helpers; owned. */
char *credentials_key(const struct oci_ref *ref);
/* The helper that the file names for the host, borrowed; NULL: none. *ret_own: it is this
 * host's, not everybody's. */
const char *credentials_file_helper(const json_t *doc, const struct oci_ref *ref,
                                    bool *ret_own);

/* An entry of "auths". 1, 0: it holds nothing, -1. */
int credentials_from_entry(const json_t *entry, struct credentials *ret,
                           struct dr_error *err);
/* "get". As credentials_find. */
int credentials_from_helper(const char *helper, const char *server,
                            struct credentials *ret, struct dr_error *err);

#endif
