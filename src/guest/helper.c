/* SPDX-License-Identifier: Apache-2.0 */
#include "guest/helper.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/fs.h"
#include "base/sha256.h"
#include "base/text.h"

#define NAME "dray-guest"
#define KEEP_OTHERS 2
#define CONFIG_MAX (8u << 20)
/* A file that is still being sent is younger. */
#define SENDING_S 3600

static int hash_self(int fd, char ret[DR_SHA256_HEX + 1], struct dr_error *err)
{
    struct dr_sha256 hash;
    dr_auto_free char *chunk = dr_alloc(64 << 10);
    dr_sha256_init(&hash);
    for (;;) {
        ssize_t n = dr_read_full(fd, chunk, 64 << 10);
        if (n < 0)
            return dr_fail_errno(err, DR_ERR_INTERNAL, "read the helper");
        if (n == 0)
            break;
        dr_sha256_add(&hash, chunk, (size_t)n);
    }
    dr_sha256_hex(&hash, ret);
    return 0;
}

static int check_and_name(char *self, struct dr_error *err)
{
    char hash[DR_SHA256_HEX + 1];
    dr_auto_fd int fd = open(self, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return dr_fail_errno(err, DR_ERR_INTERNAL, "open the helper");
    if (hash_self(fd, hash, err) < 0)
        return -1;
    dr_auto_free char *dir = dr_strdup(self);
    *strrchr(dir, '/') = '\0';
    const char *promised = strrchr(dir, '/');
    if (!promised || strcmp(promised + 1, hash) != 0)
        return dr_fail(err, DR_ERR_FORMAT,
                       "the helper in %s has other bytes than were sent (SHA-256 %s)",
                       dir, hash);
    dr_auto_free char *named = dr_path_join(dir, NAME);
    if (fsync(fd) < 0)
        return dr_fail_errno(err, DR_ERR_INTERNAL, "write the helper in %s", dir);
    if (strcmp(named, self) != 0 && rename(self, named) < 0)
        return dr_fail_errno(err, DR_ERR_INTERNAL, "name %s", named);
    dr_auto_free char *parent = dr_strdup(dir);
    *strrchr(parent, '/') = '\0';
    if (dr_sync_dir(AT_FDCWD, dir, err) < 0 || dr_sync_dir(AT_FDCWD, parent, err) < 0)
        return -1;
    return 0;
}

int helper_settle(struct dr_error *err)
{
    char self[PATH_MAX];
    ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
    if (n < 0)
        return dr_fail_errno(err, DR_ERR_INTERNAL, "find the helper's file");
    self[n] = '\0';
    if (check_and_name(self, err) == 0)
        return 0;
    unlink(self);
    return -1;
}

/* --- */

struct version {
    char name[DR_SHA256_HEX + 1];
    int64_t time_s;
    bool needed;
};

static bool is_hash(const char *name)
{
    return strlen(name) == DR_SHA256_HEX &&
           strspn(name, "0123456789abcdef") == DR_SHA256_HEX;
}

static int newest_first(const void *a, const void *b)
{
    const struct version *x = a, *y = b;
    return (x->time_s < y->time_s) - (x->time_s > y->time_s);
}

static struct version *list(int bin, const char *own, size_t *ret_count)
{
    struct version *all = NULL;
    size_t count = 0;
    DIR *dir = fdopendir(dup(bin));
    for (struct dirent *entry; dir && (entry = readdir(dir));) {
        struct stat st;
        if (!is_hash(entry->d_name) || strcmp(entry->d_name, own) == 0 ||
            fstatat(bin, entry->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
            continue;
        all = dr_realloc(all, (count + 1) * sizeof *all);
        all[count] = (struct version){.time_s = st.st_mtime};
        memcpy(all[count++].name, entry->d_name, DR_SHA256_HEX + 1);
    }
    if (dir)
        closedir(dir);
    *ret_count = count;
    return all;
}

/* A container that was made with --init, or youki's hook, names the helper by its path.
 */
static void mark_needed(const struct guest *guest, struct version *all, size_t count)
{
    DIR *dir = opendir(guest->bundle_root);
    for (struct dirent *entry; dir && (entry = readdir(dir));) {
        dr_auto_error struct dr_error ignored = DR_ERROR_INIT;
        dr_auto_buf struct dr_buf text = DR_BUF_INIT(CONFIG_MAX);
        dr_auto_free char *path = dr_printf("%s/config.json", entry->d_name);
        if (entry->d_name[0] == '.' ||
            dr_file_read(dirfd(dir), path, &text, &ignored) < 0 || !text.data)
            continue;
        for (size_t i = 0; i < count; i++)
            if (strstr(text.data, all[i].name))
                all[i].needed = true;
    }
    if (dir)
        closedir(dir);
}

/* What a start that was cut off has left of a file. */
static void sweep_unfinished(int bin, const char *own)
{
    dr_auto_fd int fd = openat(bin, own, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fd >= 0 ? fdopendir(dup(fd)) : NULL;
    int64_t now_s = dr_now_ns() / 1000000000;
    for (struct dirent *entry; dir && (entry = readdir(dir));) {
        struct stat st;
        if (strncmp(entry->d_name, ".new.", 5) == 0 &&
            fstatat(fd, entry->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
            now_s - st.st_mtime > SENDING_S)
            unlinkat(fd, entry->d_name, 0);
    }
    if (dir)
        closedir(dir);
}

/* The directory of this program, when it is below the root; else NULL. Owned. */
static char *own_hash(const struct guest *guest)
{
    char self[PATH_MAX];
    ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
    dr_auto_free char *bin = dr_printf("%s/bin/", guest->root);
    dr_auto_free char *real = realpath(bin, NULL);
    size_t len = real ? strlen(real) : 0;
    if (n < 0 || !real)
        return NULL;
    self[n] = '\0';
    char *name = self + len;
    if (strncmp(self, real, len) != 0 || *name++ != '/')
        return NULL;
    name[strcspn(name, "/")] = '\0';
    return is_hash(name) ? dr_strdup(name) : NULL;
}

void helper_prune(const struct guest *guest)
{
    dr_auto_free char *own = own_hash(guest);
    if (!own)
        return; /* a place that other roots may share */
    dr_auto_free char *path = dr_path_join(guest->root, "bin");
    dr_auto_fd int bin = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (bin < 0)
        return;
    size_t count;
    dr_auto_free struct version *all = list(bin, own, &count);
    sweep_unfinished(bin, own);
    if (count <= KEEP_OTHERS)
        return;
    mark_needed(guest, all, count);
    qsort(all, count, sizeof *all, newest_first);
    for (size_t i = KEEP_OTHERS; i < count; i++) {
        dr_auto_error struct dr_error ignored = DR_ERROR_INIT;
        if (!all[i].needed)
            dr_remove_all(bin, all[i].name, &ignored);
    }
}
