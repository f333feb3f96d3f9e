/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/signature.h"

#include <string.h>

#include "base/fs.h"
#include "base/text.h"
#include "registry/verify.h"

#define KEY_MAX (64 * 1024)
#define SIGNATURE_MAX 8192 /* characters of base64 */
#define PAYLOAD_TYPE "cosign container image signature"

static void key_free(struct verify_key **key)
{
    verify_key_free(*key);
}

/* The public key in PEM form, of a file or in the policy itself; NULL with err. */
static struct verify_key *load_key(const json_t *requirement, struct dr_error *err)
{
    const char *path = dr_json_str(requirement, "keyPath");
    dr_auto_buf struct dr_buf pem = DR_BUF_INIT(KEY_MAX);
    if (path && dr_file_read(AT_FDCWD, path, &pem, err) < 0) {
        err->kind = DR_ERR_CONFIG;
        dr_wrap(err, "the key of the signature policy");
        return NULL;
    }
    dr_auto_free char *text =
        path ? dr_buf_take(&pem) : dr_base64_decode(dr_json_str(requirement, "keyData"));
    struct verify_key *key = text ? verify_key_new(text) : NULL;
    if (!key)
        dr_fail(err, DR_ERR_CONFIG,
                "the key of the signature policy%s%s is no public key in PEM form",
                path ? ", " : "", path ? path : " (keyData)");
    return key;
}

/* Base64 with its length: the bytes may hold NULs. */
static unsigned char *decode(const char *base64, size_t *ret_len)
{
    size_t len = strlen(base64);
    if (len == 0 || len % 4 != 0 || len > SIGNATURE_MAX)
        return NULL;
    *ret_len = len / 4 * 3 - (base64[len - 1] == '=') - (base64[len - 2] == '=');
    return (unsigned char *)dr_base64_decode(base64);
}

/* What the payload claims, now that its signature is good. */
static int check_payload(const json_t *requirement, const struct oci_ref *ref,
                         const struct oci_digest *digests, size_t n, const char *payload,
                         size_t len, struct dr_error *err)
{
    dr_auto_error struct dr_error ignored = DR_ERROR_INIT;
    dr_auto_json json_t *doc =
        dr_json_parse(payload, len, SIGNATURE_PAYLOAD_MAX, &ignored);
    const json_t *critical = dr_json_object(doc, "critical");
    const char *type = dr_json_str(critical, "type");
    const char *digest =
        dr_json_str(dr_json_object(critical, "image"), "docker-manifest-digest");
    const char *reference =
        dr_json_str(dr_json_object(critical, "identity"), "docker-reference");
    if (!type || !digest || !reference || strcmp(type, PAYLOAD_TYPE) != 0)
        return dr_fail(err, DR_ERR_PULL, "what was signed is not an image");
    size_t i = 0;
    while (i < n && strcmp(digests[i].text, digest) != 0)
        i++;
    if (i == n)
        return dr_fail(err, DR_ERR_PULL, "it is a signature for another image");
    return policy_identity(requirement, ref, reference, err);
}

int signature_check(const json_t *requirement, const struct oci_ref *ref,
                    const struct oci_digest *digests, size_t n, const char *payload,
                    size_t len, const char *base64, struct dr_error *err)
{
    DR_CLEANUP(key_free) struct verify_key *key = load_key(requirement, err);
    if (!key)
        return -1;
    size_t signature_len = 0;
    dr_auto_free unsigned char *signature = decode(base64, &signature_len);
    if (!signature)
        return dr_fail(err, DR_ERR_PULL, "the signature is not base64");
    if (!verify_signature(key, payload, len, signature, signature_len))
        return dr_fail(err, DR_ERR_PULL, "the signature is not by the policy's key");
    return check_payload(requirement, ref, digests, n, payload, len, err);
}
