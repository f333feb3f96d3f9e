/* SPDX-License-Identifier: Apache-2.0 */
/* import: a tar of a root file system becomes an image of one layer (C12). A layer is put
 * under its digest, so the tar goes to a nameless file first. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "archive/files.h"
#include "base/fs.h"
#include "flate/inflate.h"
#include "host/registries.h"
#include "host/target.h"
#include "host/trust.h"
#include "oci/ref.h"
#include "registry/download.h"
#include "store/store.h"

#define CHUNK ((size_t)128 << 10)
#define PUT_TRIES 3 /* a sweep may take a layer that no image has yet */

struct import {
    struct dray_target *target;
    const struct limits *limits;
    int from, spool;
    int64_t size;
    struct oci_digest diff_id;
};

static ssize_t read_from(void *arg, void *buf, size_t len, struct dr_error *err)
{
    struct import *import = arg;
    ssize_t n;
    if (limits_cancelled(import->limits, err) < 0)
        return -1;
    do
        n = read(import->from, buf, len);
    while (n < 0 && errno == EINTR);
    return n < 0 ? dr_fail_errno(err, DR_ERR_INVALID, "read the tarball") : n;
}

/* Cheap, and tells of the usual mistakes before anything crosses. */
static int check_first(const char *chunk, ssize_t n, struct dr_error *err)
{
    if (n >= 3 && memcmp(chunk, "BZh", 3) == 0)
        return dr_fail(err, DR_ERR_UNSUPPORTED,
                       "the tarball is compressed by bzip2: decompress it first");
    if (n >= 6 && memcmp(chunk,
                         "\xfd"
                         "7zXZ",
                         6) == 0)
        return dr_fail(err, DR_ERR_UNSUPPORTED,
                       "the tarball is compressed by xz: decompress it first");
    if (n < 512)
        return dr_fail(err, DR_ERR_FORMAT, "it is no tarball");
    return 0;
}

static int fill_spool(struct import *import, struct dr_error *err)
{
    struct inflate *z;
    struct dr_sha256 hash;
    char hex[DR_SHA256_HEX + 1];
    dr_auto_free char *chunk = dr_alloc(CHUNK);
    if (inflate_open(NULL, read_from, import, &z, err) < 0)
        return -1;
    dr_sha256_init(&hash);
    ssize_t n;
    int rc = 0;
    while (rc == 0 && (n = inflate_read(z, chunk, CHUNK, err)) != 0) {
        rc = n < 0 ? -1 : import->size == 0 ? check_first(chunk, n, err) : 0;
        if (rc == 0 && dr_write_full(import->spool, chunk, (size_t)n) < 0)
            rc = dr_fail_errno(err, DR_ERR_INTERNAL, "keep the tarball for a while");
        if (rc == 0)
            dr_sha256_add(&hash, chunk, (size_t)n);
        import->size += n;
    }
    inflate_close(z);
    if (rc == 0 && import->size == 0)
        rc = dr_fail(err, DR_ERR_FORMAT, "the tarball is empty");
    if (rc < 0)
        return -1;
    dr_sha256_hex(&hash, hex);
    oci_digest_from_hex(hex, &import->diff_id);
    return 0;
}

static int send_spool(struct import *import, struct wire_chan *chan, struct dr_error *err)
{
    const struct file_range range = {import->spool, 0, import->size};
    dr_auto_free char *chunk = dr_alloc(WIRE_DATA_MAX);
    ssize_t n;
    for (int64_t at = 0; (n = file_range_read(&range, at, chunk, WIRE_DATA_MAX, err)) > 0;
         at += n)
        if (wire_write(chan, WIRE_STDIN, chunk, (size_t)n, err) < 0)
            return -1;
    return n < 0 ? -1 : wire_eof(chan, WIRE_STDIN, err);
}

static int put_layer(struct import *import, struct dr_error *err)
{
    struct session *session;
    struct wire_chan *chan;
    dr_auto_json json_t *request = request_new("layer.put");
    dr_json_set_str(request, "diff_id", import->diff_id.text);
    dr_json_set_str(request, "media_type", "application/vnd.oci.image.layer.v1.tar");
    if (request_open(import->target, request, import->limits, &session, &chan, err) < 0)
        return -1;
    dr_auto_error struct dr_error sending = DR_ERROR_INIT;
    int sent = send_spool(import, chan, &sending);
    /* the guest's word on why it ended the request counts more than that it did */
    int rc = sent == 0 || sending.kind == DR_ERR_CANCELLED ? wire_result(chan, NULL, err)
                                                           : dr_error_move(err, &sending);
    wire_close(chan);
    session_unref(session);
    return rc;
}

static json_t *make_request(const struct import *import,
                            const struct dray_import_options *options,
                            struct dr_error *err)
{
    dr_auto_ref struct oci_ref ref = OCI_REF_INIT;
    dr_auto_json json_t *request = request_new("image.import");
    dr_json_set_str(request, "diff_id", import->diff_id.text);
    if (options->name) {
        if (oci_ref_parse(options->name, &ref, err) < 0)
            return NULL;
        if (ref.digest.text[0]) {
            dr_fail(err, DR_ERR_INVALID, "%s: a new name has a tag, not a digest",
                    options->name);
            return NULL;
        }
        dr_auto_free char *text = oci_ref_text(&ref), *familiar = oci_ref_familiar(&ref);
        dr_json_set_str(request, "ref", text);
        dr_json_set_str(request, "familiar", familiar);
    }
    dr_json_set_str(request, "message", options->message);
    dr_json_set_str(request, "platform", options->platform);
    if (options->changes)
        dr_json_set(request, "changes",
                    dr_json_from_strv((char *const *)(uintptr_t)options->changes));
    return DR_TAKE(request);
}

static int import_spooled(struct import *import,
                          const struct dray_import_options *options, char **ret_id,
                          struct dr_error *err)
{
    for (int tries = 1;; tries++) {
        dr_auto_json json_t *reply = NULL;
        json_t *request = make_request(import, options, err);
        if (!request)
            return -1;
        if (put_layer(import, err) < 0) {
            json_decref(request);
            return -1;
        }
        if (request_call(import->target, request, import->limits, &reply, err) == 0) {
            *ret_id = dr_strdup(dr_json_str(reply, "id"));
            return 0;
        }
        if (err->kind != DR_ERR_NOT_FOUND || tries == PUT_TRIES)
            return -1;
        dr_error_release(err);
    }
}

static void on_wait(void *context, const char *why, int64_t wait_ms)
{
    const struct dray_import_options *options = context;
    registries_tell_wait(options->progress, options->progress_arg, why, wait_ms);
}

static void on_progress(void *context, const struct registry_progress *p)
{
    const struct dray_import_options *options = context;
    dr_auto_free char *url = download_shown(options->url);
    const char *slash = strrchr(url, '/');
    struct dray_progress step = {.size = sizeof step,
                                 .stage = DRAY_LAYER_DOWNLOADING,
                                 .layer = slash[1] ? slash + 1 : "download",
                                 .from = url,
                                 .done = p->done_bytes,
                                 .total = p->total_bytes};
    step.what =
        p->state == REGISTRY_BLOB_DONE ? DRAY_PROGRESS_LAYER_DONE : DRAY_PROGRESS_LAYER;
    options->progress(options->progress_arg, &step);
}

/* The tarball, downloaded to a nameless file. */
static int download(const struct dray_import_options *options,
                    struct registry_options *ro, const struct limits *limits,
                    const char *directory, int *ret_fd, struct dr_error *err)
{
    ro->deadline_ms = limits->deadline_ms;
    ro->cancel = limits->cancel ? &limits->cancel->triggered : NULL;
    ro->waiting = on_wait;
    ro->progress = options->progress ? on_progress : NULL;
    ro->context = (void *)(uintptr_t)options;
    if (files_spool(directory, ret_fd, err) < 0 ||
        download_file(options->url, ro, *ret_fd, err) < 0)
        return -1;
    return lseek(*ret_fd, 0, SEEK_SET) < 0
               ? dr_fail_errno(err, DR_ERR_INTERNAL, "seek in a file of ours")
               : 0;
}

static int import_image(struct dray_target *target,
                        const struct dray_import_options *options,
                        const struct limits *limits, char **ret_id, struct dr_error *err)
{
    struct import import = {target, limits, options->fd, -1, 0, {{0}}};
    dr_auto_fd int own = -1;
    struct store *store;
    struct registry_options ro = {0};
    dr_auto_json json_t *checked = make_request(&import, options, err);
    if (!checked ||
        registries_options(options->registry, &target->registry, &ro, err) < 0 ||
        trust_tarball(ro.policy_file, err) < 0)
        return -1;
    if (options->path) {
        import.from = own = open(options->path, O_RDONLY | O_CLOEXEC);
        if (own < 0)
            return dr_fail_errno(err, DR_ERR_NONE, "%s", options->path);
    }
    if (store_open(target->cache_dir, &store, err) < 0)
        return -1;
    int rc = 0;
    if (options->url) {
        rc = download(options, &ro, limits, store_dir(store), &own, err);
        import.from = own;
    }
    if (rc == 0)
        rc = files_spool(store_dir(store), &import.spool, err);
    if (rc == 0)
        rc = fill_spool(&import, err);
    if (rc == 0)
        rc = import_spooled(&import, options, ret_id, err);
    dr_cleanup_fd(&import.spool);
    store_close(store);
    return rc;
}

static void wrap(const struct dray_import_options *options, struct dr_error *err)
{
    dr_auto_free char *url = options->url ? download_shown(options->url) : NULL;
    dr_wrap(err, "import %s", url ? url : options->path ? options->path : "-");
}

int dray_image_import(struct dray_target *target,
                      const struct dray_import_options *options,
                      const struct dray_call *call, char **ret_id,
                      struct dray_error **ret_err)
{
    dr_auto_error struct dr_error err = DR_ERROR_INIT;
    struct dray_import_options o = {0};
    struct limits limits = limits_of(call, NO_TIMEOUT);
    dr_auto_free char *id = NULL;
    int rc = API_COPY(&o, options, &err);
    if (rc == 0 && (rc = target_enter(target, &err)) == 0) {
        rc = import_image(target, &o, &limits, &id, &err);
        target_leave(target);
        if (rc < 0)
            wrap(&o, &err);
    }
    if (rc == 0)
        *ret_id = DR_TAKE(id);
    return api_end(rc, &err, ret_err);
}
