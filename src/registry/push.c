/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/push.h"

#include <string.h>

#include "base/text.h"
#include "registry/internal.h"
#include "registry/status.h"
#include "registry/upload.h"

#define POLL_MS 100
#define WAIT_POLL_MS 20
#define LOOK_PARALLEL 8 /* small questions */

void registry_blob_release(struct registry_blob *blob)
{
    free(blob->session);
    *blob = (struct registry_blob){0};
}

int registry_push_open(const struct oci_ref *ref, const struct registry_options *options,
                       char *const *mounts, struct registry **ret_registry,
                       struct dr_error *err)
{
    struct registry *reg;
    struct registry_options direct = *options;
    direct.direct = true; /* mirrors are read from */
    if (registry_open(ref, &direct, &reg, err) < 0)
        return -1;
    reg->pushing = true;
    reg->scope = dr_printf("repository:%s:pull,push", ref->path);
    for (; mounts && *mounts; mounts++) {
        char *more = dr_printf("%s repository:%s:pull", reg->scope, *mounts);
        free(reg->scope);
        reg->scope = more;
    }
    *ret_registry = reg;
    return 0;
}

struct batch {
    struct registry *reg;
    struct upload *uploads;
    size_t n, active, over, room;
};

static bool is_over(const struct upload *u)
{
    return u->phase == UPLOAD_FOUND || u->phase == UPLOAD_DONE;
}

/* *ret_waiting: somebody waits for a time rather than for bytes. */
static int step_all(struct batch *batch, bool *ret_waiting, struct dr_error *err)
{
    *ret_waiting = false;
    for (size_t i = 0; i < batch->n; i++) {
        struct upload *u = &batch->uploads[i];
        if (is_over(u))
            continue;
        int rc = 0;
        if (u->phase != UPLOAD_QUEUED) {
            rc = upload_step(u, err);
        } else if (batch->active < batch->room) {
            batch->active++;
            rc = upload_begin(u, err);
        }
        if (rc < 0)
            return dr_wrap(err, "blob %.19s", u->blob->descriptor->digest.text);
        if (is_over(u)) {
            batch->active--;
            batch->over++;
        }
        *ret_waiting = *ret_waiting || u->not_before_ms > 0;
    }
    return 0;
}

/* looking: only whether they are there; else those that are not are sent. */
static int run(struct registry *reg, struct registry_blob *blobs, size_t n, bool looking,
               struct dr_error *err)
{
    struct batch batch = {
        .reg = reg, .room = looking ? LOOK_PARALLEL : (size_t)reg->options.max_parallel};
    batch.uploads = dr_alloc((n + 1) * sizeof *batch.uploads);
    for (size_t i = 0; i < n; i++)
        if (!blobs[i].present)
            batch.uploads[batch.n++] = (struct upload){.reg = reg,
                                                       .blob = &blobs[i],
                                                       .index = i,
                                                       .looking = looking,
                                                       .told_ms = INT64_MIN / 2};
    int rc = 0;
    while (rc == 0 && batch.over < batch.n) {
        bool waiting;
        size_t before = batch.over;
        rc = step_all(&batch, &waiting, err);
        /* who ended makes room: that is not waited for */
        int wait_ms = batch.over > before ? 0 : waiting ? WAIT_POLL_MS : POLL_MS;
        if (rc == 0 && batch.over < batch.n)
            rc = http_pump(reg->http, wait_ms, err);
    }
    for (size_t i = 0; i < batch.n; i++)
        upload_release(&batch.uploads[i]);
    free(batch.uploads);
    return rc;
}

static int locked(struct registry *reg, struct registry_blob *blobs, size_t n,
                  bool looking, struct dr_error *err)
{
    pthread_mutex_lock(&reg->lock);
    int rc = run(reg, blobs, n, looking, err);
    pthread_mutex_unlock(&reg->lock);
    if (rc < 0 && err->kind == DR_ERR_NOT_FOUND)
        err->kind = DR_ERR_PULL; /* it is not the image that is missing */
    return rc < 0 ? dr_wrap(err, "%s", reg->familiar) : 0;
}

int registry_push_look(struct registry *reg, struct registry_blob *blobs, size_t n,
                       struct dr_error *err)
{
    return locked(reg, blobs, n, true, err);
}

int registry_push_send(struct registry *reg, struct registry_blob *blobs, size_t n,
                       struct dr_error *err)
{
    return locked(reg, blobs, n, false, err);
}

int registry_push_manifest(struct registry *reg, const char *target,
                           const char *media_type, const void *data, size_t len,
                           struct dr_error *err)
{
    dr_auto_free char *path = dr_printf("/v2/%s/manifests/%s", reg->ref.path, target);
    DR_CLEANUP(exchange_release)
    struct exchange x = {.reg = reg,
                         .path = path,
                         .method = "PUT",
                         .content_type = media_type,
                         .body = data,
                         .body_len = len,
                         .body_max = HTTP_ERROR_BODY_MAX};
    pthread_mutex_lock(&reg->lock);
    int rc = exchange_run(&x, err);
    pthread_mutex_unlock(&reg->lock);
    struct oci_digest said, is;
    dr_auto_error struct dr_error odd = DR_ERROR_INIT;
    const char *header = x.call.docker_digest;
    oci_digest_of(data, len, &is);
    if (rc == 0 && header && oci_digest_parse(header, strlen(header), &said, &odd) == 0 &&
        !oci_digest_equal(&said, &is))
        rc = dr_fail_at(err, DR_AT_REGISTRY, DR_ERR_PULL, x.call.status,
                        "the registry keeps another manifest (%s) than it was sent (%s)",
                        said.text, is.text);
    if (rc < 0 && err->kind == DR_ERR_NOT_FOUND)
        err->kind = DR_ERR_PULL;
    return rc < 0 ? dr_wrap(err, "%s", reg->familiar) : 0;
}
