/* SPDX-License-Identifier: Apache-2.0 */
/* What the cache holds, and making room in it: least recently used first. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "base/fs.h"
#include "store/file.h"
#include "store/internal.h"

struct entry {
    char name[DR_SHA256_HEX + 1];
    int64_t size;
    int64_t used_s; /* modification time: set when written and whenever it is opened */
};

struct entries {
    struct entry *list; /* owned */
    size_t n, cap;
};

static void entries_release(struct entries *entries)
{
    free(entries->list);
}

static int by_age(const void *a, const void *b)
{
    const struct entry *x = a, *y = b;
    return x->used_s < y->used_s ? -1 : x->used_s > y->used_s;
}

static int list_dir(const struct store *store, const char *dir, struct entries *entries,
                    struct dr_error *err)
{
    DIR *d = opendir(dir);
    if (!d)
        return store_fail_errno(store, err, dir);
    struct dirent *item;
    while ((item = readdir(d))) {
        struct stat st;
        if (strlen(item->d_name) != DR_SHA256_HEX ||
            fstatat(dirfd(d), item->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0 ||
            !S_ISREG(st.st_mode))
            continue;
        if (entries->n == entries->cap) {
            entries->cap = entries->cap ? entries->cap * 2 : 64;
            entries->list =
                dr_realloc(entries->list, entries->cap * sizeof *entries->list);
        }
        struct entry *e = &entries->list[entries->n++];
        strcpy(e->name, item->d_name);
        e->size = (int64_t)st.st_size;
        e->used_s = (int64_t)st.st_mtime;
    }
    closedir(d);
    return 0;
}

int store_usage(struct store *store, struct store_usage *ret_usage, struct dr_error *err)
{
    DR_CLEANUP(entries_release) struct entries blobs = {0};
    DR_CLEANUP(entries_release) struct entries partials = {0};
    if (list_dir(store, store->blobs, &blobs, err) < 0 ||
        list_dir(store, store->partial, &partials, err) < 0)
        return -1;
    struct store_usage usage = {.blobs = blobs.n, .partials = partials.n};
    for (size_t i = 0; i < blobs.n; i++)
        usage.bytes += blobs.list[i].size;
    for (size_t i = 0; i < partials.n; i++)
        usage.partial_bytes += partials.list[i].size;
    *ret_usage = usage;
    return 0;
}

static int tell(const struct entries *entries, bool partial, store_list_fn each,
                void *arg)
{
    if (entries->n)
        qsort(entries->list, entries->n, sizeof *entries->list, by_age);
    for (size_t i = 0; i < entries->n; i++) {
        struct store_item item = {.size = entries->list[i].size,
                                  .used_s = entries->list[i].used_s,
                                  .partial = partial};
        if (strspn(entries->list[i].name, "0123456789abcdef") != DR_SHA256_HEX)
            continue;
        oci_digest_from_hex(entries->list[i].name, &item.digest);
        int result = each(arg, &item);
        if (result)
            return result;
    }
    return 0;
}

int store_list(struct store *store, store_list_fn each, void *arg, struct dr_error *err)
{
    DR_CLEANUP(entries_release) struct entries blobs = {0};
    DR_CLEANUP(entries_release) struct entries partials = {0};
    if (list_dir(store, store->blobs, &blobs, err) < 0 ||
        list_dir(store, store->partial, &partials, err) < 0)
        return -1;
    int result = tell(&partials, true, each, arg);
    return result ? result : tell(&blobs, false, each, arg);
}

/* A partial that nobody holds. Who opened it before us and finds its name gone starts
 * anew. */
static bool remove_partial(const char *path)
{
    dr_auto_fd int fd = file_open_append(path);
    return fd >= 0 && file_try_lock(fd) == 1 && file_is_at(fd, path) && unlink(path) == 0;
}

int store_prune(struct store *store, int64_t max_bytes, int64_t partial_age_s,
                struct store_usage *ret_freed, struct dr_error *err)
{
    DR_CLEANUP(entries_release) struct entries blobs = {0};
    DR_CLEANUP(entries_release) struct entries partials = {0};
    if (list_dir(store, store->blobs, &blobs, err) < 0 ||
        list_dir(store, store->partial, &partials, err) < 0)
        return -1;
    struct store_usage freed = {0};
    int64_t total = 0, now_s = (int64_t)time(NULL);
    for (size_t i = 0; i < partials.n; i++) {
        const struct entry *e = &partials.list[i];
        dr_auto_free char *path = dr_path_join(store->partial, e->name);
        if (now_s - e->used_s >= partial_age_s && remove_partial(path)) {
            freed.partials++;
            freed.partial_bytes += e->size;
        }
    }
    for (size_t i = 0; i < blobs.n; i++)
        total += blobs.list[i].size;
    if (blobs.n)
        qsort(blobs.list, blobs.n, sizeof *blobs.list, by_age);
    for (size_t i = 0; i < blobs.n && (total > max_bytes || max_bytes == 0); i++) {
        dr_auto_free char *path = dr_path_join(store->blobs, blobs.list[i].name);
        if (unlink(path) < 0) {
            if (errno == ENOENT)
                continue;
            return store_fail_errno(store, err, path);
        }
        total -= blobs.list[i].size;
        freed.blobs++;
        freed.bytes += blobs.list[i].size;
    }
    store_notes_prune(store, max_bytes == 0);
    *ret_freed = freed;
    return 0;
}
