/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/tls.h"

#include <dirent.h>
#include <errno.h>
#include <string.h>

#include "base/fs.h"
#include "base/json.h"
#include "base/text.h"
#include "registry/tls-system.h"

#define BUNDLE_MAX (4u << 20)
#define DIR_FILES_MAX 256

static int add_ca(struct tls *tls, const char *path, struct dr_error *err)
{
    dr_auto_buf struct dr_buf pem = DR_BUF_INIT(BUNDLE_MAX + 1);
    if (dr_file_read(AT_FDCWD, path, &pem, err) < 0) {
        err->kind = DR_ERR_CONFIG;
        return dr_wrap(err, "the CA file %s", path);
    }
    /* OpenSSL skips what is none, and nobody would be trusted without a word */
    if (!pem.data || !strstr(pem.data, "-----BEGIN ") || !strstr(pem.data, "CERTIFICATE"))
        return dr_fail(err, DR_ERR_CONFIG,
                       "the CA file %s has no certificate in PEM form in it", path);
    if (tls_check_ca(path, pem.data, err) < 0)
        return -1;
    if (tls->ca.len == 0 && tls_system_cas(&tls->ca, err) < 0)
        return -1;
    if (dr_buf_add(&pem, "\n", 1, err) < 0)
        return -1;
    return dr_buf_add(&tls->ca, pem.data, pem.len, err) < 0 ||
                   dr_buf_add(&tls->ours, pem.data, pem.len, err) < 0
               ? -1
               : 0;
}

/* --- directories --- */

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Sorted names, owned; NULL with errno. */
static char **list(const char *path)
{
    DIR *dir = opendir(path);
    if (!dir)
        return NULL;
    char **names = dr_alloc(sizeof *names);
    for (struct dirent *e; (e = readdir(dir));)
        if (e->d_name[0] != '.' && dr_strv_len(names) < DIR_FILES_MAX)
            dr_strv_add(&names, e->d_name);
    closedir(dir);
    qsort(names, dr_strv_len(names), sizeof *names, by_name);
    return names;
}

static bool has_end(const char *name, const char *end)
{
    size_t n = strlen(name), m = strlen(end);
    return n > m && strcmp(name + n - m, end) == 0;
}

/* The other half of a pair, owned: "a.key" for "a.cert". */
static char *partner(const char *name, const char *end, const char *other)
{
    return dr_printf("%.*s%s", (int)(strlen(name) - strlen(end)), name, other);
}

static int take_directory(struct tls *tls, const char *dir, char *const *names,
                          struct dr_error *err)
{
    for (; *names; names++) {
        bool cert = has_end(*names, ".cert"), key = has_end(*names, ".key");
        dr_auto_free char *path = dr_printf("%s/%s", dir, *names);
        if (has_end(*names, ".crt") && add_ca(tls, path, err) < 0)
            return -1;
        if (!cert && !key)
            continue;
        dr_auto_free char *other =
            cert ? partner(*names, ".cert", ".key") : partner(*names, ".key", ".cert");
        dr_auto_free char *other_path = dr_printf("%s/%s", dir, other);
        if (access(other_path, F_OK) != 0)
            return dr_fail(err, DR_ERR_CONFIG,
                           "%s has no %s beside it (a CA's certificate is called *.crt)",
                           path, other);
        if (cert && !tls->cert) {
            tls->cert = DR_TAKE(path);
            tls->key = DR_TAKE(other_path);
        }
    }
    return 0;
}

/* --cert-dir: it must be there. */
static int take_named(struct tls *tls, const char *dir, struct dr_error *err)
{
    dr_auto_strv char **names = list(dir);
    if (!names)
        return dr_fail_errno(err, DR_ERR_CONFIG, "the certificates' directory %s", dir);
    return take_directory(tls, dir, names, err);
}

static int take_usual(struct tls *tls, const char *host, struct dr_error *err)
{
    const char *xdg = getenv("XDG_CONFIG_HOME"), *home = getenv("HOME");
    dr_auto_free char *own = xdg && *xdg ? dr_printf("%s/containers", xdg)
                             : home      ? dr_printf("%s/.config/containers", home)
                                         : NULL;
    const char *places[] = {own, "/etc/containers", "/etc/docker"};
    dr_auto_free char *name = tls_host_dir(host);
    for (size_t i = 0; i < DR_COUNT(places); i++) {
        if (!places[i])
            continue;
        dr_auto_free char *dir = dr_printf("%s/certs.d/%s", places[i], name);
        dr_auto_strv char **names = list(dir);
        if (names)
            return take_directory(tls, dir, names, err);
        if (errno != ENOENT && errno != ENOTDIR && errno != EACCES)
            return dr_fail_errno(err, DR_ERR_CONFIG, "the certificates' directory %s",
                                 dir);
    }
    return 0;
}

/* --- */

static int load(const char *host, const struct tls_options *o, struct tls *tls,
                struct dr_error *err)
{
    tls->insecure = o->insecure;
    if (o->cert && o->key) {
        tls->cert = dr_strdup(o->cert);
        tls->key = dr_strdup(o->key);
    }
    if (o->ca_file && add_ca(tls, o->ca_file, err) < 0)
        return -1;
    for (const char *const *p = o->ca_files; p && *p; p++)
        if (add_ca(tls, *p, err) < 0)
            return -1;
    return o->cert_dir ? take_named(tls, o->cert_dir, err) : take_usual(tls, host, err);
}

int tls_load(const char *host, const struct tls_options *options, struct tls *ret_tls,
             struct dr_error *err)
{
    struct tls tls = {.ca = DR_BUF_INIT(2 * BUNDLE_MAX),
                      .ours = DR_BUF_INIT(2 * BUNDLE_MAX)};
    if (load(host, options, &tls, err) < 0) {
        tls_release(&tls);
        return -1;
    }
    if (tls.cert && access(tls.key, R_OK) != 0) {
        dr_fail_errno(err, DR_ERR_CONFIG, "the client key %s", tls.key);
        tls_release(&tls);
        return -1;
    }
    if (tls.cert && !(tls.client = tls_client_name(tls.cert, tls.key, err))) {
        tls_release(&tls);
        return -1;
    }
    *ret_tls = tls;
    return 0;
}

void tls_release(struct tls *tls)
{
    dr_buf_release(&tls->ca);
    dr_buf_release(&tls->ours);
    free(tls->cert);
    free(tls->key);
    free(tls->client);
    *tls = (struct tls){0};
}

/* "0a775a30.0": of the subject's hash. */
static bool is_hashed(const char *name)
{
    return strspn(name, "0123456789abcdef") == 8 && strcmp(name + 8, ".0") == 0;
}

bool tls_can_look_up(const struct curl_api *curl, CURL *easy)
{
    bool can = false;
#if LIBCURL_VERSION_NUM >= 0x075400
    const char *path = NULL, *backend = curl->version_info(CURLVERSION_NOW)->ssl_version;
    if (!backend || strncmp(backend, "OpenSSL/", 8) != 0 ||
        curl->easy_getinfo(easy, CURLINFO_CAPATH, &path) != CURLE_OK || !path)
        return false;
    DIR *dir = opendir(path);
    for (struct dirent *e; dir && !can && (e = readdir(dir));)
        can = is_hashed(e->d_name);
    if (dir)
        closedir(dir);
#endif
    return can;
}

/* libcurl's own one; its directory it uses in any case. */
static void use_bundle(bool use, const struct curl_api *curl, CURL *easy)
{
#if LIBCURL_VERSION_NUM >= 0x075400
    const char *path = NULL;
    if (use && (curl->easy_getinfo(easy, CURLINFO_CAINFO, &path) != CURLE_OK || !path))
        return;
    curl->easy_setopt(easy, CURLOPT_CAINFO, path);
#endif
}

int tls_apply(const struct tls *tls, const char *url, bool own, enum tls_cas cas,
              const struct curl_api *curl, CURL *easy)
{
    int rc = 0;
    const struct dr_buf *pem = cas == TLS_CAS_ALL ? &tls->ca : &tls->ours;
    curl->easy_setopt(easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    use_bundle(cas == TLS_CAS_ALL, curl, easy);
    if (pem->len > 0) {
        struct curl_blob blob = {pem->data, pem->len, CURL_BLOB_NOCOPY};
        rc = curl->easy_setopt(easy, CURLOPT_CAINFO_BLOB, &blob) == CURLE_OK ? 0 : -1;
    }
    tls_apply_system(url, pem->len > 0 && !(own && tls->insecure), curl, easy);
    if (own && tls->insecure) {
        curl->easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 0L);
        curl->easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 0L);
    }
    if (own && tls->cert) {
        curl->easy_setopt(easy, CURLOPT_SSLCERT, tls->client);
        curl->easy_setopt(easy, CURLOPT_SSLKEY, tls->key);
        /* an encrypted key fails; nobody is asked at whatever terminal is there */
        curl->easy_setopt(easy, CURLOPT_KEYPASSWD, "");
    }
    return rc;
}
