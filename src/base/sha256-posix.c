/* SPDX-License-Identifier: Apache-2.0 */
/* libcrypto's low-level calls: they use SHA-NI, and link statically into 20 KB where the
 * EVP layer brings 4 MB. */
#define OPENSSL_SUPPRESS_DEPRECATED
#include "base/sha256.h"

#include <openssl/sha.h>
#include <string.h>

_Static_assert(sizeof(SHA256_CTX) <= sizeof(struct dr_sha256), "context fits");

void dr_sha256_init(struct dr_sha256 *hash)
{
    SHA256_Init((SHA256_CTX *)(void *)&hash->state);
}

void dr_sha256_add(struct dr_sha256 *hash, const void *data, size_t len)
{
    SHA256_Update((SHA256_CTX *)(void *)&hash->state, data, len);
}

void dr_sha256_end(struct dr_sha256 *hash, unsigned char ret[DR_SHA256_BYTES])
{
    SHA256_Final(ret, (SHA256_CTX *)(void *)&hash->state);
}
