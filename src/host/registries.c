/* SPDX-License-Identifier: Apache-2.0 */
#include "host/registries.h"

#include <string.h>

#include "host/target.h"

/* Every text of the options, so that a new one is one row. */
static const size_t texts[] = {
    offsetof(struct dray_registry_options, user),
    offsetof(struct dray_registry_options, password),
    offsetof(struct dray_registry_options, auth_file),
    offsetof(struct dray_registry_options, ca_file),
    offsetof(struct dray_registry_options, cert_dir),
    offsetof(struct dray_registry_options, signature_policy),
    offsetof(struct dray_registry_options, token_servers),
};

static const char **text(struct dray_registry_options *options, size_t i)
{
    return (const char **)(void *)((char *)options + texts[i]);
}

static int take(const struct dray_registry_options *from,
                struct dray_registry_options *to, struct dr_error *err)
{
    if (API_COPY(to, from, err) < 0)
        return dr_wrap(err, "registry options");
    if (!to->user != !to->password)
        return dr_fail(err, DR_ERR_INVALID,
                       "registry options: user and password belong together, and only "
                       "the %s is given",
                       to->user ? "user" : "password");
    return 0;
}

int registries_copy(const struct dray_registry_options *from,
                    struct dray_registry_options *ret, struct dr_error *err)
{
    struct dray_registry_options copy = {0};
    if (take(from, &copy, err) < 0)
        return -1;
    for (size_t i = 0; i < DR_COUNT(texts); i++)
        *text(&copy, i) = dr_strdup(*text(&copy, i));
    *ret = copy;
    return 0;
}

void registries_release(struct dray_registry_options *options)
{
    if (options->password)
        explicit_bzero((char *)options->password, strlen(options->password));
    for (size_t i = 0; i < DR_COUNT(texts); i++)
        free((char *)*text(options, i));
    *options = (struct dray_registry_options){0};
}

static void tell_wait(void *context, const char *why, int64_t wait_ms)
{
    const struct dray_registry_options *call = context;
    registries_tell_wait(call->progress, call->progress_arg, why, wait_ms);
}

int registries_options(const struct dray_registry_options *call,
                       const struct dray_registry_options *target,
                       struct registry_options *to, struct dr_error *err)
{
    struct dray_registry_options own = {0}, defaults = {0};
    if (take(call, &own, err) < 0)
        return -1;
    if (target)
        defaults = *target;
    if (own.auth_file) /* it says who one is, for this call */
        defaults.user = defaults.password = NULL;
    for (size_t i = 0; i < DR_COUNT(texts); i++)
        if (!*text(&own, i))
            *text(&own, i) = *text(&defaults, i);
    to->user = own.user;
    to->password = own.password;
    to->auth_file = own.auth_file;
    to->ca_file = own.ca_file;
    to->cert_dir = own.cert_dir;
    to->policy_file = own.signature_policy;
    to->token_servers =
        own.token_servers ? own.token_servers : getenv("DRAY_TOKEN_SERVERS");
    to->insecure = own.insecure || defaults.insecure;
    if (own.progress && !to->waiting) {
        to->waiting = tell_wait;
        to->context = (void *)(uintptr_t)call;
    }
    return 0;
}

void registries_tell_wait(void (*progress)(void *arg, const struct dray_progress *step),
                          void *arg, const char *why, int64_t wait_ms)
{
    struct dray_progress step = {
        .size = sizeof step, .why = why, .wait_ms = wait_ms, .what = DRAY_PROGRESS_RETRY};
    if (progress)
        progress(arg, &step);
}
