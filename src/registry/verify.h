/* SPDX-License-Identifier: Apache-2.0 */
/* Public keys and their signatures, by the system's library: verify-posix.c (OpenSSL),
 * verify-win.c (BCrypt). */
#ifndef DRAY_REGISTRY_VERIFY_H
#define DRAY_REGISTRY_VERIFY_H

#include <stdbool.h>
#include <stddef.h>

struct verify_key;

/* A public key in PEM form ("BEGIN PUBLIC KEY"); NULL: it is none, or of a kind that the
 * system does not know (Ed25519 on Windows). */
struct verify_key *verify_key_new(const char *pem);
void verify_key_free(struct verify_key *key); /* NULL is fine */
/* ECDSA (the signature in DER) or RSA PKCS #1 1.5 over SHA-256, or Ed25519. */
bool verify_signature(struct verify_key *key, const char *payload, size_t len,
                      const void *signature, size_t signature_len);

#endif
