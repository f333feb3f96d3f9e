/* SPDX-License-Identifier: Apache-2.0 */
#include "tar/whiteout.h"

#include <string.h>

#include "base/text.h"

static int bad_name(struct dr_error *err, const char *what, const char *name,
                    const char *why)
{
    dr_auto_free char *shown = dr_escape(name, 200);
    return dr_fail(err, DR_ERR_FORMAT, "bad %s '%s': %s", what, shown, why);
}

int tar_name_whiteout(const char *path, enum whiteout *ret, struct dr_error *err)
{
    const size_t n = strlen(WHITEOUT_PREFIX);
    *ret = WHITEOUT_NONE;
    for (const char *p = path; p; p = strchr(p, '/')) {
        p += *p == '/';
        if (strncmp(p, WHITEOUT_PREFIX, n) != 0)
            continue;
        const char *rest = p + n, *slash = strchr(p, '/');
        if (strncmp(rest, WHITEOUT_PREFIX, n) == 0) {
            bool opaque = strcmp(rest, ".wh..opq") == 0;
            *ret = opaque ? WHITEOUT_OPAQUE : WHITEOUT_IGNORE;
            return 0;
        }
        if (slash)
            return bad_name(err, "name", path, "a whiteout is no directory");
        if (strcmp(rest, "") == 0 || strcmp(rest, ".") == 0 || strcmp(rest, "..") == 0)
            return bad_name(err, "name", path, "a whiteout of a directory itself");
        *ret = WHITEOUT_REMOVE;
        return 0;
    }
    return 0;
}
