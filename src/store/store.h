/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The host's content-addressed cache of compressed blobs (CONTRACT C10), shared by all
 * targets, threads and processes:
 *     <dir>/blobs/sha256/<hex>    verified, complete, never written again
 *     <dir>/partial/<hex>         being fetched; its writer holds an flock on it
 * A blob becomes visible by: digest and size verified, fsync, rename, fsync of the
 * directory (HAZARDS I1). A killed fetch leaves a partial that the next one continues.
 *
 * One store_fetch is one blob that somebody wants. Its bytes can be read while they
 * arrive: a writer thread appends, reader threads follow the growing file. Two fetches of
 * one blob, in one process or in two, share the work: the second one follows the first
 * one's file, and takes over when the first one dies.
 */
#ifndef DRAY_STORE_STORE_H
#define DRAY_STORE_STORE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/buf.h"
#include "oci/digest.h"

struct store;
struct store_fetch;

/* dir: NULL is store_default_dir(). Made when missing, 0700. Cheap: no scan.
 * Errors: DR_ERR_CONFIG naming the directory and the reason. */
int store_open(const char *dir, struct store **ret_store, struct dr_error *err);
/* All its fetches must be closed before. NULL is fine. */
void store_close(struct store *store);
const char *store_dir(const struct store *store);
/* $XDG_CACHE_HOME/dray, else ~/.cache/dray; owned. NULL with DR_ERR_CONFIG when there is
 * no home. */
char *store_default_dir(struct dr_error *err);

/* --- one blob ----------------------------------------------------------------------- */

enum store_state {
    STORE_COMPLETE, /* all bytes are there and verified */
    STORE_OWNED,    /* this fetch is the writer: append from store_fetch_have() on */
    STORE_FOLLOWED, /* another fetch (thread or process) is the writer */
    STORE_FAILED,
};

/*
 * size_bytes: of the descriptor. Thread-safe. When the blob is complete it can be read at
 * once. A partial that an earlier fetch left is hashed again (1.7 GB/s) and continued.
 * Errors: DR_ERR_INTERNAL with errno (no space: says so), DR_ERR_FORMAT when the blob in
 * the cache has another size than asked for.
 */
int store_blob_open(struct store *store, const struct oci_digest *digest,
                    int64_t size_bytes, struct store_fetch **ret_fetch,
                    struct dr_error *err);
/* Is the whole blob there? Asks the file system only. */
bool store_blob_has(struct store *store, const struct oci_digest *digest,
                    int64_t size_bytes);
/* A writer that closes before it committed leaves the partial for the next one. Readers
 * and writer must be done with it. NULL is fine. */
void store_fetch_close(struct store_fetch *fetch);

/*
 * Reader. Blocks until bytes at offset are there; gives 1…len of them. 0: the end, after
 * digest and size were verified (and not a moment before). -1: the fetch failed, with the
 * writer's error. Any number of threads. Sequential reading of a blob that came out of
 * the cache verifies it once more: a damaged one is removed and the read fails
 * (DR_ERR_FORMAT). Somebody must drive the fetch (registry_fetch_blobs), or this waits
 * forever.
 */
ssize_t store_fetch_read(struct store_fetch *fetch, int64_t offset, void *data,
                         size_t len, struct dr_error *err);

/* Looks again: a followed fetch may have become complete, failed, or owned by us because
 * its writer is gone. Cheap (two system calls); call it every 20 ms or so. */
enum store_state store_fetch_state(struct store_fetch *fetch);
/* Bytes that are there: where the writer appends. */
int64_t store_fetch_have(struct store_fetch *fetch);
int64_t store_fetch_size(const struct store_fetch *fetch);
const struct oci_digest *store_fetch_digest(const struct store_fetch *fetch);

/* Writer, STORE_OWNED only, one thread. More bytes than the size are refused with
 * DR_ERR_FORMAT before they are written. A full disk is a clear error, and the partial is
 * removed, so that the disk is not left full. The fetch has failed then. */
int store_fetch_append(struct store_fetch *fetch, const void *data, size_t len,
                       struct dr_error *err);
/* Writer: all bytes are there. Verifies size and digest and lets readers see the end; a
 * mismatch removes the partial (DR_ERR_FORMAT, naming both digests) and fails the fetch.
 * When the bytes of an earlier fetch are to blame and no reader saw any, they are thrown
 * away and 1 is returned: the fetch is owned and empty, fetch again. 0: verified. */
int store_fetch_verify(struct store_fetch *fetch, struct dr_error *err);
/* Verifies if that was not done, then fsync, rename, fsync: the blob is in the cache.
 * Returns as store_fetch_verify. */
int store_fetch_commit(struct store_fetch *fetch, struct dr_error *err);
/* Any thread: readers get a copy of why (may be of any kind). discard: the partial is
 * removed (when we own it), else the next fetch continues it. Does nothing when already
 * complete. */
void store_fetch_fail(struct store_fetch *fetch, const struct dr_error *why,
                      bool discard);

/* --- small blobs, whole ------------------------------------------------------------- */

/* Manifests and configs. 1: appended to buf, verified; 0: not in the cache (or damaged:
 * then removed). -1 with err. */
int store_blob_get(struct store *store, const struct oci_digest *digest,
                   struct dr_buf *buf, struct dr_error *err);
/* The bytes must hash to digest (DR_ERR_FORMAT). Already there is success. */
int store_blob_put(struct store *store, const struct oci_digest *digest, const void *data,
                   size_t len, struct dr_error *err);

/* --- a blob whose digest is not known before its end ---------------------------------
 */

/* One thread. What is written is a partial like any other, which a prune removes. */
struct store_spool;
int store_spool_begin(struct store *store, struct store_spool **ret_spool,
                      struct dr_error *err);
int store_spool_add(struct store_spool *spool, const void *data, size_t len,
                    struct dr_error *err);
/* It becomes a blob of the cache; ends the spool in any case. */
int store_spool_end(struct store_spool *spool, struct oci_digest *ret_digest,
                    int64_t *ret_size, struct dr_error *err);
void store_spool_drop(struct store_spool *spool); /* NULL is fine */

/* --- notes: what is known of a digest beside its bytes --------------------------------
 */

/*
 * Lines of text that help and that nobody depends on: which repositories have a blob,
 * what a layer became when it was compressed. The newest ones are kept, a few of them.
 * They go when the blob cache is emptied. All of this is best effort.
 */
#define STORE_NOTE_MAX 1024 /* bytes of one note */
/* Of a diff id: "gzip <digest> <size>", the blob that it became here. */
#define STORE_NOTE_GZIP "gzip "
void store_note_add(struct store *store, const struct oci_digest *digest,
                    const char *note);
/* Newest first; NULL-terminated and owned, as are its strings. prefix: only those that
 * begin so, without it. */
char **store_notes(struct store *store, const struct oci_digest *digest,
                   const char *prefix);

/* --- upkeep ------------------------------------------------------------------------- */

struct store_usage {
    int64_t bytes;         /* of blobs */
    int64_t partial_bytes; /* of partials */
    size_t blobs, partials;
};
int store_usage(struct store *store, struct store_usage *ret_usage, struct dr_error *err);
/* Called for each, those that were used longest ago first. Non-zero stops. */
struct store_item {
    struct oci_digest digest;
    int64_t size, used_s;
    bool partial;
};
typedef int (*store_list_fn)(void *arg, const struct store_item *item);
int store_list(struct store *store, store_list_fn each, void *arg, struct dr_error *err);
/*
 * Removes the blobs that were not used for the longest time until at most max_bytes are
 * left (0: all), and partials that nobody writes and that are older than partial_age_s
 * seconds. Works on a full disk. What a running fetch reads stays readable to it.
 */
int store_prune(struct store *store, int64_t max_bytes, int64_t partial_age_s,
                struct store_usage *ret_freed, struct dr_error *err);

#endif
