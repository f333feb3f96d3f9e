/* SPDX-License-Identifier: Apache-2.0 */
/* SHA-256, streaming. Thread-safe: one struct per stream. */
#ifndef DRAY_BASE_SHA256_H
#define DRAY_BASE_SHA256_H

#include <stddef.h>
#include <stdint.h>

#define DR_SHA256_BYTES 32
#define DR_SHA256_HEX 64

struct dr_sha256 {
    union {
        uint64_t align;
        unsigned char bytes[128];
    } state; /* opaque: the library's context */
};

void dr_sha256_init(struct dr_sha256 *hash);
void dr_sha256_add(struct dr_sha256 *hash, const void *data, size_t len);
/* The digest; only dr_sha256_init may come after. */
void dr_sha256_end(struct dr_sha256 *hash, unsigned char ret[DR_SHA256_BYTES]);
/* 64 lower-case hex digits and a NUL. */
void dr_sha256_hex(struct dr_sha256 *hash, char ret_hex[DR_SHA256_HEX + 1]);
/* All at once. */
void dr_sha256_of(const void *data, size_t len, char ret_hex[DR_SHA256_HEX + 1]);

#endif
