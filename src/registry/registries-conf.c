/* SPDX-License-Identifier: Apache-2.0 */
/* containers-registries.conf(5), version 2. */
#include <dirent.h>
#include <errno.h>
#include <string.h>

#include "base/text.h"
#include "registry/route.h"

#define SYSTEM_FILE "/etc/containers/registries.conf"
#define DROP_INS_MAX 256

/* --- the files --- */

/* "registry" tables of a later file take the place of those with the same prefix. */
struct conf {
    struct {
        json_t *table; /* reference */
        char *file;
    } * tables;
    size_t n;
};

static void conf_release(struct conf *conf)
{
    for (size_t i = 0; i < conf->n; i++) {
        json_decref(conf->tables[i].table);
        free(conf->tables[i].file);
    }
    free(conf->tables);
}

static const char *prefix_of(const json_t *table)
{
    const char *prefix = dr_json_str(table, "prefix");
    return prefix && *prefix ? prefix : dr_json_str(table, "location");
}

static int add_table(struct conf *conf, json_t *table, const char *path,
                     struct dr_error *err)
{
    const char *prefix = prefix_of(table);
    if (!prefix || !*prefix)
        return dr_fail(err, DR_ERR_CONFIG,
                       "%s: a [[registry]] has neither prefix nor location", path);
    size_t i = 0;
    while (i < conf->n && strcmp(prefix_of(conf->tables[i].table), prefix) != 0)
        i++;
    if (i < conf->n && strcmp(conf->tables[i].file, path) == 0)
        return dr_fail(err, DR_ERR_CONFIG, "%s: two [[registry]] with the prefix '%s'",
                       path, prefix);
    if (i == conf->n) {
        conf->tables = dr_realloc(conf->tables, (i + 1) * sizeof *conf->tables);
        memset(&conf->tables[conf->n++], 0, sizeof *conf->tables);
    }
    json_decref(conf->tables[i].table);
    free(conf->tables[i].file);
    conf->tables[i].table = json_incref(table);
    conf->tables[i].file = dr_strdup(path);
    return 0;
}

/* 1: it was there. */
static int read_file(struct conf *conf, const char *path, struct dr_error *err)
{
    dr_auto_json json_t *doc = NULL;
    int rc = route_read_toml(path, &doc, err);
    if (rc <= 0)
        return rc;
    if (json_object_get(doc, "registries"))
        return dr_fail(err, DR_ERR_CONFIG,
                       "%s: it has the form of version 1, [registries.…]: write it as "
                       "[[registry]], see containers-registries.conf(5)",
                       path);
    json_t *list = json_object_get(doc, "registry"), *table;
    size_t i;
    if (list && !json_is_array(list))
        return dr_fail(err, DR_ERR_CONFIG, "%s: registry is no array of tables", path);
    json_array_foreach (list, i, table)
        if (!json_is_object(table) || add_table(conf, table, path, err) < 0)
            return err->kind ? -1
                             : dr_fail(err, DR_ERR_CONFIG,
                                       "%s: registry is no array of tables", path);
    return 1;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static int read_directory(struct conf *conf, const char *path, struct dr_error *err)
{
    DIR *dir = opendir(path);
    dr_auto_strv char **names = NULL;
    int rc = 0;
    if (!dir)
        return 0;
    for (struct dirent *e; (e = readdir(dir));) {
        size_t len = strlen(e->d_name);
        if (len > 5 && strcmp(e->d_name + len - 5, ".conf") == 0 &&
            dr_strv_len(names) < DROP_INS_MAX)
            dr_strv_add(&names, e->d_name);
    }
    closedir(dir);
    if (names)
        qsort(names, dr_strv_len(names), sizeof *names, by_name);
    for (size_t i = 0; rc >= 0 && names && names[i]; i++) {
        dr_auto_free char *file = dr_printf("%s/%s", path, names[i]);
        rc = read_file(conf, file, err);
    }
    return rc < 0 ? -1 : 0;
}

static int read_all(struct conf *conf, const char *named, struct dr_error *err)
{
    if (!named)
        named = getenv("CONTAINERS_REGISTRIES_CONF");
    if (named) {
        int rc = *named ? read_file(conf, named, err) : 1;
        return rc != 0
                   ? rc
                   : dr_fail(err, DR_ERR_CONFIG,
                             "there is no %s, which was named as registries.conf", named);
    }
    dr_auto_free char *user = route_user_file("containers/registries.conf");
    dr_auto_free char *user_dir = route_user_file("containers/registries.conf.d");
    int rc = user ? read_file(conf, user, err) : 0;
    if (rc == 0)
        rc = read_file(conf, SYSTEM_FILE, err);
    if (rc < 0 || read_directory(conf, SYSTEM_FILE ".d", err) < 0)
        return -1;
    return user_dir ? read_directory(conf, user_dir, err) : 0;
}

/* --- which table --- */

/* How much of the reference's text the prefix covers; 0: it does not fit. */
static size_t covers(const char *prefix, const char *text)
{
    size_t n = strlen(prefix);
    if (strncmp(prefix, "*.", 2) == 0) { /* a subdomain, of any depth */
        size_t host = strcspn(text, "/");
        size_t tail = n - 1;
        return host > tail && memcmp(text + host - tail, prefix + 1, tail) == 0 ? host
                                                                                : 0;
    }
    if (strncmp(text, prefix, n) != 0)
        return 0;
    /* "r.io" is not "r.io:5000", but "r.io/app" is what "r.io/app:1" begins with */
    bool has_path = strchr(prefix, '/') != NULL;
    return !text[n] || text[n] == '/' || (has_path && strchr(":@", text[n])) ? n : 0;
}

/* --- what it says --- */

/* The reference at another place: `location` instead of its first `covered` bytes. */
static int relocate(const char *text, size_t covered, const char *location,
                    struct oci_ref *ret_ref, struct dr_error *err)
{
    dr_auto_free char *moved = dr_printf("%s%s", location, text + covered);
    size_t host = strcspn(location, "/");
    dr_auto_ref struct oci_ref ref = OCI_REF_INIT;
    if (oci_ref_parse(moved, &ref, err) < 0) {
        err->kind = DR_ERR_CONFIG;
        return dr_wrap(err, "location '%s'", location);
    }
    if (strlen(ref.host) != host || strncmp(ref.host, location, host) != 0)
        return dr_fail(err, DR_ERR_CONFIG,
                       "location '%s' does not begin with a registry's host", location);
    *ret_ref = ref;
    ref = OCI_REF_INIT;
    return 0;
}

static int add_mirror(const json_t *mirror, const json_t *table, const char *text,
                      size_t covered, struct route *route, struct dr_error *err)
{
    static const struct {
        const char *word;
        bool no_tags, no_digests;
    } words[] = {
        {"all", false, false}, {"digest-only", true, false}, {"tag-only", false, true}};
    const char *location = dr_json_str(mirror, "location");
    const char *when = dr_json_str(mirror, "pull-from-mirror");
    bool digests = dr_json_bool(table, "mirror-by-digest-only");
    size_t i = 0;
    if (!location || !*location)
        return dr_fail(err, DR_ERR_CONFIG, "a mirror has no location");
    while (when && *when && i < DR_COUNT(words) && strcmp(words[i].word, when) != 0)
        i++;
    if (i == DR_COUNT(words))
        return dr_fail(err, DR_ERR_CONFIG,
                       "pull-from-mirror is all, digest-only or tag-only, not '%s'",
                       when);
    if (digests && when && *when)
        return dr_fail(err, DR_ERR_CONFIG,
                       "pull-from-mirror and mirror-by-digest-only contradict each "
                       "other: give one of them");
    struct endpoint *e = route_add(route, err);
    if (!e || relocate(text, covered, location, &e->ref, err) < 0)
        return -1;
    e->mirror = true;
    e->insecure = dr_json_bool(mirror, "insecure");
    e->no_tags = words[i].no_tags || digests;
    e->no_digests = words[i].no_digests;
    return 0;
}

static int use_table(const json_t *table, const struct oci_ref *ref, const char *text,
                     size_t covered, bool direct, struct route *route,
                     struct dr_error *err)
{
    const char *location = dr_json_str(table, "location");
    json_t *mirrors = dr_json_array(table, "mirror"), *mirror;
    size_t i;
    if (dr_json_bool(table, "blocked"))
        return dr_fail(err, DR_ERR_CONFIG, "'%s' is blocked here", prefix_of(table));
    json_array_foreach (mirrors, i, mirror)
        if (!direct && add_mirror(mirror, table, text, covered, route, err) < 0)
            return -1;
    struct endpoint *e = route_add(route, err);
    if (!e)
        return -1;
    e->insecure = dr_json_bool(table, "insecure");
    if (direct || !location || !*location) {
        oci_ref_copy(ref, &e->ref);
        return 0;
    }
    return relocate(text, covered, location, &e->ref, err);
}

int route_from_registries_conf(const struct oci_ref *ref, const char *conf_file,
                               bool direct, struct route *route, struct dr_error *err)
{
    DR_CLEANUP(conf_release) struct conf conf = {0};
    dr_auto_free char *text = oci_ref_text(ref);
    size_t best = 0, best_length = 0, at = 0;
    if (read_all(&conf, conf_file, err) < 0)
        return dr_wrap(err, "settings of registries");
    for (size_t i = 0; i < conf.n; i++) {
        const char *prefix = prefix_of(conf.tables[i].table);
        size_t covered = covers(prefix, text);
        if (covered && strlen(prefix) > best_length) {
            best = covered;
            best_length = strlen(prefix);
            at = i;
        }
    }
    if (best == 0)
        return 0;
    if (use_table(conf.tables[at].table, ref, text, best, direct, route, err) < 0)
        return dr_wrap(err, "%s", conf.tables[at].file);
    return 1;
}
