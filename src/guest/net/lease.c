/* SPDX-License-Identifier: Apache-2.0 */
#include "guest/net/lease.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/fs.h"
#include "guest/container/record.h"

#define LEASE_MAX (64u << 10)
#define HERE ".json"
#define LEAVING ".end"

static char *dir_of(const struct guest *guest, const char *network_id)
{
    return dr_printf("%s/networks/%s", guest->run_root, network_id);
}

static char *path_of(const struct guest *guest, const char *network_id, const char *id,
                     const char *suffix)
{
    return dr_printf("%s/networks/%s/%s%s", guest->run_root, network_id, id, suffix);
}

int lease_lock(const struct guest *guest, int *ret_fd, struct dr_error *err)
{
    dr_auto_free char *dir = dr_path_join(guest->run_root, "networks");
    dr_auto_free char *path = dr_path_join(dir, ".lock");
    if (access(dir, F_OK) < 0 && dr_mkdir_all(dir, 0700, err) < 0)
        return -1;
    return dr_lock(AT_FDCWD, path, true, true, ret_fd, err);
}

static json_t *read_json(const char *path)
{
    dr_auto_error struct dr_error torn = DR_ERROR_INIT;
    dr_auto_buf struct dr_buf text = DR_BUF_INIT(LEASE_MAX);
    if (dr_file_read(AT_FDCWD, path, &text, &torn) < 0)
        return NULL;
    return dr_json_parse(text.data ? text.data : "", text.len, LEASE_MAX, &torn);
}

/* The id and the state that a file's name stands for; false: it is something else. */
static bool parse_name(const char *name, char ret_id[CONTAINER_ID_HEX + 1], bool *leaving)
{
    if (strlen(name) < CONTAINER_ID_HEX)
        return false;
    snprintf(ret_id, CONTAINER_ID_HEX + 1, "%s", name);
    const char *suffix = name + CONTAINER_ID_HEX;
    *leaving = strcmp(suffix, LEAVING) == 0;
    return container_is_id(ret_id) && (*leaving || strcmp(suffix, HERE) == 0);
}

int lease_each(const struct guest *guest, const char *network_id,
               int (*each)(void *arg, const char *id, bool leaving, const json_t *json),
               void *arg, struct dr_error *err)
{
    dr_auto_free char *path = dir_of(guest, network_id);
    DIR *dir = opendir(path);
    if (!dir)
        return errno == ENOENT ? 0 : dr_fail_errno(err, DR_ERR_NETWORK, "read %s", path);
    int result = 0;
    struct dirent *entry;
    while (result == 0 && (entry = readdir(dir))) {
        char id[CONTAINER_ID_HEX + 1];
        bool leaving;
        if (!parse_name(entry->d_name, id, &leaving))
            continue;
        dr_auto_free char *file = dr_path_join(path, entry->d_name);
        dr_auto_json json_t *json = read_json(file);
        result = each(arg, id, leaving, json);
    }
    closedir(dir);
    return result;
}

int lease_count(const struct guest *guest, const char *network_id)
{
    dr_auto_free char *path = dir_of(guest, network_id);
    DIR *dir = opendir(path);
    struct dirent *entry;
    int count = 0;
    while (dir && (entry = readdir(dir))) {
        char id[CONTAINER_ID_HEX + 1];
        bool leaving;
        if (parse_name(entry->d_name, id, &leaving) && !leaving)
            count++;
    }
    if (dir)
        closedir(dir);
    return count;
}

int lease_write(const struct guest *guest, const char *network_id, const char *id,
                const json_t *json, struct dr_error *err)
{
    dr_auto_free char *dir = dir_of(guest, network_id);
    dr_auto_free char *path = path_of(guest, network_id, id, HERE);
    dr_auto_free char *text = dr_json_text(json);
    if (mkdir(dir, 0700) < 0 && errno != EEXIST)
        return dr_fail_errno(err, DR_ERR_NETWORK, "make %s", dir);
    return dr_file_write(AT_FDCWD, path, text, strlen(text), 0600, 0, err);
}

json_t *lease_read(const struct guest *guest, const char *network_id, const char *id)
{
    dr_auto_free char *path = path_of(guest, network_id, id, HERE);
    dr_auto_free char *leaving = path_of(guest, network_id, id, LEAVING);
    json_t *json = read_json(path);
    return json ? json : read_json(leaving);
}

bool lease_exists(const struct guest *guest, const char *network_id, const char *id)
{
    dr_auto_free char *path = path_of(guest, network_id, id, HERE);
    dr_auto_free char *leaving = path_of(guest, network_id, id, LEAVING);
    return access(path, F_OK) == 0 || access(leaving, F_OK) == 0;
}

bool lease_leave(const struct guest *guest, const char *network_id, const char *id)
{
    dr_auto_free char *path = path_of(guest, network_id, id, HERE);
    dr_auto_free char *leaving = path_of(guest, network_id, id, LEAVING);
    return rename(path, leaving) == 0;
}

void lease_remove(const struct guest *guest, const char *network_id, const char *id)
{
    static const char *const suffixes[] = {LEAVING, HERE, HERE ".new"};
    for (size_t i = 0; i < DR_COUNT(suffixes); i++) {
        dr_auto_free char *path = path_of(guest, network_id, id, suffixes[i]);
        unlink(path);
    }
    dr_auto_free char *dir = dir_of(guest, network_id);
    rmdir(dir);
}

void lease_each_network(const struct guest *guest,
                        void (*each)(void *arg, const char *network_id), void *arg)
{
    dr_auto_free char *path = dr_path_join(guest->run_root, "networks");
    DIR *dir = opendir(path);
    struct dirent *entry;
    while (dir && (entry = readdir(dir)))
        if (container_is_id(entry->d_name))
            each(arg, entry->d_name);
    if (dir)
        closedir(dir);
}
