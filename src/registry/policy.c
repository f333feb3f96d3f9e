/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/policy.h"

#include <errno.h>
#include <string.h>

#include "base/fs.h"
#include "base/text.h"
#include "registry/route.h"

#define SYSTEM_FILE "/etc/containers/policy.json"

void policy_release(struct policy *policy)
{
    json_decref(policy->requirements);
    free(policy->file);
    free(policy->scope);
    *policy = (struct policy){0};
}

/* --- checking --- */

static int only_members(const json_t *object, const char *const *allowed,
                        const char *where, struct dr_error *err)
{
    const char *key;
    json_t *unused;
    if (!json_is_object(object))
        return dr_fail(err, DR_ERR_CONFIG, "%s is no object", where);
    json_object_foreach ((json_t *)object, key, unused) {
        size_t i = 0;
        while (allowed[i] && strcmp(allowed[i], key) != 0)
            i++;
        if (!allowed[i]) {
            dr_auto_free char *safe = dr_escape(key, 60);
            return dr_fail(err, DR_ERR_CONFIG, "%s has an unknown member '%s'", where,
                           safe);
        }
    }
    return 0;
}

static int check_identity(const json_t *identity, struct dr_error *err)
{
    static const struct {
        const char *type, *first, *second;
    } types[] = {
        {"matchExact", NULL, NULL},
        {"matchRepoDigestOrExact", NULL, NULL},
        {"matchRepository", NULL, NULL},
        {"exactReference", "dockerReference", NULL},
        {"exactRepository", "dockerRepository", NULL},
        {"remapIdentity", "prefix", "signedPrefix"},
    };
    const char *type = dr_json_str(identity, "type");
    for (size_t i = 0; type && i < DR_COUNT(types); i++) {
        if (strcmp(types[i].type, type) != 0)
            continue;
        const char *allowed[] = {"type", types[i].first, types[i].second, NULL};
        for (size_t j = 1; j < 3 && allowed[j]; j++)
            if (!dr_json_str(identity, allowed[j]))
                return dr_fail(err, DR_ERR_CONFIG, "signedIdentity has no %s",
                               allowed[j]);
        return only_members(identity, allowed, "signedIdentity", err);
    }
    return dr_fail(err, DR_ERR_CONFIG, "signedIdentity has no type that is known");
}

static int check_sigstore(const json_t *requirement, struct dr_error *err)
{
    static const char *const allowed[] = {"type", "keyPath", "keyData", "signedIdentity",
                                          NULL};
    static const char *const later[] = {"fulcio",
                                        "rekorPublicKeyPath",
                                        "pki",
                                        "keyPaths",
                                        "keyDatas",
                                        "rekorPublicKeyData",
                                        "rekorPublicKeyPaths",
                                        "rekorPublicKeyDatas"};
    for (size_t i = 0; i < DR_COUNT(later); i++)
        if (json_object_get(requirement, later[i]))
            return dr_fail(err, DR_ERR_UNSUPPORTED,
                           "sigstoreSigned with '%s' is not supported: one key, as "
                           "keyPath or keyData, is",
                           later[i]);
    if (only_members(requirement, allowed, "sigstoreSigned", err) < 0)
        return -1;
    if (!dr_json_str(requirement, "keyPath") == !dr_json_str(requirement, "keyData"))
        return dr_fail(err, DR_ERR_CONFIG,
                       "sigstoreSigned needs one of keyPath and keyData");
    const json_t *identity = json_object_get(requirement, "signedIdentity");
    return identity ? check_identity(identity, err) : 0;
}

static int check_requirement(const json_t *requirement, struct dr_error *err)
{
    static const char *const type_only[] = {"type", NULL};
    const char *type = dr_json_str(requirement, "type");
    if (!type)
        return dr_fail(err, DR_ERR_CONFIG, "a requirement has no type");
    if (strcmp(type, "sigstoreSigned") == 0)
        return check_sigstore(requirement, err);
    if (strcmp(type, "signedBy") == 0)
        return dr_fail(err, DR_ERR_UNSUPPORTED,
                       "signedBy, signatures by GPG keys, is not supported; "
                       "sigstoreSigned with a key is");
    if (strcmp(type, "insecureAcceptAnything") != 0 && strcmp(type, "reject") != 0) {
        dr_auto_free char *safe = dr_escape(type, 60);
        return dr_fail(err, DR_ERR_CONFIG, "the requirement '%s' is not known", safe);
    }
    return only_members(requirement, type_only, type, err);
}

static int check_requirements(const json_t *list, struct dr_error *err)
{
    size_t i;
    json_t *requirement;
    if (!json_is_array(list) || json_array_size(list) == 0)
        return dr_fail(err, DR_ERR_CONFIG,
                       "its requirements are no array, or it is empty: write "
                       "[{\"type\":\"insecureAcceptAnything\"}] when you mean that");
    json_array_foreach (list, i, requirement)
        if (check_requirement(requirement, err) < 0)
            return -1;
    return 0;
}

/* --- choosing --- */

/* What a policy is asked about: the scopes that stand for it, the most specific one
 * first; the one of the whole transport, "", need not be among them. */
struct subject {
    const char *transport;
    char **scopes; /* owned, as its strings */
};

static void subject_release(struct subject *subject)
{
    dr_strv_free(subject->scopes);
}

/* From the whole reference by way of its namespaces and its host to "*.com". */
static void subject_of_ref(const struct oci_ref *ref, struct subject *ret)
{
    dr_auto_free char *whole = oci_ref_text(ref), *name = oci_ref_name(ref);
    *ret = (struct subject){.transport = "docker"};
    dr_strv_add(&ret->scopes, whole);
    for (char *slash = name; slash;) {
        dr_strv_add(&ret->scopes, name);
        slash = strrchr(name, '/');
        if (slash)
            *slash = '\0';
    }
    char *colon = strchr(name, ':');
    if (colon && name[0] != '[')
        *colon = '\0';
    for (const char *dot = strchr(name, '.'); dot; dot = strchr(dot + 1, '.')) {
        dr_auto_free char *wild = dr_printf("*%s", dot);
        dr_strv_add(&ret->scopes, wild);
    }
}

/* From the image by way of its directories; "/" itself is no scope. */
static void subject_of_place(const struct policy_place *place, struct subject *ret)
{
    dr_auto_free char *path = place->path ? dr_path_real(place->path) : NULL;
    *ret = (struct subject){.transport = place->transport};
    if (path && place->name) {
        dr_auto_free char *whole = dr_printf("%s:%s", path, place->name);
        dr_strv_add(&ret->scopes, whole);
    }
    while (path && path[0] == '/' && path[1]) {
        dr_strv_add(&ret->scopes, path);
        char *slash = strrchr(path, '/');
        slash[slash == path] = '\0';
    }
}

static const json_t *most_specific(const json_t *scopes, const struct subject *subject,
                                   struct policy *policy)
{
    for (char **p = subject->scopes; p && *p; p++) {
        const json_t *found = json_object_get(scopes, *p);
        if (found) {
            policy->scope = dr_strdup(*p);
            return found;
        }
    }
    return json_object_get(scopes, "");
}

static int choose(const json_t *doc, const struct subject *subject, struct policy *policy,
                  struct dr_error *err)
{
    static const char *const members[] = {"default", "transports", NULL};
    const json_t *transports = json_object_get(doc, "transports"), *list = NULL;
    if (only_members(doc, members, "it", err) < 0)
        return -1;
    if (!json_object_get(doc, "default"))
        return dr_fail(err, DR_ERR_CONFIG, "it has no default");
    if (transports && !json_is_object(transports))
        return dr_fail(err, DR_ERR_CONFIG, "transports is no object");
    const json_t *scopes = json_object_get(transports, subject->transport);
    if (scopes && !json_is_object(scopes))
        return dr_fail(err, DR_ERR_CONFIG, "%s is no object", subject->transport);
    if (scopes)
        list = most_specific(scopes, subject, policy);
    if (!list)
        list = json_object_get(doc, "default");
    if (!policy->scope)
        policy->scope = dr_strdup("");
    if (check_requirements(list, err) < 0)
        return *policy->scope ? dr_wrap(err, "scope '%s'", policy->scope) : -1;
    policy->requirements = json_incref((json_t *)list);
    size_t i;
    json_t *requirement;
    json_array_foreach (policy->requirements, i, requirement)
        if (strcmp(dr_json_str(requirement, "type"), "reject") == 0)
            return dr_fail(err, DR_ERR_PULL,
                           "it rejects what is in %s%s%s: change it if "
                           "you trust the image",
                           *policy->scope ? "'" : "no scope of its own", policy->scope,
                           *policy->scope ? "'" : "");
    return 0;
}

int policy_choose(const json_t *doc, const struct oci_ref *ref, struct policy *policy,
                  struct dr_error *err)
{
    DR_CLEANUP(subject_release) struct subject subject;
    subject_of_ref(ref, &subject);
    return choose(doc, &subject, policy, err);
}

/* There are signatures of images in registries only. */
static int no_signature(const struct policy *policy, const char *transport,
                        struct dr_error *err)
{
    if (!policy_wants_signature(policy))
        return 0;
    return dr_fail(err, DR_ERR_PULL,
                   "it asks for a signature, and an image of %s: has none that could be "
                   "checked: pull it from its registry",
                   transport);
}

int policy_choose_place(const json_t *doc, const struct policy_place *place,
                        struct policy *policy, struct dr_error *err)
{
    DR_CLEANUP(subject_release) struct subject subject;
    subject_of_place(place, &subject);
    return choose(doc, &subject, policy, err) < 0
               ? -1
               : no_signature(policy, place->transport, err);
}

/* The file that counts: 1, 0 when there is none. */
static int find_file(const char *file, json_t **ret_doc, char **ret_path,
                     struct dr_error *err)
{
    dr_auto_free char *user = route_user_file("containers/policy.json");
    const char *places[] = {file ? file : user, file ? NULL : SYSTEM_FILE};
    if (file && !*file)
        return 0;
    for (size_t i = 0; i < DR_COUNT(places); i++) {
        int rc = places[i] ? route_read(places[i], file != NULL, POLICY_MAX,
                                        dr_json_parse, ret_doc, err)
                           : 0;
        if (rc < 0)
            return dr_wrap(err, "the signature policy");
        if (rc > 0) {
            *ret_path = dr_strdup(places[i]);
            return 1;
        }
    }
    return 0;
}

/* For an image of a registry, or else of a place. */
static int find(const struct oci_ref *ref, const struct policy_place *place,
                const char *file, struct policy *policy, struct dr_error *err)
{
    dr_auto_json json_t *doc = NULL;
    int rc = find_file(file, &doc, &policy->file, err);
    if (rc <= 0)
        return rc;
    rc = ref ? policy_choose(doc, ref, policy, err)
             : policy_choose_place(doc, place, policy, err);
    return rc < 0 ? dr_wrap(err, "the signature policy %s", policy->file) : 0;
}

int policy_find(const struct oci_ref *ref, const char *file, struct policy *ret_policy,
                struct dr_error *err)
{
    dr_auto_policy struct policy policy = {0};
    if (find(ref, NULL, file, &policy, err) < 0)
        return -1;
    *ret_policy = policy;
    policy = (struct policy){0};
    return 0;
}

int policy_check_place(const struct policy_place *place, const char *file,
                       struct dr_error *err)
{
    dr_auto_policy struct policy policy = {0};
    return find(NULL, place, file, &policy, err);
}

bool policy_wants_signature(const struct policy *policy)
{
    size_t i;
    json_t *requirement;
    json_array_foreach (policy->requirements, i, requirement)
        if (strcmp(dr_json_str(requirement, "type"), "sigstoreSigned") == 0)
            return true;
    return false;
}

/* --- whom a signature is for --- */

/* A reference as it is, without a tag made up for it. */
struct named {
    char *name; /* "host/path", owned */
    char *rest; /* ":tag", "@digest" or "", owned */
};

static void named_release(struct named *named)
{
    free(named->name);
    free(named->rest);
}

static bool named_parse(const char *text, struct named *ret)
{
    dr_auto_error struct dr_error ignored = DR_ERROR_INIT;
    dr_auto_ref struct oci_ref ref = OCI_REF_INIT;
    if (oci_ref_parse(text, &ref, &ignored) < 0)
        return false;
    ret->name = oci_ref_name(&ref);
    const char *last = strrchr(text, '/'), *end = last ? last : text;
    ret->rest = dr_strdup(end + strcspn(end, ":@"));
    return true;
}

/* The prefix of a name, at its end or before a slash. */
static bool below(const char *name, const char *prefix)
{
    size_t n = strlen(prefix);
    return strncmp(name, prefix, n) == 0 && (!name[n] || name[n] == '/');
}

static int not_for(const char *signed_for, const char *wanted, bool name_only,
                   struct dr_error *err)
{
    dr_auto_free char *safe = dr_escape(signed_for, 200);
    return dr_fail(err, DR_ERR_PULL, "it is a signature for %s, not for %s%s", safe,
                   wanted,
                   name_only ? " (cosign names the repository only: the policy's "
                               "signedIdentity must be matchRepository then)"
                             : "");
}

int policy_identity(const json_t *requirement, const struct oci_ref *ref,
                    const char *docker_reference, struct dr_error *err)
{
    const json_t *identity = json_object_get(requirement, "signedIdentity");
    const char *type =
        identity ? dr_json_str(identity, "type") : "matchRepoDigestOrExact";
    DR_CLEANUP(named_release) struct named is = {0};
    DR_CLEANUP(named_release) struct named exact = {0};
    dr_auto_free char *name = oci_ref_name(ref);
    bool digest = ref->digest.text[0] != '\0';
    dr_auto_free char *rest =
        digest ? dr_printf("@%s", ref->digest.text) : dr_printf(":%s", ref->tag);
    bool repository = strcmp(type, "matchRepository") == 0 ||
                      strcmp(type, "exactRepository") == 0 ||
                      (digest && strcmp(type, "matchExact") != 0 &&
                       strcmp(type, "exactReference") != 0);
    const char *fixed = dr_json_str(identity, "dockerReference");
    if (!fixed)
        fixed = dr_json_str(identity, "dockerRepository");
    if (fixed) {
        if (!named_parse(fixed, &exact))
            return dr_fail(err, DR_ERR_CONFIG,
                           "the policy's signedIdentity '%s' is no reference", fixed);
        free(name);
        free(rest);
        name = DR_TAKE(exact.name);
        rest = DR_TAKE(exact.rest);
    }
    const char *prefix = dr_json_str(identity, "prefix");
    if (prefix && below(name, prefix)) {
        char *moved = dr_printf("%s%s", dr_json_str(identity, "signedPrefix"),
                                name + strlen(prefix));
        free(name);
        name = moved;
    }
    dr_auto_free char *wanted = dr_printf("%s%s", name, repository ? "" : rest);
    if (!named_parse(docker_reference, &is))
        return not_for(docker_reference, wanted, false, err);
    bool same_name = strcmp(is.name, name) == 0;
    if (!same_name || (!repository && strcmp(is.rest, rest) != 0))
        return not_for(docker_reference, wanted, same_name && !*is.rest, err);
    return 0;
}
