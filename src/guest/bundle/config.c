/* SPDX-License-Identifier: Apache-2.0 */
/* config.json, put together from its parts (C13, C16). */
#include <stdio.h>
#include <string.h>

#include "guest/bundle/parts.h"

/* Docker's lists. A path that the kernel does not have is skipped by the runtimes. */
static const char *const masked_paths[] = {
    "/proc/acpi",
    "/proc/asound",
    "/proc/interrupts",
    "/proc/kcore",
    "/proc/keys",
    "/proc/latency_stats",
    "/proc/sched_debug",
    "/proc/scsi",
    "/proc/timer_list",
    "/proc/timer_stats",
    "/sys/devices/virtual/powercap",
    "/sys/firmware",
};
static const char *const read_only_paths[] = {
    "/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger",
};

static json_t *masked(const struct bundle_facts *facts)
{
    json_t *paths = bundle_words(masked_paths, DR_COUNT(masked_paths));
    /* Timing of the neighbours leaks through these (GHSA-6fw5-f8r9-fgfm). */
    for (unsigned i = 0; facts->thermal_throttle && i < facts->cpus; i++) {
        char path[80];
        snprintf(path, sizeof path, "/sys/devices/system/cpu/cpu%u/thermal_throttle", i);
        json_array_append_new(paths, json_string(path));
    }
    return paths;
}

static json_t *namespaces(const struct bundle_input *in)
{
    bool host_network = spec_network_mode(in->spec) == SPEC_NETWORK_HOST;
    const struct {
        const char *type;
        bool wanted;
    } table[] = {
        {"pid", true},
        {"ipc", true},
        {"uts", true},
        {"mount", true},
        {"network", !host_network},
        {"cgroup", in->facts->cgroup_ns},
    };
    json_t *array = json_array();
    for (size_t i = 0; i < DR_COUNT(table); i++) {
        json_t *one = json_pack("{ss}", "type", table[i].type);
        if (strcmp(table[i].type, "network") == 0)
            dr_json_set_str(one, "path", in->netns_path);
        if (table[i].wanted)
            json_array_append(array, one);
        json_decref(one);
    }
    return array;
}

static json_t *linux_section(const struct bundle_input *in,
                             const struct bundle_security *security, uint64_t caps,
                             struct dr_error *err)
{
    dr_auto_json json_t *json = json_object();
    dr_auto_json json_t *devices = NULL, *rules = NULL;
    if (bundle_devices(in, &devices, &rules, err) < 0)
        return NULL;
    json_t *resources = bundle_resources(in, rules, err);
    if (!resources)
        return NULL;
    dr_json_set(json, "resources", resources);
    json_t *sysctls = bundle_sysctls(in, err);
    if (!sysctls)
        return NULL;
    dr_json_set(json, "sysctl", sysctls);
    json_t *seccomp;
    if (bundle_seccomp(security, in->facts, caps, &seccomp, err) < 0)
        return NULL;
    dr_json_set(json, "seccomp", seccomp);
    dr_json_set(json, "namespaces", namespaces(in));
    dr_json_set_str(json, "cgroupsPath", in->cgroups_path);
    if (json_array_size(devices))
        dr_json_set(json, "devices", DR_TAKE(devices));
    if (!security->paths_unconfined) {
        dr_json_set(json, "maskedPaths", masked(in->facts));
        dr_json_set(json, "readonlyPaths",
                    bundle_words(read_only_paths, DR_COUNT(read_only_paths)));
    }
    return DR_TAKE(json);
}

/* Ours only: an image's or a person's annotations could make crun run commands in the
 * guest (run.oci.*, HAZARDS H2). */
static json_t *annotations(const struct bundle_input *in, bool seccomp, bool home_added)
{
    json_t *json = json_object();
    if (home_added)
        dr_json_set_str(json, BUNDLE_HOME_MARK, "true");
    if (seccomp && in->seccomp_bpf_base64)
        dr_json_set_str(json, "run.oci.seccomp_bpf_data", in->seccomp_bpf_base64);
    return json;
}

json_t *bundle_config(const struct bundle_input *in, struct dr_error *err)
{
    const char *hostname = in->hostname         ? in->hostname
                           : in->spec->hostname ? in->spec->hostname
                                                : in->slug;
    struct bundle_security security;
    uint64_t caps;
    bool home_added = false;
    if (in->spec->init && !in->init_path) {
        dr_fail(err, DR_ERR_INTERNAL, "init asked for, but there is no init program");
        return NULL;
    }
    if (bundle_security_parse(in->spec, &security, err) < 0 ||
        bundle_caps(in->spec, in->facts, &caps, err) < 0)
        return NULL;
    dr_auto_json json_t *config = json_object();
    dr_json_set_str(config, "ociVersion", "1.0.2");
    json_t *process = bundle_process(in, &security, caps, hostname, &home_added, err);
    if (!process)
        return NULL;
    dr_json_set(config, "process", process);
    json_t *mounts = bundle_mounts(in, &security, err);
    if (!mounts)
        return NULL;
    dr_json_set(config, "mounts", mounts);
    json_t *section = linux_section(in, &security, caps, err);
    if (!section)
        return NULL;
    dr_json_set(config, "linux", section);
    json_t *root = json_object();
    dr_json_set_str(root, "path", in->rootfs_path);
    dr_json_set_bool(root, "readonly", in->spec->read_only);
    dr_json_set(config, "root", root);
    dr_json_set_str(config, "hostname", hostname);
    bool seccomp = dr_json_object(section, "seccomp") != NULL;
    dr_json_set(config, "annotations", annotations(in, seccomp, home_added));
    return DR_TAKE(config);
}
