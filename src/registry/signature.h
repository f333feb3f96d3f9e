/* SPDX-License-Identifier: Apache-2.0 */
/* One signature of cosign's: a payload ("simple signing"), signed by a key. */
#ifndef DRAY_REGISTRY_SIGNATURE_H
#define DRAY_REGISTRY_SIGNATURE_H

#include "oci/digest.h"
#include "registry/policy.h"

#define SIGNATURE_PAYLOAD_MAX (64 * 1024)

/*
 * Is the payload signed by the requirement's key (ECDSA or RSA PKCS #1 1.5 over SHA-256,
 * or Ed25519), for the reference, and for one of the n digests? base64: the signature.
 * DR_ERR_PULL says what is wrong with it; DR_ERR_CONFIG: the key cannot be used.
 */
int signature_check(const json_t *requirement, const struct oci_ref *ref,
                    const struct oci_digest *digests, size_t n, const char *payload,
                    size_t len, const char *base64, struct dr_error *err);

#endif
