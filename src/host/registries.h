/* SPDX-License-Identifier: Apache-2.0 */
/* How registries are talked to (C08): from dray.h's options to the client's. */
#ifndef DRAY_HOST_REGISTRIES_H
#define DRAY_HOST_REGISTRIES_H

#include "dray.h"
#include "registry/registry.h"

/* A copy that owns its strings; from may be NULL. DR_ERR_INVALID: a user without a
 * password. */
int registries_copy(const struct dray_registry_options *from,
                    struct dray_registry_options *ret, struct dr_error *err);
/* Overwrites the password before it is freed. */
void registries_release(struct dray_registry_options *options);

/* Fills in what `to` may know of them: from the call's (may be NULL), member by member
 * else from the target's (may be NULL). Strings stay the caller's. */
int registries_options(const struct dray_registry_options *call,
                       const struct dray_registry_options *target,
                       struct registry_options *to, struct dr_error *err);

/* Tells a caller's progress callback of a wait, as registry_options.waiting does. */
void registries_tell_wait(void (*progress)(void *arg, const struct dray_progress *step),
                          void *arg, const char *why, int64_t wait_ms);

#endif
