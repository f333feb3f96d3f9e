/* SPDX-License-Identifier: Apache-2.0 */
/* Login and logout: credentials into files and helpers, and out of them again. */
#include <string.h>

#include "base/text.h"
#include "registry/credentials-file.h"
#include "registry/helper.h"

/* --- helpers --- */

static int helper_store(const char *helper, const char *server,
                        const struct credentials *c, struct dr_error *err)
{
    dr_auto_buf struct dr_buf output = DR_BUF_INIT(HELPER_OUTPUT_MAX);
    dr_auto_json json_t *doc = json_object();
    dr_json_set_str(doc, "ServerURL", server);
    dr_json_set_str(doc, "Username", c->identity_token ? "<token>" : c->user);
    dr_json_set_str(doc, "Secret", c->identity_token ? c->identity_token : c->password);
    char *input = json_dumps(doc, JSON_COMPACT); /* its own copy: overwritten below */
    int rc = input ? helper_call(helper, "store", input, &output, err)
                   : dr_fail(err, DR_ERR_INVALID,
                             "user name and password must be UTF-8 for a helper");
    if (input)
        explicit_bzero(input, strlen(input));
    free(input);
    return rc < 0 ? -1 : 0;
}

/* 1: it was there; 0: it was not. */
static int helper_erase(const char *helper, const char *server, struct dr_error *err)
{
    dr_auto_credentials struct credentials there = {0};
    dr_auto_buf struct dr_buf output = DR_BUF_INIT(HELPER_OUTPUT_MAX);
    dr_auto_free char *input = dr_printf("%s\n", server);
    int rc = credentials_from_helper(helper, server, &there, err);
    return rc == 1 ? helper_call(helper, "erase", input, &output, err) : rc;
}

/* The servers that it has something for; owned. NULL with err. */
static char **helper_list(const char *helper, struct dr_error *err)
{
    dr_auto_buf struct dr_buf output = DR_BUF_INIT(HELPER_OUTPUT_MAX);
    dr_auto_error struct dr_error ignored = DR_ERROR_INIT;
    int rc = helper_call(helper, "list", "\n", &output, err);
    if (rc < 0)
        return NULL;
    dr_auto_json json_t *doc = dr_json_parse(output.data ? output.data : "", output.len,
                                             HELPER_OUTPUT_MAX, &ignored);
    if (rc == 1 && !json_is_object(doc)) {
        dr_fail(err, DR_ERR_CONFIG,
                "the credential helper docker-credential-%s gave no list", helper);
        return NULL;
    }
    char **servers = dr_alloc(sizeof *servers);
    const char *key;
    json_t *unused;
    json_object_foreach (doc, key, unused)
        dr_strv_add(&servers, key);
    return servers;
}

/* --- files --- */

struct entry {
    const struct oci_ref *ref;             /* NULL: every registry */
    const struct credentials *credentials; /* NULL: a helper has them */
    char **erased;                         /* what was there */
};

/* Is it the key of the very registry, in whatever spelling? */
static bool same_registry(const char *key, const struct oci_ref *ref)
{
    struct oci_ref host = {.host = ref->host, .path = (char[]){""}};
    if (*ref->path) {
        dr_auto_free char *own = credentials_key(ref);
        return strcmp(own, key) == 0;
    }
    return credentials_key_rank(key, host.host, host.path) > 0;
}

static void erase_entries(json_t *auths, struct entry *e)
{
    void *next;
    const char *key;
    json_t *value;
    json_object_foreach_safe(auths, next, key, value)
    {
        if (e->ref && !same_registry(key, e->ref))
            continue;
        dr_strv_add(&e->erased, key);
        json_object_del(auths, key);
    }
}

static int put_entry(void *arg, json_t *doc, struct dr_error *err)
{
    struct entry *e = arg;
    const struct credentials *c = e->credentials;
    dr_auto_free char *key = credentials_key(e->ref);
    json_t *auths = dr_json_object(doc, "auths");
    if (!auths) {
        auths = json_object();
        dr_json_set(doc, "auths", auths);
    }
    /* members that are not ours to know (an e-mail address) stay */
    json_t *entry = json_incref(json_object_get(auths, key));
    if (!json_is_object(entry)) {
        json_decref(entry);
        entry = json_object();
    }
    erase_entries(auths, e);
    static const char *const secret[] = {"auth", "username", "password", "identitytoken",
                                         "registrytoken"};
    for (size_t i = 0; i < DR_COUNT(secret); i++)
        json_object_del(entry, secret[i]);
    if (c) {
        char *pair = dr_printf("%s:%s", c->user, c->identity_token ? "" : c->password);
        char *base64 = dr_base64(pair, strlen(pair));
        dr_json_set_str(entry, "auth", base64);
        dr_json_set_str(entry, "identitytoken", c->identity_token);
        explicit_bzero(pair, strlen(pair));
        explicit_bzero(base64, strlen(base64));
        free(pair);
        free(base64);
    }
    dr_json_set(auths, key, entry);
    return 1;
}

static int erase_entry(void *arg, json_t *doc, struct dr_error *err)
{
    struct entry *e = arg;
    json_t *auths = dr_json_object(doc, "auths");
    if (auths)
        erase_entries(auths, e);
    return dr_strv_len(e->erased) > 0;
}

/* --- both --- */

/* Does the file say anything of this registry? */
static bool knows(const json_t *doc, const struct oci_ref *ref)
{
    bool own;
    const char *key;
    json_t *unused;
    credentials_file_helper(doc, ref, &own);
    json_object_foreach (dr_json_object(doc, "auths"), key, unused)
        if (same_registry(key, ref))
            return true;
    return own;
}

/* Where a login goes, so that it is found first; owned. *ret_doc: what stands there. */
static char *choose_file(const struct oci_ref *ref, const char *auth_file,
                         json_t **ret_doc, struct dr_error *err)
{
    bool named;
    dr_auto_strv char **places = credentials_places(auth_file, &named);
    dr_auto_free char *docker = credentials_docker_file();
    const char *chosen = named ? places[0] : docker;
    for (size_t i = 0; places[i]; i++) {
        dr_auto_json json_t *doc = NULL;
        if (credentials_file_read(places[i], false, &doc, err) < 0) {
            dr_wrap(err, "credentials: %s", places[i]);
            return NULL;
        }
        bool first = !named && doc && knows(doc, ref);
        if (first)
            chosen = places[i];
        if (chosen && strcmp(chosen, places[i]) == 0) {
            json_decref(*ret_doc);
            *ret_doc = json_incref(doc);
        }
        if (first)
            break;
    }
    if (!chosen)
        dr_fail(err, DR_ERR_CONFIG,
                "there is no place for credentials: neither HOME nor DOCKER_CONFIG nor "
                "REGISTRY_AUTH_FILE is set");
    return dr_strdup(chosen);
}

int credentials_store(const struct oci_ref *ref, const char *auth_file,
                      const struct credentials *credentials, char **ret_where,
                      char **ret_helper, struct dr_error *err)
{
    dr_auto_json json_t *doc = NULL;
    dr_auto_free char *file = choose_file(ref, auth_file, &doc, err);
    bool own;
    if (!file)
        return -1;
    const char *helper = credentials_file_helper(doc, ref, &own);
    struct entry e = {.ref = ref, .credentials = helper ? NULL : credentials};
    if (helper && *ref->path)
        return dr_fail(err, DR_ERR_UNSUPPORTED,
                       "credentials: %s: the helper %s keeps credentials for whole "
                       "registries only: log in to %s",
                       file, helper, ref->host);
    if (helper) {
        dr_auto_free char *server = credentials_key(ref);
        if (helper_store(helper, server, credentials, err) < 0)
            return dr_wrap(err, "credentials: %s", file);
    }
    int rc = credentials_file_change(file, put_entry, &e, err);
    dr_strv_free(e.erased);
    if (rc < 0)
        return dr_wrap(err, "credentials: %s", file);
    *ret_helper = helper ? dr_printf("docker-credential-%s", helper) : NULL;
    *ret_where = DR_TAKE(file);
    return 0;
}

/* "r.io" and "https://r.io/v1/" are one, and Docker's hub is docker.io. */
static void add_removed(char ***removed, const char *key, const char *file)
{
    dr_auto_error struct dr_error ignored = DR_ERROR_INIT;
    dr_auto_ref struct oci_ref ref = OCI_REF_INIT;
    dr_auto_free char *name = credentials_registry_parse(key, &ref, &ignored) == 0
                                  ? credentials_registry_text(&ref)
                                  : dr_strdup(key);
    dr_auto_free char *line = dr_printf("%s in %s", name, file);
    for (size_t i = 0; *removed && (*removed)[i]; i++)
        if (strcmp((*removed)[i], line) == 0)
            return;
    dr_strv_add(removed, line);
}

static int erase_in_helper(const char *helper, const struct oci_ref *ref,
                           const char *file, char ***removed, struct dr_error *err)
{
    dr_auto_strv char **servers = NULL;
    if (ref) {
        dr_auto_free char *key = credentials_key(ref);
        dr_strv_add(&servers, key);
    } else if (!(servers = helper_list(helper, err))) {
        return -1;
    }
    for (size_t i = 0; servers[i]; i++) {
        int rc = helper_erase(helper, servers[i], err);
        if (rc < 0)
            return -1;
        if (rc == 1)
            add_removed(removed, servers[i], file);
    }
    return 0;
}

/* Everybody's helper, and those of single hosts. */
static int erase_in_helpers(const json_t *doc, const struct oci_ref *ref,
                            const char *file, char ***removed, struct dr_error *err)
{
    const char *host, *store = dr_json_str(doc, "credsStore");
    json_t *name;
    bool own;
    if (ref) {
        const char *helper = credentials_file_helper(doc, ref, &own);
        return helper && !*ref->path ? erase_in_helper(helper, ref, file, removed, err)
                                     : 0;
    }
    if (store && *store && erase_in_helper(store, NULL, file, removed, err) < 0)
        return -1;
    json_object_foreach (dr_json_object(doc, "credHelpers"), host, name) {
        dr_auto_ref struct oci_ref one = OCI_REF_INIT;
        const char *helper = json_string_value(name);
        if (helper && *helper &&
            (credentials_registry_parse(host, &one, err) < 0 ||
             erase_in_helper(helper, &one, file, removed, err) < 0))
            return -1;
    }
    return 0;
}

int credentials_erase(const struct oci_ref *ref, const char *auth_file,
                      char ***ret_removed, struct dr_error *err)
{
    bool named;
    dr_auto_strv char **places = credentials_places(auth_file, &named);
    for (size_t i = 0; places[i]; i++) {
        dr_auto_json json_t *doc = NULL;
        struct entry e = {.ref = ref};
        int rc = credentials_file_read(places[i], named, &doc, err);
        if (rc == 1)
            rc = erase_in_helpers(doc, ref, places[i], ret_removed, err) < 0 ||
                         credentials_file_change(places[i], erase_entry, &e, err) < 0
                     ? -1
                     : 1;
        for (size_t j = 0; e.erased && e.erased[j]; j++)
            add_removed(ret_removed, e.erased[j], places[i]);
        dr_strv_free(e.erased);
        if (rc < 0)
            return dr_wrap(err, "credentials: %s", places[i]);
    }
    return 0;
}
