/* SPDX-License-Identifier: Apache-2.0 */
#include "host/copy-plan.h"

#include <string.h>

#include "base/text.h"

void copy_plan_release(struct copy_plan *plan)
{
    free(plan->dir);
    free(plan->name);
    *plan = COPY_PLAN_INIT;
}

/* Length without the slashes at its end; of "/" it is 0. */
static size_t trimmed(const char *path)
{
    size_t len = strlen(path);
    while (len > 0 && path[len - 1] == '/')
        len--;
    return len;
}

static bool ends_with_dot(const char *path)
{
    size_t len = strlen(path);
    return len > 0 && path[len - 1] == '.' && (len == 1 || path[len - 2] == '/');
}

bool copy_ends_with_slash(const char *path)
{
    size_t len = strlen(path);
    return len > 0 && (path[len - 1] == '/' || ends_with_dot(path));
}

char *copy_name(const char *path)
{
    size_t len = trimmed(path), from = len;
    if (ends_with_dot(path) || len == 0)
        return NULL;
    while (from > 0 && path[from - 1] != '/')
        from--;
    dr_auto_free char *name = dr_strndup(path + from, len - from);
    return strcmp(name, ".") == 0 ? NULL : DR_TAKE(name);
}

/* The directory that path is in. */
static char *parent_of(const char *path)
{
    size_t len = trimmed(path);
    while (len > 0 && path[len - 1] != '/')
        len--;
    if (len == 0)
        return dr_strdup(*path == '/' ? "/" : ".");
    return dr_strndup(path, len);
}

static int refuse(struct dr_error *err, enum dr_kind kind, const char *dest,
                  const char *why)
{
    dr_auto_free char *shown = dr_escape(dest, 200);
    return dr_fail(err, kind, "%s: %s", shown, why);
}

int copy_plan_make(const char *source_name, bool source_is_dir, const char *dest,
                   enum copy_dest dest_is, struct copy_plan *ret, struct dr_error *err)
{
    if (dest_is == COPY_DEST_DIR) {
        *ret = (struct copy_plan){dr_strdup(dest), dr_strdup(source_name)};
        return 0;
    }
    if (dest_is == COPY_DEST_FILE && source_is_dir)
        return refuse(err, DR_ERR_CONFLICT, dest,
                      "it is a file, and a directory cannot be copied to a file");
    if (dest_is == COPY_DEST_MISSING && !source_is_dir && copy_ends_with_slash(dest))
        return refuse(err, DR_ERR_NOT_FOUND, dest, "no such directory");
    dr_auto_free char *name = copy_name(dest);
    if (!name || strcmp(name, "..") == 0)
        return refuse(err, DR_ERR_NOT_FOUND, dest, "no such directory");
    *ret = (struct copy_plan){parent_of(dest), DR_TAKE(name)};
    return 0;
}
