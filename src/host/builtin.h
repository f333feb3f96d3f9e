/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The image that dray carries: `dray run hello` needs no registry and no network. It is
 * one static program; its layer, config and manifest are made here, the same bytes each
 * time.
 */
#ifndef DRAY_HOST_BUILTIN_H
#define DRAY_HOST_BUILTIN_H

#include "base/buf.h"
#include "oci/ref.h"

/* The reference that means it: hello, that is docker.io/library/hello:latest. */
bool builtin_is(const struct oci_ref *ref);

struct builtin_image {
    struct dr_buf layer; /* tar, not compressed */
    struct oci_digest diff_id;
    char *manifest, *config; /* owned */
};

/* arch: the guest's, e.g. "amd64". DR_ERR_UNSUPPORTED when the program is for another. */
int builtin_make(const char *arch, struct builtin_image *ret, struct dr_error *err);
void builtin_release(struct builtin_image *image);

#endif
