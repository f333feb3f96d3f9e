/* SPDX-License-Identifier: Apache-2.0 */
/* containerd's hosts.toml, one for each registry. Rule: containerd's docs/hosts.md. */
#include <string.h>
#include <strings.h>

#include "base/text.h"
#include "registry/origin.h"
#include "registry/route.h"

#define SYSTEM_DIR "/etc/containerd/certs.d"

/* Relative ones are beside the file. */
static char *path_of(const char *path, const char *dir)
{
    return *path == '/' ? dr_strdup(path) : dr_printf("%s/%s", dir, path);
}

/* "file", or an array of files. */
static int take_cas(const json_t *ca, const char *dir, struct endpoint *e,
                    struct dr_error *err)
{
    size_t n = json_is_array(ca) ? json_array_size(ca) : ca != NULL;
    for (size_t i = 0; i < n; i++) {
        const char *file =
            json_string_value(json_is_array(ca) ? json_array_get(ca, i) : ca);
        if (!file)
            return dr_fail(err, DR_ERR_CONFIG, "ca is a file, or an array of files");
        dr_auto_free char *path = path_of(file, dir);
        dr_strv_add(&e->ca_files, path);
    }
    return 0;
}

/* "file" of both, or an array of files or of pairs: the first counts. */
static int take_client(const json_t *client, const char *dir, struct endpoint *e,
                       struct dr_error *err)
{
    if (!client)
        return 0;
    const json_t *first = json_is_array(client) ? json_array_get(client, 0) : client;
    const json_t *cert = json_is_array(first) ? json_array_get(first, 0) : first;
    const json_t *key = json_is_array(first) ? json_array_get(first, 1) : first;
    const char *key_file = json_string_value(key), *cert_file = json_string_value(cert);
    if (!cert_file || !key_file)
        return dr_fail(err, DR_ERR_CONFIG,
                       "client is a file, or an array of pairs of certificate and key");
    e->cert = path_of(cert_file, dir);
    e->key = path_of(*key_file ? key_file : cert_file, dir);
    return 0;
}

static bool can(const json_t *capabilities, const char *what)
{
    size_t i;
    json_t *word;
    json_array_foreach (capabilities, i, word)
        if (json_is_string(word) && strcmp(json_string_value(word), what) == 0)
            return true;
    return !capabilities; /* none said: all */
}

/* "https://host:port/path", or without the scheme. */
static int take_url(const char *text, bool override_path, const struct oci_ref *ref,
                    struct endpoint *e, struct dr_error *err)
{
    struct origin at;
    dr_auto_free char *url =
        strstr(text, "://") ? dr_strdup(text) : dr_printf("https://%s", text);
    if (origin_parse(url, &at, err) < 0) {
        err->kind = DR_ERR_CONFIG;
        return -1;
    }
    const char *host = strstr(url, "://") + 3, *path = host + strcspn(host, "/?#");
    dr_auto_free char *name = dr_strndup(host, (size_t)(path - host));
    if (strpbrk(path, "?#"))
        return dr_fail(err, DR_ERR_CONFIG, "'%s' has more than a path behind its host",
                       text);
    size_t len = strlen(path);
    while (len > 0 && path[len - 1] == '/')
        len--;
    if (override_path || len > 0)
        e->api_root = dr_printf("%.*s%s", (int)len, path, override_path ? "" : "/v2");
    e->plain_http = !at.https;
    oci_ref_copy(ref, &e->ref);
    /* registry-1.docker.io is docker.io's, and has its credentials */
    bool hub = strcmp(ref->host, OCI_DEFAULT_HOST) == 0 &&
               strcasecmp(at.host, "registry-1.docker.io") == 0;
    e->api_host = DR_TAKE(name);
    if (!hub) {
        free(e->ref.host);
        e->ref.host = dr_strdup(e->api_host);
    }
    return 0;
}

static int take_host(const char *url, const json_t *table, const char *dir,
                     const struct oci_ref *ref, struct endpoint *e, struct dr_error *err)
{
    const json_t *capabilities = dr_json_array(table, "capabilities");
    if (json_object_get(table, "header"))
        return dr_fail(err, DR_ERR_UNSUPPORTED,
                       "'header' is not supported: use `dray login` for credentials");
    e->insecure = dr_json_bool(table, "skip_verify");
    e->no_tags = !can(capabilities, "resolve");
    e->no_digests = !can(capabilities, "pull");
    if (take_cas(json_object_get(table, "ca"), dir, e, err) < 0 ||
        take_client(json_object_get(table, "client"), dir, e, err) < 0)
        return -1;
    if (!url) {
        oci_ref_copy(ref, &e->ref);
        return 0;
    }
    return take_url(url, dr_json_bool(table, "override_path"), ref, e, err);
}

static int take_file(const json_t *doc, const char *dir, const struct oci_ref *ref,
                     bool direct, struct route *route, struct dr_error *err)
{
    const json_t *hosts = dr_json_object(doc, "host");
    const char *url;
    json_t *table;
    json_object_foreach ((json_t *)hosts, url, table) {
        bool pulls = can(dr_json_array(table, "capabilities"), "pull");
        if (direct || !pulls) /* who only takes pushes has nothing for us */
            continue;
        struct endpoint *e = route_add(route, err);
        if (!e || take_host(url, table, dir, ref, e, err) < 0)
            return e ? dr_wrap(err, "host '%s'", url) : -1;
        e->mirror = true;
        e->ns = dr_strdup(ref->host);
    }
    struct endpoint *e = route_add(route, err);
    const char *server = direct ? NULL : dr_json_str(doc, "server");
    return e ? take_host(server, doc, dir, ref, e, err) : -1;
}

int route_from_hosts_toml(const struct oci_ref *ref, bool direct, struct route *route,
                          struct dr_error *err)
{
    dr_auto_free char *user = route_user_file("containerd/certs.d");
    const char *const places[] = {user, SYSTEM_DIR};
    const char *const names[] = {ref->host, "_default"};
    for (size_t i = 0; i < DR_COUNT(names); i++)
        for (size_t j = 0; j < DR_COUNT(places); j++) {
            dr_auto_json json_t *doc = NULL;
            dr_auto_free char *dir =
                places[j] ? dr_printf("%s/%s", places[j], names[i]) : dr_strdup("");
            dr_auto_free char *file = dr_printf("%s/hosts.toml", dir);
            int rc = *dir ? route_read_toml(file, &doc, err) : 0;
            if (rc == 1 && take_file(doc, dir, ref, direct, route, err) < 0)
                return dr_wrap(err, "%s", file);
            if (rc != 0)
                return rc;
        }
    return 0;
}
