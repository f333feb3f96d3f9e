/* SPDX-License-Identifier: Apache-2.0 */
/* An image out of a container (commit). */
#ifndef DRAY_GUEST_FILES_COMMIT_H
#define DRAY_GUEST_FILES_COMMIT_H

#include "guest/container/record.h"

struct commit_options {
    const char *ref, *familiar; /* canonical name and how people write it; may be NULL */
    const char *author, *message;
    const char *const *changes; /* images/changes.h; may be NULL */
    bool pause;                 /* freeze it while its files are read */
};

/*
 * What the container changed becomes a layer on top of its image's, put like every other
 * layer; its config is the image's with what the container was made with. Nothing is
 * visible before the image is. *ret_id: the image's id, owned.
 */
int container_commit(struct guest *guest, const struct container *c,
                     const struct commit_options *options, struct wire_chan *chan,
                     char **ret_id, struct dr_error *err);

#endif
