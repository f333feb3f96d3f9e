/* SPDX-License-Identifier: Apache-2.0 */
#include "guest/net/forwarding.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "base/fs.h"
#include "base/json.h"

#define NET "/proc/sys/net"
#define NOTE_MAX (1u << 20)
#define LINKS "dr-" /* links of ours come and go with their networks */

/* The switches of one address family. */
struct family {
    const char *all;   /* the switch for all links, which is left alone */
    const char *conf;  /* a directory for each link, and "all" and "default" */
    const char *link;  /* the switch of one */
    const char *noted; /* the note's member: links that were turned on */
    const char *advice;
};

static const struct family v4 = {NET "/ipv4/ip_forward", NET "/ipv4/conf", "forwarding",
                                 "v4", "sysctl -w net.ipv4.ip_forward=1"};
static const struct family v6 = {NET "/ipv6/conf/all/forwarding", NET "/ipv6/conf",
                                 "force_forwarding", "v6",
                                 "sysctl -w net.ipv6.conf.all.forwarding=1"};

static int read_switch(const char *path) /* -1: there is none */
{
    char value = 0;
    dr_auto_fd int fd = open(path, O_RDONLY | O_CLOEXEC);
    return fd >= 0 && read(fd, &value, 1) == 1 ? value - '0' : -1;
}

static int write_switch(const char *path, int value) /* -1 with errno */
{
    char text = (char)('0' + value);
    dr_auto_fd int fd = open(path, O_WRONLY | O_CLOEXEC);
    return fd >= 0 && write(fd, &text, 1) == 1 ? 0 : -1;
}

static char *link_path(const struct family *family, const char *link, const char *name)
{
    return dr_printf("%s/%s/%s", family->conf, link, name);
}

static bool is_ours(const char *link)
{
    return strncmp(link, LINKS, strlen(LINKS)) == 0;
}

/* Names of links and "default". */
static char **links_of(const struct family *family)
{
    char **links = NULL;
    DIR *dir = opendir(family->conf);
    struct dirent *entry;
    while (dir && (entry = readdir(dir)))
        if (entry->d_name[0] != '.' && strcmp(entry->d_name, "all") != 0 &&
            strcmp(entry->d_name, "lo") != 0)
            dr_strv_add(&links, entry->d_name);
    if (dir)
        closedir(dir);
    return links;
}

/* --- the note --- */

static json_t *note_read(const char *run_root)
{
    dr_auto_free char *path = dr_printf("%s/networks/forwarding", run_root);
    dr_auto_buf struct dr_buf text = DR_BUF_INIT(NOTE_MAX);
    dr_auto_error struct dr_error ignored = DR_ERROR_INIT;
    json_t *note = NULL;
    if (dr_file_read(AT_FDCWD, path, &text, &ignored) == 0)
        note = dr_json_parse(text.data ? text.data : "", text.len, NOTE_MAX, &ignored);
    return note ? note : json_object();
}

static int note_write(const char *run_root, const json_t *note, struct dr_error *err)
{
    dr_auto_free char *dir = dr_printf("%s/networks", run_root);
    dr_auto_free char *path = dr_path_join(dir, "forwarding");
    dr_auto_free char *text = dr_json_text(note);
    if (dr_mkdir_all(dir, 0700, err) < 0)
        return -1;
    return dr_file_write(AT_FDCWD, path, text, strlen(text), 0600, 0, err);
}

static void note_link(json_t *note, const char *member, const char *link)
{
    json_t *list = dr_json_array(note, member), *item;
    size_t i;
    if (!list)
        dr_json_set(note, member, list = json_array());
    json_array_foreach (list, i, item)
        if (strcmp(json_string_value(item), link) == 0)
            return;
    json_array_append_new(list, json_string(link));
}

/* --- on --- */

static int cannot(const struct family *family, struct dr_error *err)
{
    return dr_fail_errno(err, DR_ERR_NETWORK,
                         "the guest forwards no packets, and dray cannot turn it on (%s "
                         "does, or --network none or host): %s",
                         family->advice, family->conf);
}

static int turn_on(const struct family *family, const char *link, struct dr_error *err)
{
    dr_auto_free char *path = link_path(family, link, family->link);
    if (write_switch(path, 1) < 0 && errno != ENOENT) /* a link that went */
        return cannot(family, err);
    return 0;
}

static int each_link_on(const struct family *family, const char *run_root, json_t *note,
                        bool shared, struct dr_error *err)
{
    bool theirs = shared && !dr_json_array(note, family->noted);
    dr_auto_strv char **links = links_of(family), **off = NULL;
    size_t before = json_array_size(dr_json_array(note, family->noted));
    for (char **link = links; link && *link; link++) {
        dr_auto_free char *path = link_path(family, *link, family->link);
        int now = read_switch(path);
        if (now == 0)
            dr_strv_add(&off, *link);
        if (now == 0 || theirs)
            note_link(note, family->noted, *link);
    }
    if (json_array_size(dr_json_array(note, family->noted)) > before &&
        note_write(run_root, note, err) < 0)
        return -1;
    for (char **link = off; link && *link; link++)
        if (turn_on(family, *link, err) < 0)
            return -1;
    return 0;
}

/* One switch for all links: those that listen to router advertisements go on doing so
 * when they are a router's (2), which they otherwise would not. */
static int all_links_on(const char *run_root, json_t *note, struct dr_error *err)
{
    dr_auto_strv char **links = links_of(&v6);
    for (char **link = links; link && *link; link++) {
        dr_auto_free char *path = link_path(&v6, *link, "accept_ra");
        note_link(note, "v6_links", *link);
        if (read_switch(path) == 1 && !is_ours(*link))
            note_link(note, "v6_accept_ra", *link);
    }
    if (note_write(run_root, note, err) < 0)
        return -1;
    json_t *item;
    size_t i;
    json_array_foreach (dr_json_array(note, "v6_accept_ra"), i, item) {
        dr_auto_free char *path = link_path(&v6, json_string_value(item), "accept_ra");
        if (write_switch(path, 2) < 0 && errno != ENOENT)
            return cannot(&v6, err);
    }
    return write_switch(v6.all, 1) < 0 ? cannot(&v6, err) : 0;
}

int forwarding_on(const char *run_root, bool with_v6, bool shared, struct dr_error *err)
{
    dr_auto_json json_t *note = note_read(run_root);
    if (read_switch(v4.all) != 1 && each_link_on(&v4, run_root, note, shared, err) < 0)
        return -1;
    if (!with_v6 || read_switch(v6.all) == 1)
        return 0;
    dr_auto_free char *one = link_path(&v6, "all", v6.link);
    if (access(one, F_OK) == 0)
        return each_link_on(&v6, run_root, note, shared, err);
    return all_links_on(run_root, note, err);
}

/* --- off --- */

static void write_each(const struct family *family, const json_t *links, const char *name,
                       int from, int to)
{
    json_t *item;
    size_t i;
    json_array_foreach ((json_t *)links, i, item) {
        dr_auto_free char *path = link_path(family, json_string_value(item), name);
        if (read_switch(path) == from)
            write_switch(path, to);
    }
}

/* A link that came since may be somebody's who found the switch on, and needs it. */
static bool others_came(const json_t *known)
{
    dr_auto_strv char **links = links_of(&v6);
    for (char **link = links; link && *link; link++) {
        bool found = is_ours(*link);
        json_t *item;
        size_t i;
        json_array_foreach ((json_t *)known, i, item)
            found = found || strcmp(json_string_value(item), *link) == 0;
        if (!found)
            return true;
    }
    return false;
}

void forwarding_off(const char *run_root, bool shared)
{
    dr_auto_json json_t *note = note_read(run_root);
    dr_auto_free char *path = dr_printf("%s/networks/forwarding", run_root);
    if (json_object_size(note) == 0)
        return;
    /* whoever turned everything on meanwhile wants these links on */
    if (!shared && read_switch(v4.all) == 0)
        write_each(&v4, dr_json_array(note, v4.noted), v4.link, 1, 0);
    if (!shared && read_switch(v6.all) == 0)
        write_each(&v6, dr_json_array(note, v6.noted), v6.link, 1, 0);
    const json_t *known = dr_json_array(note, "v6_links");
    if (!shared && known && !others_came(known)) {
        write_switch(v6.all, 0);
        write_each(&v6, dr_json_array(note, "v6_accept_ra"), "accept_ra", 2, 1);
    }
    unlink(path);
}
