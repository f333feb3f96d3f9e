/* SPDX-License-Identifier: Apache-2.0 */
/* `docker cp`, both ways. What comes from a container is hostile (dray_copy_from). */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "base/text.h"
#include "host/copy-plan.h"
#include "host/files.h"
#include "host/stream.h"
#include "tar/pack.h"
#include "tar/unpack.h"

#define LINKS_MAX 10 /* as Docker follows them to a destination in a container */

struct copy {
    struct dray_target *target;
    const char *container;
    struct dray_copy_options options;
    struct limits limits;
    struct dray_stream *stream;
};

static int begin(struct copy *copy, const struct dray_copy_options *options,
                 const struct dray_call *call, struct dr_error *err)
{
    copy->limits = limits_of(call, NO_TIMEOUT);
    return API_COPY(&copy->options, options, err);
}

static int open_stream(struct copy *copy, const char *op, const char *path,
                       bool to_container, struct dr_error *err)
{
    json_t *request = request_for(op, copy->container);
    struct stream_open how = {.kind = STREAM_BYTES, .stdin_open = to_container};
    request_set_path(request, path);
    dr_json_set_bool(request, "follow", copy->options.follow);
    dr_json_set_bool(request, "owners", copy->options.owners);
    struct dray_call call = {.timeout_ms = -1, .cancel = copy->limits.cancel};
    if (copy->limits.deadline_ms) {
        int64_t left = copy->limits.deadline_ms - dr_clock_ms();
        call.timeout_ms = left > 0 ? left : 1;
    }
    return stream_open(copy->target, request, &how, &call, &copy->stream, err);
}

/* What the other side has to say at the end. */
static int finish(struct copy *copy, struct dr_error *err)
{
    struct dray_event event;
    int rc;
    while ((rc = stream_next(copy->stream, &copy->limits, &event, err)) > 0)
        ;
    return rc;
}

static int local_failed(const char *path, struct dr_error *err)
{
    int number = errno;
    dr_auto_free char *shown = dr_escape(path, 200);
    errno = number;
    return dr_fail_errno(err, DR_ERR_NONE, "%s", shown);
}

/* Takes it; owned. On Windows paths of this machine have two kinds of slash, and what
 * plans a copy (copy-plan.h) knows the one that containers have too. */
static char *with_slashes(char *path)
{
#ifdef _WIN32
    for (char *c = path; path && *c; c++)
        if (*c == '\\')
            *c = '/';
#endif
    return path;
}

/* --- from a container --- */

static ssize_t receive(void *arg, const uint8_t **ret_data, struct dr_error *err)
{
    struct copy *copy = arg;
    struct dray_event event;
    for (;;) {
        int rc = stream_next(copy->stream, &copy->limits, &event, err);
        if (rc <= 0)
            return rc;
        if (event.type == DRAY_EVENT_OUTPUT && event.len > 0) {
            *ret_data = (const uint8_t *)event.data;
            return (ssize_t)event.len;
        }
    }
}

/* Links are followed: the person who copies has made them. *ret_path: where it really is,
 * owned. */
static int local_dest(const char *path, enum copy_dest *ret, char **ret_path,
                      struct dr_error *err)
{
    struct stat st;
    if (stat(path, &st) < 0) {
        if (errno != ENOENT || lstat(path, &st) == 0)
            return local_failed(path, err);
        *ret = COPY_DEST_MISSING;
        *ret_path = dr_strdup(path);
        return 0;
    }
    if (!S_ISDIR(st.st_mode) && !S_ISREG(st.st_mode)) {
        dr_auto_free char *shown = dr_escape(path, 200);
        return dr_fail(err, DR_ERR_INVALID,
                       "%s is neither a directory nor a regular file", shown);
    }
    *ret = S_ISDIR(st.st_mode) ? COPY_DEST_DIR : COPY_DEST_FILE;
    *ret_path = with_slashes(realpath(path, NULL));
    return *ret_path ? 0 : local_failed(path, err);
}

static int unpack_here(struct copy *copy, const char *source_name,
                       const struct copy_plan *plan, int64_t *ret_skipped,
                       struct dr_error *err)
{
    struct tar_unpacked done = {0};
    dr_auto_fd int dir = open(plan->dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (dir < 0)
        return local_failed(plan->dir, err);
    struct tar_unpack how = {.root = dir, .owners = copy->options.owners};
    /* what the archive calls it; everything else in it is refused */
    if (source_name) {
        how.from = source_name;
        how.to = plan->name;
    } else if (plan->name) {
        how.from = "";
        how.to = plan->name;
    }
    struct tar *tar = tar_new(receive, copy);
    int rc = tar_unpack(&how, tar, &done, err);
    tar_free(tar);
    if (rc == 0)
        rc = finish(copy, err);
    if (rc == 0 && ret_skipped)
        *ret_skipped = done.skipped;
    return rc;
}

static int copy_from(struct copy *copy, const char *path, const char *local,
                     int64_t *ret_skipped, struct dr_error *err)
{
    copy_auto_plan struct copy_plan plan = COPY_PLAN_INIT;
    struct dray_path_stat source;
    dr_auto_free char *dest = NULL, *name = copy_name(path);
    enum copy_dest dest_is = COPY_DEST_MISSING;
    if (files_stat_path(copy->target, copy->container, path, copy->options.follow,
                        &copy->limits, &source, err) < 0)
        return -1;
    bool is_dir = S_ISDIR(source.mode);
    dray_path_stat_release(&source);
    if (local_dest(local, &dest_is, &dest, err) < 0 ||
        copy_plan_make(name, is_dir, dest, dest_is, &plan, err) < 0 ||
        open_stream(copy, "container.copy_out", path, false, err) < 0)
        return -1;
    int rc = unpack_here(copy, name, &plan, ret_skipped, err);
    dray_stream_free(copy->stream);
    return rc;
}

int dray_copy_from(struct dray_target *target, const char *container, const char *path,
                   const char *local_path, const struct dray_copy_options *options,
                   const struct dray_call *call, int64_t *ret_skipped,
                   struct dray_error **ret_err)
{
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    struct copy copy = {.target = target, .container = container};
    int rc = begin(&copy, options, call, &err);
    if (rc == 0 && (!path || !*path || !local_path || !*local_path))
        rc = dr_fail(&err, DR_ERR_INVALID, "a path is empty");
    dr_auto_free char *local = rc == 0 ? with_slashes(dr_strdup(local_path)) : NULL;
    if (rc == 0)
        rc = copy_from(&copy, path, local, ret_skipped, &err);
    return api_end(rc, &err, ret_err);
}

/* --- to a container --- */

static int give(void *arg, const void *data, size_t len, struct dr_error *err)
{
    struct copy *copy = arg;
    return stream_write(copy->stream, data, len, &copy->limits, err);
}

/* A link there is followed to what it means, as Docker does; what it leads to is named by
 * *ret_path, owned. */
static int remote_dest(struct copy *copy, const char *path, enum copy_dest *ret,
                       char **ret_path, struct dr_error *err)
{
    dr_auto_free char *at = dr_strdup(path);
    for (int links = 0; links <= LINKS_MAX; links++) {
        struct dray_path_stat st;
        if (files_stat_path(copy->target, copy->container, at, false, &copy->limits, &st,
                            err) < 0) {
            if (err->kind != DR_ERR_NOT_FOUND || err->code != ENOENT)
                return -1; /* there is no such container, say */
            dr_error_release(err);
            *ret = COPY_DEST_MISSING;
            *ret_path = DR_TAKE(at);
            return 0;
        }
        if (S_ISLNK(st.mode) && st.link_target) {
            const char *slash = strrchr(at, '/');
            char *next =
                *st.link_target == '/' || !slash
                    ? dr_strdup(st.link_target)
                    : dr_printf("%.*s/%s", (int)(slash - at), at, st.link_target);
            free(at);
            at = next;
            dray_path_stat_release(&st);
            continue;
        }
        bool dir = S_ISDIR(st.mode), file = S_ISREG(st.mode);
        dray_path_stat_release(&st);
        if (!dir && !file) {
            dr_auto_free char *shown = dr_escape(at, 200);
            return dr_fail(
                err, DR_ERR_INVALID,
                "%s in the container is neither a directory nor a regular file", shown);
        }
        *ret = dir ? COPY_DEST_DIR : COPY_DEST_FILE;
        *ret_path = DR_TAKE(at);
        return 0;
    }
    dr_auto_free char *shown = dr_escape(path, 200);
    return dr_fail(err, DR_ERR_INVALID, "%s: too many symbolic links", shown);
}

/* fd: O_PATH on the source. */
static int pack_there(struct copy *copy, int fd, bool is_dir,
                      const struct copy_plan *plan, struct dr_error *err)
{
    struct tar_writer *writer = tar_writer_new(give, copy);
    struct tar_packer *packer = tar_packer_new(writer);
    int rc;
    if (is_dir) {
        dr_auto_fd int dir = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        rc = dir < 0 ? dr_fail_errno(err, DR_ERR_NONE, "open the directory")
                     : tar_pack_tree(packer, dir, plan->name ? plan->name : "", 0, err);
    } else {
        rc = tar_pack_object(packer, fd, NULL, plan->name, err);
    }
    if (rc == 0)
        rc = tar_write_end(writer, err);
    tar_packer_free(packer);
    tar_writer_free(writer);
    if (rc == 0)
        rc = stream_close_stdin(copy->stream, err);
    if (rc < 0 && err->code != EPIPE)
        return -1;
    /* when nobody reads any more over there, it has said why */
    dr_error_release(err);
    if (finish(copy, err) < 0)
        return -1;
    return rc == 0 ? 0
                   : dr_fail_at(err, DR_AT_GUEST, DR_ERR_INTERNAL, EPIPE,
                                "the copy ended before its end");
}

/* "dir/.." and ".." are named by what they are. */
static int local_name(const char *path, char **ret, struct dr_error *err)
{
    dr_auto_free char *name = copy_name(path);
    if (name && strcmp(name, "..") == 0) {
        dr_auto_free char *real = with_slashes(realpath(path, NULL));
        if (!real)
            return local_failed(path, err);
        free(name);
        name = copy_name(real);
    }
    *ret = DR_TAKE(name);
    return 0;
}

static int copy_to(struct copy *copy, const char *local, const char *path,
                   struct dr_error *err)
{
    copy_auto_plan struct copy_plan plan = COPY_PLAN_INIT;
    dr_auto_free char *dest = NULL, *name = NULL;
    enum copy_dest dest_is = COPY_DEST_MISSING;
    struct stat st;
    int follow = copy->options.follow ? 0 : O_NOFOLLOW;
    dr_auto_fd int fd = open(local, O_PATH | O_CLOEXEC | follow);
    if (fd < 0 || fstat(fd, &st) < 0 || local_name(local, &name, err) < 0)
        return err->kind == DR_ERR_NONE ? local_failed(local, err) : -1;
    if (S_ISSOCK(st.st_mode))
        return dr_fail(err, DR_ERR_INVALID, "a socket has no content to copy");
    bool is_dir = S_ISDIR(st.st_mode);
    if (remote_dest(copy, path, &dest_is, &dest, err) < 0 ||
        copy_plan_make(name, is_dir, dest, dest_is, &plan, err) < 0 ||
        open_stream(copy, "container.copy_in", plan.dir, true, err) < 0)
        return -1;
    int rc = pack_there(copy, fd, is_dir, &plan, err);
    dray_stream_free(copy->stream);
    return rc;
}

int dray_copy_to(struct dray_target *target, const char *local_path,
                 const char *container, const char *path,
                 const struct dray_copy_options *options, const struct dray_call *call,
                 struct dray_error **ret_err)
{
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    struct copy copy = {.target = target, .container = container};
    int rc = begin(&copy, options, call, &err);
    if (rc == 0 && (!path || !*path || !local_path || !*local_path))
        rc = dr_fail(&err, DR_ERR_INVALID, "a path is empty");
    dr_auto_free char *local = rc == 0 ? with_slashes(dr_strdup(local_path)) : NULL;
    if (rc == 0)
        rc = copy_to(&copy, local, path, &err);
    return api_end(rc, &err, ret_err);
}
