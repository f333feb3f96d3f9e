/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The local target: the helper is a child process. It is started by its content-addressed
 * path; "not found" makes us put it there and start again — the same steps that ssh and
 * wsl.exe take.
 */
#include "transport/transport.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "base/fs.h"
#include "base/text.h"
#include "guest_blob.h"

extern char **environ;

static char *helper_path(const char *root)
{
    return dr_printf("%s/bin/%s/dray-guest", root, GUEST_BLOB_SHA256);
}

/* Written beside its place, synced and renamed: a crash leaves no half helper under the
 * path that promises its hash. */
static int install_helper(const char *root, struct dr_error *err)
{
    dr_auto_free char *path = helper_path(root);
    dr_auto_free char *dir = dr_strdup(path);
    *strrchr(dir, '/') = '\0';
    if (dr_mkdir_all(dir, 0755, err) < 0 ||
        dr_file_write(AT_FDCWD, path, guest_blob_start, GUEST_BLOB_SIZE, 0755,
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

static int spawn(const char *path, struct transport *ret, struct dr_error *err)
{
    int in[2] = {-1, -1}, out[2] = {-1, -1};
    /* what we write to is a socket: a helper that is gone raises no SIGPIPE then */
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, in) < 0 ||
        pipe2(out, O_CLOEXEC) < 0) {
        dr_fail_errno(err, DR_ERR_NONE, "make a pipe");
        dr_cleanup_fd(&in[0]);
        dr_cleanup_fd(&in[1]);
        return -1;
    }
    /* few and large reads and writes; a refusal changes nothing */
    setsockopt(in[1], SOL_SOCKET, SO_SNDBUFFORCE, &(int){1 << 20}, sizeof(int));
    fcntl(out[0], F_SETPIPE_SZ, 1 << 20);
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attr;
    sigset_t none, defaults;
    sigemptyset(&none);
    sigemptyset(&defaults);
    sigaddset(&defaults, SIGPIPE);
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, in[0], 0);
    posix_spawn_file_actions_adddup2(&actions, out[1], 1);
    posix_spawnattr_init(&attr);
    posix_spawnattr_setsigmask(&attr, &none);
    posix_spawnattr_setsigdefault(&attr, &defaults);
    /* a session of its own: Ctrl-C on the terminal is for us to pass on, not for it */
    posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF |
                                        POSIX_SPAWN_SETSID);
    char *argv[] = {(char *)"dray-guest", (char *)"serve", NULL};
    int rc = posix_spawn(&ret->pid, path, &actions, &attr, argv, environ);
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attr);
    close(in[0]);
    close(out[1]);
    if (rc != 0) {
        close(in[1]);
        close(out[0]);
        errno = rc;
        return dr_fail_errno(err, DR_ERR_NONE, "start %s", path);
    }
    ret->read_fd = out[0];
    ret->write_fd = in[1];
    ret->spawn_count++;
    return 0;
}

int transport_open(const char *target, const char *root, struct transport *ret,
                   struct dr_error *err)
{
    *ret = (struct transport){.read_fd = -1, .write_fd = -1, .pid = -1};
    if (target && strcmp(target, "local") != 0 && strcmp(target, "local:") != 0)
        return dr_fail(err, DR_ERR_UNSUPPORTED,
                       "target '%s' is not supported yet: use local: (or none)", target);
    dr_auto_free char *path = helper_path(root);
    dr_auto_error struct dr_error missing = DR_ERROR_INIT;
    if (spawn(path, ret, &missing) == 0)
        return 0;
    if (missing.code != ENOENT && missing.code != EACCES && missing.code != ENOTDIR)
        return dr_error_move(err, &missing);
    if (install_helper(root, err) < 0)
        return -1;
    if (spawn(path, ret, err) == 0)
        return 0;
    if (err->code == EACCES) {
        err->kind = DR_ERR_CONFIG;
        return dr_wrap(err, "%s does not allow programs (noexec?): choose another --root",
                       root);
    }
    return -1;
}

int transport_close(struct transport *transport, int wait_ms)
{
    if (transport->pid <= 0)
        return -1;
    int status = -1;
    int fd = (int)syscall(SYS_pidfd_open, transport->pid, 0);
    struct pollfd wait = {.fd = fd, .events = POLLIN};
    if (fd >= 0 && poll(&wait, 1, wait_ms) == 0)
        kill(transport->pid, SIGKILL);
    if (fd >= 0)
        close(fd);
    while (waitpid(transport->pid, &status, 0) < 0 && errno == EINTR)
        ;
    transport->pid = -1;
    return status;
}
