/* SPDX-License-Identifier: Apache-2.0 */
#include "guest/container/pause.h"

#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "base/fs.h"
#include "base/text.h"
#include "guest/cgroup/cgroup.h"
#include "guest/cgroup/freezer.h"
#include "guest/container/event.h"

#define FREEZE_MS 10000

static bool is_running(const struct container *c)
{
    return strcmp(container_status(c), "running") == 0;
}

bool container_is_paused(const struct container *container)
{
    dr_auto_free char *cgroup = cgroup_path(container->id);
    return is_running(container) && cgroup_is_frozen(CGROUP_ROOT, cgroup);
}

bool container_is_stopping(const struct container *container)
{
    dr_auto_free char *mark = dr_path_join(container->run_dir, "stopping");
    return access(mark, F_OK) == 0;
}

/* The state's lock keeps pausing and ending apart: who ends it leaves the mark first and
 * thaws then, so that a pause comes before that or sees the mark. */
void container_thaw(const struct guest *guest, const struct container *container)
{
    dr_auto_free char *cgroup = cgroup_path(container->id);
    dr_auto_error struct dr_error ignored = DR_ERROR_INIT;
    dr_auto_fd int lock = container_state_lock(guest, container->id);
    if (cgroup_is_frozen(CGROUP_ROOT, cgroup))
        cgroup_thaw(CGROUP_ROOT, cgroup, &ignored);
}

static int not_running(const struct container *c, struct dr_error *err)
{
    return dr_fail(err, DR_ERR_CONFLICT, "container %s is not running (it is %s)",
                   container_name(c), container_status(c));
}

static int pause_locked(const struct container *c, struct dr_error *err)
{
    dr_auto_free char *cgroup = cgroup_path(c->id);
    dr_auto_fd int pidfd = container_pidfd(c, NULL);
    if (pidfd < 0)
        return not_running(c, err);
    if (container_is_stopping(c))
        return dr_fail(err, DR_ERR_CONFLICT, "container %s is being stopped",
                       container_name(c));
    if (cgroup_is_frozen(CGROUP_ROOT, cgroup))
        return dr_fail(err, DR_ERR_CONFLICT, "container %s is already paused",
                       container_name(c));
    if (cgroup_freeze(CGROUP_ROOT, cgroup, dr_clock_ms() + FREEZE_MS, err) < 0)
        return dr_wrap(err, "pause container %s", container_name(c));
    return 0;
}

static int unpause_locked(const struct container *c, struct dr_error *err)
{
    dr_auto_free char *cgroup = cgroup_path(c->id);
    if (!is_running(c))
        return not_running(c, err);
    if (!cgroup_is_frozen(CGROUP_ROOT, cgroup))
        return dr_fail(err, DR_ERR_CONFLICT, "container %s is not paused",
                       container_name(c));
    if (cgroup_thaw(CGROUP_ROOT, cgroup, err) < 0)
        return dr_wrap(err, "unpause container %s", container_name(c));
    return 0;
}

static int locked(struct guest *guest, const struct container *container,
                  int (*change)(const struct container *c, struct dr_error *err),
                  const char *action, struct dr_error *err)
{
    container_auto struct container c = {0};
    dr_auto_fd int lock = container_state_lock(guest, container->id);
    if (container_load(guest, container->id, &c, err) < 0 || change(&c, err) < 0)
        return -1;
    container_event(guest, &c, action, NULL, NULL);
    return 0;
}

int container_pause(struct guest *guest, const struct container *container,
                    struct dr_error *err)
{
    return locked(guest, container, pause_locked, "pause", err);
}

int container_unpause(struct guest *guest, const struct container *container,
                      struct dr_error *err)
{
    return locked(guest, container, unpause_locked, "unpause", err);
}

/* --- standing still for a while --- */

/* <run_dir>/held is locked by who froze it. True: locked, and still the file of that
 * name. */
static bool lock_mark(const char *path, int flags, int how, int *ret_fd)
{
    struct stat st;
    for (int tries = 0; tries < 100; tries++) {
        dr_auto_fd int fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW | flags, 0600);
        if (fd < 0 || flock(fd, how) < 0 || fstat(fd, &st) < 0)
            return false;
        if (st.st_nlink > 0) {
            *ret_fd = DR_TAKE_FD(fd);
            return true;
        }
    }
    return false;
}

int container_hold(struct guest *guest, const struct container *container, int *ret_hold,
                   struct dr_error *err)
{
    *ret_hold = -1;
    if (!is_running(container) || container_is_paused(container))
        return 0;
    dr_auto_free char *mark = dr_path_join(container->run_dir, "held");
    dr_auto_fd int fd = -1;
    if (!lock_mark(mark, O_CREAT, LOCK_EX, &fd))
        return dr_fail_errno(err, DR_ERR_INTERNAL, "mark container %s as held",
                             container_name(container));
    if (container_pause(guest, container, err) == 0) {
        *ret_hold = DR_TAKE_FD(fd);
        return 0;
    }
    unlink(mark);
    if (err->kind != DR_ERR_CONFLICT)
        return -1;
    dr_error_release(err); /* it ended, or was paused by somebody just now */
    return 0;
}

void container_let_go(struct guest *guest, const struct container *container, int hold)
{
    dr_auto_error struct dr_error ended = DR_ERROR_INIT;
    dr_auto_free char *mark = dr_path_join(container->run_dir, "held");
    if (hold < 0)
        return;
    container_unpause(guest, container, &ended);
    unlink(mark);
    close(hold);
}

void container_settle_hold(struct guest *guest, const char *id)
{
    container_auto struct container c = {0};
    dr_auto_error struct dr_error gone = DR_ERROR_INIT;
    dr_auto_free char *dir = container_run_dir(guest, id);
    dr_auto_free char *mark = dr_path_join(dir, "held");
    int fd = -1;
    if (access(mark, F_OK) == 0 && lock_mark(mark, 0, LOCK_EX | LOCK_NB, &fd) &&
        container_load(guest, id, &c, &gone) == 0)
        container_let_go(guest, &c, fd);
    else if (fd >= 0)
        close(fd);
}
