/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The local target: the helper is a child process. It is started by its content-addressed
 * path; "not found" makes us put it there and start again — the same steps that ssh and
 * wsl.exe take.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "base/fs.h"
#include "transport/far.h"
#include "transport/helpers.h"
#include "transport/process.h"

const char transport_default[] = "local:";

/* The first one is this machine's. */
static char *helper_path(const char *root)
{
    return dr_printf("%s/bin/%s/dray-guest", root, helpers[0].sha256);
}

/* Written beside its place, synced and renamed: a crash leaves no half helper under the
 * path that promises its hash. */
static int install_helper(const char *root, struct dr_error *err)
{
    dr_auto_free char *path = helper_path(root);
    dr_auto_free char *dir = dr_strdup(path);
    *strrchr(dir, '/') = '\0';
    if (dr_mkdir_all(dir, 0755, err) < 0 ||
        dr_file_write(AT_FDCWD, path, helpers[0].data, helpers[0].size, 0755,
                      DR_WRITE_SYNC, err) < 0) {
        enum dr_kind kind =
            err->code == EACCES || err->code == EPERM || err->code == EROFS
                ? DR_ERR_CONFIG
                : DR_ERR_INTERNAL;
        err->kind = kind;
        if (geteuid() != 0)
            return dr_fail(
                err, DR_ERR_CONFIG,
                "running containers needs root and this is uid %u: run dray as root, "
                "for example with sudo",
                geteuid());
        return dr_wrap(err, "install the helper");
    }
    return 0;
}

static int spawn(const char *path, const char *how, struct transport *ret,
                 struct dr_error *err)
{
    const char *argv[] = {"dray-guest", "serve", how, NULL};
    struct process_options options = {
        .path = path, .argv = argv, .apart = true, .words_fd = -1};
    return process_start(&options, ret, err);
}

int transport_local(const char *root, struct transport *ret, struct dr_error *err)
{
    dr_auto_free char *path = helper_path(root);
    dr_auto_error struct dr_error missing = DR_ERROR_INIT;
    if (spawn(path, NULL, ret, &missing) == 0)
        return 0;
    if (missing.code != ENOENT && missing.code != EACCES && missing.code != ENOTDIR)
        return dr_error_move(err, &missing);
    if (install_helper(root, err) < 0)
        return -1;
    if (spawn(path, "fresh", ret, err) == 0)
        return 0;
    if (err->code == EACCES) {
        err->kind = DR_ERR_CONFIG;
        return dr_wrap(err, "%s does not allow programs (noexec?): choose another --root",
                       root);
    }
    return -1;
}
