/* SPDX-License-Identifier: Apache-2.0 */
/* Does the signature policy trust what is in files? Registries see to it themselves. */
#ifndef DRAY_HOST_TRUST_H
#define DRAY_HOST_TRUST_H

#include "archive/archive.h"
#include "host/target.h"

/* path: of the archive, NULL when it came through a pipe. policy_file: see policy.h.
 * DR_ERR_PULL says what the policy has against it. */
int trust_archive(struct archive *archive, size_t image, const char *path,
                  const char *policy_file, struct dr_error *err);
/* A tarball that becomes an image. */
int trust_tarball(const char *policy_file, struct dr_error *err);

#endif
