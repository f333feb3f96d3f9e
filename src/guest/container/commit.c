/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The moment at which a container is there for good, also after a power cut. Until then
 * nothing of it waits for the disk: what a power cut leaves is a directory without a
 * state, and is removed by name.
 */
#include "guest/container/record.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/text.h"

/* Without the first three it is none; what comes behind them is text of ours that it can
 * do without. */
enum { RECORD, CONFIG, STATE, NEEDED, HOSTS = NEEDED, HOSTNAME, FILES };

/*
 * All of them start on their way before the first is waited for: then a journalling file
 * system has one commit for all. Each fsync has the disk empty its cache, so those that
 * are not needed only have their bytes written, and the commit of the others has them,
 * too.
 */
static int sync_files(const char *const paths[FILES], struct dr_error *err)
{
    int fds[FILES], result = 0;
    for (int i = 0; i < FILES; i++) {
        fds[i] = open(paths[i], O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
        if (fds[i] >= 0)
            sync_file_range(fds[i], 0, 0, SYNC_FILE_RANGE_WRITE);
        else if (i < NEEDED && result == 0)
            result = dr_fail_errno(err, DR_ERR_NONE, "open %s", paths[i]);
    }
    for (int i = NEEDED; i < FILES && result == 0; i++)
        sync_file_range(fds[i], 0, 0,
                        SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WRITE |
                            SYNC_FILE_RANGE_WAIT_AFTER);
    for (int i = 0; i < NEEDED && result == 0; i++)
        if (fsync(fds[i]) < 0)
            result = dr_fail_errno(err, DR_ERR_NONE, "sync %s", paths[i]);
    for (int i = 0; i < FILES; i++)
        if (fds[i] >= 0)
            close(fds[i]);
    return result;
}

/* No name yet under which anybody looks for it. */
static int write_new(const char *path, const json_t *json, struct dr_error *err)
{
    dr_auto_free char *text = dr_json_text(json);
    dr_auto_fd int fd =
        open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0 || dr_write_full(fd, text, strlen(text)) < 0)
        return dr_fail_errno(err, DR_ERR_NONE, "write %s", path);
    return 0;
}

static int put_in_place(const struct container *c, const char *state,
                        const char *state_new, struct dr_error *err)
{
    if (rename(state_new, state) < 0)
        return dr_fail_errno(err, DR_ERR_NONE, "rename %s to %s", state_new, state);
    dr_auto_free char *containers = dr_path_parent(c->dir);
    if (dr_sync_dir(AT_FDCWD, c->dir, err) == 0 &&
        dr_sync_dir(AT_FDCWD, containers, err) == 0)
        return 0;
    unlink(state); /* nobody hears of it: it is none */
    return -1;
}

int container_hold_state(const struct container *container, struct dr_error *err)
{
    dr_auto_free char *path = dr_path_join(container->run_dir, CONTAINER_FIRST_STATE);
    dr_auto_free char *text = dr_json_text(container->state);
    return dr_file_write(AT_FDCWD, path, text, strlen(text), 0600, 0, err);
}

static int commit(const struct container *c, const char *bundle, struct dr_error *err)
{
    dr_auto_free char *state = dr_path_join(c->dir, "state.json");
    dr_auto_free char *state_new = dr_path_join(c->dir, "state.json.new");
    dr_auto_free char *record = dr_path_join(c->dir, "spec.json");
    dr_auto_free char *config = dr_path_join(bundle, "config.json");
    dr_auto_free char *hosts = dr_path_join(c->dir, "hosts");
    dr_auto_free char *hostname = dr_path_join(c->dir, "hostname");
    const char *const paths[FILES] = {[RECORD] = record,
                                      [CONFIG] = config,
                                      [STATE] = state_new,
                                      [HOSTS] = hosts,
                                      [HOSTNAME] = hostname};
    if (write_new(state_new, c->state, err) == 0 && sync_files(paths, err) == 0 &&
        put_in_place(c, state, state_new, err) == 0)
        return 0;
    unlink(state_new);
    return -1;
}

int container_commit_state(const struct container *container, const char *bundle,
                           struct dr_error *err)
{
    int result = container_auto_remove(container) ? container_write_state(container, err)
                                                  : commit(container, bundle, err);
    dr_auto_free char *first = dr_path_join(container->run_dir, CONTAINER_FIRST_STATE);
    if (result == 0)
        unlink(first);
    return result;
}
