/* SPDX-License-Identifier: Apache-2.0 */
/* A root file system, as one tar: out of an image or of a tarball, and a program more. */
#ifndef DRAY_HOST_ROOTFS_H
#define DRAY_HOST_ROOTFS_H

#include "host/target.h"

struct rootfs;

struct rootfs_options {
    /* An image (a reference, or a place as "oci:DIR") or the path of a tar. */
    const char *from;
    const char *platform, *cache_dir;             /* may be NULL */
    const struct dray_registry_options *registry; /* may be NULL */
    const char *program;      /* a file of this machine that is put in; NULL: none */
    const char *program_path; /* where, "usr/local/bin/crun" */
};

/* Everything that can be wrong with it is found here: nothing else has to be made first.
 * What is downloaded stays in the cache. *limits is borrowed until the end. */
int rootfs_open(const struct rootfs_options *options, const struct limits *limits,
                struct rootfs **ret, struct dr_error *err);
/* The whole tar, with its end. */
int rootfs_write(struct rootfs *rootfs,
                 int (*sink)(void *arg, const void *data, size_t len,
                             struct dr_error *err),
                 void *arg, struct dr_error *err);
void rootfs_close(struct rootfs *rootfs); /* NULL is fine */

#endif
