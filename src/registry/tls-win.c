/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/tls-system.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fs.h"
#include "base/ip.h"
#include "registry/origin.h"
#include "registry/pem.h"
#include "win/fd.h"

#include <wincrypt.h>

#define SECURITY_WIN32
#include <schannel.h>
#include <security.h>

static int add_one(const CERT_CONTEXT *cert, struct dr_buf *ca, struct dr_error *err)
{
    DWORD len = 0;
    CryptBinaryToStringA(cert->pbCertEncoded, cert->cbCertEncoded,
                         CRYPT_STRING_BASE64HEADER, NULL, &len);
    dr_auto_free char *pem = dr_alloc(len + 1);
    if (!CryptBinaryToStringA(cert->pbCertEncoded, cert->cbCertEncoded,
                              CRYPT_STRING_BASE64HEADER, pem, &len))
        return 0;
    return dr_buf_add(ca, pem, len, err);
}

int tls_system_cas(struct dr_buf *ca, struct dr_error *err)
{
    HCERTSTORE store = CertOpenSystemStoreW(0, L"ROOT");
    int rc = 0;
    for (const CERT_CONTEXT *cert = NULL;
         store && rc == 0 && (cert = CertEnumCertificatesInStore(store, cert));)
        if ((rc = add_one(cert, ca, err)) < 0)
            CertFreeCertificateContext(cert);
    if (store)
        CertCloseStore(store, 0);
    return rc;
}

int tls_check_ca(const char *path, const char *pem, struct dr_error *err)
{
    const char *kind = pem_foreign_key(pem);
    if (!kind)
        return 0;
    return dr_fail(err, DR_ERR_CONFIG,
                   "the CA file %s has an %s key, which Windows' TLS does not know: make "
                   "the certificate with an ECDSA or RSA key, as in `openssl req -newkey "
                   "ec -pkeyopt ec_paramgen_curve:P-256`",
                   path, kind);
}

/* --- a client's certificate --- */

/*
 * Schannel signs in another process, with keys of the user's key store: one in memory
 * works with old servers only (SHA-1), and not with TLS 1.3. So the pair is imported
 * once, into a store of ours, which browsers do not look into. What a person has imported
 * into the usual one counts first.
 */
#define OUR_STORE "dray"

/* Of that certificate, with a key that can be had; or "", owned. */
static char *find_client(const char *name, const CRYPT_HASH_BLOB *thumbprint)
{
    HCERTSTORE store = CertOpenStore(
        CERT_STORE_PROV_SYSTEM_A, 0, 0,
        CERT_SYSTEM_STORE_CURRENT_USER | CERT_STORE_OPEN_EXISTING_FLAG, name);
    if (!store)
        return NULL;
    const CERT_CONTEXT *cert = CertFindCertificateInStore(
        store, X509_ASN_ENCODING, 0, CERT_FIND_HASH, thumbprint, NULL);
    DWORD len = 0;
    char *found = NULL;
    if (cert &&
        CertGetCertificateContextProperty(cert, CERT_KEY_PROV_INFO_PROP_ID, NULL, &len)) {
        char hex[2 * 20 + 1];
        for (DWORD i = 0; i < 20; i++)
            snprintf(hex + 2 * i, 3, "%02x", thumbprint->pbData[i]);
        found = dr_printf("CurrentUser\\%s\\%s", name, hex);
    }
    if (cert)
        CertFreeCertificateContext(cert);
    CertCloseStore(store, 0);
    return found;
}

static bool thumbprint_of(const char *pem, CRYPT_HASH_BLOB *thumbprint)
{
    dr_auto_buf struct dr_buf der = DR_BUF_INIT(0);
    dr_auto_free char *label = NULL;
    if (pem_next(&pem, &label, &der) <= 0)
        return false;
    const CERT_CONTEXT *cert = CertCreateCertificateContext(
        X509_ASN_ENCODING, (const BYTE *)der.data, (DWORD)der.len);
    bool known = cert && CertGetCertificateContextProperty(cert, CERT_SHA1_HASH_PROP_ID,
                                                           thumbprint->pbData,
                                                           &thumbprint->cbData);
    if (cert)
        CertFreeCertificateContext(cert);
    return known;
}

/* Its certificates, with their keys in the user's key store; NULL with GetLastError. */
static HCERTSTORE import(const struct dr_buf *pkcs12)
{
    CRYPT_DATA_BLOB blob = {(DWORD)pkcs12->len, (BYTE *)pkcs12->data};
    HCERTSTORE store =
        PFXImportCertStore(&blob, NULL, CRYPT_USER_KEYSET | PKCS12_ALWAYS_CNG_KSP);
    return store ? store : PFXImportCertStore(&blob, NULL, CRYPT_USER_KEYSET);
}

static bool keep_in_ours(HCERTSTORE from)
{
    HCERTSTORE ours = CertOpenStore(CERT_STORE_PROV_SYSTEM_A, 0, 0,
                                    CERT_SYSTEM_STORE_CURRENT_USER, OUR_STORE);
    bool fine = ours != NULL;
    for (const CERT_CONTEXT *cert = NULL;
         fine && (cert = CertEnumCertificatesInStore(from, cert));)
        if (!(fine = CertAddCertificateContextToStore(
                  ours, cert, CERT_STORE_ADD_REPLACE_EXISTING, NULL)))
            CertFreeCertificateContext(cert);
    if (ours)
        CertCloseStore(ours, 0);
    return fine;
}

static int import_client(const char *cert, const char *key, const char *cert_pem,
                         struct dr_error *err)
{
    dr_auto_buf struct dr_buf key_pem = DR_BUF_INIT(PEM_FILE_MAX);
    dr_auto_buf struct dr_buf pkcs12 = DR_BUF_INIT(0);
    int rc = dr_file_read(AT_FDCWD, key, &key_pem, err);
    if (rc == 0)
        rc = pem_to_pkcs12(cert_pem, key_pem.data ? key_pem.data : "", &pkcs12, err);
    if (key_pem.data)
        explicit_bzero(key_pem.data, key_pem.len);
    if (rc < 0) {
        err->kind = DR_ERR_CONFIG;
        return dr_wrap(err, "the client's certificate %s, or its key %s", cert, key);
    }
    HCERTSTORE store = import(&pkcs12);
    explicit_bzero(pkcs12.data, pkcs12.len);
    bool fine = store && keep_in_ours(store);
    unsigned long why = GetLastError();
    if (store)
        CertCloseStore(store, 0);
    if (fine)
        return 0;
    return dr_fail(err, DR_ERR_CONFIG,
                   "Windows does not take the client's certificate %s (0x%lx): import it "
                   "yourself, with `openssl pkcs12 -export -in %s -inkey %s -out "
                   "client.p12` and `certutil -user -importpfx client.p12 NoRoot`",
                   cert, why, cert, key);
}

char *tls_client_name(const char *cert, const char *key, struct dr_error *err)
{
    BYTE bytes[20];
    CRYPT_HASH_BLOB thumbprint = {sizeof bytes, bytes};
    dr_auto_buf struct dr_buf pem = DR_BUF_INIT(PEM_FILE_MAX);
    if (dr_file_read(AT_FDCWD, cert, &pem, err) < 0) {
        err->kind = DR_ERR_CONFIG;
        dr_wrap(err, "the client's certificate %s", cert);
        return NULL;
    }
    if (!pem.data || !thumbprint_of(pem.data, &thumbprint)) {
        dr_fail(err, DR_ERR_CONFIG,
                "the client's certificate %s is no certificate in PEM form", cert);
        return NULL;
    }
    char *name = find_client("MY", &thumbprint);
    if (!name)
        name = find_client(OUR_STORE, &thumbprint);
    if (name)
        return name;
    if (import_client(cert, key, pem.data, err) < 0)
        return NULL;
    if (!(name = find_client(OUR_STORE, &thumbprint)))
        dr_fail(err, DR_ERR_CONFIG,
                "the client's certificate %s has no key in Windows' key store", cert);
    return name;
}

/* --- */

char *tls_host_dir(const char *host)
{
    char *dir = dr_strdup(host), *to = dir;
    for (const char *c = host; *c; c++)
        if (*c != ':')
            *to++ = *c;
    *to = '\0';
    return dir;
}

char *tls_host_place(const char *host)
{
    dr_auto_free char *dir = tls_host_dir(host);
    return dr_printf("%%APPDATA%%\\containers\\certs.d\\%s", dir);
}

/* The names of the certificate that are IP addresses (RFC 5280 4.2.1.6). */
static bool names_address(const CERT_CONTEXT *cert, const struct dr_ip *ip)
{
    CERT_ALT_NAME_INFO *names = NULL;
    DWORD len = 0, bytes = (DWORD)dr_ip_bits(ip) / 8;
    const CERT_EXTENSION *extension =
        CertFindExtension(szOID_SUBJECT_ALT_NAME2, cert->pCertInfo->cExtension,
                          cert->pCertInfo->rgExtension);
    if (!extension ||
        !CryptDecodeObjectEx(X509_ASN_ENCODING, X509_ALTERNATE_NAME,
                             extension->Value.pbData, extension->Value.cbData,
                             CRYPT_DECODE_ALLOC_FLAG, NULL, &names, &len))
        return false;
    bool found = false;
    for (DWORD i = 0; i < names->cAltEntry && !found; i++) {
        const CERT_ALT_NAME_ENTRY *entry = &names->rgAltEntry[i];
        found = entry->dwAltNameChoice == CERT_ALT_NAME_IP_ADDRESS &&
                entry->IPAddress.cbData == bytes &&
                memcmp(entry->IPAddress.pbData, ip->bytes, bytes) == 0;
    }
    LocalFree(names);
    return found;
}

/* The host of the URL, when it is an address. */
static bool address_of(const char *url, struct dr_ip *ret)
{
    struct origin origin;
    dr_auto_error struct dr_error ignored = DR_ERROR_INIT;
    return url && origin_parse(url, &origin, &ignored) == 0 &&
           dr_ip_parse(origin.host, ret);
}

/* On a connection that was verified but for the host's name, before anything is sent. */
static int check_address(void *easy, char *remote, char *local, int remote_port,
                         int local_port)
{
    dr_auto_error struct dr_error ignored = DR_ERROR_INIT;
    const struct curl_api *curl = curl_load(&ignored);
    const struct curl_tlssessioninfo *session = NULL;
    const char *url = NULL;
    const CERT_CONTEXT *cert = NULL;
    struct dr_ip ip;
    bool fine =
        curl->easy_getinfo(easy, CURLINFO_EFFECTIVE_URL, &url) == CURLE_OK &&
        address_of(url, &ip) &&
        curl->easy_getinfo(easy, CURLINFO_TLS_SSL_PTR, &session) == CURLE_OK && session &&
        session->internals &&
        QueryContextAttributesA(session->internals, SECPKG_ATTR_REMOTE_CERT_CONTEXT,
                                (void *)&cert) == SEC_E_OK &&
        cert && names_address(cert, &ip);
    if (cert)
        CertFreeCertificateContext(cert);
    return fine ? CURL_PREREQFUNC_OK : CURL_PREREQFUNC_ABORT;
}

void tls_apply_system(const char *url, bool own_cas, const struct curl_api *curl,
                      CURL *easy)
{
    struct dr_ip ip;
    /* a CA that says nowhere what it has revoked is as good as elsewhere */
    curl->easy_setopt(easy, CURLOPT_SSL_OPTIONS, (long)CURLSSLOPT_REVOKE_BEST_EFFORT);
    /* with CAs of ours libcurl 7.88 compares names itself, and those of hosts only */
    if (own_cas && address_of(url, &ip) &&
        curl->easy_setopt(easy, CURLOPT_PREREQDATA, easy) == CURLE_OK &&
        curl->easy_setopt(easy, CURLOPT_PREREQFUNCTION, check_address) == CURLE_OK)
        curl->easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 0L);
}
