/* SPDX-License-Identifier: Apache-2.0 */
/* linux.resources, process.rlimits, linux.sysctl. */
#include <ctype.h>
#include <string.h>
#include <sys/resource.h>

#include "guest/bundle/parts.h"

#define CPU_PERIOD_US 100000
#define NANO 1000000000LL

/* ---- limits of the cgroup ---- */

static int cpu_json(const struct bundle_input *in, json_t *resources,
                    struct dr_error *err)
{
    const struct spec_container *spec = in->spec;
    json_t *cpu = json_object();
    dr_json_set(resources, "cpu", cpu);
    if (spec->cpu_shares)
        dr_json_set_int(cpu, "shares", spec->cpu_shares);
    if (!spec->nano_cpus)
        return 0;
    if (spec->nano_cpus > (int64_t)in->facts->cpus * NANO)
        return dr_fail(
            err, DR_ERR_INVALID, "cpus: %lld.%02lld is more than the guest has (%u)",
            (long long)(spec->nano_cpus / NANO),
            (long long)(spec->nano_cpus % NANO / (NANO / 100)), in->facts->cpus);
    dr_json_set_int(cpu, "quota", spec->nano_cpus / (NANO / CPU_PERIOD_US));
    dr_json_set_int(cpu, "period", CPU_PERIOD_US);
    return 0;
}

/* Memory and as much swap again, Docker's default, where swap can be limited. */
static json_t *memory_json(const struct bundle_input *in)
{
    int64_t limit = in->spec->memory_bytes;
    json_t *memory = json_object();
    dr_json_set_int(memory, "limit", limit);
    if (in->facts->swap_limit)
        dr_json_set_int(memory, "swap", limit <= INT64_MAX / 2 ? limit * 2 : -1);
    return memory;
}

json_t *bundle_resources(const struct bundle_input *in, json_t *device_rules,
                         struct dr_error *err)
{
    dr_auto_json json_t *resources = json_object();
    dr_json_set(resources, "devices", json_incref(device_rules));
    if (in->spec->memory_bytes)
        dr_json_set(resources, "memory", memory_json(in));
    if ((in->spec->cpu_shares || in->spec->nano_cpus) && cpu_json(in, resources, err) < 0)
        return NULL;
    if (in->spec->pids_limit > 0)
        dr_json_set(resources, "pids",
                    json_pack("{sI}", "limit", (json_int_t)in->spec->pids_limit));
    return DR_TAKE(resources);
}

int bundle_update_resources(json_t *config, const struct spec_container *spec,
                            const struct bundle_facts *facts, struct dr_error *err)
{
    json_t *section = dr_json_object(config, "linux");
    json_t *old = dr_json_object(section, "resources");
    struct bundle_input in = {.spec = spec, .facts = facts};
    if (!old)
        return dr_fail(err, DR_ERR_FORMAT, "its config.json has no resources");
    json_t *resources = bundle_resources(&in, dr_json_array(old, "devices"), err);
    if (!resources)
        return -1;
    dr_json_set(section, "resources", resources);
    return 0;
}

/* ---- rlimits ---- */

static const struct {
    const char *name;
    int number;
} rlimit_names[] = {
    {"as", RLIMIT_AS},
    {"core", RLIMIT_CORE},
    {"cpu", RLIMIT_CPU},
    {"data", RLIMIT_DATA},
    {"fsize", RLIMIT_FSIZE},
    {"locks", RLIMIT_LOCKS},
    {"memlock", RLIMIT_MEMLOCK},
    {"msgqueue", RLIMIT_MSGQUEUE},
    {"nice", RLIMIT_NICE},
    {"nofile", RLIMIT_NOFILE},
    {"nproc", RLIMIT_NPROC},
    {"rss", RLIMIT_RSS},
    {"rtprio", RLIMIT_RTPRIO},
    {"rttime", RLIMIT_RTTIME},
    {"sigpending", RLIMIT_SIGPENDING},
    {"stack", RLIMIT_STACK},
};

static char *limit_text(uint64_t value)
{
    return value == UINT64_MAX ? dr_strdup("unlimited")
                               : dr_printf("%llu", (unsigned long long)value);
}

/* Above our own hard limit only CAP_SYS_RESOURCE can go, and nofile never above nr_open:
 * said here, where both numbers are known, not by the runtime as "EPERM". */
static int check_hard(const struct bundle_facts *facts, const char *name, int number,
                      uint64_t hard, struct dr_error *err)
{
    uint64_t end = facts->can_raise_rlimits ? UINT64_MAX : facts->rlimit_hard[number];
    if (number == RLIMIT_NOFILE && facts->nr_open && end > facts->nr_open)
        end = facts->nr_open;
    if (hard <= end)
        return 0;
    dr_auto_free char *asked = limit_text(hard), *most = limit_text(end);
    return dr_fail(
        err, DR_ERR_INVALID,
        "ulimit %s: %s is above the guest's own hard limit of %s, which cannot "
        "be raised there",
        name, asked, most);
}

static uint64_t limit_value(int64_t value)
{
    return value < 0 ? UINT64_MAX : (uint64_t)value;
}

/* Unlimited is 2^64-1 in config.json, which jansson's int64 cannot hold: 2^63-1 stands
 * for it until bundle_text (text.c) writes it. */
static json_t *rlimit_json(const char *name, uint64_t soft, uint64_t hard)
{
    json_t *json = json_object();
    dr_auto_free char *type = dr_printf("RLIMIT_%s", name);
    for (char *p = type; *p; p++)
        *p = (char)toupper((unsigned char)*p);
    dr_json_set_str(json, "type", type);
    dr_json_set_int(json, "soft", soft > INT64_MAX ? INT64_MAX : (int64_t)soft);
    dr_json_set_int(json, "hard", hard > INT64_MAX ? INT64_MAX : (int64_t)hard);
    return json;
}

json_t *bundle_rlimits(const struct bundle_input *in, struct dr_error *err)
{
    dr_auto_json json_t *array = json_array();
    for (size_t i = 0; i < in->spec->ulimit_count; i++) {
        const struct spec_ulimit *ulimit = &in->spec->ulimits[i];
        size_t at = 0;
        while (at < DR_COUNT(rlimit_names) &&
               strcmp(rlimit_names[at].name, ulimit->name) != 0)
            at++;
        if (at == DR_COUNT(rlimit_names)) {
            dr_fail(err, DR_ERR_INVALID, "ulimit: there is no limit '%s'", ulimit->name);
            return NULL;
        }
        uint64_t hard = limit_value(ulimit->hard);
        if (check_hard(in->facts, ulimit->name, rlimit_names[at].number, hard, err) < 0)
            return NULL;
        json_array_append_new(array,
                              rlimit_json(ulimit->name, limit_value(ulimit->soft), hard));
    }
    return DR_TAKE(array);
}

/* ---- sysctls ---- */

/* Those that belong to the container's IPC, UTS or network namespace; Docker's list. */
static bool namespaced(const char *name)
{
    static const char *const whole[] = {
        "kernel.msgmax", "kernel.msgmnb", "kernel.msgmni", "kernel.sem",
        "kernel.shmall", "kernel.shmmax", "kernel.shmmni", "kernel.shm_rmid_forced",
    };
    for (size_t i = 0; i < DR_COUNT(whole); i++)
        if (strcmp(whole[i], name) == 0)
            return true;
    return strncmp(name, "net.", 4) == 0 || strncmp(name, "fs.mqueue.", 10) == 0;
}

static bool well_formed(const char *name)
{
    for (const char *p = name; *p; p++)
        if (!isalnum((unsigned char)*p) && !strchr("._-/", *p))
            return false;
    return !strstr(name, "..") && name[strlen(name) - 1] != '.';
}

static int add_sysctl(const struct bundle_input *in, const char *entry, json_t *sysctls,
                      struct dr_error *err)
{
    bool host_network = spec_network_mode(in->spec) == SPEC_NETWORK_HOST;
    size_t len = strcspn(entry, "=");
    dr_auto_free char *name = dr_strndup(entry, len);
    if (!len || !entry[len])
        return dr_fail(err, DR_ERR_INVALID, "sysctl '%s': expected name=value", entry);
    if (!namespaced(name) || !well_formed(name))
        return dr_fail(err, DR_ERR_INVALID,
                       "sysctl '%s' is not one of a container: allowed are kernel.msg*, "
                       "kernel.shm*, kernel.sem, fs.mqueue.* and net.*",
                       name);
    if (host_network && strncmp(name, "net.", 4) == 0)
        return dr_fail(
            err, DR_ERR_INVALID,
            "sysctl '%s' is the guest's own with network host, so it cannot be "
            "set",
            name);
    dr_json_set_str(sysctls, name, entry + len + 1);
    return 0;
}

json_t *bundle_sysctls(const struct bundle_input *in, struct dr_error *err)
{
    dr_auto_json json_t *sysctls = json_object();
    bool host_network = spec_network_mode(in->spec) == SPEC_NETWORK_HOST;
    /* Docker's: ports below 1024 and ping need no capability in a network of one's own.
     */
    if (!host_network && in->facts->port_sysctl)
        dr_json_set_str(sysctls, "net.ipv4.ip_unprivileged_port_start", "0");
    if (!host_network && in->facts->ping_sysctl)
        dr_json_set_str(sysctls, "net.ipv4.ping_group_range", "0 2147483647");
    /* what setdomainname(2) sets; config.json has no other word for it that all know */
    dr_json_set_str(sysctls, "kernel.domainname", in->spec->domainname);
    for (char **p = in->spec->sysctls; p && *p; p++)
        if (add_sysctl(in, *p, sysctls, err) < 0)
            return NULL;
    return DR_TAKE(sysctls);
}
