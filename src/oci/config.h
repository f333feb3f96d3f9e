/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The image configuration. Rule: image-spec config.md; Docker's additions (Healthcheck,
 * Shell, OnBuild) as in moby's docker image spec v1.2.
 * Labels here are only data: they never become runtime annotations (HAZARDS H2).
 */
#ifndef DRAY_OCI_CONFIG_H
#define DRAY_OCI_CONFIG_H

#include <stdbool.h>
#include <stdint.h>

#include "oci/digest.h"
#include "oci/platform.h"

struct oci_label {
    char *key, *value; /* owned */
};

struct oci_history {
    char *created, *created_by, *author, *comment; /* owned, any may be NULL */
    bool empty_layer;
};

/* All owned; string vectors are NULL-terminated and NULL when the member is missing. */
struct oci_config {
    struct oci_platform platform;
    char *created; /* RFC 3339 as it stands there, unchecked; or NULL */
    char *author;
    char *user;        /* unresolved: "1000:100", "nobody"; NULL when none */
    char *workdir;     /* NULL when none */
    char *stop_signal; /* "SIGTERM", "15"; NULL when none */
    char **entrypoint, **cmd, **env;
    char **shell;
    char **volumes; /* paths, sorted */
    char **ports;   /* "80/tcp", sorted */
    struct oci_label *labels;
    size_t n_labels;   /* sorted by key */
    char *healthcheck; /* Docker's object as JSON text; NULL when none */
    struct oci_digest *diff_ids;
    size_t n_diff_ids;
    struct oci_history *history;
    size_t n_history;
};

#define dr_auto_config DR_CLEANUP(oci_config_release)

/*
 * text: len bytes of JSON (≤ OCI_MANIFEST_MAX), not kept. DR_ERR_FORMAT names the member
 * that is wrong: a member of the wrong type is refused, an unknown one ignored; strings
 * with NUL, env entries without a name, more than OCI_LAYERS_MAX diff ids are refused.
 */
int oci_config_parse(const char *text, size_t len, struct oci_config *ret_config,
                     struct dr_error *err);
void oci_config_release(struct oci_config *config);
/* Value of a label, borrowed, or NULL. */
const char *oci_config_label(const struct oci_config *config, const char *key);

#endif
