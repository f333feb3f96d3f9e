/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The images of a target: references → manifest, config and layers. Kept as
 * <root>/images/<config hex>/{manifest,config,refs.json}; removing and sweeping run under
 * <root>/images/.lock. Which layers are in use is derived from the images and containers
 * that are there, never stored.
 */
#ifndef DRAY_GUEST_IMAGES_IMAGES_H
#define DRAY_GUEST_IMAGES_IMAGES_H

#include "base/buf.h"
#include "guest/guest.h"
#include "oci/digest.h"

struct image {
    char *id;     /* config digest, "sha256:…" */
    char *digest; /* manifest digest */
    char *ref;    /* the reference by which it was found; the first one when by id; may be
                     NULL */
    char **refs;  /* all canonical references */
    char **names; /* the same, as people write them */
    json_t *config; /* the image config document, byte for byte what the id says */
    json_t *manifest;
    struct oci_digest *diff_ids; /* base first */
    size_t diff_id_count;
    int64_t size_bytes; /* of the unpacked layers */
};

/* By canonical reference, image id, or a prefix of an id (at least one hex digit) that is
 * unique. DR_ERR_NOT_FOUND "image … is not on this target"; DR_ERR_INVALID when a prefix
 * is ambiguous. The caller releases. */
int image_lookup(struct guest *guest, const char *ref, struct image *ret,
                 struct dr_error *err);
void image_release(struct image *image);
/* Both documents byte for byte, into buffers that bound them. */
int image_documents(struct guest *guest, const struct image *image,
                    struct dr_buf *ret_manifest, struct dr_buf *ret_config,
                    struct dr_error *err);

/*
 * Stores manifest and config under ref (NULL: only by id), after checking that config is
 * what the manifest says and that every layer is here. A ref that pointed elsewhere
 * moves.
 */
int image_put(struct guest *guest, const char *ref, const char *name,
              const char *manifest, size_t manifest_len, const char *config,
              size_t config_len, char **ret_id, struct dr_error *err);

/* Every image; the callback borrows. Stops when it returns non-zero. */
int image_each(struct guest *guest, int (*each)(void *arg, const struct image *image),
               void *arg, struct dr_error *err);

/* Untags ref, or removes by id; removes image and layers that nothing else uses. Arrays
 * of texts, references of the caller's. DR_ERR_CONFLICT: a container uses it (and not
 * force), or an id has several names. */
int image_remove(struct guest *guest, const char *ref, bool force, json_t **ret_untagged,
                 json_t **ret_deleted, struct dr_error *err);

/* ref becomes a name of the image that `image` names; whoever had it loses it. name: as
 * people write it. */
int image_tag(struct guest *guest, const char *image, const char *ref, const char *name,
              struct dr_error *err);

struct prune_filter;
/* Removes images that no container uses and (not all) that have no name, then the layers
 * that nothing uses. As image_remove; *ret_bytes: what the layers took. */
int image_prune(struct guest *guest, bool all, const struct prune_filter *filter,
                json_t **ret_untagged, json_t **ret_deleted, int64_t *ret_bytes,
                struct dr_error *err);

/* Held shared by whoever makes something that refers to layers (a container), so that no
 * sweep takes them away in between; exclusive by the sweep. Returns the lock's fd. */
int image_lock(struct guest *guest, bool exclusive, int *ret_fd, struct dr_error *err);

/* Exclusive lock held: deletes what a crash left half-made. */
void image_sweep_tmp(struct guest *guest);
/* Replaces refs.json in an image's directory. names[i] is how people write refs[i]. */
int image_write_refs(const char *dir, const char *digest, char *const *refs,
                     char *const *names, struct dr_error *err);

#endif
