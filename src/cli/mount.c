/* SPDX-License-Identifier: Apache-2.0 */
/*
 * --mount, Docker's longer way to say -v and --tmpfs: "type=bind,src=/a,dst=/b,readonly".
 * It is turned into the shorter one; what that cannot say is refused by name.
 * Rule: docker/cli opts/mount.go.
 */
#include <string.h>

#include "base/text.h"
#include "base/winpath.h"
#include "cli/cli.h"

struct mount {
    char *type, *source, *target; /* owned */
    struct dr_buf options;        /* as behind the second colon of -v, or of --tmpfs */
};

static int add_option(struct mount *m, const char *name, const char *value,
                      struct dr_error *err)
{
    return dr_buf_addf(&m->options, err, "%s%s%s", m->options.len ? "," : "", name,
                       value ? value : "");
}

/* "readonly", "readonly=true" and "readonly=false"; -1: neither. */
static int is_true(const char *value)
{
    if (!value || strcmp(value, "true") == 0 || strcmp(value, "1") == 0)
        return 1;
    return strcmp(value, "false") == 0 || strcmp(value, "0") == 0 ? 0 : -1;
}

static int take(char **to, const char *key, const char *value, struct dr_error *err)
{
    if (!value || !*value)
        return dr_fail(err, DR_ERR_INVALID, "%s needs a value", key);
    /* a drive's colon is none that -v would split at */
    const char *drive =
        dr_winpath_kind(value) == DR_WINPATH_DRIVE ? strchr(value, ':') + 1 : value;
    if (strpbrk(drive, ":\n"))
        return dr_fail(err, DR_ERR_UNSUPPORTED, "%s=%s: a colon in it is not supported",
                       key, value);
    free(*to);
    *to = dr_strdup(value);
    return 0;
}

static int apply(struct mount *m, const char *key, const char *value,
                 struct dr_error *err)
{
    static const struct {
        const char *key;
        int what; /* t type, s source, d target, r read-only, n no copy, p, z, m */
    } keys[] = {{"type", 't'},          {"source", 's'},
                {"src", 's'},           {"target", 'd'},
                {"destination", 'd'},   {"dst", 'd'},
                {"readonly", 'r'},      {"ro", 'r'},
                {"volume-nocopy", 'n'}, {"bind-propagation", 'p'},
                {"tmpfs-size", 'z'},    {"tmpfs-mode", 'm'}};
    int what = 0;
    for (size_t i = 0; i < DR_COUNT(keys); i++)
        if (strcmp(keys[i].key, key) == 0)
            what = keys[i].what;
    switch (what) {
    case 't':
        return take(&m->type, key, value, err);
    case 's':
        return take(&m->source, key, value, err);
    case 'd':
        return take(&m->target, key, value, err);
    case 'r':
    case 'n':
        if (is_true(value) < 0)
            return dr_fail(err, DR_ERR_INVALID, "%s=%s: it must be true or false", key,
                           value);
        return is_true(value) ? add_option(m, what == 'r' ? "ro" : "nocopy", NULL, err)
                              : 0;
    case 'p':
        return add_option(m, value ? value : "", NULL, err);
    case 'z':
        return add_option(m, "size=", value, err);
    case 'm':
        return add_option(m, "mode=", value, err);
    default:
        return dr_fail(err, DR_ERR_UNSUPPORTED,
                       "%s is not supported; type, source, target, readonly, "
                       "volume-nocopy, bind-propagation, tmpfs-size and tmpfs-mode are",
                       key);
    }
}

static int parse(struct mount *m, const char *text, struct dr_error *err)
{
    dr_auto_free char *copy = dr_strdup(text);
    for (char *rest = copy, *part; (part = strsep(&rest, ","));) {
        char *value = strchr(part, '=');
        if (value)
            *value++ = '\0';
        if (!*part)
            return dr_fail(err, DR_ERR_INVALID,
                           "it must be KEY=VALUE[,KEY=VALUE...], as in "
                           "type=bind,source=/a,target=/b");
        if (apply(m, part, value, err) < 0)
            return -1;
    }
    return 0;
}

static char *as_flag(const struct mount *m, const char **ret_field, struct dr_error *err)
{
    const char *type = m->type ? m->type : "volume";
    const char *options = m->options.data ? m->options.data : "";
    const char *colon = *options ? ":" : "";
    bool bind = strcmp(type, "bind") == 0, tmpfs = strcmp(type, "tmpfs") == 0;
    if (!bind && !tmpfs && strcmp(type, "volume") != 0) {
        dr_fail(err, DR_ERR_UNSUPPORTED,
                "type=%s is not supported; bind, volume and tmpfs are", type);
        return NULL;
    }
    if (!m->target || (bind && !m->source) || (tmpfs && m->source)) {
        dr_fail(err, DR_ERR_INVALID, "%s",
                !m->target ? "target is missing"
                : bind     ? "source is missing"
                           : "a tmpfs has no source");
        return NULL;
    }
    if (bind && m->source[0] != '/' && dr_winpath_kind(m->source) == DR_WINPATH_NONE) {
        dr_fail(err, DR_ERR_INVALID, "source=%s: it must be an absolute path", m->source);
        return NULL;
    }
    *ret_field = tmpfs ? "tmpfs" : "volume";
    if (m->source)
        return dr_printf("%s:%s%s%s", m->source, m->target, colon, options);
    /* -v has no options for volumes without a name */
    if (!tmpfs && *options) {
        dr_fail(err, DR_ERR_UNSUPPORTED,
                "options of a volume without a name are not supported; give a source");
        return NULL;
    }
    return dr_printf("%s%s%s", m->target, colon, options);
}

char *cli_mount(const char *text, const char **ret_field, struct dr_error *err)
{
    struct mount m = {.options = DR_BUF_INIT(4096)};
    char *flag = parse(&m, text, err) < 0 ? NULL : as_flag(&m, ret_field, err);
    free(m.type);
    free(m.source);
    free(m.target);
    dr_buf_release(&m.options);
    return flag;
}
