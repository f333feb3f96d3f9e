/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/fs.h"
#include "base/mem.h"
#include "base/text.h"
#include "store/file.h"
#include "store/internal.h"

struct store_spool {
    struct store *store;
    char *path; /* owned: a partial under a name that is nobody's digest */
    int fd;
    int64_t size;
    struct dr_sha256 hash;
};

int store_spool_begin(struct store *store, struct store_spool **ret_spool,
                      struct dr_error *err)
{
    char name[DR_SHA256_HEX + 1];
    struct store_spool *spool = dr_alloc(sizeof *spool);
    dr_random_hex(DR_SHA256_HEX, name);
    spool->store = store;
    spool->path = dr_path_join(store->partial, name);
    spool->fd = file_open_append(spool->path);
    dr_sha256_init(&spool->hash);
    /* the lock keeps a prune away */
    if (spool->fd < 0 || file_try_lock(spool->fd) < 0) {
        store_fail_errno(store, err, spool->path);
        store_spool_drop(spool);
        return -1;
    }
    *ret_spool = spool;
    return 0;
}

void store_spool_drop(struct store_spool *spool)
{
    if (!spool)
        return;
    if (spool->fd >= 0) {
        if (file_is_at(spool->fd, spool->path))
            unlink(spool->path);
        close(spool->fd);
    }
    free(spool->path);
    free(spool);
}

int store_spool_add(struct store_spool *spool, const void *data, size_t len,
                    struct dr_error *err)
{
    if (file_write_at(spool->fd, spool->size, data, len) < 0)
        return store_fail_errno(spool->store, err, "write");
    dr_sha256_add(&spool->hash, data, len);
    spool->size += (int64_t)len;
    return 0;
}

int store_spool_end(struct store_spool *spool, struct oci_digest *ret_digest,
                    int64_t *ret_size, struct dr_error *err)
{
    char hex[DR_SHA256_HEX + 1];
    struct oci_digest digest;
    dr_sha256_hex(&spool->hash, hex);
    oci_digest_from_hex(hex, &digest);
    dr_auto_free char *blob = store_blob_path(spool->store, &digest);
    int rc = 0;
    if (file_sync(spool->fd) < 0 ||
        file_publish(spool->path, blob, spool->store->blobs) < 0)
        rc = store_fail_errno(spool->store, err, "sync");
    if (rc == 0) {
        *ret_digest = digest;
        *ret_size = spool->size;
    }
    store_spool_drop(spool);
    return rc;
}
