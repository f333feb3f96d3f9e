/* SPDX-License-Identifier: Apache-2.0 */
#include "deploy/write.h"

#include <string.h>

#include "base/text.h"
#include "deploy/refs.h"

/* --- values as the format has them --- */

static void set_flag(json_t *to, const char *key, bool value)
{
    if (value)
        dr_json_set_bool(to, key, true);
}

static void set_words(json_t *to, const char *key, char *const *words)
{
    if (words && *words)
        dr_json_set(to, key, dr_json_from_strv(words));
}

static void set_number(json_t *to, const char *key, int64_t value)
{
    if (value)
        dr_json_set_int(to, key, value);
}

static void set_size(json_t *to, const char *key, int64_t bytes)
{
    static const char *const units[] = {"", "Ki", "Mi", "Gi", "Ti"};
    size_t unit = 0;
    if (!bytes)
        return;
    while (bytes % 1024 == 0 && unit + 1 < DR_COUNT(units)) {
        bytes /= 1024;
        unit++;
    }
    dr_auto_free char *text = dr_printf("%lld%s", (long long)bytes, units[unit]);
    if (unit)
        dr_json_set_str(to, key, text);
    else
        dr_json_set_int(to, key, bytes);
}

static void set_duration(json_t *to, const char *key, int64_t ns)
{
    static const struct {
        int64_t ns;
        const char *unit;
    } units[] = {{1000000000, "s"}, {1000000, "ms"}, {1000, "us"}, {1, "ns"}};
    size_t i = 0;
    if (!ns)
        return;
    while (ns % units[i].ns)
        i++;
    dr_auto_free char *text =
        dr_printf("%lld%s", (long long)(ns / units[i].ns), units[i].unit);
    dr_json_set_str(to, key, text);
}

static void set_cpus(json_t *to, const char *key, int64_t nano)
{
    if (!nano)
        return;
    dr_auto_free char *text = dr_printf("%lld.%09lld", (long long)(nano / 1000000000),
                                        (long long)(nano % 1000000000));
    size_t len = strlen(text);
    while (text[len - 1] == '0')
        text[--len] = '\0';
    if (text[len - 1] == '.')
        text[--len] = '\0';
    dr_json_set_str(to, key, text);
}

/* "K=V" words as a mapping; of a key that is there twice the last. */
static json_t *pairs(char *const *words)
{
    json_t *map = json_object();
    for (; words && *words; words++) {
        const char *equals = strchr(*words, '=');
        dr_auto_free char *key =
            equals ? dr_strndup(*words, (size_t)(equals - *words)) : dr_strdup(*words);
        json_object_set_new(map, key, equals ? json_string(equals + 1) : json_null());
    }
    return map;
}

/* Takes a mapping or list over; an empty one is left out. */
static void set_filled(json_t *to, const char *key, json_t *value)
{
    if (json_object_size(value) || json_array_size(value))
        dr_json_set(to, key, value);
    else
        json_decref(value);
}

/* What a network or volume is called in this file: without the deployment's name, where
 * that is unmistakable. Borrowed. */
static const char *key_of(const struct deploy_model *model, const char *name,
                          bool external, bool taken)
{
    size_t len = strlen(model->name);
    bool ours = !external && strncmp(name, model->name, len) == 0 && name[len] == '_' &&
                name[len + 1];
    return ours && !taken ? name + len + 1 : name;
}

static const char *behind_name(const struct deploy_model *model, const char *name)
{
    size_t len = strlen(model->name);
    return strncmp(name, model->name, len) == 0 && name[len] == '_' ? name + len + 1 : "";
}

static const char *network_key(const struct deploy_model *model,
                               const struct deploy_network *n)
{
    return key_of(model, n->name, n->external,
                  deploy_model_network(model, behind_name(model, n->name)) != NULL);
}

static const char *volume_key(const struct deploy_model *model,
                              const struct deploy_volume *v)
{
    return key_of(model, v->name, v->external,
                  deploy_model_volume(model, behind_name(model, v->name)) != NULL);
}

/* --- parts of a service --- */

static json_t *image(const struct deploy_service *s)
{
    static const char *const policies[] = {[DEPLOY_PULL_MISSING] = NULL,
                                           [DEPLOY_PULL_ALWAYS] = "always",
                                           [DEPLOY_PULL_NEWER] = "newer",
                                           [DEPLOY_PULL_NEVER] = "never"};
    json_t *map = json_object();
    dr_json_set_str(map, "name", s->spec->image);
    dr_json_set_str(map, "pull_policy", policies[s->pull]);
    dr_json_set_str(map, "platform", s->platform);
    return map;
}

static json_t *command(const struct spec_container *spec)
{
    json_t *map = json_object();
    if (spec->has_entrypoint)
        dr_json_set(map, "entrypoint", dr_json_from_strv(spec->entrypoint));
    set_words(map, "args", spec->args);
    dr_json_set_str(map, "workdir", spec->workdir);
    return map;
}

static json_t *env(const struct deploy_service *s)
{
    if (s->env_written)
        return pairs(s->env_written);
    dr_auto_strv char **escaped = NULL;
    for (char **word = s->spec->env; word && *word; word++) {
        dr_auto_free char *text = deploy_refs_escape(*word);
        dr_strv_add(&escaped, text);
    }
    return pairs(escaped);
}

static json_t *resources(const struct spec_container *spec)
{
    json_t *map = json_object();
    set_cpus(map, "cpu", spec->nano_cpus);
    set_number(map, "cpu_shares", spec->cpu_shares);
    set_size(map, "memory", spec->memory_bytes);
    set_number(map, "pids", spec->pids_limit);
    set_size(map, "shm", spec->shm_size_bytes);
    return map;
}

static json_t *mount(const struct deploy_model *model, const struct spec_mount *m)
{
    const struct deploy_volume *volume = m->type == SPEC_MOUNT_VOLUME && m->source
                                             ? deploy_model_volume(model, m->source)
                                             : NULL;
    const char *type = m->type == SPEC_MOUNT_TMPFS  ? "tmpfs"
                       : m->type == SPEC_MOUNT_BIND ? "bind"
                       : m->source                  ? "named"
                                                    : "anonymous";
    json_t *map = json_object();
    dr_json_set_str(map, "type", type);
    dr_json_set_str(map, "source", volume ? volume_key(model, volume) : m->source);
    dr_json_set_str(map, "target", m->target);
    set_flag(map, "read_only", m->read_only);
    set_flag(map, "no_copy", m->no_copy);
    dr_json_set_str(map, m->type == SPEC_MOUNT_TMPFS ? "options" : "propagation",
                    m->options);
    return map;
}

static json_t *storage(const struct deploy_model *model,
                       const struct spec_container *spec)
{
    json_t *list = json_array();
    for (size_t i = 0; i < spec->mount_count; i++)
        json_array_append_new(list, mount(model, &spec->mounts[i]));
    return list;
}

static json_t *files(const struct deploy_service *s)
{
    json_t *list = json_array();
    for (size_t i = 0; i < s->file_count; i++) {
        const struct deploy_file *f = &s->files[i];
        json_t *map = json_object();
        dr_json_set_str(map, "target", f->target);
        dr_json_set_str(map, "source", f->source);
        dr_json_set_str(map, "variable", f->variable);
        if (!f->source && !f->variable)
            dr_json_set_str(map, "content", f->data);
        if (f->mode) {
            dr_auto_free char *mode = dr_printf("%04o", (unsigned)f->mode);
            dr_json_set_str(map, "mode", mode);
        }
        set_number(map, "uid", f->uid);
        set_number(map, "gid", f->gid);
        set_flag(map, "secret", f->secret);
        json_array_append_new(list, map);
    }
    return list;
}

static json_t *endpoints(const struct deploy_service *s)
{
    json_t *list = json_array();
    size_t next = 0;
    for (char **word = s->spec->exposed; word && *word; word++) {
        int64_t port;
        const char *protocol;
        if (!spec_exposed_parse(*word, &port, &protocol))
            continue;
        const struct deploy_endpoint *e =
            next < s->endpoint_count ? &s->endpoints[next] : NULL;
        bool named = e && e->port == port && strcmp(e->protocol, protocol) == 0;
        json_t *map = json_object();
        if (named) {
            dr_json_set_str(map, "name", e->name);
            next++;
        }
        dr_json_set_int(map, "port", port);
        dr_json_set_str(map, "protocol", protocol);
        json_array_append_new(list, map);
    }
    return list;
}

static json_t *port_mappings(const struct spec_container *spec)
{
    json_t *list = json_array();
    for (size_t i = 0; i < spec->port_count; i++) {
        const struct spec_port *p = &spec->ports[i];
        json_t *map = json_object();
        dr_json_set_str(map, "address", p->host_ip);
        if (p->host_port_last) {
            dr_auto_free char *range = dr_printf("%lld-%lld", (long long)p->host_port,
                                                 (long long)p->host_port_last);
            dr_json_set_str(map, "host", range);
        } else {
            set_number(map, "host", p->host_port);
        }
        dr_json_set_int(map, "container", p->container_port);
        dr_json_set_str(map, "protocol", p->protocol);
        json_array_append_new(list, map);
    }
    return list;
}

static json_t *devices(const struct spec_container *spec)
{
    json_t *list = json_array();
    for (size_t i = 0; i < spec->device_count; i++) {
        json_t *map = json_object();
        dr_json_set_str(map, "source", spec->devices[i].host_path);
        dr_json_set_str(map, "target", spec->devices[i].container_path);
        dr_json_set_str(map, "permissions", spec->devices[i].permissions);
        json_array_append_new(list, map);
    }
    return list;
}

static json_t *health(const struct spec_health *h)
{
    json_t *map = json_object();
    char **test = h->test;
    int64_t port;
    if (!test || !test[0])
        ;
    else if (strcmp(test[0], "NONE") == 0)
        set_flag(map, "disable", true);
    else if (strcmp(test[0], "TCP") == 0 && dr_int_parse(test[1], 1, 65535, &port))
        dr_json_set_int(map, "tcp", port);
    else if (strcmp(test[0], "HTTP") == 0)
        dr_json_set_str(map, "http", test[1]);
    else if (strcmp(test[0], "CMD-SHELL") == 0)
        dr_json_set_str(map, "command", test[1]);
    else
        set_words(map, "command", test + 1);
    set_duration(map, "interval", h->interval_ns);
    set_duration(map, "timeout", h->timeout_ns);
    set_number(map, "retries", h->retries);
    set_duration(map, "start_grace", h->start_period_ns);
    set_duration(map, "start_interval", h->start_interval_ns);
    return map;
}

static void set_restart(json_t *to, const struct spec_container *spec)
{
    if (!spec->restart)
        return;
    json_t *map = json_object();
    dr_json_set_str(map, "policy", spec->restart);
    set_number(map, "max_retries", spec->restart_max);
    dr_json_set(to, "restart_policy", map);
}

static json_t *ulimits(const struct spec_container *spec)
{
    json_t *map = json_object();
    for (size_t i = 0; i < spec->ulimit_count; i++) {
        json_t *both = json_object();
        dr_json_set_int(both, "soft", spec->ulimits[i].soft);
        dr_json_set_int(both, "hard", spec->ulimits[i].hard);
        dr_json_set(map, spec->ulimits[i].name, both);
    }
    return map;
}

static json_t *joined(const struct deploy_service *s, const struct spec_network *n)
{
    json_t *map = json_object(), *aliases = json_array();
    for (char **alias = n->aliases; alias && *alias; alias++)
        if (strcmp(*alias, s->name) != 0)
            json_array_append_new(aliases, json_string(*alias));
    set_filled(map, "aliases", aliases);
    dr_json_set_str(map, "ip", n->ip);
    dr_json_set_str(map, "ip6", n->ip6);
    dr_json_set_str(map, "mac_address", n->mac);
    return map;
}

static void set_networks(json_t *to, const struct deploy_model *model,
                         const struct deploy_service *s)
{
    json_t *map = json_object();
    for (size_t i = 0; i < s->spec->network_count; i++) {
        const struct spec_network *n = &s->spec->networks[i];
        const struct deploy_network *known =
            n->name ? deploy_model_network(model, n->name) : NULL;
        if (known)
            dr_json_set(map, network_key(model, known), joined(s, n));
        else
            dr_json_set_str(to, "network_mode", n->name);
    }
    set_filled(to, "networks", map);
}

static json_t *depends(const struct deploy_service *s)
{
    static const char *const conditions[] = {[DEPLOY_STARTED] = "started",
                                             [DEPLOY_HEALTHY] = "healthy",
                                             [DEPLOY_COMPLETED] = "completed"};
    json_t *list = json_array();
    for (size_t i = 0; i < s->depend_count; i++) {
        const struct deploy_depend *d = &s->depends[i];
        json_t *map = json_object();
        dr_json_set_str(map, "service", d->service);
        dr_json_set_str(map, "condition", conditions[d->condition]);
        set_flag(map, "optional", d->optional);
        set_flag(map, "restart", d->restart);
        json_array_append_new(list, map);
    }
    return list;
}

static json_t *logging(const struct spec_container *spec)
{
    json_t *map = json_object();
    dr_json_set_str(map, "driver", spec->log_driver);
    set_size(map, "max_size", spec->log_max_size_bytes);
    set_number(map, "max_files", spec->log_max_files);
    return map;
}

static json_t *service(const struct deploy_model *model, const struct deploy_service *s)
{
    static const char *const rtypes[] = {
        [DEPLOY_SERVICE] = NULL, [DEPLOY_JOB] = "job", [DEPLOY_CRON] = "cron"};
    const struct spec_container *spec = s->spec;
    json_t *map = json_object();
    dr_json_set_str(map, "rtype", rtypes[s->rtype]);
    dr_json_set_str(map, "schedule", s->schedule);
    dr_json_set(map, "image", image(s));
    dr_json_set_str(map, "container_name", s->container_name);
    set_filled(map, "command", command(spec));
    set_filled(map, "env", env(s));
    set_filled(map, "resources", resources(spec));
    set_filled(map, "storage", storage(model, spec));
    set_filled(map, "files", files(s));
    set_filled(map, "endpoints", endpoints(s));
    set_filled(map, "port_mappings", port_mappings(spec));
    set_words(map, "capabilities", spec->cap_add);
    set_words(map, "cap_drop", spec->cap_drop);
    set_filled(map, "devices", devices(spec));
    set_flag(map, "privileged", spec->privileged);
    set_filled(map, "health", health(&spec->health));
    set_restart(map, spec);
    dr_json_set_str(map, "hostname", spec->hostname);
    dr_json_set_str(map, "domainname", spec->domainname);
    set_words(map, "dns", spec->dns);
    set_words(map, "dns_search", spec->dns_search);
    set_words(map, "dns_options", spec->dns_options);
    set_words(map, "extra_hosts", spec->extra_hosts);
    set_filled(map, "labels", pairs(spec->labels));
    set_filled(map, "annotations", pairs(spec->annotations));
    dr_json_set_str(map, "user", spec->user);
    dr_json_set_str(map, "stop_signal", spec->stop_signal);
    if (spec->stop_timeout_s >= 0) {
        dr_auto_free char *grace = dr_printf("%llds", (long long)spec->stop_timeout_s);
        dr_json_set_str(map, "stop_grace_period", grace);
    }
    set_filled(map, "sysctls", pairs(spec->sysctls));
    set_filled(map, "ulimits", ulimits(spec));
    set_words(map, "security_opts", spec->security_opts);
    set_networks(map, model, s);
    set_flag(map, "read_only_root_fs", spec->read_only);
    set_flag(map, "tty", spec->tty);
    set_flag(map, "stdin_open", spec->stdin_open);
    set_flag(map, "init", spec->init);
    if (s->scale != 1)
        dr_json_set_int(map, "scale", s->scale);
    if (s->start_first)
        dr_json_set(map, "update", json_pack("{s:s}", "order", "start_first"));
    set_filled(map, "depends", depends(s));
    set_filled(map, "log", logging(spec));
    return map;
}

/* --- what services share --- */

static json_t *network(const struct deploy_model *model, const struct deploy_network *n)
{
    json_t *map = json_object(), *list = json_array();
    bool whole = strcmp(network_key(model, n), n->name) == 0;
    if (whole && !n->external)
        dr_json_set_str(map, "name", n->name);
    set_flag(map, "external", n->external);
    set_flag(map, "internal", n->internal);
    set_flag(map, "ipv6", n->ipv6);
    set_number(map, "mtu", n->mtu);
    for (size_t i = 0; i < n->subnet_count; i++) {
        json_t *subnet = json_object();
        dr_json_set_str(subnet, "subnet", n->subnets[i].subnet);
        dr_json_set_str(subnet, "gateway", n->subnets[i].gateway);
        dr_json_set_str(subnet, "range", n->subnets[i].range);
        json_array_append_new(list, subnet);
    }
    set_filled(map, "subnets", list);
    set_filled(map, "labels", pairs(n->labels));
    return map;
}

static json_t *volume(const struct deploy_model *model, const struct deploy_volume *v)
{
    json_t *map = json_object();
    if (strcmp(volume_key(model, v), v->name) == 0 && !v->external)
        dr_json_set_str(map, "name", v->name);
    set_flag(map, "external", v->external);
    set_filled(map, "labels", pairs(v->labels));
    return map;
}

json_t *deploy_write_json(const struct deploy_model *model)
{
    json_t *root = json_object(), *services = json_object();
    json_t *networks = json_object(), *volumes = json_object();
    dr_json_set_str(root, "version", "v1");
    dr_json_set_str(root, "deployment", model->name);
    if (model->compose_names)
        dr_json_set_str(root, "naming", "deployment");
    for (size_t i = 0; i < model->service_count; i++)
        dr_json_set(services, model->services[i].name,
                    service(model, &model->services[i]));
    for (size_t i = 0; i < model->network_count; i++)
        dr_json_set(networks, network_key(model, &model->networks[i]),
                    network(model, &model->networks[i]));
    for (size_t i = 0; i < model->volume_count; i++)
        dr_json_set(volumes, volume_key(model, &model->volumes[i]),
                    volume(model, &model->volumes[i]));
    dr_json_set(root, "services", services);
    set_filled(root, "networks", networks);
    set_filled(root, "volumes", volumes);
    return root;
}

char *deploy_write_yaml(const struct deploy_model *model)
{
    dr_auto_json json_t *json = deploy_write_json(model);
    return deploy_yaml_of_json(json);
}
