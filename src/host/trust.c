/* SPDX-License-Identifier: Apache-2.0 */
#include "host/trust.h"

#include "registry/policy.h"

int trust_archive(struct archive *archive, size_t image, const char *path,
                  const char *policy_file, struct dr_error *err)
{
    enum place_kind kind = archive_kind(archive);
    const struct policy_place place = {
        .transport = place_scheme(kind),
        .path = kind == PLACE_DOCKER_ARCHIVE ? NULL : path,
        .name = kind == PLACE_OCI ? archive_key(archive, image) : NULL};
    if (policy_check_place(&place, policy_file, err) == 0)
        return 0;
    char *const *names = archive_names(archive, image);
    const char *name = names[0] ? names[0] : archive_key(archive, image);
    return name ? dr_wrap(err, "%s: %s", path ? path : "the archive", name)
                : dr_wrap(err, "%s", path ? path : "the archive");
}

int trust_tarball(const char *policy_file, struct dr_error *err)
{
    const struct policy_place place = {.transport = "tarball"};
    return policy_check_place(&place, policy_file, err);
}
