/* SPDX-License-Identifier: Apache-2.0 */
/* Who a container runs as: "[user[:group]]" by the image's passwd and group files. */
#include <string.h>

#include "base/text.h"
#include "guest/bundle/bundle.h"

#define ID_MAX 2147483647LL
#define FILE_MAX_BYTES (1U << 20)
#define GROUPS_MAX 65536 /* NGROUPS_MAX */

void bundle_user_release(struct bundle_user *user)
{
    free(user->groups);
    free(user->home);
    *user = (struct bundle_user){0};
}

static bool all_digits(const char *text)
{
    return *text && strspn(text, "0123456789") == strlen(text);
}

/* Digits are an id and never a name: 4294967296 or 99999999999 must not fall through to
 * a look-up and from there to root (CVE-2024-40635). */
static int parse_id(const char *what, const char *text, uint32_t *ret,
                    struct dr_error *err)
{
    int64_t id;
    if (!dr_int_parse(text, 0, ID_MAX, &id))
        return dr_fail(err, DR_ERR_INVALID, "%s '%s' is out of range (0 to %lld)", what,
                       text, ID_MAX);
    *ret = (uint32_t)id;
    return 0;
}

/* A file of the image, "" when it has none. */
static int load(const int *layers, size_t count, const char *path, char **ret,
                struct dr_error *err)
{
    dr_auto_buf struct dr_buf buf = DR_BUF_INIT(FILE_MAX_BYTES);
    dr_auto_error struct dr_error inner = DR_ERROR_INIT;
    if (bundle_stack_read(layers, count, path, &buf, &inner) < 0 &&
        inner.kind != DR_ERR_NOT_FOUND) {
        inner.kind = inner.kind == DR_ERR_FORMAT ? DR_ERR_CREATE : inner.kind;
        return dr_error_move(err, &inner);
    }
    *ret = dr_buf_take(&buf);
    return 0;
}

/* Cuts the next line and splits it at ':' into at most max fields, in place. Returns the
 * number of fields, or 0 at the end. */
static size_t next_line(char **text, char **fields, size_t max)
{
    while (**text) {
        char *line = *text;
        size_t len = strcspn(line, "\n");
        *text = line + len + (line[len] == '\n');
        line[len] = '\0';
        if (len && line[len - 1] == '\r')
            line[len - 1] = '\0';
        if (!*line || *line == '#')
            continue;
        size_t n = 0;
        for (char *p = line; n < max;) {
            fields[n++] = p;
            p = strchr(p, ':');
            if (!p || n == max)
                break;
            *p++ = '\0';
        }
        return n;
    }
    return 0;
}

struct found {
    bool found;
    uint32_t uid, gid;
    char *name, *home; /* borrowed from the text */
};

/* name NULL: by uid. */
static int find_passwd(char *text, const char *name, uint32_t uid, struct found *ret,
                       struct dr_error *err)
{
    char *f[7];
    size_t n;
    while ((n = next_line(&text, f, DR_COUNT(f)))) {
        int64_t id, group;
        if (n < 4 || (name && strcmp(f[0], name) != 0))
            continue;
        bool valid =
            dr_int_parse(f[2], 0, ID_MAX, &id) && dr_int_parse(f[3], 0, ID_MAX, &group);
        if (!valid && name)
            return dr_fail(err, DR_ERR_CREATE,
                           "user '%s': the image's /etc/passwd gives bad ids '%s:%s'",
                           name, f[2], f[3]);
        if (!valid || (!name && id != (int64_t)uid))
            continue;
        *ret = (struct found){.found = true,
                              .uid = (uint32_t)id,
                              .gid = (uint32_t)group,
                              .name = f[0],
                              .home = n >= 6 ? f[5] : NULL};
        return 0;
    }
    return 0;
}

static int find_group(char *text, const char *name, uint32_t *ret, struct dr_error *err)
{
    char *f[4];
    size_t n;
    while ((n = next_line(&text, f, DR_COUNT(f)))) {
        int64_t id;
        if (n < 3 || strcmp(f[0], name) != 0)
            continue;
        if (!dr_int_parse(f[2], 0, ID_MAX, &id))
            return dr_fail(err, DR_ERR_CREATE,
                           "group '%s': the image's /etc/group gives the bad id '%s'",
                           name, f[2]);
        *ret = (uint32_t)id;
        return 0;
    }
    return dr_fail(err, DR_ERR_CREATE,
                   "group '%s' is not in the image's /etc/group: use one that is, or a "
                   "number",
                   name);
}

static bool member_of(const char *members, const char *name)
{
    size_t len = strlen(name);
    for (const char *p = members; *p;) {
        size_t n = strcspn(p, ",");
        if (n == len && memcmp(p, name, n) == 0)
            return true;
        p += n + (p[n] == ',');
    }
    return false;
}

static void add_group(struct bundle_user *user, uint32_t gid)
{
    for (size_t i = 0; i < user->group_count; i++)
        if (user->groups[i] == gid)
            return;
    if (user->group_count >= GROUPS_MAX)
        return;
    user->groups = dr_realloc(user->groups, (user->group_count + 1) * sizeof(uint32_t));
    user->groups[user->group_count++] = gid;
}

static void add_member_groups(struct bundle_user *user, char *text, const char *name)
{
    char *f[4];
    size_t n;
    while ((n = next_line(&text, f, DR_COUNT(f)))) {
        int64_t id;
        if (n == 4 && member_of(f[3], name) && dr_int_parse(f[2], 0, ID_MAX, &id))
            add_group(user, (uint32_t)id);
    }
}

struct files {
    char *passwd, *group; /* owned, cut up while searching */
};

static int resolve_name(const char *name, struct files *files, struct bundle_user *user,
                        struct found *found, struct dr_error *err)
{
    bool number = all_digits(name);
    if (number && parse_id("user", name, &user->uid, err) < 0)
        return -1;
    if (find_passwd(files->passwd, number || !*name ? NULL : name, user->uid, found,
                    err) < 0)
        return -1;
    if (!found->found && !number && *name)
        return dr_fail(
            err, DR_ERR_CREATE,
            "user '%s' is not in the image's /etc/passwd: use one that is, or a "
            "number",
            name);
    if (found->found) {
        user->uid = found->uid;
        user->gid = found->gid;
    }
    return 0;
}

static int resolve(const int *layers, size_t count, const char *text, struct files *files,
                   struct bundle_user *user, struct dr_error *err)
{
    size_t len = strcspn(text, ":");
    const char *group = text[len] ? text + len + 1 : "";
    dr_auto_free char *name = dr_strndup(text, len);
    if ((!len && text[len]) || strchr(group, ':'))
        return dr_fail(err, DR_ERR_INVALID, "invalid user '%s': expected user[:group]",
                       text);
    if (load(layers, count, "/etc/passwd", &files->passwd, err) < 0 ||
        load(layers, count, "/etc/group", &files->group, err) < 0)
        return dr_wrap(err, "user '%s'", text);
    struct found found = {0};
    if (resolve_name(name, files, user, &found, err) < 0)
        return -1;
    user->home = dr_strdup(found.home && found.home[0] == '/' ? found.home : "/");
    if (*group) {
        if (all_digits(group) ? parse_id("group", group, &user->gid, err) < 0
                              : find_group(files->group, group, &user->gid, err) < 0)
            return -1;
        add_group(user, user->gid);
    } else {
        add_group(user, user->gid);
        if (found.found)
            add_member_groups(user, files->group, found.name);
    }
    return 0;
}

int bundle_resolve_user(const int *layers, size_t layer_count, const char *user,
                        struct bundle_user *ret, struct dr_error *err)
{
    bundle_auto_user struct bundle_user result = {0};
    struct files files = {0};
    int r = resolve(layers, layer_count, user ? user : "", &files, &result, err);
    free(files.passwd);
    free(files.group);
    if (r < 0)
        return -1;
    *ret = result;
    result = (struct bundle_user){0};
    return 0;
}
