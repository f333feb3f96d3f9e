/* SPDX-License-Identifier: Apache-2.0 */
#include "base/sha256.h"

void dr_sha256_hex(struct dr_sha256 *hash, char ret_hex[DR_SHA256_HEX + 1])
{
    static const char digits[] = "0123456789abcdef";
    unsigned char raw[DR_SHA256_BYTES];
    dr_sha256_end(hash, raw);
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
