/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where an image is or shall be, as podman and skopeo write it:
 *     alpine, docker://alpine            a registry (or, where one is meant, the target)
 *     oci:DIR[:NAME]                     an OCI layout
 *     oci-archive:FILE[:NAME]            the same as a tar
 *     docker-archive:FILE[:REFERENCE]    as `docker save` writes it
 *     dir:DIR                            one image: manifest.json and its blobs
 * NAME: the org.opencontainers.image.ref.name or the image's name in there, or "@N", the
 * N-th image, from 0.
 */
#ifndef DRAY_ARCHIVE_PLACE_H
#define DRAY_ARCHIVE_PLACE_H

#include <stdbool.h>

#include "base/error.h"

enum place_kind {
    PLACE_REFERENCE,
    PLACE_OCI,
    PLACE_OCI_ARCHIVE,
    PLACE_DOCKER_ARCHIVE,
    PLACE_DIR
};

struct place {
    enum place_kind kind;
    char *path; /* owned; of a reference: its text */
    char *name; /* owned, or NULL */
};

#define dr_auto_place DR_CLEANUP(place_release)
void place_release(struct place *place);

/*
 * "oci:latest" and "dir:1" may also be references. always: they are places, as in skopeo
 * and podman. Else, where people name images first of all: only when there is a '/' in
 * the path, something of that name, or another colon. DR_ERR_INVALID names the text.
 */
int place_parse(const char *text, bool always, struct place *ret, struct dr_error *err);
/* "oci-archive", … */
const char *place_scheme(enum place_kind kind);

#endif
