/* SPDX-License-Identifier: Apache-2.0 */
#include "guest/container/again.h"

#include <string.h>
#include <sys/stat.h>

#include "base/fs.h"
#include "base/text.h"
#include "guest/container/event.h"
#include "guest/container/journal.h"
#include "guest/container/start.h"
#include "guest/container/stop.h"

#define BUSY_MS 20000

static void keep_it(const struct container *c, bool keep)
{
    dr_auto_free char *mark = dr_path_join(c->run_dir, CONTAINER_KEEP);
    dr_auto_fd int fd = keep ? open(mark, O_WRONLY | O_CREAT | O_CLOEXEC, 0600) : -1;
    if (!keep)
        unlink(mark);
}

/* The overlay of one that is removed with its end is mounted without any syncing; the
 * kernel takes no upper layer of such a mount again unless its work directory is new. */
static int renew_work(const struct container *c, struct dr_error *err)
{
    dr_auto_free char *work = dr_path_join(c->dir, "work");
    if (dr_remove_all(AT_FDCWD, work, err) < 0)
        return -1;
    return mkdir(work, 0700) < 0 ? dr_fail_errno(err, DR_ERR_START, "make %s", work) : 0;
}

/* Lock held; it goes to the monitor. */
static int start_again(struct guest *guest, const struct container *c, int lock,
                       struct wire_chan *chan, struct dr_error *err)
{
    struct start_options options = {.chan = chan,
                                    .destroy_on_failure = container_auto_remove(c)};
    dr_auto_fd int fd = -1;
    pid_t pid;
    if (container_auto_remove(c) && renew_work(c, err) < 0) {
        dr_auto_error struct dr_error ignored = DR_ERROR_INIT;
        journal_leave(guest, c->id, lock, &ignored);
        return -1;
    }
    if (container_start(guest, c, lock, &options, &fd, &pid, err) < 0)
        return -1;
    container_event(guest, c, "restart", NULL, NULL);
    return 0;
}

static bool is_another_run(const struct container *before, const struct container *now)
{
    return container_is_up(now) && dr_json_int(now->state, "started_ns", 0) !=
                                       dr_json_int(before->state, "started_ns", 0);
}

/* The lock of a container that has just been stopped, and what it is then. 1: somebody
 * else has it, and may have started it. */
static int enter(struct guest *guest, const struct container *before, int *ret_lock,
                 struct container *ret, struct dr_error *err)
{
    int64_t deadline = dr_clock_ms() + BUSY_MS;
    for (;;) {
        int taken = journal_enter(guest, before->id, 50, ret_lock, err);
        if (taken < 0)
            return -1;
        if (container_load(guest, before->id, ret, err) < 0) {
            dr_auto_error struct dr_error ignored = DR_ERROR_INIT;
            if (taken == 0)
                journal_leave(guest, before->id, *ret_lock, &ignored);
            return -1;
        }
        if (taken == 0 || is_another_run(before, ret) || dr_clock_ms() > deadline)
            return taken;
        container_release(ret);
    }
}

int container_restart(struct guest *guest, const struct container *container,
                      int64_t timeout_s, int signal, struct wire_chan *chan,
                      struct dr_error *err)
{
    container_auto struct container c = {0};
    int lock = -1;
    if (container_is_up(container)) {
        bool removed = container_auto_remove(container);
        if (removed)
            keep_it(container, true);
        if (container_stop(guest, container, timeout_s, signal, chan, err) < 0) {
            if (removed)
                keep_it(container, false);
            return -1;
        }
    }
    int taken = enter(guest, container, &lock, &c, err);
    if (taken < 0)
        return -1;
    if (taken == 1 && is_another_run(container, &c))
        return 0; /* somebody else has started it: it was stopped, and it runs */
    if (taken == 1)
        return dr_fail(err, DR_ERR_CONFLICT, "another command is at work on container %s",
                       container_name(&c));
    if (container_check_start(guest, &c, lock, err) < 0)
        return -1;
    return start_again(guest, &c, lock, chan, err);
}
