/* SPDX-License-Identifier: Apache-2.0 */
/* The bytes of one layer: from the cache, an archive or the target; inflated where the
 * tar is wanted, compressed where the blob is. */
#include <string.h>

#include "base/text.h"
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

static int open_tar(const struct image_source *source, size_t index, bool gzip,
                    struct layer_pipe *p, struct dr_error *err)
{
    const struct oci_image *image = &source->image;
    if (!source->target)
        return dr_fail(err, DR_ERR_NOT_FOUND, "%s is not in the cache",
                       image->manifest.layers[index].digest.text);
    dr_auto_json json_t *request = request_new("layer.get");
    dr_json_set_str(request, "diff_id", image->config.diff_ids[index].text);
    if (gzip)
        dr_json_set_bool(request, "gzip", true);
    return request_open(source->target, request, source->limits, &p->session, &p->chan,
                        err);
}

/* ---- what becomes of it ---- */

/* A blob that was made of this layer here before, by a save or a push. */
static bool made_before(const struct image_source *source,
                        const struct oci_digest *diff_id, struct oci_digest *ret_digest,
                        int64_t *ret_size)
{
    dr_auto_strv char **notes = store_notes(source->store, diff_id, STORE_NOTE_GZIP);
    for (char **p = notes; *p; p++) {
        dr_auto_error struct dr_error ignored = DR_ERROR_INIT;
        size_t len = strcspn(*p, " ");
        if ((*p)[len] && oci_digest_parse(*p, len, ret_digest, &ignored) == 0 &&
            dr_int_parse(*p + len + 1, 0, INT64_MAX, ret_size) &&
            store_blob_has(source->store, ret_digest, *ret_size))
            return true;
    }
    return false;
}

/* The tar, compressed over there, becomes a blob of the cache: a blob is known by its
 * digest, which is known at its end. The same tar gives the same blob each time. */
int image_layer_make(const struct image_source *source, size_t index,
                     struct oci_digest *ret_digest, int64_t *ret_size,
                     struct dr_error *err)
{
    const struct oci_digest *diff_id = &source->image.config.diff_ids[index];
    struct layer_pipe tar = {.range = FILE_RANGE_INIT};
    struct store_spool *spool = NULL;
    if (made_before(source, diff_id, ret_digest, ret_size))
        return 0;
    dr_auto_free char *chunk = dr_alloc(CHUNK);
    int rc = open_tar(source, index, true, &tar, err);
    if (rc == 0)
        rc = store_spool_begin(source->store, &spool, err);
    ssize_t n = 0;
    while (rc == 0 && (n = read_raw(&tar, chunk, CHUNK, err)) != 0)
        rc = n < 0 ? -1 : store_spool_add(spool, chunk, (size_t)n, err);
    if (tar.chan)
        wire_close(tar.chan);
    session_unref(tar.session);
    if (rc < 0) {
        store_spool_drop(spool);
        return -1;
    }
    if (store_spool_end(spool, ret_digest, ret_size, err) < 0)
        return -1;
    dr_auto_free char *note =
        dr_printf(STORE_NOTE_GZIP "%s %lld", ret_digest->text, (long long)*ret_size);
    store_note_add(source->store, diff_id, note);
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
        return open_tar(source, index, false, p, err);
    if (image_layer_make(source, index, &layer->bytes.digest, &layer->bytes.size, err) <
            0 ||
        store_blob_open(source->store, &layer->bytes.digest, layer->bytes.size, &p->fetch,
                        err) < 0)
        return -1;
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
        return open_tar(source, index, false, p, err);
    }
    int found = open_blob(source, d, p, err);
    if (found < 0)
        return -1;
    if (found == 0)
        return open_tar(source, index, false, p, err);
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
