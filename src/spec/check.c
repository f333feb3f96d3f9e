/* SPDX-License-Identifier: Apache-2.0 */
/* What a container spec must be, whoever made it, as far as the host can tell. */
#include <string.h>

#include "base/winpath.h"
#include "spec/container.h"
#include "spec/schedule.h"

/* runc and Docker: less does not even start the runtime's init. */
#define MEMORY_MIN (6LL << 20)
#define CPUS_MIN_NANO 10000000LL
#define HOSTNAME_MAX 64 /* __NEW_UTS_LEN */

static int check_env(const struct spec_container *spec, struct dr_error *err)
{
    for (size_t i = 0; spec->env && spec->env[i]; i++)
        if (!spec->env[i][0] || spec->env[i][0] == '=')
            return dr_fail(err, DR_ERR_INVALID,
                           "env[%zu]: '%s' has no name: expected NAME=VALUE", i,
                           spec->env[i]);
    for (size_t i = 0; spec->labels && spec->labels[i]; i++)
        if (!spec->labels[i][0] || spec->labels[i][0] == '=')
            return dr_fail(err, DR_ERR_INVALID,
                           "labels[%zu]: '%s' has no key: expected KEY=VALUE", i,
                           spec->labels[i]);
    for (size_t i = 0; spec->sysctls && spec->sysctls[i]; i++) {
        const char *equals = strchr(spec->sysctls[i], '=');
        if (!equals || equals == spec->sysctls[i])
            return dr_fail(err, DR_ERR_INVALID, "sysctls[%zu]: '%s': expected name=value",
                           i, spec->sysctls[i]);
    }
    return 0;
}

static int check_hostname(const char *hostname, struct dr_error *err)
{
    size_t len = strlen(hostname);
    for (size_t i = 0; i < len; i++) {
        char c = hostname[i];
        bool good = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                    (c >= '0' && c <= '9') || c == '.' || c == '_' || (c == '-' && i);
        if (!good)
            return dr_fail(err, DR_ERR_INVALID,
                           "hostname: '%s': only [a-zA-Z0-9._-] is allowed, and no '-' "
                           "first",
                           hostname);
    }
    if (!len || len > HOSTNAME_MAX)
        return dr_fail(err, DR_ERR_INVALID, "hostname: '%s': from 1 to %d bytes",
                       hostname, HOSTNAME_MAX);
    return 0;
}

static int check_mount(const struct spec_mount *mount, struct dr_error *err)
{
    if (!mount->target || mount->target[0] != '/')
        return dr_fail(err, DR_ERR_INVALID, "target '%s' is not an absolute path",
                       mount->target ? mount->target : "");
    dr_auto_free char *clean = spec_path_clean(mount->target);
    if (strcmp(clean, "/") == 0)
        return dr_fail(err, DR_ERR_INVALID, "target must not be '/'");
    const char *source = mount->source;
    if (mount->type == SPEC_MOUNT_BIND &&
        (!source || (source[0] != '/' && dr_winpath_kind(source) == DR_WINPATH_NONE)))
        return dr_fail(err, DR_ERR_INVALID, "source '%s' is not an absolute path",
                       source ? source : "");
    if (mount->type == SPEC_MOUNT_VOLUME && source && !spec_name_valid(source))
        return dr_fail(err, DR_ERR_INVALID, "'%s' is not a volume name", source);
    if (mount->type == SPEC_MOUNT_TMPFS && source)
        return dr_fail(err, DR_ERR_INVALID, "a tmpfs has no source");
    for (const char *p = mount->options ? mount->options : ""; *p;) {
        size_t len = strcspn(p, ",");
        bool known = mount->type == SPEC_MOUNT_TMPFS
                         ? spec_tmpfs_option_known(p, len)
                         : mount->type == SPEC_MOUNT_BIND &&
                               (strcmp(p, "private") == 0 || strcmp(p, "rprivate") == 0 ||
                                strcmp(p, "slave") == 0 || strcmp(p, "rslave") == 0);
        if (!known)
            return dr_fail(err, DR_ERR_INVALID, "unknown option '%.*s'", (int)len, p);
        p += len + (p[len] == ',');
    }
    return 0;
}

static int check_mounts(const struct spec_container *spec, struct dr_error *err)
{
    for (size_t i = 0; i < spec->mount_count; i++) {
        if (check_mount(&spec->mounts[i], err) < 0)
            return dr_wrap(err, "mounts[%zu]", i);
        for (size_t j = 0; j < i; j++) {
            dr_auto_free char *a = spec_path_clean(spec->mounts[i].target);
            dr_auto_free char *b = spec_path_clean(spec->mounts[j].target);
            if (strcmp(a, b) == 0)
                return dr_fail(err, DR_ERR_INVALID,
                               "mounts[%zu]: '%s' is mounted on twice", i, a);
        }
    }
    return 0;
}

static int check_devices(const struct spec_container *spec, struct dr_error *err)
{
    for (size_t i = 0; i < spec->device_count; i++) {
        const struct spec_device *device = &spec->devices[i];
        if (!device->host_path || device->host_path[0] != '/' ||
            !device->container_path || device->container_path[0] != '/')
            return dr_fail(err, DR_ERR_INVALID, "devices[%zu]: paths must be absolute",
                           i);
        const char *permissions = device->permissions ? device->permissions : "";
        if (!*permissions || strspn(permissions, "rwm") != strlen(permissions))
            return dr_fail(err, DR_ERR_INVALID,
                           "devices[%zu]: permissions '%s' are not a set of r, w and m",
                           i, permissions);
    }
    return 0;
}

static int check_limits(const struct spec_container *spec, struct dr_error *err)
{
    for (size_t i = 0; i < spec->ulimit_count; i++) {
        const struct spec_ulimit *ulimit = &spec->ulimits[i];
        if (!ulimit->name || !spec_ulimit_known(ulimit->name))
            return dr_fail(err, DR_ERR_INVALID, "ulimits[%zu]: there is no limit '%s'", i,
                           ulimit->name ? ulimit->name : "");
        if (ulimit->hard != -1 && (ulimit->soft == -1 || ulimit->soft > ulimit->hard))
            return dr_fail(err, DR_ERR_INVALID,
                           "ulimits[%zu]: %s: the soft limit is above the hard limit", i,
                           ulimit->name);
    }
    if (spec->memory_bytes && spec->memory_bytes < MEMORY_MIN)
        return dr_fail(err, DR_ERR_INVALID,
                       "memory_bytes: %lld: the smallest memory limit is 6m",
                       (long long)spec->memory_bytes);
    if (spec->nano_cpus && spec->nano_cpus < CPUS_MIN_NANO)
        return dr_fail(err, DR_ERR_INVALID, "nano_cpus: the smallest CPU limit is 0.01");
    if (spec->cpu_shares == 1)
        return dr_fail(err, DR_ERR_INVALID,
                       "cpu_shares: %lld: from 2 to 262144, or 0 for the default",
                       (long long)spec->cpu_shares);
    return 0;
}

/* Docker: shorter ones would be a busy loop. */
#define HEALTH_MIN_NS 1000000LL

static int check_health(const struct spec_health *health, struct dr_error *err)
{
    static const struct {
        const char *name;
        size_t min, max; /* words behind it; 0: any number */
    } kinds[] = {{"NONE", 0, 0},
                 {"CMD", 1, SIZE_MAX},
                 {"CMD-SHELL", 1, 1},
                 {"TCP", 1, 1},
                 {"HTTP", 1, 1}};
    const int64_t times[] = {health->interval_ns, health->timeout_ns,
                             health->start_period_ns, health->start_interval_ns};
    for (size_t i = 0; i < DR_COUNT(times); i++)
        if (times[i] && times[i] < HEALTH_MIN_NS)
            return dr_fail(err, DR_ERR_INVALID,
                           "health: the shortest time is 1ms, or 0 for the default");
    if (!health->test || !health->test[0])
        return 0;
    size_t words = dr_strv_len(health->test) - 1;
    for (size_t i = 0; i < DR_COUNT(kinds); i++)
        if (strcmp(health->test[0], kinds[i].name) == 0) {
            if (words >= kinds[i].min && words <= kinds[i].max)
                return 0;
            return dr_fail(err, DR_ERR_INVALID, "health: %s with %zu words behind it",
                           kinds[i].name, words);
        }
    return dr_fail(err, DR_ERR_INVALID,
                   "health: '%s' is none of NONE, CMD, CMD-SHELL, TCP and HTTP",
                   health->test[0]);
}

static int check_restart(const struct spec_container *spec, struct dr_error *err)
{
    static const char *const known[] = {"no", "on-failure", "always", "unless-stopped"};
    const char *policy = spec->restart ? spec->restart : "no";
    bool found = false;
    for (size_t i = 0; i < DR_COUNT(known); i++)
        found = found || strcmp(policy, known[i]) == 0;
    if (!found)
        return dr_fail(err, DR_ERR_INVALID,
                       "restart: '%s' is none of no, on-failure[:N], always and "
                       "unless-stopped",
                       policy);
    if (spec->restart_max && strcmp(policy, "on-failure") != 0)
        return dr_fail(err, DR_ERR_INVALID,
                       "restart: a maximum number of retries goes with on-failure only");
    if (spec->auto_remove && strcmp(policy, "no") != 0)
        return dr_fail(err, DR_ERR_INVALID,
                       "restart: a container that is removed with its end (--rm) cannot "
                       "be restarted");
    return 0;
}

static int check_schedule(const struct spec_container *spec, struct dr_error *err)
{
    struct spec_schedule schedule;
    if (!spec->schedule)
        return 0;
    if (spec_schedule_parse(spec->schedule, &schedule, err) < 0)
        return dr_wrap(err, "schedule");
    if (spec->restart && strcmp(spec->restart, "no") != 0)
        return dr_fail(err, DR_ERR_INVALID,
                       "schedule: a container with a schedule has no restart policy "
                       "('%s'): it is started again at the next time",
                       spec->restart);
    if (spec->auto_remove)
        return dr_fail(err, DR_ERR_INVALID,
                       "schedule: a container that is removed with its end (--rm) cannot "
                       "be started again");
    return 0;
}

static int check_log(const struct spec_container *spec, struct dr_error *err)
{
    const char *driver = spec->log_driver;
    if (driver && strcmp(driver, "k8s-file") != 0 && strcmp(driver, "none") != 0)
        return dr_fail(err, DR_ERR_UNSUPPORTED,
                       "log_driver: '%s' is not supported, only k8s-file and none are",
                       driver);
    return 0;
}

int spec_container_check(const struct spec_container *spec, struct dr_error *err)
{
    if (spec_container_check_text(spec, err) < 0)
        return -1;
    if (spec->name && spec_name_check(spec->name, err) < 0)
        return dr_wrap(err, "name");
    if (spec->workdir && spec->workdir[0] != '/')
        return dr_fail(err, DR_ERR_INVALID, "workdir: '%s' is not an absolute path",
                       spec->workdir);
    if (spec->hostname && check_hostname(spec->hostname, err) < 0)
        return -1;
    if (spec_network_check(spec, err) < 0 || spec_names_check(spec, err) < 0)
        return -1;
    int signal;
    if (spec->stop_signal && spec_signal_parse(spec->stop_signal, &signal, err) < 0)
        return dr_wrap(err, "stop_signal");
    if (check_env(spec, err) < 0 || check_mounts(spec, err) < 0 ||
        check_devices(spec, err) < 0 || check_health(&spec->health, err) < 0 ||
        check_restart(spec, err) < 0 || check_schedule(spec, err) < 0 ||
        check_log(spec, err) < 0)
        return -1;
    return check_limits(spec, err);
}
