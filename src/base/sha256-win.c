/* SPDX-License-Identifier: Apache-2.0 */
/*
 * SHA-256 (FIPS 180-4). A state here is copied as a struct and never released, which
 * Windows' own (BCrypt) cannot; the processor's instructions for it are used where they
 * are.
 */
#include "base/sha256.h"

#include <cpuid.h>
#include <immintrin.h>
#include <stdbool.h>
#include <string.h>

#define BLOCK 64

struct state {
    uint32_t h[8];
    uint64_t len; /* bytes, in all */
    unsigned char rest[BLOCK];
};
_Static_assert(sizeof(struct state) <= sizeof(struct dr_sha256), "state fits");

static const uint32_t k[64] __attribute__((aligned(16))) = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4,
    0xab1c5ed5, 0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe,
    0x9bdc06a7, 0xc19bf174, 0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f,
    0x4a7484aa, 0x5cb0a9dc, 0x76f988da, 0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7,
    0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967, 0x27b70a85, 0x2e1b2138, 0x4d2c6dfc,
    0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85, 0xa2bfe8a1, 0xa81a664b,
    0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070, 0x19a4c116,
    0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7,
    0xc67178f2};

static uint32_t rotate(uint32_t x, int n)
{
    return x >> n | x << (32 - n);
}

static uint32_t load(const unsigned char *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static void blocks_plain(uint32_t h[8], const unsigned char *data, size_t count)
{
    for (; count > 0; count--, data += BLOCK) {
        uint32_t w[64], v[8];
        for (int i = 0; i < 16; i++)
            w[i] = load(data + 4 * i);
        for (int i = 16; i < 64; i++) {
            uint32_t a = w[i - 15], b = w[i - 2];
            w[i] = w[i - 16] + w[i - 7] + (rotate(a, 7) ^ rotate(a, 18) ^ a >> 3) +
                   (rotate(b, 17) ^ rotate(b, 19) ^ b >> 10);
        }
        memcpy(v, h, sizeof v);
        for (int i = 0; i < 64; i++) {
            uint32_t e = v[4], a = v[0];
            uint32_t one = v[7] + (rotate(e, 6) ^ rotate(e, 11) ^ rotate(e, 25)) +
                           ((e & v[5]) ^ (~e & v[6])) + k[i] + w[i];
            uint32_t two = (rotate(a, 2) ^ rotate(a, 13) ^ rotate(a, 22)) +
                           ((a & v[1]) ^ (a & v[2]) ^ (v[1] & v[2]));
            memmove(v + 1, v, 7 * sizeof *v);
            v[4] += one;
            v[0] = one + two;
        }
        for (int i = 0; i < 8; i++)
            h[i] += v[i];
    }
}

/* Intel's instructions want the state as ABEF and CDGH. */
__attribute__((target("sha,sse4.1,ssse3"))) static void
blocks_sha_ni(uint32_t h[8], const unsigned char *data, size_t count)
{
    const __m128i swap = _mm_set_epi64x(0x0c0d0e0f08090a0b, 0x0405060700010203);
    __m128i dcba = _mm_loadu_si128((const __m128i *)(const void *)h);
    __m128i hgfe = _mm_loadu_si128((const __m128i *)(const void *)(h + 4));
    __m128i cdab = _mm_shuffle_epi32(dcba, 0xb1), efgh = _mm_shuffle_epi32(hgfe, 0x1b);
    __m128i abef = _mm_alignr_epi8(cdab, efgh, 8);
    __m128i cdgh = _mm_blend_epi16(efgh, cdab, 0xf0);
    for (; count > 0; count--, data += BLOCK) {
        __m128i m[4], abef_before = abef, cdgh_before = cdgh;
        for (int i = 0; i < 4; i++)
            m[i] = _mm_shuffle_epi8(
                _mm_loadu_si128((const __m128i *)(const void *)(data + 16 * i)), swap);
#pragma GCC unroll 16
        for (int i = 0; i < 16; i++) {
            __m128i words = _mm_add_epi32(
                m[i & 3], _mm_load_si128((const __m128i *)(const void *)(k + 4 * i)));
            cdgh = _mm_sha256rnds2_epu32(cdgh, abef, words);
            abef = _mm_sha256rnds2_epu32(abef, cdgh, _mm_shuffle_epi32(words, 0x0e));
            if (i >= 12)
                continue;
            __m128i next = _mm_sha256msg1_epu32(m[i & 3], m[(i + 1) & 3]);
            next =
                _mm_add_epi32(next, _mm_alignr_epi8(m[(i + 3) & 3], m[(i + 2) & 3], 4));
            m[i & 3] = _mm_sha256msg2_epu32(next, m[(i + 3) & 3]);
        }
        abef = _mm_add_epi32(abef, abef_before);
        cdgh = _mm_add_epi32(cdgh, cdgh_before);
    }
    __m128i feba = _mm_shuffle_epi32(abef, 0x1b), dchg = _mm_shuffle_epi32(cdgh, 0xb1);
    _mm_storeu_si128((__m128i *)(void *)h, _mm_blend_epi16(feba, dchg, 0xf0));
    _mm_storeu_si128((__m128i *)(void *)(h + 4), _mm_alignr_epi8(dchg, feba, 8));
}

static bool has_sha_ni(void)
{
#ifdef SHA256_PLAIN /* a test's */
    return false;
#endif
    unsigned a, b = 0, c, d;
    return __get_cpuid_count(7, 0, &a, &b, &c, &d) && (b & 1u << 29);
}

static void blocks(uint32_t h[8], const unsigned char *data, size_t count)
{
    static int known; /* whoever finds it out writes the same */
    if (!known)
        known = has_sha_ni() ? 1 : 2;
    if (known == 1)
        blocks_sha_ni(h, data, count);
    else
        blocks_plain(h, data, count);
}

static struct state *state_of(struct dr_sha256 *hash)
{
    return (struct state *)(void *)&hash->state;
}

void dr_sha256_init(struct dr_sha256 *hash)
{
    *state_of(hash) =
        (struct state){.h = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f,
                             0x9b05688c, 0x1f83d9ab, 0x5be0cd19}};
}

void dr_sha256_add(struct dr_sha256 *hash, const void *data, size_t len)
{
    struct state *s = state_of(hash);
    const unsigned char *p = data;
    size_t have = s->len % BLOCK;
    s->len += len;
    if (have > 0) {
        size_t n = len < BLOCK - have ? len : BLOCK - have;
        memcpy(s->rest + have, p, n);
        p += n;
        len -= n;
        if (have + n < BLOCK)
            return;
        blocks(s->h, s->rest, 1);
    }
    blocks(s->h, p, len / BLOCK);
    if (len % BLOCK)
        memcpy(s->rest, p + len / BLOCK * BLOCK, len % BLOCK);
}

void dr_sha256_end(struct dr_sha256 *hash, unsigned char ret[DR_SHA256_BYTES])
{
    struct state *s = state_of(hash);
    uint64_t bits = s->len * 8;
    unsigned char end[2 * BLOCK] = {0x80};
    size_t have = s->len % BLOCK, pad = (have < 56 ? 56 : 56 + BLOCK) - have;
    for (int i = 0; i < 8; i++)
        end[pad + (size_t)i] = (unsigned char)(bits >> (56 - 8 * i));
    dr_sha256_add(hash, end, pad + 8);
    for (int i = 0; i < DR_SHA256_BYTES; i++)
        ret[i] = (unsigned char)(s->h[i / 4] >> (24 - 8 * (i % 4)));
}
