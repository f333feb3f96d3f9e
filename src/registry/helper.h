/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Credential helpers, "docker-credential-<name>" on the PATH. Rule:
 * docker-credential-helpers: the verb is the only argument, what it is about stands on
 * stdin, the answer on stdout. 30 s, 64 KiB; secrets are on stdin only, and what a helper
 * prints is never shown, whether it failed or not.
 */
#ifndef DRAY_REGISTRY_HELPER_H
#define DRAY_REGISTRY_HELPER_H

#include "base/buf.h"

#define HELPER_OUTPUT_MAX (64 * 1024)
#define HELPER_DEADLINE_MS 30000

/*
 * verb: "get", "store", "erase" or "list". input: borrowed. ret_output: empty, born with
 * HELPER_OUTPUT_MAX; the caller overwrites it.
 * 1: done; 0: the helper says that it has no such credentials. -1 with DR_ERR_CONFIG: it
 * cannot be started, failed, or was not done in time.
 */
int helper_call(const char *name, const char *verb, const char *input,
                struct dr_buf *ret_output, struct dr_error *err);
/* The same with another deadline, for tests. */
int helper_call_within(const char *name, const char *verb, const char *input,
                       int deadline_ms, struct dr_buf *ret_output, struct dr_error *err);

#endif
