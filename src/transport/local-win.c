/* SPDX-License-Identifier: Apache-2.0 */
/* Containers are Linux': this machine cannot be the target. */
#include "transport/far.h"

const char transport_default[] = "wsl://";

int transport_local(const char *root, struct transport *ret, struct dr_error *err)
{
    return dr_fail(
        err, DR_ERR_UNSUPPORTED,
        "local: is for Linux; on Windows a WSL2 distro is the target (wsl://), "
        "or another machine (ssh://HOST)");
}
