/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The guest's layer store: one directory per diff id below "<root>/layers", in overlayfs
 * form (whiteouts are character devices 0:0, opaque directories carry
 * trusted.overlay.opaque), shared by every image and container.
 *
 * This header is the seam: callers know that a layer is put from a tar stream, verified,
 * listed, stacked and removed; that it is a directory is known only behind it.
 *
 *     <root>/layers/<hex>/fs      the tree           <hex>/meta   JSON, see layer_meta
 *     <root>/layers/<hex>/split   how its tar is made again (split.h), and lost/, what
 * that needs and the tree has no more <root>/layers/<hex>/notes   what a stack has to
 * know (stack.c); only when needed <root>/layers/<hex>-<chain> metadata for directories
 * that the layers of one stack use without bringing them (stack.c); goes with <hex>
 *     <root>/layers/tmp/<random>  in work; whoever works on it holds flock(2) on it
 *
 * Rules: HAZARDS H1 (unpacking), H5 I1 (write, syncfs, rename, fsync of the directory),
 * CONTRACT C10 and C14, image-spec layer.md.
 */
#ifndef DRAY_GUEST_LAYERS_LAYERS_H
#define DRAY_GUEST_LAYERS_LAYERS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/error.h"
#include "oci/digest.h"

/* Thread-safe. Several processes may have the same store open. */
struct layer_store;

/*
 * root: the state directory, "/var/lib/dray" say; "<root>/layers" and "<root>/layers/tmp"
 * are made when they are missing.
 */
int layer_store_open(const char *root, struct layer_store **ret, struct dr_error *err);
void layer_store_close(struct layer_store *store); /* NULL is fine */

/* Is the layer committed? Costs one system call. */
bool layer_store_has(struct layer_store *store, const struct oci_digest *diff_id);

/* What one layer may cost, beside the free space of the disk. */
struct layer_limits {
    int64_t tar_bytes; /* uncompressed; default 256 GiB */
    int64_t entries;   /* default 4,000,000 */
};
/* Call it before the first layer_put. 0 keeps a default. */
void layer_store_limit(struct layer_store *store, const struct layer_limits *limits);

/*
 * Gives up to len compressed bytes; 0 at the end, -1 with err filled. May block. It is
 * called from the thread that called layer_put. To cancel a put, make it fail. len 0
 * asks just that, while another put of the same layer is waited for: 0, or -1.
 * LAYER_STALLED: nothing came for a while, and it is to be called again; nobody waits for
 * this put any more.
 */
#define LAYER_STALLED ((ssize_t)-2)
typedef ssize_t (*layer_read_fn)(void *arg, void *buf, size_t len, struct dr_error *err);

struct layer_stats {
    int64_t compressed_bytes; /* taken from read */
    int64_t tar_bytes;        /* after inflating, padding behind the tar included */
    int64_t entries;          /* headers in the tar, whiteouts included */
    int64_t disk_bytes;       /* what it takes on the disk, rounded to blocks of 4 KiB */
    int64_t skipped_devices;  /* device nodes are never made */
    bool existed; /* it was there, or came meanwhile: all of this is of its meta */
};

/*
 * Makes a layer out of a stream: inflates, verifies the diff id, unpacks, commits.
 * media_type: of the descriptor; NULL or "" when unknown. The bytes themselves decide
 * between gzip, zstd and plain tar where they differ from it (C10).
 * A layer that exists already is a success, and its input is not read. The same layer put
 * several times at once, by threads or processes: one makes it, the others wait for that
 * one, and take over when it fails or stalls.
 * ret (may be NULL) is written on success.
 *
 * Errors: whatever read failed with; DR_ERR_FORMAT for bytes that are no such archive or
 * break a rule of HAZARDS H1; DR_ERR_UNSUPPORTED for a media type, a compression or an
 * entry that cannot be kept; DR_ERR_PULL when the diff id is another; DR_ERR_INTERNAL
 * with code ENOSPC when the disk is full. Nothing is left behind after a failure.
 * Memory: about 2 MiB (and the window of a zstd stream, at most 128 MiB), and two
 * threads, one of them the caller's.
 */
int layer_put(struct layer_store *store, const struct oci_digest *diff_id,
              const char *media_type, layer_read_fn read, void *arg,
              struct layer_stats *ret, struct dr_error *err);

/* Takes bytes; -1 with err ends it all. */
typedef int (*layer_write_fn)(void *arg, const void *data, size_t len,
                              struct dr_error *err);
/*
 * The tar that a layer was made of, byte by byte, out of its tree. It is hashed on the
 * way: success means that what was written has the diff id; what was written before a
 * failure is worth nothing. Errors: DR_ERR_NOT_FOUND; DR_ERR_UNSUPPORTED for a layer that
 * was not recorded (made by an older dray, or more than split.h's limits);
 * DR_ERR_INTERNAL when its files were changed; what write failed with.
 */
int layer_get(struct layer_store *store, const struct oci_digest *diff_id,
              layer_write_fn write, void *arg, struct dr_error *err);

/* What is known of a committed layer. DR_ERR_NOT_FOUND when it is not there; a meta file
 * of a later version is DR_ERR_UNSUPPORTED (never deleted, HAZARDS I2). */
int layer_meta(struct layer_store *store, const struct oci_digest *diff_id,
               struct layer_stats *ret, struct dr_error *err);

/*
 * The directories for an overlay mount of the layers diff_ids[0..n-1], base first as in
 * an image config.
 */
struct layer_stack {
    char *
        *lowers; /* NULL-terminated, the TOPMOST first, as lowerdir= wants it; absolute */
    /* Owner, mode and times that "/" has in this stack. Overlayfs takes them from the
     * upper directory, so whoever makes one has to set them there. */
    uid_t root_uid;
    gid_t root_gid;
    mode_t root_mode; /* permission bits, 07777 */
    int64_t root_mtime_ns;
};

/*
 * Checks that all layers are there and that they may lie on each other, and gives their
 * directories. Call it when an image is committed, so that a bad stack is refused then,
 * and again for each mount (cheap: the work was kept).
 *
 * A layer is unpacked alone, so a directory that its entries need but that it does not
 * bring had to be made up. Where a layer below has that directory, a small extra
 * directory on top of the stack gives it the right owner, mode, times and xattrs again.
 * Where the layer below has a symlink or a file in that place ("lib/x" over "lib ->
 * usr/lib"), the stack is refused with DR_ERR_UNSUPPORTED and the name of the path: it
 * would hide what is behind the symlink (HAZARDS H1). DR_ERR_NOT_FOUND names the first
 * missing layer.
 */
int layer_store_stack(struct layer_store *store, const struct oci_digest *diff_ids,
                      size_t n, struct layer_stack *ret, struct dr_error *err);
void layer_stack_release(struct layer_stack *stack);

/* "<root>/layers/<hex>/fs", owned. Says nothing about whether it exists. */
char *layer_store_path(struct layer_store *store, const struct oci_digest *diff_id);

/*
 * Removes a layer: it is out of sight at once, then deleted. A missing one is success.
 * Works on a full disk (HAZARDS I7). The caller knows that nothing uses it.
 */
int layer_store_remove(struct layer_store *store, const struct oci_digest *diff_id,
                       struct dr_error *err);

/* Called for each committed layer, in no order. Something else than 0 stops the walk and
 * is returned. The callback may remove the layer. */
typedef int (*layer_list_fn)(void *arg, const struct oci_digest *diff_id,
                             struct dr_error *err);
int layer_store_list(struct layer_store *store, layer_list_fn each, void *arg,
                     struct dr_error *err);

/*
 * Deletes what killed processes left in tmp/: entries whose flock nobody holds. Costs one
 * readdir when it is empty. Note that a child that was forked (without exec) in the
 * middle of a layer_put keeps that lock as long as it lives.
 */
int layer_store_reconcile(struct layer_store *store, struct dr_error *err);

#endif
