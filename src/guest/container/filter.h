/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The seccomp profile, compiled. libseccomp takes 10 to 15 ms for Docker's default
 * profile, more than all the rest of a start. crun leaves the compiled filter in its
 * state directory and takes one from an annotation; so the first container's is kept in
 * <root>/cache/seccomp/<key>.bpf. The key is the profile, the runtime's program and the
 * kernel, whoever changes makes another filter.
 */
#ifndef DRAY_GUEST_CONTAINER_FILTER_H
#define DRAY_GUEST_CONTAINER_FILTER_H

#include "guest/guest.h"
#include "guest/runtime/runtime.h"

/* Where the compiled filter of this config.json is or goes, owned; NULL when the runtime
 * takes none, or there is no profile. */
char *filter_path(const struct guest *guest, const struct runtime *runtime,
                  const json_t *config);
/* Puts it into config's annotations when it is there. */
void filter_use(const char *path, json_t *config);
/* Keeps the filter that the runtime compiled, when none is kept yet. */
void filter_keep(const char *path, const char *state_root, const char *id);

#endif
