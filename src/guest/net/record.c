/* SPDX-License-Identifier: Apache-2.0 */
#include "guest/net/record.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/fs.h"
#include "base/sha256.h"
#include "guest/bundle/bundle.h"
#include "guest/container/record.h"
#include "spec/container.h"

#define RECORDED_MAX 4096
#define NETWORK_NAME "recorded"
#define CONFIG "config.json"
#define OWN_CONFIG "config.own.json" /* as create made it */

static char *path_of(const struct guest *guest, const char *name)
{
    return dr_printf("%s/networks/.recorded/%s.json", guest->root, name);
}

static json_t *read_record(const struct guest *guest, const char *name)
{
    dr_auto_error struct dr_error none = DR_ERROR_INIT;
    dr_auto_buf struct dr_buf text = DR_BUF_INIT(RECORDED_MAX);
    dr_auto_free char *path = path_of(guest, name);
    if (!spec_name_valid(name) || dr_file_read(AT_FDCWD, path, &text, &none) < 0)
        return NULL;
    return dr_json_parse(text.data ? text.data : "", text.len, RECORDED_MAX, &none);
}

static int take(json_t *record, const json_t *request, const char *key,
                struct dr_error *err)
{
    const char *text = dr_json_str(request, key);
    struct dr_ip ip;
    if (!text)
        return 0;
    if (!*text) {
        json_object_del(record, key);
        return 0;
    }
    if (!dr_ip_parse(text, &ip) || dr_ip_is_zero(&ip) || dr_ip_is_multicast(&ip) ||
        dr_ip_is_loopback(&ip))
        return dr_fail(err, DR_ERR_INVALID, "%s '%.64s': expected an IP address", key,
                       text);
    dr_json_set_str(record, key, text);
    return 0;
}

int record_address(const struct guest *guest, const json_t *request, struct dr_error *err)
{
    const char *name = dr_json_str(request, "name");
    dr_auto_fd int lock = -1;
    if (!name || spec_name_check(name, err) < 0)
        return name ? -1 : dr_fail(err, DR_ERR_INVALID, "the request names no container");
    if (networks_lock(guest, &lock, err) < 0)
        return -1;
    dr_auto_json json_t *record = read_record(guest, name);
    if (!record)
        record = json_object();
    if (take(record, request, "ip", err) < 0 || take(record, request, "gateway", err) < 0)
        return -1;
    dr_auto_free char *path = path_of(guest, name);
    if (json_object_size(record) == 0) {
        if (unlink(path) < 0 && errno != ENOENT)
            return dr_fail_errno(err, DR_ERR_NETWORK, "remove %s", path);
        return 0;
    }
    dr_auto_free char *dir = dr_printf("%s/networks/.recorded", guest->root);
    dr_auto_free char *text = dr_json_text(record);
    if (dr_mkdir_all(dir, 0700, err) < 0)
        return -1;
    return dr_file_write(AT_FDCWD, path, text, strlen(text), 0600, DR_WRITE_SYNC, err);
}

json_t *record_find(const struct guest *guest, const char *name, struct network *ret)
{
    dr_auto_json json_t *record = name ? read_record(guest, name) : NULL;
    const char *ip_text = dr_json_str(record, "ip");
    const char *gateway = dr_json_str(record, "gateway");
    struct pool pool = {0};
    char subnet[DR_SUBNET_TEXT];
    if (!ip_text || !dr_ip_parse(ip_text, &pool.subnet.ip))
        return NULL;
    pool.subnet.prefix = pool.subnet.ip.family == 4 ? 24 : 64;
    pool.subnet.ip = dr_subnet_base(&pool.subnet);
    if (gateway)
        dr_ip_parse(gateway, &pool.gateway);
    *ret = (struct network){.name = dr_strdup(NETWORK_NAME), .recorded = true};
    ret->pools[pool.subnet.ip.family == 4 ? 0 : 1] = pool;
    /* the same for all of its neighbours */
    dr_subnet_format(&pool.subnet, subnet);
    dr_auto_free char *seed = dr_printf(NETWORK_NAME " %s %s", guest->root, subnet);
    dr_sha256_of(seed, strlen(seed), ret->id);
    return json_pack("{ss}", pool.subnet.ip.family == 4 ? "ip" : "ip6", ip_text);
}

struct finding {
    const struct guest *guest;
    int (*each)(void *arg, const struct network *network);
    void *arg;
};

static int find_and_tell(void *arg, const char *name)
{
    const struct finding *f = arg;
    network_auto struct network network = {0};
    dr_auto_json json_t *wanted = record_find(f->guest, name, &network);
    return wanted ? f->each(f->arg, &network) : 0;
}

int record_each(const struct guest *guest,
                int (*each)(void *arg, const struct network *network), void *arg,
                struct dr_error *err)
{
    dr_auto_free char *path = dr_path_join(guest->root, "networks/.recorded");
    struct finding f = {guest, each, arg};
    return network_files_each(path, find_and_tell, &f, err);
}

/* --- falling back --- */

static void drop_network(json_t *config)
{
    json_t *section = dr_json_object(config, "linux");
    json_t *namespaces = dr_json_array(section, "namespaces"), *value;
    json_t *sysctls = dr_json_object(section, "sysctl");
    const char *key;
    void *next;
    for (size_t i = json_array_size(namespaces); i-- > 0;) {
        const char *type = dr_json_str(json_array_get(namespaces, i), "type");
        if (type && strcmp(type, "network") == 0)
            json_array_remove(namespaces, i);
    }
    json_object_foreach_safe(sysctls, next, key, value) if (strncmp(key, "net.", 4) == 0)
        json_object_del(sysctls, key);
}

int record_fall_back(const char *bundle, struct dr_error *err)
{
    dr_auto_free char *path = dr_path_join(bundle, CONFIG);
    dr_auto_free char *own = dr_path_join(bundle, OWN_CONFIG);
    dr_auto_buf struct dr_buf text = DR_BUF_INIT(RECORD_MAX);
    if (dr_file_read(AT_FDCWD, path, &text, err) < 0)
        return -1;
    dr_auto_json json_t *config = bundle_parse(text.data ? text.data : "", text.len, err);
    if (!config)
        return -1;
    drop_network(config);
    dr_auto_free char *changed = bundle_text(config);
    if (rename(path, own) < 0)
        return dr_fail_errno(err, DR_ERR_NETWORK, "keep %s", path);
    return dr_file_write(AT_FDCWD, path, changed, strlen(changed), 0600, 0, err);
}

void record_restore(const char *bundle)
{
    dr_auto_free char *path = dr_path_join(bundle ? bundle : "/nonexistent", CONFIG);
    dr_auto_free char *own = dr_path_join(bundle ? bundle : "/nonexistent", OWN_CONFIG);
    rename(own, path); /* not there: it did not fall back */
}
