/* SPDX-License-Identifier: Apache-2.0 */
#include "guest/container/record.h"

#include <dirent.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "base/fs.h"
#include "base/text.h"

bool container_is_id(const char *text)
{
    return strlen(text) == CONTAINER_ID_HEX &&
           strspn(text, "0123456789abcdef") == CONTAINER_ID_HEX;
}

char *container_dir(const struct guest *guest, const char *id)
{
    return dr_printf("%s/containers/%s", guest->root, id);
}

char *container_run_dir(const struct guest *guest, const char *id)
{
    return dr_printf("%s/%s", guest->run_root, id);
}

static bool exists(const char *dir, const char *name)
{
    dr_auto_free char *path = dr_path_join(dir, name);
    return access(path, F_OK) == 0;
}

/* NULL in *ret when the file is missing or torn: a crash must not make it unremovable. */
static int read_json(const char *dir, const char *name, json_t **ret,
                     struct dr_error *err)
{
    dr_auto_free char *path = dr_path_join(dir, name);
    dr_auto_buf struct dr_buf text = DR_BUF_INIT(RECORD_MAX);
    dr_auto_error struct dr_error torn = DR_ERROR_INIT;
    *ret = NULL;
    if (dr_file_read(AT_FDCWD, path, &text, &torn) < 0)
        return torn.kind == DR_ERR_INTERNAL ? dr_error_move(err, &torn) : 0;
    dr_auto_json json_t *json =
        dr_json_parse(text.data ? text.data : "", text.len, RECORD_MAX, &torn);
    if (!json_is_object(json) || !json_object_get(json, "version"))
        return 0;
    if (dr_json_int(json, "version", 0) != RECORD_VERSION)
        return dr_fail(err, DR_ERR_UNSUPPORTED,
                       "%s was written by another version of dray: use that one", path);
    *ret = DR_TAKE(json);
    return 0;
}

/* An end that did not fit on the disk where it belongs is in the run directory until it
 * does; whoever asks gets the truth meanwhile (I6). */
static int take_kept_end(struct container *c, struct dr_error *err)
{
    json_t *kept = NULL;
    if (!container_is_up(c))
        return 0;
    if (read_json(c->run_dir, CONTAINER_KEPT_END, &kept, err) < 0)
        return -1;
    if (kept) {
        json_decref(c->state);
        c->state = kept;
        c->end_is_kept = true;
    }
    return 0;
}

static int load(const struct guest *guest, const char *id, bool with_record,
                struct container *ret, struct dr_error *err)
{
    struct container c = {.dir = container_dir(guest, id),
                          .run_dir = container_run_dir(guest, id)};
    snprintf(c.id, sizeof c.id, "%s", id);
    int result = read_json(c.dir, "state.json", &c.state, err);
    if (result == 0 && !c.state && !exists(c.dir, "state.json"))
        result = read_json(c.run_dir, CONTAINER_FIRST_STATE, &c.state, err);
    if (result == 0)
        result = take_kept_end(&c, err);
    if (result == 0 && with_record)
        result = read_json(c.dir, "spec.json", &c.record, err);
    struct stat st;
    if (result == 0 && !c.state && stat(c.dir, &st) < 0 && errno == ENOENT)
        result = dr_fail(err, DR_ERR_NOT_FOUND, "no such container: %.12s", id);
    if (result < 0) {
        container_release(&c);
        return -1;
    }
    *ret = c;
    return 0;
}

int container_load(const struct guest *guest, const char *id, struct container *ret,
                   struct dr_error *err)
{
    return load(guest, id, true, ret, err);
}

int container_load_state(const struct guest *guest, const char *id, struct container *ret,
                         struct dr_error *err)
{
    return load(guest, id, false, ret, err);
}

void container_release(struct container *container)
{
    free(container->dir);
    free(container->run_dir);
    json_decref(container->record);
    json_decref(container->state);
    *container = (struct container){0};
}

const char *container_status(const struct container *container)
{
    static const char *const known[] = {"created", "running", "restarting", "scheduled",
                                        "exited"};
    const char *status = dr_json_str(container->state, "status");
    for (size_t i = 0; status && i < DR_COUNT(known); i++)
        if (strcmp(status, known[i]) == 0)
            return known[i];
    if (exists(container->dir, "state.json"))
        return "dead";
    if (exists(container->dir, "rmove.json") || exists(container->dir, "rmvol.json"))
        return "removing";
    return exists(container->run_dir, "lock") ? "creating" : "dead";
}

bool container_waits(const struct container *container)
{
    const char *status = container_status(container);
    return strcmp(status, "restarting") == 0 || strcmp(status, "scheduled") == 0;
}

bool container_is_up(const struct container *container)
{
    return strcmp(container_status(container), "running") == 0 ||
           container_waits(container);
}

bool container_auto_remove(const struct container *container)
{
    if (container->state)
        return dr_json_bool(container->state, "auto_remove");
    return dr_json_bool(dr_json_object(container->record, "spec"), "auto_remove");
}

const char *container_name(const struct container *container)
{
    const char *name = dr_json_str(container->state, "name");
    if (!name)
        name = dr_json_str(container->record, "name");
    return name ? name : container->id;
}

static int write_json(const struct container *container, const char *name,
                      const json_t *json, bool soon, struct dr_error *err)
{
    dr_auto_free char *path = dr_path_join(container->dir, name);
    dr_auto_free char *text = dr_json_text(json);
    int flags = soon || container_auto_remove(container) ? 0 : DR_WRITE_SYNC;
    return dr_file_write(AT_FDCWD, path, text, strlen(text), 0600, flags, err);
}

int container_write_record(const struct container *container, struct dr_error *err)
{
    return write_json(container, "spec.json", container->record, false, err);
}

int container_write_state(const struct container *container, struct dr_error *err)
{
    return write_json(container, "state.json", container->state, false, err);
}

int container_note_record(const struct container *container, struct dr_error *err)
{
    return write_json(container, "spec.json", container->record, true, err);
}

int container_note_state(const struct container *container, struct dr_error *err)
{
    return write_json(container, "state.json", container->state, true, err);
}

void container_sync_state(const struct container *container)
{
    dr_auto_free char *path = dr_path_join(container->dir, "state.json");
    dr_auto_fd int fd = open(path, O_RDONLY | O_CLOEXEC);
    dr_auto_error struct dr_error ignored = DR_ERROR_INIT;
    if (fd >= 0 && !container_auto_remove(container) && fsync(fd) == 0)
        dr_sync_dir(AT_FDCWD, container->dir, &ignored);
}

int container_state_lock(const struct guest *guest, const char *id)
{
    dr_auto_free char *dir = container_dir(guest, id);
    dr_auto_fd int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    while (fd >= 0 && flock(fd, LOCK_EX) < 0)
        if (errno != EINTR)
            return -1;
    return DR_TAKE_FD(fd);
}

int64_t container_pid_start(pid_t pid)
{
    char path[64], text[1024];
    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    dr_auto_fd int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd >= 0 ? read(fd, text, sizeof text - 1) : -1;
    if (n <= 0)
        return 0;
    text[n] = '\0';
    /* field 22, counted behind the name, which may hold blanks and parentheses */
    const char *at = strrchr(text, ')');
    for (int field = 2; at && field < 22; field++)
        at = strchr(at + 1, ' ');
    return at ? strtoll(at + 1, NULL, 10) : 0;
}

int container_pidfd(const struct container *container, pid_t *ret_pid)
{
    pid_t pid = (pid_t)dr_json_int(container->state, "pid", 0);
    int64_t start = dr_json_int(container->state, "pid_start", 0);
    if (pid <= 0 || strcmp(container_status(container), "running") != 0)
        return -1;
    dr_auto_fd int fd = (int)syscall(SYS_pidfd_open, pid, 0);
    /* looked at after the pidfd is there: from then on the number stays this process's */
    if (fd < 0 || container_pid_start(pid) != start)
        return -1;
    struct pollfd dead = {.fd = fd, .events = POLLIN};
    if (poll(&dead, 1, 0) > 0)
        return -1; /* a zombie that its monitor is about to reap */
    if (ret_pid)
        *ret_pid = pid;
    return DR_TAKE_FD(fd);
}

int container_each(const struct guest *guest, int (*each)(void *arg, const char *id),
                   void *arg, struct dr_error *err)
{
    dr_auto_free char *path = dr_path_join(guest->root, "containers");
    DIR *dir = opendir(path);
    if (!dir)
        return errno == ENOENT ? 0 : dr_fail_errno(err, DR_ERR_INTERNAL, "open %s", path);
    int result = 0;
    struct dirent *entry;
    while (result == 0 && (entry = readdir(dir)))
        if (container_is_id(entry->d_name))
            result = each(arg, entry->d_name);
    closedir(dir);
    return result;
}
