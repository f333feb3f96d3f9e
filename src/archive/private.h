/* SPDX-License-Identifier: Apache-2.0 */
/* Shared by the files of src/archive only. */
#ifndef DRAY_ARCHIVE_PRIVATE_H
#define DRAY_ARCHIVE_PRIVATE_H

#include "archive/archive.h"

struct archive_image {
    struct oci_descriptor descriptor; /* of its manifest or index; not of docker's */
    char *key;                        /* its ref.name, or NULL */
    char **names;
    char *config;  /* docker's: the files' names */
    char **layers; /* base first */
};

/* docker's: a layer that was resolved, by the digest that its descriptor got. */
struct archive_layer {
    struct oci_digest digest;
    char *name;
};

struct archive {
    enum place_kind kind;
    struct files *files;
    char *shown; /* for messages */
    struct archive_image *images;
    size_t n;
    struct archive_layer *layers;
    size_t n_layers;
};

struct archive_image *archive_add_image(struct archive *archive);
void archive_add_name(struct archive_image *image, const char *name);

/* docker.c */
int archive_open_docker(struct archive *archive, struct dr_error *err);
int archive_resolve_docker(struct archive *archive, const struct archive_image *image,
                           struct oci_image *ret, struct dr_error *err);

#endif
