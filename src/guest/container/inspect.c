/* SPDX-License-Identifier: Apache-2.0 */
#include "guest/container/list.h"

#include <string.h>

#include "base/fs.h"
#include "base/text.h"
#include "base/words.h"
#include "guest/container/health.h"
#include "guest/container/ports.h"
#include "guest/files/usage.h"
#include "guest/layers/layers.h"
#include "guest/net/inspect.h"
#include "guest/net/net.h"
#include "spec/container.h"

#define NEVER "0001-01-01T00:00:00Z" /* Docker's word for a time that has not come */

static void set_time(json_t *object, const char *key, int64_t ns)
{
    char text[DR_TIME_TEXT] = NEVER;
    if (ns > 0)
        dr_time_format(ns, text);
    dr_json_set_str(object, key, text);
}

static json_t *or_null(const json_t *value)
{
    return value ? json_incref((json_t *)value) : json_null();
}

static json_t *member(const json_t *object, const char *key)
{
    return or_null(object ? json_object_get(object, key) : NULL);
}

static json_t *inspect_state(const struct container *c)
{
    const char *status = container_shown_status(c);
    bool restarting = container_waits(c); /* nor one for a schedule's next time */
    bool running = container_is_up(c);    /* as Docker: it is, between two runs as well */
    json_t *state = json_object();
    /* Docker has no word for one that is being stopped: it runs */
    dr_json_set_str(state, "Status",
                    restarting                        ? "restarting"
                    : strcmp(status, "stopping") == 0 ? "running"
                                                      : status);
    dr_json_set_bool(state, "Running", running);
    dr_json_set_bool(state, "Paused", strcmp(status, "paused") == 0);
    dr_json_set_bool(state, "Restarting", restarting);
    dr_json_set_bool(state, "OOMKilled", dr_json_bool(c->state, "oom_killed"));
    dr_json_set_bool(state, "Dead", strcmp(status, "dead") == 0);
    dr_json_set_int(state, "Pid", running ? dr_json_int(c->state, "pid", 0) : 0);
    json_t *code = json_object_get(c->state, "exit_code");
    if ((strcmp(status, "exited") == 0 || restarting) && !json_is_integer(code))
        dr_json_set(state, "ExitCode", json_null()); /* unknown is not 0 (I6) */
    else
        dr_json_set_int(state, "ExitCode",
                        running && !restarting ? 0 : json_integer_value(code));
    dr_json_set_str(state, "Error", dr_json_str(c->state, "error") ?: "");
    set_time(state, "StartedAt", dr_json_int(c->state, "started_ns", 0));
    set_time(state, "FinishedAt", dr_json_int(c->state, "finished_ns", 0));
    dr_json_set(state, "Health", health_inspect(c));
    if (dr_json_str(c->state, "schedule")) { /* and what Docker has not */
        set_time(state, "NextRun", dr_json_int(c->state, "next_run_ns", 0));
        dr_json_set_int(state, "Runs", dr_json_int(c->state, "run_count", 0));
        dr_json_set_int(state, "FailedRuns", dr_json_int(c->state, "failed_count", 0));
    }
    return state;
}

static json_t *mount_entry(const char *type, const char *name, const char *source,
                           const char *target, bool read_only)
{
    json_t *mount = json_object();
    dr_json_set_str(mount, "Type", type);
    dr_json_set_str(mount, "Name", name);
    dr_json_set_str(mount, "Source", source);
    dr_json_set_str(mount, "Destination", target);
    if (strcmp(type, "volume") == 0)
        dr_json_set_str(mount, "Driver", "local");
    dr_json_set_str(mount, "Mode", read_only ? "ro" : "");
    dr_json_set_bool(mount, "RW", !read_only);
    dr_json_set_str(mount, "Propagation", strcmp(type, "bind") == 0 ? "rprivate" : "");
    return mount;
}

/* Volumes stand in the record in the order of the spec's volume mounts, then the image's.
 */
static void add_mounts(json_t *mounts, json_t *binds, json_t *tmpfs,
                       const struct spec_container *spec, const json_t *volumes)
{
    size_t used = 0, count = json_array_size(volumes);
    for (size_t i = 0; spec && i < spec->mount_count; i++) {
        const struct spec_mount *m = &spec->mounts[i];
        const json_t *volume =
            m->type == SPEC_MOUNT_VOLUME ? json_array_get(volumes, used++) : NULL;
        const char *name = dr_json_str(volume, "name");
        if (m->type == SPEC_MOUNT_TMPFS) {
            dr_json_set_str(tmpfs, m->target, m->options ? m->options : "");
            json_array_append_new(mounts,
                                  mount_entry("tmpfs", NULL, "", m->target, false));
            continue;
        }
        json_array_append_new(
            mounts, mount_entry(volume ? "volume" : "bind", name,
                                volume ? dr_json_str(volume, "source") : m->source,
                                m->target, m->read_only));
        if (volume && dr_json_bool(volume, "anonymous"))
            continue;
        dr_auto_free char *bind = dr_printf("%s:%s%s", volume ? name : m->source,
                                            m->target, m->read_only ? ":ro" : "");
        json_array_append_new(binds, json_string(bind));
    }
    for (; used < count; used++) {
        const json_t *volume = json_array_get(volumes, used);
        json_array_append_new(mounts, mount_entry("volume", dr_json_str(volume, "name"),
                                                  dr_json_str(volume, "source"),
                                                  dr_json_str(volume, "target"), false));
    }
}

static json_t *log_config(const json_t *spec)
{
    json_t *log = json_object(), *options = json_object();
    const char *driver = dr_json_str(spec, "log_driver");
    static const char *const keys[][2] = {{"max-size", "log_max_size_bytes"},
                                          {"max-file", "log_max_files"}};
    for (size_t i = 0; i < DR_COUNT(keys); i++) {
        int64_t value = dr_json_int(spec, keys[i][1], 0);
        dr_auto_free char *text = dr_printf("%lld", (long long)value);
        if (value > 0)
            dr_json_set_str(options, keys[i][0], text);
    }
    dr_json_set_str(log, "Type", driver ? driver : "k8s-file");
    dr_json_set(log, "Config", options);
    return log;
}

static json_t *host_config(const struct container *c, const struct spec_container *spec,
                           json_t *binds, json_t *tmpfs)
{
    json_t *host = json_object(), *policy = json_object();
    const json_t *json = dr_json_object(c->record, "spec");
    dr_json_set(host, "Binds", binds);
    dr_json_set(host, "Tmpfs", tmpfs);
    dr_json_set_str(policy, "Name", dr_json_str(c->state, "restart") ?: "no");
    dr_json_set_int(policy, "MaximumRetryCount", dr_json_int(c->state, "restart_max", 0));
    dr_json_set(host, "RestartPolicy", policy);
    dr_json_set(host, "LogConfig", log_config(json));
    dr_json_set_str(host, "NetworkMode",
                    spec ? spec_network_first(spec) : SPEC_NETWORK_DEFAULT);
    dr_json_set_str(host, "Runtime", dr_json_str(c->state, "runtime"));
    dr_json_set(host, "PortBindings", container_port_bindings(c));
    if (!spec)
        return host;
    dr_json_set_bool(host, "PublishAllPorts", spec->publish_all);
    dr_json_set_bool(host, "AutoRemove", spec->auto_remove);
    dr_json_set_bool(host, "Privileged", spec->privileged);
    dr_json_set_bool(host, "ReadonlyRootfs", spec->read_only);
    dr_json_set_bool(host, "Init", spec->init);
    dr_json_set(host, "CapAdd", dr_json_from_strv(spec->cap_add));
    dr_json_set(host, "CapDrop", dr_json_from_strv(spec->cap_drop));
    dr_json_set(host, "SecurityOpt", dr_json_from_strv(spec->security_opts));
    dr_json_set_int(host, "Memory", spec->memory_bytes);
    dr_json_set_int(host, "MemorySwap", /* what create asks for; -1: no limit */
                    spec->memory_bytes <= INT64_MAX / 2 ? spec->memory_bytes * 2 : -1);
    dr_json_set_int(host, "NanoCpus", spec->nano_cpus);
    dr_json_set_int(host, "CpuShares", spec->cpu_shares);
    dr_json_set_int(host, "PidsLimit", spec->pids_limit);
    dr_json_set_int(host, "ShmSize",
                    spec->shm_size_bytes ? spec->shm_size_bytes : 64 << 20);
    static const char *const same[][2] = {
        {"Devices", "devices"}, {"Ulimits", "ulimits"}, {"Sysctls", "sysctls"}};
    for (size_t i = 0; i < DR_COUNT(same); i++)
        dr_json_set(host, same[i][0], member(json, same[i][1]));
    return host;
}

static json_t *network_settings(const struct container *c)
{
    dr_auto_json json_t *state = container_is_up(c) ? net_state(c->run_dir) : NULL;
    const json_t *spec = dr_json_object(c->record, "spec");
    json_t *settings = inspect_container_networks(dr_json_array(spec, "networks"), state);
    dr_json_set(settings, "Ports", container_ports_now(c));
    return settings;
}

/* Where its changes are; the root file system is mounted for its monitor alone. */
static json_t *graph_driver(const struct container *c)
{
    json_t *driver = json_object(), *data = json_object();
    static const char *const dirs[][2] = {{"UpperDir", "upper"}, {"WorkDir", "work"}};
    for (size_t i = 0; i < DR_COUNT(dirs); i++) {
        dr_auto_free char *path = dr_path_join(c->dir, dirs[i][1]);
        dr_json_set_str(data, dirs[i][0], path);
    }
    dr_json_set_str(driver, "Name", "overlay");
    dr_json_set(driver, "Data", data);
    return driver;
}

static json_t *shown(char *const *words)
{
    dr_auto_json json_t *json = dr_words_to_json(words);
    return dr_words_shown(json);
}

static json_t *config(const struct container *c, const struct spec_container *spec)
{
    json_t *config = json_object();
    const json_t *process = dr_json_object(c->record, "process");
    const json_t *image = dr_json_object(c->record, "image_config");
    dr_json_set_str(config, "Hostname", dr_json_str(c->record, "hostname"));
    const char *user = spec && spec->user ? spec->user : dr_json_str(image, "User");
    dr_json_set_str(config, "User", user ? user : "");
    dr_json_set_str(config, "Domainname", "");
    dr_json_set(config, "ExposedPorts", container_exposed(c));
    dr_json_set_bool(config, "Tty", spec && spec->tty);
    dr_json_set_bool(config, "OpenStdin", spec && spec->stdin_open);
    dr_json_set_bool(config, "StdinOnce", spec && spec->stdin_open && !spec->stdin_keep);
    dr_json_set(config, "Env", dr_words_shown(dr_json_array(process, "env")));
    bool has_args = spec && dr_strv_len(spec->args) > 0;
    bool has_entrypoint = spec && spec->has_entrypoint;
    dr_json_set(config, "Cmd",
                has_args         ? shown(spec->args)
                : has_entrypoint ? json_null()
                                 : member(image, "Cmd"));
    dr_json_set(config, "Entrypoint",
                has_entrypoint ? shown(spec->entrypoint) : member(image, "Entrypoint"));
    dr_json_set_str(config, "Image", dr_json_str(c->record, "image"));
    dr_json_set(config, "Volumes", member(image, "Volumes"));
    dr_json_set_str(config, "WorkingDir", dr_json_str(process, "cwd"));
    dr_json_set(config, "Labels", or_null(dr_json_object(c->state, "labels")));
    dr_json_set(config, "Healthcheck", health_inspect_config(c));
    int number = (int)dr_json_int(c->record, "stop_signal", 15);
    dr_json_set_str(config, "StopSignal", spec_signal_name(number));
    dr_json_set_int(config, "StopTimeout", dr_json_int(c->record, "stop_timeout_s", 10));
    return config;
}

json_t *container_inspect(const struct container *c)
{
    dr_auto_error struct dr_error torn = DR_ERROR_INIT; /* a damaged record shows less */
    const json_t *kept = dr_json_object(c->record, "spec");
    spec_auto_container struct spec_container *spec =
        kept ? spec_container_from_json(kept, &torn) : NULL;
    json_t *json = json_object(), *mounts = json_array();
    json_t *binds = json_array(), *tmpfs = json_object(), *args = json_array();
    dr_json_set_str(json, "Id", c->id);
    set_time(json, "Created", dr_json_int(c->record, "created_ns", 0));
    dr_auto_json json_t *words =
        dr_words_shown(dr_json_array(dr_json_object(c->record, "process"), "args"));
    dr_json_set_str(json, "Path", json_string_value(json_array_get(words, 0)));
    for (size_t i = 1; i < json_array_size(words); i++)
        json_array_append(args, json_array_get(words, i));
    dr_json_set(json, "Args", args);
    dr_json_set(json, "State", inspect_state(c));
    dr_json_set_str(json, "Image", dr_json_str(c->record, "image_id"));
    static const char *const files[][2] = {{"ResolvConfPath", "resolv.conf"},
                                           {"HostnamePath", "hostname"},
                                           {"HostsPath", "hosts"}};
    for (size_t i = 0; i < DR_COUNT(files); i++) {
        dr_auto_free char *path = dr_path_join(c->dir, files[i][1]);
        dr_json_set_str(json, files[i][0], path);
    }
    dr_json_set_str(json, "LogPath", dr_json_str(c->record, "log"));
    dr_auto_free char *name = dr_printf("/%s", container_name(c));
    dr_json_set_str(json, "Name", name);
    dr_json_set_int(json, "RestartCount", dr_json_int(c->state, "restart_count", 0));
    dr_json_set_str(json, "Driver", "overlay");
    dr_json_set_str(json, "Platform", "linux");
    add_mounts(mounts, binds, tmpfs, spec, dr_json_array(c->record, "volumes"));
    dr_json_set(json, "HostConfig", host_config(c, spec, binds, tmpfs));
    dr_json_set(json, "Mounts", mounts);
    dr_json_set(json, "Config", config(c, spec));
    dr_json_set(json, "NetworkSettings", network_settings(c));
    dr_json_set(json, "GraphDriver", graph_driver(c));
    dr_json_set_str(json, "ProcessLabel", "");
    dr_json_set_str(json, "MountLabel", "");
    dr_json_set_str(json, "AppArmorProfile", "");
    dr_json_set(json, "ExecIDs", json_null());
    /* and what Docker has not */
    dr_json_set_str(json, "Bundle", dr_json_str(c->record, "bundle"));
    static const char *const whose[][2] = {{"Service", "service"},
                                           {"Replica", "replica"},
                                           {"Deployment", "deployment"},
                                           {"Schedule", "schedule"}};
    for (size_t i = 0; i < DR_COUNT(whose); i++)
        dr_json_set(json, whose[i][0],
                    json_incref(json_object_get(c->state, whose[i][1])));
    return json;
}

void container_add_sizes(struct guest *guest, const struct container *c, json_t *inspect)
{
    dr_auto_free char *upper = dr_path_join(c->dir, "upper");
    int64_t written = usage_of_path(upper), all = written;
    size_t i;
    json_t *item;
    json_array_foreach (dr_json_array(c->record, "diff_ids"), i, item) {
        const char *text = json_string_value(item);
        struct oci_digest diff_id;
        struct layer_stats stats = {0};
        dr_auto_error struct dr_error gone = DR_ERROR_INIT;
        if (text && oci_digest_parse(text, strlen(text), &diff_id, &gone) == 0 &&
            layer_meta(guest->layers, &diff_id, &stats, &gone) == 0)
            all += stats.disk_bytes;
    }
    dr_json_set_int(inspect, "SizeRw", written);
    dr_json_set_int(inspect, "SizeRootFs", all);
}
