/* SPDX-License-Identifier: Apache-2.0 */
/* Content digests: "sha256:<64 lower-case hex>". Rule: image-spec descriptor.md,
 * "Digests". */
#ifndef DRAY_OCI_DIGEST_H
#define DRAY_OCI_DIGEST_H

#include <stdbool.h>

#include "base/error.h"
#include "base/sha256.h"

#define OCI_DIGEST_TEXT (7 + DR_SHA256_HEX + 1)

/* A checked digest. hex() of it is safe as a file name (CVE-2024-3727). Only sha256 is
 * accepted: other algorithms are refused with DR_ERR_UNSUPPORTED. */
struct oci_digest {
    char text[OCI_DIGEST_TEXT]; /* "sha256:…", NUL-terminated; "" is no digest */
};

/*
 * text: len bytes, no NUL needed, not kept. Fails with DR_ERR_FORMAT, giving the offset
 * of the first bad byte.
 */
int oci_digest_parse(const char *text, size_t len, struct oci_digest *ret_digest,
                     struct dr_error *err);
/* The 64 hex digits, borrowed. */
const char *oci_digest_hex(const struct oci_digest *digest);
bool oci_digest_equal(const struct oci_digest *a, const struct oci_digest *b);
/* From 64 hex digits that dr_sha256_hex made. */
void oci_digest_from_hex(const char *hex, struct oci_digest *ret_digest);
void oci_digest_of(const void *data, size_t len, struct oci_digest *ret_digest);

#endif
