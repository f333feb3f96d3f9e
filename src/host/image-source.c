/* SPDX-License-Identifier: Apache-2.0 */
#include "host/image-source.h"

#include <string.h>

#include "host/pull.h"

void image_source_release(struct image_source *source)
{
    oci_image_release(&source->image);
    dr_strv_free(source->refs);
    free(source->tar_sizes);
    source->refs = NULL;
    source->tar_sizes = NULL;
}

/* ---- an image of a target ---- */

static int read_all(struct wire_chan *chan, int stream, struct dr_buf *buf,
                    struct dr_error *err)
{
    char chunk[16384];
    ssize_t n;
    while ((n = wire_read(chan, stream, chunk, sizeof chunk, err)) > 0)
        if (dr_buf_add(buf, chunk, (size_t)n, err) < 0)
            return -1;
    return (int)n;
}

static int get_documents(struct image_source *source, const char *ref, json_t **ret_reply,
                         struct dr_buf *manifest, struct dr_buf *config,
                         struct dr_error *err)
{
    struct session *session;
    struct wire_chan *chan;
    dr_auto_json json_t *request = request_new("image.documents");
    dr_json_set_str(request, "ref", ref);
    if (request_open(source->target, request, source->limits, &session, &chan, err) < 0)
        return -1;
    int rc = read_all(chan, WIRE_STDOUT, manifest, err);
    if (rc == 0)
        rc = read_all(chan, WIRE_STDERR, config, err);
    if (rc == 0)
        rc = wire_result(chan, ret_reply, err);
    wire_close(chan);
    session_unref(session);
    return rc;
}

int image_source_read(struct image_source *source, const char *ref, json_t **ret_reply,
                      struct dr_error *err)
{
    dr_auto_buf struct dr_buf manifest = DR_BUF_INIT(OCI_MANIFEST_MAX);
    dr_auto_buf struct dr_buf config = DR_BUF_INIT(OCI_MANIFEST_MAX);
    if (get_documents(source, ref, ret_reply, &manifest, &config, err) < 0)
        return -1;
    return oci_image_parse(manifest.data ? manifest.data : "", manifest.len, NULL,
                           config.data ? config.data : "", config.len, &source->image,
                           err);
}

int image_source_of_target(struct image_source *source, const char *image,
                           struct dr_error *err)
{
    dr_auto_json json_t *found = NULL, *reply = NULL;
    if (host_image_call(source->target, request_new("image.get"), image, source->limits,
                        &found, err) < 0)
        return -1;
    if (image_source_read(source, dr_json_str(found, "id"), &reply, err) < 0)
        return err->kind == DR_ERR_FORMAT || err->kind == DR_ERR_UNSUPPORTED
                   ? dr_wrap(err, "image %s", image)
                   : -1;
    source->refs = dr_json_strv(dr_json_array(reply, "refs"));
    const json_t *sizes = dr_json_array(reply, "tar_sizes");
    size_t n = source->image.config.n_diff_ids;
    source->tar_sizes = dr_alloc((n + 1) * sizeof *source->tar_sizes);
    for (size_t i = 0; i < n; i++)
        source->tar_sizes[i] = json_integer_value(json_array_get(sizes, i));
    return 0;
}

/* ---- another manifest ---- */

static const char docker_layer[] = "application/vnd.docker.image.rootfs.diff.tar";
static const char docker_config[] = "application/vnd.docker.container.image.v1+json";

static int docker_type(const struct oci_descriptor *d, const char *media_type,
                       const char **ret, struct dr_error *err)
{
    enum oci_compression compression = OCI_PLAIN;
    oci_media_parse(media_type, strlen(media_type), &compression);
    if (compression == OCI_ZSTD)
        return dr_fail(err, DR_ERR_UNSUPPORTED,
                       "layer %.19s is compressed by zstd, which Docker's manifests do "
                       "not know: use an OCI format",
                       d->digest.text);
    *ret = compression == OCI_GZIP ? "application/vnd.docker.image.rootfs.diff.tar.gzip"
                                   : docker_layer;
    return 0;
}

static int change_layer(json_t *layer, const struct oci_descriptor *d,
                        const struct layer_change *change, bool docker,
                        struct dr_error *err)
{
    const char *type = change->media_type ? change->media_type : d->media_type;
    if (docker && docker_type(d, type, &type, err) < 0)
        return -1;
    if (change->media_type) {
        dr_json_set_str(layer, "digest", change->digest.text);
        dr_json_set_int(layer, "size", change->size);
        json_object_del(layer, "urls");
        json_object_del(layer, "annotations"); /* of zstd:chunked: about other bytes */
    }
    dr_json_set_str(layer, "mediaType", type);
    return 0;
}

int image_change_layers(const struct oci_image *image, const struct layer_change *changes,
                        bool docker, struct oci_image *ret, struct dr_error *err)
{
    dr_auto_json json_t *json =
        dr_json_parse(image->manifest_raw, image->manifest_len, OCI_MANIFEST_MAX, err);
    if (!json)
        return -1;
    json_t *layers = dr_json_array(json, "layers");
    for (size_t i = 0; i < image->manifest.n_layers; i++)
        if (change_layer(json_array_get(layers, i), &image->manifest.layers[i],
                         &changes[i], docker, err) < 0)
            return -1;
    if (docker) {
        dr_json_set_str(json, "mediaType", OCI_TYPE_DOCKER_MANIFEST);
        dr_json_set_str(dr_json_object(json, "config"), "mediaType", docker_config);
        json_object_del(json, "annotations");
    }
    dr_auto_free char *text = dr_json_text(json);
    return oci_image_parse(text, strlen(text), NULL, image->config_raw, image->config_len,
                           ret, err);
}

/* ---- the whole of it ---- */

static int write_layer(const struct image_source *source, struct archive_writer *writer,
                       size_t i, struct layer_change *ret_change, struct dr_error *err)
{
    const struct oci_image *image = &source->image;
    bool plain = archive_writer_wants_plain(writer);
    /* nothing need be opened for what is there already */
    if (archive_writer_has(writer, plain ? &image->config.diff_ids[i]
                                         : &image->manifest.layers[i].digest))
        return 0;
    struct image_layer layer;
    if (image_layer_open(source, i, plain ? LAYER_PLAIN : LAYER_AS_IT_IS, &layer, err) <
        0)
        return -1;
    int rc = archive_writer_has(writer, &layer.bytes.digest)
                 ? 0
                 : archive_writer_blob(writer, &layer.bytes, err);
    if (rc == 0 && layer.changed && !plain)
        *ret_change = (struct layer_change){DR_TAKE(layer.media_type), layer.bytes.digest,
                                            layer.bytes.size};
    image_layer_close(&layer);
    return rc;
}

int image_source_write(const struct image_source *source, struct archive_writer *writer,
                       bool docker, char *const *names, const char *key,
                       struct dr_error *err)
{
    const struct oci_image *image = &source->image;
    dr_auto_image struct oci_image other = OCI_IMAGE_INIT;
    size_t n = image->manifest.n_layers;
    bool any =
        docker && strcmp(image->manifest.media_type ? image->manifest.media_type : "",
                         OCI_TYPE_DOCKER_MANIFEST) != 0;
    dr_auto_free struct layer_change *changes = dr_alloc((n + 1) * sizeof *changes);
    int rc = 0;
    for (size_t i = 0; i < n && rc == 0; i++) {
        rc = write_layer(source, writer, i, &changes[i], err);
        if (rc < 0)
            dr_wrap(err, "layer %.19s", image->manifest.layers[i].digest.text);
        any = any || changes[i].media_type;
    }
    if (rc == 0 && any)
        rc = image_change_layers(image, changes, docker, &other, err);
    if (rc == 0)
        rc = archive_writer_image(writer, any ? &other : image, names, key, err);
    for (size_t i = 0; i < n; i++)
        free((char *)changes[i].media_type);
    return rc;
}
