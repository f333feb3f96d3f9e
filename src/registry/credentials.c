/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/credentials.h"

#include <string.h>

#include "base/text.h"
#include "registry/credentials-file.h"
#include "registry/helper.h"

static void forget(char *secret)
{
    if (secret)
        explicit_bzero(secret, strlen(secret));
    free(secret);
}

void credentials_release(struct credentials *credentials)
{
    forget(credentials->user);
    forget(credentials->password);
    forget(credentials->identity_token);
    *credentials = (struct credentials){0};
}

/* "user:password", decoded. Owned parts. */
static int split_auth(const char *base64, struct credentials *ret, struct dr_error *err)
{
    char *raw = dr_base64_decode(base64);
    char *colon = raw ? strchr(raw, ':') : NULL;
    if (!colon || colon == raw) {
        forget(raw);
        return dr_fail(err, DR_ERR_CONFIG,
                       "an 'auth' in it is not base64 of user:password");
    }
    ret->user = dr_strndup(raw, (size_t)(colon - raw));
    ret->password = dr_strdup(colon + 1);
    forget(raw);
    return 0;
}

/* "https://host/v1/" and so on are Docker's older keys. */
size_t credentials_key_rank(const char *key, const char *host, const char *path)
{
    const char *p = strstr(key, "://");
    bool url = p != NULL;
    p = p ? p + 3 : key;
    size_t n = strlen(host);
    bool hub = strcmp(host, OCI_DEFAULT_HOST) == 0;
    if (hub && strcmp(key, DOCKER_HUB_KEY) == 0)
        return 2;
    if (hub && strncmp(p, "index.docker.io", 15) == 0 && (!p[15] || p[15] == '/'))
        return 1;
    if (strncmp(p, host, n) != 0)
        return 0;
    if (!p[n])
        return url ? 3 : 4;
    if (p[n] != '/')
        return 0;
    if (url || !p[n + 1])
        return 3; /* the path of a URL is the API's, not a repository's */
    size_t len = strlen(p + n + 1);
    if (strncmp(p + n + 1, path, len) == 0 && (!path[len] || path[len] == '/'))
        return 4 + len;
    return 0;
}

static json_t *best_entry(const json_t *table, const struct oci_ref *ref)
{
    json_t *best = NULL, *value;
    size_t best_rank = 0;
    const char *key;
    json_object_foreach ((json_t *)table, key, value) {
        size_t rank = credentials_key_rank(key, ref->host, ref->path);
        if (rank > best_rank) {
            best = value;
            best_rank = rank;
        }
    }
    return best;
}

int credentials_from_entry(const json_t *entry, struct credentials *ret,
                           struct dr_error *err)
{
    const char *auth = dr_json_str(entry, "auth"), *user = dr_json_str(entry, "username");
    const char *password = dr_json_str(entry, "password");
    const char *token = dr_json_str(entry, "identitytoken");
    dr_auto_credentials struct credentials found = {0};
    if (auth && *auth) {
        if (split_auth(auth, &found, err) < 0)
            return -1;
    } else if (user && *user && password) {
        found.user = dr_strdup(user);
        found.password = dr_strdup(password);
    }
    if (token && *token)
        found.identity_token = dr_strdup(token);
    if (!found.user && !found.identity_token)
        return 0; /* Docker leaves an empty entry behind when a helper holds the secret */
    *ret = found;
    found = (struct credentials){0};
    return 1;
}

int credentials_from_helper(const char *helper, const char *server,
                            struct credentials *ret, struct dr_error *err)
{
    dr_auto_buf struct dr_buf output = DR_BUF_INIT(HELPER_OUTPUT_MAX);
    dr_auto_error struct dr_error ignored = DR_ERROR_INIT;
    dr_auto_free char *input = dr_printf("%s\n", server);
    int rc = helper_call(helper, "get", input, &output, err);
    if (rc == 1) {
        const char *bytes = output.data ? output.data : "";
        dr_auto_json json_t *doc =
            dr_json_parse(bytes, output.len, HELPER_OUTPUT_MAX, &ignored);
        const char *user = dr_json_str(doc, "Username");
        const char *secret = dr_json_str(doc, "Secret");
        if (!user || !secret) {
            rc = dr_fail(err, DR_ERR_CONFIG,
                         "the credential helper docker-credential-%s gave no Username "
                         "and Secret",
                         helper);
        } else if (!*secret) {
            rc = 0;
        } else if (strcmp(user, "<token>") == 0) {
            ret->identity_token = dr_strdup(secret);
        } else {
            ret->user = dr_strdup(user);
            ret->password = dr_strdup(secret);
        }
    }
    if (output.data)
        explicit_bzero(output.data, output.len);
    return rc;
}

const char *credentials_file_helper(const json_t *doc, const struct oci_ref *ref,
                                    bool *ret_own)
{
    json_t *own = best_entry(dr_json_object(doc, "credHelpers"), ref);
    const char *name = json_string_value(own);
    *ret_own = own != NULL;
    if (!name)
        name = dr_json_str(doc, "credsStore");
    return name && *name ? name : NULL;
}

char *credentials_key(const struct oci_ref *ref)
{
    if (strcmp(ref->host, OCI_DEFAULT_HOST) == 0 && !*ref->path)
        return dr_strdup(DOCKER_HUB_KEY);
    return credentials_registry_text(ref);
}

static int from_document(const json_t *doc, const struct oci_ref *ref,
                         struct credentials *ret, struct dr_error *err)
{
    bool own;
    const char *helper = credentials_file_helper(doc, ref, &own);
    if (helper) {
        struct oci_ref host = {.host = ref->host, .path = (char[]){""}};
        dr_auto_free char *server = credentials_key(&host);
        int rc = credentials_from_helper(helper, server, ret, err);
        if (rc != 0 || own)
            return rc;
    }
    const json_t *entry = best_entry(dr_json_object(doc, "auths"), ref);
    return entry ? credentials_from_entry(entry, ret, err) : 0;
}

int credentials_find(const struct oci_ref *ref, const char *auth_file,
                     struct credentials *ret_credentials, struct dr_error *err)
{
    bool must_exist;
    dr_auto_strv char **places = credentials_places(auth_file, &must_exist);
    for (size_t i = 0; places[i]; i++) {
        dr_auto_json json_t *doc = NULL;
        int rc = credentials_file_read(places[i], must_exist, &doc, err);
        if (rc == 1)
            rc = from_document(doc, ref, ret_credentials, err);
        if (rc < 0)
            return dr_wrap(err, "credentials: %s", places[i]);
        if (rc == 1)
            return 1;
    }
    return 0;
}
