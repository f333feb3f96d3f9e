/* SPDX-License-Identifier: Apache-2.0 */
/*
 * "$E:NAME" and "$S:NAME" in a text: from the environment of whoever brings the
 * deployment up, and from a file of secrets. Directly before "E:" or "S:" two dollar
 * signs stand for one; everywhere else a dollar sign is itself.
 */
#ifndef DRAY_DEPLOY_REFS_H
#define DRAY_DEPLOY_REFS_H

#include "deploy/read.h"

/* KEY=VALUE lines: values as they stand, '#' begins a comment line. Errors name file and
 * line, never a value. *ret: NULL-terminated, owned. */
int deploy_secrets_read(const char *path, char ***ret, struct dr_error *err);

/*
 * *ret_value: with every reference replaced. *ret_written: the same text with secrets
 * still as references, and dollar signs doubled where that is needed, so that it gives
 * the value again. Both owned. What is missing is an error. secrets may be NULL.
 */
int deploy_refs_expand(const struct deploy_sources *sources, char *const *secrets,
                       const char *text, char **ret_value, char **ret_written,
                       struct dr_error *err);
/* text so that deploy_refs_expand() gives it back; owned. */
char *deploy_refs_escape(const char *text);

#endif
