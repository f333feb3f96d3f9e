/* SPDX-License-Identifier: Apache-2.0 */
#include "guest/net/names.h"

#include <stdio.h>
#include <string.h>

#include "base/fs.h"
#include "guest/container/names.h"
#include "guest/container/record.h"
#include "guest/net/hosts.h"
#include "guest/net/lease.h"
#include "guest/net/net.h"
#include "guest/net/resolv.h"
#include "spec/container.h"

#define SHORT_ID 12
#define RESOLV_MAX (64u << 10)
#define CONTAINER "container:"

/* --- lines --- */

/* An address and its names, each once; in more lines when they do not fit into one. */
struct line {
    char ***into;
    const char *address;
    char text[HOSTS_LINE_MAX + 1];
};

static void line_end(struct line *line)
{
    if (line->text[0])
        dr_strv_add(line->into, line->text);
    line->text[0] = '\0';
}

static bool has_word(const char *text, const char *word)
{
    size_t len = strlen(word);
    for (const char *p = text; *p; p += strcspn(p, " \t"), p += strspn(p, " \t"))
        if (strncmp(p, word, len) == 0 && strchr(" \t", p[len]))
            return true;
    return false;
}

static void line_add(struct line *line, const char *name)
{
    size_t len = strlen(line->text), more = strlen(name) + 1;
    if (!line->address || !name[0] || has_word(line->text, name) ||
        strlen(line->address) + more > HOSTS_LINE_MAX)
        return;
    if (len > 0 && len + more > HOSTS_LINE_MAX) {
        line_end(line);
        len = 0;
    }
    if (len == 0)
        len = (size_t)snprintf(line->text, sizeof line->text, "%s", line->address);
    snprintf(line->text + len, sizeof line->text - len, "%c%s",
             strchr(line->text, '\t') ? ' ' : '\t', name);
}

static void add_line(char ***into, const char *address, const char *names)
{
    struct line line = {.into = into, .address = address};
    dr_auto_free char *copy = dr_strdup(names);
    char *rest = NULL;
    for (char *name = strtok_r(copy, " ", &rest); name; name = strtok_r(NULL, " ", &rest))
        line_add(&line, name);
    line_end(&line);
}

/* --- a container's own --- */

static const char *first_gateway(const json_t *networks)
{
    for (size_t i = 0; i < json_array_size(networks); i++) {
        const json_t *network = json_array_get(networks, i);
        const char *gateway = dr_json_str(network, "gateway");
        if (!gateway)
            gateway = dr_json_str(network, "gateway6");
        if (gateway)
            return gateway;
    }
    return NULL;
}

static const char *mode_of(const json_t *request)
{
    const char *name =
        dr_json_str(json_array_get(dr_json_array(request, "networks"), 0), "name");
    return name ? name : SPEC_NETWORK_DEFAULT;
}

static int add_extra(const json_t *request, const char *gateway, char ***lines,
                     struct dr_error *err)
{
    json_t *item;
    size_t i;
    if (strcmp(mode_of(request), "host") == 0)
        gateway = "127.0.0.1";
    json_array_foreach (dr_json_array(request, "extra_hosts"), i, item) {
        dr_auto_free char *name = NULL, *address = NULL;
        if (spec_host_parse(json_string_value(item), &name, &address, err) < 0)
            return -1;
        bool is_gateway = strcmp(address, SPEC_HOST_GATEWAY) == 0;
        if (is_gateway && !gateway)
            return dr_fail(err, DR_ERR_INVALID,
                           "--add-host %s:" SPEC_HOST_GATEWAY ": the container is on no "
                           "network with a gateway",
                           name);
        add_line(lines, is_gateway ? gateway : address, name);
    }
    return 0;
}

static bool has_extra(const json_t *request, const char *name)
{
    size_t len = strlen(name), i;
    json_t *item;
    json_array_foreach (dr_json_array(request, "extra_hosts"), i, item)
        if (strncmp(json_string_value(item), name, len) == 0 &&
            json_string_value(item)[len] == ':')
            return true;
    return false;
}

/* Whoever says who these are is right. */
static void add_guest(const json_t *request, const char *gateway, char ***lines)
{
    dr_auto_free char *names = dr_strdup(NAMES_HOST);
    struct line line = {.into = lines, .address = gateway};
    char *rest = NULL;
    for (char *name = strtok_r(names, " ", &rest); name;
         name = strtok_r(NULL, " ", &rest))
        if (!has_extra(request, name))
            line_add(&line, name);
    line_end(&line);
}

json_t *names_own(const json_t *request, const json_t *networks, struct dr_error *err)
{
    const char *hostname = dr_json_str(request, "hostname");
    const char *domain = dr_json_str(request, "domainname");
    const char *gateway = first_gateway(networks), *mode = mode_of(request);
    dr_auto_strv char **lines = NULL;
    dr_auto_free char *names = domain ? dr_printf("%s.%s %s", hostname ? hostname : "",
                                                  domain, hostname ? hostname : "")
                                      : dr_strdup(hostname ? hostname : "");
    for (size_t i = 0; i < json_array_size(networks); i++) {
        const json_t *network = json_array_get(networks, i);
        add_line(&lines, dr_json_str(network, "ip"), names);
        add_line(&lines, dr_json_str(network, "ip6"), names);
    }
    if (strcmp(mode, "none") == 0)
        add_line(&lines, "127.0.0.1", names);
    if (add_extra(request, gateway, &lines, err) < 0)
        return NULL;
    add_guest(request, gateway, &lines);
    return dr_json_from_strv(lines);
}

/* --- the members of networks --- */

/* What one look at the networks found, so that a member of several costs one look. */
struct seen_network {
    char *id;
    char **lines;
};

struct seen {
    struct seen_network *items;
    size_t count;
};

static void seen_release(struct seen *seen)
{
    for (size_t i = 0; i < seen->count; i++) {
        free(seen->items[i].id);
        dr_strv_free(seen->items[i].lines);
    }
    free(seen->items);
}

static int add_member(void *arg, const char *id, bool leaving, const json_t *lease)
{
    static const char *const addresses[] = {"ip", "ip6"};
    for (size_t i = 0; i < DR_COUNT(addresses) && !leaving; i++) {
        struct line line = {.into = arg, .address = dr_json_str(lease, addresses[i])};
        const char *name = dr_json_str(lease, "name");
        char short_id[SHORT_ID + 1];
        json_t *alias;
        size_t j;
        if (name)
            line_add(&line, name);
        json_array_foreach (dr_json_array(lease, "aliases"), j, alias)
            if (json_is_string(alias))
                line_add(&line, json_string_value(alias));
        snprintf(short_id, sizeof short_id, "%s", id);
        line_add(&line, short_id);
        line_end(&line);
    }
    return 0;
}

static char *const *lines_of_network(const struct guest *guest, struct seen *seen,
                                     const char *id)
{
    for (size_t i = 0; i < seen->count; i++)
        if (strcmp(seen->items[i].id, id) == 0)
            return seen->items[i].lines;
    seen->items = dr_realloc(seen->items, (seen->count + 1) * sizeof *seen->items);
    struct seen_network *item = &seen->items[seen->count++];
    *item = (struct seen_network){.id = dr_strdup(id)};
    dr_auto_error struct dr_error ignored = DR_ERROR_INIT;
    lease_each(guest, id, add_member, &item->lines, &ignored);
    return item->lines;
}

static bool has_names(const json_t *network)
{
    const char *name = dr_json_str(network, "name");
    return name && dr_json_str(network, "id") && strcmp(name, NETWORK_DEFAULT) != 0;
}

/* The lock is held: nobody else of us writes hosts files. */
static int write_hosts(const struct guest *guest, struct seen *seen, const char *id,
                       const json_t *state, struct dr_error *err)
{
    dr_auto_strv char **lines = dr_json_strv(dr_json_array(state, "hosts"));
    json_t *network;
    size_t i;
    json_array_foreach (dr_json_array(state, "networks"), i, network) {
        if (!has_names(network))
            continue;
        char *const *members = lines_of_network(guest, seen, dr_json_str(network, "id"));
        for (; members && *members; members++)
            dr_strv_add(&lines, *members);
    }
    dr_auto_free char *dir = container_dir(guest, id);
    dr_auto_free char *path = dr_path_join(dir, "hosts");
    return hosts_update(path, lines, err);
}

static int lock_names(const struct guest *guest, int *ret_fd, struct dr_error *err)
{
    dr_auto_free char *dir = dr_path_join(guest->run_root, "networks");
    dr_auto_free char *path = dr_path_join(dir, "names.lock");
    if (access(dir, F_OK) < 0 && dr_mkdir_all(dir, 0700, err) < 0)
        return -1;
    return dr_lock(AT_FDCWD, path, true, true, ret_fd, err);
}

struct sync {
    const struct guest *guest;
    struct seen seen;
};

static int sync_member(void *arg, const char *id, bool leaving, const json_t *lease)
{
    struct sync *sync = arg;
    if (leaving || !dr_json_bool(lease, "names"))
        return 0;
    dr_auto_error struct dr_error ignored = DR_ERROR_INIT;
    dr_auto_free char *run_dir = container_run_dir(sync->guest, id);
    dr_auto_json json_t *state = net_state(run_dir);
    if (state) /* else it is about to start, and writes its own then */
        write_hosts(sync->guest, &sync->seen, id, state, &ignored);
    return 0;
}

void names_sync(const struct guest *guest, const json_t *networks)
{
    struct sync sync = {.guest = guest};
    dr_auto_fd int lock = -1;
    dr_auto_error struct dr_error ignored = DR_ERROR_INIT;
    json_t *network;
    size_t i;
    if (json_array_size(networks) == 0 || lock_names(guest, &lock, &ignored) < 0)
        return;
    json_array_foreach ((json_t *)networks, i, network)
        lease_each(guest, dr_json_str(network, "id"), sync_member, &sync, &ignored);
    seen_release(&sync.seen);
}

/* --- the files of one that starts --- */

static bool same_as(const char *path, const struct dr_buf *text)
{
    dr_auto_buf struct dr_buf now = DR_BUF_INIT(RESOLV_MAX);
    dr_auto_error struct dr_error ignored = DR_ERROR_INIT;
    if (dr_file_read(AT_FDCWD, path, &now, &ignored) < 0)
        return false;
    return now.len == text->len &&
           (!now.len || memcmp(now.data, text->data, now.len) == 0);
}

/* What we wrote last is kept beside it; a file that is not that is somebody's own. */
static int replace_resolv(const char *dir, const struct dr_buf *text,
                          struct dr_error *err)
{
    dr_auto_free char *path = dr_path_join(dir, "resolv.conf");
    dr_auto_free char *made = dr_path_join(dir, "resolv.conf.made");
    dr_auto_buf struct dr_buf before = DR_BUF_INIT(RESOLV_MAX);
    dr_auto_error struct dr_error ignored = DR_ERROR_INIT;
    bool again = dr_file_read(AT_FDCWD, made, &before, &ignored) == 0;
    if (again && (!same_as(path, &before) || same_as(path, text)))
        return 0;
    const char *data = text->data ? text->data : "";
    if (dr_file_write(AT_FDCWD, path, data, text->len, 0644, 0, err) < 0)
        return -1;
    return dr_file_write(AT_FDCWD, made, data, text->len, 0600, 0, err);
}

static int write_resolv(const char *dir, const json_t *request, const json_t *state,
                        char ***warnings, struct dr_error *err)
{
    dr_auto_strv char **servers = dr_json_strv(dr_json_array(request, "dns"));
    dr_auto_strv char **search = dr_json_strv(dr_json_array(request, "dns_search"));
    dr_auto_strv char **options = dr_json_strv(dr_json_array(request, "dns_options"));
    struct resolv_wish wish = {.servers = servers,
                               .search = search,
                               .options = options,
                               .guests = strcmp(mode_of(request), "host") == 0};
    json_t *network;
    size_t i;
    json_array_foreach (dr_json_array(state, "networks"), i, network)
        wish.v6 = wish.v6 || dr_json_str(network, "ip6");
    dr_auto_buf struct dr_buf text = DR_BUF_INIT(RESOLV_MAX);
    bool fallback;
    if (resolv_make(&wish, &text, &fallback, err) < 0)
        return -1;
    if (fallback && json_array_size(dr_json_array(state, "networks")) > 0)
        dr_strv_add(warnings, "the guest has no resolver that containers can reach: they "
                              "ask 8.8.8.8 and 8.8.4.4, unless --dns names others");
    return replace_resolv(dir, &text, err);
}

/* With another one's network go its names: the same files, by another link. */
static int link_files(const struct guest *guest, const char *dir, const char *whose,
                      struct dr_error *err)
{
    static const char *const names[] = {"hosts", "resolv.conf"};
    container_auto struct container other = {0};
    if (container_find(guest, whose, &other, err) < 0)
        return dr_wrap(err, "network " CONTAINER "%s", whose);
    for (size_t i = 0; i < DR_COUNT(names); i++) {
        dr_auto_free char *theirs = dr_path_join(other.dir, names[i]);
        dr_auto_free char *ours = dr_path_join(dir, names[i]);
        dr_auto_free char *fresh = dr_printf("%s.new", ours);
        unlink(fresh);
        if (link(theirs, fresh) < 0 || rename(fresh, ours) < 0)
            return dr_fail_errno(err, DR_ERR_NETWORK, "share %s of container %s",
                                 names[i], whose);
        unlink(fresh); /* rename(2) does nothing where both are the same file already */
    }
    return 0;
}

int names_write(const struct guest *guest, const char *id, const json_t *request,
                const json_t *state, char ***warnings, struct dr_error *err)
{
    dr_auto_free char *dir = container_dir(guest, id);
    const char *mode = mode_of(request);
    struct seen seen DR_CLEANUP(seen_release) = {0};
    dr_auto_fd int lock = -1;
    if (strncmp(mode, CONTAINER, strlen(CONTAINER)) == 0)
        return link_files(guest, dir, mode + strlen(CONTAINER), err);
    if (write_resolv(dir, request, state, warnings, err) < 0 ||
        lock_names(guest, &lock, err) < 0)
        return -1;
    return write_hosts(guest, &seen, id, state, err);
}
