/* SPDX-License-Identifier: Apache-2.0 */
/*
 * layer_put: the caller's thread reads, inflates and hashes into a ring of buffers, a
 * second thread reads the tar out of it and makes the files. So inflating and hashing
 * hide behind the making of inodes, which is what costs.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>

#include "base/fs.h"
#include "base/json.h"
#include "base/text.h"
#include "guest/layers/extract.h"
#include "flate/inflate.h"
#include "guest/layers/notes.h"
#include "guest/layers/ring.h"
#include "guest/layers/split.h"
#include "guest/layers/store-private.h"

#define RING_SLOTS 4
#define RING_BYTES (128 * 1024)
#define STACK_BYTES (512 * 1024)

struct put {
    struct layer_store *store;
    const struct oci_digest *diff_id;
    layer_read_fn read;
    void *read_arg;
    int turn; /* -1: nobody waits for us */
    struct layer_work work;
    struct ring *ring;
    int64_t tar_bytes, compressed_bytes;
    /* the unpacking thread's, until it was joined */
    struct dr_error unpack_error;
    bool aborted; /* it stopped because the other side gave up */
    struct extract_stats stats;
    struct dr_buf notes;
};

/* Who waits may have bytes: a helper whose host is behind a dead line hears of that after
 * a quarter of an hour. To unpack a layer twice is no harm. */
static ssize_t from_peer(void *arg, void *buf, size_t len, struct dr_error *err)
{
    struct put *put = arg;
    ssize_t n;
    while ((n = put->read(put->read_arg, buf, len, err)) == LAYER_STALLED) {
        if (put->turn >= 0)
            close(put->turn);
        put->turn = -1;
    }
    return n;
}

static ssize_t from_ring(void *arg, const uint8_t **ret_data, struct dr_error *err)
{
    struct put *put = arg;
    size_t len = 0;
    int result = ring_next(put->ring, ret_data, &len);
    if (result < 0) {
        put->aborted = true;
        return dr_fail(err, DR_ERR_CANCELLED, "the stream was given up");
    }
    return (ssize_t)len;
}

static int unpack(struct put *put, struct extract *x, struct tar *tar,
                  struct dr_error *err)
{
    struct tar_entry entry;
    int result;
    while ((result = tar_next(tar, &entry, err)) > 0) {
        struct extract_stats now;
        extract_count(x, &now);
        if (now.entries >= put->store->limits.entries)
            return dr_fail(err, DR_ERR_FORMAT, "the layer has more than %lld entries",
                           (long long)put->store->limits.entries);
        if (extract_entry(x, tar, &entry, err) < 0)
            return -1;
    }
    if (result < 0)
        return -1;
    /* what is behind the end belongs to the diff id, and to nothing else (CVE-2017-14992)
     */
    return tar_drain(tar, err) < 0 ? -1 : extract_finish(x, &put->notes, err);
}

static int unpack_into(struct put *put, bool mask_is_zero, struct dr_error *err)
{
    if (mkdirat(put->work.fd, "fs", 0755) < 0)
        return dr_fail_errno(err, DR_ERR_INTERNAL, "mkdir fs");
    dr_auto_fd int root =
        openat(put->work.fd, "fs", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (root < 0 || fchmod(root, 0755) < 0 || fchown(root, 0, 0) < 0)
        return dr_fail_errno(err, DR_ERR_INTERNAL, "make the root of the layer");
    struct split *split;
    struct extract *x;
    if (split_new(put->work.fd, &split, err) < 0)
        return -1;
    if (extract_new(root, put->work.fd, mask_is_zero, split, &x, err) < 0) {
        split_free(split);
        return -1;
    }
    struct tar *tar = tar_new(from_ring, put);
    const struct tar_tap tap = split_tap(split);
    tar_set_tap(tar, &tap);
    int result = unpack(put, x, tar, err);
    extract_count(x, &put->stats);
    if (result == 0)
        result = split_end(split, err);
    tar_free(tar);
    extract_free(x);
    split_free(split);
    return result;
}

static void *unpack_thread(void *arg)
{
    struct put *put = arg;
    /* a umask of this thread's own; where that is refused, modes are set by fchmod */
    bool mask_is_zero = unshare(CLONE_FS) == 0;
    if (mask_is_zero)
        umask(0);
    if (unpack_into(put, mask_is_zero, &put->unpack_error) < 0)
        ring_abort(put->ring);
    return NULL;
}

/* Reads, inflates, hashes, pushes. Returns 0 also when the other thread gave up. */
static int produce(struct put *put, struct inflate *z, struct dr_sha256 *hash,
                   struct dr_error *err)
{
    uint8_t *slot;
    while ((slot = ring_slot(put->ring))) {
        ssize_t n = inflate_read(z, slot, RING_BYTES, err);
        if (n < 0)
            return -1;
        if (n == 0)
            break;
        put->tar_bytes += n;
        if (put->tar_bytes > put->store->limits.tar_bytes)
            return dr_fail(err, DR_ERR_FORMAT,
                           "the layer inflates to more than %lld bytes",
                           (long long)put->store->limits.tar_bytes);
        dr_sha256_add(hash, slot, (size_t)n);
        ring_push(put->ring, (size_t)n);
    }
    ring_end(put->ring);
    return 0;
}

static int start_thread(struct put *put, pthread_t *ret, struct dr_error *err)
{
    pthread_attr_t attributes;
    sigset_t all, before;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, STACK_BYTES);
    sigfillset(&all); /* signals are for the thread that knows what they mean */
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int number = pthread_create(ret, &attributes, unpack_thread, put);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attributes);
    errno = number;
    return number ? dr_fail_errno(err, DR_ERR_INTERNAL, "start a thread") : 0;
}

static int run_pipeline(struct put *put, struct inflate *z, struct dr_error *err)
{
    struct dr_sha256 hash;
    char hex[DR_SHA256_HEX + 1];
    pthread_t thread;
    dr_sha256_init(&hash);
    if (start_thread(put, &thread, err) < 0)
        return -1;
    int result = produce(put, z, &hash, err);
    if (result < 0)
        ring_abort(put->ring);
    pthread_join(thread, NULL);
    put->compressed_bytes = inflate_taken(z);
    /* the first cause: what the unpacking met, unless it only was told to stop */
    if (put->unpack_error.kind != DR_ERR_NONE && !(put->aborted && result < 0))
        return dr_error_move(err, &put->unpack_error);
    if (result < 0)
        return -1;
    dr_sha256_hex(&hash, hex);
    if (strcmp(hex, oci_digest_hex(put->diff_id)) != 0)
        return dr_fail(err, DR_ERR_PULL, "the content has another diff id: sha256:%s",
                       hex);
    return 0;
}

static int write_meta(struct put *put, struct dr_error *err)
{
    dr_auto_json json_t *meta = json_object();
    dr_json_set_int(meta, "version", LAYER_META_VERSION);
    dr_json_set_str(meta, "diff_id", put->diff_id->text);
    dr_json_set_int(meta, "compressed_bytes", put->compressed_bytes);
    dr_json_set_int(meta, "tar_bytes", put->tar_bytes);
    dr_json_set_int(meta, "entries", put->stats.entries);
    dr_json_set_int(meta, "disk_bytes", put->stats.disk_bytes);
    dr_json_set_int(meta, "skipped_devices", put->stats.skipped_devices);
    dr_auto_free char *text = dr_json_text(meta);
    if (put->notes.len > 0 && dr_file_write(put->work.fd, "notes", put->notes.data,
                                            put->notes.len, 0600, 0, err) < 0)
        return -1;
    return dr_file_write(put->work.fd, "meta", text, strlen(text), 0600, 0, err);
}

/* Says what a full disk means. */
static int explain_full(struct put *put, struct dr_error *err)
{
    if (err->code != ENOSPC && err->code != EDQUOT)
        return -1;
    dr_auto_free char *text = dr_strdup(err->text);
    dr_auto_free char *needs = dr_size_text(put->stats.disk_bytes);
    return dr_fail_at(err, DR_AT_UNSET, DR_ERR_INTERNAL, ENOSPC,
                      "no space left in %s (the layer needs more than %s): %s",
                      put->store->root, needs, text);
}

static int put_new(struct put *put, const char *media_type, struct dr_error *err)
{
    struct inflate *z = NULL;
    const uint64_t mark = layer_sync_mark(put->store);
    if (inflate_open(media_type, from_peer, put, &z, err) < 0)
        return -1;
    if (layer_work_begin(put->store, &put->work, err) < 0) {
        explain_full(put, err);
        inflate_close(z);
        return -1;
    }
    put->ring = ring_new(RING_SLOTS, RING_BYTES);
    put->notes = DR_BUF_INIT(NOTES_MAX);
    int result = run_pipeline(put, z, err);
    inflate_close(z);
    ring_free(put->ring);
    if (result == 0)
        result = write_meta(put, err);
    if (result == 0)
        result = layer_work_commit(put->store, &put->work, oci_digest_hex(put->diff_id),
                                   mark, err);
    if (result < 0)
        explain_full(put, err);
    layer_work_end(put->store, &put->work);
    dr_buf_release(&put->notes);
    dr_error_release(&put->unpack_error);
    return result;
}

static int known(struct layer_store *store, const struct oci_digest *diff_id,
                 struct layer_stats *ret, struct dr_error *err)
{
    struct layer_stats stats;
    if (layer_meta(store, diff_id, &stats, err) < 0)
        return dr_wrap(err, "layer %s", diff_id->text);
    /* whoever made it may not have come to this yet, and the caller will refer to it */
    if (fsync(store->layers) < 0)
        return dr_fail_errno(err, DR_ERR_INTERNAL, "sync %s/layers", store->root);
    stats.existed = true;
    if (ret)
        *ret = stats;
    return 0;
}

int layer_put(struct layer_store *store, const struct oci_digest *diff_id,
              const char *media_type, layer_read_fn read, void *arg,
              struct layer_stats *ret, struct dr_error *err)
{
    int turn;
    if (layer_store_has(store, diff_id))
        return known(store, diff_id, ret, err);
    if (layer_turn_take(store, diff_id, read, arg, &turn, err) < 0)
        return dr_wrap(err, "layer %s", diff_id->text);
    struct put put = {.store = store,
                      .diff_id = diff_id,
                      .read = read,
                      .read_arg = arg,
                      .turn = turn,
                      .unpack_error = DR_ERROR_INIT,
                      .work = {.fd = -1}};
    bool existed = layer_store_has(store, diff_id);
    int result =
        existed ? known(store, diff_id, ret, err) : put_new(&put, media_type, err);
    if (put.turn >= 0)
        close(put.turn);
    if (existed)
        return result;
    if (result < 0)
        return dr_wrap(err, "layer %s", diff_id->text);
    if (ret)
        *ret = (struct layer_stats){
            .compressed_bytes = put.compressed_bytes,
            .tar_bytes = put.tar_bytes,
            .entries = put.stats.entries,
            .disk_bytes = put.stats.disk_bytes,
            .skipped_devices = put.stats.skipped_devices,
        };
    return 0;
}
