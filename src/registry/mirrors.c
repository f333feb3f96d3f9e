/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Mirrors (HAZARDS H4). What a tag means is said by the first one that answers, and from
 * then on everything is asked for by digest, so that it does not matter who sends it: a
 * blob that one cannot give comes from the next.
 */
#include "base/text.h"
#include "registry/internal.h"

struct registry *registry_endpoint(struct registry *reg, size_t index)
{
    return index < reg->n_mirrors ? reg->mirrors[index] : reg;
}

bool registry_next_may_help(const struct registry *reg, const struct dr_error *err)
{
    int64_t deadline = reg->options.deadline_ms;
    if (deadline && dr_clock_ms() >= deadline)
        return false;
    switch (err->kind) {
    case DR_ERR_CANCELLED:
    case DR_ERR_INTERNAL: /* the disk */
    case DR_ERR_CONFIG:   /* a broken credential helper must not be passed over */
        return false;
    default:
        return true;
    }
}

int registry_try(struct registry *reg, registry_ask *ask, void *arg, struct dr_error *err)
{
    dr_auto_error struct dr_error first = DR_ERROR_INIT;
    for (size_t i = 0; i <= reg->n_mirrors; i++) {
        struct registry *endpoint = registry_endpoint(reg, i);
        int rc = ask(endpoint, arg, err);
        if (rc >= 0) {
            reg->chosen = i;
            return rc;
        }
        if (i == reg->n_mirrors)
            break;
        dr_wrap(err, "mirror %s", endpoint->api_host);
        if (!registry_next_may_help(reg, err))
            return -1;
        if (first.kind == DR_ERR_NONE)
            dr_error_copy(&first, err);
        dr_error_release(err);
    }
    if (first.kind != DR_ERR_NONE) {
        struct dr_error last = *err;
        *err = DR_ERROR_INIT;
        dr_fail_at(err, last.origin, last.kind, last.code, "%s (before that, %.300s)",
                   last.text, first.text);
        dr_error_release(&last);
    }
    return -1;
}
