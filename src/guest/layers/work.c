/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Entries of tmp/: made, committed, deleted, and swept up after a crash. Each is a
 * directory, and whoever works on it holds flock(2) on the directory itself (HAZARDS I4).
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "base/fs.h"
#include "base/text.h"
#include "guest/layers/store-private.h"

/* Opens tmp/<name> and locks it. False when it is gone or somebody else has it. */
static bool take(struct layer_store *store, const char *name, int *ret_fd)
{
    struct stat held, there;
    dr_auto_fd int fd =
        openat(store->tmp, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0 || flock(fd, LOCK_EX | LOCK_NB) < 0)
        return false;
    /* it may have been swept between open and flock */
    if (fstat(fd, &held) < 0 ||
        fstatat(store->tmp, name, &there, AT_SYMLINK_NOFOLLOW) < 0 ||
        held.st_ino != there.st_ino)
        return false;
    *ret_fd = DR_TAKE_FD(fd);
    return true;
}

int layer_work_begin(struct layer_store *store, struct layer_work *ret,
                     struct dr_error *err)
{
    for (int attempt = 0; attempt < 100; attempt++) {
        dr_random_hex(LAYER_WORK_NAME, ret->name);
        if (mkdirat(store->tmp, ret->name, 0700) < 0)
            return dr_fail_errno(err, DR_ERR_INTERNAL, "mkdir %s/layers/tmp/%s",
                                 store->root, ret->name);
        if (take(store, ret->name, &ret->fd))
            return 0;
    }
    return dr_fail(err, DR_ERR_INTERNAL,
                   "%s/layers/tmp is swept faster than it is filled", store->root);
}

void layer_work_end(struct layer_store *store, struct layer_work *work)
{
    dr_auto_error struct dr_error ignored =
        DR_ERROR_INIT; /* the next reconcile tries again */
    dr_remove_all(store->tmp, work->name, &ignored);
    close(work->fd);
    work->fd = -1;
}

uint64_t layer_sync_mark(struct layer_store *store)
{
    pthread_mutex_lock(&store->sync_lock);
    uint64_t mark = store->sync_failed;
    pthread_mutex_unlock(&store->sync_lock);
    return mark;
}

/*
 * One syncfs serves all layers that are complete when it starts. The kernel reports a
 * failed write-back once, so one failure counts against every layer that was being
 * written.
 */
static int sync_all(struct layer_store *store, uint64_t mark, struct dr_error *err)
{
    int number = 0;
    pthread_mutex_lock(&store->sync_lock);
    const uint64_t mine = store->sync_started + 1;
    while (store->sync_done < mine) {
        if (store->sync_running) {
            pthread_cond_wait(&store->sync_changed, &store->sync_lock);
            continue;
        }
        const uint64_t round = ++store->sync_started;
        store->sync_running = true;
        pthread_mutex_unlock(&store->sync_lock);
        int failed = syncfs(store->layers) < 0 ? errno : 0;
        pthread_mutex_lock(&store->sync_lock);
        store->sync_running = false;
        store->sync_done = round;
        if (failed) {
            store->sync_failed++;
            store->sync_errno = failed;
        }
        pthread_cond_broadcast(&store->sync_changed);
    }
    if (store->sync_failed != mark)
        number = store->sync_errno;
    pthread_mutex_unlock(&store->sync_lock);
    if (number) {
        errno = number;
        return dr_fail_errno(err, DR_ERR_INTERNAL, "sync %s/layers", store->root);
    }
    return 0;
}

int layer_work_commit(struct layer_store *store, struct layer_work *work,
                      const char *name, uint64_t sync_mark, struct dr_error *err)
{
    if (sync_all(store, sync_mark, err) < 0)
        return -1;
    int result = renameat(store->tmp, work->name, store->layers, name);
    if (result < 0 && (errno == EEXIST || errno == ENOTEMPTY)) {
        if (!layer_committed(store, name)) {
            /* a removal that could not rename it away and then was killed */
            if (layer_discard(store, name, err) < 0)
                return -1;
            result = renameat(store->tmp, work->name, store->layers, name);
        } else {
            result = 0;
        }
    }
    /* also for the loser of a race: the winner may not have come to it yet */
    if (result < 0 || fsync(store->layers) < 0)
        return dr_fail_errno(err, DR_ERR_INTERNAL, "commit %s/layers/%s", store->root,
                             name);
    return 0;
}

int layer_discard(struct layer_store *store, const char *name, struct dr_error *err)
{
    struct layer_work work;
    dr_auto_fd int fd =
        openat(store->layers, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return errno == ENOENT ? 0 : dr_fail_errno(err, DR_ERR_INTERNAL, "open %s", name);
    flock(fd, LOCK_EX | LOCK_NB); /* so that no sweep works on the same tree */
    dr_random_hex(LAYER_WORK_NAME, work.name);
    if (renameat(store->layers, name, store->tmp, work.name) == 0)
        return dr_remove_all(store->tmp, work.name, err);
    if (errno == ENOENT)
        return 0;
    /* The disk may be too full for a rename (HAZARDS I7): take it out of sight by its
     * meta file, then delete it in its place. */
    dr_auto_free char *meta = dr_printf("%s/meta", name);
    if (unlinkat(store->layers, meta, 0) < 0 && errno != ENOENT)
        return dr_fail_errno(err, DR_ERR_INTERNAL, "remove %s", meta);
    return dr_remove_all(store->layers, name, err);
}

int layer_store_reconcile(struct layer_store *store, struct dr_error *err)
{
    int copy = openat(store->tmp, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = copy < 0 ? NULL : fdopendir(copy);
    if (!dir) {
        dr_fail_errno(err, DR_ERR_INTERNAL, "read %s/layers/tmp", store->root);
        if (copy >= 0)
            close(copy);
        return -1;
    }
    struct dirent *entry;
    int result = 0;
    while ((entry = readdir(dir))) {
        if (entry->d_name[0] == '.')
            continue;
        dr_auto_fd int held = -1;
        struct stat st;
        bool ours = take(store, entry->d_name, &held) ||
                    (fstatat(store->tmp, entry->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
                     !S_ISDIR(st.st_mode)); /* no file has any business here */
        dr_auto_error struct dr_error one = DR_ERROR_INIT;
        if (ours && dr_remove_all(store->tmp, entry->d_name, &one) < 0 && result == 0)
            result = dr_error_move(err, &one);
    }
    closedir(dir);
    return result;
}
