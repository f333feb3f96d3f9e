/* SPDX-License-Identifier: Apache-2.0 */
/* Who the user is to registries (C08). No target is needed for it. */
#include <string.h>

#include "base/json.h"
#include "host/registries.h"
#include "host/target.h"
#include "registry/credentials.h"

static int login(const struct oci_ref *ref, const struct registry_options *options,
                 json_t *reply, struct dr_error *err)
{
    dr_auto_free char *user = NULL, *token = NULL, *where = NULL, *helper = NULL;
    if (registry_login(ref, options, &user, &token, err) < 0)
        return -1;
    struct credentials c = {.user = (char *)options->user,
                            .password = (char *)options->password,
                            .identity_token = token};
    /* what was taken from a file is there already */
    int rc = options->user
                 ? credentials_store(ref, options->auth_file, &c, &where, &helper, err)
                 : 0;
    if (token)
        explicit_bzero(token, strlen(token));
    dr_json_set_str(reply, "user", user);
    dr_json_set_str(reply, "file", where);
    dr_json_set_str(reply, "helper", helper);
    return rc;
}

int dray_registry_login(const char *registry, const struct dray_registry_options *options,
                        const struct dray_call *call, char **ret_json,
                        struct dray_error **ret_err)
{
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    dr_auto_ref struct oci_ref ref = OCI_REF_INIT;
    dr_auto_json json_t *reply = json_object();
    struct limits limits = limits_of(call, DEFAULT_TIMEOUT_MS);
    struct registry_options ro = {.deadline_ms = limits.deadline_ms,
                                  .cancel =
                                      limits.cancel ? &limits.cancel->triggered : NULL};
    int rc = credentials_registry_parse(registry ? registry : "", &ref, &err);
    if (rc == 0)
        rc = registries_options(options, NULL, &ro, &err);
    if (rc == 0)
        rc = login(&ref, &ro, reply, &err);
    if (rc == 0 && ret_json) {
        dr_auto_free char *name = credentials_registry_text(&ref);
        dr_json_set_str(reply, "registry", name);
        *ret_json = dr_json_text(reply);
    }
    return api_end(rc, &err, ret_err);
}

int dray_registry_logout(const char *registry,
                         const struct dray_registry_options *options, char **ret_json,
                         struct dray_error **ret_err)
{
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    dr_auto_ref struct oci_ref ref = OCI_REF_INIT;
    dr_auto_strv char **removed = NULL;
    struct registry_options ro = {0};
    int rc = registry ? credentials_registry_parse(registry, &ref, &err) : 0;
    if (rc == 0)
        rc = registries_options(options, NULL, &ro, &err);
    if (rc == 0)
        rc = credentials_erase(registry ? &ref : NULL, ro.auth_file, &removed, &err);
    if (rc == 0 && ret_json) {
        dr_auto_json json_t *reply = json_object();
        dr_json_set(reply, "removed", dr_json_from_strv(removed));
        *ret_json = dr_json_text(reply);
    }
    return api_end(rc, &err, ret_err);
}
