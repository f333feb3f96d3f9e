/* SPDX-License-Identifier: Apache-2.0 */
/* Failures whose reason can be looked up: youki gives five lines for them that name none,
 * and runc's "no such file" of a working directory reads as if it were the command's. */
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/text.h"
#include "guest/runtime/runtime.h"

/* What a runtime has of processes beside the container's at the most. */
#define PIDS_NEEDED 8

static bool says(const struct dr_error *err, const char *const *words)
{
    for (; *words; words++)
        if (strstr(err->text, *words) || (err->output && strstr(err->output, *words)))
            return true;
    return false;
}

/* The runtime's name, status and words stay as they are (C32). */
static void replace(struct dr_error *err, enum dr_kind kind, const char *text)
{
    dr_auto_free char *output = DR_TAKE(err->output), *program = DR_TAKE(err->program);
    int status = err->status;
    dr_fail_at(err, DR_AT_GUEST, kind, 0, "%s", text);
    err->output = DR_TAKE(output);
    err->program = DR_TAKE(program);
    err->status = status;
}

/* ENOENT, ENOTDIR; 0: it is there, or cannot be looked at */
static int look_at_directory(int root, const char *path)
{
    struct open_how how = {.flags = O_PATH | O_DIRECTORY | O_CLOEXEC,
                           .resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS};
    dr_auto_fd int fd = (int)syscall(SYS_openat2, root, path, &how, sizeof how);
    return fd < 0 && (errno == ENOENT || errno == ENOTDIR) ? errno : 0;
}

static bool blame_directory(const struct runtime_blame *blame, struct dr_error *err)
{
    static const char *const words[] = {"chdir", "cwd", "mkdir", NULL};
    int why = blame->root >= 0 && blame->cwd && says(err, words)
                  ? look_at_directory(blame->root, blame->cwd)
                  : 0;
    if (!why)
        return false;
    dr_auto_free char *shown = dr_escape(blame->cwd, 200);
    dr_auto_free char *text =
        why == ENOENT
            ? dr_printf("the working directory %s is not there in the container; make it "
                        "first, or take another one",
                        shown)
            : dr_printf("the working directory %s is no directory in the container; take "
                        "another one",
                        shown);
    replace(err, DR_ERR_INVALID, text);
    return true;
}

static bool blame_pids(const struct runtime *runtime, const struct runtime_blame *blame,
                       struct dr_error *err)
{
    static const char *const words[] = {"fork", "clone", "temporarily unavailable",
                                        "connection reset", NULL};
    int64_t left = blame->pids_limit - blame->pids;
    if (blame->pids_limit <= 0 || left >= PIDS_NEEDED || !says(err, words))
        return false;
    dr_auto_free char *text =
        dr_printf("the container's limit of %lld processes leaves no room for what %s "
                  "needs beside the command; give it a larger --pids-limit",
                  (long long)blame->pids_limit, runtime->traits->name);
    replace(err, DR_ERR_CONFLICT, text);
    return true;
}

static bool blame_device(const struct runtime *runtime, const struct runtime_blame *blame,
                         struct dr_error *err)
{
    static const char *const words[] = {"mknod", NULL};
    size_t i;
    json_t *mount;
    json_array_foreach ((json_t *)blame->mounts, i, mount) {
        const char *at = dr_json_str(mount, "destination");
        if (!at || strncmp(at, "/dev/", 5) != 0 || strcmp(at, "/dev/pts") == 0 ||
            strcmp(at, "/dev/shm") == 0 || strcmp(at, "/dev/mqueue") == 0 ||
            !says(err, words))
            continue;
        dr_auto_free char *shown = dr_escape(at, 200);
        dr_auto_free char *text =
            dr_printf("there cannot be a mount at %s: %s makes devices of its own there; "
                      "mount it elsewhere, or use crun or runc",
                      shown, runtime->traits->name);
        replace(err, DR_ERR_UNSUPPORTED, text);
        return true;
    }
    return false;
}

void runtime_explain(const struct runtime *runtime, const struct runtime_blame *blame,
                     struct dr_error *err)
{
    if (err->origin == DR_AT_RUNTIME && !blame_directory(blame, err) &&
        !blame_pids(runtime, blame, err))
        blame_device(runtime, blame, err);
}
