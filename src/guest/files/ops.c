/* SPDX-License-Identifier: Apache-2.0 */
/* The requests about files of a container (PROTOCOL.md, "Containers"). */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/statvfs.h>

#include "base/fs.h"
#include "base/text.h"
#include "base/walk.h"
#include "guest/container/event.h"
#include "guest/container/names.h"
#include "guest/files/changes.h"
#include "guest/files/commit.h"
#include "guest/files/view.h"
#include "tar/pack.h"
#include "tar/unpack.h"

#define CHUNK ((size_t)64 << 10)

static int find(struct guest *guest, const json_t *request, unsigned flags,
                struct container *ret, struct view *ret_view, struct dr_error *err)
{
    if (container_find(guest, dr_json_str(request, "id"), ret, err) < 0)
        return -1;
    return view_open(guest, ret, flags, ret_view, err);
}

/* The request's path, any bytes. */
static int path_of(const json_t *request, char **ret, struct dr_error *err)
{
    const char *path = dr_json_str(request, "path");
    const char *encoded = dr_json_str(request, "path_b64");
    *ret = path ? dr_strdup(path) : encoded ? dr_base64_decode(encoded) : NULL;
    return *ret ? 0 : dr_fail(err, DR_ERR_INVALID, "the request has no path");
}

/* A name that is no UTF-8 goes as base64, under its key with "_b64". */
static void set_name(json_t *json, const char *key, const char *name)
{
    if (dr_json_is_text(name)) {
        dr_json_set_str(json, key, name);
        return;
    }
    dr_auto_free char *encoded = dr_base64(name, strlen(name));
    dr_auto_free char *other = dr_printf("%s_b64", key);
    dr_json_set_str(json, other, encoded);
}

static int64_t to_ns(struct timespec time)
{
    int64_t ns;
    if (__builtin_mul_overflow((int64_t)time.tv_sec, 1000000000, &ns) ||
        __builtin_add_overflow(ns, time.tv_nsec, &ns))
        return time.tv_sec < 0 ? INT64_MIN : INT64_MAX;
    return ns;
}

static int op_stat_path(struct guest *guest, struct wire_chan *chan,
                        const json_t *request, json_t **ret_reply, struct dr_error *err)
{
    container_auto struct container c = {0};
    view_auto struct view view = VIEW_INIT;
    view_auto_place struct view_place place = VIEW_PLACE_INIT;
    dr_auto_free char *path = NULL;
    char target[PATH_MAX];
    if (path_of(request, &path, err) < 0 ||
        find(guest, request, VIEW_MOUNTS, &c, &view, err) < 0 ||
        view_find(&view, path, dr_json_bool(request, "follow"), &place, err) < 0)
        return -1;
    json_t *json = *ret_reply = json_object();
    set_name(json, "name", place.as);
    dr_json_set_int(json, "mode", place.st.st_mode);
    dr_json_set_int(json, "size", place.st.st_size);
    dr_json_set_int(json, "mtime_ns", to_ns(place.st.st_mtim));
    ssize_t n = S_ISLNK(place.st.st_mode)
                    ? readlinkat(place.at, place.name, target, sizeof target - 1)
                    : -1;
    if (n >= 0) {
        target[n] = '\0';
        set_name(json, "link_target", target);
    }
    return 0;
}

/* --- out --- */

static int send(void *arg, const void *data, size_t len, struct dr_error *err)
{
    return wire_write(arg, WIRE_STDOUT, data, len, err);
}

static int send_tar(struct wire_chan *chan, const struct view_place *place,
                    unsigned walk_flags, struct dr_error *err)
{
    struct tar_writer *writer = tar_writer_new(send, chan);
    struct tar_packer *packer = tar_packer_new(writer);
    int result;
    if (S_ISDIR(place->st.st_mode)) {
        dr_auto_fd int dir = openat(place->at, place->name ? place->name : ".",
                                    O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        result = dir < 0 ? dr_fail_errno(err, DR_ERR_NONE, "open the directory")
                         : tar_pack_tree(packer, dir, place->as, walk_flags, err);
    } else {
        result = tar_pack_object(packer, place->at, place->name, place->as, err);
    }
    if (result == 0)
        result = tar_write_end(writer, err);
    tar_packer_free(packer);
    tar_writer_free(writer);
    return result == 0 ? wire_eof(chan, WIRE_STDOUT, err) : -1;
}

static int op_copy_out(struct guest *guest, struct wire_chan *chan, const json_t *request,
                       json_t **ret_reply, struct dr_error *err)
{
    container_auto struct container c = {0};
    view_auto struct view view = VIEW_INIT;
    view_auto_place struct view_place place = VIEW_PLACE_INIT;
    dr_auto_free char *path = NULL;
    if (path_of(request, &path, err) < 0 ||
        find(guest, request, VIEW_MOUNTS, &c, &view, err) < 0 ||
        view_find(&view, path, dr_json_bool(request, "follow"), &place, err) < 0)
        return -1;
    container_event(guest, &c, "archive-path", "path", path);
    if (S_ISSOCK(place.st.st_mode))
        return dr_fail(err, DR_ERR_INVALID,
                       "it is a socket, which has no content to copy");
    return send_tar(chan, &place, 0, err);
}

static int op_export(struct guest *guest, struct wire_chan *chan, const json_t *request,
                     json_t **ret_reply, struct dr_error *err)
{
    container_auto struct container c = {0};
    view_auto struct view view = VIEW_INIT;
    view_auto_place struct view_place place = VIEW_PLACE_INIT;
    if (find(guest, request, 0, &c, &view, err) < 0 ||
        view_find(&view, "/", false, &place, err) < 0)
        return -1;
    container_event(guest, &c, "export", NULL, NULL);
    place.as[0] = '\0'; /* the root itself is no entry, as in Docker's */
    return send_tar(chan, &place, DR_WALK_ONE_FS, err);
}

/* --- in --- */

struct source {
    struct wire_chan *chan;
    uint8_t chunk[CHUNK];
};

static ssize_t receive(void *arg, const uint8_t **ret_data, struct dr_error *err)
{
    struct source *source = arg;
    *ret_data = source->chunk;
    return wire_read(source->chan, WIRE_STDIN, source->chunk, CHUNK, err);
}

/* Is what was found writable at all? Told before anything is written, as Docker does. */
static int check_writable(const struct view *view, const struct view_place *place,
                          const char *path, struct dr_error *err)
{
    struct statvfs fs;
    struct stat root;
    dr_auto_free char *shown = dr_escape(path, 200);
    if (!S_ISDIR(place->st.st_mode))
        return dr_fail(err, DR_ERR_INVALID, "%s is not a directory in the container",
                       shown);
    dr_auto_fd int dir = openat(place->at, place->name ? place->name : ".",
                                O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (dir < 0 || fstatvfs(dir, &fs) < 0 || fstat(view->root, &root) < 0)
        return dr_fail_errno(err, DR_ERR_INTERNAL, "%s", shown);
    if (!(fs.f_flag & ST_RDONLY))
        return 0;
    if (place->st.st_dev == root.st_dev)
        return dr_fail(err, DR_ERR_CONFLICT, "the container's root is read-only");
    return dr_fail(err, DR_ERR_CONFLICT, "%s is on a read-only mount", shown);
}

static int unpack(const struct view *view, const char *path, bool owners,
                  struct source *source, struct tar_unpacked *ret, struct dr_error *err)
{
    const struct tar_unpack how = {.root = view->root,
                                   .base = path,
                                   .follow = true,
                                   .owners = owners,
                                   .chown = !owners,
                                   .xattrs = true,
                                   .devices = true};
    struct tar *tar = tar_new(receive, source);
    int result = tar_unpack(&how, tar, ret, err);
    const uint8_t *data;
    /* what is behind the end is nobody's */
    ssize_t n = result == 0 ? 1 : 0;
    while (n > 0)
        n = receive(source, &data, err);
    tar_free(tar);
    return n < 0 ? -1 : result;
}

static int op_copy_in(struct guest *guest, struct wire_chan *chan, const json_t *request,
                      json_t **ret_reply, struct dr_error *err)
{
    container_auto struct container c = {0};
    view_auto struct view view = VIEW_INIT;
    view_auto_place struct view_place place = VIEW_PLACE_INIT;
    struct tar_unpacked done = {0};
    dr_auto_free char *path = NULL;
    if (path_of(request, &path, err) < 0 ||
        find(guest, request, VIEW_MOUNTS | VIEW_WRITE, &c, &view, err) < 0 ||
        view_find(&view, path, true, &place, err) < 0 ||
        check_writable(&view, &place, path, err) < 0)
        return -1;
    container_event(guest, &c, "extract-to-dir", "path", path);
    struct source *source = dr_alloc(sizeof *source);
    source->chan = chan;
    int result = unpack(&view, path, dr_json_bool(request, "owners"), source, &done, err);
    free(source);
    if (result < 0)
        return done.entries > 0 ? dr_wrap(err, "%lld entries were copied, then",
                                          (long long)done.entries)
                                : -1;
    *ret_reply = json_object();
    dr_json_set_int(*ret_reply, "entries", done.entries);
    return 0;
}

/* --- changes --- */

struct records {
    struct wire_chan *chan;
    struct dr_buf buf;
};

static int add_record(void *arg, const struct change *change, struct dr_error *err)
{
    struct records *records = arg;
    char head[2] = {(char)change->kind, '/'};
    if (wire_cancelled(records->chan))
        return dr_fail(err, DR_ERR_CANCELLED, "given up");
    if (records->buf.len + strlen(change->path) + 3 > CHUNK) {
        if (wire_write(records->chan, WIRE_STDOUT, records->buf.data, records->buf.len,
                       err) < 0)
            return -1;
        dr_buf_reset(&records->buf);
    }
    return dr_buf_add(&records->buf, head, sizeof head, err) < 0
               ? -1
               : dr_buf_add(&records->buf, change->path, strlen(change->path) + 1, err);
}

static int op_diff(struct guest *guest, struct wire_chan *chan, const json_t *request,
                   json_t **ret_reply, struct dr_error *err)
{
    container_auto struct container c = {0};
    view_auto struct view image = VIEW_INIT;
    if (find(guest, request, VIEW_IMAGE_ONLY, &c, &image, err) < 0)
        return -1;
    dr_auto_free char *path = dr_path_join(c.dir, "upper");
    dr_auto_fd int upper = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (upper < 0)
        return dr_fail_errno(err, DR_ERR_INTERNAL, "open %s", path);
    struct records records = {.chan = chan,
                              .buf = DR_BUF_INIT(CHUNK + DR_WALK_PATH_MAX + 3)};
    int result = changes_each(upper, image.root, false, add_record, &records, err);
    if (result == 0 && records.buf.len > 0)
        result = wire_write(chan, WIRE_STDOUT, records.buf.data, records.buf.len, err);
    dr_buf_release(&records.buf);
    return result == 0 ? wire_eof(chan, WIRE_STDOUT, err) : -1;
}

static int op_commit(struct guest *guest, struct wire_chan *chan, const json_t *request,
                     json_t **ret_reply, struct dr_error *err)
{
    container_auto struct container c = {0};
    dr_auto_strv char **changes = dr_json_strv(dr_json_array(request, "changes"));
    dr_auto_free char *id = NULL;
    struct commit_options options = {
        .ref = dr_json_str(request, "ref"),
        .familiar = dr_json_str(request, "familiar"),
        .author = dr_json_str(request, "author"),
        .message = dr_json_str(request, "message"),
        .changes = (const char *const *)changes,
        .pause = !json_is_false(json_object_get(request, "pause"))};
    if (container_find(guest, dr_json_str(request, "id"), &c, err) < 0 ||
        container_commit(guest, &c, &options, chan, &id, err) < 0)
        return -1;
    container_event(guest, &c, "commit", "imageID", id);
    *ret_reply = json_object();
    dr_json_set_str(*ret_reply, "id", id);
    return 0;
}

const struct guest_op guest_files_ops[] = {
    {"container.stat_path", op_stat_path},
    {"container.copy_out", op_copy_out},
    {"container.copy_in", op_copy_in},
    {"container.export", op_export},
    {"container.diff", op_diff},
    {"container.commit", op_commit},
    {NULL, NULL},
};
