/* SPDX-License-Identifier: Apache-2.0 */
/*
 * After a crash: whatever an entry of <run_root> stands for is undone or finished, by
 * name (HAZARDS I4). Exit statuses that nobody saw are unknown, never made up (I6).
 */
#include "guest/container/container.h"

#include <dirent.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "base/fs.h"
#include "base/text.h"
#include "guest/cgroup/cgroup.h"
#include "guest/container/event.h"
#include "guest/container/journal.h"
#include "guest/container/names.h"
#include "guest/container/pause.h"
#include "guest/container/policy.h"
#include "guest/container/record.h"
#include "guest/container/start.h"
#include "guest/net/net.h"
#include "guest/runtime/children.h"

#define KILL_MS 10000

static bool is_there(const struct container *c, const char *file)
{
    dr_auto_free char *path = dr_path_join(c->dir, file);
    return access(path, F_OK) == 0;
}

/* The end that nobody saw. */
static void set_end(struct container *c)
{
    dr_json_set_str(c->state, "status", "exited");
    dr_json_set(c->state, "exit_code", json_null());
    dr_json_set_int(c->state, "pid", 0);
    dr_json_set_int(c->state, "finished_ns", dr_now_ns());
    dr_json_set_str(c->state, "error", "its monitor was lost: how it ended is not known");
}

/* Did it run before the guest booted, and not since? */
static bool ran_before_boot(const struct guest *guest, const struct container *c)
{
    const char *boot_id = dr_json_str(c->state, "boot_id");
    return boot_id && strcmp(boot_id, guest->boot_id) != 0;
}

/* Does its policy want it to run, now that nobody is at work on it? was: its status when
 * we came. Sets the state for that. */
static bool take_up_again(const struct guest *guest, struct container *c, const char *was)
{
    dr_auto_free char *mark = dr_path_join(c->run_dir, CONTAINER_STOPPED);
    struct restart_rule rule = restart_rule_of(c->state);
    json_t *code = json_object_get(c->state, "exit_code");
    struct restart_end end = {.known = json_is_integer(code),
                              .exit_code = json_integer_value(code),
                              .stopped = dr_json_bool(c->state, "stopped")};
    bool booted = ran_before_boot(guest, c), waited = strcmp(was, "restarting") == 0;
    bool scheduled = rule.policy == RESTART_SCHEDULED;
    if (container_is_up(c) || container_auto_remove(c))
        return false;
    if (access(mark, F_OK) == 0) {
        end.stopped = true;
        dr_json_set_bool(c->state, "stopped", true);
    }
    /* this one's turn was decided, and counted, before its monitor was lost */
    if (waited && !booted && !end.stopped)
        rule.count--;
    if (!(booted ? restart_wanted_after_boot(&rule, &end) : restart_wanted(&rule, &end)))
        return false;
    dr_json_set_str(c->state, "status", scheduled ? "scheduled" : "restarting");
    if (!scheduled)
        dr_json_set_int(c->state, "restart_count", booted ? 0 : rule.count + 1);
    else if (strcmp(was, "running") == 0) /* nobody saw the end, which is a failure */
        dr_json_set_int(c->state, "failed_count",
                        dr_json_int(c->state, "failed_count", 0) + 1);
    return true;
}

/* Does the process have the container's runtime state among its words? Only a runtime at
 * work on it has. */
static bool works_on(pid_t pid, const char *state_root)
{
    char path[64], words[4096];
    snprintf(path, sizeof path, "/proc/%d/cmdline", (int)pid);
    dr_auto_fd int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : dr_read_full(fd, words, sizeof words);
    return n > 0 && memmem(words, (size_t)n, state_root, strlen(state_root));
}

/*
 * A runtime that lost its monitor dies with it, but what it forked (youki's and crun's
 * helper processes) may live on and make a cgroup behind our back. Whoever works on the
 * container is killed before anything is cleaned up; a look that finds none ends it.
 */
static void stop_runtimes(const struct guest *guest, const char *id)
{
    dr_auto_free char *run_dir = container_run_dir(guest, id);
    dr_auto_free char *state_root = dr_path_join(run_dir, "rt");
    bool found = true;
    for (int64_t end = dr_clock_ms() + KILL_MS; found && dr_clock_ms() < end;) {
        DIR *dir = opendir("/proc");
        struct dirent *entry;
        int64_t pid;
        found = false;
        while (dir && (entry = readdir(dir)))
            if (dr_int_parse(entry->d_name, 2, INT32_MAX, &pid) && pid != getpid() &&
                works_on((pid_t)pid, state_root)) {
                found = true;
                kill((pid_t)pid, SIGKILL);
            }
        if (dir)
            closedir(dir);
        children_sweep(); /* they may have become ours to reap */
        if (found)
            poll(NULL, 0, 1);
    }
}

/* State lock held: it may have been renamed or updated since we looked. */
static int reload(const struct guest *guest, struct container *c, struct dr_error *err)
{
    struct container now;
    if (container_load(guest, c->id, &now, err) < 0)
        return -1;
    container_release(c);
    *c = now;
    return 0;
}

/* Nobody is at work on it, and everything of its last run is gone. */
static int finish(struct guest *guest, struct container *c, int lock_fd, bool for_good,
                  struct dr_error *err)
{
    dr_auto_fd int state = container_state_lock(guest, c->id);
    if (reload(guest, c, err) < 0)
        return -1;
    const char *was = container_status(c);
    bool up = container_is_up(c), boot = ran_before_boot(guest, c);
    if (strcmp(was, "running") == 0) {
        children_sweep();
        set_end(c);
        container_event(guest, c, "die", NULL, NULL); /* its exit code is not known */
    } else if (up) {
        dr_json_set_str(c->state, "status", "exited");
    }
    bool again =
        !for_good && (up || boot) && lock_fd >= 0 && take_up_again(guest, c, was);
    if (for_good && up)
        dr_json_set_bool(c->state, "stopped", true);
    if ((up || again || c->end_is_kept) && container_write_state(c, err) < 0)
        return -1; /* a full disk: the entry stays, the next command tries again */
    if (state >= 0)
        close(DR_TAKE_FD(state));
    if (!again)
        return journal_leave(guest, c->id, -1, err);
    if (journal_empty(guest, c->id, err) < 0)
        return -1;
    return container_resume(guest, c, lock_fd, err);
}

/* Its end was to be its removal, which its monitor did not come to. */
static bool goes_with_its_end(const struct container *c)
{
    return container_auto_remove(c) &&
           (container_is_up(c) || strcmp(container_status(c), "exited") == 0);
}

/* Lock held. Brings one container to a state in which nobody is at work on it, or a
 * monitor of ours. */
static int settle(struct guest *guest, struct container *c, int lock_fd, bool for_good,
                  struct dr_error *err)
{
    if (!c->state && is_there(c, "state.json")) { /* torn: "dead", for rm to remove */
        net_down(guest, c->id);
        return journal_leave(guest, c->id, -1, err);
    }
    if (!c->state)
        return container_destroy_by_name(guest, c->id, !is_there(c, "rmove.json"), err);
    const char *status = container_status(c);
    dr_auto_free char *cgroup = cgroup_path(c->id);
    if (strcmp(status, "running") != 0)
        stop_runtimes(guest, c->id);
    if (goes_with_its_end(c)) {
        int result = container_destroy_by_name(guest, c->id, true, err);
        children_sweep(); /* the lost monitor's children are ours when we had started it
                           */
        return result;
    }
    if (dr_json_bool(c->state, "for_run")) /* a `run` that was cut off before it ran */
        return container_destroy_by_name(guest, c->id, true, err);
    /* a start that was cut off leaves a process or a cgroup in any state */
    if (cgroup_kill(cgroup, dr_clock_ms() + KILL_MS, err) < 0 ||
        cgroup_remove(cgroup, err) < 0)
        return -1;
    net_down(guest, c->id);
    return finish(guest, c, lock_fd, for_good, err);
}

static int settle_locked(struct guest *guest, const char *id, int lock_fd, bool for_good,
                         struct dr_error *err)
{
    container_auto struct container c = {0};
    dr_auto_error struct dr_error missing = DR_ERROR_INIT;
    if (container_load(guest, id, &c, &missing) == 0)
        return settle(guest, &c, lock_fd, for_good, err);
    if (missing.kind == DR_ERR_NOT_FOUND)
        return container_destroy_by_name(guest, id, true, err);
    /* another version's: not ours to touch (I2) */
    return 0;
}

static int reconcile_one(struct guest *guest, const char *id, struct dr_error *err)
{
    dr_auto_fd int lock = -1;
    int taken = journal_take(guest, id, &lock, err);
    if (taken != 0)
        return taken < 0 ? -1 : 0;
    return settle_locked(guest, id, lock, false, err);
}

int container_settle(struct guest *guest, const char *id, int64_t wait_ms, bool for_good,
                     struct dr_error *err)
{
    dr_auto_fd int lock = -1;
    int taken = journal_enter(guest, id, wait_ms, &lock, err);
    if (taken != 0)
        return taken < 0 ? -1
                         : dr_fail(err, DR_ERR_CONFLICT,
                                   "another command is at work on container %.12s", id);
    return settle_locked(guest, id, lock, for_good, err);
}

/* --- after a reboot --- */

static int settle_any(void *arg, const char *id)
{
    struct guest *guest = arg;
    container_auto struct container c = {0};
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    if (container_load_state(guest, id, &c, &err) < 0)
        return 0;
    const char *status = container_status(&c);
    bool quiet = c.state && !container_is_up(&c) && !goes_with_its_end(&c) &&
                 !dr_json_bool(c.state, "for_run");
    if (quiet && ran_before_boot(guest, &c))
        quiet = !take_up_again(guest, &c, status); /* looked at again below */
    dr_auto_fd int lock = -1;
    if (!quiet && journal_enter(guest, id, 0, &lock, &err) == 0)
        settle_locked(guest, id, lock, false, &err);
    return 0; /* the others get their turn whatever happens to this one */
}

static bool is_marked(const struct guest *guest, int fd)
{
    char boot_id[sizeof guest->boot_id] = "";
    return fd >= 0 && pread(fd, boot_id, sizeof boot_id - 1, 0) > 0 &&
           strcmp(boot_id, guest->boot_id) == 0;
}

/* The mark, locked: one command does this, others wait for it. -1: on a full disk it
 * cannot be had. */
static int lock_mark(const struct guest *guest, const char *path)
{
    dr_auto_error struct dr_error ignored = DR_ERROR_INIT;
    int lock = -1;
    if (dr_mkdir_all(guest->run_root, 0700, &ignored) < 0 ||
        dr_lock(AT_FDCWD, path, true, true, &lock, &ignored) < 0)
        return -1;
    return lock;
}

/* <run_root> does not survive a reboot, so neither does this file; where it does, it says
 * which boot it was. Networks first: what is started again is on them. */
static int after_reboot(struct guest *guest, struct dr_error *err)
{
    dr_auto_free char *path = dr_path_join(guest->run_root, "reconciled");
    dr_auto_fd int seen = open(path, O_RDONLY | O_CLOEXEC);
    if (is_marked(guest, seen))
        return 0;
    dr_auto_fd int mark = lock_mark(guest, path);
    if (is_marked(guest, mark))
        return 0;
    /* room for the mark, or members of this boot could be taken for the last one's by the
     * next command */
    size_t len = strlen(guest->boot_id);
    char blank[sizeof guest->boot_id];
    memset(blank, '-', len);
    bool room = mark >= 0 && pwrite(mark, blank, len, 0) == (ssize_t)len;
    if (room)
        net_sweep(guest);
    if (container_each(guest, settle_any, guest, err) < 0)
        return -1;
    name_sweep(guest);
    if (room && pwrite(mark, guest->boot_id, len, 0) < 0)
        return dr_fail_errno(err, DR_ERR_INTERNAL, "write %s", path);
    return 0; /* full: looked at again next time */
}

int container_reconcile(struct guest *guest, struct dr_error *err)
{
    if (after_reboot(guest, err) < 0)
        return -1;
    DIR *dir = opendir(guest->run_root);
    if (!dir)
        return errno == ENOENT
                   ? 0
                   : dr_fail_errno(err, DR_ERR_INTERNAL, "open %s", guest->run_root);
    struct dirent *entry;
    while ((entry = readdir(dir))) {
        if (!container_is_id(entry->d_name))
            continue;
        /* one that cannot be settled (a full disk, say) must not stop every command */
        dr_auto_error struct dr_error ignored = DR_ERROR_INIT;
        container_settle_hold(guest, entry->d_name);
        reconcile_one(guest, entry->d_name, &ignored);
    }
    closedir(dir);
    net_settle(guest);
    return 0;
}
