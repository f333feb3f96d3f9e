/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The layers of one pull on their way: one thread downloads into the host's blob cache, a
 * few others follow the growing blobs and send them across, each on a channel of its own.
 * Nothing waits for a whole layer, and the guest sees the end of a blob only after its
 * digest was verified here.
 */
#ifndef DRAY_HOST_PULL_LAYERS_H
#define DRAY_HOST_PULL_LAYERS_H

#include "archive/archive.h"
#include "host/target.h"
#include "oci/image.h"
#include "registry/registry.h"

struct transfer {
    size_t layer;              /* index in the manifest */
    struct store_fetch *fetch; /* NULL: it comes out of `range` */
    struct file_range range;
    atomic_bool loaded; /* the whole blob is verified on the host */
};

struct pull {
    struct dray_target *target;
    const struct dray_pull_options *options;
    struct limits limits; /* of what we send: `stop` gives it up */
    struct oci_image *image;
    struct registry *registry;
    struct archive *archive; /* borrowed; instead of a registry */
    struct transfer *transfers;
    size_t transfer_count;
    atomic_size_t next;       /* transfer that the next free sender takes */
    struct dray_cancel *stop; /* all of it: somebody failed, or the caller gave up */
    pthread_mutex_t lock;     /* progress, and the first error */
    struct dr_error error;
};

/* Progress, one step at a time, from any thread. */
void pull_tell(struct pull *pull, const struct dray_progress *step);
void pull_tell_layer(struct pull *pull, size_t layer, int what, int stage, int64_t done);
/* The registry's words about its index-th blob; context: the pull. */
void pull_on_blob(void *context, const struct registry_progress *progress);
void pull_on_wait(void *context, const char *why, int64_t wait_ms);

/* Asks which layers the target lacks, and makes a transfer of each. */
int pull_find_missing(struct pull *pull, struct store *store, struct dr_error *err);
/* Moves them, to a target with so many CPUs several at a time. */
int pull_move_layers(struct pull *pull, int64_t cpus, struct dr_error *err);
void pull_layers_release(struct pull *pull);

#endif
