/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One blob on its way into the cache. The partial file is the meeting place of threads
 * and processes: whoever holds the lock on it writes, everybody else follows its size. A
 * partial is never truncated in place, it is unlinked: who still has it open notices that
 * its name is gone, and nobody reads bytes that changed under him.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/fs.h"
#include "base/mem.h"
#include "store/file.h"
#include "store/internal.h"

#define FOLLOW_POLL_NS (20 * 1000 * 1000)
#define CLAIM_TRIES 100 /* each means that another fetch appeared or ended in between */

struct store_fetch {
    struct store *store;
    struct oci_digest digest;
    int64_t size;
    char *blob_path, *partial_path; /* owned */

    pthread_mutex_t lock; /* for all below */
    pthread_cond_t changed;
    enum store_state state;
    bool verified; /* all bytes were checked: readers may see the end */
    int fd;
    int64_t have;          /* bytes that can be read */
    int64_t inherited;     /* of them, those that an earlier fetch left */
    int64_t read_up_to;    /* how far any reader came */
    struct dr_sha256 hash; /* writer: of the first `have` bytes */
    struct dr_error why;   /* of STORE_FAILED */

    bool check; /* came out of the cache: hash it once more while it is read in order */
    int64_t checked;
};

static int fail_here(struct store_fetch *f, struct dr_error *err)
{
    f->state = STORE_FAILED;
    dr_error_copy(&f->why, err);
    pthread_cond_broadcast(&f->changed);
    return -1;
}

static void set_fd(struct store_fetch *f, int fd)
{
    if (f->fd >= 0)
        close(f->fd);
    f->fd = fd;
}

/* Hashes what is there. Returns the number of bytes, -1 with errno. */
static int64_t hash_file(int fd, int64_t size, struct dr_sha256 *hash)
{
    size_t room = 256 * 1024;
    dr_auto_free char *buf = dr_alloc(room);
    int64_t done = 0;
    dr_sha256_init(hash);
    while (done < size) {
        size_t want = size - done < (int64_t)room ? (size_t)(size - done) : room;
        ssize_t n = file_read_at(fd, done, buf, want);
        if (n < 0)
            return -1;
        if (n == 0)
            break;
        dr_sha256_add(hash, buf, (size_t)n);
        done += n;
    }
    return done;
}

static bool hash_is(const struct dr_sha256 *hash, const struct oci_digest *digest,
                    struct oci_digest *ret_is)
{
    struct dr_sha256 copy = *hash;
    char hex[DR_SHA256_HEX + 1];
    dr_sha256_hex(&copy, hex);
    oci_digest_from_hex(hex, ret_is);
    return oci_digest_equal(ret_is, digest);
}

/* 1: the blob is in the cache and taken; 0: it is not. */
static int take_complete(struct store_fetch *f, struct dr_error *err)
{
    int fd = file_open_read(f->blob_path);
    if (fd < 0)
        return errno == ENOENT ? 0 : store_fail_errno(f->store, err, f->blob_path);
    int64_t size = file_size(fd);
    if (size != f->size) {
        /* either the file was damaged or the descriptor lies: the digest knows */
        struct dr_sha256 hash;
        struct oci_digest is;
        if (hash_file(fd, size, &hash) == size && hash_is(&hash, &f->digest, &is)) {
            close(fd);
            return dr_fail(err, DR_ERR_FORMAT,
                           "blob %s has %lld bytes, but the manifest says %lld",
                           f->digest.text, (long long)size, (long long)f->size);
        }
        close(fd);
        unlink(f->blob_path);
        return 0;
    }
    file_touch(fd);
    set_fd(f, fd);
    f->state = STORE_COMPLETE;
    f->verified = f->check = true;
    f->checked = 0;
    f->have = f->size;
    dr_sha256_init(&f->hash);
    return 1;
}

/* The lock on the partial is ours and the partial is where it should be. */
static int take_partial(struct store_fetch *f, struct dr_error *err)
{
    int64_t size = file_size(f->fd);
    if (size < 0 || (size = hash_file(f->fd, size, &f->hash)) < 0)
        return store_fail_errno(f->store, err, f->partial_path);
    f->state = STORE_OWNED;
    f->have = f->inherited = size;
    f->verified = false;
    return 0;
}

/* Finds out what this fetch is: complete, ours to write, or somebody else's. */
static int claim(struct store_fetch *f, struct dr_error *err)
{
    for (int i = 0; i < CLAIM_TRIES; i++) {
        int rc = take_complete(f, err);
        if (rc != 0)
            return rc < 0 ? -1 : 0;
        int fd = file_open_append(f->partial_path);
        if (fd < 0)
            return store_fail_errno(f->store, err, f->partial_path);
        set_fd(f, fd);
        int locked = file_try_lock(fd);
        if (locked < 0)
            return store_fail_errno(f->store, err, f->partial_path);
        if (!locked) {
            int64_t size = file_size(fd);
            f->state = STORE_FOLLOWED;
            f->have = size < 0 ? 0 : size < f->size ? size : f->size;
            return 0;
        }
        if (!file_is_at(fd, f->partial_path))
            continue; /* it was published or thrown away before we got the lock */
        if (access(f->blob_path, F_OK) == 0 || file_size(fd) > f->size) {
            unlink(f->partial_path);
            continue;
        }
        return take_partial(f, err);
    }
    return dr_fail(err, DR_ERR_INTERNAL,
                   "blob %s: other pulls of it come and go, try again", f->digest.text);
}

int store_blob_open(struct store *store, const struct oci_digest *digest,
                    int64_t size_bytes, struct store_fetch **ret_fetch,
                    struct dr_error *err)
{
    struct store_fetch *f = dr_alloc(sizeof *f);
    f->store = store;
    f->digest = *digest;
    f->size = size_bytes;
    f->fd = -1;
    f->blob_path = store_blob_path(store, digest);
    f->partial_path = store_partial_path(store, digest);
    pthread_cond_init(&f->changed, NULL);
    pthread_mutex_init(&f->lock, NULL);
    if (claim(f, err) < 0) {
        store_fetch_close(f);
        return -1;
    }
    *ret_fetch = f;
    return 0;
}

void store_fetch_close(struct store_fetch *f)
{
    if (!f)
        return;
    /* an empty partial is of no use to anybody */
    if (f->state == STORE_OWNED && f->have == 0 && file_is_at(f->fd, f->partial_path))
        unlink(f->partial_path);
    set_fd(f, -1); /* this lets the lock go */
    pthread_cond_destroy(&f->changed);
    pthread_mutex_destroy(&f->lock);
    dr_error_release(&f->why);
    free(f->blob_path);
    free(f->partial_path);
    free(f);
}

/* --- following ---------------------------------------------------------------------- */

/* Our writer is gone and so is the partial: it was published, or thrown away. */
static int after_writer(struct store_fetch *f, struct dr_error *err)
{
    int same = file_is_at(f->fd, f->blob_path);
    if (same) {
        f->state = STORE_COMPLETE;
        f->verified = true;
        f->have = f->size;
        file_unlock(f->fd);
        return 0;
    }
    if (f->read_up_to > 0)
        return dr_fail(
            err, DR_ERR_PULL,
            "blob %s: another process that was fetching it threw it away, pull again",
            f->digest.text);
    return claim(f, err);
}

static void look_again(struct store_fetch *f)
{
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    int64_t size = file_size(f->fd), before = f->have;
    f->have = size < f->size ? (size > before ? size : before) : f->size;
    int locked = file_try_lock(f->fd), rc = 0;
    if (locked > 0)
        rc = file_is_at(f->fd, f->partial_path) ? take_partial(f, &err)
                                                : after_writer(f, &err);
    else if (locked < 0)
        rc = store_fail_errno(f->store, &err, f->partial_path);
    if (rc < 0)
        fail_here(f, &err);
    else if (f->state != STORE_FOLLOWED || f->have != before)
        pthread_cond_broadcast(&f->changed);
}

enum store_state store_fetch_state(struct store_fetch *f)
{
    pthread_mutex_lock(&f->lock);
    if (f->state == STORE_FOLLOWED)
        look_again(f);
    enum store_state state = f->state;
    pthread_mutex_unlock(&f->lock);
    return state;
}

int64_t store_fetch_have(struct store_fetch *f)
{
    pthread_mutex_lock(&f->lock);
    int64_t have = f->have;
    pthread_mutex_unlock(&f->lock);
    return have;
}

int64_t store_fetch_size(const struct store_fetch *f)
{
    return f->size;
}

const struct oci_digest *store_fetch_digest(const struct store_fetch *f)
{
    return &f->digest;
}

/* --- reading ------------------------------------------------------------------------ */

/* The lock is held. Waits for a change; a follower is woken to look for itself. */
static void wait_change(struct store_fetch *f)
{
    if (f->state != STORE_FOLLOWED) {
        pthread_cond_wait(&f->changed, &f->lock);
        return;
    }
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += FOLLOW_POLL_NS;
    if (until.tv_nsec >= 1000000000) {
        until.tv_nsec -= 1000000000;
        until.tv_sec++;
    }
    pthread_cond_clockwait(&f->changed, &f->lock, CLOCK_MONOTONIC, &until);
}

/* Bytes of a blob that was in the cache already went to a reader: hash them when they are
 * the next ones, and find damage of the disk before anybody believes the end. */
static int check_read(struct store_fetch *f, int64_t offset, const void *data, ssize_t n,
                      struct dr_error *err)
{
    struct oci_digest is;
    pthread_mutex_lock(&f->lock);
    int rc = 0;
    if (f->check && offset == f->checked) {
        dr_sha256_add(&f->hash, data, (size_t)n);
        f->checked += n;
        if (f->checked == f->size) {
            f->check = false;
            if (!hash_is(&f->hash, &f->digest, &is)) {
                if (file_is_at(f->fd, f->blob_path))
                    unlink(f->blob_path);
                dr_fail(
                    err, DR_ERR_FORMAT,
                    "blob %s in the cache was damaged and has been removed: pull again",
                    f->digest.text);
                rc = fail_here(f, err);
            }
        }
    }
    pthread_mutex_unlock(&f->lock);
    return rc;
}

ssize_t store_fetch_read(struct store_fetch *f, int64_t offset, void *data, size_t len,
                         struct dr_error *err)
{
    pthread_mutex_lock(&f->lock);
    for (;;) {
        if (f->state == STORE_FAILED) {
            dr_error_copy(err, &f->why);
            pthread_mutex_unlock(&f->lock);
            return -1;
        }
        if (offset < f->have)
            break;
        if (f->verified) {
            pthread_mutex_unlock(&f->lock);
            return 0;
        }
        if (f->state == STORE_FOLLOWED) {
            look_again(f);
            if (f->state != STORE_FOLLOWED || offset < f->have)
                continue;
        }
        wait_change(f);
    }
    if (f->have - offset < (int64_t)len)
        len = (size_t)(f->have - offset);
    if (offset + (int64_t)len > f->read_up_to)
        f->read_up_to = offset + (int64_t)len;
    int fd = f->fd; /* stays open: only an unread fetch changes files */
    bool check = f->check;
    pthread_mutex_unlock(&f->lock);
    ssize_t n = file_read_at(fd, offset, data, len);
    if (n < 0)
        return store_fail_errno(f->store, err, "read");
    if (n == 0 && len > 0)
        return dr_fail(err, DR_ERR_FORMAT, "blob %s in the cache got shorter: pull again",
                       f->digest.text);
    if (check && check_read(f, offset, data, n, err) < 0)
        return -1;
    return n;
}

/* --- writing ------------------------------------------------------------------------ */

/* Throws the partial away; the lock is held and the fetch is ours. */
static void discard(struct store_fetch *f)
{
    if (file_is_at(f->fd, f->partial_path))
        unlink(f->partial_path);
}

int store_fetch_append(struct store_fetch *f, const void *data, size_t len,
                       struct dr_error *err)
{
    pthread_mutex_lock(&f->lock);
    int rc = 0;
    if (f->state == STORE_FAILED) {
        dr_error_copy(err, &f->why);
        rc = -1;
    } else if (f->state != STORE_OWNED) {
        rc = dr_fail(err, DR_ERR_INTERNAL, "append to a blob that somebody else writes");
    } else if ((int64_t)len > f->size - f->have) {
        discard(f);
        dr_fail(err, DR_ERR_FORMAT,
                "blob %s: more bytes came than the %lld of the manifest", f->digest.text,
                (long long)f->size);
        rc = fail_here(f, err);
    }
    int64_t offset = f->have;
    pthread_mutex_unlock(&f->lock);
    if (rc < 0)
        return -1;

    /* outside of the lock: readers go on meanwhile; there is one writer */
    int failed = file_write_at(f->fd, offset, data, len);
    if (failed == 0) {
        dr_write_behind(f->fd, offset, offset + (int64_t)len);
        dr_sha256_add(&f->hash, data, len);
    }

    int number = errno;
    pthread_mutex_lock(&f->lock);
    if (failed < 0) {
        discard(f);
        errno = number;
        store_fail_errno(f->store, err, "write");
        rc = fail_here(f, err);
    } else {
        f->have += (int64_t)len;
        pthread_cond_broadcast(&f->changed);
    }
    pthread_mutex_unlock(&f->lock);
    return rc;
}

static int verify_locked(struct store_fetch *f, struct dr_error *err)
{
    struct oci_digest is;
    if (f->verified)
        return 0;
    if (f->state == STORE_FAILED) {
        dr_error_copy(err, &f->why);
        return -1;
    }
    if (f->state != STORE_OWNED)
        return dr_fail(err, DR_ERR_INTERNAL,
                       "verify of a blob that somebody else writes");
    if (f->have != f->size)
        dr_fail(err, DR_ERR_FORMAT, "blob %s: %lld bytes came, the manifest says %lld",
                f->digest.text, (long long)f->have, (long long)f->size);
    else if (!hash_is(&f->hash, &f->digest, &is))
        dr_fail(err, DR_ERR_FORMAT, "blob %s: the bytes that came have the digest %s",
                f->digest.text, is.text);
    else {
        f->verified = true;
        pthread_cond_broadcast(&f->changed);
        return 0;
    }
    discard(f);
    if (f->inherited > 0 && f->read_up_to == 0) {
        dr_error_release(err);
        f->inherited = 0;
        return claim(f, err) < 0 ? fail_here(f, err) : 1;
    }
    return fail_here(f, err);
}

int store_fetch_verify(struct store_fetch *f, struct dr_error *err)
{
    pthread_mutex_lock(&f->lock);
    int rc = verify_locked(f, err);
    pthread_mutex_unlock(&f->lock);
    return rc;
}

int store_fetch_commit(struct store_fetch *f, struct dr_error *err)
{
    int rc = store_fetch_verify(f, err);
    if (rc != 0)
        return rc;
    pthread_mutex_lock(&f->lock);
    bool done = f->state == STORE_COMPLETE;
    pthread_mutex_unlock(&f->lock);
    if (done)
        return 0;
    /* readers have seen the end already; the disk is waited for by the writer alone */
    bool synced = file_sync(f->fd) == 0 &&
                  file_publish(f->partial_path, f->blob_path, f->store->blobs) == 0;
    int number = errno;
    pthread_mutex_lock(&f->lock);
    if (synced) {
        f->state = STORE_COMPLETE;
        file_unlock(f->fd);
        pthread_cond_broadcast(&f->changed);
    } else {
        discard(f);
        errno = number;
        store_fail_errno(f->store, err, "sync");
        rc = fail_here(f, err);
    }
    pthread_mutex_unlock(&f->lock);
    return rc;
}

void store_fetch_fail(struct store_fetch *f, const struct dr_error *why, bool throw_away)
{
    pthread_mutex_lock(&f->lock);
    if (f->state != STORE_COMPLETE && f->state != STORE_FAILED) {
        if (throw_away && f->state == STORE_OWNED)
            discard(f);
        struct dr_error copy = *why;
        fail_here(f, &copy);
    }
    pthread_mutex_unlock(&f->lock);
}
