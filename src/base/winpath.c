/* SPDX-License-Identifier: Apache-2.0 */
#include "base/winpath.h"

#include <stdbool.h>
#include <string.h>
#include <strings.h>

static bool is_slash(char c)
{
    return c == '\\' || c == '/';
}

static bool is_drive(const char *path)
{
    return ((*path >= 'a' && *path <= 'z') || (*path >= 'A' && *path <= 'Z')) &&
           path[1] == ':';
}

/* What follows "\\?\" or "\\.\", or NULL. Windows itself writes these with backslashes.
 */
static const char *behind_device(const char *path)
{
    bool device = strncmp(path, "\\\\?\\", 4) == 0 || strncmp(path, "\\\\.\\", 4) == 0;
    return device ? path + 4 : NULL;
}

/* The name of a distro in \\wsl.localhost\NAME, or NULL. Of paths with slashes only these
 * are UNC: "//a/b" is a path of Linux too. */
static const char *behind_wsl(const char *path)
{
    static const char *const hosts[] = {"wsl.localhost", "wsl$"};
    if (!is_slash(path[0]) || !is_slash(path[1]))
        return NULL;
    for (size_t i = 0; i < DR_COUNT(hosts); i++) {
        size_t len = strlen(hosts[i]);
        const char *end = path + 2 + len;
        if (strncasecmp(path + 2, hosts[i], len) == 0 && is_slash(*end) && end[1] &&
            !is_slash(end[1]))
            return end + 1;
    }
    return NULL;
}

/* The drive letter of "C:\", or NULL. */
static const char *at_drive(const char *path)
{
    const char *device = behind_device(path);
    const char *drive = device ? device : path;
    return is_drive(drive) && is_slash(drive[2]) ? drive : NULL;
}

enum dr_winpath_kind dr_winpath_kind(const char *path)
{
    if (at_drive(path))
        return DR_WINPATH_DRIVE;
    if (behind_wsl(path))
        return DR_WINPATH_DISTRO;
    const char *device = behind_device(path);
    if (device && strncasecmp(device, "UNC\\", 4) != 0)
        return DR_WINPATH_DEVICE;
    return strncmp(path, "\\\\", 2) == 0 ? DR_WINPATH_SHARE : DR_WINPATH_NONE;
}

/* "\a\.\b\..\c" → "/a/c". Nothing leads above the root. */
static char *rest_of(const char *path)
{
    char *clean = dr_alloc(strlen(path) + 2);
    size_t n = 0;
    while (*path) {
        size_t len = strcspn(path, "\\/");
        if (len == 2 && memcmp(path, "..", 2) == 0) {
            while (n && clean[--n] != '/')
                ;
        } else if (len && !(len == 1 && *path == '.')) {
            clean[n++] = '/';
            memcpy(clean + n, path, len);
            n += len;
        }
        path += len + (path[len] != '\0');
    }
    if (!n)
        clean[n++] = '/';
    clean[n] = '\0';
    return clean;
}

void dr_winpath_parse(const char *path, struct dr_winpath *ret)
{
    *ret = (struct dr_winpath){.kind = dr_winpath_kind(path)};
    if (ret->kind == DR_WINPATH_DRIVE) {
        const char *drive = at_drive(path);
        ret->drive = (char)(*drive | 0x20);
        ret->rest = rest_of(drive + 2);
    } else if (ret->kind == DR_WINPATH_DISTRO) {
        const char *name = behind_wsl(path);
        size_t len = strcspn(name, "\\/");
        ret->distro = dr_strndup(name, len);
        ret->rest = rest_of(name + len);
    }
}

void dr_winpath_release(struct dr_winpath *path)
{
    free(path->distro);
    free(path->rest);
    *path = (struct dr_winpath){0};
}

size_t dr_winpath_source_len(const char *text)
{
    const char *drive = at_drive(text);
    if (dr_winpath_kind(text) == DR_WINPATH_NONE)
        return 0;
    const char *from = drive ? drive + 2 : text;
    size_t len = (size_t)(from - text) + strcspn(from, ":");
    if (drive == text && *from == '/' && strncmp(text + len, ":/", 2) != 0)
        return 0;
    return len;
}

char *dr_winpath_absolute(const char *here, const char *path)
{
    if (dr_winpath_kind(path) != DR_WINPATH_NONE)
        return dr_strdup(path);
    if (is_slash(*path) && is_drive(here))
        return dr_printf("%.2s%s", here, path);
    size_t len = strlen(here);
    while (len > 0 && is_slash(here[len - 1]))
        len--;
    return dr_printf("%.*s\\%s", (int)len, here, path);
}
