/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/verify.h"

#include <string.h>

#include "base/mem.h"
#include "base/sha256.h"
#include "win/fd.h"

#include <bcrypt.h>
#include <wincrypt.h>

#define DER_MAX 8192
#define HALF_MAX 66 /* bytes of r and s: P-521's */

struct verify_key {
    BCRYPT_KEY_HANDLE handle;
    bool rsa;
    DWORD half; /* ECDSA: bytes of each number */
};

struct verify_key *verify_key_new(const char *pem)
{
    BYTE der[DER_MAX];
    DWORD len = sizeof der, n = 0;
    CERT_PUBLIC_KEY_INFO *info = NULL;
    struct verify_key *key = dr_alloc(sizeof *key);
    /* a certificate or a private key has another first line */
    const char *begin = strstr(pem, "-----BEGIN PUBLIC KEY-----");
    if (begin &&
        CryptStringToBinaryA(begin, 0, CRYPT_STRING_BASE64HEADER, der, &len, NULL,
                             NULL) &&
        CryptDecodeObjectEx(X509_ASN_ENCODING, X509_PUBLIC_KEY_INFO, der, len,
                            CRYPT_DECODE_ALLOC_FLAG, NULL, &info, &n) &&
        CryptImportPublicKeyInfoEx2(X509_ASN_ENCODING, info, 0, NULL, &key->handle)) {
        key->rsa = strcmp(info->Algorithm.pszObjId, szOID_RSA_RSA) == 0;
        /* of ECDSA it is a point: a 4, x and y, each as long as r and s */
        if (info->PublicKey.cbData > 0 && info->PublicKey.pbData[0] == 4)
            key->half = (info->PublicKey.cbData - 1) / 2;
    }
    if (info)
        LocalFree(info);
    if (key->handle && (key->rsa || (key->half > 0 && key->half <= HALF_MAX)))
        return key;
    verify_key_free(key);
    return NULL;
}

void verify_key_free(struct verify_key *key)
{
    if (key && key->handle)
        BCryptDestroyKey(key->handle);
    free(key);
}

/* One INTEGER of the DER at *at, as `half` bytes; false: it is none. */
static bool take_number(const BYTE **at, const BYTE *end, BYTE *ret, size_t half)
{
    if (end - *at < 2 || (*at)[0] != 2 || (*at)[1] > end - *at - 2)
        return false;
    const BYTE *p = *at + 2;
    size_t len = (*at)[1];
    *at = p + len;
    while (len > 0 && *p == 0) {
        p++;
        len--;
    }
    if (len > half)
        return false;
    memset(ret, 0, half - len);
    memcpy(ret + half - len, p, len);
    return true;
}

/* SEQUENCE { r, s } becomes r, s. */
static bool plain_signature(const BYTE *der, size_t len, BYTE *ret, size_t half)
{
    const BYTE *at = der, *end = der + len;
    if (len < 2 || at[0] != 0x30)
        return false;
    bool longer = at[1] == 0x81;
    size_t body = longer && len > 2 ? at[2] : at[1];
    at += longer ? 3 : 2;
    return at <= end && body == (size_t)(end - at) && take_number(&at, end, ret, half) &&
           take_number(&at, end, ret + half, half) && at == end;
}

bool verify_signature(struct verify_key *key, const char *payload, size_t len,
                      const void *signature, size_t signature_len)
{
    struct dr_sha256 sha256;
    BYTE hash[DR_SHA256_BYTES], plain[2 * HALF_MAX];
    dr_sha256_init(&sha256);
    dr_sha256_add(&sha256, payload, len);
    dr_sha256_end(&sha256, hash);
    if (key->rsa) {
        BCRYPT_PKCS1_PADDING_INFO padding = {.pszAlgId = BCRYPT_SHA256_ALGORITHM};
        return BCryptVerifySignature(key->handle, &padding, hash, sizeof hash,
                                     (BYTE *)signature, (ULONG)signature_len,
                                     BCRYPT_PAD_PKCS1) == 0;
    }
    return plain_signature(signature, signature_len, plain, key->half) &&
           BCryptVerifySignature(key->handle, NULL, hash, sizeof hash, plain,
                                 2 * key->half, 0) == 0;
}
