/* SPDX-License-Identifier: Apache-2.0 */
#include "guest/monitor/setup.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "base/fs.h"
#include "base/words.h"
#include "guest/cgroup/cgroup.h"

#define VIEWERS_MS 10000

int setup_namespace(bool hide_unified, struct dr_error *err)
{
    if (unshare(CLONE_NEWNS) < 0)
        return dr_fail_errno(err, DR_ERR_START, "make a mount namespace");
    if (mount("none", "/", NULL, MS_REC | MS_SLAVE, NULL) < 0)
        return dr_fail_errno(err, DR_ERR_START, "separate the mounts");
    /* Something of our own in its place: crun makes directories and files there even so.
     */
    if (hide_unified &&
        mount("none", CGROUP_UNIFIED, "tmpfs", 0, "size=256k,mode=755") < 0)
        return dr_fail_errno(err, DR_ERR_START, "hide %s from the runtime",
                             CGROUP_UNIFIED);
    return 0;
}

/* Paths go in as descriptors: any path works, and 127 layers fit into mount(2)'s page. */
static int add_path(struct dr_buf *options, const char *before, const char *path,
                    int *fds, size_t *count, struct dr_error *err)
{
    int fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return dr_fail_errno(err, DR_ERR_START, "open %s", path);
    fds[(*count)++] = fd;
    return dr_buf_addf(options, err, "%s/proc/self/fd/%d", before, fd);
}

/* Is a default of the kernel's overlayfs on? */
static bool overlay_default(const char *name)
{
    char path[64], value = 'N';
    snprintf(path, sizeof path, "/sys/module/overlay/parameters/%s", name);
    dr_auto_fd int fd = open(path, O_RDONLY | O_CLOEXEC);
    return fd >= 0 && read(fd, &value, 1) == 1 && value == 'Y';
}

/* A renamed directory and a file whose owner alone changed are written whole then: diff
 * and commit read the upper directory without the layers below. */
static int plain_form(struct dr_buf *options, struct dr_error *err)
{
    static const char *const names[] = {"redirect_dir", "metacopy"};
    for (size_t i = 0; i < DR_COUNT(names); i++)
        if (overlay_default(names[i]) &&
            dr_buf_addf(options, err, ",%s=off", names[i]) < 0)
            return -1;
    return 0;
}

void setup_wait_viewers(const char *upper)
{
    dr_auto_fd int fd = open(upper, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    for (int tries = 0; fd >= 0 && tries < VIEWERS_MS / 10; tries++) {
        if (flock(fd, LOCK_EX | LOCK_NB) == 0 || errno != EWOULDBLOCK)
            return;
        poll(NULL, 0, 10);
    }
}

int setup_overlay(const json_t *lowers, const char *upper, const char *work,
                  const char *rootfs, bool is_volatile, struct dr_error *err)
{
    size_t layers = json_array_size(lowers), count = 0, i;
    dr_auto_free int *fds = dr_alloc((layers + 2) * sizeof *fds);
    dr_auto_buf struct dr_buf options = DR_BUF_INIT(4095);
    json_t *lower;
    int result = 0;
    json_array_foreach (lowers, i, lower)
        if (result == 0)
            result = add_path(&options, i ? ":" : "lowerdir=", json_string_value(lower),
                              fds, &count, err);
    if (result == 0)
        result = add_path(&options, ",upperdir=", upper, fds, &count, err);
    if (result == 0)
        result = add_path(&options, ",workdir=", work, fds, &count, err);
    if (result == 0)
        result = plain_form(&options, err);
    size_t without = options.len;
    if (result == 0 && is_volatile)
        result = dr_buf_addf(&options, err, ",volatile");
    if (result == 0 && mount("overlay", rootfs, "overlay", 0, options.data) < 0) {
        /* kernels before 5.10 know no volatile */
        options.data[without] = '\0';
        if (!is_volatile || mount("overlay", rootfs, "overlay", 0, options.data) < 0)
            result = dr_fail_errno(err, DR_ERR_START,
                                   "mount the root file system (%zu layers)", layers);
    }
    while (count > 0)
        close(fds[--count]);
    return result;
}

int setup_mount_points(const char *rootfs, struct dr_error *err)
{
    static const char *const names[] = {"dev", "proc", "sys", "etc"};
    dr_auto_fd int root = open(rootfs, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (root < 0)
        return dr_fail_errno(err, DR_ERR_START, "open %s", rootfs);
    for (size_t i = 0; i < DR_COUNT(names); i++) {
        struct stat st;
        if (fstatat(root, names[i], &st, AT_SYMLINK_NOFOLLOW) == 0) {
            if (S_ISDIR(st.st_mode))
                continue;
            if (unlinkat(root, names[i], 0) < 0)
                return dr_fail_errno(err, DR_ERR_START, "replace /%s of the image",
                                     names[i]);
        }
        if (mkdirat(root, names[i], 0755) < 0)
            return dr_fail_errno(err, DR_ERR_START, "make /%s in the container",
                                 names[i]);
    }
    return 0;
}

static int open_in_root(int root, const char *path)
{
    struct open_how how = {.flags = O_PATH | O_CLOEXEC,
                           .resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS};
    return (int)syscall(SYS_openat2, root, path, &how, sizeof how);
}

int setup_workdir(const char *rootfs, const char *workdir, struct dr_error *err)
{
    dr_auto_fd int root = open(rootfs, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (root < 0)
        return dr_fail_errno(err, DR_ERR_START, "open %s", rootfs);
    dr_auto_free char *path = dr_strdup(workdir && *workdir ? workdir : "/");
    dr_auto_fd int at = dup(root);
    for (char *p = path; at >= 0 && *p;) {
        char *name = p + strspn(p, "/");
        char *end = name + strcspn(name, "/");
        char kept = *end;
        *end = '\0';
        int next = open_in_root(root, path);
        if (next < 0 && errno == ENOENT && *name && mkdirat(at, name, 0755) == 0)
            next = open_in_root(root, path);
        if (next < 0) {
            /* what is there is no directory, or leads nowhere: the runtime says so better
             */
            return 0;
        }
        close(at);
        at = next;
        *end = kept;
        p = end;
    }
    return 0;
}

/* --- why it did not start --- */

/* 0: a file that can be executed, 126: something else, 127: not there */
static int look_at(int root, const char *path)
{
    dr_auto_fd int fd = open_in_root(root, path);
    if (fd < 0)
        return errno == ENOENT || errno == ENOTDIR ? 127 : 126;
    struct stat st;
    if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || !(st.st_mode & 0111))
        return 126;
    return 0;
}

int setup_command_code(const char *rootfs, const json_t *process)
{
    dr_auto_strv char **args = dr_words_from_json(dr_json_array(process, "args"));
    const char *command = args[0];
    const char *cwd = dr_json_str(process, "cwd");
    dr_auto_fd int root = open(rootfs, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (root < 0 || !command)
        return 0;
    if (strchr(command, '/')) {
        dr_auto_free char *path = *command == '/'
                                      ? dr_strdup(command)
                                      : dr_printf("%s/%s", cwd ? cwd : "", command);
        return look_at(root, path);
    }
    dr_auto_strv char **env = dr_words_from_json(dr_json_array(process, "env"));
    dr_auto_free char *search = NULL;
    for (size_t i = 0; env && env[i]; i++)
        if (strncmp(env[i], "PATH=", 5) == 0) {
            free(search);
            search = dr_strdup(env[i] + 5);
        }
    int best = 127;
    char *rest = NULL;
    for (char *dir = search ? strtok_r(search, ":", &rest) : NULL; dir && best != 0;
         dir = strtok_r(NULL, ":", &rest)) {
        dr_auto_free char *path = dr_path_join(dir, command);
        int code = look_at(root, path);
        if (code != 127)
            best = code;
    }
    return best;
}
