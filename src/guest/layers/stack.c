/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Layers on each other. Each was unpacked alone, so two things only show here:
 *
 * Directories that a layer used and did not bring ("implied", notes.h) were made up. In
 * an overlay mount the topmost directory gives owner, mode, times and xattrs, so a
 * made-up 0755 would override the 1777 of the /tmp below it. For those an extra directory
 * lies on top of the stack, which holds nothing but them, with the metadata of the
 * nearest layer that really brings them.
 *
 * Where a layer below has a symlink in the place of an implied directory, the made-up one
 * would hide it: stack-cover.c.
 *
 * Both are made once per stack and kept. The extra directory is named "<hex of the top
 * layer>-<hash of all layers>"; its meta file lists what has to be mounted.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>

#include "base/fs.h"
#include "base/json.h"
#include "guest/layers/late.h"
#include "guest/layers/stack-private.h"
#include "tar/names.h"

/* ---- symlinks under made-up directories ---- */

static int cover_symlinks(struct stack *s, struct dr_error *err)
{
    for (size_t i = s->bottom + 1; i < s->n; i++)
        for (size_t j = 0; j < s->members[i].n_implied; j++) {
            struct stack_found found;
            const char *path = s->members[i].implied[j];
            /* a cover becomes members[i + 1], and is looked at in its turn */
            if (stack_look(s, i, path, false, &found, err) < 0)
                return -1;
            dr_cleanup_fd(&found.fd);
            if (found.what == STACK_OTHER && stack_cover(s, i, path, err) < 0)
                return -1;
        }
    return 0;
}

/* ---- the extra directory ---- */

int stack_copy_xattrs(int from, int to)
{
    dr_auto_free char *names = dr_alloc(65536), *value = dr_alloc(65536);
    ssize_t len = flistxattr(from, names, 65536);
    if (len < 0)
        return errno == ENOTSUP ? 0 : -1;
    for (char *name = names; name < names + len; name += strlen(name) + 1) {
        if (!tar_xattr_portable(name))
            continue;
        ssize_t n = fgetxattr(from, name, value, 65536);
        if (n < 0 || fsetxattr(to, name, value, (size_t)n, 0) < 0)
            return -1;
    }
    return 0;
}

/* Makes path in the extra directory, like the one that the stack really has there. */
static int copy_dir(struct stack *s, int extra, const char *path, struct late *late,
                    struct dr_error *err)
{
    struct stack_found source;
    struct stat st;
    if (mkdirat(extra, path, 0700) < 0)
        return errno == EEXIST ? 0
                               : dr_fail_errno(err, DR_ERR_INTERNAL, "mkdir %s", path);
    if (stack_look(s, s->n, path, true, &source, err) < 0)
        return -1;
    dr_auto_fd int from = source.fd;
    if (source.what != STACK_DIR)
        return dr_fail(err, DR_ERR_INTERNAL, "%s is nowhere a directory", path);
    dr_auto_fd int to =
        openat(extra, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (to < 0 || fstat(from, &st) < 0 || fchown(to, st.st_uid, st.st_gid) < 0 ||
        stack_copy_xattrs(from, to) < 0)
        return dr_fail_errno(err, DR_ERR_INTERNAL, "copy the metadata of %s", path);
    return late_add_dir(late, path, true, st.st_mode & 07777,
                        (struct timespec[2]){st.st_atim, st.st_mtim}, err);
}

/* Does the topmost directory at path carry made-up metadata while another brings it? */
static int needs_copy(struct stack *s, const char *path, bool *ret, struct dr_error *err)
{
    struct stack_found top, real;
    *ret = false;
    if (stack_look(s, s->n, path, false, &top, err) < 0)
        return -1;
    dr_cleanup_fd(&top.fd);
    if (top.what != STACK_DIR || !stack_is_implied(&s->members[top.member], path))
        return 0;
    if (stack_look(s, s->n, path, true, &real, err) < 0)
        return -1;
    dr_cleanup_fd(&real.fd);
    *ret = real.what == STACK_DIR && real.member != top.member;
    return 0;
}

/* path and its parents. *extra is opened with the first. */
static int copy_path(struct stack *s, int work, int *extra, const char *path,
                     struct late *late, struct dr_error *err)
{
    char copy[PATH_MAX];
    snprintf(copy, sizeof copy, "%s", path);
    if (*extra < 0 &&
        (mkdirat(work, "fs", 0755) < 0 ||
         (*extra = openat(work, "fs", O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0))
        return dr_fail_errno(err, DR_ERR_INTERNAL, "mkdir fs");
    for (char *slash = copy; (slash = strchr(slash, '/')); slash++) {
        *slash = '\0';
        if (copy_dir(s, *extra, copy, late, err) < 0)
            return -1;
        *slash = '/';
    }
    return copy_dir(s, *extra, copy, late, err);
}

static int fill_extra(struct stack *s, int work, bool *ret_filled, struct dr_error *err)
{
    struct late *late;
    dr_auto_fd int extra = -1;
    int result = 0;
    if (late_new(work, &late, err) < 0)
        return -1;
    for (size_t i = s->bottom + 1; result == 0 && i < s->n; i++)
        for (size_t j = 0; result == 0 && j < s->members[i].n_implied; j++) {
            const char *path = s->members[i].implied[j];
            bool needed;
            result = needs_copy(s, path, &needed, err);
            if (result == 0 && needed)
                result = copy_path(s, work, &extra, path, late, err);
        }
    if (result == 0 && extra >= 0)
        result = late_apply(late, extra, NULL, NULL, err);
    late_free(late);
    *ret_filled = extra >= 0;
    return result;
}

/* What has to be mounted, topmost first, as the meta file keeps it. */
static json_t *list_of(const struct stack *s, const char *extra)
{
    json_t *names = json_array();
    if (extra)
        json_array_append_new(names, json_string(extra));
    for (size_t i = s->n; i-- > s->bottom;)
        json_array_append_new(names, json_string(s->members[i].name));
    return names;
}

static int make_extra(struct stack *s, const char *name, struct dr_error *err)
{
    struct layer_work work;
    bool filled = false;
    const uint64_t mark = layer_sync_mark(s->store);
    if (cover_symlinks(s, err) < 0 || layer_work_begin(s->store, &work, err) < 0)
        return -1;
    int result = fill_extra(s, work.fd, &filled, err);
    dr_auto_json json_t *meta = json_object();
    dr_json_set_int(meta, "version", LAYER_META_VERSION);
    dr_json_set(meta, "stack", list_of(s, filled ? name : NULL));
    dr_auto_free char *text = dr_json_text(meta);
    if (result == 0)
        result = dr_file_write(work.fd, "meta", text, strlen(text), 0600, 0, err);
    if (result == 0)
        result = layer_work_commit(s->store, &work, name, mark, err);
    layer_work_end(s->store, &work);
    return result;
}

enum { EXTRA_ABSENT, EXTRA_STALE, EXTRA_READ };

/* EXTRA_READ gives the names; EXTRA_STALE: something that it lists is gone. */
static int read_extra(struct stack *s, const char *name, char ***ret,
                      struct dr_error *err)
{
    dr_auto_free char *path = dr_printf("%s/meta", name);
    dr_auto_buf struct dr_buf text = DR_BUF_INIT(1 << 20);
    dr_auto_error struct dr_error why = DR_ERROR_INIT;
    if (dr_file_read(s->store->layers, path, &text, &why) < 0)
        return why.kind == DR_ERR_NOT_FOUND ? EXTRA_ABSENT : dr_error_move(err, &why);
    dr_auto_json json_t *meta = dr_json_parse(text.data, text.len, text.max, err);
    if (!meta)
        return dr_wrap(err, "%s", path);
    if (dr_json_int(meta, "version", 0) != LAYER_META_VERSION)
        return dr_fail(err, DR_ERR_UNSUPPORTED, "%s was made by another version of dray",
                       path);
    dr_auto_strv char **names = dr_json_strv(dr_json_array(meta, "stack"));
    for (size_t i = 0; names[i]; i++)
        if (!layer_committed(s->store, names[i]))
            return EXTRA_STALE;
    *ret = DR_TAKE(names);
    return EXTRA_READ;
}

/* "<hex of the top layer>-<16 digits of the hash of all>" */
static char *extra_name(const struct stack *s)
{
    struct dr_sha256 hash;
    char hex[DR_SHA256_HEX + 1];
    dr_sha256_init(&hash);
    for (size_t i = 0; i < s->n; i++)
        dr_sha256_add(&hash, s->members[i].name, strlen(s->members[i].name) + 1);
    dr_sha256_hex(&hash, hex);
    return dr_printf("%s-%.16s", s->members[s->n - 1].name, hex);
}

/* The names of what has to be mounted, topmost first. */
static int names_of(struct stack *s, char ***ret, struct dr_error *err)
{
    bool any = false;
    for (size_t i = s->bottom + 1; i < s->n; i++)
        any = any || s->members[i].n_implied > 0;
    if (!any) {
        dr_auto_json json_t *list = list_of(s, NULL);
        *ret = dr_json_strv(list);
        return 0;
    }
    dr_auto_free char *name = extra_name(s);
    int known = read_extra(s, name, ret, err);
    if (known < 0 || known == EXTRA_READ)
        return known < 0 ? -1 : 0;
    if (known == EXTRA_STALE && layer_discard(s->store, name, err) < 0)
        return -1;
    if (make_extra(s, name, err) < 0)
        return -1;
    known = read_extra(s, name, ret, err);
    if (known >= 0 && known != EXTRA_READ)
        return dr_fail(err, DR_ERR_INTERNAL, "layers/%s vanished", name);
    return known < 0 ? -1 : 0;
}

static int root_of(struct stack *s, struct layer_stack *ret, struct dr_error *err)
{
    size_t i = s->n;
    ret->root_mode = 0755;
    while (i > 0 && !s->members[i - 1].brings_root)
        i--;
    if (i == 0)
        return 0;
    struct stat st;
    int fs = stack_member_fs(s, i - 1, err);
    if (fs < 0)
        return -1;
    if (fstat(fs, &st) < 0)
        return dr_fail_errno(err, DR_ERR_INTERNAL, "stat the root of a layer");
    ret->root_mode = st.st_mode & 07777;
    ret->root_uid = st.st_uid;
    ret->root_gid = st.st_gid;
    if (__builtin_mul_overflow((int64_t)st.st_mtim.tv_sec, 1000000000LL,
                               &ret->root_mtime_ns) ||
        __builtin_add_overflow(ret->root_mtime_ns, st.st_mtim.tv_nsec,
                               &ret->root_mtime_ns))
        ret->root_mtime_ns = st.st_mtim.tv_sec < 0 ? INT64_MIN : INT64_MAX;
    return 0;
}

static int run(struct stack *s, const struct oci_digest *diff_ids, size_t n,
               struct layer_stack *ret, struct dr_error *err)
{
    for (size_t i = 0; i < n; i++) {
        if (!layer_store_has(s->store, &diff_ids[i]))
            return dr_fail(err, DR_ERR_NOT_FOUND, "layer %s is not here",
                           diff_ids[i].text);
        if (stack_insert(s, i, oci_digest_hex(&diff_ids[i]), &diff_ids[i], err) < 0)
            return -1;
        if (s->members[i].root_opaque)
            s->bottom = i;
    }
    if (root_of(s, ret, err) < 0)
        return -1;
    dr_auto_strv char **names = NULL;
    if (n > 0 && names_of(s, &names, err) < 0)
        return -1;
    ret->lowers = dr_alloc((dr_strv_len(names) + 1) * sizeof *ret->lowers);
    for (size_t i = 0; names && names[i]; i++)
        ret->lowers[i] = dr_printf("%s/layers/%s/fs", s->store->root, names[i]);
    return 0;
}

int layer_store_stack(struct layer_store *store, const struct oci_digest *diff_ids,
                      size_t n, struct layer_stack *ret, struct dr_error *err)
{
    struct layer_stack out = {0};
    struct stack s = {.store = store};
    int result = run(&s, diff_ids, n, &out, err);
    stack_release(&s);
    if (result == 0)
        *ret = out;
    return result;
}

void layer_stack_release(struct layer_stack *stack)
{
    dr_strv_free(stack->lowers);
    stack->lowers = NULL;
}
