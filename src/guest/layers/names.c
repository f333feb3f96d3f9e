/* SPDX-License-Identifier: Apache-2.0 */
#include "guest/layers/names.h"

#include <string.h>

#include "base/text.h"

static int bad_name(struct dr_error *err, const char *what, const char *name,
                    const char *why)
{
    dr_auto_free char *shown = dr_escape(name, 200);
    return dr_fail(err, DR_ERR_FORMAT, "bad %s '%s': %s", what, shown, why);
}

int layer_name_clean(const char *name, const char *what, char ret[PATH_MAX],
                     size_t *ret_len, struct dr_error *err)
{
    size_t at = 0, depth = 0;
    if (!*name)
        return bad_name(err, what, name, "it is empty");
    for (const char *p = name; *p;) {
        size_t n = strcspn(p, "/");
        if (n == 2 && p[0] == '.' && p[1] == '.') {
            if (depth == 0)
                return bad_name(err, what, name, "it leads out of the layer");
            while (at > 0 && ret[at - 1] != '/')
                at--;
            if (at > 0)
                at--; /* the slash before it */
            depth--;
        } else if (n > 0 && !(n == 1 && p[0] == '.')) {
            if (at + 1 + n >= PATH_MAX)
                return bad_name(err, what, name, "it is too long");
            if (++depth > LAYER_DEPTH_MAX)
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

int layer_name_whiteout(const char *path, enum whiteout *ret, struct dr_error *err)
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
