/* SPDX-License-Identifier: Apache-2.0 */
/* What config.json depends on in this guest. Everything here costs microseconds. */
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/utsname.h>
#include <sys/vfs.h>
#include <linux/capability.h>
#include <linux/magic.h>

#include "base/fs.h"
#include "guest/bundle/parts.h"

static bool exists(const char *path)
{
    return access(path, F_OK) == 0;
}

static int64_t read_number(const char *path, int64_t otherwise)
{
    dr_auto_buf struct dr_buf buf = DR_BUF_INIT(64);
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    if (dr_file_read(AT_FDCWD, path, &buf, &err) < 0 || !buf.len)
        return otherwise;
    return strtoll(buf.data, NULL, 10);
}

static const char *go_arch(const char *machine)
{
    static const char *const words[][2] = {
        {"x86_64", "amd64"}, {"aarch64", "arm64"}, {"riscv64", "riscv64"}};
    for (size_t i = 0; i < DR_COUNT(words); i++)
        if (strcmp(words[i][0], machine) == 0)
            return words[i][1];
    return machine;
}

/* A capability that is not in our own bounding set cannot be given to anyone. */
static uint64_t own_caps(void)
{
    uint64_t caps = 0;
    for (int i = 0; i < CAPS_KNOWN; i++)
        if (prctl(PR_CAPBSET_READ, i, 0, 0, 0) == 1)
            caps |= CAP_BIT(i);
    return caps;
}

/* v1: the memory controller's swap accounting; v2: our own cgroup has the file, or, when
 * that is the root, the first one below has. */
static bool swap_limit(bool v2)
{
    if (!v2)
        return exists("/sys/fs/cgroup/memory/memory.memsw.limit_in_bytes");
    char line[512], path[600];
    FILE *file = fopen("/proc/self/cgroup", "re");
    bool found = false;
    while (file && fgets(line, sizeof line, file))
        if (strncmp(line, "0::/", 4) == 0) {
            line[strcspn(line, "\n")] = '\0';
            snprintf(path, sizeof path, "/sys/fs/cgroup%s/memory.swap.max", line + 3);
            found = exists(path);
        }
    if (file)
        fclose(file);
    return found || exists("/sys/fs/cgroup/system.slice/memory.swap.max") ||
           exists("/sys/fs/cgroup/init.scope/memory.swap.max");
}

void bundle_facts_read(struct bundle_facts *ret)
{
    struct bundle_facts f = {0};
    struct utsname name;
    struct statfs fs;
    uname(&name);
    snprintf(f.arch, sizeof f.arch, "%.15s", go_arch(name.machine));
    snprintf(f.kernel_release, sizeof f.kernel_release, "%.64s", name.release);
    sscanf(name.release, "%d.%d", &f.kernel_major, &f.kernel_minor);
    long cpus = sysconf(_SC_NPROCESSORS_ONLN);
    f.cpus = cpus > 0 ? (unsigned)cpus : 1;
    f.caps = own_caps();
    f.can_raise_rlimits = f.caps & CAP_BIT(CAP_SYS_RESOURCE);
    for (int i = 0; i < BUNDLE_RLIMITS; i++) {
        struct rlimit limit = {RLIM_INFINITY, RLIM_INFINITY};
        getrlimit((__rlimit_resource_t)i, &limit);
        f.rlimit_hard[i] = limit.rlim_max == RLIM_INFINITY ? UINT64_MAX : limit.rlim_max;
    }
    f.nr_open = (uint64_t)read_number("/proc/sys/fs/nr_open", 0);
    f.oom_score_adj = (int)read_number("/proc/self/oom_score_adj", 0);
    f.cgroup_v2 = statfs("/sys/fs/cgroup", &fs) == 0 && fs.f_type == CGROUP2_SUPER_MAGIC;
    f.cgroup_ns = exists("/proc/self/ns/cgroup");
    f.swap_limit = swap_limit(f.cgroup_v2);
    f.port_sysctl = exists("/proc/sys/net/ipv4/ip_unprivileged_port_start");
    f.ping_sysctl = exists("/proc/sys/net/ipv4/ping_group_range");
    f.thermal_throttle = exists("/sys/devices/system/cpu/cpu0/thermal_throttle");
    *ret = f;
}
