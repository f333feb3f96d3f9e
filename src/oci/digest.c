/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/digest.h"

#include <stdio.h>
#include <string.h>

int oci_digest_parse(const char *text, size_t len, struct oci_digest *ret_digest,
                     struct dr_error *err)
{
    static const char prefix[] = "sha256:";
    const size_t prefix_len = sizeof prefix - 1;
    for (size_t i = 0; i < prefix_len; i++)
        if (i >= len || text[i] != prefix[i]) {
            size_t colon = 0;
            while (colon < len && colon < 32 && text[colon] != ':')
                colon++;
            if (colon > 0 && colon < len && colon < 32 && text[colon] == ':' && i < colon)
                return dr_fail(err, DR_ERR_UNSUPPORTED,
                               "digest algorithm '%.*s' is not supported, only sha256 is",
                               (int)colon, text);
            return dr_fail(err, DR_ERR_FORMAT, "digest: bad byte at offset %zu", i);
        }
    for (size_t i = prefix_len; i < prefix_len + DR_SHA256_HEX; i++)
        if (i >= len ||
            !((text[i] >= '0' && text[i] <= '9') || (text[i] >= 'a' && text[i] <= 'f')))
            return dr_fail(err, DR_ERR_FORMAT, "digest: %s at offset %zu",
                           i >= len ? "it ends too early," : "bad byte", i);
    if (len != prefix_len + DR_SHA256_HEX)
        return dr_fail(err, DR_ERR_FORMAT, "digest: too long, bad byte at offset %zu",
                       prefix_len + DR_SHA256_HEX);
    memcpy(ret_digest->text, text, len);
    ret_digest->text[len] = '\0';
    return 0;
}

const char *oci_digest_hex(const struct oci_digest *digest)
{
    return digest->text[0] ? digest->text + 7 : "";
}

bool oci_digest_equal(const struct oci_digest *a, const struct oci_digest *b)
{
    return strcmp(a->text, b->text) == 0;
}

void oci_digest_from_hex(const char *hex, struct oci_digest *ret_digest)
{
    snprintf(ret_digest->text, sizeof ret_digest->text, "sha256:%.64s", hex);
}

void oci_digest_of(const void *data, size_t len, struct oci_digest *ret_digest)
{
    char hex[DR_SHA256_HEX + 1];
    dr_sha256_of(data, len, hex);
    oci_digest_from_hex(hex, ret_digest);
}
