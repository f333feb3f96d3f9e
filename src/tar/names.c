/* SPDX-License-Identifier: Apache-2.0 */
#include "tar/names.h"

#include <string.h>

#include "base/text.h"

static int bad_name(struct dr_error *err, const char *what, const char *name,
                    const char *why)
{
    dr_auto_free char *shown = dr_escape(name, 200);
    return dr_fail(err, DR_ERR_FORMAT, "bad %s '%s': %s", what, shown, why);
}

int tar_name_clean(const char *name, const char *what, char ret[PATH_MAX],
                   size_t *ret_len, struct dr_error *err)
{
    size_t at = 0, depth = 0;
    if (!*name)
        return bad_name(err, what, name, "it is empty");
    for (const char *p = name; *p;) {
        size_t n = strcspn(p, "/");
        if (n == 2 && p[0] == '.' && p[1] == '.') {
            if (depth == 0)
                return bad_name(err, what, name, "it leads out of the archive");
            while (at > 0 && ret[at - 1] != '/')
                at--;
            if (at > 0)
                at--; /* the slash before it */
            depth--;
        } else if (n > 0 && !(n == 1 && p[0] == '.')) {
            if (at + 1 + n >= PATH_MAX)
                return bad_name(err, what, name, "it is too long");
            if (++depth > TAR_DEPTH_MAX)
                return bad_name(err, what, name, "it is too deep");
            if (at > 0)
                ret[at++] = '/';
            memcpy(ret + at, p, n);
            at += n;
        }
        p += n;
        p += *p == '/';
    }
    ret[at] = '\0';
    *ret_len = at;
    return 0;
}

bool tar_xattr_portable(const char *name)
{
    if (strncmp(name, "user.", 5) == 0)
        return name[5] != '\0' && strncmp(name, "user.overlay.", 13) != 0;
    return strcmp(name, "security.capability") == 0;
}
