/* SPDX-License-Identifier: Apache-2.0 */
/* Paths of this machine in words that may also mean something else. */
#include <ctype.h>
#include <string.h>

#include "base/winpath.h"
#include "cli/cli.h"

static char *at_home(const char *volume, const char *source, const char *rest,
                     bool windows, const char *home, struct dr_error *err)
{
    bool below = !source[1] || source[1] == '/' || (windows && source[1] == '\\');
    bool absolute =
        home && (windows ? dr_winpath_kind(home) != DR_WINPATH_NONE : *home == '/');
    if (below && absolute)
        return dr_printf("%s%s%s", home, source + 1, rest);
    dr_fail(err, DR_ERR_INVALID,
            "-v %s: %s: only ~ and ~%c… can stand for a home directory; write the "
            "absolute path",
            volume, source, windows ? '\\' : '/');
    return NULL;
}

char *cli_volume_absolute(const char *volume, bool windows, const char *here,
                          const char *home, struct dr_error *err)
{
    size_t len = strcspn(volume, ":");
    bool root = windows && volume[0] == '\\';
    if (!volume[len] || dr_winpath_source_len(volume) ||
        (volume[0] != '.' && volume[0] != '~' && !root))
        return dr_strdup(volume);
    dr_auto_free char *source = dr_strndup(volume, len);
    if (source[0] == '~')
        return at_home(volume, source, volume + len, windows, home, err);
    if (!here) {
        dr_fail(err, DR_ERR_INVALID,
                "-v %s: the current directory is gone; write the absolute path", volume);
        return NULL;
    }
    if (!windows)
        return dr_printf("%s/%s%s", here, source, volume + len);
    dr_auto_free char *path = dr_winpath_absolute(here, source);
    return dr_printf("%s%s", path, volume + len);
}

/* As Docker tells them apart: "/a:b" and "./a:b" are paths, "a:b" is in a container. On
 * Windows a single letter is a drive, also in "C:a" (where one stands on it). */
bool cli_path_is_here(const char *word, bool windows)
{
    if (*word == '/' || *word == '.')
        return true;
    return windows &&
           (*word == '\\' || (isalpha((unsigned char)*word) && word[1] == ':') ||
            dr_winpath_kind(word) != DR_WINPATH_NONE);
}
