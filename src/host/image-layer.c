/* SPDX-License-Identifier: Apache-2.0 */
/* The bytes of one layer: from the cache, an archive or the target; inflated where the
 * tar is wanted, compressed where the blob is. */
#include <string.h>

#include "base/fs.h"
#include "flate/gzip.h"
#include "flate/inflate.h"
#include "host/image-source.h"

#define CHUNK ((size_t)256 << 10)

/* Exactly one of fetch, range and chan; z on top of it when it is inflated. */
struct layer_pipe {
    struct store_fetch *fetch;
    struct file_range range;
    struct session *session;
    struct wire_chan *chan;
    int64_t at;
    struct inflate *z;
};

static ssize_t read_raw(void *arg, void *buf, size_t len, struct dr_error *err)
{
    struct layer_pipe *p = arg;
    ssize_t n;
    if (p->chan) {
        n = wire_read(p->chan, WIRE_STDOUT, buf, len, err);
        if (n == 0 && wire_result(p->chan, NULL, err) < 0)
            return -1;
    } else if (p->fetch) {
        n = store_fetch_read(p->fetch, p->at, buf, len, err);
    } else {
        n = file_range_read(&p->range, p->at, buf, len, err);
    }
    if (n > 0)
        p->at += n;
    return n;
}

static ssize_t read_inflated(void *arg, void *buf, size_t len, struct dr_error *err)
{
    struct layer_pipe *p = arg;
    return inflate_read(p->z, buf, len, err);
}

static void pipe_free(struct layer_pipe *p)
{
    if (!p)
        return;
    inflate_close(p->z);
    store_fetch_close(p->fetch);
    file_range_release(&p->range);
    if (p->chan)
        wire_close(p->chan);
    session_unref(p->session);
    free(p);
}

void image_layer_close(struct image_layer *layer)
{
    pipe_free(layer->pipe);
    free(layer->media_type);
    *layer = (struct image_layer){0};
}

/* ---- where it comes from ---- */

/* Returns 1; 0 when neither archive nor cache has the blob. */
static int open_blob(const struct image_source *source, const struct oci_descriptor *d,
                     struct layer_pipe *p, struct dr_error *err)
{
    if (source->archive)
        return archive_blob(source->archive, d, &p->range, err) < 0 ? -1 : 1;
    if (!store_blob_has(source->store, &d->digest, d->size_bytes))
        return 0;
    return store_blob_open(source->store, &d->digest, d->size_bytes, &p->fetch, err) < 0
               ? -1
               : 1;
}

static int open_tar(const struct image_source *source, size_t index, struct layer_pipe *p,
                    struct dr_error *err)
{
    const struct oci_image *image = &source->image;
    if (!source->target)
        return dr_fail(err, DR_ERR_NOT_FOUND, "%s is not in the cache",
                       image->manifest.layers[index].digest.text);
    dr_auto_json json_t *request = request_new("layer.get");
    dr_json_set_str(request, "diff_id", image->config.diff_ids[index].text);
    return request_open(source->target, request, source->limits, &p->session, &p->chan,
                        err);
}

/* ---- what becomes of it ---- */

struct spool {
    int fd;
    int64_t size;
    struct dr_sha256 hash;
};

static int to_spool(void *arg, const void *data, size_t len, struct dr_error *err)
{
    struct spool *spool = arg;
    if (dr_write_full(spool->fd, data, len) < 0)
        return dr_fail_errno(err, DR_ERR_INTERNAL, "keep the layer for a while");
    dr_sha256_add(&spool->hash, data, len);
    spool->size += (int64_t)len;
    return 0;
}

/* The tar, compressed into a nameless file, since a blob is known by its digest. The same
 * tar gives the same blob each time. */
static int compress(const struct image_source *source, struct layer_pipe *tar,
                    struct layer_pipe *ret, struct oci_digest *ret_digest,
                    struct dr_error *err)
{
    struct spool spool = {.fd = -1};
    char hex[DR_SHA256_HEX + 1];
    dr_auto_free char *chunk = dr_alloc(CHUNK);
    if (files_spool(store_dir(source->store), &spool.fd, err) < 0)
        return -1;
    dr_sha256_init(&spool.hash);
    struct gzip *gzip = gzip_new(GZIP_USUAL, to_spool, &spool);
    ssize_t n;
    int rc = 0;
    while (rc == 0 && (n = read_raw(tar, chunk, CHUNK, err)) != 0)
        rc = n < 0 || limits_cancelled(source->limits, err) < 0
                 ? -1
                 : gzip_add(gzip, chunk, (size_t)n, err);
    if (rc == 0)
        rc = gzip_end(gzip, err);
    gzip_free(gzip);
    if (rc < 0) {
        close(spool.fd);
        return -1;
    }
    dr_sha256_hex(&spool.hash, hex);
    oci_digest_from_hex(hex, ret_digest);
    ret->range = (struct file_range){spool.fd, 0, spool.size};
    return 0;
}

static bool is_docker(const struct oci_image *image)
{
    return image->manifest.media_type &&
           strcmp(image->manifest.media_type, OCI_TYPE_DOCKER_MANIFEST) == 0;
}

static int open_as_it_is(const struct image_source *source, size_t index,
                         struct image_layer *layer, struct dr_error *err)
{
    const struct oci_image *image = &source->image;
    const struct oci_descriptor *d = &image->manifest.layers[index];
    struct layer_pipe *p = layer->pipe;
    layer->bytes = (struct archive_bytes){d->digest, d->size_bytes, read_raw, p};
    layer->media_type = dr_strdup(d->media_type);
    int found = open_blob(source, d, p, err);
    if (found != 0)
        return found < 0 ? -1 : 0;
    if (oci_digest_equal(&d->digest, &image->config.diff_ids[index]))
        return open_tar(source, index, p, err);
    struct layer_pipe tar = {.range = FILE_RANGE_INIT};
    int rc = open_tar(source, index, &tar, err);
    if (rc == 0)
        rc = compress(source, &tar, p, &layer->bytes.digest, err);
    if (tar.chan)
        wire_close(tar.chan);
    session_unref(tar.session);
    if (rc < 0)
        return -1;
    layer->bytes.size = p->range.size;
    layer->changed = true;
    free(layer->media_type);
    layer->media_type =
        dr_strdup(is_docker(image) ? "application/vnd.docker.image.rootfs.diff.tar.gzip"
                                   : OCI_TYPE_LAYER "+gzip");
    return 0;
}

/* A tar's header says its size before it comes: it is inflated twice. */
static int count_inflated(struct layer_pipe *p, const char *media_type, int64_t *ret_size,
                          struct dr_error *err)
{
    dr_auto_free char *chunk = dr_alloc(CHUNK);
    int64_t size = 0;
    ssize_t n;
    if (inflate_open(media_type, read_raw, p, &p->z, err) < 0)
        return -1;
    while ((n = inflate_read(p->z, chunk, CHUNK, err)) > 0)
        size += n;
    if (n < 0)
        return -1;
    inflate_close(p->z);
    p->z = NULL;
    p->at = 0;
    *ret_size = size;
    return inflate_open(media_type, read_raw, p, &p->z, err);
}

static int open_plain(const struct image_source *source, size_t index,
                      struct image_layer *layer, struct dr_error *err)
{
    const struct oci_image *image = &source->image;
    const struct oci_descriptor *d = &image->manifest.layers[index];
    const struct oci_digest *diff_id = &image->config.diff_ids[index];
    struct layer_pipe *p = layer->pipe;
    layer->bytes = (struct archive_bytes){*diff_id, d->size_bytes, read_raw, p};
    layer->media_type = dr_strdup(OCI_TYPE_LAYER);
    layer->changed = !oci_digest_equal(&d->digest, diff_id);
    if (source->target) {
        layer->bytes.size = source->tar_sizes[index];
        return open_tar(source, index, p, err);
    }
    int found = open_blob(source, d, p, err);
    if (found < 0)
        return -1;
    if (found == 0)
        return open_tar(source, index, p, err);
    if (!layer->changed)
        return 0;
    layer->bytes.read = read_inflated;
    return count_inflated(p, d->media_type, &layer->bytes.size, err);
}

int image_layer_open(const struct image_source *source, size_t index,
                     enum layer_form form, struct image_layer *ret, struct dr_error *err)
{
    struct image_layer layer = {.pipe = dr_alloc(sizeof *layer.pipe)};
    layer.pipe->range = FILE_RANGE_INIT;
    int rc = form == LAYER_PLAIN ? open_plain(source, index, &layer, err)
                                 : open_as_it_is(source, index, &layer, err);
    if (rc < 0) {
        image_layer_close(&layer);
        return -1;
    }
    *ret = layer;
    return 0;
}
