/* SPDX-License-Identifier: Apache-2.0 */
#include "guest/net/namespace.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <linux/rtnetlink.h>

#include "guest/net/link.h"

#define OWN "/proc/thread-self/ns/net"
#define LO 1 /* the first link of every namespace */

static int mount_at(const char *source, const char *path, struct dr_error *err)
{
    netns_drop(path);
    dr_auto_fd int file = open(path, O_RDONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (file < 0 || mount(source, path, NULL, MS_BIND, NULL) < 0)
        return dr_fail_errno(err, DR_ERR_NETWORK, "keep the network namespace at %s",
                             path);
    return 0;
}

/* In the new namespace. */
static int begin(const char *path, int *ret_fd, int *ret_socket, bool *ret_lo,
                 struct dr_error *err)
{
    struct nl_batch batch = {.len = 0};
    dr_auto_fd int fd = open(OWN, O_RDONLY | O_CLOEXEC);
    dr_auto_fd int link = -1;
    if (fd < 0)
        return dr_fail_errno(err, DR_ERR_NETWORK, "open the new network namespace");
    if ((link = nl_open(NETLINK_ROUTE, err)) < 0)
        return -1;
    link_set_up(&batch, LO, NULL, 0, false);
    *ret_lo = nl_run(link, &batch, err) == 0;
    if (!*ret_lo && err->code != EPERM)
        return dr_wrap(err, "lo");
    dr_error_release(err);
    if (mount_at(OWN, path, err) < 0)
        return -1;
    *ret_fd = DR_TAKE_FD(fd);
    *ret_socket = DR_TAKE_FD(link);
    return 0;
}

/* A thread that cannot come back would go on in the wrong network: that must not be. */
static void come_back(int fd)
{
    if (setns(fd, CLONE_NEWNET) < 0)
        abort();
}

int netns_make(const char *path, int *ret_fd, int *ret_socket, bool *ret_lo,
               struct dr_error *err)
{
    dr_auto_fd int before = open(OWN, O_RDONLY | O_CLOEXEC);
    if (before < 0 || unshare(CLONE_NEWNET) < 0)
        return dr_fail_errno(err, DR_ERR_NETWORK, "make a network namespace");
    int result = begin(path, ret_fd, ret_socket, ret_lo, err);
    come_back(before);
    return result;
}

int netns_borrow(const char *source, const char *path, struct dr_error *err)
{
    return mount_at(source, path, err);
}

int netns_socket(int ns_fd, int *ret_socket, struct dr_error *err)
{
    dr_auto_fd int before = open(OWN, O_RDONLY | O_CLOEXEC);
    if (before < 0 || setns(ns_fd, CLONE_NEWNET) < 0)
        return dr_fail_errno(err, DR_ERR_NETWORK, "enter the network namespace");
    int fd = nl_open(NETLINK_ROUTE, err);
    come_back(before);
    if (fd < 0)
        return -1;
    *ret_socket = fd;
    return 0;
}

void netns_drop(const char *path)
{
    umount2(path, MNT_DETACH);
}
