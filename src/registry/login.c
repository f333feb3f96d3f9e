/* SPDX-License-Identifier: Apache-2.0 */
/* Is a user who they say? Asked at /v2/, as Docker does. */
#include <errno.h>
#include <string.h>

#include "registry/internal.h"

#define ANSWER_MAX (64 * 1024) /* bytes; what it says is of no interest */

static int ask(struct registry *reg, struct dr_error *err)
{
    DR_CLEANUP(exchange_release)
    struct exchange x = {.reg = reg, .path = "/v2/", .body_max = ANSWER_MAX};
    if (exchange_run(&x, err) == 0)
        return 0;
    if (err->kind == DR_ERR_NOT_FOUND)
        return dr_fail_at(err, DR_AT_REGISTRY, DR_ERR_PULL, 404,
                          "there is no registry (/v2/ is not known there): check the "
                          "name");
    return -1;
}

int registry_login(const struct oci_ref *ref, const struct registry_options *options,
                   char **ret_user, char **ret_identity_token, struct dr_error *err)
{
    struct registry *reg;
    dr_auto_credentials struct credentials c = {0};
    if (!options->user) {
        int found = credentials_find(ref, options->auth_file, &c, err);
        if (found < 0 && err->code != ENOENT)
            return -1;
        if (found < 0) /* a login will make it */
            dr_error_release(err);
        if (found <= 0)
            return dr_fail(err, DR_ERR_NOT_FOUND, "there are no credentials for %s",
                           ref->host);
    }
    struct registry_options direct = *options;
    direct.direct = true;
    if (registry_open(ref, &direct, &reg, err) < 0)
        return -1;
    free(reg->familiar);
    reg->familiar = credentials_registry_text(ref);
    reg->auth.login = true;
    pthread_mutex_lock(&reg->lock);
    int rc = ask(reg, err);
    pthread_mutex_unlock(&reg->lock);
    if (rc == 0) {
        const char *user = options->user ? options->user : c.user;
        *ret_user = dr_strdup(user ? user : "<token>");
        *ret_identity_token = DR_TAKE(reg->auth.identity_token);
    } else {
        dr_wrap(err, "%s", reg->familiar);
    }
    registry_close(reg);
    return rc;
}
