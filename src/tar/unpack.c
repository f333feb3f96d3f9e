/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <string.h>

#include "base/text.h"
#include "tar/names.h"
#include "tar/payload.h"
#include "tar/unpack-private.h"

int unpack_failed(const char *what, const char *path, struct dr_error *err)
{
    int number = errno;
    dr_auto_free char *shown = dr_escape(path, 200);
    errno = number;
    if (number == EROFS)
        return dr_fail(err, DR_ERR_CONFLICT, "%s %s: it is mounted read-only", what,
                       shown);
    if (number == ENAMETOOLONG)
        return dr_fail(err, DR_ERR_FORMAT, "%s %s: a name is too long", what, shown);
    return dr_fail_errno(err, DR_ERR_INTERNAL, "%s %s", what, shown);
}

int unpack_conflict(const char *path, const char *why, struct dr_error *err)
{
    dr_auto_free char *shown = dr_escape(path, 200);
    return dr_fail(err, DR_ERR_CONFLICT, "%s: %s", shown, why);
}

int unpack_payload(const struct unpack *u, struct tar *tar, const struct tar_entry *e,
                   int fd, struct dr_error *err)
{
    int result = tar_payload_write(tar, e, fd, err);
    return result > 0 ? unpack_failed("write", u->path, err) : result;
}

int unpack_dangling(const struct unpack *u, const struct tar_entry *e,
                    struct dr_error *err)
{
    dr_auto_free char *from = dr_escape(u->path, 200), *to = dr_escape(e->link, 200);
    return dr_fail(err, DR_ERR_FORMAT,
                   "the hard link %s points to %s, which is not there", from, to);
}

static int rename_first(const struct tar_unpack *how, char path[PATH_MAX],
                        struct dr_error *err)
{
    if (!how->from)
        return 0;
    size_t n = strlen(how->from);
    if (n > 0 && (strncmp(path, how->from, n) != 0 || (path[n] && path[n] != '/'))) {
        dr_auto_free char *shown = dr_escape(path, 200);
        return dr_fail(err, DR_ERR_FORMAT,
                       "the archive has an entry %s that nobody asked for", shown);
    }
    dr_auto_free char *renamed =
        dr_printf("%s%s%s", how->to, n == 0 && *path ? "/" : "", path + n);
    if (strlen(renamed) >= PATH_MAX)
        return dr_fail(err, DR_ERR_FORMAT, "a path in the archive is too long");
    memcpy(path, renamed, strlen(renamed) + 1);
    return 0;
}

int unpack_name(const struct tar_unpack *how, const char *name, const char *what,
                char ret[PATH_MAX], struct dr_error *err)
{
    size_t len;
    if (tar_name_clean(name, what, ret, &len, err) < 0)
        return -1;
    if (rename_first(how, ret, err) < 0)
        return -1;
    return unpack_check_name(ret, err);
}

static int unpack_entry(struct unpack *u, struct tar *tar, const struct tar_entry *e,
                        struct dr_error *err)
{
    if (unpack_name(u->how, e->name, "name", u->path, err) < 0 ||
        unpack_enter(u, err) < 0)
        return -1;
    if (*u->path)
        return unpack_put(u, tar, e, err);
    /* the base: it is there, and stays what it is */
    return e->type == TAR_DIR ? 0
                              : dr_fail(err, DR_ERR_FORMAT,
                                        "the archive's root is not a directory in it");
}

int tar_unpack(const struct tar_unpack *how, struct tar *tar, struct tar_unpacked *ret,
               struct dr_error *err)
{
    struct unpack *u = unpack_new();
    struct tar_entry entry;
    int result;
    u->how = how;
    while ((result = tar_next(tar, &entry, err)) > 0) {
        if (unpack_entry(u, tar, &entry, err) < 0) {
            result = -1;
            break;
        }
        u->done.entries++;
    }
    struct tar_unpacked done = u->done;
    dr_auto_error struct dr_error late = DR_ERROR_INIT;
    if (unpack_end(u, result < 0 ? &late : err) < 0)
        result = -1;
    if (ret)
        *ret = done;
    return result;
}
