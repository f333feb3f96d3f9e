/* SPDX-License-Identifier: Apache-2.0 */
/* Static, run inside a container by run-bundles: what does the seccomp filter really say?
 */
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/personality.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

static void show(const char *what, long result)
{
    printf("%s=%s\n", what, result >= 0 ? "ok" : strerrorname_np(errno));
}

static long forked(unsigned long flags)
{
    fflush(stdout);
    long child = syscall(SYS_clone, flags | SIGCHLD, 0, 0, 0, 0);
    if (child == 0)
        _exit(0);
    return child;
}

int main(void)
{
    char clone3_args[64] = {0};
    show("inet", socket(AF_INET, SOCK_STREAM, 0));
    show("unix", socket(AF_UNIX, SOCK_STREAM, 0));
    show("alg", socket(38, SOCK_SEQPACKET, 0));
    show("vsock", socket(40, SOCK_STREAM, 0));
    show("personality-ask", syscall(SYS_personality, 0xffffffffUL));
    show("personality-norandom", syscall(SYS_personality, ADDR_NO_RANDOMIZE));
    show("mount", mount("t", "/tmp", "tmpfs", 0, NULL));
    show("chroot", chroot("/"));
    show("unshare-user", syscall(SYS_unshare, CLONE_NEWUSER));
    show("clone-net", forked(CLONE_NEWNET));
    show("clone3", syscall(SYS_clone3, clone3_args, 0));
    show("keyctl", syscall(SYS_keyctl, 0, 0, 0, 0, 0));
    show("bpf", syscall(SYS_bpf, 0, NULL, 0));
    show("io_uring", syscall(SYS_io_uring_setup, 1, NULL));
    show("fork", forked(0));
    return 0;
}
