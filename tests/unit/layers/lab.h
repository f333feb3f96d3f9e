/* SPDX-License-Identifier: Apache-2.0 */
/* A layer store in a temporary directory, and tars to put into it. */
#ifndef DRAY_TESTS_LAYERS_LAB_H
#define DRAY_TESTS_LAYERS_LAB_H

#include "guest/layers/layers.h"
#include "tarball.h"

struct lab {
    char root[64];
    struct layer_store *store;
    struct oci_digest id; /* of the last put */
};
int lab_setup(void **state);    /* *state is a struct lab */
int lab_teardown(void **state); /* also checks that tmp/ is empty */

/* Puts the tar (ended with tarball_end here) as it is. */
int lab_put(struct lab *lab, struct tarball *t, struct layer_stats *stats,
            struct dr_error *err);
/* Any bytes under any diff id. chunk: bytes per read, 0 for as many as fit. */
int lab_put_bytes(struct lab *lab, const struct oci_digest *id, const char *media_type,
                  const void *data, size_t len, size_t chunk, struct layer_stats *stats,
                  struct dr_error *err);
/* Entries of layers/tmp. */
int lab_leftovers(struct lab *lab);
/* A path in the layer that was put last; static buffer. */
const char *lab_path(struct lab *lab, const char *path);

/* The last layer's tar, made again. */
int lab_get(struct lab *lab, struct dr_buf *ret, struct dr_error *err);

/* Also gets it again, and the bytes are the same. */
void put_ok(struct lab *lab, struct tarball *t);
/* Fails with kind and text, and leaves nothing. */
void put_fails(struct lab *lab, struct tarball *t, enum dr_kind kind, const char *text);
/* A file of the last layer has this content. */
void content_is(struct lab *lab, const char *path, const char *want);
bool there(struct lab *lab, const char *path);
bool is_whiteout(struct lab *lab, const char *path);
bool is_opaque(struct lab *lab, const char *path);

#endif
