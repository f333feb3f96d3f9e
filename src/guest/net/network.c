/* SPDX-License-Identifier: Apache-2.0 */
#include "guest/net/network.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/fs.h"
#include "base/text.h"
#include "guest/net/subnets.h"
#include "spec/container.h"

#define NETWORK_MAX (1u << 20) /* bytes of a file */
#define NETWORK_VERSION 1
#define SUFFIX ".json"

void network_release(struct network *network)
{
    free(network->name);
    json_decref(network->labels);
    *network = (struct network){0};
}

void network_link_name(const struct network *network, char ret[LINK_NAME])
{
    snprintf(ret, LINK_NAME, "dr-%.12s", network->id);
}

static char *path_of(const struct guest *guest, const char *name)
{
    return dr_printf("%s/networks/%s" SUFFIX, guest->root, name);
}

int networks_lock(const struct guest *guest, int *ret_fd, struct dr_error *err)
{
    dr_auto_free char *dir = dr_path_join(guest->root, "networks");
    dr_auto_free char *path = dr_path_join(dir, ".lock");
    if (dr_mkdir_all(dir, 0700, err) < 0)
        return -1;
    return dr_lock(AT_FDCWD, path, true, true, ret_fd, err);
}

/* --- JSON --- */

static void set_ip(json_t *json, const char *key, const struct dr_ip *ip)
{
    char text[DR_IP_TEXT];
    dr_ip_format(ip, text);
    if (ip->family)
        dr_json_set_str(json, key, text);
}

static void set_subnet(json_t *json, const char *key, const struct dr_subnet *subnet)
{
    char text[DR_SUBNET_TEXT];
    dr_subnet_format(subnet, text);
    if (subnet->ip.family)
        dr_json_set_str(json, key, text);
}

static json_t *to_json(const struct network *network)
{
    json_t *json = json_object(), *subnets = json_array();
    for (size_t i = 0; i < DR_COUNT(network->pools); i++) {
        const struct pool *pool = &network->pools[i];
        json_t *one = json_object();
        set_subnet(one, "subnet", &pool->subnet);
        set_ip(one, "gateway", &pool->gateway);
        set_subnet(one, "range", &pool->range);
        if (pool->subnet.ip.family)
            json_array_append(subnets, one);
        json_decref(one);
    }
    dr_json_set_int(json, "version", NETWORK_VERSION);
    dr_json_set_str(json, "id", network->id);
    dr_json_set_str(json, "name", network->name);
    dr_json_set_int(json, "created_ns", network->created_ns);
    dr_json_set(json, "subnets", subnets);
    dr_json_set_bool(json, "internal", network->internal);
    dr_json_set_bool(json, "chosen", network->chosen);
    dr_json_set_int(json, "mtu", network->mtu);
    dr_json_set(json, "labels",
                network->labels ? json_incref(network->labels) : json_object());
    return json;
}

static bool take_pool(const json_t *json, struct network *network)
{
    const char *subnet = dr_json_str(json, "subnet"), *range = dr_json_str(json, "range");
    const char *gateway = dr_json_str(json, "gateway");
    struct pool pool = {0};
    if (!subnet || !dr_subnet_parse(subnet, &pool.subnet) ||
        (range && !dr_subnet_parse(range, &pool.range)) ||
        (gateway && !dr_ip_parse(gateway, &pool.gateway)))
        return false;
    network->pools[pool.subnet.ip.family == 4 ? 0 : 1] = pool;
    return true;
}

static int from_json(const json_t *json, struct network *ret, struct dr_error *err)
{
    const char *name = dr_json_str(json, "name"), *id = dr_json_str(json, "id");
    if (dr_json_int(json, "version", 0) != NETWORK_VERSION)
        return dr_fail(err, DR_ERR_UNSUPPORTED,
                       "it was written by another version of dray");
    if (!name || !spec_name_valid(name) || !id || strlen(id) != NETWORK_ID_HEX)
        return dr_fail(err, DR_ERR_FORMAT, "it is damaged");
    network_auto struct network network = {.name = dr_strdup(name),
                                           .created_ns =
                                               dr_json_int(json, "created_ns", 0),
                                           .internal = dr_json_bool(json, "internal"),
                                           .chosen = dr_json_bool(json, "chosen"),
                                           .mtu = (uint32_t)dr_json_int(json, "mtu", 0)};
    snprintf(network.id, sizeof network.id, "%s", id);
    size_t i;
    json_t *item;
    json_array_foreach (dr_json_array(json, "subnets"), i, item)
        if (!take_pool(item, &network))
            return dr_fail(err, DR_ERR_FORMAT, "it is damaged: subnets[%zu]", i);
    json_t *labels = dr_json_object(json, "labels");
    network.labels = labels ? json_incref(labels) : json_object();
    *ret = network;
    network = (struct network){0};
    return 0;
}

/* --- reading and writing --- */

/* 1: there is none. */
static int read_one(const struct guest *guest, const char *name, struct network *ret,
                    struct dr_error *err)
{
    dr_auto_free char *path = path_of(guest, name);
    dr_auto_buf struct dr_buf text = DR_BUF_INIT(NETWORK_MAX);
    dr_auto_error struct dr_error inner = DR_ERROR_INIT;
    if (dr_file_read(AT_FDCWD, path, &text, &inner) < 0)
        return inner.kind == DR_ERR_NOT_FOUND ? 1 : dr_error_move(err, &inner);
    dr_auto_json json_t *json =
        dr_json_parse(text.data ? text.data : "", text.len, NETWORK_MAX, err);
    if (!json || from_json(json, ret, err) < 0)
        return dr_wrap(err, "network %s (%s)", name, path);
    return 0;
}

int network_write(const struct guest *guest, const struct network *network,
                  struct dr_error *err)
{
    dr_auto_free char *path = path_of(guest, network->name);
    dr_auto_json json_t *json = to_json(network);
    dr_auto_free char *text = dr_json_text(json);
    return dr_file_write(AT_FDCWD, path, text, strlen(text), 0600, DR_WRITE_SYNC, err);
}

bool network_exists(const struct guest *guest, const char *name)
{
    dr_auto_free char *path = path_of(guest, name);
    return access(path, F_OK) == 0;
}

int network_delete(const struct guest *guest, const char *name, struct dr_error *err)
{
    dr_auto_free char *path = path_of(guest, name);
    if (unlink(path) < 0 && errno != ENOENT)
        return dr_fail_errno(err, DR_ERR_NETWORK, "remove %s", path);
    return 0;
}

int network_files_each(const char *path, int (*each)(void *arg, const char *name),
                       void *arg, struct dr_error *err)
{
    DIR *dir = opendir(path);
    if (!dir)
        return errno == ENOENT ? 0 : dr_fail_errno(err, DR_ERR_NONE, "read %s", path);
    int result = 0;
    struct dirent *entry;
    while (result == 0 && (entry = readdir(dir))) {
        size_t len = strlen(entry->d_name), end = strlen(SUFFIX);
        if (entry->d_name[0] == '.' || len <= end ||
            strcmp(entry->d_name + len - end, SUFFIX) != 0)
            continue;
        dr_auto_free char *name = dr_strndup(entry->d_name, len - end);
        result = each(arg, name);
    }
    closedir(dir);
    return result;
}

struct reading {
    const struct guest *guest;
    int (*each)(void *arg, const struct network *network);
    void *arg;
};

/* One that went while we looked, or that another version wrote, is left out. */
static int read_and_tell(void *arg, const char *name)
{
    const struct reading *r = arg;
    network_auto struct network network = {0};
    dr_auto_error struct dr_error gone = DR_ERROR_INIT;
    return read_one(r->guest, name, &network, &gone) == 0 ? r->each(r->arg, &network) : 0;
}

int network_each(const struct guest *guest,
                 int (*each)(void *arg, const struct network *network), void *arg,
                 struct dr_error *err)
{
    dr_auto_free char *path = dr_path_join(guest->root, "networks");
    struct reading r = {guest, each, arg};
    return network_files_each(path, read_and_tell, &r, err);
}

/* The default network, made by the first who asks for it. */
static int make_default(const struct guest *guest, struct network *ret,
                        struct dr_error *err)
{
    dr_auto_fd int lock = -1;
    if (networks_lock(guest, &lock, err) < 0)
        return -1;
    int found = read_one(guest, NETWORK_DEFAULT, ret, err);
    if (found != 1)
        return found;
    network_auto struct network network = {
        .name = dr_strdup(NETWORK_DEFAULT), .created_ns = dr_now_ns(), .chosen = true};
    dr_random_hex(NETWORK_ID_HEX, network.id);
    if (network_choose(guest, &network, 4, err) < 0 ||
        network_write(guest, &network, err) < 0)
        return dr_wrap(err, "make the default network");
    *ret = network;
    network = (struct network){0};
    return 0;
}

int network_choose_again(const struct guest *guest, struct network *network,
                         struct dr_error *err)
{
    dr_auto_fd int lock = -1;
    network_auto struct network now = {0};
    if (networks_lock(guest, &lock, err) < 0)
        return -1;
    int found = read_one(guest, network->name, &now, err);
    if (found == 1 || (found == 0 && strcmp(now.id, network->id) != 0))
        return dr_fail(err, DR_ERR_NOT_FOUND, "network %s was removed just now",
                       network->name);
    if (found < 0)
        return -1;
    bool same = dr_ip_equal(&now.pools[0].subnet.ip, &network->pools[0].subnet.ip);
    if (same &&
        (network_choose(guest, &now, 4, err) < 0 || network_write(guest, &now, err) < 0))
        return -1;
    network_release(network);
    *network = now;
    now = (struct network){0};
    return 0;
}

struct search {
    const char *prefix;
    char *name; /* owned */
    int found;
};

static int match_id(void *arg, const struct network *network)
{
    struct search *search = arg;
    if (strncmp(network->id, search->prefix, strlen(search->prefix)) != 0)
        return 0;
    if (search->found++ == 0)
        search->name = dr_strdup(network->name);
    return 0;
}

static int load_by_id(const struct guest *guest, const char *prefix, struct network *ret,
                      struct dr_error *err)
{
    struct search search = {.prefix = prefix};
    if (!*prefix || strspn(prefix, "0123456789abcdef") != strlen(prefix))
        return 1;
    int result = network_each(guest, match_id, &search, err);
    dr_auto_free char *name = search.name;
    if (result == 0 && search.found > 1)
        result =
            dr_fail(err, DR_ERR_INVALID, "several networks begin with the id %s", prefix);
    if (result == 0)
        result = search.found ? read_one(guest, name, ret, err) : 1;
    return result;
}

int network_load(const struct guest *guest, const char *name, struct network *ret,
                 struct dr_error *err)
{
    int found = spec_name_valid(name) ? read_one(guest, name, ret, err) : 1;
    if (found == 1 && strcmp(name, NETWORK_DEFAULT) == 0)
        return make_default(guest, ret, err);
    if (found == 1)
        found = load_by_id(guest, name, ret, err);
    if (found == 1)
        return dr_fail(err, DR_ERR_NOT_FOUND,
                       "no such network: %s; `dray network ls` lists what there is, "
                       "`dray network create` makes one",
                       name);
    return found;
}
