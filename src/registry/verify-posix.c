/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/verify.h"

#include <openssl/evp.h>
#include <openssl/pem.h>

#include "base/mem.h"

/* Never made: it stands for EVP_PKEY. */
static EVP_PKEY *pkey(struct verify_key *key)
{
    return (EVP_PKEY *)(void *)key;
}

struct verify_key *verify_key_new(const char *pem)
{
    BIO *bio = BIO_new_mem_buf(pem, -1);
    EVP_PKEY *key = bio ? PEM_read_bio_PUBKEY(bio, NULL, NULL, NULL) : NULL;
    BIO_free(bio);
    return (struct verify_key *)(void *)key;
}

void verify_key_free(struct verify_key *key)
{
    EVP_PKEY_free(pkey(key));
}

static void md_free(EVP_MD_CTX **context)
{
    EVP_MD_CTX_free(*context);
}

bool verify_signature(struct verify_key *key, const char *payload, size_t len,
                      const void *signature, size_t signature_len)
{
    DR_CLEANUP(md_free) EVP_MD_CTX *context = EVP_MD_CTX_new();
    const EVP_MD *md =
        EVP_PKEY_get_base_id(pkey(key)) == EVP_PKEY_ED25519 ? NULL : EVP_sha256();
    return context && EVP_DigestVerifyInit(context, NULL, md, NULL, pkey(key)) == 1 &&
           EVP_DigestVerify(context, signature, signature_len,
                            (const unsigned char *)payload, len) == 1;
}
