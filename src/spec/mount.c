/* SPDX-License-Identifier: Apache-2.0 */
/* -v and --tmpfs, in the syntax of Docker's Linux mount parser. */
#include <string.h>

#include "base/winpath.h"
#include "spec/container.h"

/* One option of each group at most, as Docker has it. */
enum group { ACCESS, LABEL, PROPAGATION, COPY, CONSISTENCY, GROUPS };

static const struct volume_option {
    const char *word;
    enum group group;
} volume_options[] = {
    {"ro", ACCESS},
    {"rw", ACCESS},
    {"z", LABEL},
    {"Z", LABEL},
    {"private", PROPAGATION},
    {"rprivate", PROPAGATION},
    {"slave", PROPAGATION},
    {"rslave", PROPAGATION},
    {"shared", PROPAGATION},
    {"rshared", PROPAGATION},
    {"nocopy", COPY},
    {"consistent", CONSISTENCY},
    {"cached", CONSISTENCY},
    {"delegated", CONSISTENCY},
};

static const struct volume_option *find_option(const char *word, size_t len)
{
    for (size_t i = 0; i < DR_COUNT(volume_options); i++)
        if (strlen(volume_options[i].word) == len &&
            memcmp(volume_options[i].word, word, len) == 0)
            return &volume_options[i];
    return NULL;
}

/* An empty list is a valid one, as in Docker ("/a:/b:"). */
static bool options_valid(const char *list)
{
    unsigned seen[GROUPS] = {0};
    for (const char *p = list; *list;) {
        size_t len = strcspn(p, ",");
        const struct volume_option *option = find_option(p, len);
        if (!option || seen[option->group]++)
            return false;
        if (!p[len])
            break;
        p += len + 1;
    }
    return true;
}

static int apply_option(const struct volume_option *option, const char *text,
                        struct spec_mount *mount, struct dr_error *err)
{
    switch (option->group) {
    case ACCESS:
        mount->read_only = strcmp(option->word, "ro") == 0;
        return 0;
    case COPY:
        if (mount->type == SPEC_MOUNT_BIND)
            return dr_fail(err, DR_ERR_INVALID,
                           "invalid volume '%s': nocopy is for volumes, a bind mount is "
                           "never filled",
                           text);
        mount->no_copy = true;
        return 0;
    case PROPAGATION:
        if (mount->type != SPEC_MOUNT_BIND)
            return dr_fail(err, DR_ERR_INVALID,
                           "invalid volume '%s': '%s' is for bind mounts only", text,
                           option->word);
        /* The guest's mounts are slaves in the monitor's mount namespace, on purpose:
         * nothing that a container mounts may stay behind. */
        if (strstr(option->word, "shared"))
            return dr_fail(err, DR_ERR_UNSUPPORTED,
                           "volume '%s': propagation '%s' is not supported, because a "
                           "container's mounts never reach the guest; use rslave to see "
                           "the guest's",
                           text, option->word);
        free(mount->options);
        mount->options = dr_strdup(option->word);
        return 0;
    case LABEL:
    case CONSISTENCY:
    case GROUPS:
        break;
    }
    return 0;
}

static int apply_options(const char *list, const char *text, struct spec_mount *mount,
                         struct dr_error *err)
{
    if (!options_valid(list))
        return dr_fail(
            err, DR_ERR_INVALID,
            "invalid volume '%s': options '%s': one each of ro|rw, z|Z, nocopy, "
            "[r]private|[r]slave",
            text, list);
    for (const char *p = list; *p;) {
        size_t len = strcspn(p, ",");
        if (apply_option(find_option(p, len), text, mount, err) < 0)
            return -1;
        p += len + (p[len] == ',');
    }
    return 0;
}

/* "/a//b/" → "/a/b"; "." and ".." resolved as Go's path.Clean does. */
char *spec_path_clean(const char *path)
{
    char *clean = dr_alloc(strlen(path) + 2);
    size_t n = 0;
    for (const char *p = path; *p;) {
        size_t len = strcspn(p, "/");
        if (len == 2 && memcmp(p, "..", 2) == 0) {
            while (n && clean[--n] != '/')
                ;
        } else if (len && !(len == 1 && *p == '.')) {
            clean[n++] = '/';
            memcpy(clean + n, p, len);
            n += len;
        }
        p += len + (p[len] == '/');
    }
    if (!n)
        clean[n++] = '/';
    clean[n] = '\0';
    return clean;
}

static int set_target(const char *target, size_t len, const char *what, const char *text,
                      struct spec_mount *mount, struct dr_error *err)
{
    dr_auto_free char *raw = dr_strndup(target, len);
    if (raw[0] != '/')
        return dr_fail(
            err, DR_ERR_INVALID,
            "invalid %s '%s': the path in the container, '%s', must be absolute", what,
            text, raw);
    mount->target = spec_path_clean(raw);
    if (strcmp(mount->target, "/") == 0)
        return dr_fail(err, DR_ERR_INVALID,
                       "invalid %s '%s': the path in the container must not be '/'", what,
                       text);
    return 0;
}

static int set_source(const char *source, size_t len, const char *text,
                      struct spec_mount *mount, struct dr_error *err)
{
    mount->source = dr_strndup(source, len);
    bool windows = dr_winpath_kind(mount->source) != DR_WINPATH_NONE;
    bool path = windows || strchr("/.~", mount->source[0]) != NULL;
    mount->type = path ? SPEC_MOUNT_BIND : SPEC_MOUNT_VOLUME;
    if (path && !windows && mount->source[0] == '/') {
        char *clean = spec_path_clean(mount->source);
        free(mount->source);
        mount->source = clean;
    }
    if (!path && !spec_name_valid(mount->source))
        return dr_fail(
            err, DR_ERR_INVALID,
            "invalid volume '%s': '%s' is not a volume name "
            "([a-zA-Z0-9][a-zA-Z0-9_.-]*); a directory is given by an absolute "
            "path",
            text, mount->source);
    return 0;
}

static int parse_volume(const char *text, struct spec_mount *mount, struct dr_error *err)
{
    size_t windows = dr_winpath_source_len(text);
    size_t first = windows ? windows : strcspn(text, ":");
    const char *second = text[first] ? text + first + 1 : NULL;
    size_t second_len = second ? strcspn(second, ":") : 0;
    const char *options = second && second[second_len] ? second + second_len + 1 : NULL;
    if (!first || (second && !second_len) || (options && strchr(options, ':')))
        return dr_fail(err, DR_ERR_INVALID,
                       "invalid volume '%s': expected [source:]target[:options]", text);
    if (windows && !second)
        return dr_fail(
            err, DR_ERR_INVALID,
            "invalid volume '%s': the path in the container is missing; expected "
            "source:target[:options]",
            text);
    mount->type = SPEC_MOUNT_VOLUME;
    if (!second)
        return set_target(text, first, "volume", text, mount, err);
    if (!windows && !options && options_valid(second))
        return dr_fail(
            err, DR_ERR_INVALID,
            "invalid volume '%s': '%s' is an option, but there is no source or "
            "target before it (expected [source:]target[:options])",
            text, second);
    if (set_source(text, first, text, mount, err) < 0 ||
        set_target(second, second_len, "volume", text, mount, err) < 0)
        return -1;
    return options ? apply_options(options, text, mount, err) : 0;
}

int spec_mount_parse(const char *text, struct spec_mount *ret, struct dr_error *err)
{
    struct spec_mount mount = {0};
    if (parse_volume(text, &mount, err) < 0) {
        spec_mount_release(&mount);
        return -1;
    }
    *ret = mount;
    return 0;
}

static const char *const tmpfs_words[] = {
    "ro",       "rw",         "exec",        "noexec",        "suid",
    "nosuid",   "dev",        "nodev",       "sync",          "async",
    "dirsync",  "atime",      "noatime",     "diratime",      "nodiratime",
    "relatime", "norelatime", "strictatime", "nostrictatime", "private",
    "rprivate", "slave",      "rslave",
};
static const char *const tmpfs_keys[] = {
    "size=", "mode=", "uid=", "gid=", "nr_inodes=", "nr_blocks=", "mpol="};

bool spec_tmpfs_option_known(const char *option, size_t len)
{
    for (size_t i = 0; i < DR_COUNT(tmpfs_words); i++)
        if (strlen(tmpfs_words[i]) == len && memcmp(tmpfs_words[i], option, len) == 0)
            return true;
    for (size_t i = 0; i < DR_COUNT(tmpfs_keys); i++) {
        size_t key = strlen(tmpfs_keys[i]);
        if (len > key && memcmp(tmpfs_keys[i], option, key) == 0)
            return true;
    }
    return false;
}

static int parse_tmpfs(const char *text, struct spec_mount *mount, struct dr_error *err)
{
    size_t target = strcspn(text, ":");
    mount->type = SPEC_MOUNT_TMPFS;
    if (!target)
        return dr_fail(err, DR_ERR_INVALID,
                       "invalid tmpfs '%s': expected target[:options]", text);
    if (set_target(text, target, "tmpfs", text, mount, err) < 0)
        return -1;
    const char *options = text[target] ? text + target + 1 : "";
    for (const char *p = options; *p;) {
        size_t len = strcspn(p, ",");
        if (!spec_tmpfs_option_known(p, len))
            return dr_fail(
                err, DR_ERR_INVALID,
                "invalid tmpfs '%s': unknown option '%.*s' (size=, mode=, uid=, "
                "gid=, nr_inodes=, ro, rw, exec, noexec, …)",
                text, (int)len, p);
        if (len == 2 && (memcmp(p, "ro", 2) == 0 || memcmp(p, "rw", 2) == 0))
            mount->read_only = p[1] == 'o';
        p += len + (p[len] == ',');
    }
    mount->options = *options ? dr_strdup(options) : NULL;
    return 0;
}

int spec_tmpfs_parse(const char *text, struct spec_mount *ret, struct dr_error *err)
{
    struct spec_mount mount = {0};
    if (parse_tmpfs(text, &mount, err) < 0) {
        spec_mount_release(&mount);
        return -1;
    }
    *ret = mount;
    return 0;
}
