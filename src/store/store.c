/* SPDX-License-Identifier: Apache-2.0 */
#include "store/store.h"

#include <errno.h>
#include <string.h>

#include "base/fs.h"
#include "store/file.h"
#include "store/internal.h"

char *store_default_dir(struct dr_error *err)
{
    /* basedir-spec: a relative path in the variable is to be ignored */
    const char *cache = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
    if (cache && dr_path_is_absolute(cache))
        return dr_path_join(cache, "dray");
    if (home && dr_path_is_absolute(home))
        return dr_printf("%s/.cache/dray", home);
    dr_fail(err, DR_ERR_CONFIG,
            "no place for the cache: HOME is not set, set it or XDG_CACHE_HOME");
    return NULL;
}

int store_open(const char *dir, struct store **ret_store, struct dr_error *err)
{
    dr_auto_free char *own = dir ? dr_strdup(dir) : store_default_dir(err);
    if (!own)
        return -1;
    dr_auto_free char *blobs = dr_path_join(own, "blobs/sha256");
    dr_auto_free char *partial = dr_path_join(own, "partial");
    if (dr_mkdir_all(own, 0700, err) < 0 || dr_mkdir_all(blobs, 0700, err) < 0 ||
        dr_mkdir_all(partial, 0700, err) < 0) {
        err->kind = DR_ERR_CONFIG;
        return dr_wrap(err, "the cache directory %s cannot be used", own);
    }
    struct store *store = dr_alloc(sizeof *store);
    store->dir = DR_TAKE(own);
    store->blobs = DR_TAKE(blobs);
    store->partial = DR_TAKE(partial);
    store->notes = dr_path_join(store->dir, "notes");
    *ret_store = store;
    return 0;
}

void store_close(struct store *store)
{
    if (!store)
        return;
    free(store->dir);
    free(store->blobs);
    free(store->partial);
    free(store->notes);
    free(store);
}

const char *store_dir(const struct store *store)
{
    return store->dir;
}

char *store_blob_path(const struct store *store, const struct oci_digest *digest)
{
    return dr_path_join(store->blobs, oci_digest_hex(digest));
}

char *store_partial_path(const struct store *store, const struct oci_digest *digest)
{
    return dr_path_join(store->partial, oci_digest_hex(digest));
}

int store_fail_errno(const struct store *store, struct dr_error *err, const char *what)
{
    if (errno == ENOSPC || errno == EDQUOT) {
        dr_fail_errno(err, DR_ERR_INTERNAL, "%s", what);
        return dr_wrap(
            err, "the disk of the cache %s is full: free some space, or prune the cache",
            store->dir);
    }
    dr_fail_errno(err, DR_ERR_INTERNAL, "%s", what);
    return dr_wrap(err, "the cache %s", store->dir);
}

int store_blob_get(struct store *store, const struct oci_digest *digest,
                   struct dr_buf *buf, struct dr_error *err)
{
    dr_auto_free char *path = store_blob_path(store, digest);
    dr_auto_fd int fd = file_open_read(path);
    if (fd < 0)
        return errno == ENOENT ? 0 : store_fail_errno(store, err, path);
    int64_t size = file_size(fd);
    size_t before = buf->len;
    if (size < 0)
        return store_fail_errno(store, err, path);
    if (dr_buf_reserve(buf, (size_t)size, err) < 0)
        return dr_wrap(err, "%s", path);
    ssize_t n = dr_read_full(fd, buf->data + before, (size_t)size);
    if (n < 0)
        return store_fail_errno(store, err, path);
    struct oci_digest is;
    oci_digest_of(buf->data + before, (size_t)n, &is);
    if (!oci_digest_equal(&is, digest)) {
        buf->data[before] = '\0';
        unlink(path);
        return 0;
    }
    buf->len += (size_t)n;
    buf->data[buf->len] = '\0';
    file_touch(fd);
    return 1;
}

bool store_blob_has(struct store *store, const struct oci_digest *digest,
                    int64_t size_bytes)
{
    dr_auto_free char *path = store_blob_path(store, digest);
    dr_auto_fd int fd = file_open_read(path);
    return fd >= 0 && file_size(fd) == size_bytes;
}

int store_blob_put(struct store *store, const struct oci_digest *digest, const void *data,
                   size_t len, struct dr_error *err)
{
    struct store_fetch *fetch;
    if (store_blob_open(store, digest, (int64_t)len, &fetch, err) < 0)
        return -1;
    int rc = 0;
    for (;;) {
        enum store_state state = store_fetch_state(fetch);
        /* somebody else is writing the very same bytes: it will do */
        if (state == STORE_COMPLETE || state == STORE_FOLLOWED)
            break;
        int64_t have = store_fetch_have(fetch);
        rc =
            store_fetch_append(fetch, (const char *)data + have, len - (size_t)have, err);
        if (rc == 0)
            rc = store_fetch_commit(fetch, err);
        if (rc <= 0)
            break;
    }
    store_fetch_close(fetch);
    return rc;
}
