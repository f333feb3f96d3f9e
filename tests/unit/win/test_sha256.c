/* SPDX-License-Identifier: Apache-2.0 */
#define OPENSSL_SUPPRESS_DEPRECATED
#include <openssl/sha.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/sha256.h"

static void expect(const unsigned char *data, size_t len, const char *got)
{
    unsigned char raw[SHA256_DIGEST_LENGTH];
    char want[DR_SHA256_HEX + 1];
    SHA256(data, len, raw);
    for (size_t i = 0; i < sizeof raw; i++)
        snprintf(want + 2 * i, 3, "%02x", raw[i]);
    assert_string_equal(got, want);
}

static void every_length_around_a_block_hashes_as_openssl_does(void **state)
{
    unsigned char data[300];
    char hex[DR_SHA256_HEX + 1];
    for (size_t i = 0; i < sizeof data; i++)
        data[i] = (unsigned char)(i * 7 + 3);
    for (size_t len = 0; len <= sizeof data; len++) {
        dr_sha256_of(data, len, hex);
        expect(data, len, hex);
    }
}

static void pieces_and_copies_of_a_state_hash_as_the_whole(void **state)
{
    unsigned char data[5000];
    char hex[DR_SHA256_HEX + 1];
    struct dr_sha256 hash, copy;
    memset(data, 'x', sizeof data);
    for (size_t step = 1; step < 200; step += 13) {
        size_t done = 0;
        dr_sha256_init(&hash);
        for (; done + step <= sizeof data; done += step)
            dr_sha256_add(&hash, data + done, step);
        copy = hash; /* looked at while it goes on */
        dr_sha256_hex(&copy, hex);
        expect(data, done, hex);
        dr_sha256_add(&hash, data + done, sizeof data - done);
        dr_sha256_hex(&hash, hex);
        expect(data, sizeof data, hex);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_length_around_a_block_hashes_as_openssl_does),
        cmocka_unit_test(pieces_and_copies_of_a_state_hash_as_the_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
