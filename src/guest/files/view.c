/* SPDX-License-Identifier: Apache-2.0 */
#include "guest/files/view.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/statfs.h>

#include "base/fs.h"
#include "base/text.h"
#include "guest/bundle/bundle.h"
#include "guest/container/journal.h"
#include "guest/container/start.h"
#include "guest/files/mounts.h"
#include "guest/monitor/monitor.h"
#include "guest/monitor/setup.h"

#define BUSY_MS 20000 /* another command at work on it, or its monitor cleaning up */
#define LOOK_MS 20    /* between two looks at what it has made of it */

/* The mount namespace of the container's monitor; -1 when there is none. */
static int monitor_namespace(const struct container *c)
{
    char path[64];
    struct ucred peer;
    socklen_t len = sizeof peer;
    dr_auto_fd int monitor = monitor_connect(c->run_dir);
    if (monitor < 0 || getsockopt(monitor, SOL_SOCKET, SO_PEERCRED, &peer, &len) < 0)
        return -1;
    snprintf(path, sizeof path, "/proc/%d/ns/mnt", (int)peer.pid);
    dr_auto_fd int ns = open(path, O_RDONLY | O_CLOEXEC);
    /* still there: so the number was the monitor's all the time */
    struct pollfd gone = {.fd = monitor, .events = POLLRDHUP};
    if (ns < 0 || poll(&gone, 1, 0) != 0)
        return -1;
    return DR_TAKE_FD(ns);
}

static int enter(int ns, struct dr_error *err)
{
    /* a thread that shares its root and working directory may not change namespaces */
    if (unshare(CLONE_FS) < 0 || (ns >= 0 && setns(ns, CLONE_NEWNS) < 0) ||
        unshare(CLONE_NEWNS) < 0 || mount("none", "/", NULL, MS_REC | MS_SLAVE, NULL) < 0)
        return dr_fail_errno(err, DR_ERR_INTERNAL, "make a mount namespace");
    return 0;
}

static bool is_overlay(const char *path)
{
    struct statfs fs;
    return statfs(path, &fs) == 0 && fs.f_type == OVERLAYFS_SUPER_MAGIC;
}

/* An upper directory that is thrown away: mount points can be made in it, and what the
 * container has stays untouched. */
static int throwaway(struct view *view, const char *like, char **ret_upper,
                     char **ret_work, struct dr_error *err)
{
    struct stat st;
    if (mount("none", view->rootfs, "tmpfs", 0, "size=1m,mode=700") < 0)
        return dr_fail_errno(err, DR_ERR_INTERNAL, "mount a tmpfs");
    view->mounts++;
    *ret_upper = dr_path_join(view->rootfs, "upper");
    *ret_work = dr_path_join(view->rootfs, "work");
    if (mkdir(*ret_upper, 0755) < 0 || mkdir(*ret_work, 0700) < 0 ||
        stat(like, &st) < 0 || chown(*ret_upper, st.st_uid, st.st_gid) < 0 ||
        chmod(*ret_upper, st.st_mode & 07777) < 0)
        return dr_fail_errno(err, DR_ERR_INTERNAL, "make a directory for mounting");
    const struct timespec times[2] = {st.st_atim, st.st_mtim};
    utimensat(AT_FDCWD, *ret_upper, times, 0);
    return 0;
}

/* The root of a container that does not run. */
static int mount_layers(struct view *view, const struct container *c, unsigned flags,
                        struct dr_error *err)
{
    dr_auto_json json_t *lowers = container_lowers(view->guest, c, err);
    dr_auto_free char *upper = dr_path_join(c->dir, "upper"), *temporary = NULL,
                      *work = NULL;
    if (!lowers)
        return -1;
    if (!(flags & (VIEW_WRITE | VIEW_IMAGE_ONLY)))
        json_array_insert_new(lowers, 0, json_string(upper));
    if (flags & VIEW_WRITE)
        work = dr_path_join(c->dir, "work");
    else if (throwaway(view, upper, &temporary, &work, err) < 0)
        return -1;
    if (setup_overlay(lowers, temporary ? temporary : upper, work, view->rootfs, false,
                      err) < 0)
        return -1;
    view->mounts++;
    return 0;
}

static int make_read_only(const struct view *view, struct dr_error *err)
{
    if (mount(NULL, view->rootfs, NULL, MS_REMOUNT | MS_BIND | MS_RDONLY, NULL) < 0)
        return dr_fail_errno(err, DR_ERR_INTERNAL, "make the root read-only");
    return 0;
}

/*
 * Goes to where the container's files are: with a monitor that has them mounted
 * (*ret_live), else, to write, with the lock. Neither can be had while it is on its way
 * up or down, or waits to be started again: that is waited for.
 */
static int find_place(struct view *view, const struct container *c, unsigned flags,
                      bool *ret_live, struct dr_error *err)
{
    int64_t deadline = dr_clock_ms() + BUSY_MS;
    bool write = flags & VIEW_WRITE;
    *ret_live = false;
    for (;;) {
        dr_auto_fd int ns = flags & VIEW_IMAGE_ONLY ? -1 : monitor_namespace(c);
        if (ns >= 0 || !write) {
            if (enter(ns, err) < 0)
                return -1;
            *ret_live = ns >= 0 && is_overlay(view->rootfs);
            if (*ret_live || !write)
                return 0;
        }
        int taken = journal_enter(view->guest, c->id, LOOK_MS, &view->lock, err);
        if (taken < 0)
            return -1;
        if (taken == 0 && view->lock < 0)
            return dr_fail(err, DR_ERR_INTERNAL, "no space left in %s",
                           view->guest->run_root);
        if (taken == 0)
            return ns >= 0 ? 0 : enter(ns, err);
        if (dr_clock_ms() >= deadline)
            return dr_fail(err, DR_ERR_CONFLICT,
                           "another command is at work on container %s",
                           container_name(c));
    }
}

static int mount_all(struct view *view, const struct container *c, unsigned flags,
                     struct dr_error *err)
{
    bool live;
    if (find_place(view, c, flags, &live, err) < 0)
        return -1;
    if (!live && mount_layers(view, c, flags, err) < 0)
        return -1;
    if (live) { /* see setup_wait_viewers */
        dr_auto_free char *upper = dr_path_join(c->dir, "upper");
        view->upper = open(upper, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        flock(view->upper, LOCK_SH | LOCK_NB);
        view->mounts = 1; /* the namespace's copy of it */
    }
    if ((flags & VIEW_MOUNTS) && view_mount_binds(view->rootfs, c, !live, err) < 0)
        return -1;
    bool read_only = dr_json_bool(dr_json_object(c->record, "spec"), "read_only");
    if ((read_only || !(flags & VIEW_WRITE)) && make_read_only(view, err) < 0)
        return -1;
    view->root = open(view->rootfs, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (view->root < 0)
        return dr_fail_errno(err, DR_ERR_INTERNAL, "open %s", view->rootfs);
    return 0;
}

int view_open(struct guest *guest, const struct container *c, unsigned flags,
              struct view *ret, struct dr_error *err)
{
    const char *bundle = dr_json_str(c->record, "bundle");
    const char *status = container_status(c);
    *ret = VIEW_INIT;
    if (!bundle || !c->state)
        return dr_fail(err, DR_ERR_CONFLICT,
                       "container %s is %s: its files cannot be read", container_name(c),
                       status);
    ret->guest = guest;
    ret->id = dr_strdup(c->id);
    ret->rootfs = dr_path_join(bundle, "rootfs");
    if (mount_all(ret, c, flags, err) < 0) {
        view_close(ret);
        return dr_wrap(err, "container %s", container_name(c));
    }
    return 0;
}

void view_close(struct view *view)
{
    if (view->root >= 0)
        close(view->root);
    /* at once, and not when the thread ends: what comes next may want the layers */
    if (view->rootfs)
        for (; view->mounts > 0; view->mounts--)
            umount2(view->rootfs, MNT_DETACH);
    if (view->upper >= 0)
        close(view->upper);
    if (view->lock >= 0) {
        dr_auto_error struct dr_error ignored = DR_ERROR_INIT; /* reconciled later */
        journal_leave(view->guest, view->id, view->lock, &ignored);
    }
    free(view->id);
    free(view->rootfs);
    *view = VIEW_INIT;
}
