/* SPDX-License-Identifier: Apache-2.0 */
/* One blob on its way into the registry: what is asked next, and what an answer means. */
#ifndef DRAY_REGISTRY_UPLOAD_H
#define DRAY_REGISTRY_UPLOAD_H

#include "registry/exchange.h"
#include "registry/push.h"

enum upload_phase {
    UPLOAD_QUEUED,
    UPLOAD_LOOK,   /* HEAD of the blob */
    UPLOAD_MOUNT,  /* POST …/uploads/?mount= */
    UPLOAD_FOUND,  /* looked, and tried to mount: over when that was all */
    UPLOAD_START,  /* POST …/uploads/ */
    UPLOAD_SEND,   /* PATCH, a piece or all of it */
    UPLOAD_STATUS, /* GET of the session: where is it? */
    UPLOAD_COMMIT, /* PUT */
    UPLOAD_DONE,
};

struct upload {
    struct registry *reg;
    struct registry_blob *blob;
    size_t index;
    bool looking; /* only whether it is there */
    enum upload_phase phase;
    struct exchange exchange;
    char *path, *content_range; /* owned: what the exchange asks for */
    char *session;              /* owned: the URL where it goes on */
    size_t mount;               /* next of blob->mounts */
    int64_t offset;             /* the registry has so much */
    int64_t piece;              /* at most so much in one request */
    int64_t best;               /* largest offset so far */
    int tries;
    int64_t progress_ms, not_before_ms;
    enum upload_phase after; /* what to do then */
    struct dr_error read_error;
    int64_t told_ms;
};

void upload_release(struct upload *u);
/* Begins; phase is QUEUED. */
int upload_begin(struct upload *u, struct dr_error *err);
/* Looks what became of it; phase FOUND or DONE: over. */
int upload_step(struct upload *u, struct dr_error *err);

#endif
