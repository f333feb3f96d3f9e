/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/credentials.h"

#include <string.h>

#include "base/fs.h"
#include "base/json.h"
#include "base/text.h"

#define AUTH_FILE_MAX (1u << 20)
#define DOCKER_HUB_KEY "https://index.docker.io/v1/"

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

/* Is `key` of an auths table the entry for host/path? Its rank: the longer the better, 0
 * when it is not. "https://host/v1/" and so on are Docker's older keys. */
static size_t key_rank(const char *key, const char *host, const char *path)
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

static json_t *best_entry(json_t *table, const struct oci_ref *ref)
{
    json_t *best = NULL, *value;
    size_t best_rank = 0;
    const char *key;
    json_object_foreach (table, key, value) {
        size_t rank = key_rank(key, ref->host, ref->path);
        if (rank > best_rank) {
            best = value;
            best_rank = rank;
        }
    }
    return best;
}

static int from_entry(json_t *entry, struct credentials *ret, struct dr_error *err)
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

static int from_file(const char *path, bool must_exist, const struct oci_ref *ref,
                     struct credentials *ret, struct dr_error *err)
{
    dr_auto_buf struct dr_buf buf = DR_BUF_INIT(AUTH_FILE_MAX);
    dr_auto_error struct dr_error problem = DR_ERROR_INIT;
    if (dr_file_read(AT_FDCWD, path, &buf, &problem) < 0) {
        if (!must_exist && problem.kind == DR_ERR_NOT_FOUND)
            return 0;
        dr_error_move(err, &problem);
        err->kind = DR_ERR_CONFIG;
        return dr_wrap(err, "credentials");
    }
    dr_auto_json json_t *doc =
        dr_json_parse(buf.data ? buf.data : "", buf.len, AUTH_FILE_MAX, &problem);
    explicit_bzero(buf.data, buf.len);
    if (!json_is_object(doc)) {
        /* jansson's words may quote the file */
        return dr_fail(err, DR_ERR_CONFIG,
                       "credentials: %s is not a JSON object: correct it", path);
    }
    bool hub = strcmp(ref->host, OCI_DEFAULT_HOST) == 0;
    json_t *helper = best_entry(dr_json_object(doc, "credHelpers"), ref);
    const char *name = json_string_value(helper);
    if (!name)
        name = dr_json_str(doc, "credsStore");
    int rc;
    if (name && *name) {
        rc = credentials_from_helper(name, hub ? DOCKER_HUB_KEY : ref->host, ret, err);
        if (rc != 0 || helper)
            return rc < 0 ? dr_wrap(err, "credentials: %s", path) : rc;
    }
    json_t *entry = best_entry(dr_json_object(doc, "auths"), ref);
    rc = entry ? from_entry(entry, ret, err) : 0;
    return rc < 0 ? dr_wrap(err, "credentials: %s", path) : rc;
}

/* "<value of variable>/<tail>", or with `otherwise` below the home directory. */
static char *place(const char *variable, const char *otherwise, const char *tail)
{
    const char *base = getenv(variable), *home = getenv("HOME");
    if (base && *base)
        return dr_printf("%s/%s", base, tail);
    if (otherwise && home && *home)
        return dr_printf("%s/%s/%s", home, otherwise, tail);
    return NULL;
}

int credentials_find(const struct oci_ref *ref, const char *auth_file,
                     struct credentials *ret_credentials, struct dr_error *err)
{
    if (!auth_file)
        auth_file = getenv("REGISTRY_AUTH_FILE");
    if (auth_file)
        return *auth_file ? from_file(auth_file, true, ref, ret_credentials, err) : 0;
    char *places[] = {
        place("XDG_RUNTIME_DIR", NULL, "containers/auth.json"),
        place("XDG_CONFIG_HOME", ".config", "containers/auth.json"),
        place("DOCKER_CONFIG", ".docker", "config.json"),
    };
    int rc = 0;
    for (size_t i = 0; i < DR_COUNT(places); i++) {
        if (rc == 0 && places[i])
            rc = from_file(places[i], false, ref, ret_credentials, err);
        free(places[i]);
    }
    return rc;
}
