/* SPDX-License-Identifier: Apache-2.0 */
#include "guest/examine.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/netfilter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/utsname.h>

#include "base/fs.h"
#include "base/text.h"
#include "guest/cgroup/cgroup.h"
#include "guest/net/nft.h"
#include "guest/runtime/runtime.h"

enum finding { FIT, WARNING, MISSING };

static void add(json_t *all, const char *what, enum finding state, const char *advice,
                const char *fmt, ...) DR_PRINTF(5, 6);
static void add(json_t *all, const char *what, enum finding state, const char *advice,
                const char *fmt, ...)
{
    static const char *const words[] = {"ok", "warning", "missing"};
    va_list ap;
    va_start(ap, fmt);
    dr_auto_free char *text = dr_vprintf(fmt, ap);
    va_end(ap);
    json_t *one = json_object();
    dr_json_set_str(one, "what", what);
    dr_json_set_str(one, "state", words[state]);
    dr_json_set_str(one, "text", text);
    dr_json_set_str(one, "advice", advice);
    json_array_append_new(all, one);
}

/* --- how programs get here: the package manager that is there --- */

static bool is_program(const char *name)
{
    dr_auto_free char *path = dr_strdup(RUNTIME_PATH);
    char *save = NULL;
    for (char *dir = strtok_r(path, ":", &save); dir; dir = strtok_r(NULL, ":", &save)) {
        dr_auto_free char *file = dr_path_join(dir, name);
        if (access(file, X_OK) == 0)
            return true;
    }
    return false;
}

/* "apt-get install crun"; owned. */
static char *install(const char *package)
{
    static const char *const managers[][2] = {
        {"apt-get", "apt-get install"}, {"dnf", "dnf install"},  {"apk", "apk add"},
        {"zypper", "zypper install"},   {"pacman", "pacman -S"},
    };
    for (size_t i = 0; i < DR_COUNT(managers); i++)
        if (is_program(managers[i][0]))
            return dr_printf("%s %s", managers[i][1], package);
    return dr_printf("install the package %s", package);
}

/* --- the kernel --- */

/* A call with nonsense is refused for another reason than that it is not known. */
static bool knows(long number)
{
    return syscall(number, -1, NULL, NULL, 0, 0, 0) >= 0 || errno != ENOSYS;
}

static void look_kernel(json_t *all)
{
    static const struct {
        long number;
        const char *name, *since;
    } calls[] = {{SYS_pidfd_open, "pidfd_open", "5.3"},
                 {SYS_openat2, "openat2", "5.6"},
                 {SYS_close_range, "close_range", "5.9"},
                 {SYS_mount_setattr, "mount_setattr", "5.12"}};
    static const char *const spaces[] = {"mnt", "pid", "net", "ipc", "uts", "cgroup"};
    struct utsname name;
    uname(&name);
    dr_auto_free char *lacks = NULL;
    for (size_t i = 0; i < DR_COUNT(calls) && !lacks; i++)
        if (!knows(calls[i].number))
            lacks = dr_printf("%s (Linux %s)", calls[i].name, calls[i].since);
    for (size_t i = 0; i < DR_COUNT(spaces) && !lacks; i++) {
        dr_auto_free char *path = dr_printf("/proc/self/ns/%s", spaces[i]);
        if (access(path, F_OK) < 0)
            lacks = dr_printf("%s namespaces", spaces[i]);
    }
    if (lacks)
        add(all, "kernel", MISSING, "a newer kernel, or one that has it built in",
            "Linux %s has no %s", name.release, lacks);
    else
        add(all, "kernel", FIT, NULL, "Linux %s on %s", name.release, name.machine);
    unsigned action = SECCOMP_RET_ERRNO;
    if (syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &action) == 0)
        add(all, "seccomp", FIT, NULL, "there");
    else
        add(all, "seccomp", WARNING, "a kernel with CONFIG_SECCOMP_FILTER",
            "the kernel has none: containers run without a filter");
}

static void look_cgroups(json_t *all)
{
    enum cgroup_mode mode = cgroup_mode();
    const char *name = cgroup_mode_name(mode);
    dr_auto_buf struct dr_buf text = DR_BUF_INIT(64 << 10);
    dr_auto_error struct dr_error ignored = DR_ERROR_INIT;
    bool v2 = strcmp(name, "v2") == 0;
    dr_file_read(AT_FDCWD, v2 ? "/sys/fs/cgroup/cgroup.controllers" : "/proc/cgroups",
                 &text, &ignored);
    static const char *const wanted[] = {"memory", "cpu", "pids"};
    dr_auto_free char *lacks = dr_strdup("");
    for (size_t i = 0; i < DR_COUNT(wanted); i++) {
        if (text.data && strstr(text.data, wanted[i]))
            continue;
        char *more = dr_printf("%s%s%s", lacks, *lacks ? ", " : "", wanted[i]);
        free(lacks);
        lacks = more;
    }
    if (!text.data || !*name)
        add(all, "cgroups", MISSING, "mount cgroup2 on /sys/fs/cgroup",
            "none are mounted");
    else if (*lacks)
        add(all, "cgroups", WARNING,
            "controllers are turned on by the kernel's command line, as "
            "cgroup_enable=memory",
            "%s, without %s: limits of that are refused", name, lacks);
    else
        add(all, "cgroups", FIT, NULL, "%s, with memory, cpu and pids", name);
}

/* A mount says more than a list of what could be loaded. In a mount namespace of this
 * thread's own, so that nothing of it stays: the last look of all. */
static int try_overlay(const char *root)
{
    if (unshare(CLONE_FS | CLONE_NEWNS) < 0 ||
        mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
        mount("tmpfs", root, "tmpfs", 0, NULL) < 0 || chdir(root) < 0 ||
        mkdir("l", 0700) < 0 || mkdir("u", 0700) < 0 || mkdir("w", 0700) < 0 ||
        mount("overlay", "l", "overlay", 0, "lowerdir=l,upperdir=u,workdir=w") < 0)
        return errno;
    return 0;
}

static void look_overlay(json_t *all, const struct guest *guest)
{
    int why = try_overlay(guest->root);
    if (why)
        add(all, "overlayfs", MISSING, "modprobe overlay, or a kernel that has it",
            "it cannot be mounted: %s", strerror(why));
    else
        add(all, "overlayfs", FIT, NULL, "there");
}

/* --- programs --- */

static void look_runtimes(json_t *all, const struct guest *guest)
{
    struct runtime runtime;
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    if (runtime_find(guest->runtime, &runtime, &err) < 0) {
        dr_auto_free char *advice = install("crun");
        add(all, "runtime", MISSING, advice, "%s", err.text);
        return;
    }
    runtime_release(&runtime);
    dr_auto_json json_t *list = runtime_list(guest->root, guest->runtime);
    json_t *one, *warning;
    size_t i, k;
    json_array_foreach (list, i, one) {
        const char *version = dr_json_str(one, "version");
        json_t *warnings = dr_json_array(one, "warnings");
        if (json_array_size(warnings) == 0)
            add(all, "runtime", FIT, NULL, "%s %s (%s)%s", dr_json_str(one, "name"),
                version ? version : "of an unknown version", dr_json_str(one, "path"),
                i == 0 ? ", used" : "");
        json_array_foreach (warnings, k, warning)
            add(all, "runtime", WARNING, "or name another one with --runtime", "%s",
                json_string_value(warning));
    }
}

/* The rule that a network needs, in a network of this thread's own. Modules are loaded
 * by it as they would be for a container. */
static int try_nft(struct dr_error *err)
{
    nft_auto_batch struct nft_batch batch;
    nft_auto_socket int fd = -1;
    if (unshare(CLONE_NEWNET) < 0)
        return dr_fail_errno(err, DR_ERR_NETWORK, "make a network namespace");
    nft_batch_begin(&batch);
    nft_add_table(&batch, NFPROTO_INET, "dray");
    nft_add_chain(&batch, NFPROTO_INET, "dray", "postrouting", NFT_POSTROUTING);
    nft_rule_begin(&batch, NFPROTO_INET, "dray", "postrouting");
    nft_masquerade(&batch);
    nft_rule_end(&batch, NULL);
    return nft_open(&fd, err) < 0 ? -1 : nft_send(fd, &batch, err);
}

static void look_network(json_t *all)
{
    dr_auto_error struct dr_error why = DR_ERROR_INIT;
    bool iptables = is_program("iptables");
    if (try_nft(&why) == 0) {
        add(all, "packet filter", FIT, NULL, "nf_tables");
    } else if (iptables) {
        add(all, "packet filter", FIT, NULL, "iptables (nf_tables: %s)", why.text);
    } else {
        dr_auto_free char *package = install("iptables");
        dr_auto_free char *advice =
            dr_printf("modprobe nf_tables nft_masq, or %s", package);
        add(all, "packet filter", WARNING, advice,
            "%s; containers have no way out through networks of their own", why.text);
    }
}

static void look_disk(json_t *all, const struct guest *guest)
{
    struct statvfs fs;
    if (statvfs(guest->root, &fs) < 0) {
        add(all, "disk", WARNING, NULL, "%s cannot be looked at: %s", guest->root,
            strerror(errno));
        return;
    }
    int64_t bytes = (int64_t)fs.f_bavail * (int64_t)fs.f_frsize;
    dr_auto_free char *free_text = dr_size_text(bytes);
    bool few = fs.f_files > 0 && fs.f_favail < 20000;
    if (bytes < 64 << 20)
        add(all, "disk", MISSING, "`dray system prune -a`, or another --root",
            "only %s are free for %s", free_text, guest->root);
    else if (bytes < 1 << 30 || few)
        add(all, "disk", WARNING, "`dray system prune -a`, or another --root",
            "only %s and %llu files are free for %s", free_text,
            (unsigned long long)fs.f_favail, guest->root);
    else
        add(all, "disk", FIT, NULL, "%s free for %s", free_text, guest->root);
}

json_t *examine(const struct guest *guest)
{
    json_t *all = json_array();
    look_kernel(all);
    look_cgroups(all);
    look_runtimes(all, guest);
    look_disk(all, guest);
    look_network(all);
    look_overlay(all, guest);
    return all;
}
