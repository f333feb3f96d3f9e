/* SPDX-License-Identifier: Apache-2.0 */
/* Configs and secrets: files that are in a container before it starts. */
#include "host/deploy-run.h"
#include "host/stream.h"
#include "tar/writer.h"

struct sink {
    struct dray_stream *stream;
    const struct limits *limits;
};

static int send(void *arg, const void *data, size_t len, struct dr_error *err)
{
    struct sink *sink = arg;
    return stream_write(sink->stream, data, len, sink->limits, err);
}

static int write_file(struct tar_writer *w, const struct deploy_file *f,
                      struct dr_error *err)
{
    struct tar_entry entry = {.type = TAR_FILE,
                              .name = f->target + 1, /* below "/" */
                              .link = "",
                              .mode = (mode_t)(f->mode     ? f->mode
                                               : f->secret ? 0400
                                                           : 0444),
                              .uid = (uid_t)f->uid,
                              .gid = (gid_t)f->gid,
                              .size = (int64_t)f->len};
    if (tar_write_entry(w, &entry, err) < 0)
        return -1;
    return f->len ? tar_write_data(w, f->data, f->len, err) : 0;
}

static int write_all(struct tar_writer *w, const struct deploy_service *service,
                     struct dr_error *err)
{
    for (size_t i = 0; i < service->file_count; i++)
        if (write_file(w, &service->files[i], err) < 0)
            return dr_wrap(err, "%s", service->files[i].target);
    return tar_write_end(w, err);
}

int deploy_put_files(struct dray_target *target, const char *container,
                     const struct deploy_service *service, const struct limits *limits,
                     struct dr_error *err)
{
    json_t *request = request_for("container.copy_in", container);
    request_set_path(request, "/");
    dr_json_set_bool(request, "owners", true);
    struct sink sink = {NULL, limits};
    struct dray_call call = {-1, limits->cancel};
    struct stream_open how = {.kind = STREAM_BYTES, .stdin_open = true};
    if (stream_open(target, request, &how, &call, &sink.stream, err) < 0)
        return -1;
    struct tar_writer *w = tar_writer_new(send, &sink);
    struct dray_event event;
    dr_auto_error struct dr_error failed = DR_ERROR_INIT;
    int rc = write_all(w, service, &failed);
    tar_writer_free(w);
    if (rc == 0)
        rc = stream_close_stdin(sink.stream, &failed);
    int more = 1;
    while (more > 0) /* what it says is better than that it did not listen */
        more = stream_next(sink.stream, limits, &event, err);
    dray_stream_free(sink.stream);
    if (more < 0)
        return dr_wrap(err, "files");
    return rc < 0 ? dr_error_move(err, &failed) : 0;
}
