/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Image references as people type them, normalised as Docker does:
 *     alpine                       docker.io/library/alpine:latest
 *     user/app@sha256:…            docker.io/user/app@sha256:…
 *     localhost:5000/x:1           localhost:5000/x:1
 * Rule: the grammar and the domain splitting of github.com/distribution/reference
 * (reference.go, normalize.go).
 */
#ifndef DRAY_OCI_REF_H
#define DRAY_OCI_REF_H

#include "oci/digest.h"

#define OCI_REF_TEXT_MAX 512 /* bytes of a reference as typed */
#define OCI_REF_PATH_MAX 255 /* bytes of host and path together, as Docker has it */
#define OCI_REF_TAG_MAX 128

#define OCI_DEFAULT_HOST "docker.io"
#define OCI_DEFAULT_TAG "latest"

/* Normalised. All strings are owned and safe to print and to put into a URL path. */
struct oci_ref {
    char *host;               /* "docker.io", "localhost:5000", "[::1]:5000" */
    char *path;               /* "library/alpine": lower case, no leading slash */
    char *tag;                /* NULL when a digest was given without a tag */
    struct oci_digest digest; /* text "" when none was given; it wins over the tag */
};

#define OCI_REF_INIT ((struct oci_ref){0})
#define dr_auto_ref DR_CLEANUP(oci_ref_release)

/*
 * text: NUL-terminated, not kept. "latest" is put in when there is neither tag nor
 * digest. Fails with DR_ERR_INVALID and a text that names the reference (escaped) and
 * what is wrong with it; an unknown digest algorithm is DR_ERR_UNSUPPORTED.
 */
int oci_ref_parse(const char *text, struct oci_ref *ret_ref, struct dr_error *err);
/* Frees the strings and makes it OCI_REF_INIT again. */
void oci_ref_release(struct oci_ref *ref);
void oci_ref_copy(const struct oci_ref *ref, struct oci_ref *ret_ref);

/* Whole, owned: "docker.io/library/alpine:latest", with "@sha256:…" when there is one. */
char *oci_ref_text(const struct oci_ref *ref);
/* As people know it, owned: "alpine:latest", "user/app@sha256:…", "localhost:5000/x:1".
 */
char *oci_ref_familiar(const struct oci_ref *ref);
/* Only the repository, owned: "docker.io/library/alpine" and "alpine". */
char *oci_ref_name(const struct oci_ref *ref);
char *oci_ref_familiar_name(const struct oci_ref *ref);
/* What stands behind /manifests/ in the registry's URL: digest or tag, borrowed. */
const char *oci_ref_target(const struct oci_ref *ref);

#endif
