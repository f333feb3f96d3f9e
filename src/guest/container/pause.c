/* SPDX-License-Identifier: Apache-2.0 */
#include "guest/container/pause.h"

#include <string.h>

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
