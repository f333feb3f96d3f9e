/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/tls-system.h"

#include "base/fs.h"

int tls_system_cas(struct dr_buf *ca, struct dr_error *err)
{
    const char *places[] = {getenv("SSL_CERT_FILE"), "/etc/ssl/certs/ca-certificates.crt",
                            "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/ca-bundle.pem",
                            "/etc/ssl/cert.pem"};
    for (size_t i = 0; i < DR_COUNT(places); i++) {
        dr_auto_error struct dr_error problem = DR_ERROR_INIT;
        if (!places[i] || !*places[i])
            continue;
        if (dr_file_read(AT_FDCWD, places[i], ca, &problem) == 0)
            return dr_buf_add(ca, "\n", 1, err);
        dr_buf_reset(ca);
    }
    return 0; /* a system without any: ours alone */
}

int tls_check_ca(const char *path, const char *pem, struct dr_error *err)
{
    return 0;
}

char *tls_client_name(const char *cert, const char *key, struct dr_error *err)
{
    return dr_strdup(cert);
}

char *tls_host_dir(const char *host)
{
    return dr_strdup(host);
}

char *tls_host_place(const char *host)
{
    return dr_printf("/etc/containers/certs.d/%s", host);
}

void tls_apply_system(const char *url, bool own_cas, const struct curl_api *curl,
                      CURL *easy)
{
}
