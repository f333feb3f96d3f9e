/* SPDX-License-Identifier: Apache-2.0 */
#include "guest/bundle/drives.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/fs.h"
#include "base/winpath.h"

#define CONF_MAX_BYTES (1U << 20)
#define MOUNTS_MAX_BYTES (16U << 20)

/* --- /etc/wsl.conf: an INI file; WSL takes any case, and values in quotes --- */

static char *trimmed(char *text)
{
    text += strspn(text, " \t");
    size_t len = strlen(text);
    while (len && strchr(" \t\r", text[len - 1]))
        text[--len] = '\0';
    if (len >= 2 && text[0] == '"' && text[len - 1] == '"') {
        text[len - 1] = '\0';
        text++;
    }
    return text;
}

static void take_line(char *line, bool *in_automount, struct drives *d)
{
    line[strcspn(line, "#")] = '\0';
    char *text = trimmed(line);
    if (*text == '[') {
        text[strcspn(text, "]")] = '\0';
        *in_automount = strcasecmp(trimmed(text + 1), "automount") == 0;
        return;
    }
    char *value = strchr(text, '=');
    if (!value || !*in_automount)
        return;
    *value++ = '\0';
    const char *key = trimmed(text);
    value = trimmed(value);
    if (strcasecmp(key, "enabled") == 0) {
        d->automount = strcasecmp(value, "false") != 0 && strcmp(value, "0") != 0;
    } else if (strcasecmp(key, "root") == 0 && *value == '/') {
        free(d->root);
        d->root = dr_printf("%s%s", value, value[strlen(value) - 1] == '/' ? "" : "/");
    }
}

void drives_parse(const char *conf, const char *mounts, const char *release,
                  const char *distro, struct drives *ret)
{
    *ret = (struct drives){.automount = true,
                           .root = dr_strdup("/mnt/"),
                           .mounts = dr_strdup(mounts),
                           .distro = distro && *distro ? dr_strdup(distro) : NULL,
                           .is_wsl =
                               (distro && *distro) || strcasestr(release, "microsoft")};
    dr_auto_free char *copy = dr_strdup(conf);
    bool in_automount = false;
    for (char *rest = copy, *line; (line = strsep(&rest, "\n"));)
        take_line(line, &in_automount, ret);
}

static char *text_of(const char *path, size_t max)
{
    dr_auto_buf struct dr_buf buf = DR_BUF_INIT(max);
    dr_auto_error struct dr_error ignored = DR_ERROR_INIT;
    if (dr_file_read(AT_FDCWD, path, &buf, &ignored) < 0 || !buf.data)
        return dr_strdup("");
    return dr_strndup(buf.data, buf.len);
}

void drives_read(struct drives *ret)
{
    dr_auto_free char *conf = text_of("/etc/wsl.conf", CONF_MAX_BYTES);
    dr_auto_free char *mounts = text_of("/proc/self/mountinfo", MOUNTS_MAX_BYTES);
    dr_auto_free char *release = text_of("/proc/sys/kernel/osrelease", 4096);
    drives_parse(conf, mounts, release, getenv("WSL_DISTRO_NAME"), ret);
}

void drives_release(struct drives *drives)
{
    free(drives->distro);
    free(drives->root);
    free(drives->mounts);
    *drives = (struct drives){0};
}

/* --- where a drive is --- */

/* "\040" and the like, as the kernel writes blanks and backslashes; in place. */
static void unescape(char *text)
{
    char *to = text;
    for (; *text; to++) {
        bool octal = text[0] == '\\' && strspn(text + 1, "01234567") >= 3;
        char byte = *text; /* not by ?:, which UBSan's build warns of */
        if (octal)
            byte = (char)((text[1] - '0') << 6 | (text[2] - '0') << 3 | (text[3] - '0'));
        *to = byte;
        text += octal ? 4 : 1;
    }
    *to = '\0';
}

/* Of one line of mountinfo: is it this drive? Its source says so ("C:\" or "C:"), or its
 * place: what WSL writes as the source depends on how drives get there. */
static bool is_drive(char *line, char drive, const char *root, char **ret_place)
{
    enum { ROOT = 3, PLACE = 4 };
    char *words[16] = {0}, *source = NULL, *rest = line;
    for (size_t i = 0; rest && i < DR_COUNT(words); i++)
        words[i] = strsep(&rest, " ");
    for (size_t i = PLACE + 2; i + 2 < DR_COUNT(words) && words[i + 2] && !source; i++)
        if (strcmp(words[i], "-") == 0)
            source = words[i + 2];
    if (!words[PLACE] || !source)
        return false;
    unescape(words[PLACE]);
    unescape(source);
    *ret_place = words[PLACE];
    size_t len = strlen(root);
    if (strncmp(words[PLACE], root, len) == 0 && words[PLACE][len] == drive &&
        !words[PLACE][len + 1])
        return true;
    return strcmp(words[ROOT], "/") == 0 && (source[0] | 0x20) == drive &&
           source[1] == ':' && (!source[2] || strcmp(source + 2, "\\") == 0);
}

static char *place_of(const struct drives *drives, char drive)
{
    dr_auto_free char *copy = dr_strdup(drives->mounts);
    char *found = NULL, *place;
    for (char *rest = copy, *line; !found && (line = strsep(&rest, "\n"));)
        if (is_drive(line, drive, drives->root, &place))
            found = dr_strdup(place);
    return found;
}

static char *no_drive(const struct drives *drives, char drive, const char *path,
                      struct dr_error *err)
{
    char letter = (char)(drive & ~0x20);
    if (!drives->is_wsl)
        dr_fail(err, DR_ERR_INVALID,
                "%s: the target is no WSL distro, it has no drive %c:; give a path of "
                "the target, and copy with `dray cp`",
                path, letter);
    else if (!drives->automount)
        dr_fail(
            err, DR_ERR_INVALID,
            "%s: drive %c: is not mounted in the distro, because its /etc/wsl.conf has "
            "[automount] enabled=false; mount it there (mount -t drvfs %c: %s%c), or "
            "turn automount on",
            path, letter, letter, drives->root, drive);
    else
        dr_fail(
            err, DR_ERR_INVALID,
            "%s: drive %c: is not mounted in the distro (%s%c); WSL mounts fixed drives "
            "only, when it starts; mount it there: mount -t drvfs %c: %s%c",
            path, letter, drives->root, drive, letter, drives->root, drive);
    return NULL;
}

static char *path_of_drive(const struct drives *drives, const struct dr_winpath *p,
                           const char *path, struct dr_error *err)
{
    dr_auto_free char *place = place_of(drives, p->drive);
    if (!place)
        return no_drive(drives, p->drive, path, err);
    return dr_printf("%s%s", place, strcmp(p->rest, "/") == 0 ? "" : p->rest);
}

static char *path_of_distro(const struct drives *drives, struct dr_winpath *p,
                            const char *path, struct dr_error *err)
{
    if (drives->distro && strcasecmp(p->distro, drives->distro) == 0)
        return DR_TAKE(p->rest);
    if (!drives->is_wsl)
        dr_fail(
            err, DR_ERR_INVALID,
            "%s: that is in the WSL distro %s, and the target is none; give a path of "
            "the target, and copy with `dray cp`",
            path, p->distro);
    else
        dr_fail(err, DR_ERR_INVALID,
                "%s: that is in the distro %s, and the target is %s; distros do not see "
                "each other's files: use --target wsl://%s, or copy with `dray cp`",
                path, p->distro, drives->distro ? drives->distro : "another one",
                p->distro);
    return NULL;
}

char *drives_path(const struct drives *drives, const char *path, struct dr_error *err)
{
    dr_auto_winpath struct dr_winpath p;
    dr_winpath_parse(path, &p);
    switch (p.kind) {
    case DR_WINPATH_NONE:
        return dr_strdup(path);
    case DR_WINPATH_DRIVE:
        return path_of_drive(drives, &p, path, err);
    case DR_WINPATH_DISTRO:
        return path_of_distro(drives, &p, path, err);
    case DR_WINPATH_SHARE:
        dr_fail(err, DR_ERR_INVALID,
                "%s: a network share cannot be mounted into a container; mount it in the "
                "target first (mount -t drvfs '\\\\server\\share' /mnt/share), and give "
                "that path",
                path);
        return NULL;
    case DR_WINPATH_DEVICE:
        dr_fail(
            err, DR_ERR_INVALID,
            "%s: a pipe or device of Windows is nothing that a Linux container can use",
            path);
        return NULL;
    }
    return NULL;
}

int drives_translate(struct spec_container *spec, struct dr_error *err)
{
    drives_auto struct drives drives = {0};
    for (size_t i = 0; i < spec->mount_count; i++) {
        struct spec_mount *mount = &spec->mounts[i];
        if (mount->type != SPEC_MOUNT_BIND ||
            dr_winpath_kind(mount->source) == DR_WINPATH_NONE)
            continue;
        if (!drives.root)
            drives_read(&drives);
        char *path = drives_path(&drives, mount->source, err);
        if (!path)
            return dr_wrap(err, "volume");
        free(mount->source);
        mount->source = path;
    }
    return 0;
}
