/* SPDX-License-Identifier: Apache-2.0 */
#include "spec/container.h"

#include "spec/fields.h"

static const char *const mount_words[] = {
    [SPEC_MOUNT_BIND] = "bind",
    [SPEC_MOUNT_VOLUME] = "volume",
    [SPEC_MOUNT_TMPFS] = "tmpfs",
    NULL,
};

#define TEXT(struct_, member)                                                            \
    {                                                                                    \
        .name = #member, .type = SPEC_FIELD_STR,                                         \
        .offset = offsetof(struct struct_, member)                                       \
    }
#define WORDS(struct_, member)                                                           \
    {                                                                                    \
        .name = #member, .type = SPEC_FIELD_STRV,                                        \
        .offset = offsetof(struct struct_, member)                                       \
    }
#define BYTES(struct_, member)                                                           \
    {                                                                                    \
        .name = #member, .type = SPEC_FIELD_WORDS,                                       \
        .offset = offsetof(struct struct_, member)                                       \
    }
#define FLAG(struct_, member)                                                            \
    {                                                                                    \
        .name = #member, .type = SPEC_FIELD_BOOL,                                        \
        .offset = offsetof(struct struct_, member)                                       \
    }
#define NUMBER(struct_, member, default_, from, to)                                      \
    {                                                                                    \
        .name = #member, .type = SPEC_FIELD_INT,                                         \
        .offset = offsetof(struct struct_, member), .otherwise = (default_),             \
        .min = (from), .max = (to)                                                       \
    }
#define LIST(member, counter, fields)                                                    \
    {                                                                                    \
        .name = #member, .type = SPEC_FIELD_LIST,                                        \
        .offset = offsetof(struct spec_container, member),                               \
        .count_offset = offsetof(struct spec_container, counter), .item = (fields),      \
        .item_size = sizeof *((struct spec_container *)NULL)->member                     \
    }

static const struct spec_field mount_fields[] = {
    {.name = "type",
     .type = SPEC_FIELD_ENUM,
     .offset = offsetof(struct spec_mount, type),
     .words = mount_words},
    TEXT(spec_mount, source),
    TEXT(spec_mount, target),
    TEXT(spec_mount, options),
    FLAG(spec_mount, read_only),
    FLAG(spec_mount, no_copy),
    {NULL},
};

static const struct spec_field device_fields[] = {
    TEXT(spec_device, host_path),
    TEXT(spec_device, container_path),
    TEXT(spec_device, permissions),
    {NULL},
};

static const struct spec_field ulimit_fields[] = {
    TEXT(spec_ulimit, name),
    NUMBER(spec_ulimit, soft, 0, -1, INT64_MAX),
    NUMBER(spec_ulimit, hard, 0, -1, INT64_MAX),
    {NULL},
};

static const struct spec_field network_fields[] = {
    TEXT(spec_network, name), WORDS(spec_network, aliases), TEXT(spec_network, ip),
    TEXT(spec_network, ip6),  TEXT(spec_network, mac),      {NULL},
};

static const struct spec_field port_fields[] = {
    TEXT(spec_port, host_ip),
    NUMBER(spec_port, host_port, 0, 0, 65535),
    NUMBER(spec_port, host_port_last, 0, 0, 65535),
    NUMBER(spec_port, container_port, 0, 1, 65535),
    TEXT(spec_port, protocol),
    {NULL},
};

#define HEALTH(member, type_)                                                            \
    {                                                                                    \
        .name = "health_" #member, .type = (type_),                                      \
        .offset = offsetof(struct spec_container, health) +                              \
                  offsetof(struct spec_health, member),                                  \
        .max = INT64_MAX                                                                 \
    }

static const struct spec_field container_fields[] = {
    TEXT(spec_container, name),
    TEXT(spec_container, service),
    TEXT(spec_container, deployment),
    NUMBER(spec_container, replica, 0, 0, UINT32_MAX),
    TEXT(spec_container, image),
    TEXT(spec_container, image_id),
    BYTES(spec_container, args),
    BYTES(spec_container, entrypoint),
    FLAG(spec_container, has_entrypoint),
    BYTES(spec_container, env),
    TEXT(spec_container, workdir),
    TEXT(spec_container, user),
    TEXT(spec_container, hostname),
    WORDS(spec_container, labels),
    WORDS(spec_container, annotations),
    LIST(mounts, mount_count, mount_fields),
    LIST(devices, device_count, device_fields),
    LIST(ulimits, ulimit_count, ulimit_fields),
    WORDS(spec_container, sysctls),
    WORDS(spec_container, cap_add),
    WORDS(spec_container, cap_drop),
    WORDS(spec_container, security_opts),
    FLAG(spec_container, privileged),
    FLAG(spec_container, read_only),
    FLAG(spec_container, init),
    FLAG(spec_container, stdin_open),
    FLAG(spec_container, stdin_keep),
    FLAG(spec_container, tty),
    FLAG(spec_container, auto_remove),
    LIST(networks, network_count, network_fields),
    LIST(ports, port_count, port_fields),
    FLAG(spec_container, publish_all),
    WORDS(spec_container, exposed),
    WORDS(spec_container, dns),
    WORDS(spec_container, dns_search),
    WORDS(spec_container, dns_options),
    WORDS(spec_container, extra_hosts),
    TEXT(spec_container, domainname),
    NUMBER(spec_container, memory_bytes, 0, 0, INT64_MAX),
    NUMBER(spec_container, nano_cpus, 0, 0, INT64_MAX),
    NUMBER(spec_container, cpu_shares, 0, 0, 262144),
    NUMBER(spec_container, pids_limit, 0, -1, INT64_MAX),
    NUMBER(spec_container, shm_size_bytes, 0, 0, INT64_MAX),
    TEXT(spec_container, stop_signal),
    NUMBER(spec_container, stop_timeout_s, -1, -1, INT32_MAX),
    TEXT(spec_container, log_driver),
    NUMBER(spec_container, log_max_size_bytes, 0, 0, INT64_MAX),
    NUMBER(spec_container, log_max_files, 0, 0, 1000),
    TEXT(spec_container, restart),
    NUMBER(spec_container, restart_max, 0, 0, INT32_MAX),
    TEXT(spec_container, schedule),
    HEALTH(test, SPEC_FIELD_WORDS),
    HEALTH(interval_ns, SPEC_FIELD_INT),
    HEALTH(timeout_ns, SPEC_FIELD_INT),
    HEALTH(start_period_ns, SPEC_FIELD_INT),
    HEALTH(start_interval_ns, SPEC_FIELD_INT),
    HEALTH(retries, SPEC_FIELD_INT),
    {NULL},
};

struct spec_container *spec_container_new(void)
{
    struct spec_container *spec = dr_alloc(sizeof *spec);
    spec_fields_init(container_fields, spec);
    return spec;
}

void spec_container_free(struct spec_container *spec)
{
    if (!spec)
        return;
    spec_fields_release(container_fields, spec);
    free(spec);
}

void spec_cleanup_container(struct spec_container **spec)
{
    spec_container_free(*spec);
}

void spec_mount_release(struct spec_mount *item)
{
    spec_fields_release(mount_fields, item);
}

void spec_device_release(struct spec_device *item)
{
    spec_fields_release(device_fields, item);
}

void spec_ulimit_release(struct spec_ulimit *item)
{
    spec_fields_release(ulimit_fields, item);
}

void spec_network_release(struct spec_network *item)
{
    spec_fields_release(network_fields, item);
}

void spec_port_release(struct spec_port *item)
{
    spec_fields_release(port_fields, item);
}

json_t *spec_container_to_json(const struct spec_container *spec)
{
    return spec_fields_encode(container_fields, spec);
}

struct spec_container *spec_container_from_json(const json_t *json, struct dr_error *err)
{
    spec_auto_container struct spec_container *spec = spec_container_new();
    if (spec_fields_decode(container_fields, json, spec, err) < 0 ||
        spec_container_check(spec, err) < 0) {
        dr_wrap(err, "container spec");
        return NULL;
    }
    return DR_TAKE(spec);
}

int spec_container_check_text(const struct spec_container *spec, struct dr_error *err)
{
    return spec_fields_check_text(container_fields, spec, err);
}

void spec_container_add_mount(struct spec_container *spec, struct spec_mount *item)
{
    spec->mounts =
        dr_realloc(spec->mounts, (spec->mount_count + 1) * sizeof *spec->mounts);
    spec->mounts[spec->mount_count++] = *item;
    *item = (struct spec_mount){0};
}

void spec_container_add_device(struct spec_container *spec, struct spec_device *item)
{
    spec->devices =
        dr_realloc(spec->devices, (spec->device_count + 1) * sizeof *spec->devices);
    spec->devices[spec->device_count++] = *item;
    *item = (struct spec_device){0};
}

void spec_container_add_ulimit(struct spec_container *spec, struct spec_ulimit *item)
{
    spec->ulimits =
        dr_realloc(spec->ulimits, (spec->ulimit_count + 1) * sizeof *spec->ulimits);
    spec->ulimits[spec->ulimit_count++] = *item;
    *item = (struct spec_ulimit){0};
}

static struct spec_network *another_network(struct spec_container *spec)
{
    spec->networks =
        dr_realloc(spec->networks, (spec->network_count + 1) * sizeof *spec->networks);
    struct spec_network *item = &spec->networks[spec->network_count++];
    *item = (struct spec_network){0};
    return item;
}

struct spec_network *spec_container_first_network(struct spec_container *spec)
{
    return spec->network_count ? &spec->networks[0] : another_network(spec);
}

static void move_text(char **to, char **from)
{
    if (*from) {
        free(*to);
        *to = DR_TAKE(*from);
    }
}

void spec_container_add_network(struct spec_container *spec, struct spec_network *item)
{
    bool nameless = spec->network_count == 1 && !spec->networks[0].name;
    struct spec_network *into = nameless ? &spec->networks[0] : another_network(spec);
    move_text(&into->name, &item->name);
    move_text(&into->ip, &item->ip);
    move_text(&into->ip6, &item->ip6);
    move_text(&into->mac, &item->mac);
    for (char **alias = item->aliases; alias && *alias; alias++)
        dr_strv_add(&into->aliases, *alias);
    spec_network_release(item);
}

void spec_container_add_port(struct spec_container *spec, struct spec_port *item)
{
    spec->ports = dr_realloc(spec->ports, (spec->port_count + 1) * sizeof *spec->ports);
    spec->ports[spec->port_count++] = *item;
    *item = (struct spec_port){0};
}
