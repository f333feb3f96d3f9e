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

void dr_sha256_hex(struct dr_sha256 *hash, char ret_hex[DR_SHA256_HEX + 1])
{
    static const char digits[] = "0123456789abcdef";
    unsigned char raw[SHA256_DIGEST_LENGTH];
    SHA256_Final(raw, (SHA256_CTX *)(void *)&hash->state);
    for (size_t i = 0; i < sizeof raw; i++) {
        ret_hex[2 * i] = digits[raw[i] >> 4];
        ret_hex[2 * i + 1] = digits[raw[i] & 15];
    }
    ret_hex[DR_SHA256_HEX] = '\0';
}

void dr_sha256_of(const void *data, size_t len, char ret_hex[DR_SHA256_HEX + 1])
{
    struct dr_sha256 hash;
    dr_sha256_init(&hash);
    dr_sha256_add(&hash, data, len);
    dr_sha256_hex(&hash, ret_hex);
}
