/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/tls-system.h"

#include <stdlib.h>

#include <wincrypt.h>

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

int tls_check_client(const char *cert, struct dr_error *err)
{
    return dr_fail(err, DR_ERR_UNSUPPORTED,
                   "%s: Windows' TLS takes no client certificates in PEM form", cert);
}

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

/* A CA that says nowhere what it has revoked is as good as elsewhere. */
void tls_apply_system(const struct curl_api *curl, CURL *easy)
{
    curl->easy_setopt(easy, CURLOPT_SSL_OPTIONS, (long)CURLSSLOPT_REVOKE_BEST_EFFORT);
}
