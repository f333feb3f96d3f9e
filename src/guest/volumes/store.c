/* SPDX-License-Identifier: Apache-2.0 */
#include "guest/volumes/volumes.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/fs.h"
#include "base/text.h"
#include "guest/events/events.h"
#include "spec/container.h"

#define META_MAX ((size_t)1 << 20)
#define META_VERSION 1
#define NEW_PREFIX ".new-"
#define GONE_PREFIX ".gone-"

void volume_release(struct volume *volume)
{
    free(volume->name);
    free(volume->source);
    json_decref(volume->labels);
    *volume = (struct volume){0};
}

static char *volume_dir(const struct guest *guest, const char *name)
{
    return dr_printf("%s/volumes/%s", guest->root, name);
}

char *volume_source(const struct guest *guest, const char *name)
{
    return dr_printf("%s/volumes/%s/_data", guest->root, name);
}

int volume_name_check(const char *name, struct dr_error *err)
{
    if (spec_name_check(name, err) == 0)
        return 0;
    dr_error_release(err);
    return dr_fail(
        err, DR_ERR_INVALID,
        "invalid volume name '%s': only [a-zA-Z0-9][a-zA-Z0-9_.-]* is allowed, "
        "at most 128 bytes",
        name);
}

int volumes_lock(const struct guest *guest, bool exclusive, int *ret_fd,
                 struct dr_error *err)
{
    dr_auto_free char *path = dr_path_join(guest->root, "volumes.lock");
    return dr_lock(AT_FDCWD, path, exclusive, true, ret_fd, err);
}

/* --- making --- */

static int fill(const char *dir, const json_t *labels, bool anonymous, int flags,
                struct dr_error *err)
{
    dr_auto_free char *data = dr_path_join(dir, "_data");
    dr_auto_free char *path = dr_path_join(dir, "meta.json");
    if (mkdir(dir, 0711) < 0 || mkdir(data, 0755) < 0)
        return dr_fail_errno(err, DR_ERR_NONE, "make %s", data);
    dr_auto_json json_t *meta = json_object();
    dr_json_set_int(meta, "version", META_VERSION);
    dr_json_set_int(meta, "created_ns", dr_now_ns());
    dr_json_set(meta, "labels", labels ? json_incref((json_t *)labels) : json_object());
    dr_json_set_bool(meta, "anonymous", anonymous);
    dr_auto_free char *text = dr_json_text(meta);
    return dr_file_write(AT_FDCWD, path, text, strlen(text), 0600, flags, err);
}

int volume_make(const struct guest *guest, const char *name, const json_t *labels,
                bool anonymous, bool durable, struct dr_error *err)
{
    char random[17];
    dr_auto_free char *data = volume_source(guest, name), *dir = volume_dir(guest, name);
    dr_auto_free char *volumes = dr_path_join(guest->root, "volumes");
    int flags = durable ? DR_WRITE_SYNC : 0;
    if (access(data, F_OK) == 0)
        return 0;
    dr_random_hex(16, random);
    dr_auto_free char *fresh = dr_printf("%s/" NEW_PREFIX "%s", volumes, random);
    int result = dr_mkdir_all(volumes, 0711, err);
    if (result == 0)
        result = fill(fresh, labels, anonymous, flags, err);
    if (result == 0 && rename(fresh, dir) < 0) {
        /* somebody was faster, or what is there is no volume yet: a directory alone */
        bool there = errno == EEXIST || errno == ENOTEMPTY;
        if (!there)
            result = dr_fail_errno(err, DR_ERR_NONE, "make %s", dir);
        else if (mkdir(data, 0755) < 0 && errno != EEXIST)
            result = dr_fail_errno(err, DR_ERR_NONE, "make %s", data);
        dr_auto_error struct dr_error ignored = DR_ERROR_INIT;
        dr_remove_all(AT_FDCWD, fresh, &ignored);
        return result < 0 ? dr_wrap(err, "volume %.64s", name) : 0;
    }
    if (result == 0 && durable)
        result = dr_sync_dir(AT_FDCWD, volumes, err);
    if (result < 0) {
        dr_auto_error struct dr_error ignored = DR_ERROR_INIT;
        dr_remove_all(AT_FDCWD, fresh, &ignored);
        return dr_wrap(err, "make volume %.64s", name);
    }
    event_write(guest->root, "volume", "create", name, NULL, NULL);
    return 0;
}

/* --- reading --- */

static json_t *read_meta(const char *dir)
{
    dr_auto_error struct dr_error none = DR_ERROR_INIT;
    dr_auto_buf struct dr_buf text = DR_BUF_INIT(META_MAX);
    dr_auto_free char *path = dr_path_join(dir, "meta.json");
    if (dr_file_read(AT_FDCWD, path, &text, &none) < 0)
        return NULL;
    return dr_json_parse(text.data ? text.data : "", text.len, META_MAX, &none);
}

static bool looks_random(const char *name)
{
    return strlen(name) == 64 && strspn(name, "0123456789abcdef") == 64;
}

int volume_load(const struct guest *guest, const char *name, struct volume *ret,
                struct dr_error *err)
{
    struct stat st;
    if (volume_name_check(name, err) < 0)
        return -1;
    dr_auto_free char *dir = volume_dir(guest, name);
    dr_auto_free char *source = volume_source(guest, name);
    if (stat(source, &st) < 0 || !S_ISDIR(st.st_mode))
        return dr_fail(err, DR_ERR_NOT_FOUND, "no such volume: %s", name);
    dr_auto_json json_t *meta = read_meta(dir);
    json_t *labels = dr_json_object(meta, "labels");
    *ret = (struct volume){.name = dr_strdup(name), .source = DR_TAKE(source)};
    ret->labels = labels ? json_incref(labels) : json_object();
    /* of one that an earlier dray made: since when its directory is there */
    int64_t made_ns = stat(dir, &st) == 0 ? st.st_ctim.tv_sec * 1000000000LL : 0;
    ret->created_ns = dr_json_int(meta, "created_ns", made_ns);
    ret->anonymous = meta ? dr_json_bool(meta, "anonymous") : looks_random(name);
    return 0;
}

int volume_each(const struct guest *guest,
                int (*each)(void *arg, const struct volume *volume), void *arg,
                struct dr_error *err)
{
    dr_auto_free char *path = dr_path_join(guest->root, "volumes");
    DIR *dir = opendir(path);
    if (!dir)
        return errno == ENOENT ? 0 : dr_fail_errno(err, DR_ERR_NONE, "read %s", path);
    int result = 0;
    struct dirent *entry;
    while (result == 0 && (entry = readdir(dir))) {
        volume_auto struct volume volume = {0};
        dr_auto_error struct dr_error gone = DR_ERROR_INIT;
        if (spec_name_valid(entry->d_name) &&
            volume_load(guest, entry->d_name, &volume, &gone) == 0)
            result = each(arg, &volume);
    }
    closedir(dir);
    return result;
}

/* --- removing --- */

int volume_remove(const struct guest *guest, const char *name, struct dr_error *err)
{
    char random[17];
    dr_auto_free char *dir = volume_dir(guest, name);
    dr_random_hex(16, random);
    dr_auto_free char *gone =
        dr_printf("%s/volumes/" GONE_PREFIX "%s", guest->root, random);
    bool moved = rename(dir, gone) == 0;
    if (!moved && errno == ENOENT)
        return 0;
    /* a disk that is too full for a rename: in its place then */
    if (dr_remove_all(AT_FDCWD, moved ? gone : dir, err) < 0)
        return dr_wrap(err, "remove volume %.64s", name);
    event_write(guest->root, "volume", "destroy", name, NULL, NULL);
    return 0;
}

static bool is_left_over(const char *name)
{
    return strncmp(name, NEW_PREFIX, strlen(NEW_PREFIX)) == 0 ||
           strncmp(name, GONE_PREFIX, strlen(GONE_PREFIX)) == 0;
}

void volume_sweep(const struct guest *guest)
{
    dr_auto_free char *path = dr_path_join(guest->root, "volumes");
    dr_auto_free char *lock_path = dr_path_join(guest->root, "volumes.lock");
    dr_auto_fd int lock = -1;
    DIR *dir = opendir(path);
    struct dirent *entry;
    while (dir && (entry = readdir(dir))) {
        if (!is_left_over(entry->d_name))
            continue;
        /* a new one is being made with the lock held; the removal of one that is out of
         * sight already can be shared with who began it */
        dr_auto_error struct dr_error later = DR_ERROR_INIT; /* the next one tries */
        if (lock < 0 && dr_lock(AT_FDCWD, lock_path, true, false, &lock, &later) != 0)
            break;
        dr_remove_all(dirfd(dir), entry->d_name, &later);
    }
    if (dir)
        closedir(dir);
}
